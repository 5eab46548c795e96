"""From an interval to a verdict with its sentence."""

import math
from typing import Any

from lindyn.bridge.laws.law_table import LAWS
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding

FEWEST_MODES = 3
"""Fewer leading modes than this say nothing on a law of modes."""


def made(law: str, interval: Interval, verdict: str, reason: str, map_kind: str = "", **details: Any) -> Finding:
    """Return a finding of a law of the table."""
    row = LAWS[law]
    return Finding(
        law, row.title, row.statistic, interval.value, interval.low, interval.high, verdict, reason, row.source,
        row.group, map_kind, {"raw": interval.raw, "limit": row.limit, "why": row.why, **details},
    )  # fmt: skip


def untestable(law: str, reason: str, map_kind: str = "", interval: Interval | None = None, **details: Any) -> Finding:
    """Return a finding that says why the law cannot be tested, with the number where there is one."""
    nothing = Interval(math.nan, math.nan, math.nan, math.nan)
    return made(law, interval or nothing, NOT_TESTABLE, reason, map_kind, **details)


def held(
    law: str, interval: Interval, map_kind: str = "", note: str = "", limit: float | None = None, **details: Any
) -> Finding:
    """Return a finding by the law's limit: the whole interval must be on one side of it.

    Args:
        law: with a limit in the table, good "below" or "above" it.
        interval: of the statistic; without ends the number alone decides.
        map_kind: of the predictor's map.
        note: put after the reason.
        limit: in place of the table's.
        details: further numbers.
    """
    row = LAWS[law]
    limit = row.limit if limit is None else limit
    assert limit is not None
    if math.isnan(interval.value):
        return untestable(law, "The statistic has no value here (a norm it is divided by is 0).", map_kind, **details)
    unknown = math.isnan(interval.low)
    low, high = (interval.value, interval.value) if unknown else (interval.low, interval.high)
    inside = (high <= limit, low > limit) if row.good == "below" else (low >= limit, high < limit)
    verdict = HOLDS if inside[0] else FAILS if inside[1] else NOT_TESTABLE
    words = {
        HOLDS: f"It is {row.good} {limit:.2g} ({row.why})",
        FAILS: f"It must be {row.good} {limit:.2g} ({row.why})",
        NOT_TESTABLE: f"The limit {limit:.2g} lies inside the interval; more samples would narrow it ({row.why})",
    }[verdict]
    tail = "; no interval, the samples behind F are not known" if unknown else ""
    return made(
        law, interval, verdict, f"{words}{tail}{'; ' + note if note else ''}.", map_kind, **(details | {"limit": limit})
    )


def missing_map(measured: MeasuredNetwork, needs_features: bool = True) -> str:
    """Return why a law of the predictor cannot be tested at all, or nothing."""
    if not measured.maps:
        return "There is no predictor that could be read."
    if needs_features and not measured.readings:
        return "There are no features, and F is not in the checkpoint."
    return ""


def too_few(measured: MeasuredNetwork) -> str:
    """Return why there are too few modes for a law of modes, or nothing."""
    if measured.leading >= FEWEST_MODES:
        return ""
    return (
        f"Only {measured.leading} of {measured.dim} modes are ten times above the noise of {measured.samples} samples, "
        f"{FEWEST_MODES} are needed; give more samples."
    )


def main_kind(measured: MeasuredNetwork) -> str:
    """Return the kind of the main map, "" without one."""
    return measured.main.kind if measured.main is not None else ""
