"""Families of curves over time, with their spread. Data in, artists on the Axes out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lindyn.plotting.style import GREY, shades


def family(axes: Axes, t: Any, curves: Any, labels: Sequence[str], linestyle: Any = "-", **line: Any) -> Axes:
    """Draw an ordered family of curves, dark to light.

    Args:
        axes: where to draw.
        t: times, n.
        curves: family x n.
        labels: one per curve; empty strings stay out of the legend.
        linestyle: one for all.
        **line: further properties of the lines.

    Returns:
        The axes.
    """
    curves = np.asarray(curves)
    for curve, color, label in zip(curves, shades(len(curves)), labels, strict=True):
        axes.plot(t, curve, color=color, linestyle=linestyle, label=label or "_nolegend_", **line)
    return axes


def band(axes: Axes, t: Any, mean: Any, deviation: Any, labels: Sequence[str]) -> Axes:
    """Draw a family of means with one standard deviation on either side.

    Args:
        axes: where to draw.
        t: times, n.
        mean: family x n.
        deviation: family x n, standard deviations.
        labels: one per curve.

    Returns:
        The axes.
    """
    mean, deviation = np.asarray(mean), np.asarray(deviation)
    for m, d, color in zip(mean, deviation, shades(len(mean)), strict=True):
        axes.fill_between(t, m - d, m + d, color=color, alpha=0.22, linewidth=0)
    return family(axes, t, mean, labels)


def marks(axes: Axes, t: Any, curves: Any, every: int = 1, **marker: Any) -> Axes:
    """Draw a family as sparse open markers, for a second route laid over the lines of the first."""
    curves = np.asarray(curves)
    for k, (curve, color) in enumerate(zip(curves, shades(len(curves)), strict=True)):
        thin = slice((k * every) // max(len(curves), 1), None, every)
        look: dict[str, Any] = {"marker": "o", "markersize": 2.6, "markerfacecolor": "white"} | marker
        axes.plot(
            np.asarray(t)[thin], curve[thin], linestyle="none", markeredgewidth=0.8, markeredgecolor=color, **look
        )
    return axes


def level(axes: Axes, value: float, label: str = "", x: float = 0.99) -> Axes:
    """Draw a horizontal reference line, named at the share `x` of the width."""
    axes.axhline(value, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    if label:
        axes.annotate(label, (x, value), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
                      ha="right", va="bottom", fontsize=7.5, color="0.35")  # fmt: skip
    return axes
