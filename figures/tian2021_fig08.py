"""Tian 2021, Fig. 8: the antisymmetric part of W_p vanishes; Assumptions 1 + 2, F = W_p^T W_p, tau constant.

By Theorem 1 with C = 0, F = W_p^T W_p/alpha_p stays so, and with v = 1 + sigma^2 the flow closes on W_p:
    dW_p/dt = -v W_p W_p^T W_p + tau W_p^T W_p - eta W_p.
With W_p = S + A the antisymmetric part obeys dA/dt = -v (S^2 A + A S^2 - S A S - A^3) - eta A, and since
<A, S^2 A + A S^2 - S A S - A^3> >= ||S A||^2 + ||A^2||^2 >= 0 (Cauchy-Schwarz), ||A(t)|| <= exp(-eta t) ||A(0)||.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.equations import weights
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import over_time, style

FACTOR_AT = 100.0  # the fall is stated at this time


def compute(
    eta: tuple[float, ...] = (0.001, 0.01, 0.05),
    tau: tuple[float, ...] = (0.3, 0.6, 1.0),
    sigma2: float = 0.25,
    alpha_p: float = 1.0,
    n2: int = 6,
    seed: int = 1,
    scale_p: float = 1.0,
    horizon: float = 300.0,
    times: int = 301,
) -> dict[str, Any]:
    """Return the norms of both parts of W_p over time for every decay and tau.

    Args:
        eta: weight decays.
        tau: target / online ratios, held.
        sigma2: variance of the augmentation.
        alpha_p: learning-rate ratio of the predictor.
        n2: size of W_p.
        seed: of the initial W_p.
        scale_p: its size; entries are N(0, scale_p^2/n2).
        horizon: flow time.
        times: kept.

    Returns:
        Arrays eta x tau x time.
    """
    W_p = ld.WeightState.random(n2, n2, seed, scale_p=scale_p).W_p
    ts = np.linspace(0.0, horizon, times)
    rows = [[_one(ts, W_p, e, t, sigma2, alpha_p) for t in tau] for e in eta]
    names = ("symmetric", "antisymmetric", "off_balance", "off_closed")
    given = {"eta": eta, "tau": tau, "sigma2": sigma2, "alpha_p": alpha_p, "n2": n2, "seed": seed, "scale_p": scale_p}
    arrays: dict[str, Any] = {name: np.array([[cell[name] for cell in row] for row in rows]) for name in names}
    return arrays | {"t": ts, "W_p_start": W_p, "parameters": given | {"horizon": horizon, "rtol": 1e-11}}


def _one(ts: np.ndarray, W_p: np.ndarray, eta: float, tau: float, sigma2: float, alpha_p: float) -> dict[str, Any]:
    flow = ld.CorrelationFlow(ld.Hyperparameters(alpha_p, 0.0, eta), sigma2=sigma2, tau="constant")
    start = ld.CorrelationState(W_p, W_p.T @ W_p / alpha_p, tau)
    run = ld.simulate(flow, start, ts, rtol=1e-11, engine="scipy")
    S = np.array([weights.symmetric_part(M) for M in run.states.W_p])
    A = run.states.W_p - S
    return {
        "symmetric": np.linalg.norm(S, axis=(1, 2)),
        "antisymmetric": np.linalg.norm(A, axis=(1, 2)),
        "off_balance": ld.observables.balance_residual(run),
        "off_closed": [_off_closed(flow, run[k], S[k], A[k]) for k in range(0, len(ts), max(len(ts) // 30, 1))],
    }


def _off_closed(flow: Any, state: Any, S: np.ndarray, A: np.ndarray) -> float:
    """Return how far the antisymmetric part of the flow is from the derived dA/dt, relative to the flow."""
    rate = flow(0.0, state).W_p
    derived = -(1 + flow.sigma2) * (S @ S @ A + A @ S @ S - S @ A @ S - A @ A @ A) - flow.hp.eta * A
    size = np.linalg.norm(rate) + np.linalg.norm(state.W_p)
    return float(np.linalg.norm(weights.antisymmetric_part(rate) - derived) / size)


def _alive(data: dict[str, Any]) -> np.ndarray:
    """Return, per decay and tau, whether modes can live: eta < tau^2/(4(1+sigma^2))."""
    given = data["parameters"]
    critical = ld.theory.critical_decay(np.array(given["tau"]), x_aug=given["sigma2"])
    return np.array(given["eta"])[:, None] < critical[None]


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    t, A, S, alive = data["t"], data["antisymmetric"], data["symmetric"], _alive(data)
    eta = np.array(data["parameters"]["eta"])
    floor = 1e-12 * S[..., :1]  # below it the parts are round-off of each other
    fall = A[..., 0] / np.maximum(A[..., np.searchsorted(t, FACTOR_AT)], 1e-300)
    bound = A[..., :1] * np.exp(-eta[:, None, None] * t)
    over = np.max((A - floor) / bound)
    rise = np.max((A[..., 1:] - np.maximum(A[..., :-1], floor)) / A[..., :1])
    ratio = A[..., -1] / S[..., -1]
    slow = np.unravel_index(np.argmin(fall), fall.shape)
    where = f"slowest: eta = {eta[slow[0]]:g}, tau = {data['parameters']['tau'][slow[1]]:g}"
    return (
        Checklist("tian2021", 8)
        .measure("falls", float(fall.min()), f"{fall.min():.1f} to {fall.max():.0e}; {where}")
        .measure("monotone", float(rise))
        .measure("bound", float(over))
        .measure("closed", float(np.max(data["off_closed"])))
        .measure("balance", float(np.max(data["off_balance"])))
        .measure("symmetric_stays", float(S[alive][:, -1].min()), f"smallest {S[alive][:, -1].min():.3f}")
        .measure("symmetric_collapses", float(S[~alive][:, -1].max()))
        .measure("becomes_symmetric", float(ratio[alive].max()), f"largest ratio {ratio[alive].max():.1e}")
        .measure("collapsed_ratio", float(ratio.max()), f"{ratio.max():.2f} where the decay exceeds the critical one")
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: one panel per decay, one shade per tau, both parts of W_p."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, len(given["eta"]), height=3.7, sharex=True, sharey=True)
    for k, panel in enumerate(axes[0]):
        over_time.family(panel, data["t"], data["symmetric"][k], [""] * len(given["tau"]), linestyle=(0, (5, 1.8)))
        over_time.family(panel, data["t"], data["antisymmetric"][k], [rf"$\tau = {tau:g}$" for tau in given["tau"]])
        panel.set(title=rf"$\eta = {given['eta'][k]:g}$", xlabel=r"flow time $t$", yscale="log", ylim=(1e-10, 8))
        for j in np.flatnonzero(~_alive(data)[k]):
            _collapse(panel, data["t"], data["symmetric"][k, j], given["tau"][j], given["sigma2"])
    axes[0, 0].set_ylabel("Frobenius norm")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    dark = {"color": style.INK, "linewidth": 1.5}
    parts = [Line2D([], [], linestyle=(0, (5, 1.8)), label=r"$\|W_p + W_p^{\top}\|/2$", **dark),
             Line2D([], [], label=r"$\|W_p - W_p^{\top}\|/2$", **dark)]  # fmt: skip
    style.letters(axes)
    style.frame(
        figure,
        r"Symmetric and antisymmetric part of $W_p$, Assumptions 1 + 2, $F = W_p^{\top} W_p/\alpha_p$",
        rf"chosen here (not printed in the paper): $\tau$, $\sigma^2 = {given['sigma2']:g}$, "
        rf"$\alpha_p = {given['alpha_p']:g}$, $n_2 = {given['n2']}$, initial $W_p$ and horizon",
        [*parts, *handles],
    )
    return figure


def _collapse(panel: Axes, t: np.ndarray, symmetric: np.ndarray, tau: float, sigma2: float) -> None:
    """Say why a symmetric part falls."""
    critical = float(ld.theory.critical_decay(tau, x_aug=sigma2))
    at, words = len(t) // 3, rf"$\tau = {tau:g}$ collapses: $\eta > \eta_c = {critical:.2g}$"
    panel.annotate(words, (t[at], symmetric[at]), (2, 8), textcoords="offset points", fontsize=style.KEY)


if __name__ == "__main__":
    sys.exit(main(__file__))
