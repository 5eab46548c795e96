"""What can be wrong with a picture, found from its artists: texts on texts, keys on lines, lines without a key."""

import base64
import contextlib
import functools
import itertools
import pathlib

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lindyn.plotting import style

DPI = 50  # quick; the layout is the same at any
NOTHING = ("None", "none", "", " ")
SLACK = 0.8  # pixels that boxes may share: a letter's box is larger than the letter


DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg==")
"""A PNG of one pixel, which stands for a picture that was made but not rendered."""


@contextlib.contextmanager
def unrendered():
    """Let figures be made and their files written, but not rendered."""

    def savefig(figure, file, **how):
        if hasattr(file, "write"):
            file.write(DOT)
        else:
            pathlib.Path(file).write_bytes(DOT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield


@contextlib.contextmanager
def collected(monkeypatch):
    """Give the figures that are written meanwhile, as (figure, its faults); nothing is rendered."""
    found = []

    def savefig(figure, file, **how):
        found.append((figure, [*faults(figure), *faults_when_larger(figure)]))
        writes = file.write if hasattr(file, "write") else None
        if writes is not None:
            writes(b"a picture")
        else:
            with open(file, "wb") as out:
                out.write(b"a picture")

    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield found


def faults(figure):
    """Return one sentence for each fault of a figure."""
    figure.set_dpi(DPI)
    if not isinstance(figure.canvas, FigureCanvasAgg):
        FigureCanvasAgg(figure)
    with style.settings():
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        texts = [(text.get_text(), text.get_window_extent(renderer)) for text in shown_texts(figure)]
        return [*texts_on_texts(texts), *outside(figure, texts), *keys_on_data(figure, renderer), *without_key(figure),
                *empty_axes(figure)]  # fmt: skip


LARGER = 1.3


def faults_when_larger(figure):
    """Return the faults of a figure that a reader has drawn larger, as in a talk; its size is given back."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(LARGER * width, LARGER * height)
    try:
        return [f"{LARGER} times as large: {fault}" for fault in faults(figure)]
    finally:
        figure.set_size_inches(width, height)


def empty_axes(figure):
    """Return the axes in which nothing is drawn and nothing is said."""
    return [
        f"the panel {axes.get_title()!r} is empty"
        for axes in figure.axes
        if visible(axes) and axes.axison and not (axes.has_data() or axes.texts)
    ]


def shown_texts(figure):
    """Return the texts that are seen; of ticks those inside the limits."""
    hidden = set()
    for axes in figure.findobj(Axes):
        for axis in (axes.xaxis, axes.yaxis):
            drawn = axis._update_ticks()
            beyond = [tick for tick in (*axis.majorTicks, *axis.minorTicks) if tick not in drawn]
            hidden |= {label for tick in beyond for label in (tick.label1, tick.label2)}
            if not (visible(axes) and axis.get_visible() and axes.axison):
                hidden |= set(axis.findobj(Text))
    return [t for t in figure.findobj(Text) if t.get_text().strip() and visible(t) and t not in hidden]


def visible(artist):
    """Whether an artist and its axes are drawn."""
    return artist.get_visible() and (artist.axes is None or artist.axes.get_visible())


def overlap(a, b, slack=SLACK):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack


def texts_on_texts(texts):
    return [
        f"the texts {one!r} and {two!r} overlap"
        for (one, a), (two, b) in itertools.combinations(texts, 2)
        if overlap(a, b)
    ]


def outside(figure, texts):
    """Return the texts that are cut off by the figure's edge."""
    width, height = figure.bbox.width, figure.bbox.height
    return [
        f"the text {words!r} is cut off"
        for words, box in texts
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]


def keys_on_data(figure, renderer):
    """Return the keys that lie on what is plotted."""
    found = []
    for legend in figure.findobj(Legend):
        box = legend.get_window_extent(renderer)
        inside = set(legend.findobj())
        for axes in figure.findobj(Axes):
            drawn = [*axes.lines, *axes.collections, *axes.images]
            for artist in drawn:
                if artist not in inside and visible(artist) and touches(artist, axes, box):
                    found.append(f"the key {[t.get_text() for t in legend.get_texts()]} lies on {name(artist)}")
    return found


def name(artist):
    return f"{type(artist).__name__} {artist.get_label()!r}"


def touches(artist, axes, box):
    """Whether what is seen of an artist passes through a box."""
    seen = axes.get_window_extent()
    corner = [max(box.x0, seen.x0), max(box.y0, seen.y0), min(box.x1, seen.x1), min(box.y1, seen.y1)]
    if corner[2] - corner[0] <= SLACK or corner[3] - corner[1] <= SLACK:
        return False
    if isinstance(artist, Line2D):
        if str(artist.get_linestyle()) == "None":
            points = artist.get_transform().transform(np.column_stack(artist.get_data()))
            return bool(np.any(np.all((points >= corner[:2]) & (points <= corner[2:]), axis=1)))
        path = artist.get_path().transformed(artist.get_transform())
        return any(
            Path(part).intersects_bbox(Bbox.from_extents(*corner), filled=False) for part in finite(path.vertices)
        )
    if isinstance(artist, Collection):
        return overlap(artist.get_window_extent(), Bbox.from_extents(*corner))
    return True


def finite(vertices):
    """Yield the stretches of a line without NaN."""
    good = np.isfinite(vertices).all(axis=1)
    edges = np.flatnonzero(np.diff(good.astype(int))) + 1
    for part, ok in zip(np.split(vertices, edges), np.split(good, edges), strict=True):
        if len(part) > 1 and ok[0]:
            yield part


def without_key(figure):
    """Return the lines whose look stands in no key, is not named beside it, and is no shade of a family in a key.

    A line of its own in a panel is named by the panel's axis; white ones are the ground of others.
    """
    keys = [key for legend in figure.findobj(Legend) for key in legend.findobj(Line2D)]
    looks = {look(key) for key in keys}
    shades = shades_of_families()
    families = shades & {colour for colour, *_ in looks}
    found = set()
    for axes in figure.axes:
        lines = [line for line in axes.lines if visible(line) and np.isfinite(np.array(line.get_ydata(), float)).any()]
        lines = [line for line in lines if look(line)[0] != (1.0, 1.0, 1.0)]
        panel = axes.get_ylabel() or axes.get_title()
        if len({look(line) for line in lines}) == 1 and panel:
            continue
        for line in lines:
            if not (told(look(line), looks) or named(line, axes) or (families and look(line)[0] in shades)):
                found.add(f"{name(line)} in {panel!r} is in no key: {look(line)}")
    return sorted(found)


@functools.cache
def shades_of_families():
    """Return the colours that an ordered family of curves may have."""
    return frozenset(to_rgba(color)[:3] for n in range(2, 65) for color in style.shades(n))


def told(seen, looks):
    """Whether a key shows a look, or one of the colour with its dashes or its marker.

    Arrows that point beyond the axis and the caps of error bars need the colour only.
    """
    colour, dashes, marker = seen
    alike = [key for key in looks if key[0] == colour]
    if dashes != "none":
        return any(dashes == key[1] for key in alike)
    return any(marker == key[2] for key in alike) or (bool(alike) and marker in ("<", ">", "_", "|"))


def look(line):
    """Return what a reader tells lines by: colour, dashes, marker."""
    marker = "" if str(line.get_marker()) in NOTHING else str(line.get_marker())
    drawn = str(line.get_linestyle()) not in NOTHING
    colour = line.get_color() if drawn else line.get_markeredgecolor()
    return to_rgba(colour)[:3], str(line._unscaled_dash_pattern) if drawn else "none", marker


def named(line, axes):
    """Whether a line is named by a text of its own (one `gid`), or is a plain reference line at 0 or 1."""
    x, y = (np.asarray(values, float) for values in line.get_data())
    if any(np.ptp(values) == 0 and values[0] in (0.0, 1.0) for values in (x, y)):
        return True
    return line.get_gid() is not None and any(text.get_gid() == line.get_gid() for text in axes.texts)
