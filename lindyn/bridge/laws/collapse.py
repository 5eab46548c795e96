"""Collapse with right definitions: spread of normalised features, concentration, effective rank, RankMe."""

from typing import Any

import numpy as np

from lindyn.bridge.laws.verdicts import made, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding
from lindyn.bridge.watch.diagnosis import CONCENTRATION_AT_RISK, SPREAD_AT_RISK

RANKS = ("effective_rank", "rankme")


def findings(measured: MeasuredNetwork) -> tuple[Finding, ...]:
    """Return `collapse`, `effective_rank` and `rankme`."""
    if not measured.readings:
        return tuple(untestable(law, "There are no features.") for law in ("collapse", *RANKS))
    return (_collapse(measured), *(_rank(measured, law) for law in RANKS))


def _collapse(measured: MeasuredNetwork) -> Finding:
    concentration = measured.readings["concentration"].interval(0.0, 1.0)
    details: dict[str, Any] = {
        "concentration": concentration.value, "concentration_low": concentration.low,
        "concentration_high": concentration.high,
    }  # fmt: skip
    if np.isnan(measured.readings["concentration"].full):
        return made("collapse", Interval(0.0, 0.0, 0.0, 0.0), FAILS, "All features are zero.", **details)
    if "std" not in measured.readings:
        reason = "The spread of normalised features needs the features, not only F."
        return untestable("collapse", reason, **details)
    root = float(np.sqrt(measured.dim))
    spread = measured.readings["std"].map(lambda std: std * root).interval(0.0)
    crowded = measured.dim > 1 and concentration.low > CONCENTRATION_AT_RISK
    loose = measured.dim == 1 or concentration.high <= CONCENTRATION_AT_RISK
    if spread.high < SPREAD_AT_RISK or crowded:
        verdict = FAILS
    else:
        verdict = HOLDS if spread.low >= SPREAD_AT_RISK and loose else NOT_TESTABLE
    reason = {
        HOLDS: f"The spread is above {SPREAD_AT_RISK:.2g} and one direction carries at most {concentration.high:.2g}",
        FAILS: f"The spread is {spread.value:.2g} (at risk below {SPREAD_AT_RISK:.2g}) and one direction carries "
        f"{concentration.value:.2g} (at risk above {CONCENTRATION_AT_RISK:g})",
        NOT_TESTABLE: f"A limit lies inside its interval: {SPREAD_AT_RISK:.2g} of the spread, or "
        f"{CONCENTRATION_AT_RISK:g} of one direction's share",
    }[verdict]
    return made("collapse", spread, verdict, f"{reason} of tr F.", **details)


def _rank(measured: MeasuredNetwork, law: str) -> Finding:
    known = min(measured.samples - 1, measured.dim) if measured.samples else measured.dim
    interval = measured.readings[law].map(lambda rank: rank / known).interval(0.0, 1.0)
    reason = "No paper sets a limit; compare it along a run or between runs."
    return untestable(law, reason, "", interval, modes=interval.value * known, at_most=known)
