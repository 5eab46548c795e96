"""Bao 2023 beside the exact flow: what freezing the norms does, and what the term in p^6 does.

W = diag(p) and W_p = diag(p) on x ~ N(0, I): the modes of the learnt predictor under the cosine loss, decay rho. Beside
the exact flow (Gaussian integrals) and training on the true loss: Bao's rate with the norms as they run, with and
without p^6, and with the norms of the start kept. The exact loss has degree 0 in W and in W_p, so |W|^2 falls by its
decay alone; and so it does without p^6. On isotropic modes p = c the rest of the rate is 0, and p^6 leaves

    d c^2/dt = -2 rho c^2 - 4/((1 + v) d^2),   c = 0 at t = log(1 + rho (1 + v) d^2 c(0)^2/2)/(2 rho)

where d is the number of modes: with it the whole network dies in a finite time.
"""

import sys
from typing import Any

import numpy as np
import scipy.integrate
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.equations import bao
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import over_time, style
from lindyn.theory import frozen_norms

EXACT, WITHOUT, WITH, KEPT, TRAINED = NAMES = (
    "exact flow", "without $p^6$", "with $p^6$", "norms of the start", "training"
)  # fmt: skip
DEAD = 1e-6  # sum p^2 at which a network is given up: with p^6 it reaches 0 in a finite time


def compute(
    v: float = 0.25,
    rho: float = 0.05,
    start: tuple[float, float] = (0.2, 1.0),
    modes: int = 16,
    horizon: float = 30.0,
    steps: int = 3000,
    batch: int = 512,
    seed: int = 0,
    times: int = 201,
) -> dict[str, Any]:
    """Return p over time by every route, and the isotropic network with and without p^6.

    Args:
        v: variance of the augmentation over the data's.
        rho: weight decay.
        start: smallest and largest p_j(0), evenly in their logarithm.
        modes: number of them.
        horizon: flow time.
        steps: of training, a multiple of times - 1; its learning rate is horizon/steps.
        batch: samples of a step of training.
        seed: of the samples.
        times: kept.

    Returns:
        Arrays route x time x mode in the order of NAMES.
    """
    p, ts = np.geomspace(*start, modes), np.linspace(0, horizon, times)
    held = frozen_norms.norms(p, v)
    routes = [_flow("cosine-exact", v, rho, p, ts), _closed(bao.without_sixth_order, v, rho, p, ts)]
    routes += [_closed(bao.frozen_norm_rate, v, rho, p, ts, norms) for norms in (None, held)]
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.0, eta=rho)
    flow = ld.WeightFlow(hp, ld.Moments.isotropic(modes, v), target="online", loss="cosine")
    plan = {"learning_rate": horizon / steps, "steps": steps, "batch": batch, "seed": seed}
    run = ld.descend(flow, ld.WeightState(np.diag(p), np.diag(p)), save_every=steps // (times - 1), **plan)
    routes.append(np.sort(np.linalg.svd(run.states.W, compute_uv=False), axis=-1))
    c = p[-1]
    death = np.log(1 + rho * (1 + v) * modes**2 * c**2 / 2) / (2 * rho)
    alike = np.linspace(0, 0.95 * death, times)
    given = {"v": v, "rho": rho, "start": start, "modes": modes, "horizon": horizon, "batch": batch, "seed": seed}
    return {
        "t": ts, "p": np.array(routes), "closure": _flow("cosine", v, rho, p, ts), "alike_t": alike,
        "alike": _closed(bao.frozen_norm_rate, v, rho, np.full(modes, c), alike)[:, 0],
        "regimes": np.array([frozen_norms.REGIMES.index(frozen_norms.regime(one, v, rho)) for one in routes[0]]),
        "parameters": given | {"steps": steps},
    }  # fmt: skip


def _flow(loss: str, v: float, rho: float, p: np.ndarray, ts: np.ndarray) -> np.ndarray:
    """Return p of a flow of lindyn on the modes themselves."""
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.0, eta=rho)
    flow = ld.ModeWeightFlow(hp, 1.0, v, target="online", loss=loss)
    return ld.simulate(flow, ld.ModeWeightState(p, p), ts, engine="scipy").states.w


def _closed(rate: Any, v: float, rho: float, p: np.ndarray, ts: np.ndarray, held: tuple | None = None) -> np.ndarray:
    """Return p of one of Bao's equations, at the norms that it has at each instant or at those given."""

    def of(_: float, p: np.ndarray) -> np.ndarray:
        return rate(p, v, *(held or frozen_norms.norms(p, v)), rho)

    def dies(_: float, p: np.ndarray) -> float:
        return float(np.sum(p * p)) - DEAD

    dies.terminal = True  # type: ignore[attr-defined]
    found = scipy.integrate.solve_ivp(of, (0, ts[-1]), p, "DOP853", ts, events=dies, rtol=1e-10, atol=1e-14)
    out = np.zeros((len(ts), len(p)))
    out[: found.y.shape[1]] = found.y.T
    return out


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, t, p = data["parameters"], data["t"], dict(zip(NAMES, data["p"], strict=True))
    exact, v, rho, d = p[EXACT], given["v"], given["rho"], given["modes"]
    free = np.exp(-rho * t)
    off = {name: _apart(p[name], exact) for name in NAMES[1:]}
    norm = {
        name: np.sum(p[name] ** 2, axis=1) / (free**2 * np.sum(exact[0] ** 2)) - 1 for name in (EXACT, WITHOUT, TRAINED)
    }
    squares = (2 / (rho * (1 + v) * d**2) + data["alike"][0] ** 2) * np.exp(-2 * rho * data["alike_t"])
    squares -= 2 / (rho * (1 + v) * d**2)
    rest = free[-1] * np.sqrt(np.mean(exact[0] ** 2))
    passed = [frozen_norms.REGIMES[int(k)] for k in dict.fromkeys(data["regimes"].tolist())]
    return (
        Checklist("bao2023", 2)
        .measure("closure", np.abs(p[WITHOUT] / data["closure"] - 1))
        .measure("without", off[WITHOUT])
        .measure("with", off[WITH])
        .measure("training", off[TRAINED])
        .measure("norm", np.abs([norm[EXACT], norm[WITHOUT]]))
        .measure("norm_training", np.abs(norm[TRAINED]))
        .measure("dies", np.abs(data["alike"] ** 2 / squares - 1), _death(data))
        .measure("passes", passed)
        .measure("rest", np.abs(exact[-1] / rest - 1))
        .done()
    )  # fmt: skip


def _apart(one: np.ndarray, exact: np.ndarray) -> float:
    """Return the largest distance over time, as a share of the largest p of the exact flow at that time."""
    return float((np.abs(one - exact).max(axis=1) / exact.max(axis=1)).max())


def _death(data: dict[str, Any]) -> str:
    dead = np.flatnonzero(~data["p"][NAMES.index(WITH)].any(axis=1))
    return "the modes of the figure die " + (f"by t = {data['t'][dead[0]]:g}" if len(dead) else "not within it")


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: modes by every route, then the norm."""
    given, t, p = data["parameters"], data["t"], dict(zip(NAMES, data["p"], strict=True))
    figure, axes = style.new_figure(1, 3, height=4.0)
    for panel, one, other in ((axes[0, 0], EXACT, WITHOUT), (axes[0, 1], WITH, KEPT)):
        over_time.family(panel, t, _shown(p[one]).T, [""] * given["modes"])
        if other == WITHOUT:
            over_time.marks(panel, t, p[other].T, every=12)
        else:
            over_time.family(panel, t, p[other].T, [""] * given["modes"], linestyle=(0, (3, 2)), linewidth=1.0)
        panel.set(yscale="log", ylim=(1e-3, 2.5), title=one, xlabel=r"flow time $t$", xlim=(0, t[-1]))
    _shade(axes[0, 0], t, data["regimes"])
    panel = axes[0, 2]
    looks = {
        EXACT: (style.INK, "-"),
        WITHOUT: (style.FLOW, (0, (4, 2))),
        WITH: (style.UNSTABLE, "-"),
        TRAINED: (style.STABLE, ":"),
    }
    for name, (colour, line) in looks.items():
        square = np.sum(_shown(p[name]) ** 2, axis=1)
        panel.plot(t, square / np.sum(p[name][0] ** 2), color=colour, linestyle=line, label=name)
    panel.plot(t[::20], np.exp(-2 * given["rho"] * t[::20]), "o", color=style.INK, mfc="white", markersize=4,
               label=r"$e^{-2 \rho t}$")  # fmt: skip
    panel.set(yscale="log", ylim=(1e-3, 1.3), xlim=(0, t[-1]), title=r"$|W|^2/|W(0)|^2$", xlabel=r"flow time $t$")
    panel.legend(loc="lower right")
    axes[0, 0].set_ylabel("$p_j$")
    style.letters(axes)
    key = [*style.mode_key(given["modes"], 3),
           Line2D([], [], linestyle="none", marker="o", markersize=3.5, markerfacecolor="white", color=style.GREY,
                  label="without $p^6$"),
           Line2D([], [], color=style.GREY, linestyle=(0, (3, 2)), linewidth=1.0,
                  label="norms of the start kept")]  # fmt: skip
    style.frame(
        figure,
        "Cosine loss, learnt linear predictor: the exact flow against norms frozen before the mean",
        rf"{given['modes']} modes, $v = {given['v']:g}$, $\rho = {given['rho']:g}$; training: {given['steps']} "
        f"minibatches of {given['batch']}; shades: regime of the norms that the exact flow has",
        key,
    )
    return figure


def _shown(p: np.ndarray) -> np.ndarray:
    """Return p with nothing where a network has died."""
    return np.where(p > 0, p, np.nan)


def _shade(panel: Any, t: np.ndarray, regimes: np.ndarray) -> None:
    at = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "bottom", "fontsize": 8, "rotation": 90}
    for k, (regime, shade) in enumerate(zip(frozen_norms.REGIMES, ("0.82", "0.9", "0.97"), strict=True)):
        inside = t[regimes == k] if k == 0 else np.append(t[regimes < k][-1:], t[regimes == k])
        if len(inside):
            panel.axvspan(inside[0], inside[-1], color=shade, zorder=0, linewidth=0)
            panel.annotate(regime, ((inside[0] + inside[-1]) / 2, 0.03), **at)


if __name__ == "__main__":
    sys.exit(main(__file__))
