"""Laws of losses that compare directions (docs/normalised.md): where such a run rests, and how its steps turn.

Within the closure, with W_a = W and kappa = M/Q of the prediction, a run rests at kappa p_j = r_j, r_j = x_j / (x_j +
x'_j); L balanced layers make F_j ~ c_j r_j^(2 L), so that p_j ~ F_j^(1/(2 L)) at equal c. Of projections alone r_j is
`rho`, Q = E|W_p z|^2 and M = sum_j p_j r_j s_j (eigenvectors shared). Finite steps make the norm grow, decay shrinks
it: they balance where every step turns the weights by one angle.
"""

from typing import Any

import numpy as np

from lindyn import statistics
from lindyn.bridge.along_run import NORMALISED, SQUARED
from lindyn.bridge.laws.balance import judged_slope, near_a_number, with_scatter
from lindyn.bridge.laws.law_definition import (
    MODES_OF_PREDICTOR,
    Judgement,
    KnownRun,
    judged,
    law,
    untestable,
)
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.predictor_maps import LEAST_SQUARES
from lindyn.bridge.measure.sampled import Interval, Sampled, fixed
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.bridge.watch.diagnosis import SPREAD, fit_slope
from lindyn.equations import rest

CLOSURE = "the closure of the cosine loss, docs/normalised.md"
STEPS = "Wan et al. 2021, Kosson et al. 2024"
COPIES, TURNS, SIZES = 1.25, 1.5, 1.25
"""Factors around 1 within which a predictor copies r, a step turns as at rest, and a norm is as told."""
NEAR, WIDE = 0.2, 0.5
"""Of a slope that depth sets: half of the band around it, and the widest side of an interval, over the slope."""


def compares_directions(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why the run's loss is not one of directions, or nothing."""
    if run.theory == NORMALISED:
        return ""
    if run.theory == SQUARED:
        return "The run's loss is the squared distance; this law speaks of losses that compare directions."
    return "The run's loss is not known; give method.loss=cosine where it compares directions."


def two_views(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return that there is no second view, or nothing."""
    return "" if "rho" in measured.readings else "There is no second view: r = x / (x + x') is not known."


def linear_end(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return that the projector's depth is not known, or nothing."""
    return "" if measured.depth else "The projector does not end in linear layers that could be counted."


MODES = (compares_directions, *MODES_OF_PREDICTOR)


def prediction_scale(measured: MeasuredNetwork) -> Sampled:
    """Return kappa = M/Q, by which the prediction is too short: M = E[q . t], Q = E|q|^2, W_a = W.

    Args:
        measured: with p, s, cosine and rho.
    """

    def kappa(p: np.ndarray, s: np.ndarray, cosine: np.ndarray, rho: np.ndarray) -> Any:
        return statistics.ratio(np.sum(p * rho * s, axis=-1), statistics.prediction_square(s, p, cosine))

    p, s, cosine, rho = (measured.readings[name] for name in ("p", "s", "cosine", "rho"))
    return p.map(kappa, s, cosine, rho)


def _by_factor(interval: Interval, factor: float, **details: Any) -> Judgement:
    """Return a ratio judged by whether its interval lies within a factor of 1."""
    low, high = (interval.value,) * 2 if np.isnan(interval.low) else (interval.low, interval.high)
    inside, outside = low >= 1 / factor and high <= factor, high < 1 / factor or low > factor
    verdict = HOLDS if inside else FAILS if outside else NOT_TESTABLE
    reason = f"The interval {'lies' if inside else 'does not lie'} within a factor {factor:g} of 1."
    if verdict == NOT_TESTABLE:
        reason = f"The edge of a factor {factor:g} around 1 lies inside the interval; more samples would narrow it."
    return judged(interval, verdict, reason, within=(1 / factor, factor), **details)


@law(
    title="the predictor copies how much the views share, kappa p_j = r_j", short="kappa p = r",
    statistic="median over the leading modes of kappa p_j / r_j, r_j = x_j / (x_j + x'_j), kappa = E[q . t] / E|q|^2",
    source=f"rest of {CLOSURE}", limit=COPIES, good="near", needs=(*MODES, two_views), only_if_trained=True,
    why="1 at rest, whatever the depth; the interval must lie within a factor 1.25", statements=("normalised.depth",),
    theory=NORMALISED,
)  # fmt: skip
def predictor_copies(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    k, kappa = measured.leading, prediction_scale(measured)
    p, rho = (measured.readings[name][:k] for name in ("p", "rho"))

    def over_rest(p: np.ndarray, rho: np.ndarray, kappa: np.ndarray) -> Any:
        return statistics.ratio(p, rest.rest_predictor(rho, np.asarray(kappa)[..., None]))

    per_mode = p.map(over_rest, rho, kappa)
    median = per_mode.map(lambda ratio: np.median(ratio, axis=-1))
    return _by_factor(median.interval(), COPIES, per_mode=per_mode.full, kappa=float(kappa.full), modes=k)


@law(
    title="p_j grows as s_j^(1/(2 L)), L the projector's linear layers", short="slope 1/(2 L)",
    statistic="slope of log p_j against log s_j, p_j = u_j^T W_p u_j", source=f"rest of {CLOSURE}",
    needs=(*MODES, linear_end), only_if_trained=True,
    why="the interval must meet 1/(2 L) within a fifth of it and be no wider than half of it to either side; L = 1 is "
    "Tian's square root", statements=("normalised.depth",), theory=NORMALISED,
)  # fmt: skip
def slope_of_depth(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    target = 1 / (2 * measured.depth)
    found = judged_slope(measured, target, NEAR * target, WIDE * target)
    if np.isnan(found.interval.value):
        return found
    half = "lies" if found.interval.low <= 0.5 <= found.interval.high else "does not lie"
    reason = f"{found.reason.rstrip('.')}; L = {measured.depth}, and 1/2 {half} inside."
    return judged(found.interval, found.verdict, reason, **{**found.details, "depth": measured.depth})


@law(
    title="outputs' eigenvalues grow as s_j ~ r_j^(2 L)", short="s ~ r^(2 L)",
    statistic="slope of log s_j against log r_j, r_j = x_j / (x_j + x'_j)", source=f"rest of {CLOSURE}",
    needs=(*MODES, two_views, linear_end), only_if_trained=True,
    why="2 L where all inputs have one variance; the interval must meet it within a fifth and be no wider than half of "
    "it to either side", statements=("normalised.depth",), theory=NORMALISED,
)  # fmt: skip
def spectrum_of_depth(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    k, target = measured.window, 2.0 * measured.depth
    s, rho = (measured.readings[name][:k] for name in ("s", "rho"))
    fit = fit_slope(s.full, np.maximum(rho.full, 0.0), spread=SPREAD ** (1 / target))  # as much as s must spread
    details: dict[str, Any] = {
        "depth": measured.depth, "r": rho.full, "within": (target * (1 - NEAR), target * (1 + NEAR)), "limit": target
    }  # fmt: skip
    if fit.verdict != "fitted":
        return untestable(f"The slope is {fit.verdict.replace('s spreads', 'r spreads')}.", **details)
    interval = with_scatter(s.map(lambda s, r: statistics.slope(s, r)[0], rho), fit)
    return judged(interval, *near_a_number(interval, target, NEAR * target, WIDE * target, fit.modes), **details)


def exact_map(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return that W_p is an estimate, noise outside the leading modes, or nothing."""
    if measured.main is None or measured.main.kind != LEAST_SQUARES:
        return ""
    return "The predictor's map is estimated: outside the leading modes it is noise."


@law(
    title="prediction: unused inputs find open directions", short="open directions",
    role="prediction",
    statistic="number of eigenvalues of r W_p^T - kappa W_p^T W_p with positive real part, r the mean of the leading "
    "modes'", source=f"transverse law of {CLOSURE}", limit=0.0, good="above",
    needs=(*MODES, two_views, exact_map), only_if_trained=True,
    why="an unused input dies where all of them are negative: then what was lost is trapped",
    statements=("normalised.transverse",), theory=NORMALISED,
)  # fmt: skip
def open_directions(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    """Count the directions of the outputs through which an input that W does not use yet can grow, one layer."""
    assert measured.main is not None
    kappa, rho = prediction_scale(measured), measured.readings["rho"][: measured.leading]
    shares = rho.map(lambda r: np.mean(r, axis=-1))
    over = shares.map(lambda r, kappa: r / kappa, kappa).interval(0.0)
    if not np.isfinite(over.raw):
        return untestable("kappa has no value here: the prediction is 0 or does not follow the target.")
    ends = (over.raw, over.raw) if np.isnan(over.low) else (over.low, over.high)
    here, low, high = (_open(measured.main.W_p, r) for r in (over.raw, *ends))
    few, many = min(here, low, high), max(here, low, high)
    d = measured.dim
    if few > 0:
        verdict, reason = HOLDS, f"An unused input can grow through {_between(few, here, many)} of {d} directions"
    elif many == 0:
        verdict, reason = FAILS, f"All {d} directions are closed: an input that is not used dies"
    else:
        verdict, reason = NOT_TESTABLE, f"Whether one of the {d} directions is open is left open by these samples"
    return judged(
        Interval(float(here), float(few), float(many), float(here)), verdict, f"{reason} (one layer, the closure).",
        trapped=d - here, kappa=float(kappa.full), r=float(shares.full),
    )  # fmt: skip


def _open(W_p: np.ndarray, over: float) -> int:
    """Return how many directions of the transverse matrix grow, r over kappa given; its factor c pace is positive."""
    T = rest.transverse_matrix(W_p, over, 1.0, 1.0, 1.0)
    rates = np.linalg.eigvals(T).real
    return int(np.sum(rates > 1e-12 * np.abs(rates).max(initial=0.0)))


def _between(few: int, here: int, many: int) -> str:
    return f"{here}" if few == many else f"{here} ({few} to {many})"


def a_step(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why no step of training is known, or nothing."""
    if run.last_step is None:
        return "No checkpoint holds the momentum of SGD."
    if not run.last_step.decay:
        return "Without weight decay no angle is at rest: the norm grows, and the angle falls."
    if not run.last_step.told:
        return "The learning rate is below half of its peak at every checkpoint that holds the momentum of SGD."
    return ""


@law(
    title="a step turns the projector's layers by the angle at rest", short="angle per step",
    statistic="lr |v across W| / |W| of the projector's linear layers, v SGD's momentum, over sqrt(2 lr decay / (1 + "
    "momentum))", source=STEPS, limit=TURNS, good="near", needs=(compares_directions, a_step),
    why="1 where growth by steps and decay have come to rest, after about 1/(lr decay) steps; it must lie within a "
    "factor 1.5", statements=("normalised.finite_step",), theory=NORMALISED,
)  # fmt: skip
def angle_per_step(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    step = run.last_step
    assert step is not None
    told = rest.angle_per_step(step.learning_rate, step.decay, step.momentum)
    found = _by_factor(
        fixed(step.angle / told), TURNS, angle=step.angle, told=told, per_layer=np.asarray(step.angles) / told,
        at=run.last_step_at,
    )  # fmt: skip
    reason = f"{found.reason.replace('The interval', 'It').rstrip('.')}: {step.angle:.3g} rad at {run.last_step_at}."
    return judged(found.interval, found.verdict, reason, **found.details)


def a_told_norm(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return that no norm was told along a run, or nothing."""
    if run.beside is None or len(run.beside.norm_steps) < 2:
        return "The normalised theory could not be run beside two checkpoints whose projector was read."
    return ""


@law(
    title="the projector's norm: steps put on what decay takes off", short="norm",
    statistic="sqrt(sum_l |W_l|^2) at the last checkpoint over that of the normalised theory from the first one's",
    source=f"{CLOSURE}; {STEPS}", limit=SIZES, good="near", needs=(compares_directions, a_told_norm),
    why="each gradient is orthogonal to the weights: d|W|^2 = -2 eta |W|^2 plus |step|^2; it must lie within a factor "
    "1.25", statements=("normalised.norms", "normalised.finite_step"), theory=NORMALISED,
)  # fmt: skip
def norm_by_steps(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    beside = run.beside
    assert beside is not None
    last, told = float(beside.norm_measured[-1]), float(beside.norm_predicted[-1])
    by_decay = float(np.interp(beside.norm_steps[-1], beside.path["steps"], beside.path["norm_by_decay"]))
    first = float(beside.norm_measured[0])
    found = _by_factor(fixed(last / told), SIZES, start=first, measured=last, told=told, by_decay=by_decay)
    reason = f"{found.reason.replace('The interval', 'It').rstrip('.')}: |W| went from {first:.3g} to {last:.3g}; told "
    reason += f"{told:.3g}, by decay alone {by_decay:.3g}."
    return judged(found.interval, found.verdict, reason, **found.details)
