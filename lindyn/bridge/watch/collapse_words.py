"""Collapse in three words, one definition for the watch, `diagnose`, `validate` and `compare` (docs/layers.md).

A direction lives where its variance is at least a hundredth of an equal share, c_j >= tr C / (100 D), c_j the
eigenvalues of the centred covariance C and D = min(d, N - 1, width before the last linear map) what could live. All
that do not live hold less than 1 % of the variance together.

complete   one direction holds more than 0.99, of tr C or of tr F: a point, a line through or beside the origin; or
           the normalised features, or the size of F, are gone
partial    at most half of the D directions live, and behind them the spectrum falls off a cliff, c_j > 10 c_j+1;
           or a quarter of the samples are one point
none       all else: spectra that fall by a power law, or exponentially, have no cliff
"""

import math
from typing import Any

import numpy as np

from lindyn.bridge.readings import COMPLETE, NONE, PARTIAL, Collapse
from lindyn.theory.living_directions import DEAD, ROUND_OFF, SCALE_COLLAPSED, cliff, living

ONE_POINT = 0.25
"""A share of the samples at one point that is a collapse of these samples."""
CONCENTRATION_AT_RISK, CONCENTRATION_COLLAPSED = 0.9, 1 - DEAD
SPREAD_AT_RISK, SPREAD_COLLAPSED = math.sqrt(1 - 0.9), 0.1  # sqrt(1 - share of the constant part), as above
SCALE_AT_RISK = 1e-3
ERRORS = 2.58
"""Standard errors of an interval of 99 %; that of an eigenvalue is sqrt(2 / N) of it (Gaussian features)."""

WORDS = ("healthy", "at risk", "collapsed")
UNKNOWN = "unknown"
_TINY = float(np.finfo(float).tiny)


def could_live(d: int, samples: float | None = None, width: int | None = None) -> tuple[int, str]:
    """Return how many directions could live, and what limits them where it is not d, in words.

    Args:
        d: dimension of the features.
        samples: N, None or 0 where it is not known.
        width: of the layer before the last linear map, None where it is not known.
    """
    limits = [(d, "")]
    limits += [(width, f"the {width} units before the last linear layer")] if width else []
    limits += [(int(samples) - 1, f"{int(samples)} samples")] if samples and samples > 1 else []
    return min(limits, key=lambda limit: limit[0])


def count_above(s: np.ndarray, v: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Return how many eigenvalues of diag(s) - v v^T lie above an edge, by the inertia of its bordered matrix.

    With s the eigenvalues of F and v = U^T m these are those of the covariance F - m m^T, without solving for them.

    Args:
        s: (..., n).
        v: (..., n).
        edge: (...).
    """
    apart = s - edge[..., None]
    apart = np.where(apart == 0, _TINY, apart)
    return np.asarray(np.sum(apart > 0, axis=-1) - (np.sum(v**2 / apart, axis=-1) >= 1))


def largest_without(s: np.ndarray, v: np.ndarray, steps: int = 50) -> np.ndarray:
    """Return the largest eigenvalue of diag(s) - v v^T, s largest first, by halving between s_2 and s_1."""
    high, low = s[..., 0], s[..., 1] if s.shape[-1] > 1 else np.zeros_like(s[..., 0])
    for _ in range(steps):
        middle = (low + high) / 2
        above = count_above(s, v, middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray((low + high) / 2)


def read_collapse(
    s: Any,
    centred: Any = None,
    *,
    samples: float | None = None,
    width: int | None = None,
    spread: float = math.nan,
    scale: float = math.nan,
    round_off: float = ROUND_OFF,
) -> Collapse:
    """Return the word for a spectrum, with its numbers.

    Args:
        s: eigenvalues of F = E[z z^T], largest first.
        centred: eigenvalues of the covariance, largest first; None where the mean is not known: those of F stand.
        samples: N.
        width: of the layer before the last linear map.
        spread: sqrt(d) x the mean standard deviation of l2-normalised features; NaN if not measured.
        scale: tr F over tr F at the start; NaN if there is no start.
        round_off: of the spectrum, relative to the largest s.

    Returns:
        The reading.
    """
    s = np.maximum(np.asarray(s, dtype=float), 0.0)
    d = len(s)
    D, limit = could_live(d, samples, width)
    floor = round_off * (s[0] if d else 0.0)
    c = s if centred is None else np.maximum(np.asarray(centred, dtype=float), 0.0)
    c = np.where(c > floor, c, 0.0)
    share, own = (float(x[0] / x.sum()) if x.sum() > 0 else math.nan for x in (s, c))
    alarm, reason = collapse_alarm(share, spread, scale, d, own)
    error = min(ERRORS * math.sqrt(2 / samples), 0.9) if samples else 0.0
    live, low, high = (int(living(c, c.sum(), D, part)) for part in (1.0, 1 + error, 1 - error))
    numbers: dict[str, Any] = {
        "live": live, "live_low": low, "live_high": min(high, D), "directions": D, "limit": limit,
        "live_uncentred": int(living(s, s.sum(), D)), "concentration": share, "concentration_centred": own,
        "shape": "", "centred": centred is not None,
    }  # fmt: skip
    if alarm == WORDS[2]:
        numbers["shape"] = _shape(s, c, share, own, spread, scale)
        return Collapse(COMPLETE, alarm=alarm, reason=reason, **numbers)
    if live > 1 and cliff(c, live, D, floor):
        why = f"{live} of {D} directions live, the others hold less than {100 * DEAD:g} % of the variance."
        return Collapse(PARTIAL, alarm=WORDS[1], reason=why, **numbers)
    return Collapse(NONE, alarm=alarm, reason=reason, **numbers)


def _shape(s: np.ndarray, c: np.ndarray, share: float, own: float, spread: float, scale: float) -> str:
    """Return what a complete collapse looks like, in words."""
    if math.isnan(share):
        return "all features are zero"
    if c.sum() < DEAD * s.sum() or spread < SPREAD_COLLAPSED:
        return "a point"
    if share > CONCENTRATION_COLLAPSED:
        return "a line through the origin"
    return "a line beside the origin" if own > CONCENTRATION_COLLAPSED else "their size is gone"


def collapse_alarm(
    concentration: float, spread: float = math.nan, scale: float = math.nan, d: int = 2, centred: float = math.nan
) -> tuple[str, str]:
    """Return ("healthy" | "at risk" | "collapsed", the reason in one sentence), from what the loss does not show.

    concentration   features that are all one vector, and features that vary along one line through the origin, both
                    end at 1; a healthy spectrum of k equal modes has 1/k
    centred         the same of the covariance: features on a line that misses the origin, or at two points, end at 1
    spread          1 for isotropic features, 0 where all point the same way. For features of mean direction m it is
                    at most sqrt(1 - |m|^2), so that a spread of 0.1 means that the constant part carries 0.99 of the
                    normalised features: the two thresholds are one, read off F or off the features
    scale           the linear theory's own collapse is p = s = 0, approached as exp(-2 eta t) with the shape of F
                    kept, which neither of the other two sees. A mode that lives has p_+ between one half and one of
                    tau / (1 + sigma^2) (0 < eta < critical), hence s_+ >= tau^2 / (4 alpha_p (1 + sigma^2)^2): from a
                    start of order one a thousandth lies below every living mode up to alpha_p of some hundred, and a
                    millionth, a thousandth of the features' length, is reached only by decay

    Args:
        concentration: largest eigenvalue of F over tr F, between 1/d and 1; NaN where F = 0.
        spread: sqrt(d) x the mean standard deviation of l2-normalised features; NaN if not measured.
        scale: tr F over tr F at the start; NaN if there is no start.
        d: dimension of the features; with d = 1 neither concentration says anything.
        centred: largest eigenvalue of the covariance over its trace; NaN where it is not known.

    Returns:
        The worst word that any of them gives, and its reason.
    """
    if math.isnan(concentration):
        return WORDS[2], "All features are zero."
    found = [_scale(scale), _spread(spread)]
    if d > 1:
        found += [_concentration(concentration), _concentration(centred, " about their mean")]
    level, reason = max(found, key=lambda pair: pair[0])
    if level == 0:
        reason = f"The largest of {d} directions carries {concentration:.2g} of tr F."
    return WORDS[level], reason


def _concentration(value: float, where: str = "") -> tuple[int, str]:
    level = (value > CONCENTRATION_AT_RISK) + (value > CONCENTRATION_COLLAPSED)
    of = "the features' variance" if where else "tr F"
    return level, f"One direction carries {value:.4g} of {of}{where} (at risk above {CONCENTRATION_AT_RISK:g})."


def _spread(value: float) -> tuple[int, str]:
    level = (value < SPREAD_AT_RISK) + (value < SPREAD_COLLAPSED)
    return level, f"Normalised features spread {value:.3g} of isotropic ones (at risk below {SPREAD_AT_RISK:.2g})."


def _scale(value: float) -> tuple[int, str]:
    level = (value < SCALE_AT_RISK) + (value < SCALE_COLLAPSED)
    return level, f"tr F fell to {value:.3g} of its start (at risk below {SCALE_AT_RISK:g})."
