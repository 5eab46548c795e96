"""Eq. 17 and the collapse boundary under the run's own rates.

In the isotropic model with W W^T = F / v, v = x + x', and rho = x / v, everything but one scale follows from features:
x s_W = rho s and (x + x') s_W = s. The scale v of the inputs enters as x tau - (x + x') p = v (rho tau - p). It is
tr F / tr(V V^T) where the projector's last layer is known; else balance (W_p^T W_p = alpha_p F / v) stands for it where
F is near a multiple of W_p^T W_p, and the answer says so.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.bridge.along_run import SQUARED
from lindyn.bridge.laws.law_definition import MODES_OF_PREDICTOR, TIAN, Judgement, KnownRun, by_limit, judged, law
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval, Sampled
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.bridge.settings import Rates
from lindyn.equations import modes
from lindyn.theory.stationary_points import branches, critical_decay

BALANCED = 0.2588
"""Up to this residual, an angle of 30 degrees between F and W_p^T W_p, the fitted c stands for v / alpha_p."""


@dataclass(frozen=True, eq=False)
class _Modes:
    """The leading modes in the theory's terms, with draws."""

    p: Sampled
    s_W: Sampled
    tau: Sampled
    x: Sampled
    x_aug: Sampled
    assumed: str


def known_rates(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return which of the run's rates are not known, or nothing."""
    missing = [name for name in ("alpha_p", "eta_s", "eta_p") if getattr(run.rates, name) is None]
    if not missing:
        return ""
    keys = f"; give {', '.join(run.rates.missing)}" if run.rates.missing else ""
    return f"The run's {', '.join(missing)} are not known{keys}."


def known_x_and_tau(measured: MeasuredNetwork, run: KnownRun) -> str:
    """Return why x, x', tau or the scale of the inputs are not known, or nothing."""
    if "rho" not in measured.readings:
        return "There is no second view: x and x' are not known."
    if run.rates.target != "online" and "tau" not in measured.readings:
        return "tau is not known: the target's features were not given."
    if "s_V" in measured.readings or _balanced(measured):
        return ""
    return "The scale of the projector's inputs is not known: its last layer is not here, and F is not balanced."


NEEDS = (*MODES_OF_PREDICTOR, known_rates, known_x_and_tau)


@law(
    title="every leading mode stays aligned by itself", short="Eq. 17",
    statistic="smallest K_j = alpha_p (x + x') s_j / 2 - p_j (x tau - (x + x') p_j) + eta_s + eta_p / 2",
    source=f"{TIAN}, Eq. 17", limit=0.0, good="above", needs=NEEDS, scaled_by_loss=True, only_if_trained=True,
    why="K_j > 0 for all modes is sufficient for alignment to be stable",
    statements=("tian.eq_17",), theory=SQUARED,
)  # fmt: skip
def eq17(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    known = _modes(measured, run.rates)
    lowest, K = _alignment_rates(known, run.rates).lowest()
    return by_limit(lowest, known.assumed, **_details(known, K))


@law(
    title="no pair of leading modes tilts out of alignment", short="Eq. 17 in pairs",
    statistic="smallest K_i + K_j over pairs of leading modes", source=f"{TIAN}, Eqs. 8-10, 17", limit=0.0,
    good="above", needs=NEEDS, scaled_by_loss=True, only_if_trained=True,
    why="a tilt of modes i and j changes at the rate -(K_i + K_j): positive is necessary and sufficient",
    statements=("tian.eq_17_pairs",), theory=SQUARED,
)  # fmt: skip
def eq17_pairs(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    known = _modes(measured, run.rates)
    rates = _alignment_rates(known, run.rates)
    _, K = rates.lowest()
    value, low, high, raw = (float(np.sum(np.sort(each)[:2])) for each in (*K, rates.full))
    below = int(np.sum(np.triu(K[0][:, None] + K[0][None, :], 1) < 0))
    return by_limit(Interval(value, low, high, raw), known.assumed, pairs_below=below, **_details(known, K))


@law(
    title="prediction: no leading mode is below the collapse boundary", role="prediction",
    statistic="number of leading modes with p_j < p_-(eta, tau)", source=f"{TIAN}, Eq. 16, Fig. 4", limit=0.0,
    good="below", needs=NEEDS, scaled_by_loss=True,
    why="a mode below p_-, or any mode above the critical decay, goes to 0",
    statements=("tian.fixed_points", "tian.stability", "tian.critical_decay"), theory=SQUARED,
)  # fmt: skip
def boundary(measured: MeasuredNetwork, run: KnownRun) -> Judgement:
    """Count the modes below p_-; above the critical decay there is none, and every mode is below."""
    known, eta = _modes(measured, run.rates), run.rates.eta_s
    margin = known.p.map(lambda p, tau, x, x_aug: p - branches(eta, tau, x, x_aug)[0], known.tau, known.x, known.x_aug)
    if eta == 0:
        margin = known.p
    value, low, high = margin.ends(together=max(margin.full.size, 1))
    if np.isnan(low).all():
        low = high = value
    dead = np.isnan(margin.full)
    surely, perhaps, here = dead | (high < 0), dead | ~(low >= 0), dead | (margin.full < 0)
    count, fewest, most = (float(np.sum(modes)) for modes in (here, surely, perhaps))
    p_minus, p_plus = branches(eta, known.tau.full, known.x.full, known.x_aug.full)
    verdict = HOLDS if not perhaps.any() else FAILS if surely.any() else NOT_TESTABLE
    k = len(margin.full)
    reason = {
        HOLDS: f"All {k} leading modes lie above p_- at eta_s = {eta:g}",
        FAILS: f"{_between(fewest, count, most)} of {k} leading modes lie below p_- at eta_s = "
        f"{eta:g}" + (f", {int(dead.sum())} of them because eta_s is above the critical decay" if dead.any() else ""),
        NOT_TESTABLE: f"For {int(most)} of {k} leading modes p_- lies inside the interval of p_j",
    }[verdict]
    return judged(
        Interval(min(max(count, fewest), most), fewest, most, count), verdict,
        f"{reason}{'; ' + known.assumed if known.assumed else ''}.", below=here, p=known.p.full, p_minus=p_minus,
        p_plus=p_plus, eta_critical=critical_decay(known.tau.full, known.x.full, known.x_aug.full), margin=margin.full,
    )  # fmt: skip


def _balanced(measured: MeasuredNetwork) -> bool:
    return measured.diagnosis is not None and measured.diagnosis.balance_residual_fitted <= BALANCED


def _modes(measured: MeasuredNetwork, rates: Rates) -> _Modes:
    k, read = measured.leading, measured.readings
    p, s, rho = (read[name][:k] for name in ("p", "s", "rho"))
    assumed = ""
    if "s_V" in read:
        v = read["s"].map(lambda s, w: np.sum(s, -1, keepdims=True) / np.sum(w, -1, keepdims=True), read["s_V"])
    else:
        assert measured.diagnosis is not None and rates.alpha_p is not None
        scale = rates.alpha_p * measured.diagnosis.balance_c
        v = s.map(lambda s: np.full_like(s[..., :1], scale))
        assumed = "the scale of the inputs is taken from balance, as the projector's last layer is not known"
    tau = read["tau"][:k] if rates.target != "online" else p.map(np.ones_like)
    tau = tau.map(lambda t: np.maximum(t, 0.0))
    rho = rho.map(lambda r: np.clip(r, 0.0, 1.0))
    return _Modes(
        p, s.map(lambda s, v: s / v, v), tau, rho.map(lambda r, v: r * v, v), rho.map(lambda r, v: (1 - r) * v, v),
        assumed,
    )  # fmt: skip


def _alignment_rates(known: _Modes, rates: Rates) -> Sampled:
    """Return K_j of the leading modes."""

    def rate(p: np.ndarray, s: np.ndarray, tau: np.ndarray, x: np.ndarray, x_aug: np.ndarray) -> Any:
        D = modes.drive(p, tau, x, x_aug)
        return modes.alignment_rate(p, s, D, rates.alpha_p, rates.eta_p, rates.eta_s, x, x_aug)

    return known.p.map(rate, known.s_W, known.tau, known.x, known.x_aug)


def _details(known: _Modes, K: tuple[np.ndarray, ...]) -> dict[str, Any]:
    return {"K": K[0], "K_low": K[1], "K_high": K[2], "assumed": known.assumed}


def _between(fewest: float, count: float, most: float) -> str:
    """Return a count, with its ends where the samples leave them open."""
    return f"{int(count)}" if fewest == most else f"{int(count)} ({int(fewest)} to {int(most)})"
