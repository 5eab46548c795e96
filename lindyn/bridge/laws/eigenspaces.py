"""Eigenspace alignment (Theorem 3), one statement in two scopes: the leading modes one by one, and the whole matrix.

W_p and F share their eigenvectors if and only if they commute. The leading modes may do so while the many small ones,
of which the samples or the training know little, do not.
"""

from typing import Any

import numpy as np

from lindyn.bridge.laws.law_definition import (
    MODES_OF_PREDICTOR,
    TIAN,
    Judgement,
    KnownRun,
    by_limit,
    law,
    side,
    untestable,
)
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.records import HOLDS
from lindyn.statistics import random_alignment

TITLE = "W_p and F share their eigenvectors"
MAJORITY, HALF = 0.5**0.5, 0.5
NEARLY_ALL, ALL = 0.98, 0.9999
"""Where random directions reach the first, a miss says nothing against alignment, as all bases are nearly aligned: what
is left of W_p beside a multiple of I is small. Where they reach the second, being aligned says nothing either."""


@law(
    title=TITLE, scope="leading modes", short="alignment",
    statistic="mean over the leading modes of cos(u_j, W_p u_j), u_j the eigenvectors of F",
    source=f"{TIAN}, Theorem 3, Fig. 2", limit=MAJORITY, good="above", needs=MODES_OF_PREDICTOR, role="foundation",
    why="above 0.71 more of W_p u_j lies along u_j than across it; the limit is half the way from random rotations of "
    "W_p to 1 where that is more",
    statements=("tian.theorem_3",),
)  # fmt: skip
def alignment(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    k, (mean, high) = measured.leading, _random(measured)
    limit = max(MAJORITY, (1 + high) / 2)
    cosine = measured.readings["cosine"][:k]
    interval = cosine.map(lambda c: np.mean(c, axis=-1)).interval(-1.0, 1.0, _unseen(measured))
    details: dict[str, Any] = {
        "modes": k, "per_mode": cosine.full, "random": mean, "random_high": high,
        "by_map": {name: numbers["alignment"] for name, numbers in measured.by_map.items()},
    }  # fmt: skip
    if high >= NEARLY_ALL and (high >= ALL or side(interval, limit, "above") != HOLDS):
        return untestable(_trivial(mean), interval, **details, limit=limit)
    return by_limit(interval, f"random rotations of W_p give {mean:.2f}", limit, **details)


@law(
    title=TITLE, scope="whole matrix", short="alignment",
    statistic="||[F, W_p]|| over its root mean square for randomly rotated W_p: they commute where all modes share",
    source=f"{TIAN}, Theorem 3", limit=HALF, good="below", needs=MODES_OF_PREDICTOR,
    why="1 for a predictor that ignores F; 0.5 is a quarter of that in squares",
    statements=("tian.theorem_3",),
)  # fmt: skip
def commutator(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    square = measured.readings.get("commutator_sq")
    if square is None or np.isnan(square.full):
        return untestable("W_p or F is a multiple of the identity: everything commutes with it.")
    interval = square.interval(0.0).root()
    details: dict[str, Any] = {
        "modes": measured.U.shape[1],
        "by_map": {name: numbers["commutator"] for name, numbers in measured.by_map.items()},
    }
    if side(interval, HALF, "below") != HOLDS:
        mean, high = _random(measured)
        if high >= NEARLY_ALL:
            return untestable(_trivial(mean), interval, **details)
    return by_limit(interval, **details)


def _random(measured: MeasuredNetwork) -> tuple[float, float]:
    """Return the mean cosine that random rotations of W_p give, and what they hardly ever reach."""
    assert measured.main is not None
    random = random_alignment(measured.main.W_p, measured.leading)
    return float(np.mean(random)), float(np.mean(random) + 3 * np.std(random))


def _trivial(mean: float) -> str:
    return (
        f"W_p is so near a multiple of the identity that random directions reach a cosine of {mean:.3f} as well: "
        "every basis is aligned with it."
    )


def _unseen(measured: MeasuredNetwork) -> float:
    """Return by how much noise of directions outside the basis may lower the mean cosine: sum s_i / (N s_j)."""
    tail, s = float(np.maximum(measured.s[measured.U.shape[1] :], 0.0).sum()), measured.s[: measured.leading]
    return float(np.mean(tail / (measured.samples * s))) if tail and measured.samples else 0.0
