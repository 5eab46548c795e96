"""Eq. 17 and the collapse boundary under the run's own rates.

In the isotropic model with W W^T = F / v, v = x + x', and rho = x / v, everything but one scale follows from features:
x s_W = rho s and (x + x') s_W = s. The scale v of the inputs enters as x tau - (x + x') p = v (rho tau - p). It is
tr F / tr(V V^T) where the projector's last layer is known; else balance (W_p^T W_p = alpha_p F / v) stands for it where
F is near a multiple of W_p^T W_p, and the answer says so.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.bridge.laws.verdicts import held, made, main_kind, missing_map, too_few, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval, Sampled
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding
from lindyn.bridge.settings import Rates
from lindyn.equations import modes
from lindyn.theory.stationary_points import branches, critical_decay

LAWS_HERE = ("eq17", "eq17_pairs", "boundary")
BALANCED = 0.5
"""Up to this residual ||F - c W_p^T W_p|| / ||F|| the fitted c stands for v / alpha_p."""


@dataclass(frozen=True, eq=False)
class _Modes:
    """The leading modes in the theory's terms, with draws."""

    p: Sampled
    s_W: Sampled
    tau: Sampled
    x: Sampled
    x_aug: Sampled
    assumed: str


def findings(measured: MeasuredNetwork, rates: Rates) -> tuple[Finding, ...]:
    """Return `eq17`, `eq17_pairs` and `boundary`."""
    kind = main_kind(measured)
    reason = missing_map(measured) or too_few(measured) or _unknown(measured, rates)
    if reason:
        return tuple(untestable(law, reason, kind) for law in LAWS_HERE)
    known = _modes(measured, rates)
    if isinstance(known, str):
        return tuple(untestable(law, known, kind) for law in LAWS_HERE)
    return (*_eq_17(known, rates, kind), _boundary(known, rates, kind))


def _unknown(measured: MeasuredNetwork, rates: Rates) -> str:
    missing = [name for name in ("alpha_p", "eta_s", "eta_p") if getattr(rates, name) is None]
    if missing:
        keys = f"; give {', '.join(rates.missing)}" if rates.missing else ""
        return f"The run's {', '.join(missing)} are not known{keys}."
    if "rho" not in measured.readings:
        return "There is no second view: x and x' are not known."
    if rates.target != "online" and "tau" not in measured.readings:
        return "tau is not known: the target's features were not given."
    return ""


def _modes(measured: MeasuredNetwork, rates: Rates) -> "_Modes | str":
    k, read = measured.leading, measured.readings
    p, s, rho = (read[name][:k] for name in ("p", "s", "rho"))
    assumed = ""
    if "s_V" in read:
        v = read["s"].map(lambda s, w: np.sum(s, -1, keepdims=True) / np.sum(w, -1, keepdims=True), read["s_V"])
    elif measured.diagnosis is not None and measured.diagnosis.balance_residual <= BALANCED:
        scale = rates.alpha_p * measured.diagnosis.balance_c  # type: ignore[operator]
        v = s.map(lambda s: np.full_like(s[..., :1], scale))
        assumed = "the scale of the inputs is taken from balance, as the projector's last layer is not known"
    else:
        return "The scale of the projector's inputs is not known: its last layer is not here, and F is not balanced."
    tau = read["tau"][:k] if rates.target != "online" else p.map(np.ones_like)
    tau = tau.map(lambda t: np.maximum(t, 0.0))
    rho = rho.map(lambda r: np.clip(r, 0.0, 1.0))
    return _Modes(
        p, s.map(lambda s, v: s / v, v), tau, rho.map(lambda r, v: r * v, v), rho.map(lambda r, v: (1 - r) * v, v),
        assumed,
    )  # fmt: skip


def _eq_17(known: _Modes, rates: Rates, kind: str) -> tuple[Finding, Finding]:
    def rate(p, s, tau, x, x_aug):  # type: ignore[no-untyped-def]
        D = modes.drive(p, tau, x, x_aug)
        return modes.alignment_rate(p, s, D, rates.alpha_p, rates.eta_p, rates.eta_s, x, x_aug)

    K = known.p.map(rate, known.s_W, known.tau, known.x, known.x_aug)
    lowest, (value, low, high) = K.lowest()
    value_2, low_2, high_2, raw_2 = (float(np.sum(np.sort(each)[:2])) for each in (value, low, high, K.full))
    pairs = Interval(value_2, low_2, high_2, raw_2)
    details: dict[str, Any] = {"K": value, "K_low": low, "K_high": high, "assumed": known.assumed}
    pairs_below = int(np.sum(np.triu(value[:, None] + value[None, :], 1) < 0))
    return (
        held("eq17", lowest, kind, known.assumed, **details),
        held("eq17_pairs", pairs, kind, known.assumed, pairs_below=pairs_below, **details),
    )


def _between(fewest: Any, count: Any, most: Any) -> str:
    """Return a count, with its ends where the samples leave them open."""
    return f"{int(count)}" if fewest == most else f"{int(count)} ({int(fewest)} to {int(most)})"


def _boundary(known: _Modes, rates: Rates, kind: str) -> Finding:
    """Count the modes below p_-; above the critical decay there is none, and every mode is below."""
    eta = rates.eta_s
    margin = known.p.map(lambda p, tau, x, x_aug: p - branches(eta, tau, x, x_aug)[0], known.tau, known.x, known.x_aug)
    if eta == 0:
        margin = known.p
    value, low, high = margin.ends(together=max(margin.full.size, 1))
    if np.isnan(low).all():
        low = high = value
    dead = np.isnan(margin.full)
    surely, perhaps, here = dead | (high < 0), dead | ~(low >= 0), dead | (margin.full < 0)
    count, fewest, most = (float(np.sum(modes)) for modes in (here, surely, perhaps))
    interval = Interval(min(max(count, fewest), most), fewest, most, count)
    p_minus, p_plus = branches(eta, known.tau.full, known.x.full, known.x_aug.full)
    critical = critical_decay(known.tau.full, known.x.full, known.x_aug.full)
    verdict = HOLDS if not perhaps.any() else FAILS if surely.any() else NOT_TESTABLE
    k = len(margin.full)
    reason = {
        HOLDS: f"All {k} leading modes lie above p_- at eta_s = {eta:g}",
        FAILS: f"{_between(surely.sum(), here.sum(), perhaps.sum())} of {k} leading modes lie below p_- at eta_s = "
        f"{eta:g}" + (f", {int(dead.sum())} of them because eta_s is above the critical decay" if dead.any() else ""),
        NOT_TESTABLE: f"For {int(perhaps.sum())} of {k} leading modes p_- lies inside the interval of p_j",
    }[verdict]
    note = f"; {known.assumed}" if known.assumed else ""
    return made(
        "boundary", interval, verdict, f"{reason}{note}.", kind, below=here, p=known.p.full, p_minus=p_minus,
        p_plus=p_plus, eta_critical=critical, margin=margin.full,
    )  # fmt: skip
