"""Theorem 1 (balance) between the projector's last layer and the predictor's first; what follows: p_j^2 = alpha_p s_j.

Let z = V h + b be the projector's outputs and W_1 the predictor's first weights, q = f(W_1 z + c), whatever f and the
loss L(q, target) are, the target cut from the gradient. With g = dL/d(W_1 z),
    dL/dW_1 = E[g z^T],   dL/dV = E[W_1^T g h^T],   dL/db = E[W_1^T g],
so that W_1^T dL/dW_1 = (dL/dV) V^T + (dL/db) b^T = (dL/d[V b]) [V b]^T: a bias is one more column, with input 1. Under
gradient flow with rates 1 and alpha_p and one decay eta for V, b and W_1, B = [V b][V b]^T - W_1^T W_1 / alpha_p obeys
dB/dt = -2 eta B exactly. What must not stand between is a BatchNorm: not after V, not before W_1. Where b is left
out of the decay (some optimisers), or the decays differ, B is driven by b b^T or by W_1^T W_1 and does not vanish.

One checkpoint shows B = C exp(-2 eta t) with C not known: a small B says the balanced state is reached (p^2 = alpha_p
s); a large one contradicts the theorem only along a run.
"""

import math
from typing import Any

import numpy as np

from lindyn import statistics
from lindyn.bridge.along_run import SQUARED
from lindyn.bridge.laws.law_definition import (
    MODES_OF_PREDICTOR,
    NOTHING,
    TIAN,
    Judgement,
    KnownRun,
    by_limit,
    judged,
    law,
    untestable,
)
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.predictor_maps import EXACT
from lindyn.bridge.measure.sampled import Interval, Sampled, fixed
from lindyn.bridge.readings import SlopeFit
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.bridge.settings import Rates
from lindyn.bridge.watch.diagnosis import fit_slope

HALF, NEAR, WIDE = 0.5, 0.1, 0.25
FACTOR = 1.5
BALANCED = 0.2


@law(
    title="p_j grows as the square root of s_j",
    statistic="slope of log p_j against log s_j, p_j = u_j^T W_p u_j", source=f"{TIAN}, Eqs. 14, 18", limit=HALF,
    good="near", needs=MODES_OF_PREDICTOR,
    why="the interval must meet 0.5 +- 0.1 and be no wider than 0.25 to either side, half the way to 0 (p knows "
    "nothing of s) and to 1 (p = s)",
    statements=("tian.integral_of_motion",), theory=SQUARED,
)  # fmt: skip
def slope(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    return judged_slope(measured, HALF, NEAR, WIDE)


def judged_slope(measured: MeasuredNetwork, target: float, near: float, wide: float) -> Judgement:
    """Return the slope of log p on log s judged by a number.

    Args:
        measured: the network.
        target: what a theory has.
        near: half of the band around it that the interval must meet.
        wide: widest side of an interval that still says something.
    """
    k = measured.window
    p, s = measured.readings["p"].full[:k], measured.readings["s"].full[:k]
    fit = fit_slope(p, s)
    details: dict[str, Any] = {
        "modes": fit.modes, "s_low": fit.s_low, "s_high": fit.s_high, "p": p, "s": s,
        "by_map": {name: numbers["slope"] for name, numbers in measured.by_map.items()},
        "within": (target - near, target + near), "limit": target,
    }  # fmt: skip
    negative = int(np.sum(p <= 0))
    if fit.verdict != "fitted":
        if negative > 0.1 * k:
            reason = f"{negative} of {k} modes have p <= 0, where the law has p_j > 0; no line is fitted."
            details["slope_of_positive"] = measured.readings["slope"].interval().value
            return judged(NOTHING, FAILS, reason, **details)
        return untestable(f"The slope is {fit.verdict}.", **details)
    interval = with_scatter(measured.readings["slope"], fit)
    return judged(interval, *near_a_number(interval, target, near, wide, fit.modes), **details)


def with_scatter(slope: Sampled, fit: SlopeFit) -> Interval:
    """Return the interval of a slope that holds both the scatter of modes and that of samples.

    Args:
        slope: with its draws.
        fit: with the interval of least squares.
    """
    drawn = slope.interval()
    lower, upper = np.fmin(fit.low, drawn.low), np.fmax(fit.high, drawn.high)
    return Interval(drawn.value, float(lower), float(upper), fit.slope)


def near_a_number(interval: Interval, target: float, near: float, wide: float, modes: int) -> tuple[str, str]:
    """Return verdict and reason of an interval that must meet a band around a number.

    Args:
        interval: of a slope.
        target: the number.
        near: half of the band.
        wide: widest side of an interval that still says something.
        modes: that the slope is fitted to.
    """
    outside = interval.low > target + near or interval.high < target - near
    too_wide = max(interval.high - interval.value, interval.value - interval.low) > wide
    fitted = f"fitted to {modes} modes with s_j >= 0.01 max s"
    if outside:
        return FAILS, f"The interval misses {target:.3g} +- {near:.2g}, {fitted}."
    if too_wide:
        return NOT_TESTABLE, f"The interval is wider than {wide:.2g} to one side, {fitted}."
    return HOLDS, f"The interval meets {target:.3g} +- {near:.2g}, {fitted}."


def linear_predictor(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why Theorem 1 does not bind the projector's last layer to the whole predictor, or nothing."""
    if measured.main is not None and measured.main.kind != EXACT:
        return "Theorem 1 binds the projector to the first layer of the predictor, not to the effective map of an MLP."
    if "s_V" not in measured.readings:
        return "The scale of s is not known: the projector does not end in a Linear layer whose weights are here."
    return ""


@law(
    title="p_j^2 / s_j is the learning-rate ratio alpha_p",
    statistic="median over the leading modes of p_j^2 / (alpha_p u_j^T V V^T u_j), V the projector's last layer",
    source=f"{TIAN}, Theorem 1, Eq. 14", limit=FACTOR, good="near", needs=(*MODES_OF_PREDICTOR, linear_predictor),
    only_if_trained=True, why="1 if balanced; the interval must lie within a factor 1.5",
    statements=("tian.theorem_1", "tian.integral_of_motion"),
)  # fmt: skip
def constant(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    """Hold p_j^2 against alpha_p u_j^T V V^T u_j.

    F = E[z z^T] holds the scale of the projector's inputs h, F = V E[h h^T] V^T = v V V^T for isotropic ones, which
    p^2/s against alpha_p would not be free of; the layer's own V V^T is what Theorem 1 binds W_p to.
    """
    k, alpha_p = measured.leading, run.rates.alpha_p
    p, s_V = (measured.readings[name][:k] for name in ("p", "s_V"))
    ratio = p.map(lambda p, s: np.median(p**2 / s, axis=-1), s_V)
    details: dict[str, Any] = {"per_mode": p.full**2 / s_V.full, "modes": k}
    if alpha_p is None:
        reason = "alpha_p is not known (the number is the median of p_j^2 / s_j, which estimates it)."
        return untestable(reason, ratio.interval(0.0), **details)
    interval = ratio.map(lambda r: r / alpha_p).interval(0.0)
    low, high = (interval.value,) * 2 if np.isnan(interval.low) else (interval.low, interval.high)
    inside = low >= 1 / FACTOR and high <= FACTOR
    outside = high < 1 / FACTOR or low > FACTOR
    verdict = HOLDS if inside else FAILS if outside else NOT_TESTABLE
    words = "lies" if inside else "does not lie"
    reason = f"The interval {words} within a factor {FACTOR:g} of 1, with alpha_p = {alpha_p:g}."
    if verdict == NOT_TESTABLE:
        reason = f"The edge of a factor {FACTOR:g} around 1 lies inside the interval; more samples would narrow it."
    return judged(interval, verdict, reason, **details, alpha_p=alpha_p, within=(1 / FACTOR, FACTOR))


def two_layers(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return which of the two layers that Theorem 1 binds is not there, or nothing."""
    if measured.last is None:
        return "The projector does not end in a Linear layer without BatchNorm, whose weights could be balanced."
    if measured.first is None:
        return "The predictor does not start with a Linear layer that could be balanced."
    return ""


@law(
    title="the projector's last and the predictor's first layer balance",
    statistic="||V V^T - W_1^T W_1 / alpha_p|| / (||V V^T|| + ||W_1^T W_1|| / alpha_p)",
    source=f"{TIAN}, Theorem 1, Eq. 5", limit=BALANCED, good="below", needs=(two_layers,), only_if_trained=True,
    why="0 once the memory C exp(-2 eta t) is lost, 0.5 for independent square weights",
    statements=("tian.theorem_1",),
)  # fmt: skip
def balance(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    assert measured.last is not None and measured.first is not None
    F, G = statistics.gram(measured.last.T), statistics.gram(measured.first)
    alpha_p, fitted = run.rates.alpha_p, run.rates.alpha_p is None
    if alpha_p is None:
        fit, c = statistics.balance_residual_fitted(F, G)
        residual, alpha_p = float(fit), 1 / float(c)
    else:
        residual = float(statistics.balance_residual(F, G, alpha_p))
    details: dict[str, Any] = {"alpha_p": alpha_p, "fitted": fitted}
    note = f"alpha_p = {alpha_p:.3g}" + (" brings them nearest and is a fit" if fitted else "")
    if residual > BALANCED:
        if never := _never_balanced(run.rates):
            return untestable(never, fixed(residual), **details)
        note += "; the theorem itself needs a second checkpoint, as it leaves C exp(-2 eta t)"
    return by_limit(fixed(residual), note, **details)


def _never_balanced(rates: Rates) -> str:
    """Return why the known rates would keep even an exact linear model from the balanced state, or nothing."""
    if rates.eta_s is None or rates.eta_p is None:
        return ""
    if not math.isclose(rates.eta_s, rates.eta_p, rel_tol=1e-9):
        return f"Theorem 1 needs one decay; got eta_s = {rates.eta_s:g} and eta_p = {rates.eta_p:g}."
    if rates.eta_s == 0:
        return "Without weight decay the start is never forgotten: C stays, and one checkpoint cannot tell it apart."
    return ""
