"""Closed-form rules as flows: every flow that has them agrees, in every basis, and reads what the docstring says."""

import jax
import numpy as np
import pytest

import lindyn as ld
from lindyn import conversions
from lindyn.equations import weights as lines
from lindyn.flows import rules
from lindyn.predictors import PRESETS, RULES, Recipe, Rule
from tests.helpers import block_difference, moments, orthogonal, relative, weights

HP = ld.Hyperparameters(alpha_p=1.7, beta=0.6, eta_p=0.09, eta_s=0.04)
NAMES = sorted(RULES)
CHOICES = [("ema", True), ("frozen", True), ("online", True), ("online", False)]


def coupled(seed=0, target="ema"):
    """Weights whose W_a is no multiple of W, unless the target is the online network."""
    return weights(seed, 3, 5, "copy" if target == "online" else "independent")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("statistics", rules.STATISTICS)
def test_the_rates_are_those_of_the_trained_flow_at_the_rules_predictor(name, statistics):
    """W_p = rule(W (X+X') W^T, W_a X W^T), or of W W^T and W_a W^T; the W_p of the state is not read."""
    y, data = coupled(1), moments(1, 5)
    flow = ld.WeightFlow(HP, data, predictor=name, statistics=statistics)
    views = statistics == "views"
    F = y.W @ (data.X + data.X_aug) @ y.W.T if views else y.W @ y.W.T
    H = y.W_a @ data.X @ y.W.T if views else y.W_a @ y.W.T
    rule = Rule.of(name)
    W_p = rule(F, H if rule.reads_cross else None)
    want = ld.WeightFlow(HP, data)(0.0, y._replace(W_p=W_p))
    got = flow(0.0, y)
    assert relative(got.W, want.W) < 1e-12 and relative(got.W_a, want.W_a) < 1e-12
    assert not np.any(got.W_p)
    assert relative(rules.complete(flow, y).W_p, W_p) < 1e-12


def test_statistics_are_the_moments_of_the_outputs():
    """F and H against their meaning, averages over Gaussian views."""
    data, y = moments(2, 4), weights(2, 3, 4)
    views = ld.GaussianViews.of(data)
    with jax.enable_x64(True):
        v1, v2 = (np.asarray(v) for v in views.draw(jax.random.key(0), 400_000))
    F, H = ld.WeightFlow(HP, data, predictor="neumann").output_statistics(y)
    assert relative((y.W @ v1) @ (y.W @ v1).T / v1.shape[1], F) < 0.01
    assert relative((y.W_a @ v2) @ (y.W @ v1).T / v1.shape[1], H) < 0.01


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("target", "stop_gradient"), CHOICES)
def test_rotating_the_outputs_rotates_the_flow(name, target, stop_gradient):
    """W -> Q W, W_a -> Q W_a: the rates turn with them, W_p with Q on both sides."""
    y, Q = coupled(3, target), orthogonal(4, 3)
    flow = ld.WeightFlow(HP, moments(3, 5), target, stop_gradient, name)
    turned = ld.WeightState(Q @ y.W, None, Q @ y.W_a)
    one, other = flow(0.0, y), flow(0.0, turned)
    assert relative(other.W, Q @ one.W) < 1e-10
    assert relative(rules.complete(flow, turned).W_p, Q @ rules.complete(flow, y).W_p @ Q.T) < 1e-10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("target", "stop_gradient"), CHOICES)
def test_modes_are_the_weights_of_commuting_data(name, target, stop_gradient):
    x, x_aug, V, U = np.array([1.5, 0.7, 0.2, 0.9]), np.array([0.1, 0.6, 0.3, 0.0]), orthogonal(1, 4), orthogonal(2, 3)
    w = np.array([0.4, 1.2, 0.7])
    a = w if target == "online" else np.array([0.9, 0.2, 0.5])
    choices = {"target": target, "stop_gradient": stop_gradient, "predictor": name}
    y = ld.WeightState((U * w) @ V[:, :3].T, None, (U * a) @ V[:, :3].T)
    y = y._replace(W_a=y.W) if target == "online" else y
    full = ld.WeightFlow(HP, ld.Moments.commuting(x, x_aug, V), **choices)
    dy, p = full(0.0, y), rules.complete(full, y).W_p
    small = ld.ModeWeightFlow(HP, x=x[:3], x_aug=x_aug[:3], **choices)
    rate = small(0.0, ld.ModeWeightState(np.ones(3), w, a))
    assert relative(dy.W, (U * rate.w) @ V[:, :3].T) < 1e-12
    found = rules.complete(small, ld.ModeWeightState(np.ones(3), w, a)).p
    assert relative(p, (U * found) @ U.T) < 1e-12
    by_s = ld.ModeFlow(HP, x=x[:3], x_aug=x_aug[:3], **choices)
    other = by_s(0.0, ld.ModeState(0.3, w**2, a / w))
    assert relative(other.s, 2 * w * rate.w) < 1e-12
    dtau = rate.a / w - a * rate.w / w**2
    assert np.max(np.abs(other.tau - dtau)) < 1e-12 * (1 + np.max(np.abs(dtau)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("statistics", rules.STATISTICS)
def test_gram_and_correlation_are_the_weights_of_isotropic_data(name, statistics):
    y = coupled(5)
    choices = {"predictor": name, "statistics": statistics}
    full = ld.WeightFlow(HP, ld.Moments.isotropic(5, 0.4, 1.3), **choices)
    gram = ld.GramFlow(HP, sigma2=0.4, x=1.3, **choices)
    dy = full(0.0, y)
    got = gram(0.0, conversions.weights_to_gram(y).state)
    assert relative(got.F, dy.W @ y.W.T + y.W @ dy.W.T) < 1e-12
    assert relative(got.H, dy.W_a @ y.W.T + y.W_a @ dy.W.T) < 1e-12
    proportional = ld.WeightState(y.W, None, 0.6 * y.W)
    small = ld.CorrelationFlow(HP, sigma2=0.4, x=1.3, **choices)
    state = ld.CorrelationState(np.eye(3), y.W @ y.W.T, 0.6)
    dy = full(0.0, proportional)
    assert relative(small(0.0, state).F, dy.W @ y.W.T + y.W @ dy.W.T) < 1e-12
    assert relative(rules.complete(small, state).W_p, rules.complete(full, proportional).W_p) < 1e-12


def test_without_stop_gradient_the_rule_itself_stays_cut():
    """dW gains the target branch at the rule's W_p, nothing of the rule's own derivative."""
    y, data = coupled(6, "online"), moments(6, 5)
    flows = (ld.WeightFlow(HP, data, "online", stop, "newton_schulz") for stop in (True, False))
    stopped, through = (flow(0.0, y).W for flow in flows)
    W_p = rules.complete(ld.WeightFlow(HP, data, "online", True, "newton_schulz"), y).W_p
    assert relative(through - stopped, lines.target_branch(y.W, W_p, y.W, data.X, data.X_aug)) < 1e-12


def test_the_field_is_differentiated_through_its_rule():
    """Derivatives of the field (stability, sensitivities) see that W_p moves with W."""
    y, data = coupled(7), moments(7, 5)
    flow = ld.WeightFlow(HP, data, predictor="newton_schulz")
    direction = weights(8, 3, 5).W
    with jax.enable_x64(True):
        _, slope = jax.jvp(lambda W: flow(0.0, y._replace(W=W)).W, (y.W,), (direction,))
    step = 1e-6
    two = [flow(0.0, y._replace(W=y.W + sign * step * direction)).W for sign in (1, -1)]
    assert relative(slope, (two[0] - two[1]) / (2 * step)) < 1e-7


@pytest.mark.parametrize(
    "given", [*NAMES, *PRESETS, Rule.of("visser", steps=7), Recipe.of("neumann", rho=0.5)], ids=str
)
def test_what_names_a_rule_becomes_its_recipe(given):
    flow = ld.WeightFlow(HP, moments(1), predictor=given)
    assert flow.predictor == Recipe.of(given) and hash(flow.predictor) == hash(Recipe.of(given))
    assert Recipe.from_dict(flow.predictor.as_dict()) == flow.predictor
    assert ld.ModeFlow(HP, predictor=flow.predictor).predictor == flow.predictor


def test_recipes_differ_where_their_numbers_do():
    one = Recipe.of("direct_set", power=0.5)
    assert one != Recipe.of("direct_set", power=0.25) != Recipe.of("direct_set", power=0.25, rho=0.1)
    assert repr(Recipe.of("paper", freq=3)) == "Recipe(Rule.of('direct_pred', eps=0.1), rho=0.3, freq=3)"


def test_one_mode_may_be_a_number():
    flow = ld.ModeFlow(HP, predictor="direct_set")
    state = rules.complete(flow, ld.ModeState(0.0, 0.36))
    assert np.shape(state.p) == () and float(state.p) == pytest.approx(np.sqrt(1.25 * 0.36), rel=1e-14)
    run = ld.simulate(flow, ld.ModeState(0.0, 0.36), t1=2.0, engine="scipy")
    assert block_difference(run[0], state) < 1e-14
