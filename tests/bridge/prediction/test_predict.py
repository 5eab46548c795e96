"""A prediction is the run itself where the theory is exact; what cannot be predicted is one sentence."""

import ast
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from lindyn import statistics
from lindyn.bridge import TrainConfig, predict
from lindyn.bridge.prediction import prediction_text, training_prediction
from lindyn.bridge.run import normalised_theory as theory
from tests.bridge.prediction.networks import Named, linear_stack, trained, views

KEYS = {
    "method.loss": "l2", "method.sides": "symmetrised", "optim.lr": 0.02, "optim.momentum": 0.8,
    "optim.weight_decay": 0.03, "optim.alpha_p": 2.0, "optim.batch": 96, "method.ema": 0.9,
}  # fmt: skip
STEPS = 60
CASES = {
    "ema": {},
    "ema that slows down": {"method.ema_schedule": "cosine"},
    "constant rate": {"optim.schedule": "constant"},
    "no target": {"method.target": "online"},
    "own decay of the predictor": {"optim.predictor_weight_decay": 0.1},
    "one side": {"method.sides": "averaged"},
}


@pytest.mark.parametrize("name", CASES)
def test_full_batches_of_the_squared_distance_are_predicted_exactly(name):
    keys = {**KEYS, **CASES[name]}
    pair = views()
    module = Named(linear_stack(), linear_stack((4, 4), seed=2))
    told = predict(module, pair, {**keys, "run.steps": STEPS}, readings=6)
    real = trained(module, pair, keys, STEPS, set(told.path.steps.tolist()))
    for k, step in enumerate(told.path.steps):
        s = np.linalg.eigvalsh(real[int(step)])[::-1]
        np.testing.assert_allclose(told.path.spectrum[k], s, rtol=1e-6, atol=1e-9 * s[0])
        assert told.path.effective_rank[k] == pytest.approx(float(statistics.entropy_rank(np.maximum(s, 0))), rel=1e-6)
    assert not np.allclose(told.path.spectrum[0], told.path.spectrum[-1], rtol=0.05)


def test_the_module_is_left_as_it_was():
    module = Named(linear_stack(), linear_stack((4, 4))).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    predict(module, views(), {**KEYS, "run.steps": 3})
    assert not module.training and all(torch.equal(before[name], value) for name, value in module.state_dict().items())


DIGITS = {"data.name": "digits", "data.size": 8, "model.width": 4, "model.hidden": 16, "model.dim": 8, "run.epochs": 2,
          "optim.batch": 256}  # fmt: skip


def test_a_default_needs_no_argument_and_says_what_it_leaves_out():
    told = predict(**{key.replace(".", "__"): value for key, value in DIGITS.items()})
    assert told.path.steps[0] == 0 and told.path.spectrum.shape[1] == 8 and told.path.finite
    assert np.all(np.diff(told.path.steps) > 0) and told.path.trace == pytest.approx(8.0, rel=1e-3)
    assert told.by == "surrogate" and told.as_json()["by"] == "surrogate"
    assert told.left_out[0] == "the training of what stands before the last convolution"
    assert told.directions == 8 and 1 <= told.live <= 8 and told.word in ("none", "partial", "complete")
    assert told.collapsed is theory.collapsed(told.path.effective_rank[-1])
    assert (
        told.sure in ("likely", "possible", "a guess")
        and "of this kind (linear predictor, EMA, decay)" in told.record.text
    )
    linear = told.linear
    np.testing.assert_array_equal(linear.steps, told.path.steps)
    shown = prediction_text.screen(told)
    assert (
        f"The linear theory, without activations and minibatches, says effective rank {linear.effective_rank[-1]:.2f}"
        in shown
    )


def test_the_linear_theory_alone_says_what_it_leaves_out():
    told = predict(TrainConfig.of(DIGITS), surrogate=False)
    assert told.by == "normalised" and told.linear is None and told.as_json()["linear"] is None
    assert any("ReLU" in words for words in told.left_out) and any("BatchNorm" in words for words in told.left_out)
    assert "linear theory" not in prediction_text.screen(told)


def test_an_angle_per_step_is_that_of_the_weights():
    told = predict(Named(linear_stack(), linear_stack((4, 4))), views(),
                   {**KEYS, "optim.schedule": "constant", "run.steps": STEPS})  # fmt: skip
    law = math.sqrt(2 * 0.02 * 2 * (0.03 / 2) / 1.8)
    assert told.path.angle_law == pytest.approx(law) and np.all(told.path.angle[:-1] > 0)
    assert math.isnan(told.path.angle[-1]) and told.path.steps[-1] == STEPS


def test_a_collapse_is_told_by_what_is_gone():
    module, pair = Named(linear_stack(), linear_stack((4, 4))), views()
    heavy = predict(module, pair, {**KEYS, "optim.lr": 0.05, "optim.weight_decay": 1.0, "run.steps": 400})
    assert heavy.collapse == "scale" and heavy.collapsed and heavy.path.trace[-1] < 1e-6 * heavy.path.trace[0]
    light = predict(module, pair, {**KEYS, "optim.weight_decay": 1e-4, "run.steps": 40})
    assert light.collapse in ("none", "direction")


def test_the_same_prediction_has_the_same_digest_and_another_one_another():
    module, pair, settings = Named(linear_stack(), linear_stack((4, 4))), views(), {**KEYS, "run.steps": 5}
    first, again = (predict(module, pair, settings).as_json() for _ in range(2))
    other = predict(module, pair, {**settings, "optim.lr": 0.021}).as_json()
    assert first["sha256"] == again["sha256"] == training_prediction.digest(first) != other["sha256"]
    first["effective_rank"][-1] += 1e-6
    assert training_prediction.digest(first) != again["sha256"]


def test_names_of_other_libraries_and_a_momentum_branch_are_read():
    module = Named(nn.Identity(), linear_stack((4, 4)))
    module.projector = module.projection_head = linear_stack()
    del module.projection_head
    module.projector_momentum, module.backbone_momentum = linear_stack(seed=9), nn.Flatten()
    told = predict(module, views(), {**KEYS, "run.steps": 2})
    plain = predict(Named(linear_stack(), linear_stack((4, 4))), views(), {**KEYS, "run.steps": 2})
    np.testing.assert_allclose(told.path.spectrum[0], plain.path.spectrum[0])
    assert not np.allclose(told.path.spectrum[-1], plain.path.spectrum[-1], rtol=1e-6)  # another target


@pytest.mark.parametrize(
    ("projector", "words"),
    [
        (nn.Sequential(nn.Linear(9, 4), nn.LayerNorm(4)), "LayerNorm, a norm that the theory does not treat"),
        (nn.Sequential(nn.Conv1d(1, 1, 1)), "ends in linear layers, BatchNorm last or not; got Conv1d"),
    ],
)
def test_a_network_without_a_linear_end_is_one_sentence(projector, words):
    with pytest.raises(ValueError, match=words):
        predict(Named(projector.double(), linear_stack((4, 4))), views(), {**KEYS, "run.steps": 2})


def test_what_cannot_be_predicted_is_one_sentence():
    module, pair = Named(linear_stack(), linear_stack((4, 4))), views()
    settings = {**KEYS, "run.steps": 2}
    with pytest.raises(ValueError, match=r"optim\.name='lars'\. Use sgd"):
        predict(module, pair, {**settings, "optim.name": "lars"})
    with pytest.raises(ValueError, match=r"a batch of 2 or more; got optim\.batch=1"):
        predict(module, pair, {**settings, "optim.batch": 1})
    with pytest.raises(ValueError, match="views must pair: two of the same images; got 96 and 95"):
        predict(module, (pair[0], pair[1][1:]), settings)
    with pytest.raises(ValueError, match="views must hold 2 images or more"):
        predict(module, (pair[0][:1], pair[1][:1]), settings)
    with pytest.raises(ValueError, match="NaN or infinite"):
        predict(module, (pair[0] * math.nan, pair[1]), settings)
    with pytest.raises(ValueError, match="views must be two tensors of views of the same images"):
        predict(module, None, settings)
    with pytest.raises(ValueError, match="config must be a TrainConfig, a TOML file or a torch module; got int"):
        predict(3)
    with pytest.raises(ValueError, match="views and settings belong to a module"):
        predict(TrainConfig.of({}), pair)
    with pytest.raises(ValueError, match=r"run\.steps must be at least 1; got 0"):
        predict(module, pair, {**settings, "run.steps": 0})
    with pytest.raises(ValueError, match=r"needs a backbone and a projection_head.*got Sequential"):
        predict(nn.Sequential(nn.Linear(3, 3)), pair, settings)
    with pytest.raises(ValueError, match=r"Did you mean 'optim\.lr'"):
        predict(module, pair, {**settings, "optim.lrr": 0.1})


def test_minibatches_settle_at_the_law_of_the_angle():
    told = predict(TrainConfig.of({**DIGITS, "run.epochs": 60, "optim.batch": 128, "optim.weight_decay": 5e-2,
                                   "optim.schedule": "constant"}))  # fmt: skip
    late = told.path.steps > 0.5 * told.path.steps[-1]
    share = np.nanmedian(told.path.angle[late] / told.path.angle_law[late])
    assert 0.5 < share < 1.5  # the population's own gradient is gone by then
    assert np.nanmedian(told.linear.angle[late] / told.linear.angle_law[late]) < 0.5 * share


def test_a_linear_network_is_answered_by_the_linear_theory():
    told = predict(Named(linear_stack(), linear_stack((4, 4))), views(), {**KEYS, "run.steps": 3})
    assert told.by == "normalised" and told.left_out == (theory.BEFORE,)
    bent = nn.Sequential(linear_stack((9, 6)), nn.ReLU(), linear_stack((6, 4))).double()
    assert predict(Named(bent, linear_stack((4, 4))), views(), {**KEYS, "run.steps": 3}).by == "surrogate"


def test_images_that_the_network_does_not_take_and_frozen_networks_are_one_sentence():
    settings, pair = {**KEYS, "run.steps": 2}, views()
    bent = Named(nn.Sequential(nn.Linear(9, 6), nn.ReLU(), nn.Linear(6, 4)).double(), linear_stack((4, 4)))
    with pytest.raises(ValueError, match=r"views must pair: got \(96, 1, 3, 3\) and \(96, 1, 3, 2\)"):
        predict(bent, (pair[0], pair[1][..., :2]), settings)
    with pytest.raises(ValueError, match=r"images that the network takes; got \(96, 1, 3, 2\) of torch.float64: mat1"):
        predict(bent, tuple(view[..., :2] for view in pair), settings)
    with pytest.raises(ValueError, match="views must be two tensors, or batches of such pairs; got one of str"):
        predict(bent, "abc", settings)
    for weight in bent.parameters():
        weight.requires_grad_(False)
    with pytest.raises(ValueError, match="There is nothing to train: every parameter is frozen"):
        predict(bent, pair, settings)


def test_a_prediction_loads_no_trainer():
    """Lightning alone would be a second or two of the time of the command."""
    script = (
        "import sys; from lindyn.bridge import predict;"
        "told = predict(data__name='digits', data__count=256, run__epochs=1, model__width=4, time_training=True);"
        "assert told.linear is not None and told.training_seconds > 0;"
        "print(sorted(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    loaded = {name.split(".")[0] for name in ast.literal_eval(said.splitlines()[-1])}
    assert "lightly" in loaded and not {"pytorch_lightning", "lightning_fabric", "torchmetrics"} & loaded
