"""What counts as escape and as collapse of a mode, and other numbers both engines share."""

from typing import Any

import numpy as np

ESCAPED_SHARE = 0.9  # escape: p past this share of p_+
COLLAPSED_SHARE = 1e-6  # collapse: s under this share of its start
BISECTIONS = 50  # in which, at most, a crossing is found inside a step
STIFF_REACH = 5000.0  # beta t1 past which the L-stable method is cheaper (measured, benchmarks/sweep.py)
FIRST_STEP = 0.01  # of the time in which the fastest unknown changes by its own size
EVENTS = ("none", "escape", "collapse")
(NONE, ESCAPE, COLLAPSE) = range(3)


def escape_level(
    alpha_p: Any, eta_p: Any, eta_s: Any, x: Any, x_aug: Any, s: Any, tau: Any, *, target: str, tau_mode: str
) -> Any:
    """Return 0.9 p_+, the p past which a mode has escaped from collapse; infinity where no p_+ exists.

    EMA and online target: p_+ = (x tau + sqrt(x^2 tau^2 - 4 eta_s (x + x_aug))) / (2 (x + x_aug)), below Eq. 16, at
    tau = 1, where every living EMA mode ends, or at the constant tau. Frozen target, a = tau_0 sqrt(s_0): the fixed
    point of Eqs. 11-12 with tau = a / w is p_+^2 = (x a / r - eta_s) / (x + x_aug) with w = r p,
    r^2 = eta_p / (alpha_p eta_s) (1 / alpha_p at eta_p = eta_s = 0).

    Args:
        alpha_p: learning-rate ratio.
        eta_p: decay of the predictor.
        eta_s: decay of the online network.
        x: eigenvalue of X.
        x_aug: eigenvalue of X'.
        s: the start of s.
        tau: the start of tau.
        target: "ema", "online" or "frozen".
        tau_mode: "dynamic" or "constant".

    Returns:
        The levels, broadcast.
    """
    v = np.asarray(x + x_aug, dtype=np.float64)
    with np.errstate(all="ignore"):
        if target == "frozen" and tau_mode == "dynamic":
            equal = (eta_p == 0) & (eta_s == 0)
            r = np.sqrt(np.where(equal, 1.0, eta_p) / (alpha_p * np.where(equal, 1.0, eta_s)))
            p_plus = np.sqrt((x * tau * np.sqrt(s) / r - eta_s) / v)
        else:
            pull = x * (tau if tau_mode == "constant" else np.ones_like(tau))
            p_plus = (pull + np.sqrt(pull * pull - 4 * eta_s * v)) / (2 * v)
    return np.where(np.isfinite(p_plus) & (p_plus > 0), ESCAPED_SHARE * p_plus, np.inf)
