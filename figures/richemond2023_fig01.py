"""Richemond 2023, claim 8 (its Fig. 1) in the linear model: stable rank and trace of the trained predictor P = W_p^T.

Stable rank ||P||_F^2/||P||_2^2 and trace are the same for W_p and W_p^T. A random P(0) of n columns has stable rank
about n/4 (the largest of its singular values is twice their root mean square) and trace about 0. Without decay P moves
to the regression H F^-1 of the outputs, F = W (X + X') W^T and H = W X W^T, whose eigenvalues lie between 0 and 1: its
trace is positive and its stable rank near n where the augmentation is weak. Stable rank is at most n, so from P(0) = I
it can only fall; and past the critical decay P itself goes to 0.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.equations import view_correlations
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import over_time, style


def compute(
    eta: tuple[float, ...] = (0.0, 0.02, 0.15),
    eta_past: float = 0.3,
    runs: int = 10,
    n1: int = 16,
    n2: int = 8,
    scale: float = 1.0,
    scale_p: float = 0.577,
    augmentation: tuple[float, float] = (0.02, 2.0),
    alpha_p: float = 1.0,
    beta: float = 0.4,
    horizon: float = 300.0,
    times: int = 61,
) -> dict[str, Any]:
    """Return stable rank and trace of W_p over time for random starts, for W_p(0) = I, and past the critical decay.

    Args:
        eta: weight decays, the first 0.
        eta_past: decay past the critical one of every mode.
        runs: starts per curve, seeds 0, 1, ...
        n1: input dimension; X = I.
        n2: output dimension.
        scale: of W(0), entries N(0, scale^2/n1); W_a(0) = W(0).
        scale_p: of W_p(0), entries N(0, scale_p^2/n2); 0.577 is the variance of torch's Linear.
        augmentation: smallest and largest eigenvalue of X', evenly spaced in their logarithm.
        alpha_p: learning-rate ratio of the predictor.
        beta: rate of the target (0.4: EMA parameter 0.996 at learning rate 0.01).
        horizon: flow time.
        times: kept, the first 0, the others evenly in their logarithm.

    Returns:
        Arrays case x run x time; the cases are every eta, then W_p(0) = I at the first eta > 0, then eta_past.
    """
    ts = np.append(0.0, np.geomspace(horizon / 30_000, horizon, times - 1))
    data = ld.Moments(X=np.eye(n1), X_aug=np.diag(np.geomspace(*augmentation, n1)))
    cases = [*((e, False) for e in eta), (eta[1], True), (eta_past, False)]
    rank, trace, off = [], [], []
    for decay, identity in cases:
        flow = ld.WeightFlow(ld.Hyperparameters(alpha_p, beta, decay), data)
        starts = [ld.WeightState.random(n2, n1, k, scale, scale_p, target="copy") for k in range(runs)]
        starts = [ld.WeightState(y.W, np.eye(n2), y.W_a) if identity else y for y in starts]
        paths = [ld.simulate(flow, y, ts, rtol=1e-7) for y in starts]
        rank.append([ld.observables.stable_rank(run.states.W_p) for run in paths])
        trace.append([np.trace(run.states.W_p, axis1=1, axis2=2) for run in paths])
        off.append([_off_regression(run[-1], data) for run in paths])
    given = {"eta": eta, "eta_past": eta_past, "runs": runs, "n1": n1, "n2": n2, "scale": scale, "scale_p": scale_p}
    given |= {"augmentation": augmentation, "alpha_p": alpha_p, "beta": beta, "horizon": horizon, "rtol": 1e-7}
    return {
        "t": ts, "rank": np.array(rank), "trace": np.array(trace), "off_regression": np.array(off), "parameters": given
    }  # fmt: skip


def _off_regression(y: Any, data: Any) -> float:
    """Return ||W_p F - H||/||H||: how far W_p is from the regression of the outputs."""
    F = view_correlations.correlation(y.W, data.X, data.X_aug)
    H = view_correlations.cross(y.W, y.W_a, data.X)
    return float(np.linalg.norm(y.W_p @ F - H) / np.linalg.norm(H))


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, rank, trace = data["parameters"], data["rank"], data["trace"]
    count, n2 = len(given["eta"]), given["n2"]
    growth, gain = rank[:count, :, -1] / rank[:count, :, 0], trace[:count, :, -1] - trace[:count, :, 0]
    mean = rank[:count].mean(axis=1)
    fall = np.max((np.maximum.accumulate(mean, axis=1) - mean) / mean[:, :1])
    identity = rank[count, :, -1] / rank[count, :, 0]
    return (
        Checklist("richemond2023", 1)
        .measure("start", abs(rank[0, :, 0].mean() - n2 / 4) / n2, f"mean {rank[0, :, 0].mean():.2f}, n/4 = {n2 / 4:g}")
        .measure("rank_grows", growth, f"{growth.min():.2f} to {growth.max():.2f} times the start")
        .measure("trace_grows", gain, f"by {gain.min():.2f} to {gain.max():.2f}")
        .measure("rank_rises", float(fall))
        .measure("regression", data["off_regression"][0])
        .measure("limits", float(max(rank.max() - n2, trace[:count, :, -1].max() - n2)))
        .measure("any_start", float(identity.min()), f"{identity.min():.2f} to {identity.max():.2f} times the start")
        .measure("identity_trace", float(np.max(trace[count, :, -1] - trace[count, :, 0])))
        .measure("past_critical", float(np.abs(trace[-1, :, -1]).max()))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: stable rank and trace from random starts, then where they do not grow."""
    given, t, n2 = data["parameters"], data["t"], data["parameters"]["n2"]
    count = len(given["eta"])
    figure, axes = style.new_figure(2, 2, height=5.2, sharex=True, sharey="row")
    labels = [rf"$\eta = {eta:g}$" for eta in given["eta"]]
    others = [rf"$P(0) = I$, $\eta = {given['eta'][1]:g}$", rf"random $P(0)$, $\eta = {given['eta_past']:g}$"]
    titles = ("from a random $P(0)$", "where it does not grow")
    for row, name in enumerate(("rank", "trace")):
        for column, (cases, words) in enumerate(((slice(count), labels), (slice(count, None), others))):
            values = data[name][cases]
            mean, deviation = values.mean(axis=1), values.std(axis=1, ddof=1)
            over_time.bars(axes[row, column], t[1:], mean[:, 1:], deviation[:, 1:], words)
        over_time.level(axes[row, 0], n2, "$n$")
        over_time.level(axes[row, 1], n2, "$n$")
    for column in (0, 1):
        axes[0, column].set_title(f"stable rank, {titles[column]}")
        axes[1, column].set_title(f"trace, {titles[column]}")
        style.key_above(axes[0, column], columns=3)
        axes[1, column].set(xlabel=r"flow time $t$", xscale="log", xlim=(t[1], t[-1]))
    style.letters(axes)
    axes[0, 0].set(ylabel=r"stable rank $\|P\|_F^2/\|P\|_2^2$", ylim=(0, n2 + 0.9))
    axes[1, 0].set(ylabel=r"$\mathrm{tr}\, P$", ylim=(-1.5, n2 + 0.9))
    style.frame(
        figure,
        f"Trained linear predictor, claim 8 in the linear model: mean and deviation (bars) of {given['runs']} starts",
        rf"chosen here: $X = I$, $X'$ from {given['augmentation'][0]:g} to {given['augmentation'][1]:g}, "
        rf"$n_1 = {given['n1']}$, $n = n_2 = {n2}$, $\alpha_p = {given['alpha_p']:g}$, $\beta = {given['beta']:g}$, "
        rf"$P(0)$ as torch's Linear, decays and horizon",
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
