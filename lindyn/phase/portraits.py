"""A phase portrait as data: flow lines, nullclines, fixed points and separatrix of one (p, s) plane."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.phase.equilibria import FixedPointSet, check_box, find_fixed_points
from lindyn.phase.manifold import Separatrix, separatrix
from lindyn.phase.nullcline_curves import Nullcline, nullclines
from lindyn.phase.saddle import p_minus_of
from lindyn.phase.system import PhaseSystem


@dataclass(frozen=True)
class Portrait:
    """What a phase portrait shows.

    Args:
        system: the plane.
        box: its window, (low, high) of p and s.
        fixed: the fixed points.
        nullclines: every branch.
        separatrix: the stable manifold of the saddle; None where there is no saddle.
        edge: (n, 2), the edge of the basin of collapse by increasing p: the separatrix; without decay the exact one
            (s - p^2/alpha_p is kept); None where every start collapses, or where it is not known.
        lines: (times, lines, 2), flow lines.
        parabola: (n, 2), s = p^2 / alpha_p; None for separate decays, where it is not invariant.
    """

    system: PhaseSystem
    box: tuple[tuple[float, float], ...]
    fixed: FixedPointSet
    nullclines: tuple[Nullcline, ...]
    separatrix: Separatrix | None
    edge: np.ndarray | None
    lines: np.ndarray
    parabola: np.ndarray | None


def portrait(system: PhaseSystem, box: Any = None, lines: int = 30) -> Portrait:
    """Return the phase portrait of a (p, s) plane.

    Args:
        system: `plane(...)`.
        box: the window; default p from -p* to 1.7 p*, s to 1.7 times its size.
        lines: flow lines, about.

    Returns:
        `Portrait`.

    Raises:
        ValueError: tau is not held, or a reversed window.
    """
    if system.beta is not None:
        raise ValueError("A portrait needs tau held; use phase.plane(...), or system.section(tau) of a moving target.")
    if box is None:
        box = [(-system.scale[0], 1.7 * system.scale[0]), (0.0, 1.7 * system.scale[1])]
    box = check_box(system, box)
    try:
        p_minus_of(system)
        manifold = separatrix(system, box)
    except ValueError:  # no saddle
        manifold = None
    p = np.linspace(box[0][0], box[0][1], 401)
    edge = None if manifold is None else manifold.curve
    if system.eta_p == system.eta_s == 0:
        lost = np.where(p <= 0, p**2, p**2 - system.p_star**2) / system.alpha_p
        lost[lost < 0] = np.nan  # every s > 0 lives
        edge = np.stack([p, lost], axis=1)
    parabola = np.stack([p, p**2 / system.alpha_p], axis=1) if system.eta_p == system.eta_s else None
    fixed = find_fixed_points(system, box)
    return Portrait(
        system, box, fixed, nullclines(system, box), manifold, edge, _flow_lines(system, box, lines), parabola
    )


def _flow_lines(system: PhaseSystem, box: Any, count: int, times: int = 400) -> np.ndarray:
    """Return trajectories from around the window's edge and from its floor."""
    from lindyn.flows import ModeFlow
    from lindyn.hyperparameters import Hyperparameters
    from lindyn.solve.ode import simulate
    from lindyn.states import ModeState

    (left, right), (_, top) = box
    n = max(count // 6, 2)
    width = right - left
    starts = [(left, s * top) for s in np.linspace(0.1, 0.95, n)]
    starts += [(left + share * width, top) for share in np.linspace(0.06, 0.94, 2 * n)]
    starts += [(right, s * top) for s in np.linspace(0.05, 0.9, n)]
    starts += [(left + share * width, 0.015 * top) for share in np.linspace(0.12, 0.97, 2 * n)]
    p, s = np.array(starts).T
    hp = Hyperparameters(system.alpha_p, 0.0, eta_p=system.eta_p, eta_s=system.eta_s)
    flow = ModeFlow(hp, x=system.x, x_aug=system.x_aug, tau="constant")
    slow = min((rate for rate in (system.eta_p, system.eta_s) if rate > 0), default=0.02)
    ts = np.concatenate([[0.0], np.geomspace(1e-3, 12.0 / slow, times - 1)])
    run = simulate(flow, ModeState(p=p, s=s, tau=np.full(len(p), system.tau)), ts=ts, rtol=1e-8, engine="scipy")
    return np.stack([run.states.p, run.states.s], axis=-1)
