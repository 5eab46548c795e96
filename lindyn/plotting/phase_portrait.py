"""Phase portraits of one mode, and the edge of collapse in three dimensions. Data in, artists on the Axes out."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

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
    names += [word for word in ("stable", "unstable") if word in classes]
    handles = phase_plane.legend_entries(*dict.fromkeys(names))
    if HALF in classes:
        handles.append(Line2D([], [], label="$p_- = p_+$", **_HALF_LOOK))
    handles[1].set_label(r"$\dot p_j = 0$")
    handles[2].set_label(r"$\dot s_j = 0$")
    return [*handles, *_edge(axes, data)]


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


def draw_edge_map(axes: Axes, p: Any, tau: Any, s: Any, saddle: Any, curves: Any) -> Any:
    """Draw the start s* above which a mode lives over (p, tau), as shades of its logarithm with level lines.

    Args:
        axes: where.
        p: grid.
        tau: grid.
        s: (p, tau), > 0; infinite where nothing lives, 0 where all does.
        saddle: (p, s, tau) of p_-.
        curves: (k, n, 3), trajectories of the stable manifold.

    Returns:
        The shaded mesh, for a colour bar.
    """
    shown = np.where(np.isfinite(s) & (s > 0), np.log10(np.where((s > 0) & np.isfinite(s), s, 1.0)), np.nan).T
    low, high = np.nanmin(shown), np.nanmax(shown)
    mesh = axes.pcolormesh(p, tau, shown, cmap="viridis", vmin=low, vmax=high, shading="nearest", alpha=0.6)
    levels = np.arange(np.ceil(low), np.floor(high) + 1)
    lines = axes.contour(p, tau, shown, levels=levels, colors=style.INK, linewidths=0.9, linestyles="--")
    axes.clabel(lines, fmt=lambda level: f"$10^{{{level:.0f}}}$", fontsize=7)
    for curve in curves:
        axes.plot(curve[:, 0], curve[:, 2], color="black", linewidth=0.8)
    axes.plot(
        saddle[0],
        saddle[2],
        marker="D",
        markersize=7,
        markerfacecolor="white",
        markeredgecolor=style.UNSTABLE,
        zorder=6,
    )
    axes.set(xlabel=STARTS["p"], ylabel=STARTS["tau"], xlim=(p[0], p[-1]), ylim=(tau[0], tau[-1]))
    return mesh
