"""Gallery 2: decay against the predictor's learning rate: a larger alpha_p saves modes, and stops their growth."""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import lindyn as ld
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import style, sweep_map
from lindyn.sweeps.outcome import ALIVE, COLLAPSED, NOT_GROWING


def compute(
    p0: float = 0.05, s0: float = 0.03, sigma2: float = 0.25, t1: float = 1500.0, points: int = 160
) -> dict[str, Any]:
    """Return the outcome over (eta, alpha_p) with the online network as target.

    Args:
        p0: start of p.
        s0: start of s.
        sigma2: variance of the augmentation.
        t1: end of the runs.
        points: along each axis.

    Returns:
        The axes, outcome and final s.
    """
    eta, alpha_p = np.linspace(0.0, 0.25, points), np.geomspace(0.05, 300.0, points)
    ds = ld.sweep(eta=eta, alpha_p=alpha_p, target="online", p=p0, s=s0, x_aug=sigma2, t1=t1, progress=False)
    return {
        "eta": eta, "alpha_p": alpha_p, "outcome": ds["outcome"].values, "s": ds["s"].values,
        "parameters": {"p0": p0, "s0": s0, "sigma2": sigma2, "t1": t1},
    }  # fmt: skip


def _edge(data: dict[str, Any]) -> np.ndarray:
    """Return, per alpha_p, the decay past which the mode collapses."""
    gone = data["outcome"] == COLLAPSED
    return data["eta"][np.argmax(gone, axis=0)]


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given = data["parameters"]
    critical = ld.theory.critical_decay(1.0, 1.0, given["sigma2"])
    edge = _edge(data)
    step = data["eta"][1] - data["eta"][0]
    living = np.isin(data["outcome"], (ALIVE, NOT_GROWING))
    _, p_plus = ld.theory.branches(data["eta"], 1.0, 1.0, given["sigma2"])
    settled = living & (data["eta"] > 0.01)[:, None]  # the parabola is reached like exp(-2 eta t)
    off = data["s"] / (p_plus[:, None] ** 2 / data["alpha_p"][None, :]) - 1
    top = data["outcome"][:, -1]
    return (
        Checklist("gallery", 2)
        .measure("critical", float(data["s"][data["eta"] > critical].max()))
        .measure("grows", float(np.diff(edge).min() / step))
        .measure("range", [round(float(edge[0]), 3), round(float(edge[-1]), 3)][1] / max(float(edge[0]), step))
        .measure("not_growing", float((top == NOT_GROWING).sum() / max(np.isin(top, (ALIVE, NOT_GROWING)).sum(), 1)))
        .measure("parabola", float(np.abs(off[settled]).max()))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the map and the final s."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 2, height=3.9, sharex=True, sharey=True)
    critical = ld.theory.critical_decay(1.0, 1.0, given["sigma2"])
    sweep_map.fill_outcomes(axes[0, 0], data["eta"], data["alpha_p"], data["outcome"].T)
    axes[0, 0].set(title="what became of the mode", ylabel=r"learning-rate ratio $\alpha_p$", yscale="log")
    shown = np.log10(np.maximum(data["s"].T / given["s0"], 1e-3))
    mesh = axes[0, 1].pcolormesh(data["eta"], data["alpha_p"], shown, cmap="viridis", vmin=-3, vmax=2, rasterized=True)
    bar = figure.colorbar(mesh, ax=axes[0, 1], pad=0.01, aspect=30)
    bar.set_label(r"$\log_{10}\, s(t)/s(0)$ (cut at $-3$)")
    axes[0, 1].set_title("growth of $s$")
    for panel in axes[0]:
        panel.axvline(critical, color="0.7", linewidth=1.6)
        panel.set_xlabel(r"weight decay $\eta$")
    lines = [sweep_map.line("-", "0.7", rf"critical decay $\eta_c = {critical:g}$")]
    key = [Patch(facecolor=c, edgecolor=style.GREY, label=w) for c, w in sweep_map.outcome_key(data["outcome"])] + lines
    style.letters(axes)
    style.frame(
        figure, r"A larger $\alpha_p$ shrinks the basin of collapse, and past a point $s$ no longer grows",
        rf"chosen: target = online network, $\sigma^2 = {given['sigma2']:g}$, $p(0) = {given['p0']:g}$, "
        rf"$s(0) = {given['s0']:g}$, $t = {given['t1']:g}$", key, columns=5,
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
