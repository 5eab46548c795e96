"""The numbers of a reading: known answers, invariances, other packages' definitions, damaged input."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightly.utils.debug import std_of_l2_normalized

from lindyn.bridge import diagnose, fit_slope, std_of_normalised
from lindyn.predictors import direct_pred
from tests.helpers import orthogonal


def of_modes(s, p, seed=0):
    Q = orthogonal(seed, len(s))
    return (Q * s) @ Q.T, (Q * p) @ Q.T


def test_known_answers_where_p_is_the_root_of_s():
    s = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.125])
    reading = diagnose(*of_modes(s, np.sqrt(3 * s)))
    np.testing.assert_allclose(reading.s, s, rtol=1e-12)
    np.testing.assert_allclose(reading.p, np.sqrt(3 * s), rtol=1e-12)
    np.testing.assert_allclose(reading.spectrum_W_p, np.sqrt(3 * s), rtol=1e-12)
    np.testing.assert_allclose(reading.alignment, 1.0, rtol=1e-12)
    assert reading.slope.verdict == "fitted" and reading.slope.modes == 6
    assert (reading.slope.slope, reading.slope.low, reading.slope.high) == pytest.approx((0.5, 0.5, 0.5), abs=1e-10)
    assert (reading.slope.s_low, reading.slope.s_high) == pytest.approx((0.125, 4.0))
    assert reading.balance_c == pytest.approx(1 / 3) and reading.balance_residual_fitted == pytest.approx(
        0.0, abs=1e-12
    )
    assert reading.asymmetry == pytest.approx(0.0, abs=1e-12)
    assert reading.commutator_norm == pytest.approx(0.0, abs=1e-12)
    assert reading.trace_F == pytest.approx(7.875) and reading.concentration == pytest.approx(4 / 7.875)


def test_ranks_are_entropies_of_s_and_of_its_root_over_what_the_samples_can_show():
    s = np.array([3.0, 1.0, 0.5, 0.0])
    reading = diagnose(*of_modes(s, np.ones(4)), samples=3)
    kept = s[s > 0]
    for rank, values in ((reading.effective_rank, kept), (reading.rankme, np.sqrt(kept))):
        assert rank == pytest.approx(math.exp(scipy.stats.entropy(values)))
    assert reading.effective_rank_share == pytest.approx(reading.effective_rank / 2)
    assert reading.rankme_share == pytest.approx(reading.rankme / 2)
    assert diagnose(np.eye(5), np.eye(5)).effective_rank_share == pytest.approx(1.0)


def test_the_sign_of_the_cosines_is_kept():
    F, W_p = of_modes(np.array([3.0, 2.0, 1.0]), np.array([1.0, -1.0, -2.0]))
    reading = diagnose(F, W_p)
    np.testing.assert_allclose(reading.alignment, [1.0, -1.0, -1.0])
    assert reading.alignment_top == pytest.approx(-1 / 3)
    assert reading.slope.verdict == "not testable: 2 of 3 modes have p <= 0" and math.isnan(reading.slope.slope)


def test_a_quarter_turn_is_antisymmetric_and_orthogonal_to_every_mode():
    reading = diagnose(np.diag([2.0, 1.0]), [[0.0, -1.0], [1.0, 0.0]])
    np.testing.assert_allclose(reading.alignment, 0.0, atol=1e-15)
    assert reading.asymmetry == pytest.approx(2.0)
    # [F, W_p] = [[0, -1], [-1, 0]], ||F|| = sqrt 5, ||W_p|| = sqrt 2
    assert reading.commutator_norm == pytest.approx(math.sqrt(2))
    assert reading.commutator_share == pytest.approx(1 / math.sqrt(5))


@given(st.integers(0, 1000), st.floats(0.01, 100.0))
def test_axes_and_the_size_of_the_features_do_not_matter(seed, size):
    rng = np.random.default_rng(seed)
    A, W_p, Q = rng.normal(size=(6, 9)), rng.normal(size=(6, 6)), orthogonal(seed + 1, 6)
    one, other = diagnose(A @ A.T, W_p), diagnose(size * Q @ A @ A.T @ Q.T, Q @ W_p @ Q.T)
    for name in (
        "alignment",
        "p",
        "spectrum_W_p",
        "asymmetry",
        "commutator_share",
        "balance_residual_fitted",
        "rankme",
    ):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(other.s, size * one.s, rtol=1e-8)
    assert other.balance_c == pytest.approx(size * one.balance_c)
    assert other.alarm == one.alarm


def test_the_slope_and_its_interval_are_those_of_linear_regression():
    rng = np.random.default_rng(1)
    s = np.geomspace(1.0, 1e-3, 40)
    p = s**0.4 * np.exp(0.2 * rng.normal(size=40))
    fit = fit_slope(p, s, window=1e-2)
    inside = s >= 1e-2
    expected = scipy.stats.linregress(np.log(s[inside]), np.log(p[inside]))
    half = scipy.stats.t.ppf(0.975, inside.sum() - 2) * expected.stderr
    assert fit.slope == pytest.approx(expected.slope) and fit.modes == inside.sum()
    assert (fit.low, fit.high) == pytest.approx((expected.slope - half, expected.slope + half))


def test_the_interval_holds_the_true_slope_in_nineteen_of_twenty_draws():
    rng = np.random.default_rng(2)
    s = np.geomspace(1.0, 0.02, 12)
    fits = [fit_slope(np.sqrt(s) * np.exp(0.3 * rng.normal(size=12)), s) for _ in range(2000)]
    share = np.mean([fit.low <= 0.5 <= fit.high for fit in fits])
    assert 0.935 < share < 0.965  # three standard errors


@pytest.mark.parametrize(
    "s, p, verdict",
    [
        ([1.0, 0.9, 0.5, 0.2], np.ones(4), "not testable: 4 modes in the window, 5 needed"),
        ([1.0, *[1e-3] * 7], np.ones(8), "not testable: 1 modes in the window, 5 needed"),
        (np.linspace(1.0, 0.6, 9), np.ones(9), "not testable: s spreads by a factor 1.67, 2 needed"),
        (np.zeros(9), np.ones(9), "not testable: 0 modes in the window, 5 needed"),
    ],
)
def test_too_little_to_fit_is_said_with_its_reason(s, p, verdict):
    fit = fit_slope(p, s)
    assert fit.verdict == verdict and math.isnan(fit.slope) and math.isnan(fit.low)


def test_modes_that_the_samples_cannot_show_do_not_enter_the_fit():
    s = np.geomspace(1.0, 0.05, 20)
    assert fit_slope(np.sqrt(s), s).modes == 20
    assert fit_slope(np.sqrt(s), s, limit=7).modes == 7
    assert diagnose(*of_modes(s, np.sqrt(s)), samples=8).slope.modes == 7


@pytest.mark.parametrize("shift, d", [(0.0, 6), (0.7, 6), (30.0, 3)])
def test_the_spread_is_lightlys_and_bounded_by_the_mean_direction(shift, d):
    z = torch.randn(300, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + shift
    std = std_of_normalised(z)
    assert std == pytest.approx(float(std_of_l2_normalized(z)), rel=1e-9)
    mean = torch.nn.functional.normalize(z, dim=1).mean(0)
    assert std * math.sqrt(d) <= math.sqrt((1 - float(mean @ mean)) * 300 / 299) + 1e-12


def test_isotropic_features_spread_as_one_over_root_d():
    z = torch.randn(20000, 64, generator=torch.Generator().manual_seed(0))
    assert std_of_normalised(z) * 8 == pytest.approx(1.0, abs=0.01)


def test_numpy_jax_and_torch_in_single_precision_give_one_answer():
    import jax.numpy as jnp

    rng = np.random.default_rng(3)
    A = rng.normal(size=(8, 40)).astype(np.float32)
    F = A @ A.T / 40
    W_p = rng.normal(size=(8, 8)).astype(np.float32)
    readings = [diagnose(make(F), make(W_p)) for make in (np.asarray, jnp.asarray, torch.tensor)]
    for reading in readings[1:]:
        np.testing.assert_allclose(reading.alignment, readings[0].alignment, rtol=1e-12)
        assert reading.effective_rank == pytest.approx(readings[0].effective_rank, rel=1e-12)


def test_a_rank_deficient_batch_in_single_precision_is_no_error():
    z = torch.randn(10, 32, generator=torch.Generator().manual_seed(0))
    F = z.T @ z / 10
    reading = diagnose(F, direct_pred(F), samples=10)
    assert 5 < reading.effective_rank <= 10 and reading.effective_rank_share <= 10 / 9
    assert reading.slope.modes == 9


def test_balance_is_that_of_the_weights_where_they_are_given():
    rng = np.random.default_rng(4)
    W_p = rng.normal(size=(4, 4))
    root = np.linalg.cholesky(W_p.T @ W_p / 1.7)
    W = np.concatenate([root, np.zeros((4, 3))], axis=1)  # W W^T = W_p^T W_p / 1.7, what C = 0 in Theorem 1 leaves
    reading = diagnose(np.eye(4), W_p, W)
    assert reading.balance_c == pytest.approx(1 / 1.7) and reading.balance_residual_fitted < 1e-12
    assert diagnose(np.eye(4), W_p).balance_residual_fitted > 0.1


def test_zero_features_and_a_zero_predictor_are_answered():
    reading = diagnose(np.zeros((3, 3)), np.eye(3))
    assert (reading.alarm, reading.reason) == ("collapsed", "All features are zero.")
    assert math.isnan(reading.balance_c) and math.isnan(reading.commutator_share)
    reading = diagnose(np.eye(3), np.zeros((3, 3)))
    assert np.isnan(reading.alignment).all() and math.isnan(reading.asymmetry) and reading.alarm == "healthy"


def test_flat_gives_every_number_a_name():
    flat = diagnose(np.eye(2), np.eye(2)).flat()
    assert flat["slope_verdict"].startswith("not testable") and flat["slope_modes"] == 2 and "reason" in flat


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.ones((2, 3)), np.eye(2)), "F must be square; got shape (2, 3)."),
        ((np.eye(2), np.eye(3)), "W_p must be 2 x 2, as F is; got shape (3, 3)."),
        (([[1.0, 2.0], [0.0, 1.0]], np.eye(2)), "F must be symmetric; got max |F - F^T| = 2."),
        ((np.diag([1.0, -0.5]), np.eye(2)), "F must be positive semi-definite; got smallest eigenvalue -0.5."),
        ((np.diag([1.0, np.nan]), np.eye(2)), "F must be finite; got 1 NaN or infinite of 4 entries."),
        ((torch.eye(2, dtype=torch.float16), np.eye(2)), "F must be float32 or float64; got float16"),
        ((np.eye(2), np.eye(2), np.ones((3, 4))), "W must have 2 rows, as F has; got shape (3, 4)."),
    ],
)
def test_bad_matrices_are_refused_in_one_sentence(arguments, message):
    with pytest.raises(ValueError) as caught:
        diagnose(*arguments)
    assert str(caught.value).startswith(message)


def test_bad_numbers_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"samples must be 2 or more; got 1. One feature has no spectrum."):
        diagnose(np.eye(2), np.eye(2), samples=1)
    with pytest.raises(ValueError, match=r"start must be finite and > 0; got 0."):
        diagnose(np.eye(2), np.eye(2), start=0.0)
    with pytest.raises(ValueError, match=r"window must lie between 0 and 1; got 2. It is a share of the largest s"):
        fit_slope([1.0], [1.0], window=2.0)
    with pytest.raises(ValueError, match=r"p must have shape \(2,\); got \(1,\)."):
        fit_slope([1.0], [1.0, 2.0])
