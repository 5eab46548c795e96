"""Pictures of predictions: effective rank, spectrum, angle and norm along one training, and the map over keys."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lindyn.plotting import style
from lindyn.plotting.over_time import family

SHOWN = 12
STEPS = "optimiser steps"
COLOURS = ("#fafafa", "#d08a4e", "#3a2f4f")
WORDS = ("lives", "collapses in direction", "collapses in scale")
COLLAPSED_RANK = 2.0


@style.styled
def draw_prediction(told: Any, linear: Any, title: str, note: str) -> Figure:
    """Return four panels: effective rank, leading eigenvalues, angle per step beside its law, norms.

    Args:
        told: the `TheoryPath` of the answer.
        linear: that of the linear theory beside a surrogate, or None.
        title: of the figure.
        note: under it.

    Returns:
        The figure.
    """
    figure, axes = style.new_figure(2, 2, height=6.2, sharex=True)
    panels = axes.ravel()
    _draw_rank(told, linear, panels[0])
    _draw_spectrum(told, panels[1])
    _draw_angle(told, linear, panels[2])
    _draw_norms(told, panels[3])
    for panel in panels[2:]:
        panel.set_xlabel(STEPS)
    style.letters(panels)
    style.frame(figure, title, note, style.mode_key(min(SHOWN, told.spectrum.shape[1])))
    return figure


def _draw_rank(told: Any, linear: Any, panel: Axes) -> None:
    panel.plot(told.steps, told.effective_rank, color=style.INK, label=_answer(linear))
    if linear is not None:
        panel.plot(linear.steps, linear.effective_rank, ":", color=style.STABLE, label="linear theory")
    told_ranks = [each.effective_rank for each in (told, linear) if each is not None]
    panel.axhline(COLLAPSED_RANK, color=style.GREY, linestyle=":", linewidth=1)
    panel.text(0.99, COLLAPSED_RANK, "below: collapsed", transform=panel.get_yaxis_transform(), ha="right", va="bottom",
               color=style.GREY, fontsize="small")  # fmt: skip
    panel.set(title="effective rank of the outputs", ylabel="exp of the spectrum's entropy", yscale="log")
    panel.set_ylim(0.9, 1.3 * max(float(np.nanmax(np.concatenate(told_ranks))), 2.5))
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if value in (2, 3, 5, 20, 30, 50) else "")
    if linear is not None:
        style.key_above(panel, 2)


def _answer(linear: Any) -> str:
    return "linear theory" if linear is None else "Gaussian surrogate"


def _draw_spectrum(told: Any, panel: Axes) -> None:
    s = told.spectrum.T[:SHOWN]
    s = np.where(s > 1e-9 * np.nanmax(s, initial=0.0), s, np.nan)
    family(panel, told.steps, s, [""] * len(s), linewidth=1.1)
    panel.set(title=r"eigenvalues $s_j$ of $F$", ylabel=r"$s_j$", yscale="log")


def _draw_angle(told: Any, linear: Any, panel: Axes) -> None:
    panel.plot(told.steps, told.angle, color=style.INK, label=_answer(linear))
    if linear is not None:
        panel.plot(linear.steps, linear.angle, ":", color=style.STABLE, label="linear theory")
    if np.any(told.angle_law > 0):
        law = r"law at rest, $\sqrt{2\,\mathrm{lr}\,\eta/(1+m)}$"
        panel.plot(told.steps, np.where(told.angle_law > 0, told.angle_law, np.nan), "--", color=style.FLOW, label=law)
    known = told.angle[np.isfinite(told.angle) & (told.angle > 0)]
    if known.size and known.max() > 10 * known.min():
        panel.set_yscale("log")
    panel.set(title="angle per step of all layers together", ylabel="radians")
    style.key_above(panel, 2)


def _draw_norms(told: Any, panel: Axes) -> None:
    panel.plot(told.steps, told.norm, color=style.INK, label="all layers")
    panel.plot(told.steps, told.norm_p, "--", color=style.FLOW, label=r"predictor $W_p$")
    panel.set(title="norm of the weights", ylabel=r"$\|W\|$")
    panel.set_ylim(0, None)
    style.key_above(panel, 2)


@style.styled
def draw_prediction_map(ds: Any, title: str) -> Figure:
    """Return effective rank and collapse over the two longest keys (others at their middle), curves over the only one.

    Args:
        ds: of `lindyn.bridge.predict_map`.
        title: of the figure.

    Returns:
        The figure.
    """
    shown = sorted(ds["collapse"].dims, key=lambda key: -ds.sizes[key])[:2]
    shown = [key for key in ds["collapse"].dims if key in shown]
    rest = {key: ds.sizes[key] // 2 for key in ds["collapse"].dims if key not in shown}
    part = ds.isel(rest)
    figure, axes = style.new_figure(1, 2, height=3.9)
    left, right = axes[0]
    if len(shown) == 1:
        _curves(part, shown[0], left, right)
        key: list[Any] = []
    else:
        key = _maps(part, shown, left, right, figure)
    note = "; ".join(f"{name} = {part[name].item()}" for name in rest) or "nothing fitted; each cell is one prediction"
    style.frame(figure, title, note, key)
    return figure


def _maps(ds: Any, shown: list[str], left: Axes, right: Axes, figure: Figure) -> list[Any]:
    """Draw every cell in a field of its own, with its effective rank written in where there is room."""
    rank = ds["effective_rank"].transpose(*reversed(shown)).values
    code = ds["collapse"].transpose(*reversed(shown)).values
    drawn = left.pcolormesh(np.log2(np.maximum(rank, 1.0)), cmap="viridis", rasterized=True)
    bar = figure.colorbar(drawn, ax=left)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{2**value:.3g}")
    right.pcolormesh(code, cmap=ListedColormap(COLOURS), norm=BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3), rasterized=True)
    left.set_title("effective rank at the end")
    right.set_title("what becomes of it")
    if rank.size <= 120:
        for (row, column), value in np.ndenumerate(rank):
            ink = "white" if value < np.sqrt(max(np.nanmax(rank), 1.0)) else "black"
            left.text(column + 0.5, row + 0.5, f"{value:.3g}", ha="center", va="center", fontsize=6.5, color=ink)
    for panel in (left, right):
        for axis, name in ((panel.xaxis, shown[0]), (panel.yaxis, shown[1])):
            words = [_word(value) for value in ds[name].values]
            axis.set_ticks(np.arange(len(words)) + 0.5, words)
            axis.set_label_text(name)
        panel.tick_params(axis="x", labelrotation=30 if len(ds[shown[0]]) > 5 else 0)
    return [Patch(facecolor=COLOURS[k], edgecolor=style.GREY, label=WORDS[k]) for k in range(3) if np.any(code == k)]


def _curves(ds: Any, key: str, left: Axes, right: Axes) -> None:
    at = ds[key].values
    numbers = at.dtype.kind in "fi"
    x = at if numbers else np.arange(len(at))
    left.plot(x, ds["effective_rank"].values, "o-", markersize=4, color=style.INK)
    left.axhline(COLLAPSED_RANK, color=style.GREY, linestyle=":", linewidth=1, label="below: collapsed")
    left.set(title="effective rank at the end", ylim=(0.9, None))
    right.plot(x, ds["angle"].values, "o-", markersize=4, color=style.INK, label="theory, middle of training")
    right.plot(x, ds["angle_law"].values, "--", color=style.FLOW, label="law at rest")
    right.set_title("angle per step (radians)")
    spread = numbers and np.all(at > 0) and at.max() > 20 * at.min()
    for panel in (left, right):
        panel.set_xlabel(key)
        if spread:
            panel.set_xscale("log")
        elif not numbers:
            panel.set_xticks(x, [str(value) for value in at])
        style.key_above(panel, 2)


def _word(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)
