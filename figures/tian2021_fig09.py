"""Tian 2021, Fig. 9: ||[F, W_p]|| over time in Eq. 7 at constant tau, for several tau and weight decays.

L = [F, W_p] obeys dL/dt = -(L K + K L), K = v (alpha_p F/2 + W_p^2) - tau W_p + 3 eta/2, v = 1 + sigma^2 (Eqs. 8-9).
Hence d||L||/dt <= -2 lambda_min(K) ||L|| at every instant, which is Theorem 3 without its premise. Completing the
square, lambda_min(K) >= 3 eta/2 - tau^2/(4 v): above eta = tau^2/(6 v) the norm falls from every start.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.equations import matrices
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style

RISES = 1.01  # peak over start above which a curve is said to rise
ROUND_OFF = 1e-11  # of ||F|| ||W_p||: below it the commutator is noise


def compute(
    tau: tuple[float, ...] = (0.4, 0.7, 1.0),
    eta: tuple[float, ...] = (0.0, 0.01, 0.05, 0.15),
    sigma2: float = 0.25,
    alpha_p: float = 1.0,
    n2: int = 6,
    seed: int = 0,
    scale: float = 0.1,
    scale_p: float = 0.3,
    horizon: float = 100.0,
    times: int = 401,
) -> dict[str, Any]:
    """Return the norm of the commutator and the smallest eigenvalue of K over time for every tau and decay.

    Args:
        tau: target / online ratios, held.
        eta: weight decays, increasing.
        sigma2: variance of the augmentation.
        alpha_p: learning-rate ratio of the predictor.
        n2: size of W_p and F.
        seed: of the initial values.
        scale: size of W in F = W W^T.
        scale_p: size of W_p, which starts symmetric.
        horizon: flow time.
        times: kept.

    Returns:
        Arrays tau x eta x time.
    """
    ts = np.linspace(0.0, horizon, times)
    start = ld.CorrelationState.random(n2, seed, scale, scale_p)
    rows = [[_one(ts, start, t, e, sigma2, alpha_p) for e in eta] for t in tau]
    names = ("norm", "lambda_min", "size", "rate", "off_equation_8")
    arrays: dict[str, Any] = {name: np.array([[cell[name] for cell in row] for row in rows]) for name in names}
    given = {"tau": tau, "eta": eta, "sigma2": sigma2, "alpha_p": alpha_p, "n2": n2, "seed": seed, "scale": scale}
    return arrays | {
        "t": ts,
        "W_p_start": start.W_p,
        "F_start": start.F,
        "parameters": given | {"scale_p": scale_p, "horizon": horizon, "rtol": 1e-11},
    }


def _one(ts: np.ndarray, start: Any, tau: float, eta: float, sigma2: float, alpha_p: float) -> dict[str, Any]:
    hp = ld.Hyperparameters(alpha_p, 0.0, eta)
    flow = ld.CorrelationFlow(hp, sigma2=sigma2, symmetrised=True, tau="constant")
    run = ld.simulate(flow, ld.CorrelationState(start.W_p, start.F, tau), ts, rtol=1e-11, engine="scipy")
    W_p, F, K = run.states.W_p, run.states.F, ld.observables.K_matrix(run)
    rates = [flow(0.0, run[k]) for k in range(len(ts))]
    dL = np.array([matrices.commutator(rate.F, w) + matrices.commutator(f, rate.W_p)
                   for rate, w, f in zip(rates, W_p, F, strict=True)])  # fmt: skip
    L = matrices.commutator(F, W_p)
    norm, size = ld.observables.commutator_norm(run), np.linalg.norm(F, axis=(1, 2)) * np.linalg.norm(W_p, axis=(1, 2))
    off = np.linalg.norm(dL + L @ K + K @ L, axis=(1, 2))
    return {
        "norm": norm,
        "lambda_min": ld.observables.lambda_min_K(run),
        "size": size,
        "rate": np.sum(L * dL, axis=(1, 2)) / np.maximum(norm, 1e-300),
        "off_equation_8": off / (size * np.linalg.norm(K, axis=(1, 2))),
    }


def _sufficient(given: dict[str, Any]) -> np.ndarray:
    """Return, per tau and eta, whether eta > tau^2/(6(1+sigma^2)), which makes K positive for every state."""
    return np.array(given["eta"])[None] > np.array(given["tau"])[:, None] ** 2 / (6 * (1 + given["sigma2"]))


def _bound(data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return Theorem 3's bound on the norm and where its premise holds."""
    lowest = np.minimum.accumulate(data["lambda_min"], axis=-1)
    return np.exp(-2 * lowest * data["t"]) * data["norm"][..., :1], lowest > 0


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, norm = data["parameters"], data["norm"]
    eta = np.array(given["eta"])
    clean = norm > ROUND_OFF * data["size"]
    peak = norm.max(axis=-1) / norm[..., 0]
    rising = [eta[row > RISES].tolist() for row in peak]
    violation = max(np.max(np.diff(peak, axis=1)), np.max(-np.diff(peak, axis=0)))
    bound, premise = _bound(data)
    ratio = np.where(premise & clean, norm / bound, 0.0)
    excess = np.where(clean, data["rate"] / np.maximum(norm, 1e-300) + 2 * data["lambda_min"], -np.inf)
    sure, ends = _sufficient(given), norm[..., -1] / norm[..., 0]
    lowest = data["lambda_min"][sure].min()
    used = int(np.sum(premise[..., 1:].any(axis=-1)))
    words = [f"tau = {t:g}: {listed(row) or 'none'}" for t, row in zip(given["tau"], rising, strict=True)]
    safe = f"{sure.sum()} paths, peak {peak[sure].max():.4g} of the start; lambda_min >= {lowest:.3f}"
    return (
        Checklist("tian2021", 9)
        .measure("which_rise", rising, "; ".join(words))
        .measure("shoots_up", float(peak[-1, 0]))
        .measure("ordered", float(violation))
        .measure("theorem_3", float(ratio.max()))
        .measure("premise_used", used)
        .measure("equation_8", float(np.max(data["off_equation_8"])))
        .measure("instant", float(excess.max()), f"largest excess {excess.max():.1e}")
        .measure("never_rises", peak[sure], safe)
        .measure("aligns", float(ends.max()))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: the norm above, the smallest eigenvalue of K below, one column per tau."""
    given, t = data["parameters"], data["t"]
    figure, axes = style.new_figure(2, len(given["tau"]), height=5.2, sharex=True, sharey="row")
    bound, premise = _bound(data)
    labels = [rf"$\eta = {eta:g}$" for eta in given["eta"]]
    for k, tau in enumerate(given["tau"]):
        top, low = axes[:, k]
        over_time.family(top, t, data["norm"][k], labels)
        held = np.where(premise[k] & (bound[k] > 1e-9), bound[k], np.nan)
        over_time.family(top, t, held, [""] * len(labels), linestyle=(0, (1, 1.3)), linewidth=2.0)
        over_time.family(low, t, data["lambda_min"][k], [""] * len(labels))
        over_time.level(low, 0.0)
        top.set(title=rf"$\tau = {tau:g}$", yscale="log", ylim=(1e-6, 0.1))
        low.set(xlabel=r"flow time $t$")
    axes[0, 0].set_ylabel(r"$\|[F, W_p]\|$")
    axes[1, 0].set_ylabel(r"$\lambda_{\min}(K)$")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    dotted = axes[0, 0].plot([], [], color=style.INK, linestyle=(0, (1, 1.3)), linewidth=2.0)[0]
    dotted.set_label(r"bound of Theorem 3, where $\lambda_{\min}(K) > 0$ since $t = 0$")
    style.letters(axes[0])
    style.frame(
        figure,
        r"Alignment in Eq. 7 at constant $\tau$",
        rf"chosen here (not printed in the paper): $\tau$, $\eta$, $\sigma^2 = {given['sigma2']:g}$, "
        rf"$\alpha_p = {given['alpha_p']:g}$, $n_2 = {given['n2']}$, initial $W_p$, $F$ and horizon",
        [*handles, dotted],
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
