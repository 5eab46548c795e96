"""Fixed points found on the flow itself: Newton from a grid and from the theory, each with its quality."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lindyn import theory
from lindyn.display.brief import Brief
from lindyn.phase.system import PhaseSystem, check_system

SAME = 1e-6  # relative distance below which two Newton limits are one point
TINY = 1e-18  # of a variable's size: Newton's limit at 0, far below any p_-
ZERO, LOOSE_ZERO = 1e-12, 1e-7  # eigenvalue 0, relative to the largest: at a simple root, at a root Newton cannot pin


@dataclass(frozen=True, repr=False)
class FixedPoint(Brief):
    """A fixed point and how good it is.

    Args:
        point: (p, s) or (p, s, tau).
        residual: largest |dy/dt| there, each entry relative to the size of its terms.
        jacobian: by complex steps.
        eigenvalues: of the Jacobian, the largest real part first.
        stability: "stable", "saddle", "unstable" or "marginal" (an eigenvalue 0 to round-off: a fold, a line).
        kind: "node" (real eigenvalues) or "focus" (a complex pair).
        isolated: False when another fixed point lies next to it along a line (no decay).
    """

    point: np.ndarray
    residual: float
    jacobian: np.ndarray
    eigenvalues: np.ndarray
    stability: str
    kind: str
    isolated: bool

    @property
    def unstable_dimensions(self) -> int:
        """Number of eigenvalues with a positive real part, beyond round-off."""
        return int(np.sum(self.eigenvalues.real > ZERO * np.abs(self.eigenvalues).max(initial=0.0)))


@dataclass(frozen=True, repr=False)
class FixedPointSet(Brief):
    """All fixed points in a box.

    Args:
        points: isolated ones (and folds), by increasing p.
        lines: curves of fixed points (without decay): {"dead" | "alive": array (n, d)}.
        line_stability: "stable", "unstable" or "marginal" per point of each line (across it).
        box: the limits, one pair per variable.
        index: winding number of the flow around the box (tau = 1 for the three-dimensional system); None on lines.
        complete: whether the indices of the points add up to it (saddle -1, node and focus +1, fold 0), which a
            missed point or a false one would break; None where there are lines.
    """

    points: tuple[FixedPoint, ...]
    lines: dict[str, np.ndarray]
    line_stability: dict[str, np.ndarray]
    box: tuple[tuple[float, float], ...]
    index: int | None
    complete: bool | None
    blind: np.ndarray = field(repr=False)  # every limit of Newton's method in the box, (n, d)

    def of(self, stability: str) -> list[FixedPoint]:
        """Return the points of one stability."""
        return [point for point in self.points if point.stability == stability]


def find_fixed_points(system: PhaseSystem, box: Any = None, starts: int = 13) -> FixedPointSet:
    """Return every fixed point of the flow in a box, found numerically.

    Newton's method (Jacobian by complex steps) runs from a grid of `starts` per variable, from a row of small starts
    on the parabola and from the closed forms of `lindyn.theory`; its limits are pooled and classed.

    Args:
        system: `plane(...)` or `ema(...)`.
        box: (low, high) per variable, s from 0; default p within +-1.5 p*, s up to 2.5 times its size, tau to 2.
        starts: grid points per variable.

    Returns:
        `FixedPointSet`.

    Raises:
        ValueError: a box of another length, or reversed.
    """
    check_system(system)
    box = check_box(system, box)
    limits = _inside(system, newton(system, _starts(system, box, starts)), box)
    lines = _lines(system, box)
    words = {name: np.array([_across(system, y) for y in line]) for name, line in lines.items()}
    groups = _clusters(limits) if not lines else [group for group in _clusters(limits) if not _on_line(system, group)]
    points = sorted((_describe(system, group) for group in groups), key=lambda found: tuple(found.point))
    index, complete = (None, None) if lines else _count(system, points, box)
    return FixedPointSet(tuple(points), lines, words, box, index, complete, limits)


def classify(system: PhaseSystem, y: Any) -> FixedPoint:
    """Return the record of one point (its residual says whether it is a fixed point)."""
    return _describe(system, np.asarray(y, dtype=float)[None])


def newton(system: PhaseSystem, starts: np.ndarray, steps: int = 80) -> np.ndarray:
    """Return the limits of Newton's method from starts (n, d) that converged, (m, d).

    Singular Jacobians (folds, lines of fixed points) take the step of least length.
    """
    y = np.array(starts, dtype=float).T
    with np.errstate(all="ignore"):
        for _ in range(steps):
            J = system.jacobian(y)
            good = np.isfinite(J).all(axis=(-2, -1)) & (np.abs(y) < 1e8).all(axis=0)
            y, J = y[:, good], J[good]
            step = np.einsum("nij,jn->in", np.linalg.pinv(J, rcond=1e-14), system(y))
            y = y - step
        return y.T[_residual(system, y) <= 1e-11]


def check_box(system: PhaseSystem, box: Any) -> tuple[tuple[float, float], ...]:
    """Return the box, or the default one, as pairs (low, high).

    Raises:
        ValueError: one pair per variable is not what was given, or a pair is reversed or empty.
    """
    if box is None:
        reach = system.scale
        box = [(-1.5 * reach[0], 1.5 * reach[0]), (0.0, 2.5 * reach[1]), (0.0, 2.0)][: len(reach)]
    if len(box) != len(system.names):
        raise ValueError(f"box needs one (low, high) for each of {', '.join(system.names)}; got {len(box)} of them.")
    for name, (low, high) in zip(system.names, box, strict=True):
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise ValueError(f"The range of {name} must run from low to high; got {low:g} to {high:g}.")
    return tuple((float(low), float(high)) for low, high in box)


def spread(limits: Any, n: int) -> np.ndarray:
    """Return n even values from the low to the high limit."""
    return np.linspace(limits[0], limits[1], n)


def closed_forms(system: PhaseSystem) -> theory.FixedPoints:
    """Return the fixed points of `lindyn.theory` for this system, at tau held or 1."""
    return theory.fixed_points(
        eta_p=system.eta_p,
        eta_s=system.eta_s,
        tau=system.rest_tau,
        x=system.x,
        x_aug=system.x_aug,
        alpha_p=system.alpha_p,
    )


def _starts(system: PhaseSystem, box: Any, n: int) -> np.ndarray:
    """Return the grid (s crowded towards 0), small starts on the parabola, and the closed forms."""
    grids = [spread(box[0], n), box[1][0] + (box[1][1] - box[1][0]) * np.linspace(0, 1, n) ** 3]
    grids += [spread(limits, max(n // 2, 3)) for limits in box[2:]]
    grid = np.stack(np.meshgrid(*grids), axis=-1).reshape(-1, len(box))
    small = np.geomspace(1e-6, 1.0, 25) * system.p_star
    ratio = system.eta_p / system.eta_s if system.eta_s > 0 else 1.0
    rows = [small, ratio * small**2 / system.alpha_p, np.ones(25)][: len(box)]
    known = []
    if system.eta_s > 0:
        closed = closed_forms(system)
        pairs = ((closed.p_minus, closed.s_minus), (closed.p_plus, closed.s_plus))
        known = [[p, s, 1.0][: len(box)] for p, s in pairs if np.isfinite(p)]
    return np.concatenate([grid, np.stack(rows, axis=1), np.array(known).reshape(-1, len(box))])


def _residual(system: PhaseSystem, y: np.ndarray) -> np.ndarray:
    """Return max |dy/dt| per state, each entry relative to the size of its terms |J| |y|."""
    size = np.einsum("nij,jn->in", np.abs(system.jacobian(y)), np.abs(y)) + (system.beta or 0.0) + 1e-250
    return np.max(np.abs(system(y)) / size, axis=0, initial=0.0)


def _inside(system: PhaseSystem, limits: np.ndarray, box: Any) -> np.ndarray:
    slack = 1e-9 * system.scale
    low, high = np.array(box).T
    limits = np.where(np.abs(limits) < TINY * system.scale, 0.0, limits)
    return limits[((limits >= low - slack) & (limits <= high + slack)).all(axis=1)]


def _clusters(limits: np.ndarray) -> list[np.ndarray]:
    """Return the limits in groups that lie within a relative distance SAME of each other."""
    groups: list[list[np.ndarray]] = []
    for y in limits:
        for group in groups:
            if _near(y, group[0]):
                group.append(y)
                break
        else:
            groups.append([y])
    return [np.array(group) for group in groups]


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    size = max(float(np.linalg.norm(a[:2])), float(np.linalg.norm(b[:2])))
    return bool(np.linalg.norm(a[:2] - b[:2]) <= SAME * size and np.all(np.abs(a[2:] - b[2:]) <= SAME))


def _describe(system: PhaseSystem, group: np.ndarray) -> FixedPoint:
    """Return the record of a group of limits; a group that Newton could not pin is a double root."""
    best = group[np.argmin(_residual(system, group.T))]
    size = max(float(np.linalg.norm(best[:2])), 1e-200)
    loose = np.linalg.norm(group - best, axis=1).max() > 1e-11 * size
    J = system.jacobian(best)
    values = np.linalg.eigvals(J).astype(complex)
    values = values[np.lexsort((values.imag, -values.real))]
    largest = float(np.abs(values).max())
    zero = np.abs(values.real) <= (LOOSE_ZERO if loose else ZERO) * largest
    positive = int(np.sum((values.real > 0) & ~zero))
    word = "stable" if positive == 0 else "unstable" if positive == len(values) else "saddle"
    kind = "focus" if np.any(np.abs(values.imag) > 1e-9 * largest) else "node"
    stability = "marginal" if zero.any() else word
    isolated = system.eta_p > 0 and system.eta_s > 0
    return FixedPoint(best, float(_residual(system, best[:, None])[0]), J, values, stability, kind, isolated)


def _count(system: PhaseSystem, points: list[FixedPoint], box: Any) -> tuple[int, bool]:
    """Return the winding number around the (p, s) box and whether the points found account for it.

    In three dimensions an alive fixed point has growth 0, hence tau = 1: the plane tau = 1 holds all of them, and
    collapse (index +1 there) is counted whether or not its own tau lies in the box.
    """
    section = system if system.beta is None else system.section(1.0)
    widths = np.array([high - low for low, high in box[:2]])
    grown = [(low - 1e-6 * w, high + 1e-6 * w) for (low, high), w in zip(box[:2], widths, strict=True)]
    index = winding_number(section, grown)
    ends = [found.point[:2] for found in points if found.stability != "marginal" and found.point[1] > 0]
    if all(low <= 0 <= high for low, high in box[:2]):
        ends.append(np.zeros(2))
    total = sum(int(np.sign(np.linalg.det(section.jacobian(at)))) for at in ends)
    return index, index == total


def _lines(system: PhaseSystem, box: Any, n: int = 241) -> dict[str, np.ndarray]:
    """Return the curves of fixed points there are without decay, inside the box."""
    lines = {}
    if system.eta_p == 0:
        p = spread(box[0], n)
        dead = [p, 0 * p] if system.beta is None else [p, 0 * p, _resting_tau(system, p)]
        lines["dead"] = np.stack(dead, axis=1)
        if system.eta_s == 0:
            s = np.linspace(box[1][1] / n, box[1][1], n)
            lines["alive"] = np.stack([0 * s + system.p_star, s, 0 * s + 1.0][: len(box)], axis=1)
    return {name: line[np.isfinite(line).all(axis=1)] for name, line in lines.items()}


def _resting_tau(system: PhaseSystem, p: np.ndarray) -> np.ndarray:
    """Return the positive root of x p tau^2 + (beta - eta_s - (x+x') p^2) tau - beta = 0 (dtau/dt = 0), or NaN."""
    assert system.beta is not None
    a, b = system.x * p, system.beta - system.eta_s - (system.x + system.x_aug) * p**2
    with np.errstate(all="ignore"):
        root = 2 * system.beta / (b + np.sqrt(b**2 + 4 * a * system.beta))
    return np.where(root > 0, root, np.nan)


def _on_line(system: PhaseSystem, group: np.ndarray) -> bool:
    p, s = group[0, :2] / system.scale[:2]
    return abs(s) < 1e-5 or (system.eta_s == 0 and abs(p - 1.0) < 1e-5)


def _across(system: PhaseSystem, y: np.ndarray) -> str:
    """Return the stability of a point of a line across it: one eigenvalue, along the line, is 0."""
    values = np.linalg.eigvals(system.jacobian(y))
    rest = np.delete(values.real, np.argmin(np.abs(values)))
    if np.min(np.abs(rest)) <= ZERO * max(np.abs(values).max(), 1e-300):
        return "marginal"
    return "unstable" if rest.max() > 0 else "stable"


TURN = 0.5  # radians; neighbours on the box's edge whose directions differ more are refined
LEVELS = 60


def winding_number(rates: Callable[[np.ndarray], np.ndarray], box: Any, n: int = 400) -> int:
    """Return how often the flow's direction turns round along the edge of a box, counter-clockwise.

    It equals the sum of the indices of the fixed points inside: saddle -1, node or focus +1, fold 0.

    Args:
        rates: (2, n) -> (2, n).
        box: ((low, high), (low, high)), with no fixed point on its edge.
        n: first samples per side.

    Returns:
        A whole number.

    Raises:
        ValueError: a fixed point lies on the edge.
    """
    (left, right), (low, high) = box
    corners = np.array([[left, low], [right, low], [right, high], [left, high], [left, low]])

    def angle(at: np.ndarray) -> np.ndarray:
        side = np.minimum(at.astype(int), 3)
        y = corners[side] + (at - side)[:, None] * (corners[side + 1] - corners[side])
        u, v = rates(y.T)
        if np.any((u == 0) & (v == 0)):
            raise ValueError("A fixed point lies on the edge of the box; choose a slightly larger box.")
        return np.arctan2(v / abs(high - low), u / abs(right - left))

    at = np.linspace(0.0, 4.0, 4 * n + 1)
    theta = angle(at)
    for _ in range(LEVELS):
        coarse = np.flatnonzero(np.abs(_wrapped(np.diff(theta))) > TURN)
        if not len(coarse):
            return round(float(np.sum(_wrapped(np.diff(theta))) / (2 * np.pi)))
        middle = (at[coarse] + at[coarse + 1]) / 2
        at = np.insert(at, coarse + 1, middle)
        theta = np.insert(theta, coarse + 1, angle(middle))
    raise ValueError("A fixed point lies on the edge of the box; choose a slightly larger box.")


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi
