"""Richemond 2023, claim 9 (its Fig. 2) in the linear model: distance of P to its polar factor against gamma_a.

distance = ||P - polar(P)||_F/sqrt(n), the root mean square of |1 - sigma_j(P)|; the same for W_p = P^T. X = I,
X' = sigma^2 I. At rest tau = 1 and every mode that lives has p_+ of Eq. 16, which has no beta in it; one that has died
has p = 0. So with d modes lost of n the distance ends at ((d + (n - d)(1 - p_+)^2)/n)^(1/2), and gamma_a enters by d
alone: a mode that starts with p_j < 0 shrinks until p_j has risen past 0, and a slow target, which has not shrunk,
makes tau > 1 and p_j rise sooner.
"""

import sys
from typing import Any

import numpy as np
import scipy.linalg
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style

LOST = 1e-3  # an eigenvalue of F below it has died; those that live end at p_+^2/alpha_p


def compute(
    gamma_a: tuple[float, ...] = (0.0, 0.9, 0.99, 0.996, 0.999),
    learning_rate: float = 0.02,
    eta: float = 0.01,
    sigma2: float = 0.25,
    runs: int = 16,
    n1: int = 64,
    n2: int = 8,
    scale: float = 0.5,
    scale_p: float = 0.577,
    alpha_p: float = 1.0,
    horizon: float = 1000.0,
    times: int = 61,
    batch: int = 32,
    steps: int = 5000,
    twin_runs: int = 4,
    twin_gamma_a: tuple[float, ...] = (0.0, 0.996),
) -> dict[str, Any]:
    """Return the distance over time for every EMA parameter, in the flow and in training with minibatches.

    Args:
        gamma_a: EMA parameters, increasing; beta = (1 - gamma_a)/learning_rate, and W_a = W at gamma_a = 0.
        learning_rate: of training.
        eta: weight decay of the flow.
        sigma2: variance of the augmentation.
        runs: starts per curve, seeds 0, 1, ...
        n1: input dimension.
        n2: output dimension.
        scale: of W(0), entries N(0, scale^2/n1); W_a(0) = W(0).
        scale_p: of W_p(0), entries N(0, scale_p^2/n2).
        alpha_p: learning-rate ratio of the predictor.
        horizon: flow time.
        times: kept, the first 0.
        batch: samples per step of training.
        steps: of training.
        twin_runs: of training, per EMA parameter.
        twin_gamma_a: EMA parameters of training.

    Returns:
        Arrays gamma_a x run x time for the flow, twin_gamma_a x run x step for training.
    """
    ts = np.append(0.0, np.geomspace(horizon / 10_000, horizon, times - 1))
    data, starts = ld.Moments.isotropic(n1, sigma2), range(max(runs, twin_runs))
    starts = [ld.WeightState.random(n2, n1, k, scale, scale_p, target="copy") for k in starts]

    def flow(g: float) -> Any:
        hp = ld.Hyperparameters(alpha_p, (1 - g) / learning_rate, eta)
        return ld.WeightFlow(hp, data, target="ema" if g else "online")

    paths = [[ld.simulate(flow(g), y, ts, rtol=1e-7) for y in starts[:runs]] for g in gamma_a]
    plan = {"learning_rate": learning_rate, "steps": steps, "batch": batch, "save_every": max(steps // 100, 1)}
    twins = [[ld.descend(flow(g), starts[k], seed=k, **plan) for k in range(twin_runs)] for g in twin_gamma_a]
    given = {"gamma_a": gamma_a, "learning_rate": learning_rate, "eta": eta, "sigma2": sigma2, "runs": runs, "n1": n1}
    given |= {"n2": n2, "scale": scale, "scale_p": scale_p, "alpha_p": alpha_p, "horizon": horizon, "rtol": 1e-7}
    return {
        "t": ts,
        "distance": np.array([[_distance(run.states.W_p) for run in row] for row in paths]),
        "lost": np.array([[int(np.sum(ld.observables.spectrum_F(run)[-1] < LOST)) for run in row] for row in paths]),
        "twin_t": twins[0][0].ts,
        "twin": np.array([[_distance(run.states.W_p) for run in row] for row in twins]),
        "parameters": given | {"batch": batch, "steps": steps, "twin_runs": twin_runs, "twin_gamma_a": twin_gamma_a},
    }


def _distance(W_p: np.ndarray) -> list[float]:
    return [float(np.linalg.norm(M - scipy.linalg.polar(M)[0]) / len(M) ** 0.5) for M in W_p]


def _at_rest(given: dict[str, Any], lost: Any) -> Any:
    """Return the distance at rest with so many modes lost."""
    _, p_plus = ld.theory.branches(given["eta"], 1.0, 1.0, given["sigma2"])
    n = given["n2"]
    return np.sqrt((lost + (n - lost) * (1 - p_plus) ** 2) / n)


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, distance, lost = data["parameters"], data["distance"], data["lost"]
    mean, whole = distance.mean(axis=1), lost == 0
    late = data["twin"][..., -len(data["twin_t"]) // 4 :].mean(axis=(1, 2))
    falls = np.diff(mean[:, -1])
    spread = float(np.ptp(distance[..., -1][whole])) if whole.any() else np.inf  # no such run shows nothing
    middle = np.mean(np.diff(mean[:, 1:], axis=0) > 0)
    return (
        Checklist("richemond2023", 2)
        .measure("grows", float(mean[0, -1] - mean[-1, -1]), "ends at " + listed(mean[:, -1], ".3f"))
        .measure("ordered", float(falls.max()), "from one gamma_a to the next " + listed(falls, ".3f"))
        .measure("closed_form", float(np.abs(distance[..., -1] - _at_rest(given, lost)).max()))
        .measure(
            "lost", float(np.diff(lost.mean(axis=1)).max()), "modes lost, mean " + listed(lost.mean(axis=1), ".2f")
        )
        .measure("always", spread, f"{spread:.0e} over {whole.sum()} runs without a lost mode")
        .measure("on_the_way", float(middle), f"{middle:.2f} of steps between neighbouring gamma_a and times")
        .measure("training", float(late[0] - late[-1]), "means over the last quarter " + listed(late, ".3f"))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: distance over time in the flow and in training, and against gamma_a at some times."""
    given, t = data["parameters"], data["t"]
    figure, axes = style.new_figure(1, 3, height=3.9, sharey=True)
    labels = [rf"$\gamma_a = {g:g}$" for g in given["gamma_a"]]
    distance, lost = data["distance"], data["lost"]
    mean, deviation = distance.mean(axis=1), distance.std(axis=1, ddof=1)
    over_time.bars(axes[0, 0], t[1:], mean[:, 1:], deviation[:, 1:], labels, every=20)
    color = dict(zip(given["gamma_a"], style.shades(len(labels)), strict=True))
    colors = [color.get(g, style.INK) for g in given["twin_gamma_a"]]
    runs = data["twin"][..., 1:]
    words = [""] * len(runs)
    over_time.bars(
        axes[0, 1], data["twin_t"][1:], runs.mean(axis=1), runs.std(axis=1, ddof=1), words, every=25, colors=colors
    )
    _ends(axes[0, 2], 1 - np.array(given["gamma_a"]), distance[..., -1], lost, _at_rest(given, lost).mean(axis=1))
    for panel, x in zip(axes[0], (0.5, 0.99, 0.99), strict=True):
        over_time.level(panel, _at_rest(given, 0), "$1 - p_+$, no mode lost", x)
    axes[0, 0].set(title="flow", xlabel=r"flow time $t$", xscale="log", ylim=(0, 0.8))
    axes[0, 0].set_ylabel(r"$\|P - \mathrm{polar}(P)\|_F/\sqrt{n}$")
    axes[0, 1].set(title=f"training, minibatches of {given['batch']}", xscale="log")
    axes[0, 1].set_xlabel(r"flow time $t$ = learning rate $\times$ steps")
    axes[0, 2].set(title="flow at its end", xscale="log", xlabel=r"$1 - \gamma_a$ (slow target left)", xlim=(5e-4, 2.5))
    axes[0, 2].legend(loc="lower right", fontsize=style.KEY)
    handles, _ = axes[0, 0].get_legend_handles_labels()
    style.letters(axes)
    style.frame(
        figure,
        "Distance of the trained predictor to its polar factor, claim 9 in the linear model: fast targets lose modes",
        rf"chosen here: $X = I$, $\sigma^2 = {given['sigma2']:g}$, $\eta = {given['eta']:g}$, learning rate "
        rf"{given['learning_rate']:g}, $n_1 = {given['n1']}$, $n = {given['n2']}$, $\alpha_p = {given['alpha_p']:g}$, "
        rf"scales of $W(0)$ and $P(0)$ {given['scale']:g} and {given['scale_p']:g}; mean and standard "
        rf"deviation (bars) of {given['runs']} starts, {given['twin_runs']} of training",
        handles,
    )
    return figure


def _ends(panel: Axes, slow: np.ndarray, ends: np.ndarray, lost: np.ndarray, closed: np.ndarray) -> None:
    """Draw the distances at the end with their spread, those of the modes lost, and how many were, in a row on top."""
    bar = {"color": style.INK, "marker": "o", "markersize": 5, "elinewidth": 1.2, "capsize": 2.5}
    panel.errorbar(slow, ends.mean(axis=1), ends.std(axis=1, ddof=1), label="all starts, mean", **bar)
    panel.plot(slow, closed, "x", color=style.STABLE, markersize=9, zorder=3, label="from the number of modes lost")
    for x, number in zip(slow, lost.mean(axis=1), strict=True):
        panel.text(x, 0.765, f"{number:.2g}\nlost", ha="center", va="center", fontsize=style.KEY)


if __name__ == "__main__":
    sys.exit(main(__file__))
