"""Edges of verdicts: intervals that just meet a band, just miss it, or are too wide to say."""

from types import SimpleNamespace

import numpy as np
import pytest

from lindyn.bridge import validate
from lindyn.bridge.laws import balance
from lindyn.bridge.measure.sampled import Interval, Sampled
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.45, 0.55, HOLDS), (0.59, 0.7, HOLDS), (0.61, 0.7, FAILS), (0.3, 0.41, HOLDS), (0.3, 0.39, FAILS),
        (0.1, 0.55, NOT_TESTABLE), (0.45, 0.9, NOT_TESTABLE), (0.61, 1.9, FAILS),
    ],
)  # fmt: skip
def test_an_interval_beside_a_band(low, high, verdict):
    """The band is 0.5 +- 0.1, a side of more than 0.3 says nothing; the value stands near the end next to 0.5."""
    value = low if low > 0.5 else high if high < 0.5 else 0.5
    found, reason = balance.near_a_number(Interval(value, low, high, value), 0.5, 0.1, 0.3, 5)
    assert found == verdict and "5 modes" in reason


@pytest.mark.parametrize(
    ("centre", "deviation", "verdict"),
    [
        (1.0, 0.05, HOLDS), (1.44, 0.02, HOLDS), (1.6, 0.03, FAILS), (0.5, 0.04, FAILS), (1.45, 0.1, NOT_TESTABLE),
        (0.7, 0.05, NOT_TESTABLE), (0.7, 0.01, HOLDS),
    ],
)  # fmt: skip
def test_alpha_p_within_a_factor(centre, deviation, verdict):
    """p^2/(alpha_p s_V) with its draws: within a factor 1.5 of 1, outside of it, or across its edge."""
    alpha_p, s_V = 2.0, np.array([0.4, 0.3, 0.2])
    draws = np.linspace(-1.0, 1.0, 400)
    draws = centre + deviation * draws / draws.std(ddof=1)
    p = Sampled(np.sqrt(centre * alpha_p * s_V), np.sqrt(draws[:, None] * alpha_p * s_V), 400)
    layer = Sampled(s_V, np.tile(s_V, (400, 1)), 400)
    measured = SimpleNamespace(leading=3, readings={"p": p, "s_V": layer})
    found = balance.constant(measured, SimpleNamespace(rates=SimpleNamespace(alpha_p=alpha_p)))
    assert found.verdict == verdict, found


def test_a_share_s_interval_ends_at_one():
    """Heavy-tailed features beside a line: the draws alone would put the upper end above the whole."""
    rng = np.random.default_rng(0)
    z = rng.standard_t(2, size=(80, 1)) * np.array([[1.0, *[0.0] * 7]]) + 0.003 * rng.normal(size=(80, 8))
    answer = validate(features=(z, z + 0.003 * rng.normal(size=z.shape)))
    (found,) = [each for each in answer.findings if "concentration" in each.details]
    assert found.details["concentration"] < 1
    assert found.details["concentration_high"] == found.details["concentration_centred_high"] == 1.0
