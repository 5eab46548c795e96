"""Tian 2021, Fig. 4: fixed points of Eq. 16 on the line, for no, weak and strong weight decay.

On the parabola s = p^2/alpha_p at fixed tau: dp/dt = p^2 [tau - (1 + sigma^2) p] - eta p = v(p). The zeros are read off
v by its signs on a grid (touches included), and every start is integrated to its end.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.papers import Checklist, Claim, main
from lindyn.phase import numerical_fixed_points
from lindyn.plotting import phase_plane, style

WINDOW = (-0.32, 1.08)
NAMES = {(1, -1): "stable", (-1, 1): "unstable", (1, 1): "half-stable left", (-1, -1): "half-stable right"}


def compute(
    eta_weak: float = 0.1,
    eta_strong: float = 0.3,
    sigma2: float = 0.25,
    tau: float = 1.0,
    starts: int = 36,
    horizon: float = 3000.0,
) -> dict[str, Any]:
    """Return velocities, zeros with the signs beside them, and where integrated starts end, for four decays.

    Args:
        eta_weak: between 0 and the critical decay.
        eta_strong: above it.
        sigma2: variance of the augmentation.
        tau: target / online ratio, held.
        starts: number of initial p.
        horizon: flow time of the runs (long, since a touching zero is approached like 1/t).

    Returns:
        Arrays over the decays (0, weak, critical, strong).
    """
    critical = float(ld.theory.critical_decay(tau, x_aug=sigma2))
    eta = np.array([0.0, eta_weak, critical, eta_strong])
    p = np.linspace(*WINDOW, 1401)
    p_start = np.linspace(*WINDOW, starts) + 1e-3 * np.pi  # none of them a fixed point
    closed = ld.theory.fixed_points(eta=eta, tau=tau, x_aug=sigma2)
    rows = [_one_decay(float(e), sigma2, tau, p, p_start, horizon) for e in eta]
    moved = {"eta": np.array([0.04, 0.08, 0.12, 0.16]), "tau": np.array([0.7, 0.8, 0.9, 1.0])}
    return {
        "eta": eta,
        "p": p,
        "velocity": np.stack([row["velocity"] for row in rows]),
        "zeros": np.stack([row["zeros"] for row in rows]),
        "signs": np.stack([row["signs"] for row in rows]),
        "p_start": p_start,
        "p_end": np.stack([row["p_end"] for row in rows]),
        "closed": np.stack([np.zeros(4), closed.p_minus, closed.p_plus], axis=1),
        "p_minus_over_eta": np.array([_p_minus(e, tau, sigma2) for e in moved["eta"]]),
        "p_minus_over_tau": np.array([_p_minus(eta_weak / 2, t, sigma2) for t in moved["tau"]]),
        "parameters": {"alpha_p": 1.0, "sigma2": sigma2, "tau": tau, "eta": eta, "horizon": horizon, **{
            f"scanned_{name}": values for name, values in moved.items()}},
    }  # fmt: skip


def _velocity(eta: float, sigma2: float, tau: float) -> Any:
    """Return p -> dp/dt on the parabola, from the library's flow."""
    flow = ld.ParabolaFlow(ld.Hyperparameters(1.0, 0.0, eta), x_aug=sigma2, tau="constant")
    rates = numerical_fixed_points.field(flow, ("p",), lambda p: {"p": p, "tau": tau})
    return flow, lambda p: rates(np.asarray(p)[None])[0]


def _one_decay(eta: float, sigma2: float, tau: float, p: Any, p_start: Any, horizon: float) -> dict[str, Any]:
    flow, velocity = _velocity(eta, sigma2, tau)
    found = numerical_fixed_points.crossings(velocity, p)
    zeros, signs = np.full(3, np.nan), np.zeros((3, 2), dtype=int)
    for k, (zero, left, right) in enumerate(found):
        zeros[k], signs[k] = zero, (left, right)
    run = ld.simulate(flow, ld.ParabolaState(p=p_start, tau=tau), ts=[0.0, horizon], rtol=1e-8, engine="scipy")
    return {"velocity": velocity(p), "zeros": zeros, "signs": signs, "p_end": run.final.p}


def _p_minus(eta: float, tau: float, sigma2: float) -> float:
    """Return the repelling zero."""
    grid = np.linspace(*WINDOW, 2803)
    found = numerical_fixed_points.crossings(_velocity(float(eta), sigma2, float(tau))[1], grid)
    return next(zero for zero, left, right in found if (left, right) == (-1, 1))


def _words(data: dict[str, Any], k: int) -> list[str]:
    """Return the stability of each zero at one decay, left to right."""
    there = np.isfinite(data["zeros"][k])
    return [NAMES[(int(left), int(right))] for left, right in data["signs"][k][there]]


def _aim(data: dict[str, Any], k: int) -> np.ndarray:
    """Return where each start must end: the next zero in the direction of its velocity."""
    zeros = data["zeros"][k][np.isfinite(data["zeros"][k])]
    start = data["p_start"]
    rising = np.interp(start, data["p"], data["velocity"][k]) > 0
    above = np.array([np.min(zeros[zeros > p], initial=np.inf) for p in start])
    below = np.array([np.max(zeros[zeros < p], initial=-np.inf) for p in start])
    return np.where(rising, above, below)


def _apart(found: np.ndarray, closed: np.ndarray) -> float:
    """Return the Hausdorff distance of the zeros found and the closed forms, NaN padding ignored."""
    if not np.any(np.isfinite(found)):
        return np.nan
    distance = np.abs(found[:, None] - closed[None, :])
    return float(max(np.nanmax(np.nanmin(distance[np.isfinite(found)], axis=1)),
                     np.nanmax(np.nanmin(distance[:, np.isfinite(closed)], axis=0))))  # fmt: skip


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    count = [int(np.isfinite(row).sum()) for row in data["zeros"]]
    apart = [_apart(data["zeros"][k], data["closed"][k]) for k in (0, 1, 3)]
    ends = max(float(np.max(np.abs(data["p_end"][k] - _aim(data, k)))) for k in range(4))
    moves = np.concatenate([np.diff(data["p_minus_over_eta"]), -np.diff(data["p_minus_over_tau"])])
    return (
        Checklist("tian2021", 4)
        .measure("counts", [count[0], count[1], count[3]])
        .measure("closed_forms", max(apart))
        .measure("no_decay", _words(data, 0))
        .measure("weak_decay", _words(data, 1))
        .measure("strong_decay", _words(data, 3))
        .measure("critical_as_printed", _words(data, 2))
        .measure("critical_merged", _apart(data["zeros"][2], data["closed"][2]))
        .measure("ends", ends)
        .measure("p_minus_moves", float(moves.min()), f"smallest move {moves.min():.3g}")
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: dp/dt over p in the three regimes."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 3, height=3.5, sharex=True, sharey=True)
    titles = (r"$\eta = 0$", rf"$0 < \eta = {data['eta'][1]:g} < \eta_c$", rf"$\eta = {data['eta'][3]:g} > \eta_c$")
    for panel, k, title in zip(axes[0], (0, 1, 3), titles, strict=True):
        panel.set(title=title, xlabel=r"$p_j$", xlim=WINDOW, ylim=(-0.12, 0.12))
        zeros = data["zeros"][k][np.isfinite(data["zeros"][k])]
        phase_plane.phase_line(panel, data["p"], data["velocity"][k], zeros, _words(data, k))
        names = {1: ("0",), 2: ("0", "+"), 3: ("0", "-", "+")}[len(zeros)]
        for zero, name in zip(zeros, names, strict=True):
            beside = (4, -17) if name == "-" else (5, 8)
            panel.annotate(rf"$p_{name}$", (zero, 0), xytext=beside, textcoords="offset points", fontsize=11)
    at_critical: dict[str, Any] = {"color": style.GREY, "linewidth": 1.0, "linestyle": (0, (4, 2))}
    axes[0, 2].plot(data["p"], data["velocity"][2], zorder=2, **at_critical)
    phase_plane.points(axes[0, 2], [float(data["zeros"][2][1])], [0.0], ["half-stable right"], size=5.5)
    axes[0, 0].set_ylabel(r"velocity $\dot p_j$")
    key = [
        Line2D([], [], color=style.INK, label=r"$\dot p_j$"),
        Line2D([], [], label=rf"$\dot p_j$ at $\eta = \eta_c = {data['eta'][2]:g}$", **at_critical),
        Line2D([], [], color=style.FLOW, linestyle="none", marker=">", label="flow"),
        *phase_plane.legend_entries("stable", "unstable", "half-stable left"),
    ]
    style.letters(axes)
    style.frame(
        figure,
        r"Fixed points of Eq. 16 on the parabola, $\dot p_j = p_j^2\,[\tau - (1+\sigma^2)\,p_j] - \eta\,p_j$",
        rf"chosen here (not printed in the paper): $\tau = {given['tau']:g}$, $\sigma^2 = {given['sigma2']:g}$, "
        rf"weak and strong $\eta$; $\eta_c = \tau^2/(4(1+\sigma^2)) = {data['eta'][2]:g}$",
        key,
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
