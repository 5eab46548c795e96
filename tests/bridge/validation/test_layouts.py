"""Every layout: found by its keys alone; its pieces compute what the run computes; its settings are read."""

import re
import shutil
from dataclasses import replace

import pytest
import torch

from lindyn.bridge.checkpoints import (
    Content,
    check_fit,
    container,
    known_layouts,
    matching,
    read_checkpoint,
    unwrapped,
    weights_of,
)
from lindyn.bridge.checkpoints.layouts import mmpretrain
from tests.bridge.validation.originals import CASES, FIXTURES, images, original
from tests.bridge.validation.test_other_layouts import OTHER_KINDS

PIECES = ("backbone", "projector", "predictor", "target_backbone", "target_projector")
NAMES = list(CASES)


def read(name, **more):
    return read_checkpoint(CASES[name].path, unsafe=True, **more)


def content(name):
    return Content.of(CASES[name].path, unsafe=True)


def assert_close(got, expected):
    """Equal to 1e-6 of the size of the numbers: biases that were absorbed round differently."""
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-6 * max(1.0, float(expected.abs().max())))


@torch.no_grad()
def assert_computes_as_the_run(pieces, case):
    """Hold each piece against the module that the training code builds."""
    run, x = original(case.run), images()
    h = run(x)
    z = run.projection_head(h)
    shift = run.projection_head.layers[3].bias if case.layout == "deepmind" else torch.zeros(())  # see conversions
    if pieces.backbone is not None:
        assert_close(pieces.backbone(x), h)
    if pieces.projector is not None:
        assert_close(pieces.projector(h) + shift, z)
    if pieces.predictor is not None:
        assert_close(pieces.predictor(z - shift), run.prediction_head(z))
    if pieces.target_backbone is not None:
        assert_close(pieces.target_backbone(x), run.teacher_backbone(x))
    if pieces.target_projector is not None:
        bias = run.teacher_projection_head.layers[3].bias if case.layout == "deepmind" else torch.zeros(())
        assert_close(pieces.target_projector(h) + bias, run.teacher_projection_head(h))


@pytest.mark.parametrize("name", NAMES)
def test_the_pieces_compute_what_the_run_computes(name):
    pieces, case = read(name), CASES[name]
    assert pieces.layout == case.layout and pieces.path == case.path
    assert {piece for piece in PIECES if getattr(pieces, piece) is None} == set(case.lacks)
    assert_computes_as_the_run(pieces, case)
    for piece in PIECES:
        module = getattr(pieces, piece)
        assert module is None or not (module.training or any(p.requires_grad for p in module.parameters()))


def test_no_file_has_two_layouts_and_every_layout_has_a_file():
    found = {name: [layout.name for layout in matching(content(name))] for name in NAMES}
    assert found == {name: [CASES[name].layout] for name in NAMES}
    keras = Content.of(FIXTURES / "miszkur/pre_trained_encoder.h5")  # held against TensorFlow in test_same_padding.py
    assert [layout.name for layout in matching(keras)] == ["miszkur"]
    elsewhere = {"miszkur", "bolts", *OTHER_KINDS}  # the last in test_other_layouts.py
    assert {layout.name for layout in known_layouts()[0]} == {case.layout for case in CASES.values()} | elsewhere
    corr = Content.of(FIXTURES / "luckmatters/mlp/corr_006_iter30.pth")
    assert [layout.name for layout in matching(corr)] == ["luckmatters"]


WRAPPERS = {
    "module.": lambda key: f"module.{key}",
    "_orig_mod.": lambda key: f"_orig_mod.{key}",
    "both": lambda key: f"module._orig_mod.{key}",
    "both, the other way": lambda key: f"_orig_mod.module.{key}",
    "model.": lambda key: f"model.{key}",
    "learner.": lambda key: f"model.learner._orig_mod.{key}",
    "each part compiled": lambda key: key.replace(".", "._orig_mod.", 1),
}


def wrapped(tree, wrap):
    """Return a file's contents with every state dict's names wrapped."""
    inside = container(tree)
    if inside == "experiment_state":
        return tree
    if inside is not None:
        return {**tree, inside: {wrap(key): value for key, value in tree[inside].items()}}
    if all(isinstance(value, torch.Tensor) for value in tree.values()):
        return {wrap(key): value for key, value in tree.items()}
    networks = re.compile("(network|encoder|predictor)_state_dict$")
    return {key: {wrap(name): value for name, value in entry.items()} if networks.search(key) else entry
            for key, entry in tree.items()}  # fmt: skip


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers_names_make_no_difference(wrapper):
    for name in NAMES:
        plain = content(name)
        if CASES[name].layout in ("luckmatters", "sthalles") and wrapper in ("model.", "learner."):
            continue  # their state dicts lie side by side, not in a module
        tree = wrapped(plain.tree, WRAPPERS[wrapper])
        again = Content(plain.path, tree, weights_of(tree))
        assert [layout.name for layout in matching(again)] == [CASES[name].layout], name
        assert_computes_as_the_run(matching(again)[0].read(again), CASES[name])


@pytest.mark.parametrize("container", ["state_dict", "model", "model_state_dict"])
def test_containers_make_no_difference(container):
    plain = content("byol-pytorch")
    tree = {"epoch": 3, container: dict(plain.tree)}
    again = Content(plain.path, tree, weights_of(tree))
    assert again.weights.keys() == plain.weights.keys()
    assert matching(again)[0].read(again).epoch == 3


def test_names_that_would_become_one_stay_apart():
    found = unwrapped({"model.a": torch.ones(1), "a": torch.zeros(1), "module.b": torch.ones(1)})
    assert set(found) == {"model.a", "a", "b"}


WITHOUT_A_TWIN = {  # a Linear works without its bias, and nothing else in the file says that it had one
    "lindyn mlp": {"prediction_head.layers.3.bias"},
    "lindyn simsiam": {"prediction_head.layers.3.bias"},
    "lightly benchmarks": {"prediction_head.layers.3.bias"},
    "lightly examples, its own code": {"prediction_head.layers.3.bias"},
    "solo-learn": {"predictor.0.bias", "predictor.3.bias"},
    "solo-learn old": {"predictor.0.bias", "predictor.3.bias"},
    "solo-learn simsiam": {"projector.6.bias", "predictor.3.bias"},
    "simsiam": {"encoder.fc.6.bias", "predictor.3.bias"},
    "luckmatters mlp": {"predictor_state_dict.layers.0.bias", "predictor_state_dict.layers.3.bias"},
    "luckmatters input BN": {"predictor_state_dict.layers.1.bias", "predictor_state_dict.layers.4.bias"},
    "mmpretrain": {"head.predictor.fc0.bias", "head.predictor.fc1.bias"},
    "stable-pretraining": {"predictor.3.bias"},
    "byol-pytorch": {"online_predictor.0.bias", "online_predictor.3.bias"},
    "deepmind": {f"{side}_params.{head}/linear.b" for side, head in
                 (("online", "projector"), ("online", "predictor"), ("target", "projector"))},
}  # fmt: skip
WHOLE = {  # the only tensor of a predictor: then there is none
    "lightly safetensors": {"prediction_head.layers.0.weight"},
    "luckmatters linear": {"predictor_state_dict.layers.0.weight"},
    "implicit-var-reg": {"C"},  # then it is a plain solo-learn file
}
UNUSED = re.compile(
    r"num_batches_tracked$|classifier|^net\.|encoder_state_dict|opt_state|initial_conv|~/\w+\.(hidden|counter)|\.steps$"
    r"|target_(params|state)\.predictor|^s$|^(rng|step)$|optimizer|head\.(F_hat|waiting|counters|tally)"
)


@pytest.mark.parametrize("name", NAMES)
def test_one_missing_key_is_named(name):
    """Every tensor in turn: taken away, one sentence names it, except where a network works without it."""
    whole, passed = content(name), set()
    for key in [key for key in whole.weights if not UNUSED.search(key)]:
        part = replace(whole, weights={name: value for name, value in whole.weights.items() if name != key})
        try:
            for layout in matching(part):
                check_fit(layout.read(part))
            passed.add(key)
        except ValueError as error:
            assert key in str(error) and "missing" in str(error) and "\n" not in str(error), (key, str(error))
    assert passed == WITHOUT_A_TWIN.get(name, set()) | WHOLE.get(name, set())


def test_a_missing_predictor_is_a_note():
    whole = content("lightly benchmarks")
    part = replace(whole, weights={k: v for k, v in whole.weights.items() if "prediction" not in k})
    pieces = matching(part)[0].read(part)
    assert pieces.predictor is None and pieces.projector is not None
    assert any(note.startswith("This file holds no predictor: without it the laws about W_p") for note in pieces.notes)


def test_a_run_of_lindyn_says_itself_that_it_had_a_predictor():
    whole = content("lindyn linear")
    part = replace(whole, weights={k: v for k, v in whole.weights.items() if "prediction" not in k})
    with pytest.raises(
        ValueError, match=r"prediction_head\.layers\.0\.weight is missing: .* model\.predictor='linear'"
    ):
        matching(part)[0].read(part)


def test_lindyns_own_predictors_carry_F():
    pieces = read("lindyn direct_pred")
    layer = original("direct_pred").prediction_head
    assert torch.equal(pieces.F, layer.F_hat) and torch.equal(pieces.predictor[0].weight, layer.W_p)
    assert read("lindyn mlp").F is None


def test_the_predictor_of_implicit_var_reg_is_made_from_C():
    """Against lindyn's own closed-form layer, which made W_p by `lindyn.predictors` in the run."""
    pieces = read("implicit-var-reg")
    layer = original("implicit_var_reg").prediction_head
    assert torch.equal(pieces.F, layer.F_hat)
    assert_close(pieces.predictor[0].weight, layer.W_p)


def test_without_its_rule_implicit_var_reg_has_no_predictor(tmp_path):
    shutil.copy(CASES["implicit-var-reg"].path, tmp_path / "a.ckpt")
    pieces = read_checkpoint(tmp_path / "a.ckpt")
    assert pieces.predictor is None and pieces.F is not None
    assert any("the rule's parameters (method_kwargs.dp_alpha in args.json) are not there" in n for n in pieces.notes)
    assert any(note.startswith("There is no args.json beside the checkpoint") for note in pieces.notes)
    (tmp_path / "args.json").write_text("{broken")
    assert any(
        "args.json beside the checkpoint is no JSON" in note for note in read_checkpoint(tmp_path / "a.ckpt").notes
    )


def test_F_of_luckmatters_is_that_of_its_projections_average_or_sum(tmp_path):
    with torch.no_grad():
        run = original("mlp")
        z = run.projection_head(run(images()))
    F = z.T @ z / len(z)
    pieces = read("luckmatters mlp")
    assert_close(pieces.F, F)
    assert (pieces.epoch, pieces.step) == (6, 30) and "F was read from corr_006_iter30.pth beside it." in pieces.notes
    shutil.copy(CASES["luckmatters mlp"].path, tmp_path / "model_006.pth")
    assert read_checkpoint(tmp_path / "model_006.pth").F is None
    corr = torch.load(FIXTURES / "luckmatters/mlp/corr_006_iter30.pth", weights_only=True)
    summed = {key: 30 * value if isinstance(value, torch.Tensor) else value for key, value in corr.items()}
    torch.save(summed, tmp_path / "corr_006_iter30.pth")
    pieces = read_checkpoint(tmp_path / "model_006.pth")
    assert_close(pieces.F, F)
    assert any("cumulated_corr is a sum" in note and "divided by 30" in note for note in pieces.notes)
    alone = read_checkpoint(FIXTURES / "luckmatters/mlp/corr_006_iter30.pth")
    assert_close(alone.F, F)
    assert alone.predictor is None and "holds F only" in alone.notes[0]


SGD = {"optim.name": "sgd", "optim.lr": 0.05, "optim.momentum": 0.9, "optim.weight_decay": 1e-3}
SOLO = SGD | {"optim.alpha_p": 1.0, "optim.schedule": "cosine", "method.ema": 0.99, "method.ema_schedule": "cosine",
              "method.target": "ema", "method.loss": "cosine", "method.sides": "symmetrised", "optim.batch": 240,
              "run.epochs": 6}  # fmt: skip
SETTINGS = {
    "lindyn linear": SGD | {"optim.alpha_p": 2.0, "method.ema": 0.99, "method.loss": "cosine", "data.name": "digits",
                            "optim.predictor_weight_decay": 1e-3, "method.sides": "symmetrised", "optim.batch": 240},
    "lindyn simsiam": SGD | {"method.target": "online", "method.loss": "negative-cosine"},
    "lightly benchmarks": SGD | {"optim.alpha_p": 1.0, "optim.predictor_weight_decay": 1e-3, "method.target": "ema"},
    "lightly examples, its own code": SGD | {"optim.alpha_p": 1.0},
    "solo-learn": SOLO,
    "solo-learn old": SOLO,
    "solo-learn simsiam": SGD | {"method.target": "online", "method.loss": "negative-cosine",
                                 "method.sides": "averaged", "optim.predictor_schedule": "constant"},
    "implicit-var-reg": SGD | {"method.ema": 0.99, "method.loss": "cosine", "method.sides": "symmetrised"},
    "simsiam": SGD | {"method.target": "online", "method.loss": "negative-cosine", "method.sides": "averaged",
                      "optim.predictor_schedule": "constant", "optim.schedule": "cosine", "optim.alpha_p": 1.0},
    "luckmatters mlp": SGD | {"optim.alpha_p": 1.0, "method.sides": "symmetrised", "method.target": "ema"},
    "luckmatters linear": SGD | {"optim.alpha_p": 2.0, "optim.predictor_weight_decay": 1e-3},
    "mmpretrain": SGD | {"method.ema": 0.99, "method.ema_schedule": "cosine", "method.target": "ema",
                         "optim.alpha_p": 1.0},
    "stable-pretraining": SGD | {"method.target": "ema", "optim.alpha_p": 1.0},
    "byol-pytorch": {"method.loss": "cosine", "method.sides": "symmetrised", "method.target": "ema"},
    "deepmind": {"method.loss": "cosine", "method.ema_schedule": "cosine", "optim.name": "lars"},
    "sthalles": SGD | {"method.ema": 0.99, "method.loss": "cosine", "optim.batch": 240},
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_that_are_stored_are_read(name):
    known = read(name).settings
    assert {key: known.get(key) for key in SETTINGS[name]} == pytest.approx(SETTINGS[name])
    assert all(known.sources[key] for key in known.values)


def test_settings_say_where_they_stand():
    sources = read("solo-learn").settings.sources
    assert sources["optim.lr"] == "args.json" and sources["method.loss"] == "solo-learn's code"
    assert read("sthalles").settings.sources["method.ema"] == "config.yaml"
    assert read("lindyn mlp").settings.sources["optim.lr"] == "the checkpoint"


def test_a_learning_rate_that_was_scaled_is_the_one_that_acted():
    whole = content("lindyn mlp")
    text = whole.tree["lindyn"]["config"].replace("scale_lr = false", "scale_lr = true")
    scaled = replace(whole, tree={**whole.tree, "lindyn": {"config": text}})
    assert matching(scaled)[0].read(scaled).settings.get("optim.lr") == pytest.approx(0.05 * 240 / 256)


@pytest.mark.parametrize(("text", "gamma"), [("base_momentum=0.004,", 0.996), ("base_momentum = 1e-2", 0.99),
                                             ("base_momentum=0.996", 0.996), ("momentum=0.9", None)])  # fmt: skip
def test_momentum_of_mmpretrain_is_one_minus_the_rate_and_the_rate_in_mmselfsup(text, gamma):
    assert mmpretrain.rate(f"model = dict({text})") == (None if gamma is None else pytest.approx(gamma))


def test_simsiam_without_a_fixed_rate_knows_no_peak():
    whole = content("simsiam")
    groups = [{"lr": 0.012, "momentum": 0.9, "weight_decay": 1e-4, "fix_lr": False}]
    part = replace(whole, tree={**whole.tree, "optimizer": {"param_groups": groups}})
    pieces = matching(part)[0].read(part)
    assert "optim.lr" not in pieces.settings.values and pieces.settings.get("optim.weight_decay") == 1e-4
    assert any("Only the learning rate of this epoch is stored (0.012)" in note for note in pieces.notes)


@pytest.mark.parametrize(
    ("name", "step", "epoch"),
    [("lindyn mlp", 30, 5), ("lightly benchmarks", 30, 5), ("simsiam", None, 6), ("mmpretrain", 30, 6),
     ("luckmatters linear", 30, 6), ("deepmind", 30, None), ("solo-learn", 30, 5), ("sthalles", None, None)],
)  # fmt: skip
def test_step_and_epoch(name, step, epoch):
    pieces = read(name)
    assert (pieces.step, pieces.epoch) == (step, epoch)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sthalles", "The layout of sthalles/PyTorch-BYOL never saves the predictor: without it the laws about W_p"),
        (
            "byol-pytorch's trainer",
            "holds a backbone only, neither projector nor predictor nor target: collapse measures",
        ),
        ("deepmind", "a ResNet of 1 + 1 + 1 + 1 basic blocks of width 4, by its tensors. Its strided layers pad as in"),
        ("simsiam", "SimSiam has no target network: tau = 1."),
        ("solo-learn simsiam", "SimSiam has no target network: tau = 1."),
        ("implicit-var-reg", "The predictor was made from C by the rule in args.json"),
        ("luckmatters input BN", "There is no corr_*.pth of this epoch beside it, so F comes from features alone."),
        ("byol-pytorch", "byol-pytorch saves no settings: give optim.lr, optim.weight_decay and method.ema"),
    ],
)
def test_notes_on_what_a_layout_does_not_save(name, text):
    assert any(text in note for note in read(name).notes)


def test_the_former_place_of_the_readers_warns_and_gives_them():
    from lindyn.bridge.validation import layouts

    with pytest.warns(DeprecationWarning, match="is now lindyn.bridge.checkpoints.read_checkpoint"):
        assert layouts.read_checkpoint is read_checkpoint
    with pytest.raises(AttributeError, match="no_such"):
        layouts.no_such
