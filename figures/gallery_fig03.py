"""Gallery 3: the share of starts that collapse against the EMA rate, for both practices of starting the target."""

import sys
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.papers import Checklist, Claim, main, second_route
from lindyn.plotting import style
from lindyn.sweeps.outcome import COLLAPSED, UNDECIDED

ETA = (0.02, 0.05, 0.1)


def compute(sigma2: float = 0.25, t1: float = 3000.0, rates: int = 33, starts: int = 40) -> dict[str, Any]:
    """Return the collapsed share over beta for both starts of the target, three decays, and the online limit.

    Args:
        sigma2: variance of the augmentation.
        t1: end of the runs.
        rates: values of beta.
        starts: along each of p0 (uniform on 0..0.8) and s0 (log-uniform on 0.001..1), midpoints.

    Returns:
        beta, share (eta, beta, start), online (eta), undecided share.
    """
    beta = np.geomspace(0.003, 100.0, rates)
    middle = (np.arange(starts) + 0.5) / starts
    p, s = 0.8 * middle, 10.0 ** (-3.0 * (1 - middle))
    kept = {"eta": list(ETA), "p": p, "s": s, "x_aug": sigma2, "t1": t1, "progress": False}
    ds = ld.sweep(beta=beta, tau=["copy", "zero"], **kept)
    online = ld.sweep(target="online", **kept)
    share = (ds["outcome"] == COLLAPSED).mean(["p0", "s0"]).transpose("eta", "beta", "tau0")
    return {
        "beta": beta, "eta": np.array(ETA), "share": share.values,
        "online": (online["outcome"] == COLLAPSED).mean(["p0", "s0"]).values,
        "undecided": float((ds["outcome"] == UNDECIDED).mean()),
        "parameters": {"alpha_p": 1.0, "sigma2": sigma2, "t1": t1, "starts": starts},
    }  # fmt: skip


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    share, online = data["share"], data["online"]
    return (
        Checklist("gallery", 3)
        .measure("zero_worse", float((share[:, :, 1] - share[:, :, 0]).min()))
        .measure("second_route", *_off_second_route(data))
        .measure("fast_limit", float(np.abs(share[:, -1, :] - online[:, None]).max()))
        .measure("decided", float(data["undecided"]))
        .done()
    )


def _off_second_route(data: dict[str, Any]) -> tuple[float, str]:
    """Return how far shares are from those of runs of the printed equations; the null theories beside them."""
    given, beta, share = data["parameters"], data["beta"], data["share"]
    middle = (np.arange(given["starts"]) + 0.5) / given["starts"]
    p, s = np.meshgrid(0.8 * middle, 10.0 ** (-3.0 * (1 - middle)), indexing="ij")
    at = [np.searchsorted(beta, 0.05), np.searchsorted(beta, 0.6)]
    rate, tau = beta[at][:, None, None, None], np.array([1.0, 0.0])[:, None, None]
    alive = second_route.lives(p, s, tau, beta=rate, eta=data["eta"][1], sigma2=given["sigma2"], t1=900.0)
    own = 1 - alive.mean(axis=(-2, -1))
    off = np.abs(own - share[1, at]).ravel().tolist()
    lives, dies, online = own.max(), (1 - own).max(), np.abs(own - float(data["online"][1])).max()
    told = f"{max(off):.4f}; always lives {lives:.2f}, always collapses {dies:.2f}, online at every beta {online:.2f}"
    return max(off), told


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the curves."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 2, height=4.0, sharey=True, gridspec_kw={"width_ratios": [24, 1]})
    panel, limit = axes[0]
    for k, (eta, colour) in enumerate(zip(data["eta"], style.shades(len(data["eta"])), strict=True)):
        panel.plot(data["beta"], data["share"][k, :, 0], "-", color=colour, label=rf"copy, $\eta = {eta:g}$")
        panel.plot(data["beta"], data["share"][k, :, 1], "--", color=colour, label=rf"zero, $\eta = {eta:g}$")
        limit.plot(0.0, data["online"][k], "D", color=colour, markersize=5, clip_on=False)
    panel.set(xscale="log", xlabel=r"EMA rate $\beta$", ylabel="share of starts that collapse", ylim=(0, 1.02))
    _beyond(limit)
    online = Line2D([], [], color="0.4", marker="D", markersize=5, linestyle="none")
    online.set_label(r"$\beta \to \infty$: online network")
    style.frame(
        figure, "Basin of collapse against the EMA rate, for both starts of the target",
        rf"chosen: $p(0)$ uniform on 0..0.8, $s(0)$ log-uniform on 0.001..1 ({given['starts']}$^2$ midpoints), "
        rf"$\alpha_p = 1$, $\sigma^2 = {given['sigma2']:g}$, $t = {given['t1']:g}$",
        [*panel.get_legend_handles_labels()[0], online], columns=7,
    )  # fmt: skip
    return figure


def _beyond(limit: Axes) -> None:
    """Make a narrow panel the place of infinity: one tick, no left axis, and a sign that the scale is broken."""
    limit.set(xlim=(-1, 1), xticks=[0.0], xticklabels=[r"$\infty$"])
    limit.spines["left"].set_visible(False)
    limit.tick_params(axis="y", left=False)
    limit.text(-1.6, 0.0, "//", ha="center", va="center", fontsize=11, bbox={"facecolor": "white", "edgecolor": "none",
               "pad": 0.5})  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(__file__))
