"""Eigenspace alignment (Theorem 3): cosines of the leading modes and the commutator, beside random rotations."""

from dataclasses import replace
from typing import Any

import numpy as np

from lindyn.bridge.laws.law_table import LAWS
from lindyn.bridge.laws.verdicts import held, main_kind, missing_map, too_few, untestable
from lindyn.bridge.measure.map_shape import random_alignment
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.records import HOLDS, NOT_TESTABLE, Finding

NEARLY_ALL, ALL = 0.98, 0.9999
"""Where random directions reach the first, a miss says nothing against alignment, as all bases are nearly aligned: what
is left of W_p beside a multiple of I is small. Where they reach the second, being aligned says nothing either."""


def findings(measured: MeasuredNetwork) -> tuple[Finding, ...]:
    """Return `alignment` and `commutator`."""
    kind = main_kind(measured)
    reason = missing_map(measured) or too_few(measured)
    if reason:
        return tuple(untestable(law, reason, kind) for law in ("alignment", "commutator"))
    assert measured.main is not None
    random = random_alignment(measured.main.W_p, measured.leading)
    reference = float(np.mean(random)), float(np.mean(random) + 3 * np.std(random))
    found = _alignment(measured, kind, reference), _commutator(measured, kind)
    if not reference[1] >= NEARLY_ALL:
        return found
    trivial = (
        f"W_p is so near a multiple of the identity that random directions reach a cosine of {reference[0]:.3f} "
        "as well: every basis is aligned with it."
    )
    decided = (found[0].verdict == HOLDS and reference[1] < ALL, found[1].verdict == HOLDS)
    return tuple(
        finding if stands else replace(finding, verdict=NOT_TESTABLE, reason=trivial)
        for finding, stands in zip(found, decided, strict=True)
    )


def _alignment(measured: MeasuredNetwork, kind: str, reference: tuple[float, float]) -> Finding:
    k, majority = measured.leading, LAWS["alignment"].limit
    assert majority is not None
    cosine = measured.readings["cosine"][:k]
    interval = cosine.map(lambda c: np.mean(c, axis=-1)).interval(-1.0, 1.0, _unseen(measured))
    details: dict[str, Any] = {
        "modes": k, "per_mode": cosine.full, "random": reference[0], "random_high": reference[1],
        "by_map": {name: numbers["alignment"] for name, numbers in measured.by_map.items()},
    }  # fmt: skip
    note = f"random rotations of W_p give {reference[0]:.2f}"
    return held("alignment", interval, kind, note, max(majority, (1 + reference[1]) / 2), **details)


def _unseen(measured: MeasuredNetwork) -> float:
    """Return by how much noise of directions outside the basis may lower the mean cosine: sum s_i / (N s_j)."""
    tail, s = float(np.maximum(measured.s[measured.U.shape[1] :], 0.0).sum()), measured.s[: measured.leading]
    return float(np.mean(tail / (measured.samples * s))) if tail and measured.samples else 0.0


def _commutator(measured: MeasuredNetwork, kind: str) -> Finding:
    square = measured.readings.get("commutator_sq")
    if square is None or np.isnan(square.full):
        return untestable("commutator", "W_p or F is a multiple of the identity: everything commutes with it.", kind)
    interval = square.interval(0.0).root()
    details: dict[str, Any] = {
        "modes": measured.U.shape[1],
        "by_map": {name: numbers["commutator"] for name, numbers in measured.by_map.items()},
    }
    return held("commutator", interval, kind, **details)
