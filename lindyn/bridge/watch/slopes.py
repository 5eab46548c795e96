"""The slope of p against s in log-log, with the window it was fitted in and an interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks

WINDOW = 1e-2
"""Modes with s_j >= WINDOW max s enter the fit: below that, sampling and the other modes weigh as much as s_j."""
OTHER_WINDOWS = (1e-1, 1e-2, 1e-3)
"""Windows in which the slope is given beside the main one: where they disagree, there is no one power law."""
FEWEST = 5
"""Fewer modes than this leave an interval (3 degrees of freedom or less) that says nothing."""
SPREAD = 2.0
"""The largest s of the window must be this many times its smallest: equal s_j carry no slope."""
NEGATIVE = 0.1
"""Where more than this share of the window has p_j <= 0, a fit of log p would be one of the survivors only."""


@dataclass(frozen=True)
class SlopeFit:
    """log p = slope log s + intercept over the modes of a window.

    Args:
        slope: 1/2 where p_j ~ sqrt(s_j), as balance has it (Eq. 14 with c = 0) and DirectPred sets it (Eq. 18).
        low: lower end of the 95 % interval of least squares (independent scatter of log p).
        high: its upper end.
        modes: number of modes fitted.
        s_low: smallest s of the window.
        s_high: largest s of the window.
        verdict: "fitted", or "not testable: ..." with the reason; the slope is NaN then.
    """

    slope: float
    low: float
    high: float
    modes: int
    s_low: float
    s_high: float
    verdict: str


def fit_slope(p: Any, s: Any, window: float = WINDOW, limit: int | None = None) -> SlopeFit:
    """Return the slope of log p_j against log s_j over the modes with s_j >= window max s.

    Args:
        p: p_j = u_j^T W_p u_j, one per mode.
        s: eigenvalues of F beside them, in any order.
        window: share of the largest s below which a mode is left out, 0 < window < 1.
        limit: at most so many modes, the largest s first: min(N - 1, d) for F of N samples.

    Returns:
        The fit with its window and interval.

    Raises:
        ValueError: p and s of different length, NaN, a window outside (0, 1).

    Source: Tian, Chen, Ganguli 2021, Eqs. 14 and 18.
    """
    s = _checks.to_numpy(_checks.as_array("s", s, ndim=1)).astype(float)
    p = _checks.to_numpy(_checks.as_array("p", p, shape=s.shape)).astype(float)
    if not 0 < window < 1:
        raise ValueError(f"window must lie between 0 and 1; got {window:g}. It is a share of the largest s, say 0.01.")
    order = np.argsort(-s)[:limit]
    p, s = p[order], s[order]
    inside = (s > 0) & (s >= window * s[0])
    p, s = p[inside], s[inside]
    alive = p > 0
    reason = _not_testable(s, alive)
    ends = (float(s[-1]), float(s[0])) if len(s) else (np.nan, np.nan)
    if reason:
        return SlopeFit(np.nan, np.nan, np.nan, int(alive.sum()), *ends, f"not testable: {reason}")
    slope, low, high = _least_squares(np.log(s[alive]), np.log(p[alive]))
    return SlopeFit(slope, low, high, int(alive.sum()), *ends, "fitted")


def _not_testable(s: np.ndarray, alive: np.ndarray) -> str:
    """Return why no slope can be fitted, or nothing."""
    if len(s) - alive.sum() > NEGATIVE * len(s):
        return f"{len(s) - alive.sum()} of {len(s)} modes have p <= 0"
    if alive.sum() < FEWEST:
        return f"{alive.sum()} modes in the window, {FEWEST} needed"
    if s[alive].max() < SPREAD * s[alive].min():
        return f"s spreads by a factor {s[alive].max() / s[alive].min():.3g}, {SPREAD:g} needed"
    return ""


def _least_squares(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return the slope of y on x and its 95 % interval."""
    from scipy.special import stdtrit  # scipy.stats would take ten times as long to load

    x_0, y_0 = x - x.mean(), y - y.mean()
    slope = float(x_0 @ y_0 / (x_0 @ x_0))
    rest = y_0 - slope * x_0
    half = float(stdtrit(len(x) - 2, 0.975) * np.sqrt(rest @ rest / (len(x) - 2) / (x_0 @ x_0)))
    return slope, slope - half, slope + half
