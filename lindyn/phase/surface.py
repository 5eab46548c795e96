"""The separatrix of the moving-target system: the two-dimensional stable manifold of p_-, found in two ways."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.phase.equilibria import FixedPoint, check_box, spread
from lindyn.phase.fates import follow_fates
from lindyn.phase.manifold import follow_back, p_minus_of
from lindyn.phase.system import PhaseSystem

SCAN = 61  # levels of s tried before bisection
RADIUS = 1e-3  # of the saddle's own size: where the quadratic patch ends; it is good to its cube


@dataclass(frozen=True, repr=False)
class SeparatrixSurface(Brief):
    """The edge of the basin of collapse in (p, s, tau), as trajectories that run into the saddle.

    Args:
        curves: (k, n, 3), each backward from near the saddle to the edge of the box.
        far: (m, n, 3), each backward from a start at tau = 1 that bisection put on the surface.
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
    they reach along the slow one is limited by round-off, so that further ones start at tau = 1, p spread over the box,
    at the s that bisection finds to lie on the edge.

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
    lines = [follow_back(system, patch(RADIUS * z), box, rtol, n)[0] for z in rim]
    return SeparatrixSurface(np.array(lines), _far_lines(system, box, far, n, rtol), saddle)


def _far_lines(system: PhaseSystem, box: Any, count: int, n: int, rtol: float) -> np.ndarray:
    p = spread(box[0], count + 2)[1:-1]
    s = edge_at(system, p, np.ones(count), box[1][1], 1e-300, 60)
    on = np.isfinite(s) & (s > 0)
    lines = [follow_back(system, np.array([a, b, 1.0]), box, rtol, n)[0] for a, b in zip(p[on], s[on], strict=True)]
    return np.array(lines).reshape(-1, n, 3)


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
    system: PhaseSystem, p: Any, tau: Any, *, s_max: float | None = None, s_min: float = 1e-12, steps: int = 40
) -> EdgeMap:
    """Return the smallest s that lives for every start (p, tau), by bisection of log s on the fates of starts.

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
    grid_p, grid_tau = np.meshgrid(p, tau, indexing="ij")
    s = edge_at(system, grid_p.ravel(), grid_tau.ravel(), top, s_min * top, steps).reshape(grid_p.shape)
    return EdgeMap(p, tau, s, float(np.expm1(-np.log(s_min) / (SCAN - 1) / 2.0**steps)))


def edge_at(system: PhaseSystem, p: np.ndarray, tau: np.ndarray, s_max: float, s_min: float, steps: int) -> np.ndarray:
    """Return the lowest threshold s of each start (p, tau): 0 where s_min lives, infinity where no s tried does.

    The range is scanned first: with eta_p well below eta_s too large an s collapses as well, and life is an island.
    """
    levels = np.linspace(np.log(s_min), np.log(s_max), SCAN)
    lives = follow_fates(system, p, np.exp(levels)[:, None], tau).labels == "alive"
    first = np.argmax(lives, axis=0)
    low, high = levels[np.maximum(first - 1, 0)], levels[first]
    open_ = np.flatnonzero(lives.any(axis=0) & (first > 0))
    for _ in range(steps):
        middle = (low[open_] + high[open_]) / 2
        alive = follow_fates(system, p[open_], np.exp(middle), tau[open_]).labels == "alive"
        high[open_], low[open_] = np.where(alive, middle, high[open_]), np.where(alive, low[open_], middle)
    return np.where(lives[0], 0.0, np.where(lives.any(axis=0), np.exp((low + high) / 2), np.inf))
