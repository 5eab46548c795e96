"""Collapse with right definitions: spread of normalised features, concentration, effective rank, RankMe."""

from typing import Any

import numpy as np

from lindyn.bridge.laws.law_definition import Judgement, KnownRun, by_limit, judged, law, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import fixed
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.bridge.watch.diagnosis import CONCENTRATION_AT_RISK, SPREAD_AT_RISK


def some_features(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return that there are no features, or nothing."""
    return "" if measured.readings else "There are no features."


@law(
    title="the features have not collapsed", role="alarm",
    statistic="sqrt(d) x mean standard deviation of l2-normalised features, and the largest share of tr F in one "
    "direction",
    source="Chen and He 2021", group="collapse", limit=SPREAD_AT_RISK, good="above", needs=(some_features,),
    why="the alarm's limits: spread above 0.32 and no direction with more than 0.9 of tr F",
)  # fmt: skip
def collapse(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    concentration = measured.readings["concentration"].interval(0.0, 1.0)
    details: dict[str, Any] = {
        "concentration": concentration.value, "concentration_low": concentration.low,
        "concentration_high": concentration.high,
    }  # fmt: skip
    if np.isnan(measured.readings["concentration"].full):
        return judged(fixed(0.0), FAILS, "All features are zero.", **details)
    if "std" not in measured.readings:
        return untestable("The spread of normalised features needs the features, not only F.", **details)
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
    return judged(spread, verdict, f"{reason} of tr F.", **details)


@law(
    title="the features use many directions", group="collapse", source="Roy and Vetterli 2007", needs=(some_features,),
    statistic="exp of the entropy of F's eigenvalues, over min(N - 1, d)",
)  # fmt: skip
def effective_rank(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return _rank(measured, "effective_rank")


@law(
    title="the features use many directions (RankMe)", short="RankMe", group="collapse", source="Garrido et al. 2023",
    statistic="exp of the entropy of the features' singular values, over min(N - 1, d)", needs=(some_features,),
)  # fmt: skip
def rankme(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return _rank(measured, "rankme")


def _rank(measured: MeasuredNetwork, name: str) -> Judgement:
    known = min(measured.samples - 1, measured.dim) if measured.samples else measured.dim
    interval = measured.readings[name].map(lambda rank: rank / known).interval(0.0, 1.0)
    return by_limit(interval, modes=interval.value * known, at_most=known)
