"""Collapse with right definitions: spread of normalised features, concentration, effective rank, RankMe."""

from typing import Any

import numpy as np

from lindyn.bridge.laws.law_definition import Judgement, KnownRun, by_limit, judged, law, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval, fixed
from lindyn.bridge.readings import COMPLETE, PARTIAL
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.bridge.watch.collapse_words import CONCENTRATION_AT_RISK as LIMIT
from lindyn.bridge.watch.collapse_words import SPREAD_AT_RISK

SHARES = ("concentration", "concentration_centred")


def some_features(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return that there are no features, or nothing."""
    return "" if measured.readings else "There are no features."


@law(
    title="the features have not collapsed", role="alarm",
    statistic="sqrt(d) x mean standard deviation of l2-normalised features, the largest share of tr F and of the "
    "variance in one direction, and how many directions live",
    source="Chen and He 2021", group="collapse", limit=SPREAD_AT_RISK, good="above", needs=(some_features,),
    why="the alarm's limits: spread above 0.32, no direction with more than 0.9 of tr F or of the variance, no cliff",
)  # fmt: skip
def collapse(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    shares = {name: measured.readings[name].interval(0.0, 1.0) for name in SHARES if name in measured.readings}
    details: dict[str, Any] = {"word": measured.collapse.word, "live": measured.collapse.live}
    for name, share in shares.items():
        details |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
    if np.isnan(measured.readings["concentration"].full):
        return judged(fixed(0.0), FAILS, "All features are zero.", **details)
    if "std" not in measured.readings:
        return untestable("The spread of normalised features needs the features, not only F.", **details)
    root = float(np.sqrt(measured.dim))
    spread = measured.readings["std"].map(lambda std: std * root).interval(0.0)
    crowded = [name for name, share in shares.items() if measured.dim > 1 and _end(share.low, share) > LIMIT]
    loose = measured.dim == 1 or all(_end(share.high, share) <= LIMIT for share in shares.values())
    if measured.collapse.word in (PARTIAL, COMPLETE) or _end(spread.high, spread) < SPREAD_AT_RISK or crowded:
        return judged(spread, FAILS, measured.collapse.reason, **details)
    if _end(spread.low, spread) >= SPREAD_AT_RISK and loose:
        most = max((_end(share.high, share) for share in shares.values()), default=np.nan)
        why = f"The spread is above {SPREAD_AT_RISK:.2g} and one direction carries at most {most:.2g}"
        return judged(spread, HOLDS, f"{why} of tr F or of the variance.", **details)
    why = f"A limit lies inside its interval: {SPREAD_AT_RISK:.2g} of the spread, or {LIMIT:g} of one direction's share"
    return judged(spread, NOT_TESTABLE, f"{why} of tr F or of the variance.", **details)


def _end(end: float, interval: Interval) -> float:
    """Return an end of an interval; without draws there is none, and the number stands for it."""
    return interval.value if np.isnan(end) else end


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
