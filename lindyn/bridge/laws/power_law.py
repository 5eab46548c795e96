"""p against s: the slope 1/2, and the constant alpha_p where weights give the scale of s."""

from typing import Any

import numpy as np

from lindyn.bridge.laws.law_table import LAWS
from lindyn.bridge.laws.verdicts import made, main_kind, missing_map, too_few, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.predictor_maps import EXACT
from lindyn.bridge.measure.sampled import Interval
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding
from lindyn.bridge.settings import Rates
from lindyn.bridge.watch.diagnosis import fit_slope

NEAR, WIDE = 0.1, 0.25


def findings(measured: MeasuredNetwork, rates: Rates) -> tuple[Finding, ...]:
    """Return `slope` and `constant`."""
    return _slope(measured), _constant(measured, rates)


def _slope(measured: MeasuredNetwork) -> Finding:
    kind = main_kind(measured)
    reason = missing_map(measured) or too_few(measured)
    if reason:
        return untestable("slope", reason, kind)
    k = measured.window
    p, s = measured.readings["p"].full[:k], measured.readings["s"].full[:k]
    fit = fit_slope(p, s)
    details: dict[str, Any] = {
        "modes": fit.modes, "s_low": fit.s_low, "s_high": fit.s_high, "p": p, "s": s,
        "by_map": {name: numbers["slope"] for name, numbers in measured.by_map.items()},
    }  # fmt: skip
    negative = int(np.sum(p <= 0))
    if fit.verdict != "fitted":
        if negative > 0.1 * k:
            reason = f"{negative} of {k} modes have p <= 0, where the law has p_j ~ sqrt(s_j) > 0; no line is fitted."
            details["slope_of_positive"] = measured.readings["slope"].interval().value
            return made("slope", Interval(np.nan, np.nan, np.nan, np.nan), FAILS, reason, kind, **details)
        return untestable("slope", f"The slope is {fit.verdict}.", kind, **details)
    drawn = measured.readings["slope"].interval()
    lower, upper = np.fmin(fit.low, drawn.low), np.fmax(fit.high, drawn.high)  # scatter of modes, scatter of samples
    interval = Interval(drawn.value, float(lower), float(upper), fit.slope)
    return made("slope", interval, *_near_half(interval, fit.modes), kind, **details)


def _near_half(interval: Interval, modes: int) -> tuple[str, str]:
    row = LAWS["slope"]
    assert row.limit is not None
    outside = interval.low > row.limit + NEAR or interval.high < row.limit - NEAR
    wide = max(interval.high - interval.value, interval.value - interval.low) > WIDE
    fitted = f"fitted to {modes} modes with s_j >= 0.01 max s"
    if outside:
        return FAILS, f"The interval misses 0.5 +- {NEAR:g}, {fitted}."
    if wide:
        return NOT_TESTABLE, f"The interval is wider than {WIDE:g} to one side, {fitted}."
    return HOLDS, f"The interval meets 0.5 +- {NEAR:g}, {fitted}."


def _constant(measured: MeasuredNetwork, rates: Rates) -> Finding:
    """Hold p_j^2 against alpha_p u_j^T V V^T u_j.

    F = E[z z^T] holds the scale of the projector's inputs h, F = V E[h h^T] V^T = v V V^T for isotropic ones, which
    p^2/s against alpha_p would not be free of; the layer's own V V^T is what Theorem 1 binds W_p to.
    """
    kind = main_kind(measured)
    reason = missing_map(measured) or too_few(measured)
    if not reason and kind != EXACT:
        reason = (
            "Theorem 1 binds the projector to the first layer of the predictor, not to the effective map of an MLP."
        )
    if not reason and "s_V" not in measured.readings:
        reason = "The scale of s is not known: the projector does not end in a Linear layer whose weights are here."
    if reason:
        return untestable("constant", reason, kind)
    k = measured.leading
    p, s_V = (measured.readings[name][:k] for name in ("p", "s_V"))
    ratio = p.map(lambda p, s: np.median(p**2 / s, axis=-1), s_V)
    per_mode = p.full**2 / s_V.full
    if rates.alpha_p is None:
        reason = "alpha_p is not known (the number is the median of p_j^2 / s_j, which estimates it)."
        return untestable("constant", reason, kind, ratio.interval(0.0), per_mode=per_mode, modes=k)
    interval = ratio.map(lambda r: r / rates.alpha_p).interval(0.0)
    low, high = (interval.value,) * 2 if np.isnan(interval.low) else (interval.low, interval.high)
    factor = LAWS["constant"].limit
    assert factor is not None
    inside = 1 / factor <= low and high <= factor
    outside = high < 1 / factor or low > factor
    verdict = HOLDS if inside else FAILS if outside else NOT_TESTABLE
    words = {HOLDS: "lies", FAILS: "does not lie", NOT_TESTABLE: "reaches both inside and outside, as it"}[verdict]
    reason = f"The interval {words} within a factor {factor:g} of 1, with alpha_p = {rates.alpha_p:g}."
    if verdict == NOT_TESTABLE:
        reason = f"The edge of a factor {factor:g} around 1 lies inside the interval; more samples would narrow it."
    return made("constant", interval, verdict, reason, kind, per_mode=per_mode, modes=k, alpha_p=rates.alpha_p)
