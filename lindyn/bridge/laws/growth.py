"""Richemond's claim 8 along a run: stable rank and trace of W_p at the last checkpoint against the first."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lindyn.bridge.laws import predictor_shape
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding, Pieces
from lindyn.bridge.report.wording import number

LAWS = ("stable_rank", "trace")


def with_growth(found: tuple[Finding, ...], readings: Sequence[tuple[Pieces, Any]]) -> tuple[Finding, ...]:
    """Return the findings of the last checkpoint, `stable_rank` and `trace` judged by those of the first.

    Args:
        found: of the last checkpoint.
        readings: (pieces, measured) of the run's checkpoints in order.

    Returns:
        The findings; as they were for a single checkpoint, or where the predictor's maps are of different kinds.

    Source: Richemond et al. 2023, claim 8, Fig. 1.
    """
    if len(readings) < 2:
        return found
    begun = {one.law: one for one in predictor_shape.findings(readings[0][1])}
    where = _place(readings[0][0])
    return tuple(_judged(one, begun[one.law], where) if one.law in LAWS else one for one in found)


def _judged(last: Finding, first: Finding, where: str) -> Finding:
    if last.map_kind != first.map_kind or math.isnan(last.value) or math.isnan(first.value):
        return last
    grown, fallen = _low(last) > _high(first), _high(last) < _low(first)
    verdict = HOLDS if grown else FAILS if fallen else NOT_TESTABLE
    words = {HOLDS: "It grew", FAILS: "It fell", NOT_TESTABLE: "The intervals overlap: it went"}[verdict]
    reason = f"{words} from {number(first.value)} at {where} to {number(last.value)}."
    more = {"first": first.value, "first_low": _low(first), "first_high": _high(first), "first_at": where}
    return replace(last, verdict=verdict, reason=reason, details={**last.details, **more})


def _low(one: Finding) -> float:
    return one.value if math.isnan(one.low) else one.low


def _high(one: Finding) -> float:
    return one.value if math.isnan(one.high) else one.high


def _place(pieces: Pieces) -> str:
    if pieces.step is not None:
        return f"step {pieces.step}"
    return f"epoch {pieces.epoch}" if pieces.epoch is not None else "the first checkpoint"
