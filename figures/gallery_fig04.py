"""Gallery 4: Obs#1 to #10 of Tian et al. 2021, Table 4, each as a measured curve."""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main, second_route
from lindyn.plotting import over_time, style
from lindyn.sweeps.outcome import COLLAPSED
from lindyn.theory import stationary_points

QUIET = {"progress": False}
STARTS = (np.arange(30) + 0.5) / 30


def compute(sigma2: float = 0.25, t1: float = 2000.0) -> dict[str, Any]:
    """Return the ten curves.

    Args:
        sigma2: variance of the augmentation.
        t1: end of the runs that are to settle.

    Returns:
        Arrays named x1, y1, ... x10, y10; c4, c10 the closed forms beside #4 and #10.
    """
    found: dict[str, Any] = {}
    for part in (_predictor_rate, _decay, _target):
        found |= part(sigma2, t1)
    return {**found, "parameters": {"sigma2": sigma2, "t1": t1}}


def _predictor_rate(sigma2: float, t1: float) -> dict[str, Any]:
    """#1 basin, #2 growth, #6 the margin of Eq. 17, over alpha_p."""
    alpha_p = np.geomspace(0.1, 1000.0, 25)
    kept = {"target": "online", "x_aug": sigma2, **QUIET}
    p0, s0 = 0.8 * STARTS + 0.3, 10.0 ** (-3 * (1 - STARTS))
    box = ld.sweep(alpha_p=alpha_p, eta=0.0, p=p0, s=s0, t1=t1, **kept)
    growth = ld.sweep(alpha_p=alpha_p, eta=0.02, p=0.1, s=0.05, t1=t1, **kept)
    margin = ld.sweep(alpha_p=alpha_p, eta=0.02, p=0.3, s=0.05, t1=t1, **kept)
    return {
        "x1": alpha_p, "y1": (box["outcome"] == COLLAPSED).mean(["p0", "s0"]).values,
        "c1": stationary_points.collapses_without_decay(
            p0[:, None], s0[None], alpha_p[:, None, None], 1.0, 1.0, sigma2).mean(axis=(1, 2)),
        "x2": alpha_p, "y2": growth["s"].values / 0.05,
        "x6": alpha_p, "y6": margin["K_min"].values,
    }  # fmt: skip


def _decay(sigma2: float, t1: float) -> dict[str, Any]:
    """#3 memory, #4 edge of the basin, #5 certain collapse, #7 the margin of Eq. 17, over eta."""
    kept = {"target": "online", "x_aug": sigma2, **QUIET}
    eta3, t3 = np.linspace(0.0, 0.15, 31), 20.0
    memory = ld.sweep(eta=eta3, p=0.4, s=0.8, t1=t3, **kept)  # c(0) = s - p^2 = 0.64
    critical = float(ld.theory.critical_decay(1.0, 1.0, sigma2))
    eta4, p4 = np.linspace(0.01, 0.95 * critical, 20), np.linspace(0.002, 0.5, 250)
    edge = ld.sweep(eta=eta4, p=p4, s="parabola", t1=t1, **kept)
    eta5 = np.linspace(0.0, 1.5 * critical, 61)
    ends = ld.sweep(eta=eta5, p=0.8, s="parabola", t1=t1, **kept)
    margin = ld.sweep(eta=eta3, p=0.3, s=0.05, t1=t1, **kept)
    return {
        "x3": eta3, "y3": (memory["s"] - memory["p"] ** 2).values / 0.64, "c3": np.exp(-2 * eta3 * t3),
        "x4": eta4, "y4": _edges(edge, "p0"), "c4": ld.theory.branches(eta4, 1.0, 1.0, sigma2)[0],
        "x5": eta5 / critical, "y5": ends["p"].values,
        "x7": eta3, "y7": margin["K_min"].values,
    }  # fmt: skip


def _target(sigma2: float, t1: float) -> dict[str, Any]:
    """#8 curriculum over time, #9 time to escape over beta, #10 edge of the basin over tau."""
    t8, rates = np.linspace(0.0, 150.0, 151), (0.05, 0.2, 1.0)
    runs = [
        ld.simulate(
            ld.ModeFlow(ld.Hyperparameters(1.0, beta, 0.01), x_aug=sigma2),
            ld.ModeState(p=[0.5], s=[0.25], tau=[0.0]),
            t8,
        )
        for beta in rates
    ]
    beta9 = np.geomspace(0.02, 20.0, 25)
    speed = ld.sweep(beta=beta9, eta=0.005, p=0.5, s="parabola", tau="zero", x_aug=sigma2, t1=t1, **QUIET)
    tau10, p10, eta10 = np.linspace(0.5, 1.0, 21), np.linspace(0.002, 0.5, 250), 0.04
    edge = ld.sweep(
        tau=tau10, p=p10, eta=eta10, s="parabola", tau_mode="constant", x_aug=sigma2, t1=t1, **QUIET
    )  # fmt: skip
    return {
        "x8": t8, "y8": np.stack([run.states.tau[:, 0] for run in runs]), "rates": np.array(rates),
        "x9": beta9, "y9": speed["t_event"].where(speed["event"] == 1).values,
        "x10": tau10, "y10": _edges(edge, "p0"), "c10": ld.theory.branches(eta10, tau10, 1.0, sigma2)[0],
    }  # fmt: skip


def _edges(ds: Any, axis: str) -> np.ndarray:
    """Return the smallest start that lives, half a step before it, per value of the other axis."""
    lives = (ds["outcome"] != COLLAPSED).values
    lives = lives if ds["outcome"].dims[-1] == axis else lives.T
    values = ds[axis].values
    return values[np.argmax(lives, axis=1)] - 0.5 * (values[1] - values[0])


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the observations, measured."""
    step, sigma2 = 0.5 / 250, data["parameters"]["sigma2"]
    above = data["x5"] > 1.001  # at 1 itself p_+ = p_- is still there
    p_plus = ld.theory.branches(0.02, 1.0, 1.0, sigma2)[1]
    grown = data["y2"] * 0.05 * data["x2"] / p_plus**2
    return (
        Checklist("gallery", 4)
        .measure("obs1", *_off_shares(data["y1"], data["c1"]))
        .measure("obs2", float(np.abs(grown - 1).max()), f"s(t)/s(0) = {data['y2'].max():.3g} to {data['y2'][-1]:.3g}")
        .measure("obs3", float(np.abs(data["y3"] - data["c3"]).max()))
        .measure("obs4", *_off_edge(data["y4"], data["c4"], step))
        .measure("obs5", float(data["y5"][above].max()))
        .measure("obs6", *_off_K(data, "6", sigma2))
        .measure("obs7", *_off_K(data, "7", sigma2))
        .measure("obs8", *_off_tau(data, sigma2))
        .measure("obs9", *_off_escape(data, sigma2))
        .measure("obs10", *_off_edge(data["y10"], data["c10"], step))
        .done()
    )


def _off_shares(share: np.ndarray, exact: np.ndarray) -> tuple[float, str]:
    """Return how far the shares that collapse are from the closed form; two theories that know nothing beside it."""
    off, lives, dies = np.abs(share - exact).max(), share.max(), (1 - share).max()
    told = f"{share[0]:.2f} to {share[-1]:.2f}; always lives is off by {lives:.2f}, always collapses by {dies:.2f}"
    return float(off), told


def _off_edge(edge: np.ndarray, exact: np.ndarray, step: float) -> tuple[float, str]:
    """Return how far an edge is from the closed form in steps of the grid; one that stands still beside it."""
    off, still = np.abs(edge - exact).max() / step, np.ptp(edge) / 2 / step
    return float(off), f"{off:.3g}; an edge that stands still is off by {still:.0f} or more"


SOME = slice(None, None, 6)
"""Points of a curve that are run a second time."""


def _off_K(data: dict[str, Any], number: str, sigma2: float) -> tuple[float, str]:
    """Return how far the lowest lambda_min(K) is from that of runs of the printed equations, over alpha_p or eta."""
    x, y = data[f"x{number}"][SOME], data[f"y{number}"][SOME]
    ts = np.append(0.0, np.geomspace(1e-3, 2000.0, 6000))
    ways = [{"alpha_p": float(v), "eta": 0.02} if number == "6" else {"eta": float(v)} for v in x]
    own = [second_route.mode_run(ts, 0.3, 0.05, 1.0, sigma2=sigma2, **way)[3].min() for way in ways]
    return float(np.abs(y - own).max()), f"{listed(own, '.3f')} at {listed(x, '.3g')}"


def _off_tau(data: dict[str, Any], sigma2: float) -> tuple[float, str]:
    """Return how far tau is from a/w of runs of the printed equations; what it would be without growth beside it."""
    t, rates = data["x8"], data["rates"]
    runs = [second_route.mode_run(t, 0.5, 0.25, 0.0, beta=float(b), eta=0.01, sigma2=sigma2) for b in rates]
    off = np.abs(data["y8"] - np.stack([run[2] for run in runs])).max()
    still = np.abs(1 - np.exp(-rates[:, None] * t) - data["y8"]).max()
    return float(off), f"{off:.1e}; 1 - exp(-beta t), which knows no growth, is off by {still:.2f}"


def _off_escape(data: dict[str, Any], sigma2: float) -> tuple[float, str]:
    """Return how far the times to escape are, relatively, from those of runs of the printed equations."""
    goal = 0.9 * ld.theory.branches(0.005, 1.0, 1.0, sigma2)[1]
    beta, own = data["x9"][SOME], []
    for rate in beta:
        ts = np.linspace(0.0, 600.0, 60_001)
        p = second_route.mode_run(ts, 0.5, 0.25, 0.0, beta=float(rate), eta=0.005, sigma2=sigma2)[0]
        last = np.flatnonzero(p < goal)[-1]  # from here on it is in for good
        own.append(float(np.interp(goal, p[last : last + 2], ts[last : last + 2])))
    return float(np.abs(data["y9"][SOME] / own - 1).max()), f"t = {listed(own, '.3g')} at beta = {listed(beta, '.2g')}"


PANELS = (
    (1, "larger $\\alpha_p$ shrinks\nthe basin of collapse", r"$\alpha_p$", "share of starts\nthat collapse"),
    (2, "too large $\\alpha_p$:\n$s$ does not grow", r"$\alpha_p$", "$s(t)/s(0)$"),
    (3, "decay forgets the start\n$c = s - p^2/\\alpha_p$", r"weight decay $\eta$", "$c(20)/c(0)$"),
    (4, "decay moves\n$p_-$ right", r"weight decay $\eta$", "edge of the\nbasin, $p(0)$"),
    (5, "past the critical decay\ncollapse is certain", r"$\eta/\eta_c$", "final $p$"),
    (6, "larger $\\alpha_p$\nloosens Eq. 17", r"$\alpha_p$", style.LOWEST_K),
    (7, "decay\nloosens Eq. 17", r"weight decay $\eta$", style.LOWEST_K),
    (8, "EMA: $\\tau$ small first,\nthen rising", "flow time $t$", r"$\tau$"),
    (9, "slow EMA\ntrains slowly", r"EMA rate $\beta$", "flow time to escape"),
    (10, "small $\\tau$\nraises $p_-$", r"$\tau$ (held)", "edge of the\nbasin, $p(0)$"),
)
RUN: dict[str, Any] = {"color": style.INK, "marker": ".", "markersize": 3.5}
CLOSED: dict[str, Any] = {"color": style.STABLE, "linestyle": "--"}
LOG_X, LOG_Y = (1, 2, 6, 9), (2, 9)


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the ten panels."""
    figure, axes = style.new_figure(3, 4, height=7.8)
    panels = axes.ravel()
    for (number, title, x, y), panel in zip(PANELS, panels, strict=False):
        panel.set_title(f"#{number} {title}", fontsize=9.5)
        panel.set_xlabel(x, fontsize=10)
        panel.set_ylabel(y, fontsize=10)
        panel.set_xscale("log" if number in LOG_X else "linear")
        panel.set_yscale("log" if number in LOG_Y else "linear")
        if number == 8:
            over_time.family(panel, data["x8"], data["y8"], [rf"$\beta = {rate:g}$" for rate in data["rates"]])
            panel.legend(fontsize=style.KEY, loc="lower right")
            continue
        panel.plot(data[f"x{number}"], data[f"y{number}"], **RUN)
        if f"c{number}" in data:
            panel.plot(data[f"x{number}"], data[f"c{number}"], **CLOSED)
        if number in (6, 7):
            over_time.level(panel, 0.0)
        if number == 5:
            panel.axvline(1.0, color=style.GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    for panel in panels[len(PANELS) :]:
        panel.set_axis_off()
    panels[-2].legend(handles=[Line2D([], [], label="run", **RUN), Line2D([], [], label="closed form", **CLOSED)],
                      loc="center left")  # fmt: skip
    style.frame(
        figure, "Obs#1 to #10 of Tian, Chen, Ganguli 2021 (Table 4), measured",
        rf"chosen: $\sigma^2 = {data['parameters']['sigma2']:g}$, target = online network in #1-#7, starts and rates "
        "in the script; every point is an integrated run",
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
