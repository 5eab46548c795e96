"""Both theories beside a run: effective rank, norm of the layers, leading eigenvalues; marks measured, lines theory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lindyn.plotting import style
from lindyn.plotting.network_pictures import nothing
from lindyn.plotting.over_time import family, marks

MODES = 6
SHOWN = 40
"""Marks along a panel at most."""
DEEPEST = 1e-6
"""Of the largest eigenvalue: curves that fall below leave the picture."""
LOOK: Mapping[str, Mapping[str, Any]] = {
    "normalised": {"color": style.FLOW, "linestyle": "-"},
    "squared": {"color": style.STABLE, "linestyle": (0, (4, 2))},
    "predicted": {"color": style.UNSTABLE, "linestyle": (0, (1, 1))},
}
NAMES = {"predicted": "predicted before training"}
THEORIES = ("normalised", "squared")
EDGE: Any = ":"


@style.styled
def draw_theories(theories: Sequence[Any], edge: float, title: str, note: str) -> Figure:
    """Return the panels: effective rank, norm, and the leading eigenvalues beside each theory.

    Args:
        theories: records with theory, steps, measured, rank_measured, norm_steps, norm_measured and path
            (`lindyn.bridge.along_run.TheoryBeside`), one or two.
        edge: effective rank below which a run counts as collapsed.
        title: of the figure.
        note: under it.

    Returns:
        The figure.
    """
    figure, axes = style.new_figure(2, 2, height=6.8)
    panels = axes.ravel()
    _rank(panels[0], theories, edge)
    _norm(panels[1], theories)
    modes = 0
    for panel, name in zip(panels[2:], THEORIES, strict=True):
        beside = next((each for each in theories if each.theory == name), None)
        modes = max(modes, _eigenvalues(panel, beside, name))
    style.letters(panels)
    style.frame(figure, title, note, [*_key(theories), *style.mode_key(modes, most=3)])
    return figure


def _key(theories: Sequence[Any]) -> list[Line2D]:
    mark = Line2D([], [], linestyle="none", marker="o", markersize=3.5, markerfacecolor="white", color=style.INK)
    mark.set_label("network")
    lines = [Line2D([], [], linewidth=1.4, label=NAMES.get(name, f"{name} theory"), **LOOK[name])
             for name in LOOK if any(each.theory == name for each in theories)]  # fmt: skip
    edge = Line2D([], [], color=style.GREY, linewidth=0.9, linestyle=EDGE, label="below: collapsed")
    return [mark, *lines, edge]


def _thin(steps: np.ndarray) -> np.ndarray:
    """Return which of the readings get a mark."""
    return np.unique(np.linspace(0, len(steps) - 1, min(SHOWN, len(steps))).round().astype(int))


def _rank(panel: Axes, theories: Sequence[Any], edge: float) -> None:
    for beside in theories:
        panel.plot(beside.path["steps"], beside.path["effective_rank"], linewidth=1.4, **LOOK[beside.theory])
    first = theories[0]
    kept = _thin(first.steps)
    panel.plot(first.steps[kept], first.rank_measured[kept], "o", markersize=3.2, markerfacecolor="white",
               markeredgewidth=0.9, color=style.INK)  # fmt: skip
    panel.axhline(edge, color=style.GREY, linewidth=0.9, linestyle=EDGE, zorder=1)
    panel.set(title="effective rank of the features", yscale="log", xlabel="optimiser steps",
              ylabel="exp of the spectrum's entropy")  # fmt: skip
    ranks = np.concatenate([first.rank_measured, *(each.path["effective_rank"] for each in theories)])
    panel.set_ylim(0.9, 1.3 * max(float(np.nanmax(ranks)), 2.5))
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.yaxis.set_minor_formatter(lambda value, _: f"{value:g}" if value in (2, 3, 5, 20, 30, 50) else "")


def _norm(panel: Axes, theories: Sequence[Any]) -> None:
    panel.set(title="norm of the projector's layers", xlabel="optimiser steps", ylabel=r"$\|W\|$")
    known = next((each for each in theories if len(each.norm_steps)), None)
    if known is None:
        nothing(panel, "the normalised theory could not be run")
        return
    for beside in theories:
        if "norm" in beside.path:
            panel.plot(beside.path["steps"], beside.path["norm"], linewidth=1.4, **LOOK[beside.theory])
    if "norm_by_decay" in known.path:
        panel.plot(known.path["steps"], known.path["norm_by_decay"], linewidth=1.0, linestyle="-.", color=style.GREY,
                   label="by decay alone")  # fmt: skip
    panel.plot(known.norm_steps, known.norm_measured, "o", markersize=3.6, markerfacecolor="white",
               markeredgewidth=0.9, color=style.INK)  # fmt: skip
    panel.set_ylim(0, None)
    style.key_above(panel)


def _eigenvalues(panel: Axes, beside: Any, name: str) -> int:
    """Draw the leading eigenvalues beside one theory and return how many there are."""
    panel.set(title=rf"eigenvalues $s_j$ of $F$ and the {name} theory", xlabel="optimiser steps", ylabel="$s_j$")
    if beside is None:
        nothing(panel, f"the {name} theory could not be run")
        return 0
    lines, points = beside.path["s"].T[:MODES], beside.measured.T[:MODES]
    largest = float(np.nanmax(np.concatenate([lines.ravel(), points.ravel()]), initial=0.0))
    lines, points = (np.where(each > DEEPEST * largest, each, np.nan) for each in (lines, points))
    family(panel, beside.path["steps"], lines, [""] * len(lines), LOOK[name]["linestyle"], linewidth=1.2)
    kept = _thin(beside.steps)
    marks(panel, beside.steps[kept], points[:, kept])
    panel.set_yscale("log")
    return len(points)
