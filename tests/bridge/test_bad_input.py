"""Damaged inputs: one clear sentence, or left out on the device; the state is not harmed."""

import copy

import pytest
import torch

from lindyn import bridge
from tests.bridge.helpers import RULES, TRAINED, Byol, D, W_p_of, batches, optimiser, train

EVERY = {**RULES, **TRAINED}


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (torch.zeros(0, D), r"z must hold samples; got shape \[0, 5\]. Drop the empty batch"),
        (torch.zeros(4, D + 1), r"z must have shape \[batch, 5\]; got \[4, 6\]"),
        (torch.zeros(D), r"z must have shape \[batch, 5\]; got \[5\]"),
        (torch.zeros(4, D, dtype=torch.int64), r"z must be a floating-point tensor \[batch, 5\]; got torch.int64"),
        (torch.zeros(4, D, dtype=torch.complex64), "got torch.complex64"),
        ([[0.0] * D], "got list"),
    ],
)
@pytest.mark.parametrize("name", EVERY)
def test_features_that_do_not_fit(name, z, message):
    layer = EVERY[name](D)
    layer(torch.randn(8, D))
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ValueError, match=message):
        layer(z)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_dim": 0}, "input_dim must be a whole number >= 1; got 0"),
        ({"input_dim": 2.5}, "input_dim must be a whole number >= 1; got 2.5"),
        ({"output_dim": 7}, "output_dim must equal input_dim = 5, as W_p is square; got 7"),
        ({"rho": 1.0}, "rho must be below 1; got 1"),
        ({"rho": -0.1}, "rho must be finite and >= 0"),
        ({"freq": 0}, "freq must be a whole number >= 1; got 0"),
        ({"accumulate": 0}, "accumulate must be a whole number >= 1; got 0"),
        ({"rule": "newton_schultz"}, "Did you mean 'newton_schulz'"),
        ({"rule": "papers"}, "Did you mean 'paper'"),
        ({"epsilon": 0.1}, "Did you mean 'eps'"),
        ({"eps": -1.0}, "eps must be finite and >= 0"),
        ({"c": [0.1, 0.2]}, "c must be a number or hold one entry per mode, 5"),
        ({"rule": "newton_schulz", "update": "call", "trainable": True}, "trainable=True needs update='step'"),
        ({"rule": 3}, "rule or preset must be one of"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        bridge.ClosedFormPredictor(**{"input_dim": D} | arguments)


def test_one_entry_per_mode_fits_the_width():
    layer = bridge.ClosedFormPredictor(D, c=[0.1] * D)
    layer(torch.randn(8, D))
    assert layer.health().healthy


def test_a_named_layer_keeps_to_its_rule():
    assert bridge.DirectPredPredictor(D, rule="luckmatters").recipe.rule.definition.name == "direct_pred"
    with pytest.raises(ValueError, match="rule of a DirectPredPredictor must be 'direct_pred'; got 'neumann'"):
        bridge.DirectPredPredictor(D, rule="neumann")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("name", RULES)
def test_features_that_are_not_finite_are_left_out(name, bad):
    """1e30 is finite, but its square is not."""
    model = Byol(RULES[name](D))
    optimizer = optimiser(model)
    train(model, batches(2), optimizer)
    model.predictor.update()
    W_p, F_hat = W_p_of(model.predictor), model.predictor.F_hat.clone()
    z = torch.randn(8, D)
    z[3, 2] = bad
    for call in (5, 6):
        with pytest.warns(RuntimeWarning, match=rf"training call {call} held NaN or infinite features"):
            model.predictor(z)
    model.predictor.update()
    assert torch.equal(model.predictor.W_p, W_p) and torch.equal(model.predictor.F_hat, F_hat)
    assert model.predictor.health().rejected == 2 and not model.predictor.health().healthy
    train(model, batches(2, seed=1), optimizer)
    assert torch.isfinite(model.predictor.W_p).all() and not torch.equal(model.predictor.W_p, W_p)


def test_a_bad_call_does_not_spoil_the_good_one_of_its_step():
    layer, alone = bridge.LinearRegressionPredictor(D), bridge.LinearRegressionPredictor(D)
    z = torch.randn(8, D)
    for part in (layer, alone):
        part(z), part(z + 1)
        part.update()
        part(z - 1)
    with pytest.warns(RuntimeWarning, match="training call 4"):
        layer(z * float("nan"))
    layer.update(), alone.update()
    assert torch.equal(layer.F_hat, alone.F_hat) and torch.equal(layer.W_p, alone.W_p)
    assert torch.equal(layer.cross_hat, alone.cross_hat)


@pytest.mark.parametrize("name", RULES)
def test_a_bad_first_call_leaves_the_identity_until_there_are_statistics(name):
    layer = RULES[name](D)
    with pytest.warns(RuntimeWarning, match="training call 1"):
        layer(torch.full((8, D), float("nan")))
    with pytest.warns(RuntimeWarning, match="training call 2"):
        layer(torch.full((8, D), float("nan")))
    layer.update()
    assert torch.equal(layer.W_p, torch.eye(D))
    layer(torch.randn(8, D)), layer(torch.randn(8, D))
    layer.update()
    assert torch.isfinite(layer.W_p).all() and not torch.equal(layer.W_p, torch.eye(D))


def test_a_bad_target_leaves_the_last_cross_correlation():
    layer = bridge.ClosedFormPredictor(D, rule="neumann", cross_from="target")
    z = torch.randn(8, D)
    layer(z, torch.full((8, D), float("nan")))
    layer.update()
    assert torch.equal(layer.W_p, torch.eye(D)), "no cross-correlation was ever good"
    layer(z, z)
    layer.update()
    H = layer.cross_hat.clone()
    layer(z, torch.full((8, D), float("inf")))
    layer.update()
    assert torch.equal(layer.cross_hat, H) and torch.isfinite(layer.W_p).all()


def test_a_rule_that_overflows_is_refused_and_counted():
    layer = bridge.VisserPredictor(D, step=0.9, update="step")
    layer(30 * torch.randn(8, D))
    layer.update()
    assert torch.equal(layer.W_p, torch.eye(D))
    assert layer.health().refused == 2 and layer.health().rejected == 0


@pytest.mark.parametrize("name", RULES)
def test_zero_and_rank_deficient_features_are_safe(name):
    for z in (torch.zeros(8, D), torch.ones(8, D), torch.randn(2, D)):
        layer = RULES[name](D)
        layer(z), layer(z)
        layer.update()
        assert torch.isfinite(layer.W_p).all() and layer.health().healthy


def test_attach_without_steps_to_count():
    with pytest.raises(ValueError, match="attach needs update='step'; got update='call'"):
        bridge.NewtonSchulzPredictor(D).attach(optimiser(Byol(bridge.LinearPredictor(D))))


def test_without_torch_the_bridge_says_how_to_install_it(monkeypatch):
    import importlib
    import importlib.util
    import sys

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "lindyn.bridge")
    with pytest.raises(
        ImportError, match=r'lindyn.bridge needs PyTorch; install it with pip install "lindyn\[torch\]"'
    ):
        importlib.import_module("lindyn.bridge")
