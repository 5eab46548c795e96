"""A phase portrait as data: flow lines, nullclines, fixed points and separatrix of one (p, s) plane."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import theory
from lindyn.display.brief import Brief
from lindyn.phase.equilibria import FixedPointSet, check_box, find_fixed_points, spread
from lindyn.phase.manifold import Separatrix, p_minus_of, separatrix
from lindyn.phase.system import PhaseSystem, check_system


@dataclass(frozen=True, repr=False)
class Nullcline(Brief):
    """One branch on which one variable stands still.

    Args:
        variable: "p", "s" or "tau".
        formula: the branch in the paper's symbols.
        points: (n, 2) in the plane; (n, m, 3) for a surface.
        residual: largest rate of the variable on the branch, relative to the size of its terms.
    """

    variable: str
    formula: str
    points: np.ndarray
    residual: float


@dataclass(frozen=True, repr=False)
class Portrait(Brief):
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
    check_system(system)
    if system.beta is not None:
        raise ValueError("A portrait needs tau held; use phase.plane(...), or system.section(tau) of a moving target.")
    box = check_box(system, default_window(system) if box is None else box)
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


def default_window(system: PhaseSystem) -> list[tuple[float, float]]:
    """Return the window of p and s that a portrait has where none is given."""
    return [(-system.scale[0], 1.7 * system.scale[0]), (0.0, 1.7 * system.scale[1])]


def line_starts(box: Any, count: int) -> np.ndarray:
    """Return where about `count` flow lines start, (n, 2): around the window's edge and along its floor."""
    (left, right), (_, top) = box
    n = max(count // 6, 2)
    width = right - left
    starts = [(left, s * top) for s in np.linspace(0.1, 0.95, n)]
    starts += [(left + share * width, top) for share in np.linspace(0.06, 0.94, 2 * n)]
    starts += [(right, s * top) for s in np.linspace(0.05, 0.9, n)]
    starts += [(left + share * width, 0.015 * top) for share in np.linspace(0.12, 0.97, 2 * n)]
    return np.array(starts)


def _flow_lines(system: PhaseSystem, box: Any, count: int, times: int = 400) -> np.ndarray:
    """Return trajectories from around the window's edge and from its floor."""
    from lindyn.flows import ModeFlow
    from lindyn.hyperparameters import Hyperparameters
    from lindyn.solve.ode import simulate
    from lindyn.states import ModeState

    p, s = line_starts(box, count).T
    hp = Hyperparameters(system.alpha_p, 0.0, eta_p=system.eta_p, eta_s=system.eta_s)
    flow = ModeFlow(hp, x=system.x, x_aug=system.x_aug, tau="constant")
    slow = min((rate for rate in (system.eta_p, system.eta_s) if rate > 0), default=0.02)
    ts = np.concatenate([[0.0], np.geomspace(1e-3, 12.0 / slow, times - 1)])
    run = simulate(flow, ModeState(p=p, s=s, tau=np.full(len(p), system.tau)), ts=ts, rtol=1e-8, engine="scipy")
    return np.stack([run.states.p, run.states.s], axis=-1)


def nullclines(system: PhaseSystem, box: Any = None, n: int = 400) -> tuple[Nullcline, ...]:
    """Return every branch of every nullcline inside a box, s >= 0.

    From dp/dt = alpha_p s D - eta_p p and ds/dt = 2 s (p D - eta_s), D = x tau - (x + x') p:
        dp/dt = 0: s = eta_p p / (alpha_p D), 0 <= p < p*;  without decay (eta_p = 0) s = 0 and p = p*
        ds/dt = 0: s = 0;  p = p_- and p = p_+ (one line at the critical decay, none above; 0 and p* at eta_s = 0)
    With a moving tau they are surfaces, and there is a third one,
        dtau/dt = 0: x p tau^2 + (beta - eta_s - (x + x') p^2) tau - beta = 0.

    Args:
        system: `plane(...)` or `ema(...)`.
        box: (low, high) per variable, see `find_fixed_points`.
        n: points of a curve (its root per side of a surface).

    Returns:
        The branches, those of p first.
    """
    check_system(system)
    box = check_box(system, box)
    found = _plane(system, box, n) if system.beta is None else _space(system, box, max(int(n**0.5), 12))
    return tuple(
        Nullcline(variable, formula, points, _residual(system, variable, points))
        for variable, formula, points in found
        if len(points)
    )


def _plane(system: PhaseSystem, box: Any, n: int) -> list[tuple[str, str, np.ndarray]]:
    (p_low, p_high), (s_low, s_high) = box
    across, up = np.linspace(p_low, p_high, n), np.linspace(max(s_low, 0.0), s_high, n)
    out = []
    if system.eta_p > 0:
        out.append(("p", "s = eta_p p / (alpha_p D)", _p_branch(system, box, n)))
    else:
        out.append(("p", "s = 0", np.stack([across, 0 * across], axis=1)))
        out.append(("p", "p = x tau / (x + x')", np.stack([0 * up + system.p_star, up], axis=1)))
    if s_low <= 0:
        out.append(("s", "s = 0", np.stack([across, 0 * across], axis=1)))
    out += [("s", f"p = {name}", np.stack([0 * up + wall, up], axis=1)) for name, wall in walls(system)]
    return [branch for branch in out if not branch[1].startswith("p =") or p_low <= branch[2][0, 0] <= p_high]


def walls(system: PhaseSystem) -> list[tuple[str, float]]:
    """Return the vertical lines p D = eta_s of ds/dt = 0, by name."""
    if system.eta_s == 0:
        return [("0", 0.0), ("p_+", system.p_star)]
    closed = theory.fixed_points(eta=system.eta_s, tau=system.rest_tau, x=system.x, x_aug=system.x_aug)
    if not np.isfinite(closed.p_plus):
        return []
    pair = [("p_-", float(closed.p_minus)), ("p_+", float(closed.p_plus))]
    return pair if pair[0][1] < pair[1][1] else [("p_- = p_+", pair[0][1])]


def _p_branch(system: PhaseSystem, box: Any, n: int) -> np.ndarray:
    """Return s = eta_p p / (alpha_p (x tau - v p)) inside the box, evenly spread along p and along s.

    Its inverse p = alpha_p s x tau / (eta_p + alpha_p s v) gives the points where it rises steeply.
    """
    (p_low, p_high), (s_low, s_high) = box
    v, drive = system.x + system.x_aug, system.x * system.rest_tau
    s = np.linspace(max(s_low, 0.0), s_high, n)
    p = np.linspace(0.0, drive / v, n)[:-1]
    p = np.sort(np.concatenate([p, system.alpha_p * s * drive / (system.eta_p + system.alpha_p * s * v)]))
    s = system.eta_p * p / (system.alpha_p * (drive - v * p))
    inside = (p >= p_low) & (p <= p_high) & (s >= s_low) & (s <= s_high * (1 + 1e-12))
    return np.stack([p, s], axis=1)[inside]


def _space(system: PhaseSystem, box: Any, m: int) -> list[tuple[str, str, np.ndarray]]:
    """Return the surfaces as tau over the (p, s) grid; NaN where they leave the box."""
    p, s = np.meshgrid(spread(box[0], m), np.linspace(box[1][1] / m, box[1][1], m), indexing="ij")
    v, beta = system.x + system.x_aug, system.beta
    assert beta is not None
    with np.errstate(all="ignore"):
        held_p = (v * p + system.eta_p * p / (system.alpha_p * s)) / system.x
        held_s = (system.eta_s / p + v * p) / system.x
        linear = beta - system.eta_s - v * p**2
        root = np.sqrt(linear**2 + 4 * system.x * p * beta)
        stable_form = np.where(linear > 0, 2 * beta / (linear + root), (root - linear) / (2 * system.x * p))
        other = np.where(p < 0, 2 * beta / (linear - root), np.nan)  # for p < 0 both roots can be positive
    floor = np.stack([p, 0 * s, np.broadcast_to(spread(box[2], m), p.shape)], axis=-1)
    surfaces = [
        ("p", "tau = (v p + eta_p p / (alpha_p s)) / x", held_p),
        ("s", "tau = (eta_s / p + v p) / x", held_s),
        ("tau", "x p tau^2 + (beta - eta_s - v p^2) tau - beta = 0", stable_form),
        ("tau", "x p tau^2 + (beta - eta_s - v p^2) tau - beta = 0, second root", other),
    ]
    out = [("s", "s = 0", floor)]
    for variable, formula, tau in surfaces:
        inside = np.isfinite(tau) & (tau >= box[2][0]) & (tau <= box[2][1])
        if inside.any():
            out.append((variable, formula, np.stack([p, s, np.where(inside, tau, np.nan)], axis=-1)))
    return out


def _residual(system: PhaseSystem, variable: str, points: np.ndarray) -> float:
    row = system.names.index(variable)
    y = np.moveaxis(points, -1, 0)
    with np.errstate(invalid="ignore"):
        size = np.einsum("...j,j...->...", np.abs(system.jacobian(y)[..., row, :]), np.abs(y)) + 1e-250
        left = np.abs(system(y)[row]) / (size + (system.beta or 0.0))
    return float(np.nanmax(left))


def nullclines_by_sign(
    system: PhaseSystem, variable: str, box: Any = None, rows: int = 40, n: int = 4000
) -> np.ndarray:
    """Return where a rate changes sign along rows s = constant > 0 of the plane, by bisection on the flow alone.

    Knows nothing of the closed forms, so that it finds a branch they would miss.

    Args:
        system: a plane.
        variable: "p" or "s".
        box: as above.
        rows: number of rows.
        n: samples per row.

    Returns:
        Points (m, 2).
    """
    box = check_box(system, box)
    row = system.names.index(variable)
    s = np.linspace(max(box[1][0], 0.0), box[1][1], rows + 1)[1:]
    p = spread(box[0], n)
    grid_p, grid_s = np.meshgrid(p, s)
    sign = np.sign(system(np.stack([grid_p, grid_s]))[row])
    at = np.argwhere(sign[:, 1:] * sign[:, :-1] < 0)
    low, high, level = p[at[:, 1]], p[at[:, 1] + 1], s[at[:, 0]]
    first = sign[at[:, 0], at[:, 1]]
    for _ in range(60):
        middle = (low + high) / 2
        same = np.sign(system(np.stack([middle, level]))[row]) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    exact = np.argwhere(sign == 0)
    return np.concatenate(
        [np.stack([(low + high) / 2, level], axis=1), np.stack([p[exact[:, 1]], s[exact[:, 0]]], axis=1)]
    )
