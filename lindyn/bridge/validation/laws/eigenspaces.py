"""Eigenspace alignment (Theorem 3): cosines of the leading modes and the commutator, beside random rotations."""

from typing import Any

import numpy as np

from lindyn.bridge.validation.laws.table import LAWS
from lindyn.bridge.validation.laws.verdicts import held, main_kind, missing_map, too_few, untestable
from lindyn.bridge.validation.map_shape import random_alignment
from lindyn.bridge.validation.measured import Measured
from lindyn.bridge.validation.records import Finding
from lindyn.bridge.validation.sampled import Interval

NEARLY_ALL = 0.98
"""Where random directions reach so much, alignment with W_p is no news: the way from them to 1 is within the noise."""


def findings(measured: Measured) -> tuple[Finding, ...]:
    """Return `alignment` and `commutator`."""
    kind = main_kind(measured)
    reason = missing_map(measured) or too_few(measured)
    if reason:
        return tuple(untestable(law, reason, kind) for law in ("alignment", "commutator"))
    return _alignment(measured, kind), _commutator(measured, kind)


def _alignment(measured: Measured, kind: str) -> Finding:
    k = measured.leading
    cosine = measured.readings["cosine"][:k]
    interval = cosine.map(lambda c: np.mean(c, axis=-1)).interval(-1.0, 1.0, _unseen(measured))
    assert measured.main is not None
    random = random_alignment(measured.main.W_p, k)
    reference = float(np.mean(random)), float(np.mean(random) + 3 * np.std(random))
    details: dict[str, Any] = {
        "modes": k, "per_mode": cosine.full, "random": reference[0], "random_high": reference[1],
        "by_map": {name: numbers["alignment"] for name, numbers in measured.by_map.items()},
    }  # fmt: skip
    majority = LAWS["alignment"].limit
    assert majority is not None
    if reference[1] >= NEARLY_ALL:
        reason = (
            f"W_p is so near a multiple of the identity that random directions reach {reference[0]:.3f} "
            "as well: every basis is aligned with it."
        )
        return untestable("alignment", reason, kind, interval, **details)
    note = f"random rotations of W_p give {reference[0]:.2f}"
    return held("alignment", interval, kind, note, max(majority, (1 + reference[1]) / 2), **details)


def _unseen(measured: Measured) -> float:
    """Return by how much noise of directions outside the basis may lower the mean cosine: sum s_i / (N s_j)."""
    tail, s = float(np.maximum(measured.s[measured.U.shape[1] :], 0.0).sum()), measured.s[: measured.leading]
    return float(np.mean(tail / (measured.samples * s))) if tail and measured.samples else 0.0


def _commutator(measured: Measured, kind: str) -> Finding:
    square = measured.readings.get("commutator_sq")
    if square is None or np.isnan(square.full):
        reason = "W_p or F is a multiple of the identity: everything commutes with it."
        return untestable("commutator", reason, kind)
    interval: Interval = square.interval(0.0).root()
    other = {name: numbers["commutator"] for name, numbers in measured.by_map.items()}
    return held("commutator", interval, kind, by_map=other, modes=measured.U.shape[1])
