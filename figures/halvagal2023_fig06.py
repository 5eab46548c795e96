"""Halvagal 2023, Fig. 6: the settings of Fig. 2 in a network of rectified linear neurons, z = relu(W x).

W_p = U diag(lambda) U^T = W W^T still, held in the gradient; x ~ N(0, I), two views x + sigma n. No mode moves alone,
but three things can be said. The mean products of rectified outputs are known, so the squared loss has a population
gradient (`lindyn.equations.rectified`). Without predictor each neuron keeps its direction and |w|^2 falls at the rate
(1 + v)(1 - k), k = (sin a + (pi - a) cos a)/pi, cos a = 1/(1 + v); a neuron alone rests at lambda = k. And z has
degree 1 in W, so the cosine loss has degree 0: a step of its descent adds its own square to |W|^2, nothing else.
"""

import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import stop_gradient as held
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lindyn.equations import rectified
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, phase_plane, style

OPEN, WRONG, NONE, SIAM, ISO = SETTINGS = (
    "no stop-gradient", "stop-gradient, wrong side", "no predictor", "as is", "IsoLoss"
)  # fmt: skip
LOSSES = ("squared loss", "cosine loss")
SAVED = 150


def compute(
    n1: int = 15,
    n2: int = 10,
    sigma: float = 0.1,
    learning_rate: tuple[float, float] = (0.01, 0.1),
    steps: int = 1500,
    steps_no_predictor: int = 1500,
    batch: int = 500,
    neurons: tuple[int, int] = (2, 6),
    seed: int = 2,
) -> dict[str, Any]:
    """Return the weights over training with minibatches in every setting, and by the population gradient.

    Args:
        n1: inputs of the large network.
        n2: its outputs.
        sigma: deviation of an augmentation; v = sigma^2.
        learning_rate: of the squared loss and of the cosine loss; the small network keeps to the first.
        steps: of every setting but the next.
        steps_no_predictor: without predictor, at the larger learning rate.
        batch: samples of a step.
        neurons: outputs and inputs of the small network whose responses are drawn.
        seed: of the weights, entries N(0, 1/16), and of the samples.

    Returns:
        Arrays loss x setting x step (x output x input).
    """
    rng = np.random.default_rng(seed)
    W, small, mask = rng.normal(size=(n2, n1)) / 4, np.zeros((n2, n1)), np.ones((2, n1))
    few, inputs = neurons
    small[:few, :inputs], mask[1, inputs:] = rng.normal(size=neurons) / 4, 0.0  # dead neurons and inputs around it
    plans = [[(max(learning_rate), steps_no_predictor) if s == NONE else (rate, steps) for s in SETTINGS]
             for rate in learning_rate]  # fmt: skip
    source, alone = (jax.random.key(seed), batch, sigma), rng.normal(size=(1, inputs)) / 4
    with jax.enable_x64(True):
        runs = []
        for loss, row in enumerate(plans):
            for s, (rate, count) in zip(SETTINGS, row, strict=True):
                rates = np.array([rate, learning_rate[0]])[:, None, None]
                runs.append(_train(np.array([W, small]), loss, s, rates, count, (mask, *source)))
        exact = [_train(W, 0, s, *plans[0][j], (None, None, 0, sigma))[0] for j, s in enumerate(SETTINGS)]
        single, _ = _train(alone, 0, SIAM, max(learning_rate), steps, (None, None, 0, sigma))
        value, slope = jax.value_and_grad(_population_loss)(jnp.asarray(W), W @ W.T, W, OPEN, sigma**2)
    paths, added = (np.reshape([run[part] for run in runs], (2, 5, *runs[0][part].shape)) for part in (0, 1))
    given = {"n1": n1, "n2": n2, "sigma": sigma, "learning_rate": learning_rate, "steps": steps, "batch": batch}
    return {
        "W": paths[:, :, :, 0], "added": added[..., 0], "small": paths[:, :, :, 1, :few, :inputs],
        "population": np.array(exact), "alone": single,
        "euler": np.array([np.sum(W * np.array(slope)), 2 * float(value)]),
        "t": np.array([[rate * count * np.arange(SAVED + 1) / SAVED for rate, count in row] for row in plans]),
        "inputs": rng.normal(size=(inputs, 14)),
        "parameters": given | {"steps_no_predictor": steps_no_predictor, "neurons": neurons, "seed": seed},
    }  # fmt: skip


def _train(W: Any, loss: int, setting: str, rate: Any, steps: int, source: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights at SAVED + 1 steps, and what the steps' own squares add up to; NaN past an escape.

    Args:
        W: output x input, or a stack of such.
        loss: 0 squared, 1 cosine.
        setting: one of SETTINGS.
        rate: learning rate, one number or one per network.
        steps: number of steps, a multiple of SAVED.
        source: the inputs that each network has and a key, or None and None for the population; batch; sigma.
    """
    mask, key, batch, sigma = source
    path, added = _stretches(jnp.asarray(W), mask, key, rate, (loss, setting, steps // SAVED, batch, sigma))
    added = np.cumsum(np.array(added), axis=0)
    return np.concatenate([np.asarray(W)[None], np.array(path)]), np.concatenate([0 * added[:1], added])


@functools.partial(jax.jit, static_argnames="plan")
def _stretches(W: Any, mask: Any, key: Any, rate: Any, plan: tuple) -> Any:
    loss, setting, count, batch, sigma = plan

    def slope(W: Any, mask: Any, views: Any) -> Any:
        P = jnp.eye(len(W)) if setting == NONE else W @ W.T
        if views is None:
            return jax.grad(_population_loss)(W, P, W, setting, sigma**2)
        return jax.grad(_loss)(W, P, tuple(mask[:, None] * x for x in views), loss, setting)

    def step(k: Any, carry: Any) -> Any:
        W, added = carry
        if key is None:
            moved = -rate * slope(W, None, None)
        else:
            views = _views(jax.random.fold_in(key, k), W.shape[-1], batch, sigma)
            moved = -rate * jax.vmap(slope, (0, 0, None))(W, mask, views)
        return W + moved, added + jnp.sum(moved * moved, (-2, -1))

    def stretch(W: Any, first: Any) -> Any:
        W, added = jax.lax.fori_loop(first, first + count, step, (W, jnp.zeros(W.shape[:-2])))
        return W, (W, added)

    return jax.lax.scan(stretch, W, count * jnp.arange(SAVED))[1]


def _views(key: Any, n1: int, batch: int, sigma: float) -> tuple[Any, Any]:
    x, one, other = jax.random.normal(key, (3, n1, batch), dtype=jnp.float64)
    return x + sigma * one, x + sigma * other


def _loss(W: Any, P: Any, views: tuple[Any, Any], loss: int, setting: str) -> Any:
    """Return the loss of a batch that a setting names, every stop-gradient in its place; P is held."""
    z_1, z_2 = (jax.nn.relu(W @ x) for x in views)
    q = P @ z_1 if setting not in (WRONG, ISO) else held(P @ z_1)
    t = z_2 if setting in (OPEN, WRONG) else held(z_2)
    if loss == 0:
        off = z_1 - held(t + z_1 - q) if setting == ISO else q - t
        return jnp.mean((off * off).sum(0)) / 2
    one, other = (jnp.sqrt((each * each).sum(0) + 1e-24) for each in (q, t))  # all neurons may be silent
    cos = (q * t).sum(0) / (one * other)
    return jnp.mean((z_1 * (cos * q / one - t / other) / one).sum(0)) if setting == ISO else -jnp.mean(cos)


def _population_loss(W: Any, P: Any, W_held: Any, setting: str, v: float) -> Any:
    """Return the squared loss of a setting in the population, up to what is held; W_held has the value of W."""
    W_held = held(W_held)
    if setting == ISO:
        return jnp.sum(P * _same_view(W, W_held, v)) - jnp.trace(_two_views(W, W_held, v))
    if setting == WRONG:
        return jnp.trace(_same_view(W, W, v)) / 2 - jnp.sum(P * _two_views(W, W_held, v))
    fit = jnp.trace(P @ _same_view(W, W, v) @ P.T) / 2
    if setting == OPEN:
        return fit + jnp.trace(_same_view(W, W, v)) / 2 - jnp.sum(P * _two_views(W, W, v))
    return fit - jnp.sum(P.T * _two_views(W, W_held, v))


def _same_view(A: Any, B: Any, v: float) -> Any:
    """Return E[relu(A x_1) relu(B x_1)^T] for rows of A and B that agree one by one."""
    own = jnp.eye(len(A), dtype=bool)
    return jnp.where(own, (1 + v) * (A * B).sum(1) / 2, _products(A, B, v, jnp.where(own, 0.0, A @ B.T)))


def _two_views(A: Any, B: Any, v: float) -> Any:
    """Return E[relu(A x_1) relu(B x_2)^T]."""
    return _products(A, B, v, A @ B.T)


def _products(A: Any, B: Any, v: float, overlap: Any) -> Any:
    size, other = (jnp.sqrt((1 + v) * (M * M).sum(1)) for M in (A, B))
    cosine = overlap / (size[:, None] * other)
    angle = jnp.arccos(cosine)
    return rectified.mean_product(size[:, None], other, angle, jnp.sin(angle), cosine, jnp.pi)


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, W = data["parameters"], data["W"]
    v, steps, rate = given["sigma"] ** 2, given["steps_no_predictor"], max(given["learning_rate"])
    k, rests = _overlap(v), np.sum(data["alone"] ** 2, axis=(1, 2))
    fast = f"rate {(1 + v) * (1 - k):.6f}; linear network 2 v = {2 * v:g}"
    compared = [SETTINGS.index(s) for s in SETTINGS if s != WRONG]
    off = [_apart(_spectrum(W[0, j]), _spectrum(data["population"][j])) for j in compared]
    sizes = np.sum(data["population"][SETTINGS.index(NONE)] ** 2, axis=2)
    fall, sampled = np.log(sizes[-1] / sizes[0]), np.log(np.sum(W[0, SETTINGS.index(NONE), -1] ** 2, axis=1) / sizes[0])
    by_hand = 2 * steps * np.log(1 - rate * (1 + v) * (1 - k) / 2)
    kept = [SETTINGS.index(s) for s in SETTINGS if s != ISO]
    sums = np.sum(W[1, kept] ** 2, axis=(2, 3))
    grown = sums - sums[:, :1] - data["added"][1, kept]
    return (
        Checklist("halvagal2023", 6)
        .measure("population", off, "in the settings' order: " + listed(off, ".3f"))
        .measure("no_predictor", np.abs(fall / by_hand - 1), fast)
        .measure("no_predictor_sampled", np.abs(sampled / by_hand - 1))
        .measure("alone", abs(rests[-1] / k - 1), f"{rests[-1]:.8f}; linear network {1 / (1 + v):.8f}")
        .measure("euler", abs(data["euler"][0] / data["euler"][1] - 1))
        .measure("norm", np.abs(grown / sums), "sum lambda, end over start " + listed(sums[:, -1] / sums[:, 0], ".3f"))
        .done()
    )  # fmt: skip


def _overlap(v: float) -> float:
    """Return E[relu(u) relu(u')]/E[relu(u)^2] of a neuron's outputs to two views."""
    angle = np.arccos(1 / (1 + v))
    return float(2 * rectified.mean_product(1.0, 1.0, angle, np.sin(angle), np.cos(angle), np.pi))


def _spectrum(path: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of W W^T along a path, largest first; NaN past an escape."""
    out = np.full(path.shape[:2], np.nan)
    there = np.isfinite(path).all(axis=(1, 2)) & (np.abs(path).max(axis=(1, 2)) < 1e6)
    out[there] = np.linalg.svd(path[there], compute_uv=False) ** 2
    return out


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Return how far two spectra are apart over time, as a share of the largest eigenvalue."""
    return float(np.abs(one - other).max() / other.max())


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: responses of two neurons and the spectrum of ten, a column per setting, for both losses."""
    given = data["parameters"]
    figure, axes = style.new_figure(4, 5, height=8.8)
    for i, loss in enumerate(LOSSES):
        for j, setting in enumerate(SETTINGS):
            small = data["small"][i, j]
            small = small[np.isfinite(small).all(axis=(1, 2))]
            phase_plane.responses(axes[2 * i, j], np.maximum(small @ data["inputs"], 0.0), low=-0.05)
            panel, t = axes[2 * i + 1, j], data["t"][i, j]
            l = _spectrum(data["W"][i, j])
            over_time.family(panel, t, l.T, [""] * l.shape[1], linewidth=1.0)
            if i == 0:
                over_time.marks(panel, t, _spectrum(data["population"][j]).T, every=12)
                axes[0, j].set_title(setting)
            panel.set(yscale="log", ylim=(1e-2, 30), xlim=(0, t[-1]))
            panel.set_xlabel(r"flow time $t$", fontsize=8.5)
            panel.tick_params(labelsize=7.5)
        axes[2 * i, 0].set_ylabel(f"{loss}\ntwo neurons, $z_2$ over $z_1$", fontsize=8.5)
        axes[2 * i + 1, 0].set_ylabel(rf"$\lambda$, {given['n1']} to {given['n2']}")
    key = [*phase_plane.legend_entries("response", "end"), *style.mode_key(given["n2"], 3, r"\lambda_j, j")]
    key.append(Line2D([], [], linestyle="none", marker="o", markersize=3, markerfacecolor="white", color=style.GREY,
                      label="population gradient"))  # fmt: skip
    style.frame(
        figure,
        r"Rectified network $z = \mathrm{relu}(W x)$ with $W_p = W W^T$: where the eigenvalues of $W W^T$ go",
        rf"lines: minibatches of {given['batch']}, $t$ = learning rate $\times$ steps; population gradient: of the "
        rf"squared loss. $\sigma = {given['sigma']:g}$, $W(0)$ of entries $N(0, 1/16)$,"
        f"\n{given['steps']} steps of "
        rf"{given['learning_rate'][0]:g} and {given['learning_rate'][1]:g}; {given['steps_no_predictor']} of "
        rf"{max(given['learning_rate']):g} without predictor; two neurons at {given['learning_rate'][0]:g} throughout",
        key,
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
