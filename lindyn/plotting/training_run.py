"""The picture of a training run: spectra and alignment as in Fig. 2 of Tian et al. 2021, loss, rank and probes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lindyn.plotting import style
from lindyn.plotting.network_pictures import key_over_training
from lindyn.plotting.over_time import family, marks

SHOWN = 12  # modes in a panel
FAINT = 1e-9  # of the largest s: below is round-off of float32 sums
SHOWN_BESIDE = 8  # where theory stands beside them
STEPS = "optimiser steps"
TIME = r"flow time $t$ (sum of $c$ × learning rate / (1 − momentum))"  # c: the loss over J of Eq. 1


@style.styled
def draw_training(trace: Any, metrics: Sequence[dict[str, Any]], result: dict[str, Any], title: str) -> Figure:
    """Return six panels: eigenvalues of F, p_j, alignment; asymmetry and rank, loss, accuracies.

    Args:
        trace: Dataset over step and mode (`lindyn.bridge.read_trace`), or None.
        metrics: one record per epoch with step, loss, and probe and knn where there are any.
        result: accuracies at the end, those of the untrained network under "untrained", and chance.
        title: of the figure.

    Returns:
        The figure.
    """
    figure, axes = style.new_figure(2, 3, height=6.6)
    panels = axes.ravel()
    if trace is not None and trace.sizes["step"]:
        draw_spectra(trace, panels[:3])
        _draw_shape(trace, panels[3])
    else:
        for panel in panels[:4]:
            _nothing(panel, "no diagnostics in this run")
    _draw_loss(metrics, panels[4])
    _draw_accuracies(metrics, result, panels[5])
    for panel in panels[3:]:
        panel.set_xlabel(STEPS)
    style.letters(panels)
    note = f"modes $u_j$: eigenvectors of $F$, largest $s_j$ first; the first {SHOWN} are drawn"
    modes = 0 if trace is None else min(SHOWN, trace.sizes.get("mode", 0))
    style.frame(figure, title, note, style.mode_key(modes) if modes else ())
    figure.get_layout_engine().set(w_pad=0.12)  # type: ignore[union-attr,call-arg]
    return figure


def draw_spectra(trace: Any, panels: Any) -> None:
    """Draw s_j (log), p_j and the cosine of u_j and W_p u_j over the steps on three axes."""
    t = trace["step"].values
    texts = (
        ("s", r"eigenvalues $s_j$ of $F$", r"$s_j$"),
        ("p", r"predictor along the modes, $p_j$", r"$p_j = u_j^{\top} W_p u_j$"),
        ("alignment", r"alignment", r"cosine of $u_j$ and $W_p u_j$"),
    )
    for panel, (name, title, label) in zip(panels, texts, strict=True):
        curves = trace[name].values.T[:SHOWN]
        if name == "s":
            curves = np.where(curves > 1e-12 * np.nanmax(curves, initial=0.0), curves, np.nan)
            panel.set_yscale("log")
        elif name == "alignment":
            curves = _told({name: trace[name].values, "s": trace["s"].values}, name).T[:SHOWN]
        family(panel, t, curves, [""] * len(curves), linewidth=1.1)
        panel.set(title=title, ylabel=label)
    lowest = float(np.nanmin(trace["alignment"].values[:, :SHOWN], initial=0.0))
    panels[2].set_ylim(min(-0.05, lowest - 0.05), 1.05)
    panels[2].axhline(0.0, color=style.PALE, linewidth=0.8, zorder=0)


def _draw_shape(trace: Any, axes: Axes) -> None:
    """Draw asymmetry of W_p, and the effective rank of F on an axis of its own."""
    t = trace["step"].values
    axes.plot(t, trace["asymmetry"].values, color=style.FLOW, label="asymmetry of $W_p$ (left)")
    axes.set(title="shape", ylim=(-0.05, max(1.5, float(np.nanmax(trace["asymmetry"].values, initial=0)) + 0.1)))
    axes.set_ylabel(r"asymmetry $\|W_p - W_p^{\top}\|/\|W_p\|$", color=style.FLOW)
    right = axes.twinx()
    rank = "effective rank of $F$ (right)"
    right.plot(t, trace["effective_rank"].values, color=style.STABLE, linestyle="--", label=rank)
    right.set_ylabel(r"effective rank of $F$", color=style.STABLE)
    right.set_ylim(0, None)
    right.spines["right"].set_visible(True)
    style.key_above(axes, 1, [*axes.lines, *right.lines])


def _draw_loss(metrics: Sequence[dict[str, Any]], axes: Axes) -> None:
    axes.set(title="loss", ylabel="mean over an epoch")
    if not metrics:
        _nothing(axes, "no epoch was finished")
        return
    step, loss = (np.array([row[name] for row in metrics], dtype=float) for name in ("step", "loss"))
    axes.plot(step, loss, color=style.INK, marker="." if len(step) < 3 else "")
    if np.all(loss[np.isfinite(loss)] > 0):
        axes.set_yscale("log")


def _draw_accuracies(metrics: Sequence[dict[str, Any]], result: dict[str, Any], axes: Axes) -> None:
    """Draw probe and k-NN over training; linear evaluation of the trained and the untrained network; chance."""
    axes.set(title="accuracy on held-out images")
    drawn = False
    for name, label, line in (("probe", "probe trained beside", "-"), ("knn", "k-NN", "--")):
        rows = [(row["step"], 100 * row[name]) for row in metrics if name in row]
        if rows:
            axes.plot(*np.array(rows).T, line, color=style.FLOW, label=label, marker="." if len(rows) < 3 else "")
            drawn = True
    if "linear" in result:
        axes.axhline(100 * result["linear"], color=style.STABLE, label="linear evaluation, trained")
        axes.axhline(100 * result["untrained"]["linear"], color=style.GREY, linestyle="-.", label="untrained")
        axes.axhline(100 * result["chance"], color=style.GREY, linestyle=":", label="chance")
        drawn = True
    if not drawn:
        _nothing(axes, "no labels, or no evaluation")
        return
    axes.set(ylabel="%", ylim=(0, 101))
    style.key_above(axes)


def _nothing(axes: Axes, why: str) -> None:
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color=style.GREY)
    axes.set(xticks=[], yticks=[])


@style.styled
def draw_beside(
    ts: Any, measured: Mapping[str, Any], times: Any, theory: Mapping[str, Any], error: Any, title: str, note: str
) -> Figure:
    """Return four panels: s_j, p_j, alignment of training (marks) and of the flow (lines), and their distance.

    Args:
        ts: flow times of the checkpoints, n.
        measured: s, p, alignment of the network, n x modes.
        times: flow times of the flow, m.
        theory: the same of the flow, m x modes.
        error: relative distance of the weights, n.
        title: of the figure.
        note: under it.

    Returns:
        The figure.
    """
    figure, axes = style.new_figure(2, 2, height=6.6)
    panels = axes.ravel()
    texts = (
        ("s", r"eigenvalues of $F = W(X+X')W^{\top}$", r"$s_j$"),
        ("p", r"predictor along the modes", r"$p_j = u_j^{\top} W_p u_j$"),
        ("alignment", "alignment", r"cosine of $u_j$ and $W_p u_j$"),
    )
    for panel, (name, text, label) in zip(panels, texts, strict=False):
        lines, points = (_told(found, name).T[:SHOWN_BESIDE] for found in (theory, measured))
        family(panel, times, lines, [""] * len(lines), linewidth=1.2)
        marks(panel, ts, points, every=max(1, len(ts) // 25))
        panel.set(title=text, ylabel=label)
        if name == "s" and np.nanmax(lines, initial=0.0) > 0:
            panel.set_yscale("log")
            last = np.concatenate([lines[:, -1], lines[:, 0], points[:, -1]])
            panel.set_ylim(bottom=max(np.min(last[last > 0], initial=np.inf) / 3, 1e-12))
    panels[2].set_ylim(None, 1.05)
    error = np.where(np.asarray(error) > 1e-12, error, np.nan)  # both start from the same weights
    panels[3].plot(ts, error, color=style.INK, marker=".", markersize=3)
    panels[3].set(title="distance of the weights", ylabel=r"$\|$training $-$ theory$\|\;/\;\|$theory$\|$", yscale="log")
    for panel in panels[2:]:
        panel.set_xlabel(style.TIME)
    style.letters(panels)
    shown = min(SHOWN_BESIDE, np.shape(theory["s"])[1])
    style.frame(figure, title, f"{note}; the {shown} largest modes", key_over_training(shown, theory=True))
    return figure


def _told(found: Mapping[str, Any], name: str) -> np.ndarray:
    """Return s, p or alignment; the alignment of modes at round-off of the largest has no meaning."""
    s, values = np.asarray(found["s"], dtype=float), np.asarray(found[name], dtype=float)
    return np.where(s > FAINT * s[:, :1], values, np.nan) if name == "alignment" else values
