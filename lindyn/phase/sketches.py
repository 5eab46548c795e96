"""A phase portrait while a slider moves: closed forms, a coarse separatrix and flow lines of fixed steps.

What `phase.portrait` finds numerically and checks is taken from `lindyn.theory` here, so that a sketch takes a tenth of
the time. It is replaced by the portrait itself as soon as the slider rests.
"""

from typing import Any

import numpy as np

from lindyn.phase.equilibria import FixedPoint, FixedPointSet, check_box, classify, closed_forms, spread
from lindyn.phase.manifold import OFFSET, Separatrix
from lindyn.phase.portraits import Portrait, default_window, line_starts, nullclines, portrait
from lindyn.phase.sketched_lines import back_from, flow_lines
from lindyn.phase.system import PhaseSystem, check_system

STRIDE, MOST = 0.02, 300  # windows between two points of the separatrix, and how many points a branch has at most
STEPS = 130  # of a flow line
LENGTH = 2.2  # windows that a flow line is long, at most
SLOW = 2e-3  # of the largest speed: below it a flow line slows down with the flow


def sketch(system: PhaseSystem, box: Any = None, lines: int = 30) -> Portrait:
    """Return a portrait of a (p, s) plane that is good to look at, not to measure.

    Fixed points are those of the closed forms, put through the flow's own Jacobian; the separatrix is good to about
    1e-4 of the window. Without decay, and next to the critical one, it is the portrait itself.

    Args:
        system: `plane(...)`.
        box: the window, see `phase.portrait`.
        lines: flow lines, about.

    Returns:
        `Portrait`; `separatrix.error` and `fixed.index` are not known (NaN and None).

    Raises:
        ValueError: tau is not held, or a reversed window.
    """
    check_system(system)
    if system.beta is not None or system.eta_p == 0 or system.eta_s == 0:
        return portrait(system, box, lines)
    box = check_box(system, default_window(system) if box is None else box)
    points = _points(system)
    if any(point.stability == "marginal" for point in points):
        return portrait(system, box, lines)
    inside = [found for found in points if _within(found.point, box)]
    fixed = FixedPointSet(tuple(inside), {}, {}, box, None, None, np.array([found.point for found in inside]))
    saddle = next((found for found in points if found.stability == "saddle"), None)
    manifold = None if saddle is None else _separatrix(system, saddle, box)
    p = spread(box[0], 201)
    parabola = np.stack([p, p**2 / system.alpha_p], axis=1) if system.eta_p == system.eta_s else None
    edge = None if manifold is None else manifold.curve
    drawn = flow_lines(system, box, line_starts(box, lines), length=LENGTH, steps=STEPS, slow=SLOW)
    return Portrait(system, box, fixed, nullclines(system, box, 160), manifold, edge, drawn, parabola)


def _points(system: PhaseSystem) -> list[FixedPoint]:
    closed = closed_forms(system)
    pairs = ((0.0, 0.0), (closed.p_minus, closed.s_minus), (closed.p_plus, closed.s_plus))
    return [classify(system, [float(p), float(s)]) for p, s in pairs if np.isfinite(p)]


def _within(point: np.ndarray, box: Any) -> bool:
    return all(low <= value <= high for value, (low, high) in zip(point, box, strict=True))


def _separatrix(system: PhaseSystem, saddle: FixedPoint, box: Any) -> Separatrix | None:
    """Return the stable manifold of the saddle where the window holds the saddle; else it is left to the portrait."""
    if not _within(saddle.point, box):
        return None
    values, vectors = np.linalg.eig(saddle.jacobian)
    tangent = vectors[:, np.argmin(values.real)].real
    tangent = tangent / np.linalg.norm(tangent / np.abs(saddle.point)) * np.sign(tangent[0])
    starts = np.stack([saddle.point + way * 30 * OFFSET * tangent for way in (-1, 1)])
    one, other = (back_from(system, start, box, stride=STRIDE, most=MOST) for start in starts)
    return Separatrix(np.concatenate([one[::-1], saddle.point[None], other]), saddle, MOST, np.nan)
