"""Findings of a validation as rows of values with their intervals: of one run, or of two beside each other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lindyn.plotting.network_pictures import FAILS, HOLDS
from lindyn.plotting.style import FLOW, GREY, PALE, STABLE

VERDICTS = {"holds": (HOLDS, "o"), "fails": (FAILS, "X"), "not testable": (GREY, "|")}
"""Colour and marker of a verdict; the word always stands beside them."""
LINEAR = 1.5  # the forest's axis is linear up to here, logarithmic beyond
TICKS = (-1e3, -100, -10, -3, -1, -0.5, 0, 0.25, 0.5, 0.75, 1, 3, 10, 30, 100, 1e3, 1e4, 1e6)


def forest(axes: Axes, findings: Sequence[Any]) -> Axes:
    """Draw every finding's value with its interval, one row each; colour, marker and word are the verdict.

    Args:
        axes: where to draw; the value axis is linear up to 1.5 and logarithmic beyond.
        findings: records with title, map_kind, value, low, high, verdict.

    Returns:
        The axes.
    """
    rows = np.arange(len(findings))[::-1]
    for y, found in zip(rows, findings, strict=True):
        colour, shape = VERDICTS[found.verdict]
        if np.isfinite(found.value):
            axes.plot([found.low, found.high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
            axes.plot(found.value, y, shape, color=colour, markersize=5.5, markeredgewidth=0.8)
        axes.annotate(found.verdict, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=8,
                      color=colour)  # fmt: skip
    axes.set_yticks(rows, [_label(found) for found in findings], fontsize=7.5)
    axes.set_ylim(-0.7, len(findings) - 0.3)
    _value_axis(axes, findings)
    return axes


def two_forests(axes: Axes, pairs: Sequence[tuple[Any, Any]]) -> Axes:
    """Draw the same laws of two runs, A above B, each with its interval.

    Args:
        axes: where to draw; the value axis is linear up to 1.5 and logarithmic beyond.
        pairs: (finding of A, finding of B), records with title, value, low, high.

    Returns:
        The axes.
    """
    rows = np.arange(len(pairs))[::-1]
    for side, colour, shape, shift in ((0, FLOW, "o", 0.14), (1, STABLE, "s", -0.14)):
        for y, pair in zip(rows, pairs, strict=True):
            found = pair[side]
            axes.plot([found.low, found.high], [y + shift] * 2, color=colour, linewidth=1.6, solid_capstyle="butt")
            axes.plot(found.value, y + shift, shape, color=colour, markersize=4.8, markeredgewidth=0)
        axes.plot([], [], shape, color=colour, markersize=4.8, label="AB"[side])
    axes.set_yticks(rows, [_short(pair[0].title, 66) for pair in pairs], fontsize=7.5)
    axes.set_ylim(-0.7, len(pairs) - 0.3)
    _value_axis(axes, [found for pair in pairs for found in pair])
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


def _value_axis(axes: Axes, findings: Sequence[Any]) -> None:
    """Make the axis of values: linear near 0..1, logarithmic beyond, as wide as the intervals."""
    ends = [end for found in findings if np.isfinite(found.value) for end in (found.low, found.value, found.high)]
    ends = [0.0, 1.0, *(end for end in ends if np.isfinite(end))]
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=2.0)
    axes.set_xlim(min(ends) - 0.08 * max(1.0, -min(ends)), 1.08 * max(ends))
    ticks = [t for t in TICKS if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("measured value with its interval (each by its own definition)")
    axes.grid(axis="x", color="0.92", linewidth=0.6)
    axes.set_axisbelow(True)
    for value in (0.0, 1.0):
        axes.axvline(value, color=PALE, linewidth=1.0, zorder=0)


def _label(found: Any) -> str:
    kind = f" ({found.map_kind})" if found.map_kind not in ("", "exact") else ""
    return _short(found.title, 66) + kind


def _short(text: str, most: int) -> str:
    """Return one line without signs that matplotlib would read as mathematics."""
    line = " ".join(text.replace("$", "").split())
    return line if len(line) <= most else line[: most - 1] + "…"
