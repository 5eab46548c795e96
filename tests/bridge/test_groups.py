"""Optimiser groups: the predictor's rate is alpha_p lr, its decay what the theory calls eta_p."""

import pytest
import torch

import lindyn as ld
from lindyn import bridge
from tests.bridge.helpers import Byol, D


def model(predictor=None):
    return Byol(predictor or bridge.LinearPredictor(D))


def decay_per_flow_time(optimizer, parameter, lr):
    """What one step without a gradient takes away, per unit of flow time lr."""
    before = parameter.detach().clone()
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.zeros_like(p)
    optimizer.step()
    return ((before - parameter.detach()) / (lr * before)).mean().item()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_eta_p_is_the_decay_of_the_flow_whatever_alpha_p(kind):
    byol = model().double()
    groups = bridge.parameter_groups(byol, byol.predictor, lr=1e-2, weight_decay=0.2, alpha_p=5.0, eta_p=0.3)
    optimizer = kind(groups)
    assert decay_per_flow_time(optimizer, byol.predictor.W_p, 1e-2) == pytest.approx(0.3, rel=1e-9)
    assert decay_per_flow_time(optimizer, byol.encoder.weight, 1e-2) == pytest.approx(0.2, rel=1e-9)


def test_without_eta_p_it_is_what_from_training_reads_as_sgd():
    byol = model().double()
    groups = bridge.parameter_groups(byol, byol.predictor, lr=0.01, weight_decay=0.2, alpha_p=5.0)
    hp = ld.Hyperparameters.from_training(0.01, weight_decay=0.2, predictor_learning_rate=0.05, decay="sgd")
    assert hp.alpha_p == pytest.approx(5.0)
    assert groups[1]["lr"] == pytest.approx(0.05)
    got = decay_per_flow_time(torch.optim.SGD(groups), byol.predictor.W_p, 0.01)
    assert got == pytest.approx(hp.eta_p, rel=1e-9)


def test_every_parameter_is_in_one_group_and_frozen_ones_in_none():
    byol = model(bridge.MLPPredictor(D, 7))
    online, predictor = bridge.parameter_groups(byol, byol.predictor, lr=0.1)
    assert [id(p) for p in online["params"]] == [id(byol.encoder.weight)]
    assert {id(p) for p in predictor["params"]} == {id(p) for p in byol.predictor.parameters()}
    assert (online["name"], predictor["name"]) == ("online", "predictor")
    apart = bridge.parameter_groups(byol.encoder, byol.predictor, lr=0.1)
    assert [len(group["params"]) for group in apart] == [1, 5]
    assert byol.predictor.parameter_groups(lr=0.1, alpha_p=2.0)[0]["lr"] == 0.2


def test_a_parameter_free_predictor_has_no_group():
    byol = model(bridge.DirectPredPredictor(D))
    groups = bridge.parameter_groups(byol, byol.predictor, lr=0.1, alpha_p=3.0)
    assert [group["name"] for group in groups] == ["online"]
    torch.optim.SGD(groups)
    assert byol.predictor.parameter_groups(lr=0.1) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lr": -1.0}, "lr must be finite and >= 0"),
        ({"lr": 0.1, "alpha_p": float("nan")}, "alpha_p must be finite"),
        ({"lr": 0.1, "weight_decay": "much"}, "weight_decay must be a number"),
        ({"lr": 0.1, "eta_p": -0.1}, "eta_p must be finite and >= 0"),
        ({"lr": 0.1, "alpha_p": 0.0, "eta_p": 0.1}, "eta_p must be 0 where alpha_p = 0"),
    ],
)
def test_numbers_out_of_range(arguments, message):
    byol = model()
    with pytest.raises(ValueError, match=message):
        bridge.parameter_groups(byol, byol.predictor, **arguments)


def test_what_is_no_module_is_named():
    with pytest.raises(ValueError, match="predictor must be a torch module; got NoneType"):
        bridge.parameter_groups(torch.nn.Linear(2, 2), None, lr=0.1)
