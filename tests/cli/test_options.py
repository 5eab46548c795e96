"""One table of options for every command: near names, two spellings of one quantity, and TOML there and back."""

import math
import subprocess
import sys
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindyn._option_table import OptionTable
from lindyn._options import Option, did_you_mean, nearest
from lindyn.bridge import sections
from lindyn.bridge.training import TrainConfig
from lindyn.cli import parser
from lindyn.commands import phase, predict, prove, reproduce, simulate, simulate_options, sweep, train, validate, verify

TABLES = {
    "phase": phase.TABLE,
    "predict": predict.TABLE,
    "prove": prove.TABLE,
    "reproduce": reproduce.TABLE,
    "simulate": simulate_options.TABLE,
    "simulate, files": simulate.FILES,
    "sweep": sweep.TABLE,
    "train": train.TABLE,
    "train, keys": sections.TABLE,
    "validate": validate.TABLE,
    "verify": verify.TABLE,
}
TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=12)
NAMES = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12)


def values(option):
    """Return a strategy of the values that an option takes."""
    if option.choices:
        return st.sampled_from(option.choices)
    low, high = (-1e6 if option.low is None else option.low), (1e6 if option.high is None else option.high)
    scalar = st.floats(allow_nan=False) if option.low is option.high is None else st.floats(low, high)
    kinds = {
        float: scalar,
        int: st.integers(math.ceil(low), int(high)),
        str: TEXT,
        bool: st.booleans(),
        "switch": st.booleans(),
        "numbers": st.lists(st.floats(allow_nan=False), min_size=1, max_size=3),
        "names": st.lists(NAMES, min_size=1, max_size=3),
        "texts": st.lists(NAMES, max_size=3),
        "words": st.lists(NAMES, max_size=3),
        "range": TEXT,
        "table": st.dictionaries(NAMES, st.booleans() | st.integers(-9, 9) | TEXT, max_size=3).map(
            lambda found: tuple(sorted(found.items()))
        ),
    }
    found = kinds[option.kind]
    return found.filter(lambda value: "~" not in str(value)) if option.path else found  # ~ is the home folder


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
def test_written_as_toml_and_read_again_is_the_same(name, tmp_path_factory, data):
    table = TABLES[name]
    settings = {key: data.draw(st.none() | values(option), label=key) for key, option in table.keys.items()}
    path = tmp_path_factory.mktemp("toml") / "run.toml"
    path.write_text(table.to_toml(settings, "a comment"), encoding="utf-8")
    kept = {key: value for key, value in settings.items() if value is not None and value != ()}
    assert table.collected(table.read_toml(path)) == kept


@pytest.mark.parametrize("name", TABLES)
def test_every_option_has_a_meaning_and_a_default_it_would_take(name):
    table = TABLES[name]
    assert len(table.keys) == len(table.options)  # no name twice
    for key, option in table.keys.items():
        assert option.help, key
        assert option.default is None or table.convert(key, option.default) == option.default, key


FLAGS = [
    ("simulate --sytem modes", "--system"),
    ("simulate --image digits", "--images"),
    ("sweep --sigma 0.5", "--sigma2"),
    ("sweep --x_aug 0.5", "--x-aug"),
    ("phase --sigma 0.5", "--sigma2"),
    ("phase --xaug 0.5", "--x-aug"),
    ("reproduce --figur3 3", "--figure"),
    ("prove --audi", "--audit"),
    ("verify run.npz --pictur a.png", "--picture"),
    ("train --resum", "--resume"),
    ("train --lr 0.1", "optim.lr=0.1"),
    ("train --lr=0.1", "optim.lr=0.1"),
    ("train --learning-rate 0.1", "optim.lr=0.1"),
    ("train --batch-size 64", "optim.batch=64"),
    ("train --weight-decay 1e-4 --overwrite", "optim.weight_decay=1e-4"),
    ("train --blur 0.2", "data.blur=0.2"),
    ("train --epoch 3", "run.epochs=3"),
    ("train --predictor", "model.predictor=..."),
    ("validate a.ckpt --ema 0.99", "method.ema=0.99"),
    ("validate a.ckpt --sample 9", "--samples"),
]


@pytest.mark.parametrize(("words", "near"), FLAGS)
def test_an_unknown_flag_is_answered_with_the_near_one_of_its_own_command(words, near, command):
    code, out, err = command(*words.split())
    name = words.split()[0]
    assert (code, out) == (2, "") and err.startswith(f"lindyn {name}: error: unrecognized arguments: --")
    assert err.endswith(f"Did you mean {near}?\n") and err.count("\n") == 1


@pytest.mark.parametrize("words", ["sweep --blur 1", "phase --blur 1", "prove --blur 1"])
def test_no_flag_of_another_command_is_suggested(words, command):
    code, _, err = command(*words.split())
    assert code == 2 and err.endswith(f"See lindyn {words.split()[0]} --help.\n")


def test_an_unknown_command_and_none_at_all(command):
    assert command("simulat")[::2] == (2, "lindyn: error: unknown command 'simulat'. Did you mean simulate?\n")
    assert "There are reproduce, simulate" in command("xyz")[2]
    code, out, err = command()
    assert (code, err) == (0, "") and out == command("--help")[1] and "lindyn simulate" in out
    done = subprocess.run([sys.executable, "-m", "lindyn", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("lindyn ")


SPELLED = {
    "simulate": (["--x-aug", "0.5"], ["--sigma2", "0.5"], "x_aug", "sigma2"),
    "sweep": (["--x-aug", "0:1:3"], ["--sigma2", "0:1:3"], "x_aug", "x_aug"),
    "phase": (["--x-aug", "0:1:3"], ["--sigma2", "0:1:3"], "x_aug", "x_aug"),
}


@pytest.mark.parametrize("name", SPELLED)
def test_x_aug_and_sigma2_are_taken_by_every_command_that_has_either(name, command):
    one, other, *keys = SPELLED[name]
    table = TABLES[name]
    for flags, key in zip((one, other), keys, strict=True):
        assert list(table.given(parser().parse_args([name, *flags])))[-1:] or key
        assert key in table.given(parser().parse_args([name, *flags]))
    code, out, err = command(name, *one, "--sigma2", "0.3")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "--x-aug and --sigma2 are one quantity; got --x-aug 0" in err and "--sigma2 0.3. Give one of them." in err


def test_equal_spellings_are_one_value_and_a_flag_replaces_the_file_s_other_spelling(tmp_path):
    def settings(*flags):
        return simulate_options.configuration(parser().parse_args(["simulate", *flags]))[0]

    assert settings("--x-aug", "0.5", "--sigma2", "0.50")["x_aug"] == [0.5]
    file = tmp_path / "run.toml"
    file.write_text("[data]\nx_aug = [0.5]\nsigma2 = 0.25\n", encoding="utf-8")  # as every run.toml has it
    assert settings("--config", str(file))["x_aug"] == [0.5]
    changed = settings("--config", str(file), "--sigma2", "0.1")
    assert (changed["x_aug"], changed["sigma2"]) == (None, 0.1)


KEYS = [
    ("optim.lr=fast", "optim.lr must be a number; got 'fast'."),
    ("optim.batch=1.5", "optim.batch must be a whole number; got 1.5."),
    ("optim.batch=0", "optim.batch must be at least 1; got 0."),
    ("data.centre=3", "data.centre must be true or false; got 3."),
    ("data.name=mnits", "Did you mean 'mnist'?"),
    ("optim.lrr=1", "Unknown key 'optim.lrr'. Did you mean 'optim.lr'?"),
    ("weight_decy=1", "Unknown key 'weight_decy'. Did you mean 'optim.weight_decay'?"),
    ("zzz=1", "Unknown key 'zzz'. docs/training.md has the table of keys."),
    ("name=mnist", "stands in several sections; say which: data.name, method.name, optim.name."),
    ("data.crop=2", "data.crop must be at most 1; got 2."),
    ("model.predictor_options=3", "model.predictor_options must be a table of names and values; got 3."),
]


@pytest.mark.parametrize(("word", "text"), KEYS)
def test_a_wrong_key_or_value_is_one_sentence(word, text):
    with pytest.raises(ValueError) as error:
        TrainConfig.read(None, [word])
    assert text in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("optim.lr=.5", 0.5), ("optim.lr=1", 1.0), ("batch_size=8", 8), ("run.folder=2024", "2024"),
        ('run.folder="a b"', "a b"), ("run.folder=[x]", "[x]"), ("data.centre=true", True), ("data.root=", ""),
        ("model.predictor_options.steps=9", 9),
    ],
)  # fmt: skip
def test_a_value_is_read_in_the_kind_of_its_key(word, value):
    found = sections.TABLE.read_override(word)[1]
    assert found == value and type(found) is type(value)


WRONG = [
    ("simulate --eta much", "--eta must be a number; got 'much'."),
    ("simulate --n2 1.5", "--n2 must be a whole number; got 1.5."),
    ("simulate --engine scip", "--engine must be one of auto, scipy, diffrax; got 'scip'. Did you mean 'scipy'?"),
    ("sweep --threads x", "--threads must be a whole number; got 'x'."),
    ("phase --seed 0.5", "--seed must be a whole number; got 0.5."),
    ("verify a.npz --target onlin", "--target must be one of ema, online, frozen; got 'onlin'. Did you mean 'online'?"),
    ("reproduce --workers 0", "--workers must be at least 1; got 0."),
    ("validate a.ckpt --samples many", "--samples must be a whole number; got 'many'."),
]


@pytest.mark.parametrize(("words", "text"), WRONG)
def test_a_wrong_value_of_a_flag_is_one_sentence(words, text, command):
    assert command(*words.split()) == (2, "", f"lindyn {words.split()[0]}: error: {text}\n")


def test_near_words():
    assert nearest("etta", ["eta", "beta"]) == "eta" and nearest("zzz", ["eta"]) is None
    assert did_you_mean("etta", ["eta"]) == " Did you mean 'eta'?" and did_you_mean("zzz", ["eta"]) == ""


def test_a_table_documents_itself():
    table = OptionTable((Option("a", float, 1.0, "first"), Option("b", str, "x", "second", choices=("x", "y"))))
    assert table.documented().splitlines() == ["a = 1.0".ljust(40) + " first", 'b = "x"'.ljust(40) + " second: x, y"]
    assert tomllib.loads(table.to_toml(table.defaults)) == {"a": 1.0, "b": "x"}
