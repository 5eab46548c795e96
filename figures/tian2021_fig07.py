"""Tian 2021, Fig. 7: how well Assumption 1 (W_a = tau W) holds over training, by the correlation of W_a and W.

Lemma 1 with X = I, X' = sigma^2 I, sigma = 0.03, W_a(0) = 0; the EMA parameter gamma_a at learning rate 0.01 is
beta = (1 - gamma_a)/0.01. Mean and standard deviation over 10 runs that differ in W(0) and W_p(0). At t = 0 the
correlation has no value (W_a = 0); just after it W_a = beta t W(0), so that it starts at 1.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style

BYOL = 0.996


def compute(
    eta: tuple[float, ...] = (0.0, 0.01, 0.1),
    gamma_a: tuple[float, ...] = (0.9, 0.99, 0.996, 0.999),
    sigma: float = 0.03,
    runs: int = 10,
    learning_rate: float = 0.01,
    steps: int = 10_000,
    n1: int = 16,
    n2: int = 8,
    scale: float = 0.3,
    scale_p: float = 1.0,
    hard: tuple[float, float] = (0.1, 3.0),
    times: int = 81,
) -> dict[str, Any]:
    """Return the correlation of W_a and W over training for every decay, EMA parameter and run.

    Args:
        eta: weight decays of the flow.
        gamma_a: EMA parameters, increasing; one of them 0.996.
        sigma: standard deviation of the augmentation.
        runs: initial values per curve, seeds 0, 1, ...
        learning_rate: of training.
        steps: of training; the flow time is learning_rate x steps.
        n1: input dimension.
        n2: output dimension.
        scale: size of W(0), entries N(0, scale^2/n1).
        scale_p: size of W_p(0), entries N(0, scale_p^2/n2).
        hard: scale and scale_p of a start that is hard on the assumption (gamma_a = 0.996, the first eta).
        times: kept, evenly in log steps.

    Returns:
        Arrays eta x gamma_a x run x time; "twin" is the finite-step training of the 0.996 runs.
    """
    at = np.unique(np.round(np.geomspace(1, steps, times)))
    given = {"eta": eta, "gamma_a": gamma_a, "sigma": sigma, "runs": runs, "learning_rate": learning_rate}
    given |= {"steps": steps, "n1": n1, "n2": n2, "scale": scale, "scale_p": scale_p, "hard": hard, "rtol": 1e-7}
    ts, even = learning_rate * np.append(0.0, at), learning_rate * np.linspace(0, steps, len(at) + 1)  # compiled once
    grid = [[[_flow(given, g, e, k, scale, scale_p, ts)[0] for k in range(runs)] for g in gamma_a] for e in eta]
    twins = [_train(given, BYOL, e, 0, scale, scale_p) for e in eta]
    hard_runs = [_flow(given, BYOL, eta[0], k, *hard, even) for k in range(runs)]
    worst = int(np.argmin([correlation.min() for correlation, _ in hard_runs]))
    return {
        "steps": at,
        "correlation": np.array(grid),
        "twin_steps": twins[0][0],
        "twin": np.array([twin[1] for twin in twins]),
        "hard_steps": even[1:] / learning_rate,
        "hard": np.array([correlation for correlation, _ in hard_runs]),
        "hard_worst": worst,
        "hard_size": hard_runs[worst][1],
        "hard_twin": np.stack(_train(given, BYOL, eta[0], worst, *hard)),
        "parameters": given | {"beta": [(1 - g) / learning_rate for g in gamma_a]},
    }


def _problem(given: dict, gamma_a: float, eta: float, seed: int, scale: float, scale_p: float) -> tuple[Any, Any]:
    """Return flow and start; eta is the flow's, so the training decay that is divided by the step is eta x step."""
    hp = ld.Hyperparameters.from_training(given["learning_rate"], gamma_a, eta * given["learning_rate"])
    flow = ld.WeightFlow(hp, ld.Moments.isotropic(given["n1"], given["sigma"] ** 2))
    return flow, ld.WeightState.random(given["n2"], given["n1"], seed, scale, scale_p, target="zero")


def _flow(
    given: dict, gamma_a: float, eta: float, seed: int, scale: float, scale_p: float, ts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return correlation of W_a and W, and tr F over its start, at the times after 0."""
    run = ld.simulate(*_problem(given, gamma_a, eta, seed, scale, scale_p), ts, rtol=given["rtol"])
    return ld.observables.target_correlation(run)[1:], ld.observables.collapse(run)[1:]


def _train(given: dict, gamma_a: float, eta: float, seed: int, scale: float, scale_p: float) -> tuple[Any, Any]:
    """Return step numbers and correlation of the same run as finite training steps."""
    rate, steps = given["learning_rate"], given["steps"]
    flow, start = _problem(given, gamma_a, eta, seed, scale, scale_p)
    run = ld.descend(flow, start, learning_rate=rate, steps=steps, save_every=max(steps // 200, 1))
    return run.ts[1:] / rate, ld.observables.target_correlation(run)[1:]


def _off_twin(steps: np.ndarray, flow: np.ndarray, twin_steps: np.ndarray, twin: np.ndarray) -> float:
    """Return the largest distance of the finite steps from the flow, read off it between its times (log steps)."""
    return float(np.max(np.abs(np.interp(np.log(twin_steps), np.log(steps), flow) - twin)))


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, steps, r = data["parameters"], data["steps"], data["correlation"]
    gamma_a = np.array(given["gamma_a"])
    byol = int(np.argmin(np.abs(gamma_a - BYOL)))
    slower, lowest = gamma_a > BYOL, r.mean(axis=2).min(axis=(0, 2))
    mean = r[:, byol].mean(axis=1)
    k, at = np.unravel_index(np.argmin(mean), mean.shape)
    misfit = np.sqrt(1 - mean[k, at] ** 2)
    dip = (
        f"lowest mean {mean[k, at]:.3f} at step {steps[at]:.0f}, eta = {given['eta'][k]:g}; "
        f"||W_a - tau W|| is {misfit:.2f} ||W_a|| there"
    )
    twin = [_off_twin(steps, r[j, byol, 0], data["twin_steps"], data["twin"][j]) for j in range(len(r))]
    worst, fallen = data["hard"][int(data["hard_worst"])], int(np.argmin(data["hard"][int(data["hard_worst"])]))
    hard_twin = np.interp(data["hard_steps"], *data["hard_twin"])
    below = int(np.sum(data["hard"].min(axis=1) < 0.9))
    lost = (
        f"{worst[fallen]:.2f} at step {data['hard_steps'][fallen]:.0f}; {below} of {len(data['hard'])} runs below 0.9"
    )
    return (
        Checklist("tian2021", 7)
        .measure("byol", mean, dip)
        .measure("byol_runs", float(r[:, byol].min()))
        .measure("faster", float(lowest[gamma_a < BYOL].min()))
        .measure("slower", lowest[slower], f"lowest mean {listed(lowest[slower], '.3f')}, run {r[:, slower].min():.3f}")
        .measure("ordered", float(np.max(np.diff(lowest))), "lowest means " + listed(lowest, ".3f"))
        .measure("start", r[..., 0], f"{r[..., 0].min():.7f}")
        .measure("end", float(r[:, gamma_a <= BYOL, :, -1].mean(axis=2).min()))
        .measure("twin", max(twin))
        .measure("not_every_start", float(worst[fallen]), lost)
        .measure("hard_collapses", float(data["hard_size"][-1]))
        .measure("hard_twin", float(abs(hard_twin[fallen] - worst[fallen])))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: one panel per weight decay, one shade per gamma_a, mean and standard deviation."""
    given, steps, r = data["parameters"], data["steps"], data["correlation"]
    figure, axes = style.new_figure(1, len(given["eta"]), height=3.8, sharex=True, sharey=True)
    labels = [rf"$\gamma_a = {g:g}$" for g in given["gamma_a"]]
    for k, panel in enumerate(axes[0]):
        over_time.band(panel, steps, r[k].mean(axis=1), r[k].std(axis=1, ddof=1), labels)
        over_time.level(panel, 0.9, "0.9", x=0.08)
        panel.set(title=rf"$\eta = {given['eta'][k]:g}$", xlabel="training steps", xscale="log", ylim=(0.885, 1.004))
    axes[0, 0].set_ylabel(r"$\langle W_a, W\rangle / (\|W_a\|\,\|W\|)$")
    handles = [*axes[0, 0].get_legend_handles_labels()[0], over_time.spread_key("standard deviation")]
    axes[0, 0].legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 0.2), ncols=2, fontsize=style.KEY)
    style.letters(axes)
    style.frame(
        figure,
        rf"Correlation of $W_a$ and $W$: $X = I$, $X' = \sigma^2 I$, $\sigma = {given['sigma']:g}$, $W_a(0) = 0$; "
        f"mean of {given['runs']} runs",
        rf"chosen here (not printed in the paper): $\gamma_a$ beside 0.996, learning rate {given['learning_rate']:g}, "
        rf"$n_1 = {given['n1']}$, $n_2 = {given['n2']}$, initial $W$ and $W_p$ (scales {given['scale']:g} and "
        rf"{given['scale_p']:g}), steps",
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
