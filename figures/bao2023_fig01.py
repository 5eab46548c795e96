"""Bao 2023: the regimes Collapse, Acute and Stable of the system with frozen norms (`lindyn.theory.frozen_norms`).

With the norms held at those of the modes p_j themselves there is no positive fixed point, or there are two, the larger
one stable. The regimes depend on the size c of the weights against the decay as rho c^2: decay, which shrinks c, leads
from Collapse over Acute to Stable.
"""

import sys
from typing import Any

import numpy as np
import scipy.integrate
import scipy.optimize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lindyn.equations import bao
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import phase_plane, style
from lindyn.theory import frozen_norms


def compute(
    v: float = 0.25,
    rho: float = 0.05,
    shape: tuple[float, float] = (0.2, 1.0),
    modes: int = 8,
    scales: tuple[float, float, float] = (1.6, 1.15, 0.5),
    horizon: float = 4000.0,
    points: int = 400,
) -> dict[str, Any]:
    """Return dp/dt, its zeros read off and as roots, where modes end, and the borders of the regimes.

    Args:
        v: variance of the augmentation over the data's.
        rho: weight decay.
        shape: smallest and largest p_j, evenly in their logarithm, before they are scaled.
        modes: number of them.
        scales: c of the three panels.
        horizon: time after which a mode of the frozen system has come to rest.
        points: along p and along the scale.

    Returns:
        Arrays, a row per scale.
    """
    one = np.geomspace(*shape, modes)
    grid = np.linspace(-0.2, 1.3, points)
    rows: list[list[Any]] = [[], [], [], [], [], []]
    for scale in scales:
        p = scale * one
        norms = frozen_norms.norms(p, v)
        of = lambda q, norms=norms: bao.frozen_norm_rate(q, v, *norms, rho)  # noqa: E731
        fine = np.geomspace(1e-3, 3.0, 20_000) * scale
        signs = np.flatnonzero(np.diff(np.sign(of(fine))))
        zeros = [scipy.optimize.brentq(of, fine[k], fine[k + 1], xtol=1e-15, rtol=1e-14) for k in signs]
        end = scipy.integrate.solve_ivp(lambda _, q, of=of: of(q), (0, horizon), p, "LSODA", rtol=1e-10, atol=1e-12)
        roots = _two(frozen_norms.positive_fixed_points(*norms, v, rho))
        beside = of(roots[:, None] * np.array([0.999, 1.001]))
        each = (of(scale * grid), _two(zeros), roots, end.y[:, -1], p, beside)
        for row, value in zip(rows, each, strict=True):
            row.append(value)
    along = np.geomspace(0.15, 2.5, points)
    return {
        "grid": np.array(scales)[:, None] * grid, "rates": np.array(rows[0]), "read_off": np.array(rows[1]),
        "roots": np.array(rows[2]), "ends": np.array(rows[3]), "p": np.array(rows[4]), "beside": np.array(rows[5]),
        "regimes": np.array([frozen_norms.REGIMES.index(frozen_norms.regime(c * one, v, rho)) for c in scales]),
        "borders": np.array([_border(one, v, rho, last) for last in (1, 2)]),
        "along": along, "fixed": np.array([_of_scale(c * one, v, rho) for c in along]),
        "parameters": {"v": v, "rho": rho, "shape": shape, "modes": modes, "scales": scales, "horizon": horizon},
    }  # fmt: skip


def _two(values: Any) -> np.ndarray:
    return np.append(np.asarray(values, float), [np.nan, np.nan])[:2]


def _of_scale(p: np.ndarray, v: float, rho: float) -> np.ndarray:
    return _two(frozen_norms.positive_fixed_points(*frozen_norms.norms(p, v), v, rho))


def _border(one: np.ndarray, v: float, rho: float, last: int) -> float:
    """Return the scale below which the regimes from `last` on are, by bisection on what the polynomial's roots say."""
    low, high = 1e-2, 1e2
    for _ in range(60):
        middle = (low * high) ** 0.5
        reached = frozen_norms.regime(middle * one, v, rho) in frozen_norms.REGIMES[last:]
        low, high = (middle, high) if reached else (low, middle)
    return low


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, zeros, roots, ends, p = data["parameters"], data["read_off"], data["roots"], data["ends"], data["p"]
    counts = (~np.isnan(zeros)).sum(axis=1)
    two = counts == 2
    wanted = np.where(two[:, None] & (p > roots[:, :1]), roots[:, 1:], 0.0)
    one = np.geomspace(*given["shape"], given["modes"])
    hand = np.array(frozen_norms.borders(one, given["v"], given["rho"]))
    return (
        Checklist("bao2023", 1)
        .measure("regimes", [frozen_norms.REGIMES[int(k)] for k in data["regimes"]])
        .measure("counts", counts)
        .measure("roots", np.abs(zeros[two] / roots[two] - 1))
        .measure("stability", np.sign(data["beside"][two]).astype(int))
        .measure("ends", np.abs(ends - wanted))
        .measure("borders", np.abs(data["borders"] / hand - 1), "c = " + listed(hand, ".5f"))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: dp/dt in the three regimes, and the fixed points against the size of the weights."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 4, height=3.8)
    for k, panel in enumerate(axes[0, :3]):
        scale, grid = given["scales"][k], data["grid"][k]
        panel.axhline(0, color=style.GREY, linewidth=0.7)
        panel.plot(grid, data["rates"][k], color=style.FLOW)
        height = 1.3 * np.abs(data["rates"][k][(grid > 0) & (grid < 0.66 * scale)]).max()
        panel.set(xlim=(-0.1 * scale, 1.1 * scale), ylim=(-height, height))
        panel.set_title(f"{frozen_norms.REGIMES[int(data['regimes'][k])]}, $c = {scale:g}$")
        panel.plot(data["p"][k], np.full(given["modes"], -0.93 * height), "|", color=style.INK, markersize=7)
        words = ["stable", "unstable", "stable"][: 1 + 2 * bool(np.isfinite(data["roots"][k, 0]))]
        x = [0.0, *data["roots"][k][np.isfinite(data["roots"][k])]]
        phase_plane.points(panel, x, np.zeros(len(x)), words)
        panel.set_xlabel("$p$")
    axes[0, 0].set_ylabel("$dp/dt$, frozen norms")
    panel, along = axes[0, 3], data["along"]
    panel.plot(along, data["fixed"][:, 1] / along, color=style.STABLE, label="stable")
    panel.plot(along, data["fixed"][:, 0] / along, color=style.UNSTABLE, linestyle="--", label="unstable")
    panel.axhline(given["shape"][0], color=style.INK, linewidth=0.9, linestyle=":", label="smallest mode")
    for border in data["borders"]:
        panel.axvline(border, color=style.GREY, linewidth=0.8, label="border" if border == data["borders"][0] else None)
    panel.set(xlabel="scale $c$ of the weights", ylabel="$p/c$", title="fixed points", ylim=(0, 1.0), xlim=(0, 1.5))
    style.letters(axes)
    style.key_above(panel)
    key = [Line2D([], [], color=style.FLOW, label="$dp/dt$"),
           Line2D([], [], color=style.INK, linestyle="none", marker="|", markersize=7, label="mode"),
           *phase_plane.legend_entries("stable", "unstable")]  # fmt: skip
    style.frame(
        figure,
        "Frozen norms: no positive fixed point, one out of reach for some modes, one in reach for all",
        rf"$v = {given['v']:g}$, $\rho = {given['rho']:g}$, {given['modes']} modes $p_j = c \times$ "
        rf"{given['shape'][0]:g} to {given['shape'][1]:g}; borders in closed form",
        key,
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
