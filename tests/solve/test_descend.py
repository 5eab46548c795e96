"""descend: the finite steps of training, on the population loss and on minibatches."""

import jax
import numpy as np
import pytest
import torch

import lindyn as ld
from lindyn.equations import loss
from lindyn.sampling import GaussianViews, RecordedViews
from tests.helpers import ABLATIONS, block_difference, moments, relative, rng, start, weights, words

HP = ld.Hyperparameters(alpha_p=1.7, beta=0.8, eta_p=0.09, eta_s=0.04)


@pytest.mark.parametrize("choices", ABLATIONS, ids=words)
def test_steps_written_out(choices):
    """v <- m v + rate; theta <- theta + lr v; W_a <- gamma_a W_a + (1 - gamma_a) W with W already stepped."""
    lr, m, steps = 0.05, 0.6, 25
    flow = ld.WeightFlow(HP, moments(1), **choices)
    y = start(flow, 2)
    run = ld.descend(flow, y, learning_rate=lr, momentum=m, steps=steps, save_every=10)
    gamma = 1 - lr / (1 - m) * {"ema": 0.8, "online": 0.0, "frozen": 0.0}[choices["target"]]
    W, W_p, W_a, v, v_p = y.W, y.W_p, y.W_a, 0.0, 0.0
    for _ in range(steps):
        rate = flow(0.0, ld.WeightState(W, W_p, W_a))
        v, v_p = m * v + rate.W, m * v_p + rate.W_p
        W, W_p = W + lr * v, W_p + lr * v_p
        W_a = W if choices["target"] == "online" else gamma * W_a + (1 - gamma) * W
    assert block_difference(run.final, ld.WeightState(W, W_p, W_a)) < 1e-12
    np.testing.assert_allclose(run.ts, lr / (1 - m) * np.array([0, 10, 20, 25]), rtol=1e-14)
    assert run.stats == {"steps": 25} and run.status == f"reached the end, t = {run.ts[-1]:.6g}"


def test_torch_sgd_takes_the_same_steps():
    """A linear BYOL in torch: SGD with momentum and decay, the predictor at its own rate, the EMA after the step."""
    lr, lr_p, m, decay, gamma, steps = 0.03, 0.06, 0.5, 0.02, 0.97, 30
    data, y = moments(3), weights(3)
    hp = ld.Hyperparameters.from_training(lr, gamma, decay, lr_p, momentum=m, decay="sgd")
    run = ld.descend(ld.WeightFlow(hp, data), y, learning_rate=lr, momentum=m, steps=steps)
    W, W_p = (torch.tensor(M, requires_grad=True) for M in (y.W, y.W_p))
    W_a, X, X_aug = torch.tensor(y.W_a), torch.tensor(data.X), torch.tensor(data.X_aug)
    groups = [{"params": [W]}, {"params": [W_p], "lr": lr_p}]
    sgd = torch.optim.SGD(groups, lr=lr, momentum=m, weight_decay=decay)
    for _ in range(steps):
        sgd.zero_grad()
        loss.loss(W, W_p, W_a, X, X_aug).backward()
        sgd.step()
        W_a = gamma * W_a + (1 - gamma) * W.detach()
    found = ld.WeightState(W.detach().numpy(), W_p.detach().numpy(), W_a.numpy())
    assert block_difference(run.final, found) < 1e-12


def test_modes_descend_as_their_weights_do():
    hp = ld.Hyperparameters(1.7, 0.8, 0.05)
    modes = ld.ModeWeightState([0.4, 0.9], [0.5, 0.2], [0.3, 0.8])
    small = ld.descend(ld.ModeWeightFlow(hp, x=np.array([1.0, 0.6]), x_aug=0.3), modes, steps=50, momentum=0.5)
    data = ld.Moments(np.diag([1.0, 0.6]), 0.3 * np.eye(2))
    y0 = ld.conversions.modes_to_weights(modes).state
    full = ld.descend(ld.WeightFlow(hp, data), y0, steps=50, momentum=0.5)
    np.testing.assert_allclose(small.final.w, np.diag(full.final.W), rtol=1e-12)
    np.testing.assert_allclose(small.final.p, np.diag(full.final.W_p), rtol=1e-12)
    np.testing.assert_allclose(small.final.a, np.diag(full.final.W_a), rtol=1e-12)


@pytest.mark.parametrize("choices", [ABLATIONS[0], ABLATIONS[6]], ids=words)
def test_minibatches_descend_the_population_loss_on_average(choices):
    """The mean over runs tends to the population's path; the spread falls with the batch."""
    flow, spreads = ld.WeightFlow(HP, moments(4), **choices), []
    y0 = start(flow, 4)
    population = ld.descend(flow, y0, learning_rate=0.01, steps=60).final.W
    for batch in (8, 512):
        runs = np.array(
            [ld.descend(flow, y0, learning_rate=0.01, steps=60, batch=batch, seed=s).final.W for s in range(12)]
        )
        spreads.append(np.mean(np.var(runs, axis=0)))
        standard_error = np.sqrt(spreads[-1] / 12)
        assert np.sqrt(np.mean((runs.mean(axis=0) - population) ** 2)) < 4 * standard_error + 0.01
    assert 0.4 < spreads[0] / spreads[1] / 64 < 2.5


def test_minibatches_are_seeded_and_whole_batches_are_the_population():
    flow, y0 = ld.WeightFlow(HP, moments(5)), weights(5)
    one, again, other = (ld.descend(flow, y0, steps=20, batch=16, seed=s).final.W for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert relative(other, one) > 1e-6
    whole = ld.descend(flow, y0, steps=20).final.W
    huge = ld.descend(flow, y0, steps=20, batch=50_000, seed=3).final.W
    assert relative(huge, whole) < 5e-3


def test_recorded_views_are_drawn_as_pairs():
    """One recorded pair: every minibatch is that pair, and X = sym(v2 v1^T) is not what the branches see."""
    v1, v2 = rng(6).normal(size=(2, 1, 4))
    views = RecordedViews(v1, v2)
    flow, y0 = ld.WeightFlow(HP, ld.Moments.from_views(np.tile(v1, (2, 1)), np.tile(v2, (2, 1)))), weights(6)
    run = ld.descend(flow, y0, learning_rate=0.02, steps=1, batch=5, samples=views)
    residual = y0.W_a @ v2.T - y0.W_p @ y0.W @ v1.T
    W = y0.W + 0.02 * (y0.W_p.T @ residual @ v1 - HP.eta_s * y0.W)
    assert relative(run.final.W, W) < 1e-13


def test_gaussian_views_have_the_moments_they_were_made_of():
    data = moments(7)
    with jax.enable_x64(True):
        v1, v2 = (np.asarray(v) for v in GaussianViews.of(data).draw(jax.random.key(0), 200_000))
    assert relative(v1 @ v1.T / 200_000, data.Sigma_s) < 0.02
    assert relative(v1 @ v2.T / 200_000, data.X) < 0.02


def test_a_descent_that_blows_up_keeps_what_is_finite():
    flow, y0 = ld.WeightFlow(HP, moments(8)), weights(8)
    run = ld.descend(flow, y0, learning_rate=1.2, steps=400, save_every=1, throw=False)
    assert run.outcome_name == "not_finite" and not run.succeeded
    assert "blew up: not finite past t = " in run.status and "lower the learning rate" in run.status
    assert 2 < len(run) < 400 and np.all(np.isfinite(run.states.W)) and np.max(np.abs(run.final.W)) > 1e10
    assert run.stats["steps"] < 400  # it did not go on
    with pytest.raises(ld.SimulationError, match="blew up") as caught:
        ld.descend(flow, y0, learning_rate=1.2, steps=400, save_every=1)
    assert len(caught.value.trajectory) == len(run)


def test_default_saves_about_200_states_and_reports_progress():
    done = []
    run = ld.descend(ld.WeightFlow(HP, moments(9)), weights(9), steps=1000, progress=done.append)
    assert len(run) == 201 and run.ts[-1] == pytest.approx(10.0) and done[-1] == 1000


BAD = {
    "momentum": ({"momentum": 1.0}, "momentum must be below 1; got 1."),
    "negative momentum": ({"momentum": -0.1}, "momentum must be finite and >= 0; got -0.1"),
    "learning rate": ({"learning_rate": 0.0}, "learning_rate must be finite and > 0; got 0"),
    "steps": ({"steps": 0}, "steps must be a whole number >= 1; got 0"),
    "fraction of a step": ({"steps": 1.5}, "steps must be a whole number >= 1; got 1.5"),
    "EMA": ({"learning_rate": 0.7, "momentum": 0.5}, "beta must be at most 1 (it is 1 - gamma_a); got 1.12"),
    "batch": ({"batch": 0}, "batch must be a whole number >= 1; got 0"),
    "samples alone": ({"samples": 1}, "samples were given without batch"),
    "width": ({"batch": 2, "samples": RecordedViews(np.ones((3, 2)), np.ones((3, 2)))}, "must have n1 = 4 columns"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case):
    arguments, text = BAD[case]
    with pytest.raises(ValueError) as caught:
        ld.descend(ld.WeightFlow(HP, moments(1)), weights(1), **arguments)
    assert text in str(caught.value)


def test_flows_that_cannot_be_descended():
    with pytest.raises(ValueError, match="descend trains weights: give a WeightFlow or ModeWeightFlow; got ModeFlow"):
        ld.descend(ld.ModeFlow(HP), ld.ModeState(0.1, 0.1))
    with pytest.raises(ValueError, match="Minibatches need a WeightFlow; got ModeWeightFlow"):
        ld.descend(ld.ModeWeightFlow(HP), ld.ModeWeightState(0.1, 0.1), batch=3)
    with pytest.raises(ValueError, match="v2 must have shape"):
        RecordedViews(np.ones((3, 2)), np.ones((2, 2)))
