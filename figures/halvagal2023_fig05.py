"""Halvagal 2023, Fig. 5: two linear neurons from three starts: where the squared and the cosine loss let lambda rest.

W_p = U diag(lambda) U^T with lambda of W W^T, x ~ N(0, I), two views x + sigma n. The squared loss has its own scale:
every lambda rests at 1/(1 + v), v = sigma^2. The cosine loss has none: sum lambda stays, and every lambda rests at the
mean of the start. In steps of size lr the gradient, orthogonal to W, adds lr^2 |dW/dt|^2 to sum lambda each time.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style

LOSSES = {"squared": "squared loss", "cosine-exact": "cosine loss"}


def compute(
    neurons: tuple[int, int] = (2, 6),
    sigma: float = 0.1,
    learning_rate: float = 0.01,
    steps: int = 1500,
    lengthened: float = 10.0,
    batch: int = 1000,
    seed: int = 2,
    times: int = 301,
) -> dict[str, Any]:
    """Return both eigenvalues over time from three starts under both losses, and training in steps beside them.

    Args:
        neurons: outputs and inputs.
        sigma: deviation of an augmentation; v = sigma^2.
        learning_rate: of the runs in steps; flow time is learning rate x steps.
        steps: of them.
        lengthened: the flow runs on, so many times as far.
        batch: samples of a step of the runs with minibatches.
        seed: of the weights: W of entries N(0, 1/16), 2 W, and another W of entries N(0, 1/4).
        times: kept, half of them within the steps.

    Returns:
        Arrays loss x start x time x mode; the run with minibatches is of the first start.
    """
    rng, v, end = np.random.default_rng(seed), sigma**2, learning_rate * steps
    W = rng.normal(size=neurons) / 4
    starts = [W, 2 * W, rng.normal(size=neurons) / 2]
    ts = np.append(np.linspace(0, end, times // 2 + 1), np.geomspace(end, lengthened * end, times - times // 2)[1:])
    rule = ld.predictors.Rule.of("direct_set", power=1.0)
    hp, common = ld.Hyperparameters(1.0, 0.0, 0.0), {"target": "online", "predictor": rule, "statistics": "weights"}
    flows, sampled = [], []
    for loss in LOSSES:
        flow = ld.ModeWeightFlow(hp, 1.0, v, loss=loss, **common)
        modes = [ld.ModeWeightState(w**2, w) for w in (np.linalg.svd(M, compute_uv=False) for M in starts)]
        flows.append([ld.simulate(flow, y, ts, engine="scipy").states.w ** 2 for y in modes])
        plan = {"learning_rate": learning_rate, "steps": steps}
        if loss != "squared":
            stepped = [ld.descend(flow, y, save_every=1, **plan).states.w for y in modes]
        matrix = ld.WeightFlow(hp, ld.Moments.isotropic(neurons[1], v), loss=loss.split("-")[0], **common)
        plan |= {"batch": batch, "seed": seed, "save_every": max(1, steps // 50)}
        run = ld.descend(matrix, ld.WeightState(starts[0]), **plan)
        sampled.append(np.linalg.svd(run.states.W, compute_uv=False) ** 2)
    given = {"neurons": neurons, "sigma": sigma, "learning_rate": learning_rate, "steps": steps, "seed": seed}
    return {
        "t": ts, "l": np.array(flows), "stepped": np.array(stepped), "sampled": np.array(sampled),
        "sampled_t": run.ts, "parameters": given | {"lengthened": lengthened, "batch": batch},
    }  # fmt: skip


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    l, w, given = data["l"], data["stepped"], data["parameters"]
    c, rests = 1 + given["sigma"] ** 2, data["l"][:, :, -1]
    total = l[1].sum(axis=-1)
    sums, steps = (w**2).sum(axis=-1), (np.diff(w, axis=1) ** 2).sum(axis=-1)
    grown, added = sums[:, -1] - sums[:, 0], steps.sum(axis=1)
    flow = _at(data, data["sampled_t"])
    off = np.abs(np.sort(data["sampled"], axis=-1) - flow).max(axis=(1, 2)) / flow.max(axis=(1, 2))
    return (
        Checklist("halvagal2023", 5)
        .measure("squared", np.abs(c * rests[0] - 1), f"1/(1 + v) = {1 / c:.6f}")
        .measure("cosine", np.abs(rests[1] / total[:, :1] * 2 - 1), "means " + listed(total[:, 0] / 2, ".4f"))
        .measure("sum", np.abs(total / total[:, :1] - 1))
        .measure("apart", float(np.ptp(rests[1].mean(axis=1)) / np.ptp(total[:, 0] / 2)))
        .measure("step_law", np.abs(grown / added - 1), "sum lambda grows by " + listed(grown, ".2e"))
        .measure("sampled", off, "squared, cosine: " + listed(off, ".3f"))
        .done()
    )


def _at(data: dict[str, Any], t: np.ndarray) -> np.ndarray:
    """Return lambda of the flows from the first start at some times, smallest first."""
    rows = [[np.interp(t, data["t"], one) for one in loss[0].T] for loss in data["l"]]
    return np.sort(np.moveaxis(np.array(rows), 1, 2), axis=-1)


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: both eigenvalues from three starts, a panel per loss."""
    given, t = data["parameters"], data["t"]
    figure, axes = style.new_figure(1, 2, height=3.9, sharey=True)
    c, colours = 1 + given["sigma"] ** 2, style.shades(3)
    for panel, loss, l, sampled in zip(axes[0], LOSSES.values(), data["l"], data["sampled"], strict=True):
        for start, colour in zip(l, colours, strict=True):
            for k, line in enumerate(("-", (0, (4, 2)))):
                panel.plot(t, start[:, k], color=colour, linestyle=line)
        panel.plot(data["sampled_t"][::4], sampled[::4], "o", color=colours[0], markersize=3, markerfacecolor="white")
        panel.set(title=loss, xlabel=r"flow time $t$ = learning rate $\times$ steps", xlim=(0, 1.0 * t[-1]))
        panel.set_xscale("symlog", linthresh=given["learning_rate"] * given["steps"])
    over_time.level(axes[0, 0], 1 / c, "$1/(1 + v)$")
    for start, colour in zip(data["l"][1], colours, strict=True):
        axes[0, 1].axhline(start[0].mean(), color=colour, linewidth=0.8, linestyle=":")
    axes[0, 0].set_ylabel(r"eigenvalues $\lambda_1$, $\lambda_2$")
    looks: tuple[dict[str, Any], ...] = (
        {"label": r"$\lambda_1$"},
        {"label": r"$\lambda_2$", "linestyle": (0, (4, 2))},
        {"label": "mean of the start", "linestyle": ":", "linewidth": 0.8},
        {"label": "training", "linestyle": "none", "marker": "o", "markersize": 3, "markerfacecolor": "white"},
    )
    key = [Line2D([], [], color=colour, label=f"start {k}") for k, colour in enumerate(colours, 1)]
    key += [Line2D([], [], **{"color": style.GREY, **look}) for look in looks]
    style.letters(axes)
    style.frame(
        figure,
        "Two neurons from three starts: the squared loss has a scale to rest at, the cosine loss keeps its own",
        rf"{given['neurons'][1]} inputs, $\sigma = {given['sigma']:g}$; training with minibatches of "
        f"{given['batch']}, {given['steps']} steps of {given['learning_rate']:g}; time is linear up to there",
        key,
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
