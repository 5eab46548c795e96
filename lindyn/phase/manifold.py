"""The separatrix: the stable manifold of the saddle p_-, by integration backward in time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks, theory
from lindyn.display.brief import Brief
from lindyn.equations import modes, target
from lindyn.phase.equilibria import FixedPoint, check_box, classify, closed_forms, newton
from lindyn.phase.integration import Rates, integrate
from lindyn.phase.system import PhaseSystem, check_system

REACH = 6.0  # of a box, that a trajectory is followed backward
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
    check_system(system)
    if system.beta is not None:
        raise ValueError("With a moving tau the separatrix is a surface; use phase.separatrix_surface(system).")
    box = check_box(system, box)
    saddle = p_minus_of(system)
    values, vectors = np.linalg.eig(saddle.jacobian)
    tangent = vectors[:, np.argmin(values.real)].real
    size = np.abs(saddle.point)
    tangent = tangent / np.linalg.norm(tangent / size) * np.sign(tangent[0])
    starts = np.stack([saddle.point - OFFSET * tangent, saddle.point + OFFSET * tangent])
    halves, arcs = follow_back(system, starts, box, rtol, n)
    loose, _ = follow_back(system, starts, box, 100 * rtol, arcs)
    size = np.stack([np.full((2, n), system.p_star), np.maximum(halves[..., 1], np.finfo(float).tiny)], axis=-1)
    off = np.abs(halves - loose) / size
    curve = np.concatenate([halves[0][::-1], saddle.point[None], halves[1]])
    return Separatrix(curve, saddle, n, float(off[:, :-1].max()))


def follow_back(
    system: PhaseSystem, starts: np.ndarray, box: Any, rtol: float, arcs: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the trajectories that lead to some states, followed backward until they leave the box.

    Integrated as (p, log s) or (p, log s, tau), so that s keeps its relative accuracy however small it becomes.

    Args:
        system: the flow.
        starts: (k, d), states with s > 0.
        box: where to stop.
        rtol: tolerance.
        arcs: how many points to keep of each, or at which lengths (k, n) (in units of the box).

    Returns:
        The points (k, n, d) and the lengths where they lie.
    """
    low, high = (side[:, None] for side in np.array(box).T)
    unit, top = high - low, np.log(high[1, 0]) + 1.0
    forward, d = log_rates(system, top), len(low)

    def back(z: np.ndarray) -> np.ndarray:
        velocity = forward(z)
        through_box = velocity[:d] / unit
        through_box[1] *= np.exp(np.minimum(z[1], top))
        velocity /= -np.sqrt(np.sum(through_box * through_box, axis=0)) - 1e-300
        return velocity

    def room(z: np.ndarray) -> np.ndarray:
        y = state_of(z, top)[:d]
        left = np.minimum(y - low, high - y) / unit
        left[1] = (high[1] - y[1]) / unit[1]  # s > 0 stays so
        return left.min(axis=0) + 1e-9

    z0 = log_state(np.asarray(starts, dtype=float).T)
    atol = rtol * np.concatenate([np.abs(z0[:1]), np.ones_like(z0[1:])])
    run = integrate(back, z0, REACH, rtol, atol, room)
    end = run.end[:, None]
    at = end * np.linspace(0.0, 1.0, arcs) if np.ndim(arcs) == 0 else np.minimum(arcs, end)
    y = state_of(run.at(at), top)[:d]
    if d == 3:
        y[2] = np.clip(y[2], low[2], high[2])
    return np.moveaxis(y, 0, -1), at


def log_state(y: np.ndarray) -> np.ndarray:
    """Return (p, log s, tau) of states (p, s) or (p, s, tau); a tau that is held is no variable and counts as 0."""
    return np.stack([y[0], np.log(y[1]), y[2] if len(y) == 3 else np.zeros_like(y[0])])


def state_of(z: np.ndarray, top: float) -> np.ndarray:
    """Return (p, s, tau) of (p, log s, tau), log s cut off at `top`."""
    return np.stack([z[0], np.exp(np.minimum(z[1], top)), z[2]])


def log_rates(system: PhaseSystem, top: float) -> Rates:
    """Return the velocity of (p, log s, tau), Eqs. 11-13 on the library's equations, for `integrate`."""
    v, held = system.values, system.beta is None

    def velocity(z: np.ndarray) -> np.ndarray:
        p, s, tau = z[0], np.exp(np.minimum(z[1], top)), v["tau"] if held else z[2]
        D = modes.drive(p, tau, v["x"], v["x_aug"])
        growth = modes.growth(p, D, v["eta_s"])
        out = np.zeros_like(z)
        out[0], out[1] = modes.dp(p, s, D, v["alpha_p"], v["eta_p"]), modes.ds(1.0, growth)  # ds/s, for an s of 0 too
        if not held:
            out[2] = target.dtau(tau, growth, v["beta"])
        return out

    return velocity


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
