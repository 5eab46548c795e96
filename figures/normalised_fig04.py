"""Normalised 4: can a network leave rank one? The flow always, algebraically; a finite step under decay not below e*.

Flow: equal decays only run the clock (e^(2 eta t) - 1)/(2 eta), in which a faint direction grows at any size; so it is
out at the time at which the clock has run the law of Normalised 3, which is log(1/eps)/(2 eta) under decay.

Finite step: the gradient is orthogonal to the weights, so each step adds lr^2 |g|^2 to |W|^2. Where decay and steps
balance, the weights turn by sqrt(2 lr eta) a step and the outputs that live keep their size. A faint output, p = |w| =
e, has no part in it: its own row of G is G_f = w M, M = Y - Y W^T (W R W^T)^-1 W R (what the others fit is fitted),
Y = E[x_2 x_1^T/(|q||t|)], R = E[cos x_1 x_1^T/|q|^2] (`cosine.sample_moment` of the faint row, q and t of the others).
Along the left eigenvector of M's largest eigenvalue mu both p and w grow at e mu and fall at eta:

    dp/dt = eta p (p/e* - 1),  e* = eta/mu,  p(t)/p(0) = 1/(f + (1 - f) e^(eta t)),  f = p(0)/e*.

Below e* it is lost; in the flow the others shrink alike, and e* = 0. One direction alone has no gradient, so that
nothing keeps its size: mu grows as it shrinks, e* falls below any e, and SGD too leaves rank one for what is left.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.equations import cosine, rest
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import style

LOST = 1e-3  # of the largest eigenvalue of W_p


def compute(
    eta: float = 0.05,
    eps: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2),
    learning_rate: tuple[float, ...] = (0.2, 0.1, 0.05),
    batch: int = 16,
    live: int = 5,
    n1: int = 12,
    faint: tuple[float, ...] = (0.03, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0),
    runs: int = 8,
    outputs: int = 6,
    t1: float = 400.0,
    seed: int = 5,
) -> dict[str, Any]:
    """Return how the flow escapes, what SGD loses, and the rate of a faint output against its size.

    Args:
        eta: weight decay.
        eps: starts of u_2/u_1 near rank one, one layer.
        learning_rate: of SGD in the test of the faint output; the second is that of the long run.
        batch: samples per step.
        live: outputs of the network that the faint one is added to.
        n1: directions of the data.
        faint: sizes of the faint output over e*.
        runs: of SGD at every size, each from another time of the network without it.
        outputs: of the long run.
        t1: its flow time.
        seed: of the spectrum, the starts and the minibatches.

    Returns:
        share (eps x time) of the escapes; spectra of W_p in flow and SGD; rate (learning_rate x faint x run) and law.
    """
    x = np.exp(-np.arange(n1) / 4)
    r = np.random.default_rng(seed).uniform(0.6, 0.9, n1)
    data = ld.Moments.commuting(x, x / r - x)
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.0, eta), data, target="online", loss="cosine")
    tests = [_faint_output(flow, lr, batch, live, faint, runs, seed) for lr in learning_rate]
    given = {"eta": eta, "eps": eps, "learning_rate": learning_rate, "batch": batch, "live": live, "n1": n1}
    return {
        **_alone(flow, learning_rate[1], batch, eps[-2], seed), **_escapes(eta, eps, x[:2], x[:2] / r[:2]),
        **_long_run(flow, learning_rate[1], batch, outputs, t1, seed),
        "faint": np.array(faint), **{key: np.array([test[key] for test in tests]) for key in tests[0]},
        "parameters": given | {"runs": runs, "outputs": outputs, "t1": t1, "seed": seed},
    }  # fmt: skip


def _escapes(eta: float, eps: tuple[float, ...], x: np.ndarray, c: np.ndarray) -> dict[str, Any]:
    """Return u_2/u_1 of the flow under decay, and the clock's time by the law, c_1 u_1^2/(c_2 r_2 eps)."""
    flow = ld.ModeWeightFlow(ld.Hyperparameters(1.0, 0.0, eta), x, c - x, target="online", loss="cosine")
    law = np.array([c[0] / (x[1] * e) for e in eps])
    ts = np.linspace(0.0, 1.1 * np.log1p(2 * eta * law.max()) / (2 * eta), 400)
    starts = [ld.ModeWeightState(np.array([1.0, e]), np.array([1.0, e])) for e in eps]
    paths = [ld.simulate(flow, y, ts, rtol=1e-9).states for y in starts]
    return {"t": ts, "share": np.array([run.w[:, 1] / run.w[:, 0] for run in paths]), "clock": law}


def _alone(flow: Any, lr: float, batch: int, eps: float, seed: int, runs: int = 3) -> dict[str, Any]:
    """Return the second |eigenvalue| of W_p over the first in SGD, from one direction and three at eps."""
    start = np.diag([1.0, eps, eps, eps])
    y = ld.WeightState(start @ np.eye(4, flow.data.n1), start)
    plan = {"learning_rate": lr, "batch": batch, "steps": round(6 / (lr * flow.hp.eta))}
    paths = [ld.descend(flow, y, seed=seed + k, **plan) for k in range(runs)]
    sizes = np.sort(np.abs(np.linalg.eigvals(np.array([run.states.W_p for run in paths]))))
    return {"alone_t": paths[0].ts, "alone": sizes[..., -2] / sizes[..., -1]}


def _long_run(flow: Any, lr: float, batch: int, outputs: int, t1: float, seed: int) -> dict[str, Any]:
    """Return |eigenvalues| of W_p, largest first, in the flow (to eta t = 3) and in SGD, from one start."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.normal(size=(n, n)))[0] for n in (outputs, flow.data.n1))
    p = np.geomspace(1.0, 2e-3, outputs)
    y = ld.WeightState(U * p @ V[:outputs], U * p @ U.T)
    ts = np.linspace(0.0, 3.0 / flow.hp.eta, 61)
    sgd = ld.descend(flow, y, learning_rate=lr, steps=round(t1 / lr), batch=batch, seed=seed)
    found = {"flow": ld.simulate(flow, y, ts, rtol=1e-8), "sgd": sgd}
    sizes = {name: np.sort(np.abs(np.linalg.eigvals(run.states.W_p)))[:, ::-1] for name, run in found.items()}
    return {"flow_t": ts, "sgd_t": sgd.ts, **{f"{name}_p": size for name, size in sizes.items()}}


def _faint_output(
    flow: Any, lr: float, batch: int, live: int, faint: tuple[float, ...], runs: int, seed: int
) -> dict[str, Any]:
    """Return the rates of a faint output in SGD and in the flow, and what was measured of the network without it."""
    eta, n1 = flow.hp.eta, flow.data.n1
    y = ld.WeightState.random(live, n1, seed)
    y = ld.WeightState(y.W, 0.7 * np.eye(live))
    plan = {"learning_rate": lr, "batch": batch}
    y = ld.descend(flow, y, steps=round(5 / (lr * eta)), seed=seed, **plan).final
    path = ld.descend(flow, y, steps=round(3 / (lr * eta)), save_every=1, seed=seed + 1, **plan).states
    turned = path.W[1:] - (1 - lr * eta) * path.W[:-1]
    angle = np.sqrt(np.mean(_square(turned) / _square(path.W[:-1])))
    spaced = np.linspace(0, len(path.W) - 1, 20).astype(int)
    mu, along = _growth(np.mean([_left_over(flow, path.W[k], path.W_p[k], int(k)) for k in spaced], axis=0))
    threshold, rate, free = eta / mu, [], []
    steps = max(round(0.1 / (lr * eta)), 1)
    bases = [(path.W[k], path.W_p[k]) for k in np.linspace(0, len(path.W) - 1, runs).astype(int)]
    for f in faint:
        e = f * threshold
        starts = [ld.WeightState(np.vstack([W, e * along]), _bordered(W_p, e)) for W, W_p in bases]
        ends = [
            ld.descend(flow, start, steps=steps, save_every=steps, seed=seed + 2 + k, **plan)
            for k, start in enumerate(starts)
        ]
        rate.append([np.log(_schur(end.final.W_p) / e) / (lr * steps * eta) for end in ends])
        end = ld.simulate(flow, starts[-1], t1=lr * steps, rtol=1e-6).final
        others = np.log(np.linalg.norm(end.W_p[:-1, :-1]) / np.linalg.norm(bases[-1][1]))
        free.append((np.log(_schur(end.W_p) / e) - others) / (lr * steps * eta))
    W = path.W[-1]
    f, t = np.array(faint), lr * steps
    law = -np.log(f + (1 - f) * np.exp(eta * t)) / (eta * t)
    return {"rate": rate, "law": law, "free": free, "angle": angle, "threshold": threshold, "size": np.sqrt(_square(W))}


def _square(W: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(W * W, axis=(-2, -1)))


def _left_over(flow: Any, W: np.ndarray, W_p: np.ndarray, seed: int, count: int = 4000) -> np.ndarray:
    """Return M, what the outputs of W leave to a faint one, over samples."""
    views = ld.GaussianViews.of(flow.data)
    z = np.random.default_rng(seed).normal(size=(3, flow.data.n1, count))
    v_1, v_2 = (views.mean_root @ z[0] + views.aug_root @ noise for noise in z[1:])
    q, t = W_p @ W @ v_1, W @ v_2
    inverse_q, inverse_t = (_square_columns(each) ** -0.5 for each in (q, t))
    of_others = inverse_q, inverse_t, (q * t).sum(0) * inverse_q * inverse_t, count
    Y = cosine.sample_moment(0.0 * v_1, v_2, v_1, *of_others)
    R = -cosine.sample_moment(v_1, 0.0 * v_2, v_1, *of_others)
    return np.asarray(Y - Y @ W.T @ np.linalg.solve(W @ R @ W.T, W @ R))


def _square_columns(outputs: np.ndarray) -> np.ndarray:
    return np.asarray((outputs * outputs).sum(0))


def _growth(M: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the largest eigenvalue of M and its left eigenvector, a unit row."""
    values, vectors = np.linalg.eig(M.T)
    first = int(np.argmax(values.real))
    return float(values[first].real), vectors[:, first].real / np.linalg.norm(vectors[:, first].real)


def _bordered(W_p: np.ndarray, e: float) -> np.ndarray:
    out = np.zeros((len(W_p) + 1, len(W_p) + 1))
    out[:-1, :-1], out[-1, -1] = W_p, e
    return out


def _schur(W_p: np.ndarray) -> float:
    """Return the last output's own predictor: the Schur complement of the others' block."""
    return float(abs(np.linalg.det(W_p) / np.linalg.det(W_p[:-1, :-1])))


def _escape_times(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return when u_2/u_1 passes 0.2 in every run, and when the clock has run its law."""
    eta = data["parameters"]["eta"]
    found = [np.interp(np.log(0.2), np.log(row), data["t"]) for row in data["share"]]
    return np.array(found), np.log1p(2 * eta * data["clock"]) / (2 * eta)


def _fall(data: dict[str, Any]) -> np.ndarray:
    """Return the log-slope over time, in units of eta, of every eigenvalue of W_p that SGD loses."""
    share, t = data["sgd_p"] / data["sgd_p"][:, :1], data["sgd_t"]
    slopes = []
    for row in share.T[1:]:
        low = np.flatnonzero((row < 0.03) & (row > 1e-12))
        if row[-1] < LOST and len(low) > 10:
            slopes.append(np.polyfit(t[low], np.log(data["sgd_p"][low, 0] * row[low]), 1)[0])
    return np.array(slopes) / data["parameters"]["eta"]


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given = data["parameters"]
    found, law = _escape_times(data)
    wan = rest.angle_per_step(np.array(given["learning_rate"]), given["eta"], 0.0)
    angle, falls = data["angle"] / wan, _fall(data)
    mean = data["rate"].mean(axis=-1)
    crossing = np.array([np.interp(0.0, row, data["faint"]) for row in mean])
    sizes = "e* = " + listed(data["threshold"] / data["size"], ".4f") + " |W|"
    kept = data["flow_p"][-1] / data["flow_p"][-1, 0]
    return (
        Checklist("normalised", 4)
        .measure("flow", float(np.abs(found - law).max() * given["eta"]), "t = " + listed(found, ".1f"))
        .measure("flow_keeps", float(kept.min()))
        .measure("angle", float(np.abs(angle - 1).max()), "over it: " + listed(angle, ".3f"))
        .measure("loses", len(falls))
        .measure("fall", float(np.abs(falls + 1).max(initial=0.0)), "slopes " + listed(falls, ".3f"))
        .measure("rate", float(np.sqrt(np.mean((mean - data["law"]) ** 2))))
        .measure(
            "threshold", float(np.abs(crossing - 1).max()), "crossing at " + listed(crossing, ".2f") + " e*; " + sizes
        )
        .measure("free", float(data["free"].min()))
        .measure("alone", float(data["alone"][:, -1].min()))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: escapes of the flow, what SGD loses, the rate of a faint output."""
    given = data["parameters"]
    eta, (_, law) = given["eta"], _escape_times(data)
    figure, axes = style.new_figure(1, 3, height=4.0)
    panel, colors = axes[0, 0], style.shades(len(given["eps"]))
    for row, when, e, color in zip(data["share"], law, given["eps"], colors, strict=True):
        panel.plot(data["t"], row, color=color, label=rf"$\varepsilon = 10^{{{np.log10(e):.0f}}}$")
        panel.axvline(when, color=color, linestyle=":", linewidth=1.0)
    for k, row in enumerate(data["alone"]):
        panel.plot(data["alone_t"], row, color=style.STABLE, linewidth=0.8, label=None if k else "SGD, alone")
    panel.set(yscale="log", xlabel="flow time $t$", ylabel="second over first direction")
    panel.set_title("near rank one (dots: law)")
    panel = axes[0, 1]
    for name, color in (("flow", style.FLOW), ("sgd", style.STABLE)):
        for k, row in enumerate((data[f"{name}_p"] / data[f"{name}_p"][:, :1]).T):
            label = {"flow": "flow", "sgd": rf"SGD, lr {given['learning_rate'][1]:g}"}[name]
            panel.plot(data[f"{name}_t"], row, color=color, linewidth=1.0, label=label if k == 0 else None)
    t = data["sgd_t"]
    panel.plot(t, 0.3 * np.exp(-eta * t), color=style.INK, linestyle="--", linewidth=1.2, label=r"$e^{-\eta t}$")
    panel.set(yscale="log", xlabel="flow time $t$", ylabel=r"$|\lambda_j(W_p)|$ over the largest", ylim=(1e-8, 2))
    panel.set_title("what lives in the predictor")
    panel = axes[0, 2]
    fine = np.linspace(0, data["faint"].max(), 100)
    panel.plot(fine, fine - 1, color=style.INK, linestyle="--", linewidth=1.2, label=r"$\eta\,(p/e^* - 1)$")
    colors = style.shades(len(given["learning_rate"]))
    for lr, row, color in zip(given["learning_rate"], data["rate"], colors, strict=True):
        spread = row.std(axis=1)
        panel.errorbar(data["faint"], row.mean(axis=1), spread, fmt="o", color=color, markersize=4, label=f"lr {lr:g}")
    panel.plot(data["faint"], data["free"][1], "x", color=style.FLOW, markersize=5, label="flow")
    panel.axhline(0.0, color=style.GREY, linewidth=0.7)
    panel.set(xlabel=r"size of a faint output $p/e^*$", ylabel=r"rate beside the others$/\eta$")
    panel.set_title("a faint output")
    style.letters(axes)
    for panel in axes[0]:
        style.key_above(panel, columns=2)
    style.frame(
        figure, "Rank one: the flow escapes from any $\\varepsilon$; a step under decay loses what is below $e^*$",
        rf"one layer, target = online network, $\eta = {eta:g}$; SGD on the true cosine loss, batch {given['batch']}; "
        rf"chosen: $n_1 = {given['n1']}$, {given['outputs']} outputs in (b), {given['live']} and a faint one in (c), "
        rf"{given['runs']} runs a point",
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
