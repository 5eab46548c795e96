"""The separatrix: the stable manifold of the saddle p_-, by integration backward in time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from lindyn import _checks, theory
from lindyn.display.brief import Brief
from lindyn.phase.equilibria import FixedPoint, check_box, classify, closed_forms, newton
from lindyn.phase.system import PhaseSystem

OFFSET = 1e-6  # of the saddle's own size: where the manifold leaves its tangent


@dataclass(frozen=True, repr=False)
class Separatrix(Brief):
    """The edge of the basin of collapse in the (p, s) plane.

    Args:
        curve: (n, 2), from the end at small p through the saddle to the other; the saddle is one of them.
        saddle: its record.
        at_saddle: the index of the saddle in `curve`.
        error: largest difference to the curve computed 100 times less exactly: of p relative to p*, of s relative to s.
    """

    curve: np.ndarray
    saddle: FixedPoint
    at_saddle: int
    error: float


@dataclass(frozen=True, repr=False)
class SideTest(Brief):
    """What became of starts just off a separatrix: all `below` must collapse, all `above` must live."""

    below: np.ndarray
    above: np.ndarray
    offset: float

    @property
    def passed(self) -> bool:
        """Whether every start went where its side says."""
        return bool(np.all(self.below == "collapsed") and np.all(self.above == "alive"))


def separatrix(system: PhaseSystem, box: Any = None, n: int = 300, rtol: float = 1e-12) -> Separatrix:
    """Return the stable manifold of p_- in the (p, s) plane at held tau, inside a box.

    The flow is followed backward from the saddle along the eigenvector of its negative eigenvalue, in the time that
    makes the speed 1 in units of the box. Backward, distances to the manifold shrink, so that the curve is as good as
    the tolerance.

    Args:
        system: `plane(...)` with a decay between 0 and the critical one.
        box: (low, high) per variable; the curve ends at its edge.
        n: points per branch.
        rtol: tolerance of the integration.

    Returns:
        `Separatrix`.

    Raises:
        ValueError: there is no saddle, or tau is not held.
    """
    if system.beta is not None:
        raise ValueError("With a moving tau the separatrix is a surface; use phase.separatrix_surface(system).")
    box = check_box(system, box)
    saddle = p_minus_of(system)
    values, vectors = np.linalg.eig(saddle.jacobian)
    tangent = vectors[:, np.argmin(values.real)].real
    size = np.abs(saddle.point)
    tangent = tangent / np.linalg.norm(tangent / size) * np.sign(tangent[0])
    halves: list[np.ndarray] = []
    worst = 0.0
    for way in (-1.0, 1.0):
        start = saddle.point + way * OFFSET * tangent
        half, arcs = follow_back(system, start, box, rtol, n)
        loose, _ = follow_back(system, start, box, 100 * rtol, arcs)
        off = np.abs(half - loose) / np.stack([np.full(n, system.p_star), half[:, 1]], axis=1)
        halves.append(half)
        worst = max(worst, float(off[:-1].max()))
    curve = np.concatenate([halves[0][::-1], saddle.point[None], halves[1]])
    return Separatrix(curve, saddle, n, worst)


def follow_back(
    system: PhaseSystem, start: np.ndarray, box: Any, rtol: float, arcs: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the trajectory that leads to `start`, followed backward until it leaves the box.

    Integrated as (p, log s) or (p, log s, tau), so that s keeps its relative accuracy however small it becomes.

    Args:
        system: the flow.
        start: a state with s > 0.
        box: where to stop.
        rtol: tolerance.
        arcs: how many points to keep, or at which lengths (in units of the box).

    Returns:
        The points (n, d) and the lengths where they lie.
    """
    low, high = np.array(box).T
    unit = high - low
    reach = np.log(high[1])

    def state(z: np.ndarray) -> np.ndarray:
        return np.concatenate([z[:1], np.exp(np.minimum(z[1:2], reach + 1.0)), z[2:]])

    def back(_: float, z: np.ndarray) -> np.ndarray:
        y = state(z)
        rate = system(y)
        speed = np.linalg.norm(rate / unit) + 1e-300
        return -np.concatenate([rate[:1], rate[1:2] / y[1], rate[2:]]) / speed

    def leaves(_: float, z: np.ndarray) -> float:
        y = state(z)
        room = np.minimum(y - low, high - y) / unit
        room[1] = (high[1] - y[1]) / unit[1]  # s > 0 stays so
        return float(np.min(room)) + 1e-9

    leaves.terminal = True  # type: ignore[attr-defined]
    z0 = np.concatenate([start[:1], np.log(start[1:2]), start[2:]])
    atol = rtol * np.concatenate([np.abs(start[:1]), np.ones(len(start) - 1)])
    run = solve_ivp(back, (0.0, 6.0), z0, method="DOP853", rtol=rtol, atol=atol, events=leaves, dense_output=True)
    at = np.linspace(0.0, run.t[-1], arcs) if np.ndim(arcs) == 0 else np.minimum(arcs, run.t[-1])
    z = run.sol(at)
    tau = np.clip(z[2:], low[2:, None], high[2:, None])
    return np.concatenate([z[:1], np.exp(z[1:2]), tau]).T, at


def side_test(system: PhaseSystem, curve: np.ndarray, offset: float = 1e-3, count: int = 20) -> SideTest:
    """Return the fates of starts just below and just above a separatrix, s off by the share `offset`.

    Args:
        system: the flow.
        curve: (n, d) points on it; `count` of them, spread evenly, are tried.
        offset: share by which s is changed.
        count: how many.

    Returns:
        `SideTest`.
    """
    from lindyn.phase.fates import follow_fates

    offset = _checks.as_scalar("offset", offset, 0.0, exclusive=True)
    some = curve[np.unique(np.linspace(0, len(curve) - 1, count).astype(int))]
    some = some[some[:, 1] > 0]
    p, s, tau = some[:, 0], some[:, 1], some[:, 2] if some.shape[1] == 3 else None
    below = follow_fates(system, p, s * (1 - offset), tau).labels
    above = follow_fates(system, p, s * (1 + offset), tau).labels
    return SideTest(below, above, offset)


def p_minus_of(system: PhaseSystem) -> FixedPoint:
    """Return the saddle p_-, found on the flow.

    Raises:
        ValueError: there is none: the decay is 0, or at or above the critical one.
    """
    critical = float(theory.critical_decay(system.rest_tau, system.x, system.x_aug))
    if system.eta_p == 0 or system.eta_s == 0:
        raise ValueError(
            f"There is no isolated saddle without decay (got eta_p = {system.eta_p:g}, eta_s = {system.eta_s:g}); "
            f"choose a decay between 0 and the critical {critical:.6g}."
        )
    if system.eta_s >= critical:
        raise ValueError(
            f"There is no saddle, hence no separatrix: eta = {system.eta_s:g} is not below the critical decay "
            f"tau^2 x^2/(4 (x + x')) = {critical:.6g}, where p_- meets p_+; every start collapses. Lower eta."
        )
    closed = closed_forms(system)
    start = np.array([[closed.p_minus, closed.s_minus, 1.0][: len(system.names)]], dtype=float)
    found = [classify(system, y) for y in newton(system, start)]
    if not found or found[0].stability != "saddle":
        raise ValueError(
            f"The saddle cannot be told from p_+ in double precision: eta = {system.eta_s:.17g} is too close to the "
            f"critical decay {critical:.17g}. Lower eta."
        )
    return found[0]
