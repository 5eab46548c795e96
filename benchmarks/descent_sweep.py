"""`lindyn.sweep_descent` against a plain numpy loop of the same steps, and one step of a large model.

python benchmarks/descent_sweep.py [--json FILE]

The loop is what one would write by hand: products in the cheapest order, the diagonal moments as scalings, nothing done
twice. It runs a few of the models, the sweep all of them; figures are seconds per model and step, medians of five turns
in one process. `difference` is that of the final layers, relative to the largest entry.
"""

import os
from typing import Any

import numpy as np
from common import interleaved_clocks, report

import lindyn as ld
from lindyn.sweeps import descent_kernel, descent_sweep

REPEATS = 5
RATES = {"learning_rate": 0.1, "momentum": 0.9, "gamma_a": 0.99, "alpha_p": 1.0, "eta_p": 0.02, "eta_s": 0.02}


def population_gradients(Ws: list, W_p: Any, W_as: list, x: Any, c: Any) -> tuple[list, Any]:
    """Return the rates without decay of layers and predictor: closure of the cosine loss, BatchNorm at the end."""
    below = [Ws[0]]
    for W in Ws[1:]:
        below.append(W @ below[-1])
    W_a = W_as[0]
    for W in W_as[1:]:
        W_a = W @ W_a
    scale, scale_a = (1 / np.sqrt((M * M * c).sum(1, keepdims=True)) for M in (below[-1], W_a))
    W_n, W_a = scale * below[-1], scale_a * W_a
    A = W_p @ W_n
    Ac = A * c
    W_ax = W_a * x
    Q, T, M = (Ac * A).sum(), (W_a * W_a * c).sum(), (W_ax * A).sum()
    G = (W_ax - M / Q * Ac) / np.sqrt(Q * T)
    g = W_p.T @ G
    g = scale * (g - (g * W_n).sum(1, keepdims=True) * (W_n * c))
    return _layers(Ws, below, g), G @ W_n.T


def minibatch_gradients(Ws: list, W_p: Any, W_as: list, v1: Any, v2: Any) -> tuple[list, Any]:
    """Return the same of one minibatch: the true cosine loss of its samples, BatchNorm by its own statistics."""
    count = v1.shape[1]
    v1, v2 = v1 - v1.mean(1, keepdims=True), v2 - v2.mean(1, keepdims=True)
    outputs = [v1]
    for W in Ws:
        outputs.append(W @ outputs[-1])
    t = v2
    for W in W_as:
        t = W @ t
    scale, scale_a = (1 / np.sqrt((z * z).mean(1, keepdims=True)) for z in (outputs[-1], t))
    z, t = scale * outputs[-1], scale_a * t
    q = W_p @ z
    one, other = (1 / np.sqrt((each * each).sum(0)) for each in (q, t))
    cos = (q * t).sum(0) * one * other
    e = (t * other - q * (one * cos)) * one / count
    back = W_p.T @ e
    back = scale * (back - (back * z).mean(1, keepdims=True) * z)
    gradients = []
    for W, h in zip(reversed(Ws), reversed(outputs[:-1]), strict=True):
        gradients.append(back @ h.T)
        back = W.T @ back
    return gradients[::-1], e @ z.T


def _layers(Ws: list, below: list, g: Any) -> list:
    gradients = []
    for k in range(len(Ws) - 1, 0, -1):
        gradients.append(g @ below[k - 1].T)
        g = Ws[k].T @ g
    return [g, *reversed(gradients)]


def loop(form: Any, seeds: range, steps: int) -> list[list[Any]]:
    """Return the final layers of models run one after the other."""
    x = np.arange(1, form.n1 + 1.0) ** -1.0
    c, ends = x + 0.25, []
    lr, momentum, gamma_a, alpha_p, eta_p, eta_s = RATES.values()
    for seed in seeds:
        y = descent_sweep.start(form.n2, form.n1, form.depth, seed, "trained", "copy")
        Ws, W_p, W_as = [W.copy() for W in y.Ws], y.W_p.copy(), [W.copy() for W in y.Ws]
        vs, v_p = [np.zeros_like(W) for W in Ws], np.zeros_like(W_p)
        rng = np.random.default_rng([seed, descent_kernel.STREAM])
        root, root_aug = np.sqrt(x)[:, None], 0.5
        for _ in range(steps):
            if form.batch:
                z, z_1, z_2 = rng.standard_normal((3, form.n1, form.batch))
                mean = root * z
                gs, g_p = minibatch_gradients(Ws, W_p, W_as, mean + root_aug * z_1, mean + root_aug * z_2)
            else:
                gs, g_p = population_gradients(Ws, W_p, W_as, x, c)
            for k, g in enumerate(gs):
                vs[k] = momentum * vs[k] + g - eta_s * Ws[k]
                Ws[k] = Ws[k] + lr * vs[k]
                W_as[k] = gamma_a * W_as[k] + (1 - gamma_a) * Ws[k]
            v_p = momentum * v_p + alpha_p * g_p - eta_p * W_p
            W_p = W_p + lr * v_p
        ends.append(Ws)
    return ends


def form_of(n1: int, n2: int, depth: int, batch: int) -> descent_kernel.ModelForm:
    """Return a form with the cosine loss and BatchNorm."""
    chosen = {"target": "ema", "predictor": "trained", "loss": "cosine", "normalise": "batchnorm"}
    return descent_kernel.ModelForm(n1, n2, depth, batch, tuple(chosen.items()))


def systems(form: descent_kernel.ModelForm, rows: int, seeds: int) -> descent_kernel.Systems:
    """Return `rows` models of every seed."""
    drawn = [descent_sweep.start(form.n2, form.n1, form.depth, k, "trained", "copy").blocks() for k in range(seeds)]
    start = {name: np.stack([each[name] for each in drawn for _ in range(rows)]) for name in drawn[0]}
    count = rows * seeds
    x = np.tile(np.arange(1, form.n1 + 1.0) ** -1.0, (count, 1))
    rates = {name: np.full(count, value) for name, value in RATES.items()}
    return descent_kernel.Systems(form, start, rates, x, np.full(x.shape, 0.25), np.repeat(np.arange(seeds), rows))


def sweep_row(
    n1: int, n2: int, depth: int, batch: int, rows: int, seeds: int, steps: int, sample: int, few: int
) -> Any:
    """Return seconds per model and step of the sweep and of the loop."""
    form = form_of(n1, n2, depth, batch)
    many = systems(form, rows, seeds)
    threads = os.cpu_count() or 1
    runs = {
        "sweep": lambda: descent_kernel.solve(many, steps, 1, threads),
        "loop": lambda: loop(form, range(sample), few),
    }
    found, want = descent_kernel.solve(many, few, 1, threads)[0], loop(form, range(1), few)[0]
    off = max(float(np.max(np.abs(found[f"W_{k}"][0] - W)) / np.max(np.abs(W))) for k, W in enumerate(want, start=1))
    times = interleaved_clocks(runs, REPEATS)
    each = {name: times[name][0] / (rows * seeds * steps if name == "sweep" else sample * few) for name in times}
    cpu = {name: times[name][1] / (rows * seeds * steps if name == "sweep" else sample * few) for name in times}
    return {
        "case": f"(n2, n1) = ({n2}, {n1}), L = {depth}, " + (f"batch {batch}" if batch else "population"),
        "sweep_us": 1e6 * each["sweep"],
        "loop_us": 1e6 * each["loop"],
        "faster": each["loop"] / each["sweep"],
        "faster_cpu": cpu["loop"] / cpu["sweep"],
        "models": rows * seeds,
        "difference": off,
    }


def step_row(n: int = 64, depth: int = 3, steps: int = 300) -> dict[str, Any]:
    """Return microseconds of one population step at (n, n): the recorded step by itself, `descend`, the loop.

    `products_us` is what BLAS takes for the 4 L - 1 products of n x n matrices of a step.
    """
    form = form_of(n, n, depth, 0)
    one = systems(form, 1, 1)
    x = np.arange(1, n + 1.0) ** -1.0
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.0, eta=0.02)
    flow = ld.DeepFlow(hp, ld.Moments.commuting(x, 0.25), loss="cosine", normalise="batchnorm")
    y = descent_sweep.start(n, n, depth, 0, "trained", "copy")
    given = {"learning_rate": 0.1, "momentum": 0.9, "gamma_a": 0.99, "save_every": steps}
    A, B = np.random.default_rng(0).normal(size=(2, n, n))
    C = np.empty_like(A)

    def products() -> None:
        for _ in range(steps * (4 * depth - 1)):
            np.dot(A, B, C)

    runs = {
        "kernel": lambda: descent_kernel.solve(one, steps, 1),
        "descend": lambda: ld.descend(flow, y, steps=steps, **given),
        "loop": lambda: loop(form, range(1), steps),
        "products": products,
    }
    times = interleaved_clocks(runs, REPEATS)
    return {
        "case": f"one closure step, (n2, n1) = ({n}, {n}), L = {depth}, cosine and BatchNorm, one thread",
        **{f"{name}_us": 1e6 * wall / steps for name, (wall, _) in times.items()},
        **{f"{name}_cpu_us": 1e6 * cpu / steps for name, (_, cpu) in times.items()},
    }


if __name__ == "__main__":
    report(
        "Finite steps of the deep normalised model",
        [
            sweep_row(16, 8, 3, 0, rows=64, seeds=8, steps=500, sample=2, few=200),
            sweep_row(16, 8, 1, 0, rows=64, seeds=8, steps=500, sample=2, few=200),
            sweep_row(16, 16, 3, 0, rows=64, seeds=4, steps=300, sample=2, few=200),
            sweep_row(16, 8, 3, 64, rows=64, seeds=4, steps=100, sample=2, few=100),
            step_row(),
        ],
        "faster: seconds per model and step of the loop over those of the sweep, all cores of both; faster_cpu: of "
        "processor time.",
    )
