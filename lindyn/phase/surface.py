"""The separatrix of the moving-target system: the two-dimensional stable manifold of p_-, found in two ways."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.phase.equilibria import FixedPoint, check_box, spread
from lindyn.phase.fates import follow_fates
from lindyn.phase.integration import integrate
from lindyn.phase.manifold import follow_back, log_rates, log_state, p_minus_of, state_of
from lindyn.phase.refinement import polish, refine
from lindyn.phase.system import PhaseSystem, check_system

SCAN = 61  # levels of s tried before halving
STEPS = 20  # halvings of the step between two levels: to 5e-7 of s
GROWTH = 30.0  # of a distance to the surface, after which a run along it is put back on it
LEGS = 16  # of a run along the surface
NEAR = 2e-3  # of the saddle's own size: where such a run ends
RADIUS = 1e-3  # of the saddle's own size: where the quadratic patch ends; it is good to its cube


@dataclass(frozen=True, repr=False)
class SeparatrixSurface(Brief):
    """The edge of the basin of collapse in (p, s, tau), as trajectories that run into the saddle.

    Args:
        curves: (k, n, 3), each backward from near the saddle to the edge of the box.
        far: (m, n, 3), each through a start at tau = 1 that halving put on the surface: from near the saddle, which it
            reaches along the slow direction, to the edge of the box.
        saddle: its record.
    """

    curves: np.ndarray
    far: np.ndarray
    saddle: FixedPoint


@dataclass(frozen=True, repr=False)
class EdgeMap(Brief):
    """The start s* above which a mode lives, over a grid of p and tau; by bisection of starts, no manifold used.

    Args:
        p: grid.
        tau: grid.
        s: (p, tau); 0 where every s > 0 tried lives, infinity where none tried lives.
        relative_error: of s, from the width of the last bracket (a share of the scan's step).
    """

    p: np.ndarray
    tau: np.ndarray
    s: np.ndarray
    relative_error: float


def separatrix_surface(
    system: PhaseSystem, box: Any = None, curves: int = 32, far: int = 16, n: int = 200, rtol: float = 1e-12
) -> SeparatrixSurface:
    """Return the stable manifold of p_- in (p, s, tau) as a family of trajectories followed backward.

    They start on the rim of a small patch around the saddle, the manifold to second order, y = y_0 + V z + k(z, z) with
    k from the invariance equation; crowded along the slow direction, since backward the fast one takes over. How far
    they reach along the slow one is limited by round-off, so that further ones run through starts at tau = 1, p spread
    over the box, at the s that halving finds to lie on the edge: backward to the edge of the box, and forward along the
    slow direction to the saddle, put back on the edge before the unstable direction has carried them off.

    Args:
        system: `ema(...)` with a decay between 0 and the critical one.
        box: (low, high) for p, s, tau; a curve ends at its edge.
        curves: how many leave the saddle.
        far: how many start at tau = 1.
        n: points per curve.
        rtol: tolerance of the integration.

    Returns:
        `SeparatrixSurface`.

    Raises:
        ValueError: there is no saddle, or tau is held.
    """
    check_system(system)
    if system.beta is None:
        raise ValueError("With tau held the separatrix is a curve; use phase.separatrix(system).")
    box, curves = check_box(system, box), _checks.as_whole("curves", curves)
    saddle = p_minus_of(system)
    patch, slow, fast = _patch(system, saddle)
    if slow.imag != 0:
        angle = np.linspace(-np.pi, np.pi, curves, endpoint=False)
        rim = np.stack([np.exp(1j * angle), np.exp(-1j * angle)], axis=1)
    else:
        tilt = np.geomspace(1e-14 if fast.real < 1.5 * slow.real else 1e-3, 1.0, max(curves // 4, 2)) * np.pi / 2
        angle = np.unique(np.concatenate([side * tilt + turn for turn in (0.0, np.pi) for side in (-1, 1)]))
        rim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lines, _ = follow_back(system, np.array([patch(RADIUS * z) for z in rim]), box, rtol, n)
    return SeparatrixSurface(lines, _far_lines(system, saddle, box, far, n, rtol), saddle)


def _far_lines(system: PhaseSystem, saddle: FixedPoint, box: Any, count: int, n: int, rtol: float) -> np.ndarray:
    p = spread(box[0], count + 2)[1:-1]
    s = edge_at(system, p, np.ones(count), box[1][1], 1e-300, 40)
    on = np.isfinite(s) & (s > 0)
    if not on.any():
        return np.empty((0, n, 3))
    starts = np.stack([p[on], s[on], np.ones(int(on.sum()))], axis=1)
    back, _ = follow_back(system, starts, box, rtol, n - n // 2)
    return np.concatenate([_to_saddle(system, saddle, starts, n // 2, rtol)[:, ::-1], back], axis=1)


def _to_saddle(system: PhaseSystem, saddle: FixedPoint, starts: np.ndarray, n: int, rtol: float) -> np.ndarray:
    """Return the runs (k, n, 3) from starts on the surface, along it to the saddle.

    Off the surface a distance grows at the saddle's unstable rate; before it has grown `GROWTH` times, s is found
    anew at the p and tau reached.
    """
    rates = np.sort(saddle.eigenvalues.real)[::-1]
    whole = np.log(np.max(np.abs(starts / saddle.point)) / NEAR) / -rates[1]
    legs = int(np.clip(np.ceil(whole * rates[0] / np.log(GROWTH)), 1, LEGS))
    last = legs * np.log(GROWTH) / rates[0] if legs == LEGS else whole
    times = np.concatenate([[0.0], np.geomspace(1e-3 * last, last, n - 1)])
    ends = np.linspace(0.0, last, legs + 1)
    top, forward = np.log(np.max(starts[:, 1])) + 5.0, log_rates(system, np.inf)
    y, found = starts, [starts[:, None]]
    for begin, end in itertools.pairwise(ends):
        z = log_state(y.T)
        some = times[(times > begin) & (times <= end)] - begin
        run = integrate(forward, z, end - begin, rtol, rtol * np.ones_like(z), lambda z: top - z[1])
        at = np.tile(np.append(some, end - begin), (len(y), 1))
        states = np.moveaxis(state_of(run.at(at), top), 0, -1)
        found.append(states[:, :-1])
        y = states[:, -1].copy()
        y[:, 1] = _again(system, y)
    return np.concatenate(found, axis=1)


def _again(system: PhaseSystem, y: np.ndarray) -> np.ndarray:
    """Return the s on the surface of states next to it; where they have left it, their own."""
    low, high = np.log(y[:, 1]) - 1e-3, np.log(y[:, 1]) + 1e-3
    levels = follow_fates(system, y[:, 0], np.exp(np.stack([low, high])), y[:, 2]).labels == "alive"
    rows = np.flatnonzero(~levels[0] & levels[1])
    s = y[:, 1].copy()
    s[rows] = np.exp(_threshold(system, y[rows, 0], y[rows, 2], low[rows], high[rows], 2e-3 * 2.0**-STEPS))
    return s


def _patch(system: PhaseSystem, saddle: FixedPoint) -> tuple[Any, complex, complex]:
    """Return z -> the stable manifold to second order, and the slow and the fast eigenvalue.

    With A v_i = l_i v_i, the quadratic part sum k_ij z_i z_j obeys ((l_i + l_j) I - A) k_ij = q_ij, q_ij from the
    second derivative of the flow. The flow is a cubic, for which the central second difference is exact.
    """
    values, vectors = np.linalg.eig(saddle.jacobian)
    order = np.argsort(-values.real)[1:]
    lam, V = values[order], vectors[:, order]
    size = np.abs(saddle.point)
    V = V / np.linalg.norm(V / size[:, None], axis=0)

    def bend(v: np.ndarray) -> np.ndarray:
        return system(saddle.point + v) + system(saddle.point - v) - 2 * system(saddle.point)

    q = {(0, 0): bend(V[:, 0]) / 2, (1, 1): bend(V[:, 1]) / 2}
    q[0, 1] = bend(V[:, 0] + V[:, 1]) / 2 - q[0, 0] - q[1, 1]
    k = {ij: np.linalg.solve((lam[ij[0]] + lam[ij[1]]) * np.eye(3) - saddle.jacobian, each) for ij, each in q.items()}

    def patch(z: np.ndarray) -> np.ndarray:
        return np.real(saddle.point + V @ z + sum(each * z[i] * z[j] for (i, j), each in k.items()))

    return patch, complex(lam[0]), complex(lam[1])


def edge_by_bisection(
    system: PhaseSystem, p: Any, tau: Any, *, s_max: float | None = None, s_min: float = 1e-12, steps: int = STEPS
) -> EdgeMap:
    """Return the smallest s that lives for every start (p, tau), by halving of log s on the fates of starts.

    The levels of s between which it lies are found by refinement over (p, tau, log s) at once, only next to the
    surface (`refinement.refine`).

    Args:
        system: `ema(...)`.
        p: increasing starts of p.
        tau: increasing starts of tau, >= 0 (1: the target starts as a copy; 0: at zero).
        s_max: largest s tried, default 100 times its size at p_+.
        s_min: smallest s tried, as a share of s_max.
        steps: halvings.

    Returns:
        `EdgeMap`.

    Raises:
        ValueError: ranges that do not increase, or tau held.
    """
    if system.beta is None:
        raise ValueError("With tau held the separatrix is a curve; use phase.separatrix(system).")
    p, tau = np.asarray(_checks.as_array("p", p, ndim=1)), np.asarray(_checks.as_array("tau", tau, ndim=1))
    for name, grid in (("p", p), ("tau", tau)):
        if np.any(np.diff(grid) <= 0):
            raise ValueError(f"{name} must increase; got {grid[0]:g} to {grid[-1]:g}.")
    top = 100 * system.scale[1] if s_max is None else _checks.as_scalar("s_max", s_max, 0.0, exclusive=True)
    levels = np.linspace(np.log(s_min * top), np.log(top), SCAN)

    def told(at: tuple[np.ndarray, ...]) -> np.ndarray:
        return follow_fates(system, p[at[0]], np.exp(levels[at[2]]), tau[at[1]]).labels == "alive"

    lives = refine(told, (len(p), len(tau), SCAN)).codes.astype(bool)
    grid_p, grid_tau = np.meshgrid(p, tau, indexing="ij")
    s = _lowest(system, grid_p.ravel(), grid_tau.ravel(), levels, lives.reshape(-1, SCAN).T, steps)
    return EdgeMap(p, tau, s.reshape(grid_p.shape), float(np.expm1((levels[1] - levels[0]) / 2.0**steps)))


def edge_at(system: PhaseSystem, p: np.ndarray, tau: np.ndarray, s_max: float, s_min: float, steps: int) -> np.ndarray:
    """Return the lowest threshold s of each start (p, tau): 0 where s_min lives, infinity where no s tried does.

    The range is scanned first: with eta_p well below eta_s too large an s collapses as well, and life is an island.
    """
    levels = np.linspace(np.log(s_min), np.log(s_max), SCAN)
    lives = follow_fates(system, p, np.exp(levels)[:, None], tau).labels == "alive"
    return _lowest(system, p, tau, levels, lives, steps)


def _lowest(
    system: PhaseSystem, p: np.ndarray, tau: np.ndarray, levels: np.ndarray, lives: np.ndarray, steps: int
) -> np.ndarray:
    """Return the lowest threshold s of each start from what is known at some levels of log s, (levels, starts)."""
    first = np.argmax(lives, axis=0)
    open_ = np.flatnonzero(lives.any(axis=0) & (first > 0))
    s = np.where(lives[0], 0.0, np.inf)
    low, high = levels[first[open_] - 1], levels[first[open_]]
    width = (levels[1] - levels[0]) / 2.0**steps
    s[open_] = np.exp(_threshold(system, p[open_], tau[open_], low, high, width))
    return s


def _threshold(
    system: PhaseSystem, p: np.ndarray, tau: np.ndarray, low: np.ndarray, high: np.ndarray, width: float
) -> np.ndarray:
    """Return the log s at which starts (p, tau) that die at `low` and live at `high` begin to live, to `width`."""

    def told(which: np.ndarray, u: np.ndarray) -> np.ndarray:
        level = low[which] + u * (high - low)[which]
        return follow_fates(system, p[which], np.exp(level), tau[which]).labels == "alive"

    def done(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (b - a) * (high - low) <= width * (1 + 1e-9)

    a, b = polish(told, np.zeros(len(p), dtype=bool), done)
    return low + (a + b) / 2 * (high - low)
