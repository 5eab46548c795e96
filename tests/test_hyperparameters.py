"""The rates of the flow, and where they come from in training."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import lindyn as ld
from lindyn._options import FLOW_TIME
from lindyn.equations import loss
from lindyn.plotting import style


def test_defaults_are_those_of_figure_5():
    hp = ld.Hyperparameters()
    same = ld.Hyperparameters.from_training(learning_rate=0.01, gamma_a=0.996, weight_decay=4e-4)
    for name in ("alpha_p", "beta", "eta_p", "eta_s"):
        assert getattr(hp, name) == pytest.approx(getattr(same, name), rel=1e-12)


def test_separate_decays_override_the_common_one():
    hp = ld.Hyperparameters(eta=0.1, eta_p=0.3)
    assert (hp.eta_p, hp.eta_s) == (0.3, 0.1) and not hp.equal_decays
    with pytest.raises(ValueError, match=r"eta is defined only for equal decays; got eta_p=0\.3, eta_s=0\.1\."):
        _ = hp.eta


def test_momentum_lengthens_the_step():
    plain = ld.Hyperparameters.from_training(0.1, 0.99, 1e-3)
    heavy = ld.Hyperparameters.from_training(0.01, 0.99, 1e-3, momentum=0.9)
    assert heavy.beta == pytest.approx(plain.beta) and heavy.eta == pytest.approx(plain.eta)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_decay_is_that_of_torch(momentum):
    """torch.optim.SGD on both networks, small steps, against the flow with the rates of `from_training`."""
    rng = np.random.default_rng(0)
    X, X_aug = np.diag([1.0, 0.6, 0.3]), 0.1 * np.eye(3)
    W0, Wp0 = rng.normal(size=(2, 3)), rng.normal(size=(2, 2))
    lr, decay, ratio, t1 = 2e-4 * (1 - momentum), 0.3, 2.5, 1.0
    W, W_p = (torch.tensor(M, requires_grad=True) for M in (W0, Wp0))
    groups = [{"params": [W], "lr": lr}, {"params": [W_p], "lr": ratio * lr}]
    optimiser = torch.optim.SGD(groups, lr=lr, momentum=momentum, weight_decay=decay)
    tX, tXa = torch.tensor(X), torch.tensor(X_aug)
    for _ in range(round(t1 * (1 - momentum) / lr)):
        optimiser.zero_grad()
        loss.loss(W, W_p, W.detach(), tX, tXa).backward()
        optimiser.step()
    hp = ld.Hyperparameters.from_training(lr, 0.996, decay, ratio * lr, momentum=momentum, decay="sgd")
    assert hp.eta_s == pytest.approx(decay) and hp.eta_p == pytest.approx(ratio * decay)
    flow = ld.WeightFlow(hp, ld.Moments(X, X_aug), target="online")
    end = ld.simulate(flow, ld.WeightState(W0, Wp0), ts=[0.0, t1], engine="scipy").final
    np.testing.assert_allclose(W.detach().numpy(), end.W, atol=6e-3)
    np.testing.assert_allclose(W_p.detach().numpy(), end.W_p, atol=6e-3)


BAD = [
    ({"alpha_p": -1}, r"alpha_p must be finite and >= 0; got -1\."),
    ({"beta": np.nan}, r"beta must be finite and >= 0; got nan\."),
    ({"eta": np.inf}, r"eta must be finite and >= 0; got inf\."),
    ({"eta_p": -0.1}, r"eta_p must be finite and >= 0; got -0\.1\."),
    ({"eta_s": "much"}, r"eta_s must be a number; got 'much'\."),
]


@pytest.mark.parametrize(("given", "text"), BAD)
def test_bad_rates(given, text):
    with pytest.raises(ValueError, match=text):
        ld.Hyperparameters(**given)


BAD_TRAINING = [
    ({"learning_rate": 0.0}, r"learning_rate must be finite and > 0; got 0\."),
    ({"learning_rate": 0.1, "gamma_a": 1.2}, r"gamma_a must be between 0 and 1; got 1\.2\."),
    ({"learning_rate": 0.1, "momentum": 1.0}, r"momentum must be below 1; got 1\."),
    ({"learning_rate": 0.1, "weight_decay": -1e-4}, r"weight_decay must be finite and >= 0"),
    ({"learning_rate": 0.1, "decay": "sgdd"}, r"decay must be one of .* got 'sgdd'\. Did you mean 'sgd'\?"),
]


@pytest.mark.parametrize(("given", "text"), BAD_TRAINING)
def test_bad_training_settings(given, text):
    with pytest.raises(ValueError, match=text):
        ld.Hyperparameters.from_training(**given)


def test_rates_are_leaves_of_a_pytree():
    leaves, structure = jax.tree.flatten(ld.Hyperparameters(1.0, 2.0, 3.0))
    assert leaves == [1.0, 2.0, 3.0, 3.0]
    assert jax.tree.unflatten(structure, leaves).beta == 2.0
    assert jax.grad(lambda hp: hp.alpha_p * hp.beta)(ld.Hyperparameters(jnp.float32(2.0), 5.0, 0.0)).alpha_p == 5.0


def test_a_step_of_flow_time_has_one_meaning():
    """Wherever time is explained the momentum is in it; the axis, the files and the step are the same formula."""
    assert ld.hyperparameters.flow_step(0.05, 0.9) == pytest.approx(0.5)
    for path in Path(ld.__file__).parent.rglob("*.py"):
        for said in re.finditer(r"learning rate (?:x|×) steps(.{0,20})", path.read_text(), re.DOTALL):
            assert re.sub(r"\s+", " ", said[1]).startswith((" / (1 - momentum)", " / (1 − momentum)")), path
    plain = style.TIME.replace("×", "x").replace("−", "-")
    assert FLOW_TIME in plain and f"flow time = {FLOW_TIME}" == ld.sweep(eta=[0.0, 0.1], t1=1.0).attrs["time"]


@pytest.mark.parametrize("value", ["1", b"1", True, np.True_, None, [1.0, 2.0]])
def test_a_rate_is_a_number_and_no_text(value):
    with pytest.raises(ValueError, match="alpha_p must be a number; got"):
        ld.Hyperparameters(alpha_p=value)
    with pytest.raises(ValueError, match="must be a numeric array; got"):
        ld.ModeState(["0.1"], 0.2, 1.0)
