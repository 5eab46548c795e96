"""What became of a mode, decided by theory from where it is at the end of its run.

In the weights w = sqrt(s) (online) and a = tau w (target), with v = x + x_aug,

    dp/dt = alpha_p w (x a - v p w) - eta_p p,  dw/dt = p (x a - v p w) - eta_s w,  da/dt = beta (w - a).

**collapsed.** With p_- and s_- = (eta_p/eta_s) p_-^2/alpha_p the saddle at tau = 1, the box |p| <= p_-, w <= w_-,
|a| <= w_- (w_- = sqrt(s_-)) cannot be left, for every beta: on its face w = w_-, x p a - v p^2 w_- is largest at p = p_-,
a = w_- (p_- <= x/(2v)), where dw/dt = 0; on |p| = p_- likewise; on |a| = w_-, da/dt <= 0. Inside it everything shrinks
to 0. So a mode seen inside the box has collapsed or will, however slow the target is. A mode has also collapsed where
nothing but p = 0 or s = 0 is left: eta_s above the critical decay x^2/(4v), or decay of one network alone against
which nothing grows (eta_s > 0 with eta_p = 0: s would have to be 0; eta_s > 0 with alpha_p = 0: p is 0). Its box is
the whole space for the online target; for a moving target this is where every fixed point is, and is what is measured.

**alive.** Every coordinate is at or above the saddle: p >= p_-, w >= w_-, a >= w_-; or, at eta_s = 0, where there is no
saddle, p > 0 and s has not gone to nothing. **not_growing**: alive, but s ended below `grown` times its start (Obs#2: a
large alpha_p lets p catch up at once, and s stays where it began).

**undecided.** Between the two: the run was too short to tell. **failed**: the integration did not reach its end.

A frozen target (a constant) has no saddle: a mode lives if and only if x |a| > sqrt(eta_p eta_s/alpha_p), where r = x a -
v p w balances both decays; a held tau has the saddle of that tau. Without a predictor (p held) the pair (w, a) is
linear and lives if and only if p x > v p^2 + eta_s, or with a frozen target whenever p a > 0.
"""

from typing import Any

import numpy as np

from lindyn.equations import modes
from lindyn.theory.fixed_points import branches, critical_decay

OUTCOMES = ("collapsed", "alive", "not_growing", "undecided", "failed")
COLLAPSED, ALIVE, NOT_GROWING, UNDECIDED, FAILED = range(5)
GONE = 1e-6  # share of the start below which s at eta_s = 0 has gone to nothing
GROWN = 1.1


def label(
    start: dict[str, np.ndarray],
    p: np.ndarray,
    s: np.ndarray,
    tau: np.ndarray,
    *,
    target: str = "ema",
    tau_mode: str = "dynamic",
    predictor: str = "trained",
    grown: float = GROWN,
) -> np.ndarray:
    """Return the outcome of each mode as an index into `OUTCOMES`.

    Args:
        start: parameters and initial values of the modes: alpha_p, eta_p, eta_s, x, x_aug, p, s, tau, flat arrays.
        p: final predictor eigenvalue.
        s: final eigenvalue of F.
        tau: final target / online ratio.
        target: "ema", "online" or "frozen".
        tau_mode: "dynamic", or "constant" where tau is held.
        predictor: "trained", or "identity" where p is held.
        grown: how many times its start s must be to count as grown.

    Returns:
        int8 array.
    """
    with np.errstate(all="ignore"):  # a run that blew up is no error here
        if predictor == "identity":
            collapsed, alive = _held_predictor(start, p, s, tau, target, tau_mode)
        elif target == "frozen" and tau_mode == "dynamic":
            collapsed, alive = _frozen(start, s, tau)
        else:
            collapsed, alive = _saddle(start, p, s, tau, target, tau_mode)
            still = (start["alpha_p"] == 0) & (start["eta_p"] == 0)
            if np.any(still):
                held = _held_predictor(start, p, s, tau, target, tau_mode)
                collapsed, alive = np.where(still, held[0], collapsed), np.where(still, held[1], alive)
        living = np.where(s >= grown * start["s"], ALIVE, NOT_GROWING)
    code = np.where(collapsed, COLLAPSED, np.where(alive, living, UNDECIDED))
    return np.where(np.isfinite(p) & np.isfinite(s) & np.isfinite(tau), code, FAILED).astype(np.int8)


def _saddle(
    start: dict[str, np.ndarray], p: Any, s: Any, tau: Any, target: str, tau_mode: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (collapsed, alive) from the side of the saddle."""
    alpha_p, eta_p, eta_s, x, x_aug = (start[name] for name in ("alpha_p", "eta_p", "eta_s", "x", "x_aug"))
    level = start["tau"] if tau_mode == "constant" else np.ones_like(p)  # the ratio that fixed points have
    p_minus, _ = branches(eta_s, level, x, x_aug)
    w_minus = p_minus * np.sqrt(eta_p / np.where(eta_s > 0, eta_s, 1.0) / alpha_p)
    w = np.sqrt(s)
    a = tau * w if target == "ema" and tau_mode == "dynamic" else w
    decays = eta_s > 0
    certain = decays & ((eta_s > critical_decay(level, x, x_aug)) | (eta_p == 0) | (alpha_p == 0))
    inside = (np.abs(p) < p_minus) & (w < w_minus) & (np.abs(a) < w_minus)
    above = (p >= p_minus) & (w >= w_minus) & (a >= w_minus)
    gone = (s <= GONE * start["s"]) & (p * modes.drive(p, tau, x, x_aug) < 0)
    return certain | (decays & inside) | (~decays & gone), np.where(decays, above & ~certain, (p > 0) & ~gone)


def _frozen(start: dict[str, np.ndarray], s: Any, tau: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (collapsed, alive) for a target that never moves: the balance of both decays decides."""
    a = np.abs(start["tau"]) * np.sqrt(start["s"])
    weakest = np.sqrt(start["eta_p"] * start["eta_s"] / start["alpha_p"])
    collapsed = (start["x"] * a <= weakest) & ((weakest > 0) | (a == 0))
    return collapsed, ~collapsed & (s > 0)


def _held_predictor(
    start: dict[str, np.ndarray], p: Any, s: Any, tau: Any, target: str, tau_mode: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return (collapsed, alive) where p does not move: (w, a) is linear."""
    level = start["tau"] if tau_mode == "constant" else np.ones_like(p)
    rate = modes.growth(p, modes.drive(p, level, start["x"], start["x_aug"]), start["eta_s"])
    if target == "frozen" and tau_mode == "dynamic":
        return p * start["tau"] <= 0, (p * start["tau"] > 0) & (s > 0)
    return rate < 0, rate >= 0
