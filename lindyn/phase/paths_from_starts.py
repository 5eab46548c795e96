"""Trajectories of a mode from chosen starts, forward and backward in time, and what becomes of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.phase.fates import follow_fates
from lindyn.phase.system import PhaseSystem, check_system

WAYS = ("both", "forward", "backward")
LONGEST = 12.0  # decay times that a path is followed
FAR = 4.0  # times the size of each variable, and of the start: where a path backward in time ends
BETWEEN = 6  # points that stand for a step of the solver
FLOOR = -600.0  # of log s: what is left is 0 in every picture


@dataclass(frozen=True, repr=False)
class StartedPath(Brief):
    """A trajectory through a start.

    Args:
        start: (p, s) or (p, s, tau).
        t: (n,), flow time, 0 at the start, negative before it.
        points: (n, d).
        fate: "collapsed", "alive" or "undecided", of the path forward.
    """

    start: np.ndarray
    t: np.ndarray
    points: np.ndarray
    fate: str


def started_paths(
    system: PhaseSystem, starts: Any, *, way: str = "both", t1: float | None = None, rtol: float = 1e-10
) -> tuple[StartedPath, ...]:
    """Return the trajectories through starts (Eqs. 11-12 at held tau, Eqs. 11-13 with a moving target).

    Integrated as (p, log s) or (p, log s, tau), so that s keeps its relative accuracy however small it becomes.
    Backward in time a path ends where a variable is `FAR` times as large as it is at rest.

    Args:
        system: `plane(...)` or `ema(...)`.
        starts: rows (p, s), s > 0, or (p, s, tau), tau > 0 (default 1 with a moving target).
        way: "forward", "backward" or "both".
        t1: how long, in flow time; default 12 over the smallest decay.
        rtol: relative tolerance.

    Returns:
        A `StartedPath` for each.

    Raises:
        ValueError: a start that is not of two or three numbers, s or tau that is not > 0, another word for `way`.
    """
    check_system(system)
    _checks.one_of("way", way, WAYS)
    decays = [rate for rate in (system.eta_p, system.eta_s) if rate > 0]
    end = LONGEST / min(decays, default=0.05) if t1 is None else _checks.as_scalar("t1", t1, 0.0, exclusive=True)
    points = [_start(system, k, start) for k, start in enumerate(starts, 1)]
    if not points:
        return ()
    at = np.array(points).T
    labels = follow_fates(system, *at).labels
    return tuple(_path(system, y, way, end, rtol, str(label)) for y, label in zip(points, labels, strict=True))


def _start(system: PhaseSystem, k: int, start: Sequence[float]) -> np.ndarray:
    y = np.asarray(_checks.as_array(f"start {k}", start, ndim=1))
    wanted = len(system.names)
    if len(y) == 2 and wanted == 3:
        y = np.append(y, 1.0)
    if len(y) != wanted:
        raise ValueError(f"start {k} must be {' and '.join(system.names)}; got {len(y)} numbers.")
    for name, value in zip(system.names[1:], y[1:], strict=True):
        if value <= 0:
            raise ValueError(f"start {k} must have {name} > 0; got {value:g}.")
    return np.array(y, dtype=float)


def _path(system: PhaseSystem, y: np.ndarray, way: str, end: float, rtol: float, fate: str) -> StartedPath:
    before = _follow(system, y, -end, rtol) if way != "forward" else (np.zeros(1), y[None])
    after = _follow(system, y, end, rtol) if way != "backward" else (np.zeros(1), y[None])
    t = np.concatenate([before[0][:0:-1], after[0]])
    return StartedPath(y, t, np.concatenate([before[1][:0:-1], after[1]]), fate)


def _follow(system: PhaseSystem, y: np.ndarray, end: float, rtol: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (times, points) from a start to `end`, which is negative for the way back."""
    from scipy.integrate import solve_ivp

    bound = FAR * np.maximum(system.scale, np.abs(y))
    top = np.log(bound[1])

    def state(z: np.ndarray) -> np.ndarray:
        return np.concatenate([z[:1], np.exp(np.clip(z[1:2], FLOOR, top + 1.0)), z[2:]])

    def rates(_: float, z: np.ndarray) -> np.ndarray:
        at = state(z)
        rate = system(at)
        return np.concatenate([rate[:1], rate[1:2] / at[1], rate[2:]])

    def leaves(_: float, z: np.ndarray) -> float:
        return float(np.min(1.0 - np.abs(state(z)) / bound))

    leaves.terminal = True  # type: ignore[attr-defined]
    z0 = np.concatenate([y[:1], np.log(y[1:2]), y[2:]])
    atol = rtol * np.concatenate([np.abs(y[:1]) + 1e-6 * system.p_star, np.ones(len(y) - 1)])
    with np.errstate(over="ignore", invalid="ignore"):
        run = solve_ivp(rates, (0.0, end), z0, method="DOP853", rtol=rtol, atol=atol, events=leaves, dense_output=True)
        parts = np.arange(BETWEEN) / BETWEEN
        kept = np.append((run.t[:-1, None] + parts * np.diff(run.t)[:, None]).ravel(), run.t[-1])
        z = run.sol(kept)
    return kept, np.concatenate([z[:1], np.exp(np.clip(z[1:2], FLOOR, None)), z[2:]]).T
