"""One style for every figure: sizes, colours, markers, the frame around panels.

Colours mean one thing everywhere: stable red, unstable green, flow blue, invariant parabola black dashed. Marker
shape and fill say the same again, so that a grey print loses nothing; families of curves run from dark to light.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lindyn.outputs.picture_style import FLOW as FLOW
from lindyn.outputs.picture_style import INK as INK
from lindyn.outputs.picture_style import STABLE as STABLE
from lindyn.outputs.picture_style import UNSTABLE as UNSTABLE
from lindyn.outputs.picture_style import beside as beside
from lindyn.outputs.picture_style import rendered as rendered
from lindyn.outputs.picture_style import settings as settings
from lindyn.outputs.picture_style import styled as styled
from lindyn.outputs.picture_style import write

GREY, PALE = "0.55", "0.85"
WIDTH = 10.0  # inches; a double column at 70 %
TIME = "flow time $t$ (learning rate × steps / (1 − momentum))"  # `_options.FLOW_TIME` as an axis says it
LOWEST_K = r"lowest $\lambda_{\min}(K)$"  # of Eq. 17, over the run
KEY = 7.5  # points: the letters of a panel's own key


class StyledFigure(Figure):
    """A figure that is written in this style by whoever holds it."""

    def write(self, file: Any, ending: str) -> None:
        """Write it as "png" or "pdf" to a path or open file; equal figures give equal bytes."""
        write(self, file, ending)


def new_figure(rows: int = 1, columns: int = 1, height: float = 3.4, **subplots: Any) -> tuple[Figure, np.ndarray]:
    """Return a figure of the standard width and its Axes as a rows x columns array (no pyplot, so thread-safe)."""
    figure = StyledFigure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def shades(n: int) -> list[Any]:
    """Return n colours for an ordered family of curves, dark to light; their grey values are ordered too."""
    return [matplotlib.colormaps["viridis"](0.86 * k / max(n - 1, 1)) for k in range(n)]


def mode_key(n: int, most: int = 8, name: str = "j") -> list[Line2D]:
    """Return legend entries of a family of n modes: all of them, or the first, the middle and the last."""
    shown = range(n) if n <= most else (0, (n - 1) // 2, n - 1)
    colours = shades(n)
    return [Line2D([], [], color=colours[j], linewidth=1.5, label=f"${name} = {j + 1}$") for j in shown]


def key_above(axes: Axes, columns: int = 2, handles: Sequence[Any] | None = None) -> None:
    """Put a panel's legend between its title and its frame, where it covers nothing."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else handles
    if not handles:
        return
    columns = min(columns, len(handles))
    axes.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, fontsize=KEY, handlelength=2.0,
        columnspacing=1.2, labelspacing=0.3, borderaxespad=0.2,
    )  # fmt: skip
    rows = -(-len(handles) // columns)
    axes.set_title(axes.get_title(), pad=8.0 + 1.45 * KEY * rows)


def frame(figure: Figure, title: str, note: str, key: Sequence[Any] = (), columns: int = 8) -> None:
    """Write title, legend for all panels and note around the panels, which keep the room between them.

    Args:
        figure: whose panels are laid out.
        title: on top.
        note: at the bottom: the values that the paper does not print.
        key: legend handles, between title and panels.
        columns: of the legend.
    """
    height = figure.get_figheight()
    rows = -(-len(key) // columns)
    top, bottom = (0.32 + 0.21 * rows) / height, (0.27 + 0.13 * note.count("\n")) / height
    figure.text(0.5, 1 - 0.07 / height, title, ha="center", va="top", fontsize=11.0)
    figure.text(0.5, 0.07 / height, note, ha="center", va="bottom", fontsize=7.8, color="0.35")
    if key:
        figure.legend(
            handles=key, loc="upper center", bbox_to_anchor=(0.5, 1 - 0.28 / height), ncols=columns, handlelength=2.4,
            columnspacing=1.4, borderaxespad=0.0,
        )  # fmt: skip
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, bottom, 1, 1 - top - bottom))  # type: ignore[call-arg]


def row_name(panel: Axes, words: str) -> None:
    """Name a row of panels at its right end, so that the left axes keep their quantities."""
    panel.annotate(
        words, (1.0, 0.5), xycoords="axes fraction", xytext=(8, 0), textcoords="offset points", rotation=-90,
        ha="left", va="center", fontsize=8.5,
    )  # fmt: skip


def letters(axes: Any) -> None:
    """Put (a), (b), ... in front of the panels' titles."""
    for k, panel in enumerate(np.ravel(axes)):
        panel.title.set_text(f"({chr(ord('a') + k)}) {panel.get_title()}")  # where it is; a key may lie under it


def inset(
    axes: Axes, bounds: tuple[float, float, float, float], x: tuple[float, float], y: tuple[float, float]
) -> Axes:
    """Return a framed inset that magnifies the window x, y; `bounds` are in axes fractions."""
    panel = axes.inset_axes(bounds, xlim=x, ylim=y)
    panel.tick_params(labelsize=6.5, length=2, pad=1.5)
    panel.spines[["top", "right"]].set_visible(True)
    panel.set_facecolor("white")
    axes.indicate_inset_zoom(panel, edgecolor=GREY)
    return panel
