"""Bao's system at held norms: its regimes against counts of zeros, and the outputs of rectified neurons."""

import numpy as np
import pytest
import scipy.integrate

from lindyn.equations import bao, rectified
from lindyn.theory import frozen_norms

V, RHO = 0.25, 0.05
ONE = np.geomspace(0.2, 1.0, 8)


def zeros(p):
    """Positive zeros of dp/dt by looking for changes of its sign on a fine line."""
    grid = np.geomspace(1e-4, 10.0, 400_000)
    return int(np.sum(np.diff(np.sign(bao.frozen_norm_rate(grid, V, *frozen_norms.norms(p, V), RHO))) != 0))


@pytest.mark.parametrize("modes", [ONE, np.full(5, 0.6), np.array([1.0])])
def test_regimes_change_at_the_borders(modes):
    first, last = frozen_norms.borders(modes, V, RHO)
    assert last <= first
    found = [frozen_norms.regime(c * modes, V, RHO) for c in (1.001 * first, 0.999 * first, 0.999 * last)]
    assert found == ["Collapse", "Acute" if last < first else "Stable", "Stable"]
    assert [zeros(c * modes) for c in (1.001 * first, 0.999 * first, 0.999 * last)] == [0, 2, 2]


def test_fixed_points_are_zeros_and_scale_with_the_weights():
    p = 0.4 * ONE
    norms = frozen_norms.norms(p, V)
    found = frozen_norms.positive_fixed_points(*norms, V, RHO)
    assert np.abs(bao.frozen_norm_rate(found, V, *norms, RHO)).max() < 1e-12
    again = frozen_norms.positive_fixed_points(*frozen_norms.norms(3 * p, V), V, RHO / 9)
    np.testing.assert_allclose(again, 3 * found, rtol=1e-9)


def test_isotropic_modes_have_a_border_in_closed_form():
    """u - u^2 - 2 u^5/d at its maximum is rho (1 + v) d c^2; for many modes 1/4."""
    d = 400
    first, last = frozen_norms.borders(np.ones(d), V, RHO)
    assert first == last
    assert RHO * (1 + V) * d * first**2 == pytest.approx(0.25 - 2 / 32 / d, rel=1e-5)


def test_norms_are_those_of_samples():
    x, one, other = np.random.default_rng(0).normal(size=(3, 8, 400_000))
    q, t = (ONE**2)[:, None] * (x + V**0.5 * one), ONE[:, None] * (x + V**0.5 * other)
    sampled = (q * t).sum(0).mean(), (q * q).sum(0).mean() ** 0.5, (t * t).sum(0).mean() ** 0.5
    np.testing.assert_allclose(frozen_norms.norms(ONE, V), sampled, rtol=5e-3)


def test_mistakes_get_one_sentence():
    with pytest.raises(ValueError, match="no norm to hold"):
        frozen_norms.norms(np.zeros(3), V)
    with pytest.raises(ValueError, match="the smallest p must be"):
        frozen_norms.borders(np.array([0.0, 1.0]), V, RHO)
    with pytest.raises(ValueError, match="rho must be"):
        frozen_norms.borders(ONE, V, 0.0)


@pytest.mark.parametrize("correlation", [-0.7, 0.0, 0.4, 1 / 1.01])
def test_mean_product_of_rectified_outputs(correlation):
    """Against the integral over the angle of (u, v) = r (cos t, cos(t - a)), E r^2 = 2."""
    angle = np.arccos(correlation)
    inside = scipy.integrate.quad(lambda t: np.cos(t) * np.cos(t - angle), angle - np.pi / 2, np.pi / 2)[0]
    found = rectified.mean_product(2.0, 3.0, angle, np.sin(angle), correlation, np.pi)
    assert found == pytest.approx(6 * 2 * inside / (2 * np.pi), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: frozen_norms.regime([], 0.25, 0.1), "p must not be empty"),
        (lambda: frozen_norms.regime([1.0, 2.0], -1.0, 0.1), "v must be finite and >= 0; got -1"),
        (lambda: frozen_norms.regime([1.0, 2.0], 0.25, 0.0), "rho must be finite and > 0; got 0"),
        (lambda: frozen_norms.regime([[1.0, 2.0]], 0.25, 0.1), "p must have 1 axes"),
        (lambda: frozen_norms.positive_fixed_points(1.0, 0.0, 1.0, 0.25, 0.1), "N_q must be finite and > 0; got 0"),
        (lambda: frozen_norms.positive_fixed_points(np.nan, 1.0, 1.0, 0.25, 0.1), "T must be finite; got nan"),
    ],
)
def test_mistakes_are_one_sentence(call, text):
    with pytest.raises(ValueError, match=text):
        call()
