"""Richemond 2023, claim 10 (its Fig. 3) in the linear model: spectrum of the outputs, Newton-Schulz and DirectCopy.

Decoupled modes with X = I and X' = x'_j, target = online network, no decay; the rule sees the outputs' correlation,
with eigenvalues q_j = (1 + x'_j) s_j. A mode grows like exp(2 int g_j), g_j = p_j (1 - p_j/l_j), l_j = 1/(1 + x'_j).
Newton-Schulz: p_j ~ sqrt(q_j), so every mode rests at p_j = l_j and q_j ~ l_j^2, between 0 and 1.
DirectCopy q/||q||_F + a I sees no size: modes only compete. Those kept share one growth g, which is stable where g_j
falls with p_j, p_j > l_j/2 (for all but at most one of them), and sum (p_j - a)^2 = 1 then leaves room for few:
sum (l_j/2 - a)_+^2 <= 1 over the modes kept, four of them where l_j ~ 1 and a = 0.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style
from lindyn.predictors import Rule

KEPT = 1e-3  # of the largest eigenvalue


def compute(
    ridge_ns: tuple[float, ...] = (0.0, 0.3),
    ridge_copy: tuple[float, ...] = (0.0, 0.15, 0.3, 0.45),
    modes: int = 16,
    augmentation: tuple[float, float] = (0.02, 20.0),
    size: float = 0.02,
    spread: float = 0.5,
    runs: int = 3,
    horizon: float = 300.0,
    shown: tuple[float, ...] = (0.0, 3.0, 10.0, 30.0),
) -> dict[str, Any]:
    """Return eigenvalues q_j and p_j over time under both rules, for some ridges and starts.

    Args:
        ridge_ns: ridges of Newton-Schulz (n = 9), the first 0.
        ridge_copy: ridges of DirectCopy (Frobenius norm), the first 0.
        modes: number of modes.
        augmentation: smallest and largest x'_j, evenly spaced in their logarithm.
        size: mean of q_j(0).
        spread: q_j(0) is uniform within this share of it.
        runs: starts, seeds 0, 1, ...
        horizon: flow time.
        shown: times kept beside it.

    Returns:
        Arrays rule x run x time x mode; the rules are Newton-Schulz with its ridges, then DirectCopy with its ridges.
    """
    x_aug, ts = np.geomspace(*augmentation, modes), np.array([*shown, horizon])
    rules = [Rule.of("newton_schulz", steps=9, ridge=a) for a in ridge_ns]
    rules += [Rule.of("direct_copy", ridge=a) for a in ridge_copy]
    q, p = [], []
    for rule in rules:
        flow = ld.ModeFlow(ld.Hyperparameters(1.0, 1.0, 0.0), x=1.0, x_aug=x_aug, target="online", predictor=rule)
        paths = []
        for seed in range(runs):
            start = size * np.random.default_rng(seed).uniform(1 - spread, 1 + spread, modes) / (1 + x_aug)
            y = ld.ModeState(p=np.zeros(modes), s=start, tau=np.ones(modes))
            paths.append(ld.simulate(flow, y, ts, rtol=1e-6, engine="scipy").states)
        q.append([(1 + x_aug) * path.s for path in paths])
        p.append([path.p for path in paths])
    given = {"ridge_ns": ridge_ns, "ridge_copy": ridge_copy, "modes": modes, "augmentation": augmentation, "size": size}
    given |= {"spread": spread, "runs": runs, "horizon": horizon, "rtol": 1e-6, "steps": 9}
    return {"t": ts, "x_aug": x_aug, "q": np.array(q), "p": np.array(p), "parameters": given}


def _normalised(q: np.ndarray) -> np.ndarray:
    return q / q.max(axis=-1, keepdims=True)


def _separation(q: np.ndarray) -> np.ndarray:
    """Return the mean of |2 q_j/max q - 1|: 1 where every eigenvalue is 0 or the largest."""
    return np.mean(np.abs(2 * _normalised(q) - 1), axis=-1)


def _kept(data: dict[str, Any]) -> np.ndarray:
    return _normalised(data["q"][:, :, -1]) > KEPT


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, q, p = data["parameters"], data["q"], data["p"][:, :, -1]
    first, limit, kept = len(given["ridge_ns"]), 1 / (1 + data["x_aug"]), _kept(data)
    begin, end = _separation(q[:, :, 0]), _separation(q[:, :, -1])
    rise, both = end - begin, [0, *range(first, len(q))]
    near_one = np.mean(_normalised(q[:, :, -1]) > 0.5, axis=(1, 2))
    growth = np.where(kept, p * (1 - p / limit), np.nan)[first:]
    return (
        Checklist("richemond2023", 3)
        .measure("separate", float(rise[:first].min()), f"by {rise[:first].min():.2f} to {rise[:first].max():.2f}")
        .measure("separate_copy", float(rise[first:].min()), f"by {rise[first:].min():.2f} to {rise[first:].max():.2f}")
        .measure("better", float((end[0] - end[first:]).min()), "at the end " + listed(end.mean(axis=1)[both], ".2f"))
        .measure("near_one", float(near_one[0] - near_one[first:].max()), "shares " + listed(near_one[both], ".2f"))
        .measure("rest", np.abs(p[0] - limit))
        .measure("keeps", float(kept[0].mean(axis=-1).min()))
        .measure("ridge", np.abs(p[:first] - np.maximum(limit, np.array(given["ridge_ns"])[:, None, None])))
        .measure("room", *_room(given["ridge_copy"], limit, kept[first:]))
        .measure("compete", float(np.max(np.nanmax(growth, axis=-1) - np.nanmin(growth, axis=-1))))
        .measure("half", int(np.max(np.sum(kept[first:] & (p[first:] < limit / 2), axis=-1))))
        .done()
    )


def _room(ridge: Any, limit: np.ndarray, kept: np.ndarray) -> tuple[float, str]:
    """Return the largest sum of (l_j/2 - a)_+^2 over the modes kept, and how many were kept, in words."""
    each = np.maximum(limit / 2 - np.array(ridge)[:, None], 0)[:, None, :] ** 2
    counts = kept.sum(axis=-1).mean(axis=1)
    return float(np.sum(each * kept, axis=-1).max()), f"modes kept {listed(counts, '.1f')} of {len(limit)}"


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: normalised spectra over time under both rules, and how many modes each keeps."""
    given, t, x_aug = data["parameters"], data["t"], data["x_aug"]
    first, ridge = len(given["ridge_ns"]), given["ridge_copy"]
    figure, axes = style.new_figure(1, 4, height=3.7, sharey=True)
    picked = [(0, "Newton-Schulz"), (first, "DirectCopy"), (first + len(ridge) // 2, "DirectCopy")]
    for panel, (rule, name) in zip(axes[0], picked, strict=False):
        curves = _normalised(data["q"][rule, 0])
        panel.vlines(x_aug, curves.min(axis=0), curves.max(axis=0), color=style.PALE, linewidth=1.0, zorder=1)
        words = [f"$t = {time:g}$" for time in t]
        over_time.family(panel, x_aug, curves, words, linestyle="none", marker="o", markersize=3.5)
        a = given["ridge_ns"][rule] if rule < first else ridge[rule - first]
        panel.set(title=rf"{name}, ridge {a:g}", xscale="log", xlabel=r"augmentation $x'_j/x_j$")
    axes[0, 0].plot(x_aug, (1 + x_aug[0]) ** 2 / (1 + x_aug) ** 2, "x", color=style.STABLE, markersize=6)
    axes[0, 0].set(ylabel=r"eigenvalue of $F$ / the largest", ylim=(-0.03, 1.06))
    share = _kept(data).mean(axis=-1)
    for rules, a, color, name in ((slice(first), given["ridge_ns"], style.FLOW, "Newton-Schulz"),
                                  (slice(first, None), ridge, style.STABLE, "DirectCopy")):  # fmt: skip
        axes[0, 3].plot(a, share[rules].mean(axis=1), "o-", color=color, label=name)
    axes[0, 3].set(title="share of modes kept", xlabel="ridge")
    axes[0, 3].legend(loc="lower right")
    handles, _ = axes[0, 0].get_legend_handles_labels()
    path = Line2D([], [], color=style.PALE, linewidth=1.0, label="one mode over time")
    closed = Line2D([], [], linestyle="none", marker="x", color=style.STABLE, label=r"$1/(1 + x'/x)^2$")
    style.letters(axes)
    style.frame(
        figure,
        "Spectrum of the outputs' correlation, claim 10 in the linear model",
        rf"chosen here: {given['modes']} modes, $x = 1$, $x'$ from {given['augmentation'][0]:g} to "
        rf"{given['augmentation'][1]:g}, target = online network, no decay, $q_j(0)$ about {given['size']:g} "
        rf"(one of {given['runs']} starts shown), $t = {given['horizon']:g}$",
        [*handles, path, closed],
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
