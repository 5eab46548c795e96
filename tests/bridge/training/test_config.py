"""The configuration: reading, overriding, refusing, saving, comparing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lindyn.bridge import sections
from lindyn.bridge.training import TrainConfig, networks


def test_defaults_are_valid_and_every_data_set_and_method_has_some():
    for name in sections.DATA_NAMES:
        for method in sections.METHODS:
            assert TrainConfig.of({"data.name": name, "method.name": method}).data.name == name


@given(
    lr=st.floats(1e-6, 10), batch=st.integers(1, 5000), sides=st.sampled_from(sections.SIDES),
    options=st.dictionaries(st.sampled_from(["rho", "eps", "freq"]), st.floats(0, 1) | st.integers(1, 9)),
    folder=st.text(st.characters(blacklist_categories=("Cs", "Cc"))),
)  # fmt: skip
def test_saved_and_read_again_is_the_same(tmp_path_factory, lr, batch, sides, options, folder):
    config = TrainConfig.of(
        {"optim.lr": lr, "optim.batch": batch, "method.sides": sides, "run.folder": folder,
         "model.predictor_options": options}
    )  # fmt: skip
    path = tmp_path_factory.mktemp("toml") / "run.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert TrainConfig.read(path) == config


def test_overrides_go_before_the_file_and_the_file_before_the_data_sets_defaults(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('[data]\nname = "cifar10"\nflip = 0.1\n[optim]\nlr = 0.5\n')
    config = TrainConfig.read(path, ["optim.lr=0.25", "epochs=7", "predictor=visser"])
    assert (config.optim.lr, config.run.epochs, config.model.predictor) == (0.25, 7, "visser")
    assert (config.data.flip, config.model.stem) == (0.1, "cifar")


def test_simsiam_brings_its_own_values_and_a_key_overrides_them():
    config = TrainConfig.of({"method.name": "simsiam", "model.predictor": "linear"})
    assert (config.method.target, config.method.loss, config.method.sides) == ("online", "negative-cosine", "averaged")
    assert (config.model.projector, config.model.predictor) == ("simsiam", "linear")


@pytest.mark.parametrize(
    ("text", "value"),
    [("optim.lr=1", 1), ("optim.lr=1e-3", 1e-3), ("predictor=linear", "linear"), ("run.folder=a/b", "a/b"),
     ("probe=false", False), ("model.predictor_options.rho=0.5", 0.5)],
)  # fmt: skip
def test_an_override_is_toml_or_a_bare_word(text, value):
    assert sections.TABLE.read_override(text)[1] == value


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"optim.learningrate": 1}, r"Unknown key 'optim.learningrate'"),
        ({"optim.weight_decy": 1}, r"Did you mean 'optim.weight_decay'\?"),
        ({"lrr": 1}, r"Did you mean 'optim.lr'\?"),
        ({"model.cut": 0}, r"model.cut must be above 0; got 0. It divides every weight at the start: 1 leaves them"),
        ({"model.cut": -3}, r"model.cut must be finite and at least 0; got -3"),
        (
            {"model.projector": "none", "model.projector_layers": 2},
            r"got model.projector='none'. One linear layer with",
        ),
        ({"name": "mnist"}, r"several sections; say which: data.name, method.name, optim.name"),
        ({"data.name": "mnits"}, r"data.name must be one of .*got 'mnits'. Did you mean 'mnist'\?"),
        ({"optim.lr": "fast"}, r"optim.lr must be a number; got 'fast'"),
        ({"optim.lr": -1.0}, r"optim.lr must be finite and at least 0; got -1.0"),
        ({"optim.lr": float("nan")}, r"optim.lr must be finite"),
        ({"optim.batch": 0}, r"optim.batch must be at least 1; got 0"),
        ({"optim.batch": True}, r"optim.batch must be a whole number; got True"),
        ({"optim.momentum": 1.0}, r"optim.momentum must be below 1; got 1"),
        ({"method.ema": 1.5}, r"method.ema must be at most 1; got 1.5"),
        ({"data.augmentation": "byol"}, r"data.augmentation of mnist must be batched, noise or none; got 'byol'"),
        ({"data.name": "gaussian", "model.backbone": "small"}, r"it needs data.augmentation=noise and model.backbone"),
        ({"run.precision": "8"}, r"run.precision must be one of"),
    ],
)
def test_a_wrong_key_or_value_is_one_clear_sentence(given, text):
    with pytest.raises(ValueError, match=text):
        TrainConfig.of(given)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[optim\n", "is not TOML"),
        ("lr = 1\n", r"unknown key 'lr' outside any section. It belongs in \[optim\]"),
        ("[optimm]\nlr = 1\n", r"unknown section \[optimm\]. Did you mean 'optim'"),
        ("[optim]\nlearning = 1\n", r"unknown key 'learning' in \[optim\]"),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(tmp_path, content, text):
    path = tmp_path / "a.toml"
    path.write_text(content)
    with pytest.raises(ValueError, match=text):
        TrainConfig.read(path)
    with pytest.raises(ValueError, match=r"Cannot read the configuration .*missing.toml: No such file"):
        TrainConfig.read(tmp_path / "missing.toml")


def test_only_what_decides_the_result_counts_as_a_difference():
    config = TrainConfig.of({"optim.lr": 0.1})
    same = config.changed({"run.folder": "elsewhere", "data.workers": 3, "run.progress": False})
    assert config.differences(same) == {}
    other = config.changed({"optim.lr": 0.2, "model.predictor_options.rho": 0.5})
    assert config.differences(other) == {"optim.lr": (0.1, 0.2), "model.predictor_options": ((), (("rho", 0.5),))}


def test_rates_that_follow_from_others():
    config = TrainConfig.of({"optim.lr": 0.2, "optim.scale_lr": True, "optim.batch": 512, "optim.accumulate": 2})
    assert config.learning_rate == pytest.approx(0.8)
    assert config.predictor_decay == config.optim.weight_decay
    assert config.changed({"optim.predictor_weight_decay": 0.0}).predictor_decay == 0.0


@pytest.mark.parametrize("name", ["byol", "simsiam"])
def test_a_projector_as_its_name_has_it_is_lightly_s(name):
    from lightly.models.modules import heads

    theirs = {"byol": heads.BYOLProjectionHead, "simsiam": heads.SimSiamProjectionHead}[name]
    torch.manual_seed(0)
    head = theirs(32, 16, 8)
    torch.manual_seed(0)
    mine, width = networks.projector(TrainConfig.of({"model.projector": name, "model.hidden": 16, "model.dim": 8}), 32)
    assert width == 8 and str(mine.layers) == str(head.layers)
    for ours, other in zip(mine.state_dict().items(), head.state_dict().items(), strict=True):
        assert ours[0] == other[0] and torch.equal(ours[1], other[1])


@pytest.mark.parametrize(("layers", "norm"), [(1, "batch"), (1, "none"), (2, "batch"), (3, "none"), (5, "batch")])
def test_depth_and_last_norm_of_a_projector(layers, norm):
    keys = {"model.projector_layers": layers, "model.projector_norm": norm, "model.hidden": 16, "model.dim": 8}
    for name in ("byol", "simsiam"):
        mine, _ = networks.projector(TrainConfig.of({"model.projector": name, **keys}), 32)
        kinds = [type(layer).__name__ for layer in mine.layers]
        assert kinds == [
            *["Linear", "BatchNorm1d", "ReLU"] * (layers - 1),
            "Linear",
            *["BatchNorm1d"] * (norm == "batch"),
        ]
        assert mine(torch.ones(4, 32)).shape == (4, 8)
