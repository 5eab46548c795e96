"""The exact time t(p) on the invariant parabola at fixed tau, and the delay just past the critical decay."""

from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.equations import modes, parabola

NEAR_CRITICAL = 1e-12  # relative distance of 4 eta v from c^2 below which the double-root formula is used


def regime(eta: float, c: float, v: float) -> str:
    """Return which antiderivative applies: "no_decay", "below", "critical" or "above" the critical decay.

    Args:
        eta: weight decay, >= 0.
        c: x tau.
        v: x + x_aug, > 0.

    Returns:
        The name of the regime.
    """
    if eta == 0:
        return "no_decay" if c > 0 else "no_drive"
    discriminant = c * c - 4 * eta * v
    if abs(discriminant) <= NEAR_CRITICAL * c * c:
        return "critical"
    return "below" if discriminant > 0 else "above"


def antiderivative(kind: str, p: Any, eta: Any, c: Any, v: Any, f: Any = np) -> Any:
    """Return T(p) with dT/dp = 1 / (p^2 (c - v p) - eta p), so that t(p) = T(p) - T(p(0)) (Eq. 16, tau fixed).

    Args:
        kind: the regime, see `regime`.
        p: eigenvalue of W_p on the parabola.
        eta: weight decay.
        c: x tau.
        v: x + x_aug.
        f: where log, sqrt and arctan come from (numpy, or sympy's under these names in the proof).

    Returns:
        T(p), up to a constant of the interval between two fixed points.
    """
    if kind == "no_drive":
        return 1 / (2 * v * p**2)
    if kind == "no_decay":
        return -1 / (c * p) + v / c**2 * f.log((p / (c - v * p)) ** 2) / 2
    if kind == "critical":
        a = c / (2 * v)
        return -(f.log((p / (p - a)) ** 2) / 2 / a**2 - 1 / (a * (p - a))) / v
    if kind == "below":
        root = f.sqrt(c**2 - 4 * eta * v)
        high = (c + root) / (2 * v)
        low = eta / (v * high)
        gap = root / v
        return (
            -f.log(p**2) / (2 * eta)
            + f.log((p - low) ** 2) / (2 * v * low * gap)
            - f.log((p - high) ** 2) / (2 * v * high * gap)
        )
    width = f.sqrt(4 * eta * v - c**2)
    return -(f.log(p**2 / (v * p**2 - c * p + eta)) / 2 + c / width * f.arctan((2 * v * p - c) / width)) / eta


def transit_time(p0: float, p1: float, eta: float, tau: float = 1.0, x: float = 1.0, x_aug: float = 0.25) -> float:
    """Return the flow time from p0 to p1 on the parabola s = p^2/alpha_p at fixed tau, exactly (Eq. 16).

    Args:
        p0: start p(0).
        p1: end, on the way of the flow from p0.
        eta: weight decay (eta_p = eta_s), >= 0.
        tau: target / online ratio, held.
        x: eigenvalue of X, >= 0.
        x_aug: eigenvalue of X', >= 0.

    Returns:
        The time, >= 0 (flow time = learning rate x steps / (1 - momentum)).

    Raises:
        ValueError: the flow does not lead from p0 to p1, or a number out of its range.
    """
    p0, p1, tau = (_checks.as_scalar(name, value) for name, value in (("p0", p0), ("p1", p1), ("tau", tau)))
    eta, x, x_aug = (_checks.as_scalar(n, u, minimum=0.0) for n, u in (("eta", eta), ("x", x), ("x_aug", x_aug)))
    c, v = x * tau, x + x_aug
    if v <= 0 or c < 0:
        raise ValueError(f"x + x_aug must be > 0 and x tau >= 0; got x + x_aug = {v:g}, x tau = {c:g}.")
    if p0 == p1:
        return 0.0
    between = [0.0, *np.roots([v, -c, eta])]
    low, high = min(p0, p1), max(p0, p1)
    blocked = [float(r.real) for r in between if abs(np.imag(r)) <= 1e-9 and low <= np.real(r) <= high]
    middle = (p0 + p1) / 2
    rate = parabola.dp(middle, modes.growth(middle, modes.drive(middle, 1.0, c, v - c), eta))
    if blocked or rate * (p1 - p0) <= 0:
        where = f"a fixed point lies at p = {blocked[0]:g}" if blocked else "the flow runs the other way"
        raise ValueError(f"The flow does not lead from p0 = {p0:g} to p1 = {p1:g}: {where}.")
    kind = regime(eta, c, v)
    return float(antiderivative(kind, p1, eta, c, v) - antiderivative(kind, p0, eta, c, v))


def bottleneck_time(eta: Any, tau: Any = 1.0, x: Any = 1.0, x_aug: Any = 0.25, f: Any = np) -> Any:
    """Return the time lost near p = x tau/(2(x+x')) when eta is just above the critical decay.

    pi c / (eta sqrt(4 v eta - c^2)), c = x tau, v = x + x_aug: the whole swing of the arctangent in t(p). It grows
    as 2 pi sqrt(v) / (c sqrt(eta - eta_critical)) towards the critical decay.

    Args:
        eta: weight decay above critical.
        tau: held ratio.
        x: eigenvalue of X.
        x_aug: eigenvalue of X'.
        f: where sqrt and pi come from.

    Returns:
        The time; NaN at or below the critical decay.
    """
    c, v = x * tau, x + x_aug
    width = 4 * v * eta - c**2
    if f is np:
        width = np.where(np.asarray(width, dtype=float) > 0, width, np.nan)
    return f.pi * c / (eta * f.sqrt(width))
