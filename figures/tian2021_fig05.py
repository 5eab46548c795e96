"""Tian 2021, Fig. 5: the decoupled dynamics (Eqs. 11-13) over training, step alpha = 0.01.

Top row: weight decay varied at beta = 0.4 (alpha beta = 0.004 = 1 - 0.996). Bottom row: EMA rate varied at eta = 0.04.
Two modes that differ in s(0), hence in c_j = s(0) - p(0)^2/alpha_p; the target starts at zero (tau = 0). The flow gives
the lines; the same runs as finite training steps (`descend`) are the second route, the closed forms the third.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main, second_route
from lindyn.plotting import over_time, style

EARLY = 5.0  # flow time at which tau is compared
ROWS = ("top", "bottom")
QUANTITIES = ("p", "s", "tau", "K")


def compute(
    eta: tuple[float, ...] = (0.0, 0.01, 0.04, 0.1, 0.3),
    beta: tuple[float, ...] = (0.02, 0.1, 0.4, 4.0),
    beta_top: float = 0.4,
    eta_bottom: float = 0.04,
    step: float = 0.01,
    steps: int = 10_000,
    sigma2: float = 0.25,
    alpha_p: float = 1.0,
    p_start: float = 0.3,
    s_start: tuple[float, ...] = (0.2, 0.05),
    tau_start: float = 0.0,
    kept: int = 401,
) -> dict[str, Any]:
    """Return p_j, s_j, tau_j and the smallest eigenvalue of K over training for both rows, by flow and by steps.

    Args:
        eta: weight decays of the top row, the last above the critical one.
        beta: EMA rates of the bottom row, increasing.
        beta_top: EMA rate of the top row.
        eta_bottom: weight decay of the bottom row.
        step: learning rate alpha.
        steps: number of steps; the flow time is step x steps.
        sigma2: variance of the augmentation.
        alpha_p: learning-rate ratio of the predictor.
        p_start: initial p of every mode.
        s_start: initial s, one per mode.
        tau_start: initial target / online ratio.
        kept: number of times kept.

    Returns:
        Arrays curve x time x mode, the row's name in front; "_steps" marks the finite-step route.
    """
    rates = {"top": [(beta_top, e) for e in eta], "bottom": [(b, eta_bottom) for b in beta]}
    start = ld.ModeState(p=np.full(len(s_start), p_start), s=np.array(s_start), tau=tau_start)
    given = {"eta": eta, "beta": beta, "beta_top": beta_top, "eta_bottom": eta_bottom, "step": step, "steps": steps,
             "sigma2": sigma2, "alpha_p": alpha_p}  # fmt: skip
    given |= {"p_start": p_start, "s_start": s_start, "tau_start": tau_start, "rtol": 1e-10}
    data: dict[str, Any] = {"t": np.linspace(0.0, step * steps, kept), "parameters": given}
    for row in ROWS:
        hps = [ld.Hyperparameters(alpha_p, *pair) for pair in rates[row]]
        runs = [_flow(start, data["t"], hp, sigma2) for hp in hps]
        data |= {f"{row}_{name}": np.array([run[name] for run in runs]) for name in QUANTITIES}
        data |= {f"{row}_{name}_own": values for name, values in _second(given, data["t"], rates[row]).items()}
        walks = [_walk(start, hp, sigma2, step, steps) for hp in hps]
        data |= {f"{row}_{name}_steps": np.array([walk[name] for walk in walks]) for name in ("t", "p", "s", "tau")}
        data[f"{row}_p_coarse"] = np.array([_walk(start, hp, sigma2, 2 * step, steps // 2)["p"] for hp in hps])
    return data


def _flow(start: Any, ts: np.ndarray, hp: ld.Hyperparameters, sigma2: float) -> dict[str, Any]:
    run = ld.simulate(ld.ModeFlow(hp, x_aug=sigma2), start, ts, engine="scipy")
    lowest = ld.observables.lambda_min_K(run).min(axis=1)  # modes decouple: K's eigenvalues are one per mode
    return {"p": run.states.p, "s": run.states.s, "tau": run.states.tau, "K": lowest}


def _walk(start: Any, hp: ld.Hyperparameters, sigma2: float, step: float, steps: int) -> dict[str, Any]:
    """Return the same run as finite steps of the weights (p, w, a), s = w^2, tau = a/w, at 41 times."""
    flow, w = ld.ModeWeightFlow(hp, x_aug=sigma2), np.sqrt(start.s)
    y0 = ld.ModeWeightState(p=start.p, w=w, a=start.tau * w)
    run = ld.descend(flow, y0, learning_rate=step, steps=steps, save_every=max(steps // 40, 1))
    state = run.states
    return {"t": run.ts, "p": state.p, "s": state.w**2, "tau": ld.observables.tau(run)}


def _half_times(t: np.ndarray, p: np.ndarray, goal: float) -> np.ndarray:
    """Return when each curve of p, one a row, first passes half of its end value, infinity where it does not."""
    found = []
    for curve in p:
        k = int(np.argmax(curve > goal / 2))
        lies_between = k > 0 and curve[k] > goal / 2
        found.append(np.interp(goal / 2, curve[k - 1 : k + 1], t[k - 1 : k + 1]) if lies_between else np.inf)
    return np.array(found)


def _off_half_times(data: dict[str, Any], goal: float) -> tuple[float, str]:
    """Return how far the half times of mode 1 are from those of runs of their own; infinity if one does not fall."""
    half, own = (_half_times(data["t"], data[f"bottom_{name}"][:, :, 0], goal) for name in ("p", "p_own"))
    fall = np.all(np.isfinite(half)) and np.all(np.diff(half) < 0)
    return float(np.abs(half / own - 1).max()) if fall else np.inf, "half time " + listed(half, ".1f")


def _apart(data: dict[str, Any], row: str, name: str, steps: str) -> float:
    """Return the largest distance of flow and finite steps over curves, times and modes."""
    t, coarse = data["t"], data[f"{row}_t_steps"][0]
    fine = data[f"{row}_{name}"]
    at = np.array([[np.interp(coarse, t, mode) for mode in curve.T] for curve in fine]).swapaxes(1, 2)
    return float(np.max(np.abs(at - data[f"{row}_{steps}"])))


def _second(given: dict[str, Any], ts: np.ndarray, pairs: list[tuple[float, float]]) -> dict[str, np.ndarray]:
    """Return p, tau and k of runs of the printed equations, curve x time x mode."""
    more = {"alpha_p": given["alpha_p"], "sigma2": given["sigma2"]}
    runs = [
        [
            second_route.mode_run(ts, given["p_start"], s, given["tau_start"], beta=b, eta=e, **more)
            for s in given["s_start"]
        ]
        for b, e in pairs
    ]
    return {name: np.array([[mode[k] for mode in curve] for curve in runs]).swapaxes(1, 2)
            for name, k in (("p", 0), ("tau", 2), ("K", 3))}  # fmt: skip


def _off_K(data: dict[str, Any], row: str, sign: float) -> float:
    """Return how far K's lowest eigenvalue is from Eq. 9 typed anew on runs of its own; infinity if it turns about."""
    lowest, own = data[f"{row}_K"], data[f"{row}_K_own"].min(axis=-1)
    ordered = np.all(sign * np.diff(lowest.min(axis=1)) > 1e-3)
    return float(np.abs(lowest - own).max()) if ordered else np.inf


def _off_tau(data: dict[str, Any], early: np.ndarray) -> tuple[float, str]:
    """Return how far tau at `EARLY`, mode 1, is from runs of their own, and what it would be without growth."""
    at = np.searchsorted(data["t"], EARLY)
    still = 1 - np.exp(-np.array(data["parameters"]["beta"]) * data["t"][at])
    told = f"tau at t = {EARLY:g}, mode 1: {listed(early, '.2f')}; without growth {listed(still, '.2f')}"
    return float(np.abs(early - data["bottom_tau_own"][:, at, 0]).max()), told


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, t = data["parameters"], data["t"]
    eta = np.array(given["eta"])
    theory = ld.theory.fixed_points(eta=eta, x_aug=given["sigma2"], alpha_p=given["alpha_p"])
    alive = np.isfinite(theory.p_plus)
    p, s, tau = (data[f"top_{name}"] for name in ("p", "s", "tau"))
    c = s[0, 0] - p[0, 0] ** 2 / given["alpha_p"]
    kept = s - p**2 / given["alpha_p"] - c * np.exp(-2 * eta[:, None, None] * t[:, None])
    spread = np.ptp(s[alive, -1], axis=1)
    settled = np.flatnonzero(alive & (eta >= 0.04))
    tracks = np.max(np.abs(s[settled, -1] / theory.s_plus[settled, None] - 1))
    ends = np.max(np.abs(p[alive, -1] - theory.p_plus[alive, None]))
    goal = ld.theory.fixed_points(eta=given["eta_bottom"], x_aug=given["sigma2"]).p_plus
    early = data["bottom_tau"][:, np.searchsorted(t, EARLY), 0]
    lowest_top, lowest_bottom = data["top_K"].min(axis=1), data["bottom_K"].min(axis=1)
    dead = ~alive & (eta < given["beta_top"])
    tau_dead = given["beta_top"] / (given["beta_top"] - eta[dead])
    apart = max(_apart(data, row, name, f"{name}_steps") for row in ROWS for name in ("p", "s"))
    coarse, fine = (max(_apart(data, row, "p", name) for row in ROWS) for name in ("p_coarse", "p_steps"))
    return (
        Checklist("tian2021", 5)
        .measure("ends", float(ends))
        .measure("collapse", float(np.max(p[~alive, -1] + s[~alive, -1])))
        .measure("memory", float(np.max(np.abs(kept)) / np.max(np.abs(c))))
        .measure("forgets", float(np.max(np.diff(spread))), "spread " + listed(spread, ".1e"))
        .measure("tracks", float(tracks))
        .measure("K_eta", _off_K(data, "top", 1.0), "lowest " + listed(lowest_top, ".3f"))
        .measure("curriculum", *_off_tau(data, early))
        .measure("tau_route", max(_apart(data, row, "tau", "tau_steps") for row in ROWS))
        .measure("slow", *_off_half_times(data, goal))
        .measure("K_beta", _off_K(data, "bottom", -1.0), "lowest " + listed(lowest_bottom, ".3f"))
        .measure("tau_to_one", float(np.max(np.abs(tau[alive, -1] - 1))))
        .measure("tau_collapse", np.abs(tau[dead, -1] / tau_dead[:, None] - 1), f"tau to {listed(tau_dead)}")
        .measure("second_route", apart)
        .measure("order", coarse / fine)
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: p, s, tau and the smallest eigenvalue of K; weight decay above, EMA rate below."""
    given = data["parameters"]
    figure, axes = style.new_figure(2, 4, height=5.4, sharex=True, sharey="col")
    names = {"top": [rf"$\eta = {v:g}$" for v in given["eta"]], "bottom": [rf"$\beta = {v:g}$" for v in given["beta"]]}
    symbols = (r"$p_j$", r"$s_j$", r"$\tau_j$", r"$\lambda_{\min}(K)$")
    for row, panels in zip(ROWS, axes, strict=True):
        for panel, name, symbol in zip(panels, QUANTITIES, symbols, strict=True):
            _panel(panel, data, row, name, names[row])
            panel.set_ylabel(symbol)
        panels[2].legend(loc="lower right", ncols=2, fontsize=7.5, handlelength=1.4, columnspacing=0.9)
        held = rf"$\beta = {given['beta_top']:g}$" if row == "top" else rf"$\eta = {given['eta_bottom']:g}$"
        varied = r"weight decay $\eta$ varied" if row == "top" else r"EMA rate $\beta$ varied"
        style.row_name(panels[-1], f"{varied}, {held}")
    axes[0, 2].set_ylim(-0.05, 1.6)
    axes[0, 2].text(
        0.14, 0.93, r"collapse: $\tau_j \to \beta/(\beta - \eta)$", transform=axes[0, 2].transAxes, fontsize=8
    )
    for panel in axes[1]:
        panel.set_xlabel("training steps / 1000")
    style.letters(axes)
    looks: tuple[dict[str, Any], ...] = (
        {"label": rf"mode 1, $s(0) = {given['s_start'][0]:g}$"},
        {"label": rf"mode 2, $s(0) = {given['s_start'][1]:g}$", "linestyle": (0, (3, 1.4))},
        {"label": "finite steps", "linestyle": "none", "marker": "o", "markersize": 3, "markerfacecolor": "white"},
    )
    style.frame(
        figure,
        rf"Decoupled dynamics (Eqs. 11-13) over training, step $\alpha = {given['step']:g}$",
        rf"chosen here (not printed in the paper): $\eta$, $\beta$ varied, $\sigma^2 = {given['sigma2']:g}$, "
        rf"$\alpha_p = {given['alpha_p']:g}$, $p(0) = {given['p_start']:g}$, $s(0)$, "
        rf"$\tau(0) = {given['tau_start']:g}$, steps",
        [Line2D([], [], color=style.INK, **look) for look in looks],
    )
    return figure


def _panel(panel: Any, data: dict[str, Any], row: str, name: str, labels: list[str]) -> None:
    steps = 1e-3 / data["parameters"]["step"]
    values = data[f"{row}_{name}"]
    if name == "K":
        over_time.family(panel, data["t"] * steps, values, labels)
        over_time.level(panel, 0.0)
        return
    over_time.family(panel, data["t"] * steps, values[..., 0], labels)
    over_time.family(panel, data["t"] * steps, values[..., 1], [""] * len(values), linestyle=(0, (3, 1.4)))
    over_time.marks(panel, data[f"{row}_t_steps"][0] * steps, data[f"{row}_{name}_steps"][..., 0], every=5)
    if name == "tau":
        over_time.level(panel, 1.0)


if __name__ == "__main__":
    sys.exit(main(__file__))
