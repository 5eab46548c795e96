"""Normalised 5: what is left of the outputs after training, over learning rate and weight decay, with and without EMA.

A projector of three linear layers with BatchNorm at its end and a linear predictor, trained by SGD with momentum on the
true cosine loss of minibatches (`lindyn.sweep_descent`). In the flow decay only runs the clock. At a finite step the
weights settle at the angle sqrt(2 lr eta/(1 + momentum)) a step once decay x time is a few, and what is faint by then
is lost (Normalised 4): fewer outputs live at larger lr x eta. A slow target keeps more of them.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

import lindyn as ld
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import style

NAMES = ("no EMA", "EMA")
SETTLED = 3.0  # decay x time from which on the norms have settled


def compute(
    learning_rate: tuple[float, float, int] = (0.01, 0.4, 8),
    eta: tuple[float, float, int] = (1e-3, 0.1, 8),
    gamma_a: float = 0.99,
    momentum: float = 0.9,
    batch: int = 32,
    steps: int = 620,
    depth: int = 3,
    seeds: int = 8,
    n1: int = 16,
    n2: int = 8,
    x_aug: float = 0.25,
    small: float = 3e-3,
) -> dict[str, Any]:
    """Return effective rank, outputs that live and angle per step, over learning rate, decay and EMA.

    Args:
        learning_rate: from, to and how many.
        eta: weight decay, likewise.
        gamma_a: EMA parameter of the slow target; the other has W_a = W.
        momentum: of SGD.
        batch: samples per step.
        steps: of training.
        depth: layers of the projector.
        seeds: starts of every point.
        n1: directions of the data; X has eigenvalues 1/k.
        n2: outputs.
        x_aug: eigenvalue of X'.
        small: learning rate of the population descent, without momentum, that is held against the flow (the memory
            of momentum is as long as the first transient).

    Returns:
        rank, living, angle (learning_rate x eta x (no EMA, EMA) x seed); rank of the descent and the flow (seed).
    """
    axes = [np.geomspace(*each) for each in (learning_rate, eta)]
    kept = {"depth": depth, "seeds": seeds, "n1": n1, "n2": n2, "x_aug": x_aug, "progress": False}
    ds = ld.sweep_descent(
        learning_rate=axes[0], eta=axes[1], gamma_a=[0.0, gamma_a], momentum=momentum, batch=batch, steps=steps,
        threads=1, **kept,
    ).transpose("learning_rate", "eta", "gamma_a", "seed")  # fmt: skip
    t1, weak = learning_rate[0] * steps / (1 - momentum), float(axes[1][0])
    slow = ld.sweep_descent(learning_rate=small, eta=weak, gamma_a=0.0, steps=round(t1 / small), threads=1, **kept)
    data = ld.Moments.commuting(1 / np.arange(1.0, n1 + 1), x_aug)
    flow = ld.DeepFlow(ld.Hyperparameters(1.0, 0.0, weak), data, target="online", loss="cosine", normalise="batchnorm")
    starts = [ld.DeepWeightState.random(n2, n1, depth, seed=k) for k in range(seeds)]
    ends = [ld.simulate(flow, y, t1=t1, rtol=1e-6).final.W for y in starts]
    given = {"gamma_a": gamma_a, "momentum": momentum, "batch": batch, "steps": steps, "depth": depth, "seeds": seeds}
    return {
        "learning_rate": axes[0], "eta": axes[1], "rank": ds["effective_rank"].values, "living": ds["living"].values,
        "angle": (ds["angle"] / ds["angle_rest"]).values, "small_rank": slow["effective_rank"].values.ravel(),
        "flow_rank": np.array([_rank(W, data) for W in ends]),
        "parameters": given | {"n1": n1, "n2": n2, "x_aug": x_aug, "small": small},
    }  # fmt: skip


def _rank(W: np.ndarray, data: Any) -> float:
    """Return the effective rank of the outputs' correlation behind BatchNorm."""
    F = W @ data.Sigma_s @ W.T
    D = np.sqrt(np.diag(F))
    return float(ld.observables.entropy_rank(np.linalg.eigvalsh(F / np.outer(D, D)).clip(0)))


def _decay_time(data: dict[str, Any]) -> np.ndarray:
    """Return decay x flow time, learning_rate x eta."""
    given = data["parameters"]
    t = data["learning_rate"] * given["steps"] / (1 - given["momentum"])
    return np.asarray(t[:, None] * data["eta"])


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    along, living, rank = _decay_time(data), data["living"].mean(axis=-1), data["rank"].mean(axis=-1)
    off = np.abs(data["small_rank"] / data["flow_rank"] - 1)
    settled = np.median(data["angle"][along > SETTLED], axis=(0, -1))
    order = [float(spearmanr(along.ravel(), living[..., k].ravel()).statistic) for k in range(2)]
    few = along < SETTLED
    gap = rank[few][:, 1] - rank[few][:, 0]
    spread = gap.std() / len(gap) ** 0.5
    words = f"{rank[few][:, 0].mean():.2f} without, {rank[few][:, 1].mean():.2f} with"
    return (
        Checklist("normalised", 5)
        .measure("flow", float(off.max()))
        .measure("angle", float(np.abs(settled - 1).max()), f"median {settled[0]:.2f} without, {settled[1]:.2f} with")
        .measure("order", max(order), f"without EMA {order[0]:.2f}, with {order[1]:.2f}")
        .measure("ema", float(gap.mean()), f"{gap.mean():.2f} +- {spread:.2f}: {words}")
        .measure("finite", float(np.isfinite(data["rank"]).mean()))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the two maps, and what lives and turns against decay x time."""
    given, rank, along = data["parameters"], data["rank"].mean(axis=-1), _decay_time(data)
    figure, axes = style.new_figure(1, 4, height=3.9)
    top = rank.max()
    for k, name in enumerate(NAMES):
        panel = axes[0, k]
        drawn = panel.pcolormesh(
            data["learning_rate"], data["eta"], rank[..., k].T, vmin=1, vmax=top, shading="nearest"
        )
        lines = panel.contour(
            data["learning_rate"], data["eta"], along.T, levels=[0.3, 3.0, 30.0], colors="white", linewidths=0.9
        )
        panel.clabel(lines, fmt=lambda v: rf"$\eta t = {v:g}$", fontsize=7)
        panel.set(xscale="log", yscale="log", xlabel="learning rate", title=f"{name}: effective rank")
    axes[0, 0].set_ylabel(r"weight decay $\eta$")
    figure.colorbar(drawn, ax=axes[0, 1], fraction=0.08, pad=0.03)
    living, angle = data["living"].mean(axis=-1), data["angle"].mean(axis=-1)
    for k, (name, color) in enumerate(zip(NAMES, (style.STABLE, style.FLOW), strict=True)):
        axes[0, 2].plot(along.ravel(), living[..., k].ravel(), "o", color=color, markersize=3.5, label=name)
        axes[0, 3].plot(along.ravel(), angle[..., k].ravel(), "o", color=color, markersize=3.5, label=name)
    axes[0, 3].axhline(1.0, color=style.INK, linestyle="--", linewidth=1.0, label="law")
    axes[0, 2].set(title="outputs that live", ylabel=f"outputs, of {given['n2']}", ylim=(0, None))
    axes[0, 3].set(title="angle per step", ylabel=r"over $\sqrt{2\,lr\,\eta/(1 + \mu)}$", ylim=(0, 2.5))
    for panel in axes[0, 2:]:
        panel.set(xscale="log", xlabel=r"decay $\times$ time $\eta t$")
        panel.legend(loc="best")
    style.letters(axes)
    style.frame(
        figure, "What is left after training: a finite step loses outputs at large lr × decay",
        rf"{given['depth']} layers, BatchNorm, momentum {given['momentum']:g}, batch {given['batch']}, "
        rf"{given['steps']} steps, $\gamma_a = {given['gamma_a']:g}$ with EMA; chosen: $n_1 = {given['n1']}$, "
        rf"{given['n2']} outputs, eigenvalues of $X$ $1/k$, of $X'$ {given['x_aug']:g}; means of {given['seeds']} "
        "starts",
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
