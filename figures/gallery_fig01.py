"""Gallery 1: which weight decay and EMA rate collapse, for a target that starts as a copy or at zero."""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main, second_route
from lindyn.plotting import outcome_map, style
from lindyn.sweeps.outcome import COLLAPSED

STARTS = {"copy": "target starts as a copy", "zero": "target starts at zero"}


def compute(p0: float = 0.15, sigma2: float = 0.25, t1: float = 1500.0, points: int = 160) -> dict[str, Any]:
    """Return the outcome over (eta, beta) for both starts of the target.

    Args:
        p0: start of p, on the parabola s = p^2 (alpha_p = 1).
        sigma2: variance of the augmentation.
        t1: end of the runs.
        points: along each axis.

    Returns:
        The axes, outcome (eta, beta, start) and final p.
    """
    eta, beta = np.linspace(0.0, 0.25, points), np.geomspace(0.005, 50.0, points)
    ds = ld.sweep(eta=eta, beta=beta, tau=list(STARTS), p=p0, s="parabola", x_aug=sigma2, t1=t1, progress=False)
    return {
        "eta": eta, "beta": beta, "outcome": ds["outcome"].values, "p": ds["p"].values, "s": ds["s"].values,
        "parameters": {"alpha_p": 1.0, "p0": p0, "sigma2": sigma2, "t1": t1},
    }  # fmt: skip


def _edges(data: dict[str, Any]) -> np.ndarray:
    """Return, per beta and start, the decay past which the mode collapses."""
    gone = data["outcome"] == COLLAPSED
    return np.where(gone.any(axis=0), data["eta"][np.argmax(gone, axis=0)], np.inf)


def _curve(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the edge for a target that starts at zero as a curve: where each step of the grid has its middle."""
    edges, log_beta = _edges(data)[:, 1], np.log(data["beta"])
    stairs, which = np.unique(edges, return_inverse=True)
    middle = np.bincount(which, log_beta) / np.bincount(which)
    eta = np.concatenate([edges[:1], stairs, edges[-1:]]) - 0.5 * (data["eta"][1] - data["eta"][0])
    return eta, np.exp(np.concatenate([log_beta[:1], middle, log_beta[-1:]]))


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given = data["parameters"]
    critical = ld.theory.critical_decay(1.0, 1.0, given["sigma2"])
    p_minus, _ = ld.theory.branches(data["eta"], 1.0, 1.0, given["sigma2"])
    collapsed = data["outcome"] == COLLAPSED
    step = data["eta"][1] - data["eta"][0]
    exact = given["p0"] * (1.0 - (1.0 + given["sigma2"]) * given["p0"])  # where p_-(eta) = p0
    edges = _edges(data)
    below = data["eta"][(p_minus > given["p0"])]
    gone = (p_minus > given["p0"]) | (data["eta"] > critical)  # the closed form for a copy, whatever beta
    right = float((collapsed[:, :, 0] == gone[:, None]).mean())
    nulls = [1 - float(collapsed[:, :, 0].mean()), float(collapsed[:, :, 0].mean())]
    return (
        Checklist("gallery", 1)
        .measure("critical", float(data["s"][data["eta"] > critical].max()))
        .measure("below_saddle", float(collapsed[np.isin(data["eta"], below), :, 0].mean()))
        .measure("fast_target", float(np.abs(edges[-1] - exact).max() / step))
        .measure("zero_edge", *_off_second_route(data, edges[:, 1], step))
        .measure("copy_edge", float(np.abs(edges[:, 0] - exact).max() / step))
        .measure("share", right, f"{right:.3f}; always lives {nulls[0]:.2f}, always collapses {nulls[1]:.2f}")
        .done()
    )


def _off_second_route(data: dict[str, Any], edges: np.ndarray, step: float) -> tuple[float, str]:
    """Return how far the edge of a target that starts at zero is from that of runs of the printed equations."""
    given, beta = data["parameters"], data["beta"]
    at = [k for k in np.linspace(0, len(beta) - 1, 7).astype(int) if beta[k] < 20]
    mode = {"p": given["p0"], "s": given["p0"] ** 2, "tau": 0.0, "sigma2": given["sigma2"], "t1": given["t1"]}
    found = second_route.edge_of_collapse(0.0, 0.25, beta=beta[at], **mode)
    off = np.abs(edges[at] - step / 2 - found) / step
    return float(off.max()), "edges " + listed(found, ".3f") + " at beta = " + listed(beta[at], ".2g")


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the two maps."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 2, height=3.9, sharex=True, sharey=True)
    critical = ld.theory.critical_decay(1.0, 1.0, given["sigma2"])
    exact = given["p0"] * (1.0 - (1.0 + given["sigma2"]) * given["p0"])
    for k, (panel, title) in enumerate(zip(axes[0], STARTS.values(), strict=True)):
        outcome_map.fill_outcomes(panel, data["eta"], data["beta"], data["outcome"][:, :, k].T)
        panel.set(title=title, xlabel=r"weight decay $\eta$", yscale="log")
        outcome_map.cased_upright(panel, critical, "-")
        outcome_map.cased_upright(panel, exact, "--")
    outcome_map.cased(axes[0, 1], *_curve(data), ":")
    axes[0, 0].set_ylabel(r"EMA rate $\beta$")
    lines = [
        outcome_map.line("-", style.INK, rf"critical decay $\eta_c = {critical:g}$"),
        outcome_map.line("--", style.INK, r"$p_-(\eta, \tau=1) = p(0)$"),
        outcome_map.line(":", style.INK, "edge of collapse, computed"),
    ]
    key = [
        Patch(facecolor=c, edgecolor=style.GREY, label=w) for c, w in outcome_map.outcome_key(data["outcome"])
    ] + lines
    style.letters(axes)
    style.frame(
        figure, "Collapse map: a slow target that starts at zero loses modes that a copy would keep",
        rf"chosen: $\alpha_p = 1$, $\sigma^2 = {given['sigma2']:g}$, $p(0) = {given['p0']:g}$, $s(0) = p(0)^2$, "
        rf"$t = {given['t1']:g}$", key, columns=6,
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
