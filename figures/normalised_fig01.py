"""Normalised 1: SGD on the true cosine loss against the exact flow of its modes; what its noise, step and closure cost.

A run's error is ||(W_p, W) - those of the exact flow|| over the flow's own norm, both as root mean squares over the
times kept; the flow's matrices are diagonal in the basis of its modes. Gradient noise of variance 1/batch, summed over
t/lr steps of size lr, leaves (lr/batch)^(1/2): the error halves where lr falls by 4 or the batch grows by 4. A
population descent has the step's bias alone, which falls with lr itself. The closure's floor is the same distance
between the two flows.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style

EXACT, CLOSURE = "cosine-exact", "cosine"


def compute(
    modes: int = 16,
    learning_rate: tuple[float, ...] = (0.2, 0.05, 0.0125),
    batch: tuple[int, ...] = (64, 256, 1024),
    runs: int = 3,
    t1: float = 8.0,
    times: int = 21,
    alpha_p: float = 1.0,
    beta: float = 0.3,
    eta: float = 0.01,
    nodes: int = 40,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the paths of the exact flow, of its closure and of SGD, and the errors.

    Args:
        modes: number of modes; W and W_p are modes x modes and start diagonal.
        learning_rate: of SGD, each 4 times the next.
        batch: samples per step, each a quarter of the next.
        runs: of SGD at every pair, seeds 0, 1, ...
        t1: flow time; a multiple of every learning rate x (times - 1).
        times: kept, the first 0.
        alpha_p: learning-rate ratio of the predictor.
        beta: EMA rate; the target starts as a copy.
        eta: weight decay.
        nodes: of the exact drive's integrals, a side.
        seed: of the spectrum and the start.

    Returns:
        Paths of p, time x mode; error (learning_rate x batch x run), bias (learning_rate), floor.
    """
    rng = np.random.default_rng(seed)
    x = np.exp(-np.arange(modes) / (modes / 4))
    x_aug = x * rng.uniform(0.1, 0.6, modes)
    start = ld.ModeWeightState(rng.uniform(0.2, 0.5, modes), rng.uniform(0.3, 1.0, modes))
    hp, ts = ld.Hyperparameters(alpha_p, beta, eta), np.linspace(0.0, t1, times)
    per_mode = {loss: ld.ModeWeightFlow(hp, x, x_aug, loss=loss, nodes=nodes) for loss in (EXACT, CLOSURE)}
    path = {loss: _matrices(ld.simulate(flow, start, ts, rtol=1e-8).states) for loss, flow in per_mode.items()}
    flow = ld.WeightFlow(hp, ld.Moments.commuting(x, x_aug), loss=CLOSURE)
    weights = ld.WeightState(np.diag(start.w), np.diag(start.p))

    def error(found: np.ndarray) -> float:
        return float(np.linalg.norm(found - path[EXACT]) / np.linalg.norm(path[EXACT]))

    def descent(flow: Any, y: Any, lr: float, **sampled: Any) -> np.ndarray:
        plan = {"learning_rate": lr, "steps": round(t1 / lr), "save_every": round(t1 / lr / (times - 1))}
        return _matrices(ld.descend(flow, y, **plan, **sampled).states)

    def sgd(lr: float, b: int, run: int) -> np.ndarray:
        return descent(flow, weights, lr, batch=b, seed=run)

    shown = {"exact": path[EXACT], "closure": path[CLOSURE], "sgd": sgd(learning_rate[0], batch[0], 0)}
    given = {"modes": modes, "learning_rate": learning_rate, "batch": batch, "runs": runs, "t1": t1, "times": times}
    return {
        "t": ts, **{name: each[:, 0].diagonal(axis1=1, axis2=2) for name, each in shown.items()},
        "error": np.array([[[error(sgd(lr, b, k)) for k in range(runs)] for b in batch] for lr in learning_rate]),
        "bias": np.array([error(descent(per_mode[EXACT], start, lr)) for lr in learning_rate]),
        "floor": error(path[CLOSURE]),
        "parameters": given | {"alpha_p": alpha_p, "beta": beta, "eta": eta, "nodes": nodes, "seed": seed},
    }  # fmt: skip


def _matrices(states: Any) -> np.ndarray:
    """Return (W_p, W), time x 2 x mode x mode; those of modes are diagonal."""
    if isinstance(states, ld.ModeWeightState):
        return np.stack([states.p, states.w], axis=1)[..., None] * np.eye(states.p.shape[1])
    return np.stack([states.W_p, states.W], axis=1)


def _mean_error(data: dict[str, Any]) -> np.ndarray:
    """Return the root mean square of the runs' errors, learning_rate x batch."""
    return np.sqrt(np.mean(data["error"] ** 2, axis=-1))


def _at(data: dict[str, Any], lr: float, batch: int) -> float:
    given = data["parameters"]
    row, column = list(given["learning_rate"]).index(lr), list(given["batch"]).index(batch)
    return float(_mean_error(data)[row, column])


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    error, bias, floor = _mean_error(data), data["bias"], float(data["floor"])
    by_rate, by_batch = error[:-1] / error[1:], error[:, :-1] / error[:, 1:]
    halves = bias[:-1] / bias[1:]
    return (
        Checklist("normalised", 1)
        .measure("error", _at(data, 0.0125, 256))
        .measure("rate", float(np.abs(by_rate - 2).max()), "falls by " + listed(by_rate, ".2f"))
        .measure("batch", float(np.abs(by_batch - 2).max()), "falls by " + listed(by_batch, ".2f"))
        .measure("bias", float(np.abs(halves - 4).max()), "falls by " + listed(halves, ".2f"))
        .measure("floor", floor)
        .measure("floor_seen", floor / float(error.min()))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: paths, and the error against learning rate and batch."""
    given, error, t = data["parameters"], _mean_error(data), data["t"]
    figure, axes = style.new_figure(1, 3, height=3.8)
    shown = np.unique(np.linspace(0, given["modes"] - 1, 4).astype(int))
    over_time.family(axes[0, 0], t, data["exact"][:, shown].T, [f"$k = {k + 1}$" for k in shown])
    over_time.family(axes[0, 0], t, data["closure"][:, shown].T, [""] * len(shown), linestyle="--")
    over_time.marks(axes[0, 0], t, data["sgd"][:, shown].T)
    rates, batches = np.array(given["learning_rate"]), np.array(given["batch"])
    for panel, across, family, name in ((axes[0, 1], rates, error.T, "batch"), (axes[0, 2], batches, error, "lr")):
        labels = [f"{name} {value:g}" for value in (batches if name == "batch" else rates)]
        over_time.family(panel, across, family, labels, marker="o", markersize=4)
        panel.axhline(float(data["floor"]), color=style.STABLE, linestyle="--", linewidth=1.2, label="closure's floor")
        panel.set(xscale="log", yscale="log", ylabel="error")
        panel.set_xticks(across, [f"{value:g}" for value in across])
        panel.minorticks_off()
    axes[0, 2].set_ylim(0.5 * error.min(), 2 * error.max())
    axes[0, 1].plot(rates, data["bias"], color=style.INK, marker="x", linestyle=":", label="no noise")
    axes[0, 0].set(title="predictor $p_k$ of modes", xlabel="flow time $t$", ylabel="$p_k$")
    axes[0, 1].set(title="against the learning rate", xlabel="learning rate")
    axes[0, 2].set(title="against the batch", xlabel="samples per step")
    style.letters(axes)
    for panel in axes[0]:
        style.key_above(panel, columns=3)
    style.frame(
        figure, "SGD on the true cosine loss follows the exact flow: its error falls as $\\sqrt{lr/batch}$",
        rf"(a) lines: exact flow; dashes: closure; circles: one run, lr {rates[0]:g}, batch {batches[0]}. "
        rf"chosen: {given['modes']} modes, $\alpha_p = {given['alpha_p']:g}$, $\beta = {given['beta']:g}$, "
        rf"$\eta = {given['eta']:g}$, $t = {given['t1']:g}$, {given['runs']} runs a point",
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
