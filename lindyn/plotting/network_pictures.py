"""Pictures of a validation: what a network's spectra, predictor and laws look like beside the theory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lindyn.plotting.law_rows import FAILS, HOLDS
from lindyn.plotting.over_time import family, marks
from lindyn.plotting.style import FLOW, GREY, INK, PALE, STABLE, key_above, mode_key

UNSURE = "mode that so few samples cannot tell from none"
SHOWN = 8  # modes in a panel over training
DEEPEST = 1e-8  # of the largest s: curves that fall below leave the picture


def p_against_s(axes: Axes, s: Any, p: Any, slope: Any, known: int | None = None) -> Axes:
    """Draw p_j against s_j in log-log with the fitted line, its window and the line of slope 1/2.

    Args:
        axes: where to draw.
        s: eigenvalues of F, largest first.
        p: u_j^T W_p u_j beside them.
        slope: record with slope, low, high, s_low, s_high and verdict (`lindyn.bridge.fit_slope`).
        known: so many modes at most are told from none by the samples; the others are drawn pale.

    Returns:
        The axes.
    """
    s, p = np.asarray(s, dtype=float), np.asarray(p, dtype=float)
    good = (s > 0) & (p > 0)
    sure = good & (np.arange(len(s)) < (len(s) if known is None else known))
    for mask, colour, label in ((good & ~sure, PALE, UNSURE), (sure, FLOW, "mode")):
        if mask.any():
            axes.plot(s[mask], p[mask], "o", markersize=3.2, markeredgewidth=0, zorder=2, color=colour, label=label)
    axes.set(xlabel=r"$s_j$, eigenvalue of $F$", ylabel=r"$p_j = u_j^{\top} W_p u_j$", title="p against s")
    if not good.any():
        return nothing(axes, "no mode has p > 0")
    axes.set(xscale="log", yscale="log")
    inside = sure & (s >= slope.s_low) & (s <= slope.s_high)
    if inside.any() and np.isfinite(slope.slope):
        axes.axvspan(slope.s_low, slope.s_high, color=PALE, alpha=0.45, linewidth=0, zorder=0, label="fit window")
        _lines(axes, s[inside], p[inside], slope)
        key_above(axes)
    elif slope.verdict != "fitted":
        axes.set_title(f"p against s ({slope.verdict})", fontsize=8.5)
    left_out = int(np.sum(p <= 0))
    if left_out:
        axes.annotate(f"{left_out} of {len(p)} modes have p ≤ 0: not drawn", (0.98, 0.02), xycoords="axes fraction",
                      ha="right", fontsize=7.5, color="0.35")  # fmt: skip
    return axes


def _lines(axes: Axes, s: np.ndarray, p: np.ndarray, slope: Any) -> None:
    """Draw the fitted line and one of slope 1/2 through the window's mean."""
    middle = np.log(s).mean(), np.log(p).mean()
    ends = np.log([s.min(), s.max()])
    fit = f"fit: slope {slope.slope:.2f} [{slope.low:.2f}, {slope.high:.2f}]"
    for value, label, colour, line in ((slope.slope, fit, STABLE, "-"), (0.5, "slope 1/2 (theory)", INK, "--")):
        heights = np.exp(middle[1] + value * (ends - middle[0]))
        axes.plot(np.exp(ends), heights, linewidth=1.3, label=label, color=colour, linestyle=line)


def alignment_per_mode(axes: Axes, alignment: Any, known: int | None = None) -> Axes:
    """Draw the cosine between u_j and W_p u_j per mode, and the band in which a random predictor's would lie.

    Args:
        axes: where to draw.
        alignment: cosines, largest s first; NaN where W_p u_j = 0.
        known: modes that the samples can tell from none; the others are drawn pale.

    Returns:
        The axes.
    """
    cosines = np.asarray(alignment, dtype=float)
    if not np.isfinite(cosines).any():
        return nothing(axes, "$W_p u_j = 0$ for every mode")
    d = len(cosines)
    j = np.arange(1, d + 1)
    sure = j <= (d if known is None else known)
    axes.axhspan(-2 / np.sqrt(d), 2 / np.sqrt(d), color=PALE, alpha=0.6, linewidth=0, label="random predictor (95 %)")
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle="--", label="exactly aligned")
    for mask, colour, label in ((~sure, PALE, UNSURE), (sure, FLOW, "mode")):
        if mask.any():
            axes.plot(j[mask], cosines[mask], "o", color=colour, markersize=3.2, markeredgewidth=0, label=label)
    low = float(np.nanmin(cosines, initial=0.0))
    axes.set(xlabel="mode j, largest $s_j$ first", ylabel=r"cosine of $u_j$ and $W_p u_j$", title="alignment",
             ylim=(min(-0.35, low - 0.05), 1.12))  # fmt: skip
    if d > 40:
        axes.set_xscale("log")
    key_above(axes)
    return axes


def spectra(axes: Axes, s: Any, known: int | None = None) -> Axes:
    """Draw the eigenvalues of F over the largest, log, by rank.

    Args:
        axes: where to draw.
        s: eigenvalues of F, largest first.
        known: modes that the samples can tell from none; a line marks the last.

    Returns:
        The axes.
    """
    s = np.asarray(s, dtype=float)
    axes.set(xlabel="mode j", ylabel=r"$s_j / s_1$", title="spectrum of F")
    if not s[0] > 0:
        return nothing(axes, "F = 0")
    share = np.where(s > 1e-14 * s[0], s / s[0], np.nan)
    axes.plot(np.arange(1, len(s) + 1), share, color=FLOW, marker=".", markersize=3)
    axes.set_yscale("log")
    if known is not None and known < len(s):
        axes.axvline(known, color=GREY, linestyle=":", linewidth=1.0, label="as many as samples can tell")
        key_above(axes)
    return axes


def spectrum_of_predictor(axes: Axes, p: Any, eigenvalues: Any) -> Axes:
    """Draw p_j, sorted, beside the eigenvalues of W_p's symmetric part: equal where eigenspaces are.

    Args:
        axes: where to draw.
        p: u_j^T W_p u_j.
        eigenvalues: of the symmetric part of W_p, largest first.

    Returns:
        The axes.
    """
    p, eigenvalues = np.sort(np.asarray(p, dtype=float))[::-1], np.asarray(eigenvalues, dtype=float)
    j = np.arange(1, len(p) + 1)
    axes.plot(j, eigenvalues, color=INK, linewidth=1.1, label="eigenvalues of $(W_p + W_p^{\\top})/2$")
    axes.plot(j, p, "o", color=FLOW, markersize=2.8, markeredgewidth=0, label="$p_j$, sorted")
    axes.axhline(0.0, color=PALE, linewidth=0.8, zorder=0)
    axes.set(xlabel="rank", ylabel="value", title="spectrum of the predictor")
    key_above(axes)
    return axes


def p_against_boundary(axes: Axes, p: Any, p_minus: Any, p_plus: Any = None) -> Axes:
    """Draw p_j per mode with the edge of the basin of collapse p_- and the living fixed point p_+.

    Args:
        axes: where to draw.
        p: u_j^T W_p u_j, largest s first.
        p_minus: edge per mode; NaN where only collapse remains.
        p_plus: stable fixed point per mode, or None.

    Returns:
        The axes.
    """
    p, edge = np.asarray(p, dtype=float), np.asarray(p_minus, dtype=float)
    j = np.arange(1, len(p) + 1)
    doomed = ~np.isfinite(edge)
    below = doomed | (p < edge)
    axes.fill_between(j, np.nanmin(np.append(p, 0.0)), np.where(doomed, np.nan, edge), color=PALE, alpha=0.6,
                      linewidth=0, label="basin of collapse")  # fmt: skip
    axes.plot(j, edge, color=INK, linewidth=1.0, linestyle="--", label="$p_-$")
    if p_plus is not None:
        axes.plot(j, np.asarray(p_plus, dtype=float), color=STABLE, linewidth=1.0, label="$p_+$")
    axes.plot(j[~below], p[~below], "o", color=HOLDS, markersize=3.2, markeredgewidth=0, label="above")
    if below.any():
        axes.plot(j[below], p[below], "X", color=FAILS, markersize=4.2, markeredgewidth=0, label="below, or no $p_-$")
    axes.set(xlabel="mode j, largest $s_j$ first", ylabel="$p_j$", title="p against the collapse boundary")
    if len(p) > 40:
        axes.set_xscale("log")
    key_above(axes)
    return axes


def over_training(
    axes: Axes, steps: Any, name: str, measured: Mapping[str, Any], theory: Mapping[str, Any], unit: str
) -> int:
    """Draw one quantity along a run: marks what was measured, lines the theory from the first reading.

    Args:
        axes: where to draw.
        steps: of the readings.
        name: "s", "p" or "tau".
        measured: readings x modes by name.
        theory: "steps" and the same of the simulator at its own times; {} where it could not run.
        unit: of the steps.

    Returns:
        The number of modes drawn.
    """
    titles = {"s": r"eigenvalues $s_j$ of $F$", "p": "predictor along the modes, $p_j$",
              "tau": r"target over online, $\tau_j$"}  # fmt: skip
    points = np.asarray(measured.get(name, np.empty((len(steps), 0))), dtype=float).reshape(len(steps), -1).T[:SHOWN]
    axes.set(title=titles.get(name, name), xlabel=unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    if not np.isfinite(points).any():
        nothing(axes, "not known")
        return 0
    drawn = points
    if name in theory:
        lines = np.asarray(theory[name], dtype=float).T[: len(points)]
        family(axes, theory["steps"], lines, [""] * len(lines), linewidth=1.2)
        drawn = np.concatenate([points.ravel(), lines.ravel()])
    marks(axes, steps, points)
    positive = drawn[np.isfinite(drawn) & (drawn > 0)]
    if name == "s" and len(positive):
        axes.set_yscale("log")
        axes.set_ylim(bottom=max(positive.min() / 3, DEEPEST * positive.max()))
    return len(points)


def key_over_training(modes: int, theory: bool) -> list[Any]:
    """Return the legend handles of `over_training`: the modes, what marks and lines are."""
    mark = Line2D([], [], linestyle="none", marker="o", markersize=3.5, markerfacecolor="white", color=INK)
    mark.set_label("network")
    return [*mode_key(modes, most=5), mark, *([Line2D([], [], color=INK, linewidth=1.2, label="theory")] * theory)]


def error_over_training(axes: Axes, steps: Any, error: Mapping[str, Any], unit: str) -> Axes:
    """Draw the relative error of the theory per reading, for s and p.

    Args:
        axes: where to draw.
        steps: of the readings.
        error: by name.
        unit: of the steps.

    Returns:
        The axes.
    """
    axes.set(title="error of the theory", xlabel=unit, ylabel="relative error")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    if not error:
        return nothing(axes, "the theory could not be run")
    colours = {"s": STABLE, "p": FLOW}
    for name, values in error.items():
        quantity, _, modes = name.partition("_")
        shown = np.where(np.asarray(values, dtype=float) > 1e-12, values, np.nan)
        label = f"{quantity} (decoupled modes)" if modes else quantity
        axes.plot(steps, shown, ":" if modes else "-", color=colours.get(quantity, INK), marker=".", markersize=4,
                  label=label)  # fmt: skip
    axes.set_yscale("log")
    key_above(axes, columns=4)
    return axes


def nothing(axes: Axes, why: str) -> Axes:
    """Say on an empty panel why it is empty."""
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set(xticks=[], yticks=[])
    return axes
