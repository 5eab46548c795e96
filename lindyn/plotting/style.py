"""One style for every figure: sizes, colours, markers, and how a figure is written.

Colours mean one thing everywhere: stable red, unstable green, flow blue, invariant parabola black dashed. Marker
shape and fill say the same again, so that a grey print loses nothing; families of curves run from dark to light.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lindyn import _files

STABLE, UNSTABLE, FLOW = "#c8102e", "#0b8a3a", "#3b6fb6"
INK, GREY, PALE = "#1a1a1a", "0.55", "0.85"
WIDTH = 10.0  # inches; a double column at 70 %
DPI = 160
TIME = "flow time $t$ (learning rate × steps / (1 − momentum))"  # `_options.FLOW_TIME` as an axis says it
KEY = 7.5  # points: the letters of a panel's own key

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "mathtext.fontset": "cm",
    "axes.titlesize": 9.5,
    "axes.labelsize": 10.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.edgecolor": INK,
    "axes.formatter.useoffset": False,
    "axes.prop_cycle": cycler(color=[FLOW, STABLE, UNSTABLE, "#c05a00", "#7a4fa3", INK]),
    "xtick.direction": "out",
    "ytick.direction": "out",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.5,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # TrueType; journals refuse Type 3
}


def settings() -> AbstractContextManager[None]:
    """Return a context in which matplotlib has this style and nothing of the user's."""
    every: dict[Any, Any] = {**matplotlib.rcParamsDefault, **RC, "backend": "agg"}
    return matplotlib.rc_context(every)


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Return `draw` run under this style, whatever the user's matplotlib settings are."""

    @functools.wraps(draw)
    def wrapped(*args: Any, **kwargs: Any) -> Figure:
        with settings():
            return draw(*args, **kwargs)

    return wrapped


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


def mode_key(n: int, most: int = 8) -> list[Line2D]:
    """Return legend entries of a family of n modes: all of them, or the first, the middle and the last."""
    shown = range(n) if n <= most else (0, (n - 1) // 2, n - 1)
    colours = shades(n)
    return [Line2D([], [], color=colours[j], linewidth=1.5, label=f"$j = {j + 1}$") for j in shown]


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
    top, bottom = (0.32 + 0.21 * rows) / height, 0.27 / height
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


def letters(axes: Any) -> None:
    """Put (a), (b), ... in front of the panels' titles."""
    for k, panel in enumerate(np.ravel(axes)):
        panel.set_title(f"({chr(ord('a') + k)}) {panel.get_title()}")


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


def write(figure: Figure, file: Any, ending: str) -> None:
    """Write a figure as "png", "pdf" or what else matplotlib knows; equal figures give equal PNG and PDF bytes."""
    undated: dict[str, Any] = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
    fonts = logging.getLogger("fontTools")
    level = fonts.level
    fonts.setLevel(logging.ERROR)  # it warns of the dates inside matplotlib's own fonts
    try:
        whole = _files.draft(file) if isinstance(file, str | Path) else contextlib.nullcontext(file)
        with whole as target, settings():  # ticks and texts are made when the figure is written
            figure.savefig(target, format=ending, dpi=DPI, metadata=undated.get(ending))
    finally:
        fonts.setLevel(level)
