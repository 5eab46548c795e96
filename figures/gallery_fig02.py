"""Gallery 2: decay against the predictor's learning rate: a larger alpha_p saves modes, and stops their growth."""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main, second_route
from lindyn.plotting import outcome_map, style
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
        .measure("edge", *_off_second_route(data, edge, step))
        .measure("null", *_nulls(data, critical))
        .measure("not_growing", float((top == NOT_GROWING).sum() / max(np.isin(top, (ALIVE, NOT_GROWING)).sum(), 1)))
        .measure("parabola", float(np.abs(off[settled]).max()))
        .done()
    )


def _off_second_route(data: dict[str, Any], edge: np.ndarray, step: float) -> tuple[float, str]:
    """Return how far the edge of collapse is from that of runs of the printed equations, and that it rises."""
    given, alpha_p = data["parameters"], data["alpha_p"]
    at = [k for k in np.linspace(0, len(alpha_p) - 1, 9).astype(int) if alpha_p[k] < 30]
    mode = {"p": given["p0"], "s": given["s0"], "tau": 1.0, "sigma2": given["sigma2"], "t1": 600.0}
    found = second_route.edge_of_collapse(0.0, 0.25, alpha_p=alpha_p[at], **mode)
    off = np.abs(edge[at] - step / 2 - found) / step
    return float(off.max()), "edges " + listed(found, ".3f") + " at alpha_p = " + listed(alpha_p[at], ".2g")


def _nulls(data: dict[str, Any], critical: float) -> tuple[float, str]:
    """Return by how much Obs#1's rule is right more often than the best theory that knows nothing of the start.

    The rule: a mode is gone where its own share of the two, p(0) + sqrt(alpha_p s(0)) over 2, starts below p_-.
    """
    given, gone = data["parameters"], data["outcome"] == COLLAPSED
    p_minus, _ = ld.theory.branches(data["eta"], 1.0, 1.0, given["sigma2"])
    middle = (given["p0"] + np.sqrt(data["alpha_p"] * given["s0"])) / 2
    rule = (data["eta"] > critical)[:, None] | (middle[None] < p_minus[:, None])
    scores = {"this rule": float((rule == gone).mean()), "always lives": float((~gone).mean()),
              "always collapses": float(gone.mean()), "critical decay alone":
              float(((data["eta"] > critical)[:, None] == gone).mean())}  # fmt: skip
    told = ", ".join(f"{name} {score:.2f}" for name, score in scores.items())
    return scores["this rule"] - max(list(scores.values())[1:]), told


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the map and the final s."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 2, height=3.9, sharex=True, sharey=True)
    critical = ld.theory.critical_decay(1.0, 1.0, given["sigma2"])
    outcome_map.fill_outcomes(axes[0, 0], data["eta"], data["alpha_p"], data["outcome"].T)
    axes[0, 0].set(title="what became of the mode", ylabel=r"learning-rate ratio $\alpha_p$", yscale="log")
    shown = np.log10(np.maximum(data["s"].T / given["s0"], 1e-3))
    mesh = axes[0, 1].pcolormesh(data["eta"], data["alpha_p"], shown, cmap="viridis", vmin=-3, vmax=2, rasterized=True)
    bar = figure.colorbar(mesh, ax=axes[0, 1], pad=0.01, aspect=30)
    bar.set_label(r"$\log_{10}\, s(t)/s(0)$ (cut at $-3$)")
    axes[0, 1].set_title("growth of $s$")
    for panel in axes[0]:
        outcome_map.cased_upright(panel, critical, "-")
        panel.set_xlabel(r"weight decay $\eta$")
    lines = [outcome_map.line("-", style.INK, rf"critical decay $\eta_c = {critical:g}$")]
    key = [
        Patch(facecolor=c, edgecolor=style.GREY, label=w) for c, w in outcome_map.outcome_key(data["outcome"])
    ] + lines
    style.letters(axes)
    style.frame(
        figure, r"A larger $\alpha_p$ shrinks the basin of collapse, and past a point $s$ no longer grows",
        rf"chosen: target = online network, $\sigma^2 = {given['sigma2']:g}$, $p(0) = {given['p0']:g}$, "
        rf"$s(0) = {given['s0']:g}$, $t = {given['t1']:g}$", key, columns=5,
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
