"""Laws on the predictor's matrix alone: symmetry, sign; Richemond's projection and rotation, rank and trace in a run.

A map fitted to features is looked at inside its leading modes; elsewhere it is noise.
"""

import math

from lindyn.bridge.laws.law_definition import (
    RICHEMOND,
    TIAN,
    Judgement,
    KnownRun,
    by_limit,
    enough_modes,
    features,
    judged,
    law,
    predictor_map,
    untestable,
)
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval, fixed
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE


def shape_known(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why the map's shape is not known, or nothing: an estimated one needs features and modes."""
    return "" if measured.shape else features(measured, run) or enough_modes(measured, run)


NEEDS = (predictor_map, shape_known)


@law(
    title="W_p is symmetric (Assumption 3)", statistic="||W_p - W_p^T|| / ||W_p||",
    source=f"{TIAN}, Assumption 3, Fig. 2", group="assumption", limit=0.5, good="below", needs=NEEDS,
    why="1.41 for independent entries; at 0.5 the antisymmetric part holds 1/16 of ||W_p||^2",
    statements=("tian.symmetrised_flow", "tian.predictor_fixed_point_symmetric"),
)  # fmt: skip
def symmetry(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return by_limit(_interval(measured, "asymmetry_sq", 0.0, 4.0).root(), modes=_modes(measured))


@law(
    title="W_p has no negative eigenvalues", short="no negative eigenvalues",
    statistic="sum of |negative eigenvalues| over sum of |eigenvalues| of W_p's symmetric part",
    source=f"{TIAN}, Eqs. 11, 18", limit=0.05, good="below", needs=NEEDS,
    why="0.5 for independent entries; the limit is a tenth of that",
    statements=("tian.decoupled_modes",),
)  # fmt: skip
def psd(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return by_limit(_interval(measured, "negative_share", 0.0, 1.0), modes=_modes(measured))


@law(
    title="W_p is a multiple of a projection of any rank", scope="within {limit}",
    statistic="distance of W_p to the nearest multiple of an orthogonal projection of any rank, over ||W_p||",
    source=f"{RICHEMOND}, claim 5", group="richemond", limit=0.5, good="below", needs=NEEDS,
    why="about 0.9 for independent entries; at 0.5 three quarters of ||W_p||^2 are one",
    statements=("richemond.claim_5",),
)  # fmt: skip
def projection(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return by_limit(_interval(measured, "projection_sq", 0.0, 1.0).root(), modes=_modes(measured))


@law(
    title="W_p is a multiple of an orthogonal matrix", scope="within {limit}",
    statistic="distance of W_p to the nearest multiple of its polar factor, over ||W_p||; that of the projection where "
    "the nearest one has full rank, held against a stricter limit",
    source=f"{RICHEMOND}, claim 9", group="richemond", limit=0.25, good="below", needs=NEEDS,
    why="0.53 for independent entries; the limit is about half of that",
)  # fmt: skip
def polar(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return by_limit(_interval(measured, "polar_sq", 0.0, 1.0).root(), modes=_modes(measured))


@law(
    title="the stable rank of W_p grows during training", statistic="||W_p||_F^2 / ||W_p||_2^2",
    source=f"{RICHEMOND}, claim 8, Fig. 1", group="richemond", needs=NEEDS,
)  # fmt: skip
def stable_rank(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return _growth(measured, run, "stable_rank", 0.0)


@law(
    title="the trace of W_p grows during training", statistic="tr W_p",
    source=f"{RICHEMOND}, claim 8, Fig. 1", group="richemond", needs=NEEDS,
)  # fmt: skip
def trace(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return _growth(measured, run, "trace", -math.inf)


def _growth(measured: MeasuredNetwork, run: KnownRun, name: str, least: float) -> Judgement:
    """Return a number at the last checkpoint of a run judged by that at the first, where both have the same map."""
    interval, modes = _interval(measured, name, least, math.inf), _modes(measured)
    first = _at_first(measured, run, name, least)
    if first is None or math.isnan(interval.value) or math.isnan(first.value):
        later = "One checkpoint shows no growth; compare checkpoints of one run."
        return untestable(later, interval, modes=modes)
    (low, high), (low_first, high_first) = _ends(interval), _ends(first)
    verdict = HOLDS if low > high_first else FAILS if high < low_first else NOT_TESTABLE
    words = {HOLDS: "It grew", FAILS: "It fell", NOT_TESTABLE: "The intervals overlap: it went"}[verdict]
    reason = f"{words} from {first.value:.3g} at {run.first_at} to {interval.value:.3g}."
    more = {"first": first.value, "first_low": low_first, "first_high": high_first, "first_at": run.first_at}
    return judged(interval, verdict, reason, modes=modes, **more)


def _at_first(measured: MeasuredNetwork, run: KnownRun, name: str, least: float) -> Interval | None:
    first = run.first
    if first is None or first.main is None or measured.main is None or first.main.kind != measured.main.kind:
        return None
    return None if shape_known(first, run) else _interval(first, name, least, math.inf)


def _ends(interval: Interval) -> tuple[float, float]:
    unknown = math.isnan(interval.low)
    return (interval.value, interval.value) if unknown else (interval.low, interval.high)


def _interval(measured: MeasuredNetwork, name: str, least: float, most: float) -> Interval:
    return fixed(measured.shape[name]) if measured.shape else measured.readings[name].interval(least, most)


def _modes(measured: MeasuredNetwork) -> int:
    return measured.dim if measured.shape else measured.shape_modes
