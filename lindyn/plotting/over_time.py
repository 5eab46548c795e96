"""Families of curves over time, with their spread. Data in, artists on the Axes out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from lindyn.plotting.style import GREY, shades


def family(
    axes: Axes, t: Any, curves: Any, labels: Sequence[str], linestyle: Any = "-", colors: Any = None, **line: Any
) -> Axes:  # fmt: skip
    """Draw an ordered family of curves, dark to light.

    Args:
        axes: where to draw.
        t: times, n.
        curves: family x n.
        labels: one per curve; empty strings stay out of the legend.
        linestyle: one for all.
        colors: one per curve, where they are a part of a larger family.
        **line: further properties of the lines.

    Returns:
        The axes.
    """
    curves = np.asarray(curves)
    for curve, color, label in zip(curves, colors or shades(len(curves)), labels, strict=True):
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


def bars(
    axes: Axes, t: Any, mean: Any, deviation: Any, labels: Sequence[str], every: int = 12, colors: Any = None
) -> Axes:  # fmt: skip
    """Draw a family of means with bars of one standard deviation, at times apart: bands of near means would merge.

    Args:
        axes: where to draw.
        t: times, n.
        mean: family x n.
        deviation: family x n, standard deviations.
        labels: one per curve.
        every: times from one bar of a curve to its next; those of the family stand between.
        colors: one per curve, where they are a part of a larger family.

    Returns:
        The axes.
    """
    t, mean, deviation = np.asarray(t), np.asarray(mean), np.asarray(deviation)
    for k, color in enumerate(colors or shades(len(mean))):
        at = slice(((2 * k + 1) * every) // (2 * len(mean)), None, every)
        bar = {"color": color, "linestyle": "none", "elinewidth": 1.2, "capsize": 2.5, "capthick": 1.2}
        axes.errorbar(t[at], mean[k, at], deviation[k, at], zorder=2.5, **bar)
    return family(axes, t, mean, labels, colors=colors)


def spread_key(words: str) -> Patch:
    """Return the legend entry of a band."""
    return Patch(facecolor=GREY, alpha=0.4, linewidth=0, label=words)


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
    name = label or None  # line and text are told as one
    axes.axhline(value, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1, gid=name)
    if label:
        axes.annotate(label, (x, value), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
                      ha="right", va="bottom", fontsize=7.5, color="0.35", gid=name)  # fmt: skip
    return axes
