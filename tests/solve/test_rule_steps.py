"""Closed-form rules in finite steps: the order of a step, averages, freq, minibatches, and the flow as their limit."""

import jax
import numpy as np
import pytest

import lindyn as ld
from lindyn.flows import rules
from lindyn.predictors import Recipe
from lindyn.sampling import RecordedViews
from tests.helpers import block_difference, moments, relative, rng, weights

HP = ld.Hyperparameters(alpha_p=1.7, beta=0.8, eta_p=0.09, eta_s=0.04)
RECIPES = {
    "plain": Recipe.of("newton_schulz"),
    "averaged": Recipe.of("linear_regression", rho=0.6, rho_p=0.3, damping=0.1),
    "from zero, each call": Recipe.of("direct_pred", rho=0.7, start="zero", update="call"),
    "from the first, each call": Recipe.of("direct_copy", rho=0.5, update="call"),
    "hybrid": Recipe.of("neumann", rho=0.3, freq=4, ridge=0.1),
    "centred": Recipe.of("stiefel", rho=0.2, centre=True),
}


def written_out(flow, y, recipe, views, lr, m, steps):
    """Forward statistics, averages, optimiser step, W_p, target: as the released DirectPred orders them."""
    gamma = 1 - lr / (1 - m) * flow.hp.beta
    y = rules.complete(flow, y)
    W, W_p, W_a, v, v_p, F, H, count = y.W, y.W_p, y.W_a, 0.0, 0.0, 0.0, 0.0, 0
    for k in range(steps):
        x1, x2 = views[k]
        b = x1.shape[1]
        seen = []
        for one, two in ((x1, x2), (x2, x1)):
            one, two = (u - recipe.centre * u.mean(1, keepdims=True) for u in (one, two))
            seen.append((W @ one @ one.T @ W.T / b, W_a @ two @ one.T @ W.T / b))
        if recipe.update == "step":
            seen = [tuple((a + c) / 2 for a, c in zip(*seen, strict=True))]
        for new_F, new_H in seen:
            rho = 0.0 if count == 0 and recipe.start == "first" else recipe.rho
            F, H, count = rho * F + (1 - rho) * new_F, rho * H + (1 - rho) * new_H, count + 1
        G = (W_a @ x2 - W_p @ W @ x1) @ x1.T / b
        v, v_p = m * v + W_p.T @ G - flow.hp.eta_s * W, m * v_p + flow.hp.alpha_p * G @ W.T - flow.hp.eta_p * W_p
        W = W + lr * v
        W_p = W_p + lr * v_p if recipe.freq > 1 else W_p
        if k % recipe.freq == 0:
            new = recipe.rule((F + F.T) / 2, H if recipe.rule.reads_cross else None)
            W_p = recipe.rho_p * W_p + (1 - recipe.rho_p) * new
        W_a = gamma * W_a + (1 - gamma) * W
    return ld.WeightState(W, W_p, W_a)


@pytest.mark.parametrize("name", RECIPES)
def test_steps_written_out(name):
    lr, m, steps, batch = 0.05, 0.6, 11, 20
    recipe, y = RECIPES[name], weights(1, 3, 4)
    source = RecordedViews(rng(1).normal(size=(60, 4)) + 0.3, rng(2).normal(size=(60, 4)) + 0.3)
    flow = ld.WeightFlow(HP, moments(1), predictor=recipe)
    run = ld.descend(flow, y, learning_rate=lr, momentum=m, steps=steps, batch=batch, samples=source, seed=3)
    key = jax.random.key(3)
    with jax.enable_x64(True):
        views = [tuple(map(np.asarray, source.draw(jax.random.fold_in(key, k), batch))) for k in range(steps)]
    assert block_difference(run.final, written_out(flow, y, recipe, views, lr, m, steps)) < 1e-10


@pytest.mark.parametrize("name", ["averaged", "from zero, each call", "hybrid"])
def test_small_steps_become_the_flow(name):
    """First order in the learning rate at fixed rho, freq and momentum."""
    recipe, y, errors = RECIPES[name], weights(2, 2, 4), []
    flow = ld.WeightFlow(HP, moments(2), predictor=recipe)
    exact = ld.simulate(flow, y, [0.0, 4.0], engine="scipy").final
    rates = (0.01, 0.005, 0.0025)
    for rate in rates:
        run = ld.descend(flow, y, learning_rate=rate, steps=round(4.0 * 0.5 / rate), momentum=0.5)
        errors.append(relative(run.final.W, exact.W))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(rates))
    assert errors[-1] < 0.02 and np.all(np.abs(slopes - 1) < 0.12), (errors, slopes)


def test_large_batches_become_the_population():
    """The spread over seeds falls as one over the batch, and the mean is the population's path."""
    flow, y = ld.WeightFlow(HP, moments(3), predictor=RECIPES["averaged"]), weights(3, 3, 4)
    population, spreads = ld.descend(flow, y, steps=50).final, []
    for batch in (16, 1024):
        finals = np.array([ld.descend(flow, y, steps=50, batch=batch, seed=seed).final.W for seed in range(10)])
        spreads.append(np.mean((finals - population.W) ** 2))
    assert 0.3 < spreads[0] / spreads[1] / 64 < 3


def test_the_limit_does_not_know_of_rho_or_freq_but_the_steps_do():
    y, data = weights(4, 2, 4), moments(4)
    recipes = [Recipe.of("direct_pred"), Recipe.of("direct_pred", rho=0.9), Recipe.of("direct_pred", freq=5)]
    flows = [ld.WeightFlow(HP, data, predictor=recipe) for recipe in recipes]
    exact = [ld.simulate(flow, y, [0.0, 3.0], engine="scipy").final for flow in flows]
    steps = [ld.descend(flow, y, steps=300).final for flow in flows]
    assert block_difference(exact[0], exact[1]) == block_difference(exact[0], exact[2]) == 0
    assert min(relative(other.W, steps[0].W) for other in steps[1:]) > 1e-4


def test_at_freq_1_the_gradient_of_the_predictor_is_not_used():
    y, data = weights(5, 2, 4), moments(5)
    ends = [
        ld.descend(ld.WeightFlow(ld.Hyperparameters(alpha_p, 0.8, 0.04), data, predictor=recipe), y, steps=40).final.W
        for recipe in ("paper", Recipe.of("paper", freq=2))
        for alpha_p in (1.0, 4.0)
    ]
    assert relative(ends[0], ends[1]) == 0 and relative(ends[2], ends[3]) > 1e-4


@pytest.mark.parametrize("predictor", ["paper", Recipe.of("linear_regression", rho=0.4, rho_p=0.5, freq=3)])
def test_modes_descend_as_their_weights_do(predictor):
    modes = ld.ModeWeightState([0.4, 0.9], [0.5, 0.2], [0.3, 0.8])
    small = ld.descend(ld.ModeWeightFlow(HP, x=[1.0, 0.6], x_aug=0.3, predictor=predictor), modes, steps=50)
    data = ld.Moments(np.diag([1.0, 0.6]), 0.3 * np.eye(2))
    full = ld.descend(
        ld.WeightFlow(HP, data, predictor=predictor), ld.conversions.modes_to_weights(modes).state, steps=50
    )
    for name, block in (("w", full.final.W), ("p", full.final.W_p), ("a", full.final.W_a)):
        np.testing.assert_allclose(getattr(small.final, name), np.diag(block), rtol=1e-11)


def test_the_start_is_the_rules_own_and_statistics_of_weights_have_no_noise():
    y, data = weights(6, 3, 4), moments(6)
    flow = ld.WeightFlow(HP, data, predictor="newton_schulz", statistics="weights")
    run = ld.descend(flow, y, steps=1, batch=3)
    want = ld.predictors.newton_schulz(y.W @ y.W.T)
    assert relative(run[0].W_p, want) < 1e-12 and relative(run[1].W_p, want) < 1e-12
