"""How every picture looks and is written, whatever the user's matplotlib settings are; see `plotting.style`."""

import contextlib
import functools
import io
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
from cycler import cycler
from matplotlib.figure import Figure

from lindyn import _files

STABLE, UNSTABLE, FLOW, INK = "#c8102e", "#0b8a3a", "#3b6fb6", "#1a1a1a"
DPI = 160

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
_TOLD = {"png": "Description", "pdf": "Subject", "svg": "Description"}
_DATES = {"png": "Software", "pdf": "CreationDate", "svg": "Date"}


BESIDE = "LINDYN_FORMAT"
"""Environment variable with the format in which pictures are written beside PNG; `--format` sets it for workers too."""


@contextlib.contextmanager
def beside(ending: str) -> Iterator[None]:
    """Let every picture that is written as .png be written in this format too, in worker processes as well."""
    before = os.environ.get(BESIDE)
    os.environ[BESIDE] = ending
    try:
        yield
    finally:
        os.environ.pop(BESIDE)
        if before is not None:
            os.environ[BESIDE] = before


def endings() -> tuple[str, ...]:
    """Return the formats in which pictures are written: png, and the one that was asked for."""
    return tuple(dict.fromkeys(("png", os.environ.get(BESIDE, "png"))))


def rendered(figure: Figure, command: str = "") -> dict[str, bytes]:
    """Return a figure's bytes in every format that is written, by ending."""
    out = {}
    for ending in endings():
        file = io.BytesIO()
        write(figure, file, ending, command=command)
        out[ending] = file.getvalue()
    return out


def settings() -> AbstractContextManager[None]:
    """Return a context in which matplotlib has this style and nothing of the user's, who gets theirs back."""
    every: dict[Any, Any] = {**matplotlib.rcParamsDefault, **RC}
    del every["backend"]  # rc_context would not give it back; files are drawn without it
    del every["interactive"]  # a notebook shows what is made while it is on
    return matplotlib.rc_context(every)


def styled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return `draw` run under this style, whatever the user's matplotlib settings are."""

    @functools.wraps(draw)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with settings():
            return draw(*args, **kwargs)

    return wrapped


def write(figure: Figure, file: Any, ending: str = "", dpi: int | None = None, command: str = "") -> None:
    """Write a figure to a path or open file; equal figures give equal bytes.

    Args:
        figure: to be written.
        file: path, or an open file.
        ending: "png", "pdf", "svg", ...; default that of the path, and png where it has none.
        dpi: dots per inch; default `DPI`.
        command: line that made it, which the picture keeps (`places.made_by`).
    """
    ending = (ending or Path(file).suffix[1:] or "png").lower()
    if isinstance(file, str | Path) and ending == "png":
        for other in endings()[1:]:
            write(figure, Path(file).with_suffix(f".{other}"), other, command=command)
    told = {_DATES[ending]: None, **({_TOLD[ending]: command} if command else {})} if ending in _DATES else None
    fonts = logging.getLogger("fontTools")
    level = fonts.level
    fonts.setLevel(logging.ERROR)  # it warns of the dates inside matplotlib's own fonts
    try:
        whole = _files.draft(file) if isinstance(file, str | Path) else contextlib.nullcontext(file)
        with whole as target, settings():  # ticks and texts are made when the figure is written
            figure.savefig(target, format=ending, dpi=dpi or DPI, metadata=told)
    finally:
        fonts.setLevel(level)
