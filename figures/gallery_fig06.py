"""Gallery 6: Obs. #10 by the start of the target: modes that live from starts whose W_p and F are not aligned."""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.papers import Checklist, Claim, main, second_route
from lindyn.plotting import style

STARTS = {"zero": 0.0, "copy": 1.0}
SURE = 1.96
"""Standard errors of a 95 % interval."""


def compute(
    eta: float = 0.05, beta: tuple[float, ...] = (0.02, 0.1, 0.5, 3.0, 20.0), sigma2: float = 0.25, n1: int = 6,
    n2: int = 4, scale: float = 0.5, scale_p: float = 0.5, seeds: int = 120, again: int = 24, t1: float = 300.0,
) -> dict[str, Any]:  # fmt: skip
    """Return the share of modes alive for every start, EMA rate and way to start the target.

    Args:
        eta: weight decay.
        beta: EMA rates, increasing.
        sigma2: variance of the augmentation.
        n1: input dimension.
        n2: output dimension, the number of modes.
        scale: of W(0).
        scale_p: of W_p(0), which is not symmetric and shares no eigenvectors with F.
        seeds: random starts.
        again: starts that are run a second time, by the printed equations.
        t1: end of the runs.

    Returns:
        alive (beta, start of the target, seed), online (seed), and both again.
    """
    kept = {"eta": [eta], "n1": n1, "n2": n2, "scale": scale, "scale_p": scale_p, "seeds": seeds, "t1": t1,
            "x_aug": sigma2, "progress": False}  # fmt: skip
    ema = ld.sweep_matrices(beta=list(beta), tau=list(STARTS.values()), **kept)["modes_alive"].isel(eta=0)
    online = ld.sweep_matrices(target="online", **kept)["modes_alive"].values.ravel()
    drawn = [ld.WeightState.random(n2, n1, seed) for seed in range(again)]
    W, W_p = scale * np.stack([y.W for y in drawn]), scale_p * np.stack([y.W_p for y in drawn])

    def second(tau: float, rate: float | None) -> np.ndarray:
        F, _ = second_route.matrix_ends(W, W_p, tau * W, rate, eta, sigma2=sigma2, t1=t1)
        return np.sum(np.linalg.eigvalsh(F) > 1e-3, axis=-1) / n2

    slow = [second(tau, beta[1]) for tau in STARTS.values()]
    return {
        "beta": np.array(beta), "alive": ema.transpose("beta", "tau0", "seed").values / n2, "online": online / n2,
        "slow_again": np.array(slow), "online_again": second(1.0, None),
        "parameters": {"eta": eta, "sigma2": sigma2, "n1": n1, "n2": n2, "scale": scale, "scale_p": scale_p,
                       "seeds": seeds, "t1": t1},
    }  # fmt: skip


def _interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over the starts (last axis) and half of its 95 % interval."""
    return values.mean(axis=-1), SURE * values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1])


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    alive, online, again = data["alive"], data["online"], data["online_again"].shape[-1]
    (hurt, hurt_by), (help_, help_by) = (_interval(alive[0, k] - online) for k in range(2))
    off = max(
        float(np.abs(data["slow_again"] - alive[1, :, :again]).mean()),
        float(np.abs(data["online_again"] - online[:again]).mean()),
    )
    told = f"{off:.3f}; always lives {1 - online.mean():.2f} off, always collapses {online.mean():.2f}"
    return (
        Checklist("gallery", 6)
        .measure("zero_hurts", float(hurt + hurt_by), f"{hurt:.2f} +- {hurt_by:.2f}")
        .measure("copy_helps", float(help_ - help_by), f"{help_:.2f} +- {help_by:.2f}")
        .measure("fast_limit", float(np.abs(alive[-1].mean(axis=-1) - online.mean()).max()))
        .measure("second_route", off, told)
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the two curves with their intervals, and SimSiam's level."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 1, height=4.0)
    panel = axes[0, 0]
    mean, half = _interval(data["alive"])
    looks = (("target starts at zero", style.STABLE), ("target starts as a copy", style.INK))
    for k, (label, colour) in enumerate(looks):
        panel.errorbar(
            data["beta"], mean[:, k], half[:, k], color=colour, marker="o", markersize=4, capsize=3, label=label
        )
    level, width = _interval(data["online"])
    panel.axhline(level, color=style.GREY, linestyle="--", label=r"SimSiam ($W_a = W$)")
    panel.axhspan(level - width, level + width, color=style.GREY, alpha=0.25, linewidth=0)
    panel.set(xscale="log", xlabel=r"EMA rate $\beta$", ylabel="share of modes alive", ylim=(0.4, 1.0))
    style.frame(
        figure, "From misaligned starts a slow target helps as a copy and hurts at zero",
        rf"chosen: $\eta = {given['eta']:g}$, $\sigma^2 = {given['sigma2']:g}$, {given['n2']} modes, "
        rf"{given['seeds']} starts, $t = {given['t1']:g}$; bars and band: 95 % intervals",
        panel.get_legend_handles_labels()[0], columns=3,
    )  # fmt: skip
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
