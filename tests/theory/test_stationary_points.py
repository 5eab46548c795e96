"""Fixed points, Jacobian eigenvalues, stability and critical decay: numbers against sympy and against the flow."""

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import lindyn as ld
from lindyn.theory import critical_decay, fixed_points

p, s, tau, x, v, alpha_p, eta_p, eta_s = sympy.symbols("p s tau x v alpha_p eta_p eta_s", positive=True)
D = x * tau - v * p
FIELD = sympy.Matrix([alpha_p * s * D - eta_p * p, 2 * p * s * D - 2 * eta_s * s])
JACOBIAN = FIELD.jacobian([p, s])
BRANCHES = {"minus": -1, "plus": 1}

POSITIVE = st.floats(0.05, 5.0)
SHARES = st.floats(0.01, 0.999)


def symbolic_point(sign):
    """p = (x tau +- sqrt((x tau)^2 - 4 eta_s v)) / 2 v and the s that makes dp/dt vanish there."""
    p_star = (x * tau + sign * sympy.sqrt((x * tau) ** 2 - 4 * eta_s * v)) / (2 * v)
    return p_star, sympy.simplify(eta_p * p_star / (alpha_p * (x * tau - v * p_star)))


POINTS = {name: symbolic_point(sign) for name, sign in BRANCHES.items()}


def high_precision(expression, values):
    return sympy.N(expression.subs({k: sympy.Float(value, 60) for k, value in values.items()}), 40)


@given(POSITIVE, POSITIVE, st.floats(0.0, 3.0), POSITIVE, SHARES, POSITIVE)
def test_points_and_eigenvalues_equal_the_symbolic_ones(tau_0, x_0, x_aug, alpha, share, ratio):
    """Random parameters up to 0.999 of the critical decay, eta_p != eta_s: to 1e-10."""
    v_0 = x_0 + x_aug
    decay = share * float(critical_decay(tau_0, x_0, x_aug))
    found = fixed_points(tau=tau_0, x=x_0, x_aug=x_aug, alpha_p=alpha, eta_p=ratio * decay, eta_s=decay)
    values = {tau: tau_0, x: x_0, v: v_0, alpha_p: alpha, eta_p: ratio * decay, eta_s: decay}
    for name in BRANCHES:
        p_star, s_star = (high_precision(e, values) for e in POINTS[name])
        assert getattr(found, f"p_{name}") == pytest.approx(float(p_star), rel=1e-10)
        assert getattr(found, f"s_{name}") == pytest.approx(float(s_star), rel=1e-10)
        J = np.array(high_precision(JACOBIAN, values | {p: p_star, s: s_star}).tolist(), dtype=float)
        exact = np.sort_complex(np.linalg.eigvals(J).astype(complex))
        scale = np.abs(exact).max()
        np.testing.assert_allclose(np.sort_complex(found.eigenvalues[name]), exact, atol=1e-9 * scale)


@given(POSITIVE, POSITIVE, st.floats(0.0, 3.0), POSITIVE, SHARES, POSITIVE)
def test_the_flow_stands_still_at_every_point(tau_0, x_0, x_aug, alpha, share, ratio):
    decay = share * float(critical_decay(tau_0, x_0, x_aug))
    hp = ld.Hyperparameters(alpha, 0.4, eta_p=ratio * decay, eta_s=decay)
    flow = ld.ModeFlow(hp, x=x_0, x_aug=x_aug, tau="constant")
    found = fixed_points(tau=tau_0, x=x_0, x_aug=x_aug, alpha_p=alpha, eta_p=ratio * decay, eta_s=decay)
    for name in BRANCHES:
        at = ld.ModeState(getattr(found, f"p_{name}"), getattr(found, f"s_{name}"), tau_0)
        dy = flow(0.0, at)
        assert abs(float(dy.p)) <= 1e-11 * (hp.eta_p * float(at.p) + 1e-300)
        assert abs(float(dy.s)) <= 1e-11 * (hp.eta_s * float(at.s) + 1e-300)


@given(POSITIVE, POSITIVE, st.floats(0.0, 3.0), POSITIVE, st.floats(0.05, 0.95))
def test_stability_at_equal_decays(tau_0, x_0, x_aug, alpha, share):
    """0 stable, p_- a saddle, p_+ stable below the critical decay, for every alpha_p."""
    decay = share * float(critical_decay(tau_0, x_0, x_aug))
    found = fixed_points(decay, tau_0, x_0, x_aug, alpha)
    assert found.stability == {"zero": "stable", "minus": "saddle", "plus": "stable"}
    eigenvalues = np.sort(found.eigenvalues["zero"].real)
    np.testing.assert_allclose(eigenvalues, [-2 * decay, -decay], rtol=1e-12)


def test_the_papers_formulas():
    """p_+- and the critical decay at x = 1, x_aug = sigma^2, and s on the parabola."""
    eta, sigma2, t = 0.05, 0.3, 0.9
    root = np.sqrt(t**2 - 4 * eta * (1 + sigma2))
    found = fixed_points(eta=eta, tau=t, x_aug=sigma2, alpha_p=2.0)
    assert found.p_plus == pytest.approx((t + root) / (2 * (1 + sigma2)), rel=1e-14)
    assert found.p_minus == pytest.approx((t - root) / (2 * (1 + sigma2)), rel=1e-13)
    assert found.s_plus == pytest.approx(found.p_plus**2 / 2, rel=1e-14)
    assert found.eta_critical == critical_decay(t, 1.0, sigma2) == pytest.approx(t**2 / (4 * (1 + sigma2)), rel=1e-15)
    assert found.p_zero == 0.0


def test_at_the_critical_decay_both_meet_and_past_it_none_is_left():
    critical = critical_decay(1.0, 1.0, 0.25)
    assert critical == 0.2
    at = fixed_points(critical)
    assert at.p_plus == pytest.approx(at.p_minus, rel=1e-7) and at.p_plus == pytest.approx(0.4, rel=1e-7)
    assert at.stability["plus"] == "marginal"
    past = fixed_points(critical * (1 + 1e-12))
    assert np.isnan(past.p_plus) and np.isnan(past.s_minus)
    assert past.stability == {"zero": "stable", "minus": "none", "plus": "none"}
    near = fixed_points(critical * (1 - 1e-8))
    assert near.stability == {"zero": "stable", "minus": "saddle", "plus": "stable"}
    assert near.p_plus - near.p_minus == pytest.approx(0.8e-4, rel=1e-6)


def test_no_decay():
    """eta = 0: p_- = 0, p_+ = x tau / v stands for the manifold (s any), marginal along it."""
    found = fixed_points(0.0, 0.8, 1.2, 0.3)
    assert found.p_minus == 0.0 and found.p_plus == pytest.approx(0.64, rel=1e-15)
    assert found.stability["plus"] == "marginal" and found.stability["zero"] == "marginal"
    small = fixed_points(1e-13)
    assert small.p_minus == pytest.approx(1e-13, rel=1e-9)  # eta / (x tau): no cancellation


def test_separate_decays_can_lose_stability_of_the_spiral_but_not_its_place():
    """p_+ depends on eta_s alone, s_+ on the ratio; the eigenvalues may be complex."""
    one = fixed_points(eta_p=0.01, eta_s=0.05, alpha_p=0.2)
    other = fixed_points(eta_p=1.0, eta_s=0.05, alpha_p=0.2)
    assert one.p_plus == other.p_plus and other.s_plus == pytest.approx(100 * one.s_plus)
    J = np.array(
        JACOBIAN.subs({alpha_p: 0.2, tau: 1, x: 1, v: 1.25, eta_p: 1.0, eta_s: 0.05, p: other.p_plus, s: other.s_plus})
    ).astype(float)
    np.testing.assert_allclose(np.sum(other.eigenvalues["plus"]), np.trace(J), rtol=1e-12)
    np.testing.assert_allclose(np.prod(other.eigenvalues["plus"]), np.linalg.det(J), rtol=1e-10)


def test_broadcasting():
    found = fixed_points(np.array([0.01, 0.1, 0.3])[:, None], x_aug=np.array([0.1, 0.4]))
    assert found.p_plus.shape == found.eta_critical.shape == (3, 2) and found.eigenvalues["plus"].shape == (3, 2, 2)
    assert found.p_plus[1, 1] == fixed_points(0.1, x_aug=0.4).p_plus
    assert np.isnan(found.p_plus[2]).all() and found.stability["plus"][0, 0] == "stable"
    assert np.isscalar(fixed_points(0.01).p_plus)


def test_critical_decay_is_where_modes_die_in_the_flow():
    """Just below: from p_+ the mode stays. Just above: it dies."""
    x_0, x_aug = 1.4, 0.3
    for factor, lives in ((0.98, True), (1.05, False)):
        decay = factor * float(critical_decay(1.0, x_0, x_aug))
        flow = ld.ModeFlow(ld.Hyperparameters(1.0, 2.0, decay), x=x_0, x_aug=x_aug)
        start = 1.1 * x_0 / (2 * (x_0 + x_aug))
        final = ld.simulate(flow, ld.ModeState(start, start**2), t1=500.0, engine="scipy").final
        assert (float(final.p) > 0.1) == lives
    assert critical_decay(1.0, 0.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Give eta, or both eta_p and eta_s."),
        ({"eta_p": 0.1}, "Give eta, or both eta_p and eta_s."),
        ({"eta": -0.1}, "eta must be >= 0; got -0.1"),
        ({"eta": 0.1, "tau": 0.0}, "tau must be > 0; got 0"),
        ({"eta": 0.1, "x": [1.0, -1.0]}, "x must be > 0; got -1"),
        ({"eta": 0.1, "alpha_p": 0.0}, "alpha_p must be > 0; got 0"),
        ({"eta_p": 0.1, "eta_s": 0.0}, "eta_s = 0 with eta_p > 0 has no non-collapsed fixed point"),
        ({"eta": np.nan}, "eta must be finite; got 1 NaN or infinite of 1 entries"),
    ],
)
def test_bad_arguments(arguments, text):
    with pytest.raises(ValueError) as caught:
        fixed_points(**arguments)
    assert text in str(caught.value)
