"""Each smaller flow is the larger one seen through a change of variables: right-hand sides by the chain rule."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import conversions
from tests.helpers import block_difference, orthogonal, relative, rng, start

HP = ld.Hyperparameters(alpha_p=1.7, beta=0.6, eta_p=0.09, eta_s=0.04)
X, SIGMA2 = 1.3, 0.4
PREDICTORS = ("trained", "symmetrised", "identity")


def isotropic(**choices):
    return ld.WeightFlow(HP, ld.Moments.isotropic(5, SIGMA2, X), **choices)


def dF(y, dy):
    return dy.W @ y.W.T + y.W @ dy.W.T


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("target", ["ema", "frozen"])
def test_gram_flow(target, predictor):
    full = isotropic(target=target, predictor=predictor)
    y = start(full, 1)
    dy = full(0.0, y)
    want = {
        "W_p": dy.W_p,
        "F": dF(y, dy),
        "H": dy.W_a @ y.W.T + y.W_a @ dy.W.T,
        "J": dy.W_a @ y.W_a.T + y.W_a @ dy.W_a.T,
    }
    small = ld.GramFlow(HP, sigma2=SIGMA2, x=X, target=target, predictor=predictor)
    got = small(0.0, conversions.weights_to_gram(y).state)
    assert block_difference(got, ld.GramState._unchecked(**want)) < 1e-13


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize(
    ("target", "stop_gradient", "tau"),
    [("ema", True, 0.6), ("frozen", True, 1.4), ("online", True, 1.0), ("online", False, 1.0)],
)
def test_correlation_flow(target, stop_gradient, tau, predictor):
    """Under W_a = tau W; tau' is that of the best scalar tau = tr(W_a W^T) / tr(F)."""
    choices = {"target": target, "stop_gradient": stop_gradient, "predictor": predictor}
    full = isotropic(**choices)
    y = start(full, 2)
    y = ld.WeightState(y.W, y.W_p, tau * y.W)
    dy = full(0.0, y)
    F, rate = y.W @ y.W.T, dF(y, dy)
    dtau = (np.sum(dy.W_a * y.W) + np.sum(y.W_a * dy.W)) / np.trace(F) - tau * np.trace(rate) / np.trace(F)
    got = ld.CorrelationFlow(HP, sigma2=SIGMA2, x=X, **choices)(0.0, conversions.weights_to_correlation(y).state)
    assert relative(got.W_p, dy.W_p) < 1e-13
    assert relative(got.F, rate) < 1e-13
    assert float(got.tau) == pytest.approx(dtau, rel=1e-12, abs=1e-14)
    np.testing.assert_array_equal(got.F, got.F.T)


@pytest.mark.parametrize("predictor", ["trained", "identity"])
@pytest.mark.parametrize(
    ("target", "stop_gradient"), [("ema", True), ("frozen", True), ("online", True), ("online", False)]
)
def test_mode_flows(target, stop_gradient, predictor):
    """Commuting X, X' and decoupled weights: the full flow stays decoupled and each mode follows its own system."""
    choices = {"target": target, "stop_gradient": stop_gradient, "predictor": predictor}
    x, x_aug, V, U = np.array([1.5, 0.7, 0.2, 0.9]), np.array([0.1, 0.6, 0.3, 0.0]), orthogonal(1, 4), orthogonal(2, 3)
    w = np.array([0.4, 1.2, 0.7])
    p = np.ones(3) if predictor == "identity" else np.array([0.3, 0.8, -0.5])
    a = w if target == "online" else np.array([0.9, 0.2, 0.5])
    y = conversions.modes_to_weights(ld.ModeWeightState(p, w, a), n1=4, U=U, V=V[:, :3]).state
    y = ld.WeightState(y.W, np.eye(3) if predictor == "identity" else y.W_p, y.W if target == "online" else y.W_a)
    full = ld.WeightFlow(HP, ld.Moments.commuting(x, x_aug, V), **choices)
    dy = full(0.0, y)
    by_weights = ld.ModeWeightFlow(HP, x=x[:3], x_aug=x_aug[:3], **choices)(0.0, ld.ModeWeightState(p, w, a))
    for name, rate in (("W", by_weights.w), ("W_a", by_weights.a)):
        assert relative(getattr(dy, name), (U * rate) @ V[:, :3].T) < 1e-13 or not np.any(rate)
    assert relative(dy.W_p, (U * by_weights.p) @ U.T) < 1e-13 or predictor == "identity"
    tau = a / w
    got = ld.ModeFlow(HP, x=x[:3], x_aug=x_aug[:3], **choices)(0.0, ld.ModeState(p, w**2, tau))
    np.testing.assert_allclose(got.p, by_weights.p, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(got.s, 2 * w * by_weights.w, rtol=1e-12)
    np.testing.assert_allclose(got.tau, by_weights.a / w - tau * by_weights.w / w, rtol=1e-11, atol=1e-15)


def test_parabola_flow():
    hp = ld.Hyperparameters(alpha_p=2.5, beta=0.6, eta=0.07)
    p, tau = np.array([0.2, 0.7, 1.1]), np.array([0.1, 0.8, 1.0])
    for choices in ({}, {"tau": "constant"}, {"target": "frozen"}):
        on = ld.ModeFlow(hp, x=X, x_aug=SIGMA2, **choices)(0.0, ld.ModeState(p, p**2 / 2.5, tau))
        got = ld.ParabolaFlow(hp, x=X, x_aug=SIGMA2, **choices)(0.0, ld.ParabolaState(p, tau))
        np.testing.assert_allclose(got.p, on.p, rtol=1e-13)
        np.testing.assert_allclose(got.tau, on.tau, rtol=1e-13)
        np.testing.assert_allclose(on.s, 2 * p * on.p / 2.5, rtol=1e-12)  # it stays on the parabola


def test_frozen_tau_is_the_ratio_to_a_fixed_weight():
    """tau = a / w with a fixed: tau' = -tau w'/w."""
    y = ld.ModeState(0.5, 0.4, 0.8)
    dy = ld.ModeFlow(HP, target="frozen")(0.0, y)
    assert float(dy.tau) == pytest.approx(-0.8 * float(dy.s) / (2 * 0.4), rel=1e-13)


def test_symmetrised_flag_and_name_are_one():
    by_flag, by_name = ld.CorrelationFlow(HP, symmetrised=True), ld.CorrelationFlow(HP, predictor="symmetrised")
    assert by_flag.predictor == by_name.predictor == "symmetrised"
    assert by_flag.symmetrised and by_name.symmetrised and not ld.CorrelationFlow(HP).symmetrised
    W_p, F = rng(3).normal(size=(3, 3)), np.eye(3)
    y = ld.CorrelationState(W_p + W_p.T, F)
    assert block_difference(by_flag(0.0, y), by_name(0.0, y)) == 0.0


def test_appendix_d_in_its_own_symbols():
    flow = ld.ModeWeightFlow.appendix_d(l_s=1.5, l_d=0.5, alpha_p=2.0, beta=3.0)
    dy = flow(0.0, ld.ModeWeightState(0.8, 0.6, 0.3))
    bracket = 0.3 * 0.5 - 0.8 * 0.6 * 1.5
    assert [float(v) for v in (dy.p, dy.w, dy.a)] == pytest.approx([2 * bracket * 0.6, 0.8 * bracket, 3 * 0.3])
