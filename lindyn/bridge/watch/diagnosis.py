"""What a network's features and predictor say in the theory's terms: one pure function on F and W_p."""

import math
from typing import Any

import numpy as np

from lindyn import _checks, statistics
from lindyn.bridge.readings import Collapse, Diagnosis, SlopeFit
from lindyn.bridge.watch.collapse_words import read_collapse
from lindyn.predictors import arrays

LEADING = 16
"""Modes that the one number `alignment_top` averages over, as the published traces of real runs do."""
WINDOW = 1e-2
"""Modes with s_j >= WINDOW max s enter the fit: below that, sampling and the other modes weigh as much as s_j."""
OTHER_WINDOWS = (1e-1, 1e-2, 1e-3)
"""Windows in which the slope is given beside the main one: where they disagree, there is no one power law."""
FEWEST = 5
"""Fewer modes than this leave an interval (3 degrees of freedom or less) that says nothing."""
SPREAD = 2.0
"""The largest s of the window must be this many times its smallest: equal s_j carry no slope."""
OF_SPECTRUM = 0.1
"""Eigenvalues below this share of the round-off that an asymmetry of F may have are none."""
NEGATIVE = 0.1
"""Where more than this share of the window has p_j <= 0, a fit of log p would be one of the survivors only."""


def fit_slope(p: Any, s: Any, window: float = WINDOW, limit: int | None = None, spread: float = SPREAD) -> SlopeFit:
    """Return the slope of log p_j against log s_j over the modes with s_j >= window max s.

    Args:
        p: p_j = u_j^T W_p u_j, one per mode.
        s: eigenvalues of F beside them, in any order.
        window: share of the largest s below which a mode is left out, 0 < window < 1.
        limit: at most so many modes, the largest s first: min(N - 1, d) for F of N samples.
        spread: factor over which s must reach.

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
    reason = _not_testable(s, alive, spread)
    ends = (float(s[-1]), float(s[0])) if len(s) else (np.nan, np.nan)
    if reason:
        return SlopeFit(np.nan, np.nan, np.nan, int(alive.sum()), *ends, f"not testable: {reason}")
    from scipy.special import stdtrit  # scipy.stats would take ten times as long to load

    slope, error = (float(x) for x in statistics.slope(p, s))
    half = float(stdtrit(int(alive.sum()) - 2, 0.975)) * error
    return SlopeFit(slope, slope - half, slope + half, int(alive.sum()), *ends, "fitted")


def _not_testable(s: np.ndarray, alive: np.ndarray, spread: float) -> str:
    """Return why no slope can be fitted, or nothing."""
    if len(s) - alive.sum() > NEGATIVE * len(s):
        return f"{len(s) - alive.sum()} of {len(s)} modes have p <= 0"
    if alive.sum() < FEWEST:
        return f"{alive.sum()} modes in the window, {FEWEST} needed"
    if s[alive].max() < spread * s[alive].min():
        return f"s spreads by a factor {s[alive].max() / s[alive].min():.3g}, {spread:.3g} needed"
    return ""


def diagnose(
    F: Any,
    W_p: Any,
    W: Any = None,
    *,
    std: float | None = None,
    samples: int | None = None,
    start: float | None = None,
    mean: Any = None,
    width: int | None = None,
) -> Diagnosis:
    """Return what F and W_p say about alignment, balance, rank and collapse.

    Args:
        F: E[z z^T] of the predictor's inputs (not centred), d x d, symmetric PSD; numpy, JAX or torch.
        W_p: the predictor, or the linear map nearest to it, d x d, acting on column vectors.
        W: weights of a linear online network, d x n; balance is then that of Theorem 1, W W^T against W_p^T W_p.
        std: mean over dimensions of the standard deviation of l2-normalised features (`std_of_normalised`).
        samples: N, how many features F was gathered from: no more than min(N - 1, d) modes are known.
        start: tr F at the start of training, the scale's reference.
        mean: E[z], length d; without it collapse about the mean is not seen.
        width: of the layer before the last linear map, which no rank of F - mean mean^T exceeds.

    Returns:
        The reading.

    Raises:
        ValueError: shapes that do not fit, F not symmetric PSD, NaN or infinity, half precision, samples < 2.

    Source: Tian, Chen, Ganguli 2021, Theorem 1, Fig. 2, Eqs. 14, 18; Roy and Vetterli 2007 (effective rank); Garrido
    et al. 2023 (RankMe); Chen and He 2021 (standard deviation of normalised features).
    """
    F, W_p, round_off = _matrices(F, W_p)
    known = _known_modes(samples, len(F))
    s, U = statistics.eigen(F)
    _refuse_negative(s, round_off)
    p, alignment = statistics.alignment(W_p @ U, U)
    commutator = statistics.commutator_norm(F, W_p)
    residual, c = statistics.balance_residual_fitted(F if W is None else _gram(W, len(F)), statistics.gram(W_p))
    return Diagnosis(
        s=s,
        p=p,
        alignment=alignment,
        spectrum_W_p=statistics.symmetric_spectrum(W_p),
        alignment_top=float(np.mean(alignment[:LEADING])),
        asymmetry=float(statistics.asymmetry(W_p)),
        commutator_norm=float(commutator),
        commutator_share=float(statistics.commutator_share(F, W_p, commutator)),
        balance_c=float(c),
        balance_residual_fitted=float(residual),
        slope=fit_slope(p, s, limit=known),
        slope_by_window=np.array([fit_slope(p, s, window, known).slope for window in OTHER_WINDOWS]),
        **_collapse(s, _centred(F, mean), known, std, start, samples, width, round_off),
    )


def collapse_of(
    F: Any, *, std: float | None = None, samples: int | None = None, mean: Any = None, width: int | None = None
) -> Collapse:
    """Return the word on collapse alone, of features without a predictor; arguments as `diagnose` has them."""
    F, _, round_off = _matrices(F, np.eye(len(F)))
    _known_modes(samples, len(F))
    s = statistics.symmetric_spectrum(F)
    spread = math.nan if std is None else std * math.sqrt(len(F))
    return read_collapse(
        s, _centred(F, mean), samples=samples, width=width, spread=spread, round_off=round_off * OF_SPECTRUM
    )


def _matrices(F: Any, W_p: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Return F and W_p in double precision, F symmetric, and the round-off of what was given."""
    F = arrays.as_matrix("F", F, symmetric=True)
    tolerance = arrays.PRECISE.get(arrays.dtype_name(F), 1e-5)
    W_p = arrays.as_matrix("W_p", W_p, n=F.shape[0])
    F, W_p = (_checks.to_numpy(M).astype(np.float64) for M in (F, W_p))
    return F, W_p, tolerance


def _refuse_negative(s: np.ndarray, tolerance: float) -> None:
    if s[-1] < -tolerance * max(s[0], -s[-1]):
        raise ValueError(
            f"F must be positive semi-definite; got smallest eigenvalue {s[-1]:.3g}. It is E[z z^T] of one view, not "
            "the cross-correlation of two."
        )


def _known_modes(samples: int | None, d: int) -> int:
    if samples is None:
        return d
    if samples < 2:
        raise ValueError(f"samples must be 2 or more; got {samples}. One feature has no spectrum.")
    return min(int(samples) - 1, d)


def _gram(W: Any, d: int) -> np.ndarray:
    W = _checks.to_numpy(_checks.as_array("W", W, ndim=2)).astype(np.float64)
    if len(W) != d:
        raise ValueError(f"W must have {d} rows, as F has; got shape {W.shape}.")
    return W @ W.T


def _centred(F: np.ndarray, mean: Any) -> np.ndarray | None:
    """Return the eigenvalues of F - mean mean^T, largest first; None without a mean."""
    if mean is None:
        return None
    m = _checks.to_numpy(_checks.as_array("mean", mean, shape=(len(F),))).astype(np.float64)
    return statistics.symmetric_spectrum(F - np.outer(m, m))


def _collapse(
    s: np.ndarray, centred: np.ndarray | None, known: int, std: float | None, start: float | None,
    samples: int | None, width: int | None, round_off: float,
) -> dict[str, Any]:  # fmt: skip
    """Return size, ranks, spread and the alarm; `known` modes at most can be told from none."""
    positive, d = np.maximum(s, 0.0), len(s)
    total = float(positive.sum())
    rank, rankme = float(statistics.entropy_rank(positive)), float(statistics.rankme(s))
    concentration = float(statistics.concentration(s))
    std = math.nan if std is None else _checks.as_scalar("std", std, minimum=0.0)
    scale = math.nan
    if start is not None:
        scale = total / _checks.as_scalar("start", start, minimum=0.0, exclusive=True)
    spread = std * math.sqrt(d)
    found = read_collapse(
        s, centred, samples=samples, width=width, spread=spread, scale=scale, round_off=round_off * OF_SPECTRUM
    )
    return {
        "trace_F": total,
        "effective_rank": rank,
        "effective_rank_share": rank / known,
        "rankme": rankme,
        "rankme_share": rankme / known,
        "concentration": concentration,
        "std": std,
        "spread": spread,
        "scale": scale,
        "alarm": found.alarm,
        "reason": found.reason,
        "collapse": found,
    }
