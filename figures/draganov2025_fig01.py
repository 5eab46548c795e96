"""Draganov et al. 2025 in the linear model: gradients go as 1/|z|, steps make norms grow, the flow keeps them.

A gradient of the cosine loss is at a right angle to a scale-free weight, so that a step of plain descent makes |W|^2
(1 - lr eta)^2 |W|^2 + lr^2 |g|^2 exactly (`rest.norm_after_step`), whatever the batch, and the flow keeps it. Without
decay the population's growth ends, at lr times the integral of |g|^2 along the flow; with minibatches it does not: with
|W| |g| free of scale, |W|^4 grows by 2 lr^2 (|W| |g|)^2 a step: as the steps, and over lr^2 as one curve.
"""

import sys
from typing import Any

import numpy as np
import scipy.integrate
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

import lindyn as ld
from lindyn.equations import cosine, rest
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style

KINDS = ("closure", "minibatches", "exact modes", "BatchNorm", "three layers")
LATE = 0.1  # share of a long run that is left out where its exponent is read


def compute(
    n1: int = 16,
    n2: int = 8,
    sigma2: float = 0.3,
    alpha_p: float = 1.0,
    eta: float = 0.02,
    learning_rate: tuple[float, ...] = (0.5, 0.25, 0.125, 0.0625, 0.03125),
    horizon: float = 400.0,
    path_steps: int = 300,
    path_rate: float = 0.2,
    batch: int = 32,
    noisy_rate: tuple[float, ...] = (1.0, 2.0, 4.0),
    noisy_steps: int = 20_000,
    scales: int = 13,
    seed: int = 0,
) -> dict[str, Any]:
    """Return norms along descents and flow, gradients against norms, and what the growth adds up to.

    Args:
        n1: input dimension; X has eigenvalues 1/j, j = 1 .. n1.
        n2: output dimension.
        sigma2: X' = sigma2 X.
        alpha_p: learning-rate ratio of the predictor.
        eta: weight decay of the paths on which the recursion is checked; the others have none.
        learning_rate: of the descents in the population, decreasing; one over whole numbers.
        horizon: flow time of those.
        path_steps: steps of each path on which the recursion is checked.
        path_rate: learning rate of those.
        batch: samples per step with minibatches.
        noisy_rate: learning rates of the long runs with minibatches, increasing.
        noisy_steps: steps of those.
        scales: number of factors, 1e-3 to 1e3, by which the weights are multiplied.
        seed: of weights and samples.

    Returns:
        Arrays by learning rate, kind, scale and sample.
    """
    x = 1 / np.arange(1, n1 + 1)
    data, y = ld.Moments(np.diag(x), np.diag(sigma2 * x)), ld.WeightState.random(n2, n1, seed)
    free = ld.WeightFlow(ld.Hyperparameters(alpha_p, 0.4, 0.0), data, target="online", loss="cosine")
    population = [
        ld.descend(free, y, learning_rate=lr, steps=round(horizon / lr), save_every=round(1 / lr))
        for lr in learning_rate
    ]
    flow = ld.simulate(free, y, np.append(0.0, np.geomspace(horizon * 1e-4, horizon, 400)), rtol=1e-10, atol=1e-13)
    noisy = [
        ld.descend(free, y, learning_rate=lr, steps=noisy_steps, batch=batch, seed=seed, save_every=noisy_steps // 400)
        for lr in noisy_rate
    ]
    errors = _recursions(data, x, y, (alpha_p, eta, sigma2), (path_rate, path_steps, batch, seed))
    factors = np.geomspace(1e-3, 1e3, scales)
    given = {"n1": n1, "n2": n2, "sigma2": sigma2, "alpha_p": alpha_p, "eta": eta, "horizon": horizon, "seed": seed}
    given |= {"learning_rate": learning_rate, "path_steps": path_steps, "path_rate": path_rate, "batch": batch}
    return {
        "flow_t": flow.ts,
        "flow": _squares(flow.states.W),
        "flow_gradient": np.array([_sizes(free, flow[k])[0] for k in range(len(flow.ts))]) ** 2,
        "t": population[0].ts,
        "square": np.array([_squares(run.states.W) for run in population]),
        "noisy_steps": noisy[0].ts / noisy_rate[0],
        "noisy": np.array([_squares(run.states.W) for run in noisy]),
        "recursion": np.array([errors[kind] for kind in KINDS]),
        "scale": factors,
        "scaled": np.array([_sizes(free, _scaled(y, f)) for f in factors]),
        **_samples(data, y, np.random.default_rng(seed), 40 * batch),
        "parameters": given | {"noisy_rate": noisy_rate, "noisy_steps": noisy_steps, "scales": scales},
    }


def _squares(W: np.ndarray) -> np.ndarray:
    return np.sum(W**2, axis=tuple(range(1, W.ndim)))


def _scaled(y: Any, factor: float) -> Any:
    return ld.WeightState(factor * y.W, factor * y.W_p)


def _sizes(flow: Any, y: Any) -> tuple[float, float]:
    """Return (|dW|, |dW_p|) of the loss: the flow's rates without decay."""
    rate = flow(0.0, y)
    return float(np.linalg.norm(rate.W)), float(np.linalg.norm(rate.W_p))


def _recursions(data: Any, x: np.ndarray, y: Any, rates: tuple, plan: tuple) -> dict[str, float]:
    """Return, per kind of loss and map, the worst relative error of the norm recursion over all steps and weights."""
    (alpha_p, eta, sigma2), (lr, steps, batch, seed) = rates, plan
    hp, how = ld.Hyperparameters(alpha_p, 0.4, eta), {"loss": "cosine"}
    deep = ld.DeepWeightState.random(*y.W.shape, depth=3, seed=seed)
    w = np.random.default_rng(seed).uniform(0.2, 1.0, (2, len(x)))
    runs = {
        "closure": (ld.WeightFlow(hp, data, **how), y, {}),
        "minibatches": (ld.WeightFlow(hp, data, **how), y, {"batch": batch, "seed": seed}),
        "exact modes": (ld.ModeWeightFlow(hp, x, sigma2 * x, loss="cosine-exact"), ld.ModeWeightState(*w), {}),
        "BatchNorm": (ld.WeightFlow(hp, data, normalise="batchnorm", **how), y, {"batch": batch, "seed": seed}),
        "three layers": (ld.DeepFlow(hp, data, **how), deep, {}),
    }
    found = {}
    for kind, (flow, start, more) in runs.items():
        count = steps if kind != "exact modes" else max(steps // 10, 10)  # its integrals take time
        states = ld.descend(flow, start, learning_rate=lr, steps=count, save_every=1, **more).states
        trained = [states.w, states.p] if kind == "exact modes" else [*getattr(states, "Ws", [states.W]), states.W_p]
        found[kind] = max(_off(W, lr, eta) for W in trained)
    return found


def _off(W: np.ndarray, lr: float, eta: float) -> float:
    """Return the worst relative error of `rest.norm_after_step` along a path, g by what the step did."""
    g = (W[1:] - W[:-1]) / lr + eta * W[:-1]
    after = rest.norm_after_step(_squares(W[:-1]), eta, lr, _squares(g))
    return float(np.max(np.abs(_squares(W[1:]) / after - 1)))


def _samples(data: Any, y: Any, rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Return |q|, the gradient of cos(q, t) with respect to q, and the angle's sine, of single Gaussian samples."""
    roots = [np.sqrt(np.diag(M))[:, None] for M in (data.X, data.X_aug)]
    mean, *views = (root * rng.standard_normal((len(roots[0]), count)) for root in (roots[0], roots[1], roots[1]))
    q, t = y.W_p @ y.W @ (mean + views[0]), y.W_a @ (mean + views[1])
    q_size, t_size = np.linalg.norm(q, axis=0), np.linalg.norm(t, axis=0)
    cos = np.sum(q * t, axis=0) / (q_size * t_size)
    g = cosine.sample_moment(q, t, np.eye(count), 1 / q_size, 1 / t_size, cos, 1)
    return {"sample_size": q_size, "sample_gradient": np.linalg.norm(g, axis=0), "sample_sine": np.sqrt(1 - cos**2)}


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _growth(data: dict[str, Any]) -> np.ndarray:
    """Return (|W|^4 - |W(0)|^4)/lr^2 of the long runs: twice the sum of (|W| |g|)^2."""
    square, lr = data["noisy"], np.array(data["parameters"]["noisy_rate"])
    return (square**2 - square[:, :1] ** 2) / lr[:, None] ** 2


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    lr = np.array(data["parameters"]["learning_rate"])
    integral = scipy.integrate.trapezoid(data["flow_gradient"], data["flow_t"])
    growth = data["square"][:, -1] - data["flow"][0]
    slopes = [_slope(data["scale"], column) for column in data["scaled"].T]
    law = data["sample_gradient"] * data["sample_size"] / data["sample_sine"]
    late, noisy = data["noisy_steps"] >= LATE * data["noisy_steps"][-1], _growth(data)
    exponents = np.array([_slope(data["noisy_steps"][late], row[late]) for row in noisy])
    one_curve = np.sqrt(noisy[:, -1])
    return (
        Checklist("draganov2025", 1)
        .measure("recursion", float(data["recursion"].max()), "by kind " + listed(data["recursion"], ".0e"))
        .measure("flow", float(np.abs(data["flow"] / data["flow"][0] - 1).max()))
        .measure("gradient", float(np.abs(np.array(slopes) + 1).max()), "slopes " + listed(slopes, ".6f"))
        .measure("sample", float(np.abs(law - 1).max()))
        .measure("population", float(abs(growth[-1] / (lr[-1] * integral) - 1)),
                 "growth over lr times the integral " + listed(growth / (lr * integral), ".3f"))
        .measure("first_order", abs(_slope(lr[1:], growth[1:]) - 1), f"exponent {_slope(lr[1:], growth[1:]):.3f}")
        .measure("root", float(np.abs(exponents - 1).max()), "exponents " + listed(exponents, ".3f"))
        .measure("one_curve", float(np.ptp(one_curve) / one_curve.mean()), "roots " + listed(one_curve, ".1f"))
        .done()
    )  # fmt: skip


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: norms in the population, gradient of samples, norms with minibatches, growth against lr."""
    given = data["parameters"]
    figure, axes = style.new_figure(2, 2, height=6.6)
    (top, sample), (noisy, growth) = axes
    labels = [f"lr {lr:g}" for lr in given["learning_rate"]]
    over_time.family(top, data["t"][1:], data["square"][:, 1:], labels)
    top.plot(data["flow_t"][1:], data["flow"][1:], color=style.INK, linestyle="--", label="flow")
    top.set(title="population, no decay", xlabel=style.TIME, ylabel=r"$\|W\|^2$", xscale="log", xlim=(0.07, None))
    top.legend(fontsize=style.KEY)
    size, sine = data["sample_size"], data["sample_sine"]
    points = sample.scatter(size, data["sample_gradient"], c=sine, s=5, cmap="viridis", linewidths=0)
    line = np.array([size.min(), size.max()])
    sample.plot(line, 1 / line, color=style.STABLE, linewidth=1.2, label=r"$1/|q|$, at a right angle")
    figure.colorbar(points, ax=sample, label="sine of the angle of $q$ and $t$")
    sample.set(title="gradient of single samples", xlabel="$|q|$", xscale="log", yscale="log")
    sample.set_ylabel(r"$|\partial \cos(q, t)/\partial q|$")
    sample.legend(fontsize=style.KEY)
    _ticks(sample.xaxis, (0.3, 1, 3))
    _ticks(sample.yaxis, (0.3, 1, 3))
    steps, curves = data["noisy_steps"][1:], np.sqrt(_growth(data)[:, 1:])
    over_time.family(noisy, steps, curves, [f"lr {lr:g}" for lr in given["noisy_rate"]])
    line = 2.5 * curves[:, -1].mean() * np.sqrt(steps / steps[-1])
    noisy.plot(steps, line, ":", color=style.INK, label=r"slope $1/2$")
    noisy.set(title=f"minibatches of {given['batch']}, no decay", xscale="log", yscale="log")
    noisy.set(xlabel="steps", ylabel=r"$(\|W\|^4 - \|W(0)\|^4)^{1/2}/{\rm lr}$")
    noisy.legend(fontsize=style.KEY)
    lr = np.array(given["learning_rate"])
    growth.plot(lr, data["square"][:, -1] - data["flow"][0], "o", color=style.INK, markersize=5, label="measured")
    integral = scipy.integrate.trapezoid(data["flow_gradient"], data["flow_t"])
    growth.plot(lr, lr * integral, color=style.FLOW, label=r"lr $\int \|g\|^2\,dt$ of the flow")
    growth.set(title="growth in the population", xlabel="learning rate lr", xscale="log", yscale="log")
    growth.set_ylabel(r"$\|W\|^2 - \|W(0)\|^2$ at the end")
    growth.legend(fontsize=style.KEY)
    _ticks(growth.xaxis, lr)
    _ticks(growth.yaxis, (0.02, 0.05, 0.1, 0.2))
    style.letters(axes)
    style.frame(
        figure,
        "Cosine loss: a step makes the norm larger, the gradient goes as one over the norm",
        rf"chosen here: eigenvalues $1/j$ of $X$, $X' = {given['sigma2']:g}\,X$, $n_1 = {given['n1']}$, "
        rf"$n_2 = {given['n2']}$, $\alpha_p = {given['alpha_p']:g}$, target the online network, one start",
    )
    return figure


def _ticks(axis: Any, values: Any) -> None:
    """Label these values of a logarithmic axis, and no others between them."""
    axis.set_ticks(values, labels=[f"{value:g}" for value in values])
    axis.set_minor_formatter(NullFormatter())


if __name__ == "__main__":
    sys.exit(main(__file__))
