"""Phase planes and phase lines: flow, nullclines, fixed points by stability. Data in, artists on the Axes out."""

import itertools
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lindyn.plotting.style import FLOW, GREY, INK, STABLE, UNSTABLE

_HALF = {"marker": "s", "markerfacecolor": STABLE, "markerfacecoloralt": "white", "markeredgecolor": UNSTABLE}
_MARKERS: dict[str, dict[str, Any]] = {
    "stable": {"marker": "o", "markerfacecolor": STABLE, "markeredgecolor": INK, "zorder": 7},
    "unstable": {"marker": "D", "markerfacecolor": "white", "markeredgecolor": UNSTABLE, "zorder": 6},
    "half-stable left": {"fillstyle": "left", "zorder": 6, **_HALF},
    "half-stable right": {"fillstyle": "right", "zorder": 6, **_HALF},
}
_LINES: dict[str, dict[str, Any]] = {
    "stable": {"color": STABLE, "linestyle": "-"},
    "unstable": {"color": UNSTABLE, "linestyle": (0, (2.2, 1.4))},
}


def points(axes: Axes, x: Any, y: Any, stability: Any, size: float = 7.0) -> Axes:
    """Draw the fixed points inside the window: stable red discs, unstable open green diamonds, half-stable squares.

    Args:
        axes: where to draw; its limits must be set.
        x: first coordinates, n.
        y: second coordinates, n.
        stability: per point "stable", "unstable", or "half-stable left" or "right" (the side it attracts from).
        size: of the markers, in points.

    Returns:
        The axes.
    """
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for x_j, y_j, word in zip(np.atleast_1d(x), np.atleast_1d(y), np.atleast_1d(stability), strict=True):
        if not (left <= x_j <= right and low <= y_j <= high):
            continue  # unclipped, so that a point on the frame is whole; one outside would widen the layout
        look = _MARKERS[str(word)]
        larger = 1.25 if word == "unstable" else 1.0  # its rim shows where a stable point lies on it
        axes.plot([x_j], [y_j], linestyle="none", markersize=larger * size, markeredgewidth=1.4, clip_on=False, **look)
    return axes


def line_of_points(axes: Axes, x: Any, y: Any, stability: Any) -> Axes:
    """Draw a curve made of fixed points, each stretch in the look of its stability."""
    x, y, stability = np.asarray(x), np.asarray(y), np.asarray(stability)
    edges = np.flatnonzero(stability[1:] != stability[:-1]) + 1
    for part in np.split(np.arange(len(x)), edges):
        last = min(part[-1] + 2, len(x))  # stretches meet
        stretch = slice(part[0], last)
        axes.plot(x[stretch], y[stretch], linewidth=3.0, zorder=4, **_LINES[str(stability[part[0]])])
    return axes


def flow_lines(axes: Axes, x: Any, y: Any, arrow: float = 0.35, color: Any = FLOW, width: float = 0.8) -> Axes:
    """Draw trajectories with an arrow at the share `arrow` of their length inside the window.

    Args:
        axes: where to draw; its limits must be set.
        x: times x lines.
        y: times x lines.
        arrow: share of the visible length, 0..1.
        color: of the lines.
        width: of the lines, in points.

    Returns:
        The axes.
    """
    for x_j, y_j in zip(np.asarray(x).T, np.asarray(y).T, strict=True):
        axes.plot(x_j, y_j, color=color, linewidth=width, zorder=2)
        _arrow(axes, x_j, y_j, arrow, color)
    return axes


def _arrow(axes: Axes, x: np.ndarray, y: np.ndarray, share: float, color: Any) -> None:
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    step = np.hypot(np.diff(x) / (x1 - x0), np.diff(y) / (y1 - y0)) * (inside[1:] & inside[:-1])
    length = np.concatenate([[0.0], np.cumsum(step)])
    if length[-1] < 0.04:
        return
    at = np.clip(np.array([share, share + 0.02 / length[-1]]) * length[-1], 0, length[-1])
    rising = np.concatenate([[True], step > 0])
    tail, head = (np.interp(at, length[rising], z[rising]) for z in (x, y))
    axes.annotate(
        "",
        xy=(tail[1], head[1]),
        xytext=(tail[0], head[0]),
        arrowprops={"arrowstyle": "-|>", "color": color, "lw": 0.8, "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0},
        zorder=3,
    )


def nullcline(axes: Axes, x: Any, y: Any, which: int) -> Axes:
    """Draw one branch of a nullcline: the first variable's dash-dotted, the second's dotted."""
    style = ((0, (6, 1.6, 1.2, 1.6)), (0, (1.1, 1.5)))[which]
    axes.plot(x, y, color=("0.25", "0.05")[which], linestyle=style, linewidth=(1.2, 1.7)[which], zorder=3.5)
    return axes


def responses(axes: Axes, z: Any, low: float = -1.0) -> Axes:
    """Draw how the responses of two neurons move in their plane, a line per input and a mark at its end.

    Args:
        axes: where to draw; its ticks are taken away.
        z: times x 2 x inputs.
        low: lower end of both axes, as a share of the upper one.

    Returns:
        The axes.
    """
    z = np.asarray(z)
    axes.plot(z[:, 0], z[:, 1], color=FLOW, linewidth=0.8, zorder=1)
    axes.plot(z[-1, 0], z[-1, 1], "o", color=INK, markersize=3, zorder=2)
    size = np.abs(z).max() * 1.1
    axes.set(xlim=(low * size, size), ylim=(low * size, size), xticks=[], yticks=[], aspect="equal")
    return axes


def unit_arrows(axes: Axes, x: Any, y: Any, u: Any, v: Any, length: float) -> Axes:
    """Draw a direction field: arrows (u, v) of unit length, drawn `length` long in data units."""
    axes.quiver(
        x, y, u, v, angles="xy", scale_units="xy", scale=1 / length, width=0.0042, color=FLOW, pivot="mid",
        headwidth=4.0, headlength=4.5, zorder=1.5,
    )  # fmt: skip
    return axes


def invariant_curve(axes: Axes, x: Any, y: Any) -> Axes:
    """Draw an invariant curve, black and dashed."""
    axes.plot(x, y, color="black", linestyle=(0, (5, 2.5)), linewidth=1.3, zorder=3)
    return axes


def phase_line(axes: Axes, x: Any, velocity: Any, roots: Any, stability: Any) -> Axes:
    """Draw dx/dt over x with its zeros, and arrows on the axis that show which way x moves.

    Args:
        axes: where to draw.
        x: grid, n.
        velocity: dx/dt there, n.
        roots: zeros, k.
        stability: one word per zero.

    Returns:
        The axes.
    """
    x, velocity, roots = (np.asarray(a, dtype=float) for a in (x, velocity, roots))
    axes.axhline(0.0, color=GREY, linewidth=0.8, zorder=1)
    axes.plot(x, velocity, color=INK, zorder=3)
    edges = np.concatenate([[x[0]], np.sort(roots), [x[-1]]])
    reach = 0.028 * (x[-1] - x[0])
    for left, right in itertools.pairwise(edges):
        if right - left > 3 * reach:
            middle = (left + right) / 2
            way = reach * np.sign(np.interp(middle, x, velocity))
            arrow = {"arrowstyle": "-|>", "color": FLOW, "lw": 1.8, "mutation_scale": 13, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", xy=(middle + way, 0), xytext=(middle - way, 0), arrowprops=arrow, zorder=4)
    return points(axes, roots, np.zeros_like(roots), stability)


def legend_entries(*names: str) -> list[Line2D]:
    """Return legend handles.

    Names are a stability, "stable line", "unstable line", "flow", "parabola", "nullcline 0" or "1", "response" or "end"
    of one.
    """
    return [_entry(name) for name in names]


def _entry(name: str) -> Line2D:
    if name in _MARKERS:
        look = _MARKERS[name]
        return Line2D([], [], linestyle="none", markersize=6.5, markeredgewidth=1.4, label=name.split()[0], **look)
    looks: dict[str, dict[str, Any]] = {
        "flow": {"color": FLOW, "linewidth": 1.0, "label": "flow"},
        "parabola": {"color": "black", "linestyle": (0, (5, 2.5)), "linewidth": 1.3, "label": r"$s = p^2/\alpha_p$"},
        "nullcline 0": {"color": "0.25", "linestyle": (0, (6, 1.6, 1.2, 1.6)), "linewidth": 1.2},
        "nullcline 1": {"color": "0.05", "linestyle": (0, (1.1, 1.5)), "linewidth": 1.7},
        "stable line": {"linewidth": 3.0, "label": "stable line", **_LINES["stable"]},
        "response": {"color": FLOW, "linewidth": 0.8, "label": "response to an input"},
        "end": {"color": INK, "linestyle": "none", "marker": "o", "markersize": 3, "label": "its end"},
        "unstable line": {"linewidth": 3.0, "label": "unstable line", **_LINES["unstable"]},
    }
    return Line2D([], [], **looks[name])
