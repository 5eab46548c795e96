"""Intervals: of a mean they are the textbook's, of a biased statistic they are set right, of a norm they reach 0."""

import numpy as np
import pytest
from scipy import stats

from lindyn.bridge.measure.bootstrap import Frame, all_readings
from lindyn.bridge.measure.sampled import Interval, Sampled, fixed
from lindyn.statistics import spread_sq


def drawn(blocks, f, draws=4000, seed=0):
    """Return a Sampled of f of the mean over blocks (rows)."""
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=draws) / len(blocks)
    return Sampled(f(blocks.mean(axis=0)), f(weights @ blocks), len(blocks))


def test_the_interval_of_a_mean_is_students():
    blocks = np.random.default_rng(0).standard_normal((40, 1))
    found = drawn(blocks, lambda m: m[..., 0]).interval()
    low, high = stats.t.interval(0.99, 39, loc=blocks.mean(), scale=stats.sem(blocks[:, 0]))
    np.testing.assert_allclose([found.low, found.high], [low, high], atol=0.03 * (high - low))
    assert found.raw == blocks.mean() and abs(found.value - found.raw) < 0.05 * (high - low)


def test_the_bias_of_a_square_is_taken_off():
    """|mean|^2 of noise is the noise's variance; of its bias all goes, and both numbers lie in the interval."""
    rng = np.random.default_rng(1)
    blocks = rng.standard_normal((40, 30))
    found = drawn(blocks, lambda m: np.sum(m**2, axis=-1))
    exact = np.sum(blocks.mean(0) ** 2) - np.sum(blocks.var(0, ddof=0)) / 40
    interval = found.interval()
    assert interval.value == pytest.approx(exact, abs=0.02)
    assert interval.raw == pytest.approx(30 / 40, rel=0.5) and interval.low < 0 < interval.value + 0.3
    assert interval.low < interval.raw < interval.high
    assert found.interval(0.0).root().low == 0.0


def test_the_smallest_of_several_lies_in_its_interval():
    rng = np.random.default_rng(2)
    truth, held = np.array([0.0, 0.05, 0.1, 0.5]), []
    for _ in range(100):
        blocks = truth + rng.standard_normal((40, 4))
        interval, (_, low, high) = drawn(blocks, lambda m: m, draws=300, seed=int(rng.integers(1 << 30))).lowest()
        held.append(interval.low <= 0.0 <= interval.high)
        assert interval.low == low.min() and interval.high == high.min()
    assert np.mean(held) >= 0.98


def test_functions_of_statistics_use_draws_that_belong_together():
    one = Sampled(np.array(2.0), np.array([1.0, 3.0]), 40)
    other = Sampled(np.array(1.0), np.array([0.5, 1.5]), 40)
    ratio = one.map(lambda a, b: a / b, other)
    np.testing.assert_array_equal(ratio.draws, [2.0, 2.0])
    assert ratio.interval() == Interval(2.0, 2.0, 2.0, 2.0)


def test_without_draws_there_is_no_interval():
    found = Sampled(np.array([1.0, 2.0]), np.empty((0, 2)), 0)[:1].map(lambda x: x.sum(-1)).interval()
    assert found.value == 1.0 and np.isnan(found.low) and np.isnan(found.high)


def test_weights_have_an_interval_of_no_width():
    assert fixed(0.25).root() == Interval(0.5, 0.5, 0.5, 0.5)


def test_the_squared_spread_is_that_of_the_whitened_eigenvalues():
    """In a basis that is not that of M: what lies off the diagonal counts as much as what lies on it."""
    rng = np.random.default_rng(3)
    M = rng.standard_normal((5, 5))
    M, s = M @ M.T, np.array([4.0, 2.0, 1.0, 0.5, 0.2])
    root = np.diag(s[:4] ** -0.5)
    values = np.linalg.eigvalsh(root @ M[:4, :4] @ root)
    assert spread_sq(M, s, 4) == pytest.approx((values.std() / values.mean()) ** 2, rel=1e-12)
    assert spread_sq(3 * np.diag(s), s, 5) == pytest.approx(0.0, abs=1e-12)


def test_blocks_are_drawn_with_replacement():
    sums = {"count": np.ones(40), "zz": np.arange(40.0)[:, None, None], "size": np.arange(40.0)}
    frame = Frame(None, False, np.zeros((1, 1)), None, np.empty(0), 1, 1)
    s = all_readings(sums, frame, draws=4000)["s"]
    assert s.full == pytest.approx(19.5)
    assert s.draws.std() == pytest.approx(np.arange(40.0).std() / np.sqrt(40), rel=0.05)
