"""Phase portraits of one mode, and the edge of collapse in three dimensions. Data in, artists on the Axes out."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from lindyn import theory
from lindyn.plotting import phase_plane, style

LOST = "0.9"  # the basin of collapse
SYMBOLS = {
    "p": "$p_j$", "s": "$s_j$", "tau": r"$\tau$", "eta": r"$\eta$", "eta_p": r"$\eta_p$", "eta_s": r"$\eta_s$",
    "beta": r"$\beta$", "alpha_p": r"$\alpha_p$", "x": "$x$", "x_aug": r"$\sigma^2$",
}  # fmt: skip
HALF = "half-stable"
_HALF_LOOK: dict[str, Any] = {
    "linestyle": "none",
    "marker": "s",
    "markersize": 7.5,
    "fillstyle": "left",
    "markerfacecolor": style.STABLE,
    "markerfacecoloralt": "white",
    "markeredgecolor": style.INK,
    "zorder": 6,
}
STARTED, BACK = "#b35806", (0, (1, 1.2))
_START: dict[str, Any] = {
    "linestyle": "none", "marker": "o", "markersize": 5.0, "markerfacecolor": "white", "markeredgecolor": STARTED,
    "markeredgewidth": 1.6, "zorder": 8,
}  # fmt: skip
STARTS = {"p": "$p_j(0)$", "s": "$s_j(0)$", "tau": r"$\tau(0)$"}


def look(stability: str) -> str:
    """Return the marker's word for a stability class: a saddle is drawn as unstable, a marginal point half-stable."""
    return {"saddle": "unstable", "marginal": HALF}.get(stability, stability)


def draw_portrait(axes: Axes, data: Any) -> list[Any]:
    """Draw a portrait.

    Args:
        axes: where.
        data: a `lindyn.phase.portraits.Portrait`, or anything with its fields.

    Returns:
        The legend handles.
    """
    (left, right), (low, high) = data.box
    axes.set(xlim=(left, right), ylim=(low, high), xlabel=SYMBOLS["p"], ylabel=SYMBOLS["s"])
    phase_plane.flow_lines(axes, data.lines[..., 0], data.lines[..., 1])
    for branch in data.nullclines:
        phase_plane.nullcline(axes, branch.points[:, 0], branch.points[:, 1], ("p", "s").index(branch.variable))
    names = ["flow", "nullcline 0", "nullcline 1"]
    if data.parabola is not None:
        phase_plane.invariant_curve(axes, *data.parabola.T)
        names.append("parabola")
    for name, line in data.fixed.lines.items():
        words = np.array([look(word) for word in data.fixed.line_stability[name]])
        words = np.where(words == HALF, "unstable", words)
        phase_plane.line_of_points(axes, line[:, 0], line[:, 1], words)
        names += [f"{word} line" for word in ("stable", "unstable") if np.any(words == word)]
    classes = [look(found.stability) for found in data.fixed.points]
    at = np.array([found.point[:2] for found in data.fixed.points]).reshape(-1, 2)
    whole = np.array([word != HALF for word in classes], dtype=bool)
    phase_plane.points(axes, at[whole, 0], at[whole, 1], [word for word in classes if word != HALF])
    axes.plot(*at[~whole].T, **_HALF_LOOK)
    for found in data.fixed.points:
        if found.point[1] > 0 and look(found.stability) in ("stable", "unstable"):
            _named(axes, "$p_+$" if found.stability == "stable" else "$p_-$", found.point[:2])
    names += [word for word in ("stable", "unstable") if word in classes]
    handles = phase_plane.legend_entries(*dict.fromkeys(names))
    if HALF in classes:
        handles.append(Line2D([], [], label="$p_- = p_+$", **_HALF_LOOK))
    handles[1].set_label(r"$\dot p_j = 0$")
    handles[2].set_label(r"$\dot s_j = 0$")
    return [*handles, *_edge(axes, data)]


def draw_paths(axes: Axes, paths: Any) -> list[Any]:
    """Draw trajectories through chosen starts: full forward in time, dotted backward, the start a dot.

    Args:
        axes: where; its limits are set.
        paths: of `lindyn.phase.started_paths`.

    Returns:
        The legend handles.
    """
    back = False
    for path in paths:
        here = int(np.argmax(path.t >= 0))
        back |= here > 0
        axes.plot(*path.points[: here + 1, :2].T, linestyle=BACK, color=STARTED, linewidth=1.6, zorder=5.5)
        axes.plot(*path.points[here:, :2].T, color=STARTED, linewidth=1.9, zorder=5.5)
        axes.plot(*path.start[:2], **_START)
    lines: list[tuple[str, Any]] = [("from a start", "-")] + [("before it", BACK)] * back
    handles: list[Any] = [Line2D([], [], color=STARTED, linestyle=dash, linewidth=1.8, label=w) for w, dash in lines]
    return [*handles, Line2D([], [], label="start", **_START)] if paths else []


def draw_tau(axes: Axes, paths: Any) -> None:
    """Draw tau over time of trajectories with a moving target, as `draw_paths` draws them."""
    for path in paths:
        here = int(np.argmax(path.t >= 0))
        axes.plot(path.t[: here + 1], path.points[: here + 1, 2], linestyle=BACK, color=STARTED, linewidth=1.6)
        axes.plot(path.t[here:], path.points[here:, 2], color=STARTED, linewidth=1.9)
        axes.plot(0.0, path.start[2], **_START)
    axes.axhline(1.0, color=style.GREY, linewidth=0.8, zorder=1)
    axes.set(xlabel="flow time $t$ from the start", ylabel=SYMBOLS["tau"], title="target / online")


def _named(axes: Axes, words: str, at: Any, right: float = 9.0) -> None:
    """Write what a point or branch is called beside it, so many points to the right, on a white ground."""
    ground = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
    axes.annotate(words, at, xytext=(right, 9.0), textcoords="offset points", fontsize=9.5, bbox=ground, zorder=9)


def _edge(axes: Axes, data: Any) -> list[Any]:
    """Draw the edge of the basin of collapse and shade the side that is lost; all of it where nothing lives."""
    shade = Patch(facecolor=LOST, edgecolor=style.GREY, label="collapses")
    if data.edge is None:
        if not any(found.stability == "stable" and found.point[1] > 0 for found in data.fixed.points):
            axes.set_facecolor(LOST)
            return [shade]
        return []
    p, s = data.edge.T
    top = 10 * data.box[1][1]
    label = "separatrix" if data.separatrix is not None else "edge of collapse"
    axes.plot(p, s, color=style.INK, linewidth=2.4, zorder=5)
    line = Line2D([], [], color=style.INK, linewidth=2.4, label=label)
    if np.any(np.diff(p) < -1e-12):  # no graph over p: it has no lower side
        return [line]
    axes.fill_between(p, 0, np.where(p <= p[0], top, s), color=LOST, zorder=0.5, linewidth=0)
    if p[0] > data.box[0][0] + 1e-6:
        axes.axvspan(data.box[0][0], p[0], color=LOST, zorder=0.5, linewidth=0)
    return [line, shade]


def draw_edge_map(axes: Axes, p: Any, tau: Any, s: Any, saddle: Any, curves: Any) -> tuple[Any, list[Any]]:
    """Draw the start s* above which a mode lives over (p, tau), as shades of its logarithm with level lines.

    Args:
        axes: where.
        p: grid.
        tau: grid.
        s: (p, tau), > 0; infinite where nothing lives, 0 where all does.
        saddle: (p, s, tau) of p_-.
        curves: (k, n, 3), trajectories of the stable manifold.

    Returns:
        The shaded mesh, for a colour bar, and the legend handles.
    """
    shown = np.where(np.isfinite(s) & (s > 0), np.log10(np.where((s > 0) & np.isfinite(s), s, 1.0)), np.nan).T
    low, high = np.nanmin(shown), np.nanmax(shown)
    mesh = axes.pcolormesh(p, tau, shown, cmap=_pale("viridis"), vmin=low, vmax=high, shading="gouraud")
    levels = np.arange(np.ceil(low), np.floor(high) + 1)
    lines = axes.contour(p, tau, shown, levels=levels, colors=style.INK, linewidths=0.9, linestyles="--")
    axes.clabel(lines, fmt=lambda level: f"$10^{{{level:.0f}}}$", fontsize=7)
    run: dict[str, Any] = {"color": "black", "linewidth": 0.8}
    for curve in curves:
        axes.plot(curve[:, 0], curve[:, 2], **run)
    point: dict[str, Any] = {"linestyle": "none", "marker": "D", "markersize": 7, "markerfacecolor": "white"}
    point |= {"markeredgecolor": style.UNSTABLE, "zorder": 6}
    axes.plot(saddle[0], saddle[2], **point)
    axes.set(xlabel=STARTS["p"], ylabel=STARTS["tau"], xlim=(p[0], p[-1]), ylim=(tau[0], tau[-1]))
    return mesh, [
        Line2D([], [], label="runs on the edge", **run),
        Line2D([], [], color=style.INK, linewidth=0.9, linestyle="--", label="level of the smallest $s_j(0)$"),
        Line2D([], [], label="saddle $p_-$", **point),
    ]


def _pale(name: str, share: float = 0.6) -> Any:
    """Return a colour map mixed with white; transparent triangles would show their seams."""
    colours = colormaps[name](np.linspace(0.0, 1.0, 256))
    return ListedColormap(share * colours + (1.0 - share))


COLOURS = {"collapsed": "#3a2f4f", "alive": "#e8dcc0", "undecided": "#c0682f"}  # dark to light in grey


def draw_bifurcation(axes: Axes, data: Any, closed_eta: Any, closed_p: Any) -> list[Any]:
    """Draw p at the fixed points over eta: thick lines by stability, closed forms as thin black dots over them.

    Args:
        axes: where.
        data: a `lindyn.phase.diagrams.BifurcationDiagram`, or anything with its fields.
        closed_eta: eta of the closed forms.
        closed_p: p of the closed forms, same length.

    Returns:
        The legend handles.
    """
    words = np.where(data.stable, "stable", "unstable")
    phase_plane.line_of_points(axes, data.eta, data.points[:, 0], words)
    grid = data.collapsed_eta
    sides = np.where(data.collapsed_eigenvalues < 0, "stable", "unstable")
    phase_plane.line_of_points(axes, grid, 0 * grid, sides)
    beyond = data.crossing[data.crossing[:, 0] < 0]
    axes.plot(*beyond.T, color=style.STABLE, linewidth=1.2, zorder=3)
    axes.plot(closed_eta, closed_p, ".", color="black", markersize=3.2, zorder=7)
    axes.plot(data.fold.parameter, data.fold.point[0], **_special("s"))
    axes.plot(data.transcritical.parameter, 0.0, **_special("X"))
    axes.axvline(0.0, color=style.GREY, linewidth=0.7, zorder=1)
    middle = len(closed_eta) // 4  # of the lower branch, which comes first
    _named(axes, "$p_-$", (closed_eta[middle], closed_p[middle]), right=-26.0)
    _named(axes, "$p_+$", (closed_eta[middle], closed_p[middle + len(closed_eta) // 2]))
    _named(axes, "collapse, $p = 0$", (0.6 * grid[-1], 0.0))
    axes.set(xlabel=SYMBOLS["eta"], ylabel=SYMBOLS["p"], xlim=(grid[0], grid[-1]))
    axes.text(grid[0] * 0.95, 0.97, r"$\eta < 0$: no training", fontsize=7, color="0.35", va="top",
              transform=axes.get_xaxis_transform())  # fmt: skip
    handles: list[Any] = phase_plane.legend_entries("stable line", "unstable line")
    for handle, label in zip(handles, ("stable", "unstable"), strict=True):
        handle.set_label(label)
    return [
        *handles,
        Line2D([], [], linestyle="none", marker=".", color="black", label="closed form"),
        Line2D([], [], label="fold", **_special("s")),
        Line2D([], [], label="transcritical", **_special("X")),
    ]


def bifurcation_on(ax: Axes, system: Any, diagram: Any) -> list[Any]:
    """Draw a diagram that was solved, the closed forms over it; return the legend handles."""
    eta = np.linspace(0.0, diagram.fold.parameter, 25)
    closed = theory.fixed_points(eta, tau=system.rest_tau, x=system.x, x_aug=system.x_aug, alpha_p=system.alpha_p)
    both = np.concatenate([closed.p_minus, closed.p_plus])
    return draw_bifurcation(ax, diagram, np.tile(eta, 2), both)


def _special(marker: str) -> dict[str, Any]:
    return {
        "linestyle": "none", "marker": marker, "markersize": 8, "markerfacecolor": "white",
        "markeredgecolor": style.INK, "zorder": 8, "markeredgewidth": 1.4,
    }  # fmt: skip


def draw_two_parameter(axes: Axes, data: Any) -> list[Any]:
    """Draw the fold over a second parameter: numbers as open circles on the closed form, regions named.

    Args:
        axes: where.
        data: a `lindyn.phase.diagrams.FoldCurve`, or anything with its fields.

    Returns:
        The legend handles.
    """
    top = 1.25 * float(np.max(data.closed_form))
    axes.fill_between(data.values, data.closed_form, top, color="0.85", linewidth=0)
    axes.plot(data.values, data.closed_form, color=style.INK, linewidth=1.6)
    axes.plot(data.values, data.eta, clip_on=False, **_circle())
    axes.set(xlabel=SYMBOLS[data.name], ylabel=SYMBOLS["eta"], ylim=(0, top), xlim=(data.values[0], data.values[-1]))
    middle = len(data.values) // 2
    axes.text(data.values[middle], 0.45 * data.closed_form[middle], "alive possible:\n$p_0$, $p_-$, $p_+$", ha="center",
              va="center", fontsize=8.5)  # fmt: skip
    side = len(data.values) // 5 if data.closed_form[0] < data.closed_form[-1] else -len(data.values) // 5
    axes.text(data.values[side], 0.9 * top, "collapse certain:\nonly $p_0$", ha="center", va="center", fontsize=8.5)
    formula = r"$\eta = \tau^2 x^2 / (4 (x + \sigma^2))$"
    return [
        Line2D([], [], color=style.INK, linewidth=1.6, label=f"closed form {formula}"),
        Line2D([], [], label="fold found by continuation", **_circle()),
    ]


def _circle() -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": 5.5,
        "markerfacecolor": "none",
        "markeredgecolor": style.STABLE,
    }


def draw_basin(axes: Axes, data: Any, edge: Any = None) -> list[Any]:
    """Draw what becomes of each start: collapsed dark, alive light, the line between them as it was found.

    Args:
        axes: where.
        data: a `lindyn.phase.basins.BasinMap`, or anything with its fields.
        edge: (n, 2), a curve to draw on top, in the axes' variables; None for none.

    Returns:
        The legend handles.
    """
    for set_scale, grid in ((axes.set_xscale, data.first), (axes.set_yscale, data.second)):
        steps = np.diff(grid)
        if grid[0] > 0 and steps[-1] > 3 * steps[0]:
            set_scale("log")
    one, two = (STARTS.get(name, SYMBOLS[name]) for name in data.names)
    axes.set(xlabel=one, ylabel=two, xlim=(data.first[0], data.first[-1]), ylim=(data.second[0], data.second[-1]))
    handles: list[Any] = []
    for label, colour in COLOURS.items():
        loops = data.areas.get(label, ())
        if loops:
            path = Path.make_compound_path(*(Path(loop, closed=True) for loop in loops))
            axes.add_patch(PathPatch(path, facecolor=colour, edgecolor=colour, linewidth=0.6, zorder=0.5))
            handles.append(Patch(facecolor=colour, edgecolor=style.GREY, label=label))
    for line in data.edge:
        axes.plot(*line.T, color=style.INK, linewidth=1.2, zorder=3)
    if len(data.edge):
        handles.append(Line2D([], [], color=style.INK, linewidth=1.2, label="edge of collapse"))
    if edge is not None:
        axes.plot(*edge.T, color="white", linewidth=3.0)
        axes.plot(*edge.T, color="black", linewidth=1.4, linestyle=(0, (5, 2)))
        handles.append(Line2D([], [], color="black", linewidth=1.4, linestyle=(0, (5, 2)), label="separatrix"))
    return handles
