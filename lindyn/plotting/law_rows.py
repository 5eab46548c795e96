"""Laws as rows of a picture: every value over what it is held against, so that unlike quantities share an axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lindyn.plotting import style

HOLDS, FAILS = style.FLOW, "#c05a00"
VERDICTS = {"holds": (HOLDS, "o"), "fails": (FAILS, "X"), "not testable": (style.GREY, "D")}
"""Colour and marker of a verdict; the word always stands beside them."""
SIDES = ((style.FLOW, "o", 0.17), (style.STABLE, "s", -0.17))
"""Colour, marker and height of runs A and B."""
REACH = 8.0  # the axis shows so many times the limit, and its inverse
GOOD = "#dfe9f5"
TICKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
AXIS = "value over its limit (logarithmic; arrows lie beyond)"


@dataclass(frozen=True)
class LawReading:
    """A number with its interval, NaN where there is none, and its verdict."""

    value: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class LawRow:
    """One law in a picture.

    Args:
        title: in words.
        group: under which heading it stands.
        readings: of one run, or of A and B.
        limit: what divides the values; NaN where nothing does.
        good: (low, high), where the law holds, in units of the limit.
        words: the numbers, and what must be, in words.
    """

    title: str
    group: str
    readings: tuple[LawReading, ...]
    limit: float
    good: tuple[float, float]
    words: str


def draw_laws(rows: Sequence[LawRow], title: str, note: str = "") -> Figure:
    """Return a figure with a row per law under the headings of their groups; of two runs A above B."""
    figure, axes = style.new_figure(1, 1, height=height_of(rows))
    style.frame(figure, title, note, laws_on(axes[0, 0], rows))
    return figure


def height_of(rows: Sequence[LawRow]) -> float:
    """Return how many inches the rows and their headings take."""
    return 1.3 + 0.26 * (len(rows) + len({row.group for row in rows}))


def laws_on(panel: Axes, rows: Sequence[LawRow]) -> list[Any]:
    """Draw a row per law under the headings of their groups; return the legend handles."""
    headings = list(dict.fromkeys(row.group for row in rows))
    lines = len(rows) + len(headings)
    y, ticks = float(lines - 1), []
    panel.set_xscale("log")
    panel.set(xlim=(0.92 / REACH, 1.09 * REACH), ylim=(-0.7, lines - 0.3), xlabel=AXIS)
    for group in headings:
        _beside(panel, 0.0, y, group, -5.0, ha="right", weight="bold")
        for row in (row for row in rows if row.group == group):
            y -= 1
            _row(panel, y, row)
            ticks.append((y, _short(row.title, 66)))
        y -= 1
    panel.set_yticks([at for at, _ in ticks], [words for _, words in ticks], fontsize=7.5)
    panel.tick_params(axis="y", length=0)
    panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    panel.minorticks_off()
    panel.axvline(1.0, color=style.GREY, linewidth=0.9, zorder=1)
    return _key(rows)


def _row(panel: Axes, y: float, row: LawRow) -> None:
    if math.isfinite(row.limit):
        left, right = (min(max(end, 0.92 / REACH), 1.09 * REACH) for end in row.good)
        panel.fill_betweenx([y - 0.42, y + 0.42], left, right, color=GOOD, linewidth=0, zorder=0)
    for place, reading in enumerate(row.readings):
        colour, shape = VERDICTS[reading.verdict]
        shift = 0.0
        if len(row.readings) > 1:
            colour, shape, shift = SIDES[place]
        if math.isfinite(row.limit) and math.isfinite(reading.value):
            ends = [_inside(end / row.limit) for end in (reading.low, reading.high) if math.isfinite(end)]
            panel.plot(ends, [y + shift] * len(ends), color=colour, linewidth=1.6, solid_capstyle="butt")
            at = reading.value / row.limit
            shape = "<" if at < 1 / REACH else ">" if at > REACH else shape
            panel.plot(_inside(at), y + shift, shape, color=colour, markersize=5.2, markeredgewidth=0)
    single = row.readings[0].verdict if len(row.readings) == 1 else ""
    if single:
        _beside(panel, 1.0, y, single, 8.0, color=VERDICTS[single][0])
    _beside(panel, 1.0, y, row.words, 62.0 if single else 8.0)


def _inside(share: float) -> float:
    return float(np.clip(share, 1 / REACH, REACH))


def _beside(panel: Axes, x: float, y: float, words: str, right: float, **look: Any) -> None:
    """Write words at a row, so many points to the right of a share of the width."""
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    panel.annotate(words, (x, y), xytext=(right, 0.0), fontsize=7.5, **place, **look)


def _key(rows: Sequence[LawRow]) -> list[Any]:
    """Return what colours and markers mean."""
    if any(len(row.readings) > 1 for row in rows):
        looks = [(name, colour, shape) for name, (colour, shape, _) in zip(("A", "B"), SIDES, strict=True)]
    else:
        there = {row.readings[0].verdict for row in rows}
        looks = [(word, *VERDICTS[word]) for word in VERDICTS if word in there]
    handles: list[Any] = [
        Line2D([], [], color=colour, marker=shape, markersize=5.2, markeredgewidth=0, linewidth=1.6, label=word)
        for word, colour, shape in looks
    ]
    if any(math.isfinite(row.limit) for row in rows):
        handles.append(Patch(facecolor=GOOD, label="where the law holds"))
    return handles


def _short(text: str, most: int) -> str:
    """Return one line without signs that matplotlib would read as mathematics."""
    line = " ".join(text.replace("$", "").split())
    return line if len(line) <= most else line[: most - 1] + "…"
