"""Pictures of training studies: printed beside measured, accuracy along alpha_p, and the curves of Fig. 2."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lindyn.papers import study_files
from lindyn.plotting.style import FLOW, GREY, INK, STABLE, new_figure, shades, styled


def study(content: Mapping[str, Any]) -> Figure | None:
    """Return the picture of a study; None where nothing was run."""
    found = study_files.rows(content)
    if not found:
        return None
    if content["table"] == "fig2":
        return over_training(content)
    if content["table"] == "fig6":
        return along_alpha_p(content)
    if content["table"] == "cut":
        return over_cut(content)
    return beside(content)


@styled
def beside(content: Mapping[str, Any]) -> Figure:
    """Draw a row per line: left what the paper prints, right what was measured, each on its own axis."""
    found = study_files.rows(content)
    figure, axes = new_figure(1, 2, height=1.5 + 0.24 * len(found), sharey=True)
    left, right = axes[0]
    at = np.arange(len(found))[::-1]
    for y, row in zip(at, found, strict=True):
        if row["printed"] is not None:
            left.errorbar(row["printed"], y, xerr=row["printed_spread"] or 0.0, fmt="s", color=INK, markersize=4)
        _measured(right, row, y)
    left.set_yticks(at, [row["id"].replace("imagenet-", "") for row in found], fontsize=7.5)
    left.set_ylim(-0.7, len(found) - 0.3)
    left.set_xlabel("printed, Top-1 %")
    right.set_xlabel(f"measured at scale {content['scale']}, %")
    for axes_ in (left, right):
        axes_.grid(axis="y", color="0.92", linewidth=0.6)
        axes_.set_axisbelow(True)
    _legend(right, found)
    figure.suptitle(f"{content['paper']}, {content['source']}: {content['title']}", fontsize=10)
    return figure


def _measured(axes: Axes, row: Mapping[str, Any], y: float) -> None:
    for measure, colour, shape, shift in (("linear", STABLE, "o", 0.12), ("knn", FLOW, "^", -0.12)):
        value = study_files.summary(row, measure)
        if value.seeds:
            spread = 0.0 if np.isnan(value.spread) else 100 * value.spread
            axes.errorbar(100 * value.mean, y + shift, xerr=spread, fmt=shape, color=colour, markersize=4, capsize=2)


def _legend(axes: Axes, found: list[Any]) -> None:
    axes.plot([], [], "o", color=STABLE, markersize=4, label="linear evaluation")
    axes.plot([], [], "^", color=FLOW, markersize=4, label="k-NN")
    base = _untrained(found)
    for measure, colour in (("linear", STABLE), ("knn", FLOW)):
        if measure in base:
            axes.axvline(100 * base[measure], color=colour, linewidth=0.8, linestyle=":")
    if base:
        axes.plot([], [], ":", color=GREY, linewidth=0.8, label="untrained network")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _untrained(found: list[Any]) -> dict[str, float]:
    runs = [run["untrained"] for row in found for run in row["runs"] if run.get("untrained")]
    return {k: float(np.mean([one[k] for one in runs])) for k in ("linear", "knn") if runs and k in runs[0]}


@styled
def along_alpha_p(content: Mapping[str, Any]) -> Figure:
    """Draw accuracy, effective rank and the theory's share of living directions against alpha_p (Fig. 6)."""
    found = [(row["config"].get("optim.alpha_p", 1.0), row) for row in study_files.rows(content)]
    figure, axes = new_figure(1, 3, height=3.0)
    alpha = [a for a, _ in found]
    for axis, measures, label in (
        (axes[0, 0], ("linear", "knn"), "accuracy, %"),
        (axes[0, 1], ("effective_rank",), r"effective rank of $F$"),
    ):
        for measure, colour in zip(measures, (STABLE, FLOW), strict=False):
            values = [study_files.summary(row, measure) for _, row in found]
            scale = 100 if measure in ("linear", "knn") else 1
            name = {"linear": "linear evaluation", "knn": "k-NN"}.get(measure)
            means, spreads = [scale * v.mean for v in values], [scale * np.nan_to_num(v.spread) for v in values]
            axis.errorbar(alpha, means, spreads, fmt="o-", color=colour, capsize=2, markersize=4, label=name)
        axis.set_ylabel(label)
    base = _untrained([row for _, row in found])
    for measure, colour in (("linear", STABLE), ("knn", FLOW)):
        if measure in base:
            axes[0, 0].axhline(100 * base[measure], color=colour, linestyle=":", linewidth=0.8)
    axes[0, 0].plot([], [], ":", color=GREY, linewidth=0.8, label="untrained network")
    figure.legend(loc="outside lower center", ncols=3)
    alive = [[run["theory"].get("alive", np.nan) for run in row["runs"]] for _, row in found]
    axes[0, 2].errorbar(alpha, [np.mean(a) for a in alive], yerr=[np.std(a) for a in alive], fmt="s--", color=INK,
                        capsize=2, markersize=4)  # fmt: skip
    axes[0, 2].set_ylabel("linear theory: share alive")
    axes[0, 2].set_ylim(-0.05, 1.05)
    for axis in axes[0]:
        axis.set_xscale("log")
        axis.set_xticks(alpha, [f"{a:g}" for a in alpha])
        axis.minorticks_off()
        axis.set_xlabel(r"$\alpha_p$")
    figure.suptitle(f"{content['paper']}, {content['source']}, measured at scale {content['scale']}: symmetric $W_p$, "
                    "no EMA, mean and spread over seeds", fontsize=10)  # fmt: skip
    return figure


@styled
def over_training(content: Mapping[str, Any]) -> Figure:
    """Draw eigenvalues of F and W_p, alignment and asymmetry over training, a line of panels per row (Fig. 2)."""
    found = study_files.rows(content)
    figure, axes = new_figure(len(found), 4, height=2.6 * len(found) + 0.3)
    for line, row in zip(axes, found, strict=True):
        _panels(line, row)
    for axis, title in zip(axes[0], ("eigenvalues of $F$", "eigenvalues of $W_p$ (symmetric part)",
                                     r"cosine of $u_j$ and $W_p u_j$", "asymmetry of $W_p$"), strict=True):  # fmt: skip
        axis.set_title(title)
    for axis in axes[-1]:
        axis.set_xlabel("step")
    title = (
        f"{content['paper']}, {content['source']}, measured at scale {content['scale']}: the 16 leading modes of one "
        "seed; asymmetry and mean alignment of every seed"
    )
    figure.suptitle(title, fontsize=10)
    return figure


def _panels(line: np.ndarray, row: Mapping[str, Any]) -> None:
    first = row["runs"][0]["curves"]
    step = np.array(first["step"])
    for axis, name in zip(line[:3], ("s", "spectrum_W_p", "alignment"), strict=True):
        curves = np.array(first[name], dtype=float)
        for k, colour in reversed(list(enumerate(shades(curves.shape[1])))):
            axis.plot(step, curves[:, k], color=colour, linewidth=0.9)
    line[0].set_yscale("log")
    line[0].set_ylabel(row["text"].split(" (")[0].replace(" of W_p", ""), fontsize=8)
    line[2].set_ylim(-0.35, 1.05)
    for run in row["runs"]:
        curves = run["curves"]
        line[2].plot(curves["step"], curves["alignment_top"], color=STABLE, linewidth=1.6)
        line[3].plot(curves["step"], curves["asymmetry"], color=STABLE)
    line[2].plot([], [], color=STABLE, label="mean, every seed")
    line[2].legend(loc="lower right")
    line[3].set_ylim(-0.05, 1.5)


@styled
def over_cut(content: Mapping[str, Any]) -> Figure:
    """Draw k-NN, |W_p| and the embedding's size over training for every cut, a line of panels per setting.

    Crosses are the row without a cut at the learning rate that a cut of 3 stands for; its norms are divided by 3.
    """
    found = {row["id"]: row for row in study_files.rows(content)}
    figure, axes = new_figure(len(CUTS), 3, height=2.9 * len(CUTS) + 0.6, sharex="col")
    for line, (word, claim, other) in zip(axes, CUTS, strict=True):
        for row in (row for row in found.values() if row["claim"] == claim):
            cut = float(row["config"]["model.cut"])
            label = f"$c = {cut:g}$" if claim == CUTS[0][1] else None
            _draw_cut(line, row, 1.0, color=shades(3)[round(np.log(cut) / np.log(3))], label=label)
        if other in found:
            label = "no cut, 9 times the rate, norms over 3" if claim == CUTS[0][1] else None
            crosses = {"marker": "x", "markersize": 4.0, "linestyle": "none"}
            _draw_cut(line, found[other], 3.0, color=shades(3)[1], label=label, **crosses)
        for panel, name in zip(line, ("k-NN, %", r"$\|W_p\|$", r"$\sqrt{E|W_p z|^2}$"), strict=True):
            panel.set_ylabel(f"{word}:  {name}" if panel is line[0] else name)
        for panel in line[1:]:
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter(NullFormatter())
    for panel, scale in zip(axes[-1], ("linear", "symlog", "log"), strict=True):
        panel.set_xscale(scale, **({"linthresh": 20} if scale == "symlog" else {}))
        panel.set_xlabel("step")
    axes[-1, 1].set_xlim(0)
    figure.legend(loc="outside lower center", ncols=4)
    title = f"{content['paper']}, measured at scale {content['scale']}: cut initialisation, means over seeds"
    figure.suptitle(title, fontsize=10)
    return figure


CUTS = (
    ("decay", "cut-decay", "effective-rate/lr x 9, decay / 9"),
    ("no decay", "cut-no-decay", "effective-rate/lr x 9, no decay"),
    ("no decay, lr / 9", "cut-slow", "cut-no-decay/c = 1"),
)
"""Lines of panels: name, claim of the rows with a cut, the row without one that stands beside c = 3."""


def _draw_cut(line: np.ndarray, row: Mapping[str, Any], over: float, **look: Any) -> None:
    """Draw one row's means over seeds, its norms divided by a number."""
    runs = [run["curves"] for run in row["runs"] if run.get("curves")]
    shown = ("knn_step", "knn", 1), ("norm_step", "predictor_norm", 1), ("step", "prediction_square", 0.5)
    for panel, (at, name, power) in zip(line, shown, strict=True):
        curves = [np.array(one[name], dtype=float) ** power for one in runs if name in one]
        if curves:
            mean = np.mean(curves, axis=0) * (100 if name == "knn" else 1 / over)
            every = slice(None, None, max(1, len(mean) // 25) if "marker" in look else 1)
            panel.plot(runs[0][at][every], mean[every], **look)
            look = {**look, "label": None}  # once in the key
