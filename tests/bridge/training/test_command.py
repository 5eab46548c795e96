"""`lindyn train` as a user types it: the parser stays light, mistakes are one sentence with exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from lindyn.commands.train import training_keys
from tests.bridge.training.helpers import TINY, in_words

ROOT = Path(__file__).parents[3]
WORDS = in_words(TINY)


def test_help_and_keys_load_no_torch():
    script = (
        "import sys\nfrom lindyn import cli\n"
        "try:\n    cli.main(['train', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'jax', 'matplotlib', 'lightly'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_a_run_from_flags_between_words_then_from_its_own_file(tmp_path, command):
    first = [*WORDS[:3], "--overwrite", *WORDS[3:], f"run.folder={tmp_path / 'a'}", "run.epochs=1"]
    code, out, err = command("train", *first)
    assert code == 0 and err == "" and "5 steps of 240 images" in out
    code, _, err = command("train", str(tmp_path / "a" / "run.toml"), f"run.folder={tmp_path / 'b'}")
    assert (code, err) == (0, "")
    here, there = ((tmp_path / name / "metrics.jsonl").read_text() for name in "ab")
    assert here == there
    code, _, err = command("train", str(tmp_path / "a" / "run.toml"), "--resume")
    assert (code, err) == (0, "")  # finished already: nothing is trained again
    assert (tmp_path / "a" / "metrics.jsonl").read_text() == here


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["data.nmae=x"], "Unknown key 'data.nmae'. Did you mean 'data.name'?"),
        (["model.predictor=newton_shulz"], "Did you mean 'newton_schulz'?"),
        (["missing.toml"], "Cannot read the configuration missing.toml: No such file or directory."),
        (["a.toml", "b.toml"], "One configuration at a time; got a.toml, b.toml."),
        (["data.name=imagefolder", "data.root=/nowhere"], "ROOT/train/CLASS/*.JPEG and ROOT/val/CLASS/*.JPEG"),
        (["data.name=digits", "optim.batch=9999"], "must be at most the 1438 training images"),
        (["--resume"], "There is nothing to resume"),
        (["--resum"], "unrecognized arguments: --resum. Did you mean --resume?"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(tmp_path, command, words, text):
    folder = [f"run.folder={tmp_path}"] if not any(word.startswith("--resum") for word in words[1:]) else []
    code, _, err = command("train", *words, *folder)
    assert code == 2 and text in err and "Traceback" not in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["torch", "lightly", "pytorch_lightning"])
def test_a_missing_package_says_which_extra(command, monkeypatch, missing):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else find(name, *rest))
    code, _, err = command("train")
    assert code == 2 and err.count("\n") == 1
    assert missing.replace("_", "-") in err and 'pip install "lindyn[train]"' in err


def test_the_page_has_the_table_of_keys_as_it_is():
    """Written by `python -m tests.bridge.training.test_command`, so that page and program cannot part."""
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert training_keys().documented(markdown=True) in page


if __name__ == "__main__":
    path = ROOT / "docs" / "training.md"
    head = path.read_text(encoding="utf-8").split("| key | default | meaning |")[0]
    path.write_text(head + training_keys().documented(markdown=True) + "\n", encoding="utf-8")
