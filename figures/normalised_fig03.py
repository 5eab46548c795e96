"""Normalised 3: how long a faint direction stays, and how fast an unused one grows.

Two modes in balanced layers, u = w_1 ... w_L, p = sqrt(alpha_p) u^(1/L), W_a = W, no decay. Near rank one the faint
mode grows as du/dt = k u^(3 - 1/L) (`projector.balanced_growth` with its own damping left out), so that it needs the
time u / ((2 - 1/L) du/dt) ~ eps^-(2 - 1/L) to get away: log-slopes -1, -1.5, -1.67. A direction of the data that W does
not use grows or dies exponentially, at the eigenvalues of `rest.transverse_matrix`.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

import lindyn as ld
from lindyn.equations import cosine, projector, rest
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import style

FAINT = 1e-8  # of an unused direction's start: it does not move what is used


def compute(
    depth: tuple[int, ...] = (1, 2, 3),
    eps: tuple[float, ...] = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
    escaped: float = 0.2,
    alpha_p: float = 1.7,
    c: tuple[float, float] = (1.0, 0.6),
    r: tuple[float, float] = (0.8, 0.7),
    used: int = 3,
    unused: int = 5,
    n2: int = 4,
    seeds: int = 4,
) -> dict[str, Any]:
    """Return the times to escape with their law, and the rates of unused directions with theirs.

    Args:
        depth: numbers L of layers.
        eps: starts of u_2/u_1, increasing.
        escaped: u_2/u_1 that counts as escaped.
        alpha_p: learning-rate ratio of the predictor.
        c: x + x_aug of the two modes.
        r: x / c of the two modes.
        used: directions of the data that W uses at rest.
        unused: directions that it does not.
        n2: outputs.
        seeds: starts of W and W_p for the transverse rates.

    Returns:
        life and law (depth x eps), layers (depth, at the largest eps), rates predicted and measured
        (one per seed, direction and eigenvector).
    """
    life = [[_time_to_escape(L, e, escaped, alpha_p, np.array(c), np.array(r)) for e in eps] for L in depth]
    law = [[_law(L, e, alpha_p, c, r) for e in eps] for L in depth]
    layers = [_time_of_layers(L, eps[-1], escaped, alpha_p, np.array(c), np.array(r)) for L in depth]
    pairs = np.concatenate([_transverse(used, unused, n2, alpha_p, seed) for seed in range(seeds)])
    given = {"depth": depth, "eps": eps, "escaped": escaped, "alpha_p": alpha_p, "c": c, "r": r}
    return {
        "eps": np.array(eps), "life": np.array(life), "law": np.array(law), "layers": np.array(layers),
        "predicted": pairs[:, 0], "measured": pairs[:, 1],
        "parameters": given | {"used": used, "unused": unused, "n2": n2, "seeds": seeds},
    }  # fmt: skip


def _time_to_escape(depth: int, eps: float, escaped: float, alpha_p: float, c: np.ndarray, r: np.ndarray) -> float:
    """Return when u_2/u_1 passes `escaped` from (1, eps), in the two modes of balanced layers."""

    def rates(t: float, log_u: np.ndarray) -> np.ndarray:
        u = np.exp(log_u)
        m = alpha_p**0.5 * u ** (1 + 1 / depth)
        Q, T, M = (c * m * m).sum(), (c * u * u).sum(), (c * r * m * u).sum()
        return projector.balanced_growth(u, c, r, M / Q, cosine.clock(Q, T), alpha_p, depth) / u

    def out(t: float, log_u: np.ndarray) -> float:
        return float(log_u[1] - log_u[0] - np.log(escaped))

    out.terminal = True  # type: ignore[attr-defined]
    end = 10 * _law(depth, eps, alpha_p, c, r)
    found = solve_ivp(rates, (0.0, end), np.log([1.0, eps]), "LSODA", events=out, rtol=1e-10, atol=1e-10)
    return float(found.t_events[0][0]) if len(found.t_events[0]) else np.inf


def _time_of_layers(depth: int, eps: float, escaped: float, alpha_p: float, c: np.ndarray, r: np.ndarray) -> float:
    """Return the same of the flow of all layers and W_p as matrices, balanced at the start alone."""
    layer = np.diag(np.array([1.0, eps]) ** (1 / depth))
    hp, data = ld.Hyperparameters(alpha_p, 0.0, 0.0), ld.Moments.commuting(c * r, c * (1 - r))
    flow = ld.DeepFlow(hp, data, target="online", loss="cosine")
    ts = np.linspace(0.0, 2.0, 401) * _law(depth, eps, alpha_p, c, r)
    W = ld.simulate(flow, ld.DeepWeightState((layer,) * depth, alpha_p**0.5 * layer), ts, rtol=1e-9).states.W
    return float(np.interp(np.log(escaped), np.log(W[:, 1, 1] / W[:, 0, 0]), ts))


def _law(depth: int, eps: float, alpha_p: float, c: Any, r: Any) -> float:
    """Return u_2 / ((2 - 1/L) du_2/dt) at the start: eps^-(2 - 1/L) c_1 / ((2 L - 1) c_2 r_2) for u_1 = 1."""
    a = 1.0  # u_1
    p = alpha_p**0.5 * a ** (1 / depth)
    pace = cosine.clock(c[0] * (p * a) ** 2, c[0] * a * a)
    growth = projector.balanced_growth(eps, c[1], r[1], 0.0, pace, alpha_p, depth)
    return float(eps / (rest.lifetime_exponent(depth) * growth))


def _transverse(used: int, unused: int, n2: int, alpha_p: float, seed: int) -> np.ndarray:
    """Return (predicted, measured) rates of every unused direction along every left eigenvector of its matrix."""
    rng, n1 = np.random.default_rng(seed), used + unused
    c, r = rng.uniform(0.5, 1.5, n1), rng.uniform(0.4, 0.9, n1) * np.where(np.arange(n1) < used, 0.7, 1.0)
    data = ld.Moments.commuting(c * r, c * (1 - r))
    flow = ld.WeightFlow(ld.Hyperparameters(alpha_p, 0.0, 0.0), data, target="online", loss="cosine")
    y = ld.WeightState.random(n2, n1, rng)
    y = y._replace(W=y.W * (np.arange(n1) < used), W_p=y.W_p @ y.W_p.T)
    y = ld.simulate(flow, y._replace(W_a=y.W), t1=3e4, rtol=1e-8, solver="stiff", steady_state=1e-8).final
    A, S = y.W_p @ y.W, data.Sigma_s
    Q, T = np.trace(A @ S @ A.T), np.trace(y.W @ S @ y.W.T)
    kappa, pace = np.trace(y.W @ data.X @ A.T) / Q, cosine.clock(Q, T)
    faint = y.W + FAINT * rng.normal(size=y.W.shape) * (np.arange(n1) >= used)
    along, rates = [], []
    for j in range(used, n1):
        values, left = np.linalg.eig(rest.transverse_matrix(y.W_p, r[j], c[j], kappa, pace).T)
        along.append(left.T)
        rates.append(values)
    ts = np.array([0.0, 0.5 / np.abs(rates).max()])
    W = ld.simulate(flow, ld.WeightState(faint, y.W_p), ts, rtol=1e-12).states.W[:, :, used:]
    found = []
    for j, (vectors, values) in enumerate(zip(along, rates, strict=True)):
        parts = np.abs(vectors @ W[:, :, j].T)
        found += list(zip(values.real, np.log(parts[:, 1] / parts[:, 0]) / ts[1], strict=True))
    return np.array(found)


def _slopes(data: dict[str, Any]) -> np.ndarray:
    """Return the log-slope of the time to escape per depth, by least squares over all starts but the largest."""
    few = slice(None, -1)
    return np.array([np.polyfit(np.log(data["eps"][few]), np.log(row[few]), 1)[0] for row in data["life"]])


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    depth = np.array(data["parameters"]["depth"])
    slopes, wanted = _slopes(data), rest.lifetime_exponent(depth)
    off = np.abs(data["life"][:, 0] / data["law"][:, 0] - 1)
    relative = np.abs(data["measured"] / data["predicted"] - 1)
    signs = np.sign(data["predicted"])
    return (
        Checklist("normalised", 3)
        .measure("slopes", float(np.abs(slopes + wanted).max()), "slopes " + listed(slopes, ".3f"))
        .measure("size", float(off.max()), "off by " + listed(off, ".3f"))
        .measure("layers", float(np.abs(data["layers"] / data["life"][:, -1] - 1).max()))
        .measure("escapes", float(np.isfinite(data["life"]).mean()))
        .measure("transverse", float(relative.max()), f"{relative.max():.1e} over {len(relative)} rates")
        .measure("both_signs", int(min(np.sum(signs > 0), np.sum(signs < 0))))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: times to escape against eps, and transverse rates against their law."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 2, height=4.0)
    panel, slopes = axes[0, 0], _slopes(data)
    for L, row, law, slope, color in zip(
        given["depth"], data["life"], data["law"], slopes, style.shades(len(given["depth"])), strict=True
    ):
        panel.plot(data["eps"], law, color=color, linewidth=1.0)
        panel.plot(data["eps"], row, "o", color=color, markersize=5, label=rf"$L = {L}$: slope ${slope:.3f}$")
    panel.set(xscale="log", yscale="log", xlabel=r"start $\varepsilon = u_2/u_1$", ylabel="time to escape")
    panel.set_title("a faint direction, one to three layers")
    panel.legend(loc="upper right", title=r"law (lines): $-(2 - 1/L)$", title_fontsize=style.KEY)
    panel = axes[0, 1]
    ends = np.array([data["predicted"].min(), data["predicted"].max()])
    panel.plot(ends, ends, color=style.GREY, linewidth=1.0, label="equal")
    panel.plot(data["predicted"], data["measured"], "o", color=style.FLOW, markersize=4, label="one direction each")
    panel.axhline(0.0, color=style.GREY, linewidth=0.6)
    panel.axvline(0.0, color=style.GREY, linewidth=0.6)
    panel.set(xlabel="eigenvalue of the transverse matrix", ylabel="measured rate")
    panel.set_title("unused directions, at rest")
    style.letters(axes)
    style.key_above(panel)
    style.frame(
        figure, "Rank one does not hold: a faint direction escapes after a time $\\varepsilon^{-(2-1/L)}$",
        rf"closure, no decay, target = online network. chosen: $c = {given['c'][0]:g}, {given['c'][1]:g}$, "
        rf"$r = {given['r'][0]:g}, {given['r'][1]:g}$, $\alpha_p = {given['alpha_p']:g}$, escaped at "
        rf"$u_2/u_1 = {given['escaped']:g}$; (b) {given['used']} of {given['used'] + given['unused']} directions used "
        rf"by {given['n2']} outputs, {given['seeds']} starts",
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
