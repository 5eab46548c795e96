"""Final spectrum of the outputs' correlation against the augmentation, under every rule, with the closed forms.

Not in Richemond et al.: decoupled modes with x = 1, target = online network. A mode that rests has p_j = p_+ of Eq. 16,
so its eigenvalue q_j = (1 + x'_j) s_j is the one that the rule turns into p_+:
    trained       q = (1 + x') p_+^2/alpha_p      DirectSet  q = p_+^(1/power)
    DirectPred    sqrt(q_j) = p_+j - eps max q, sqrt(q) + eps q = p_+ for the largest
    Neumann       q = 1 - (1 - p_+ (1 + x'))^(1/2)
    NS, Visser    the rule itself, turned round numerically with the norm that the result has
DirectCopy q/||q||_F + a I rests in its shape only: the modes share one growth g, p_j is the larger root of
p - p^2 (1 + x') = g, and g is where sum (p_j - a)_+^2 = 1.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import optimize

import lindyn as ld
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import style
from lindyn.predictors import Rule

COPY_RIDGE = 0.45
RULES: dict[str, Any] = {
    "trained": "trained",
    "DirectPred, $\\epsilon = 0.1$": Rule.of("direct_pred", eps=0.1),
    "DirectSet, power 1/2": Rule.of("direct_set", power=0.5),
    "DirectSet, power 1": Rule.of("direct_set", power=1.0),
    "Visser, $n = 50$": Rule.of("visser", steps=50),
    "Newton-Schulz, $n = 9$": Rule.of("newton_schulz", steps=9),
    "Neumann": Rule.of("neumann"),
    f"DirectCopy, ridge {COPY_RIDGE:g}": Rule.of("direct_copy", ridge=COPY_RIDGE),
}
TRAINED, PRED, HALF, ONE, VISSER, NS, NEUMANN, COPY = range(8)


def compute(
    modes: int = 14,
    augmentation: tuple[float, float] = (0.02, 20.0),
    eta: float = 0.01,
    alpha_p: float = 1.0,
    s0: float = 0.3,
    horizon: float = 500.0,
) -> dict[str, Any]:
    """Return eigenvalues q_j and p_j at the end of a run under every rule, and the closed forms.

    Args:
        modes: number of modes.
        augmentation: smallest and largest x'_j, evenly spaced in their logarithm.
        eta: weight decay.
        alpha_p: learning-rate ratio of the trained predictor.
        s0: q_j(0), the same for every mode; the trained predictor starts on its parabola, p_j^2 = alpha_p s_j.
        horizon: flow time.

    Returns:
        Arrays rule x mode.
    """
    x_aug, hp = np.geomspace(*augmentation, modes), ld.Hyperparameters(alpha_p, 1.0, eta)
    s = s0 / (1 + x_aug)
    start = ld.ModeState(p=np.sqrt(alpha_p * s), s=s, tau=np.ones(modes))
    ends = []
    for rule in RULES.values():
        flow = ld.ModeFlow(hp, x=1.0, x_aug=x_aug, target="online", predictor=rule)
        run = ld.simulate(flow, start, [0.0, horizon], rtol=1e-6, atol=1e-12, engine="scipy")
        ends.append(run[-1])
    given = {"modes": modes, "augmentation": augmentation, "eta": eta, "alpha_p": alpha_p, "s0": s0, "horizon": horizon}
    _, p_plus = ld.theory.branches(eta, 1.0, 1.0, x_aug)
    return {
        "x_aug": x_aug, "p_plus": p_plus, "rules": np.array(list(RULES)), "closed": _closed_forms(x_aug, p_plus, given),
        "q": np.array([(1 + x_aug) * y.s for y in ends]), "p": np.array([y.p for y in ends]),
        "parameters": given | {"rtol": 1e-6},
    }  # fmt: skip


def _closed_forms(x_aug: np.ndarray, p_plus: np.ndarray, given: dict[str, Any]) -> np.ndarray:
    largest = optimize.brentq(lambda q: np.sqrt(q) + 0.1 * q - p_plus.max(), 0.0, 1.0, xtol=1e-15)
    return np.array([
        (1 + x_aug) * p_plus**2 / given["alpha_p"],
        np.maximum(p_plus - 0.1 * largest, 0.0) ** 2,
        p_plus**2,
        p_plus,
        _turned_round(RULES["Visser, $n = 50$"], p_plus),
        _turned_round(RULES["Newton-Schulz, $n = 9$"], p_plus),
        1 - np.sqrt(1 - p_plus * (1 + x_aug)),
        _shape(1 / (1 + x_aug), COPY_RIDGE),
    ])  # fmt: skip


def _turned_round(rule: Rule, p_plus: np.ndarray) -> np.ndarray:
    """Return q with rule(q) = p_+: q <- q p_+/p until it is so; a mode below what the rule can reach ends at 0."""
    q = p_plus**2
    for _ in range(3000):
        q = q * p_plus / rule.modes(q)
    return np.where(q < 1e-12 * q.max(), 0.0, q)


def _shape(limit: np.ndarray, a: float) -> np.ndarray:
    """Return q_j/||q|| = (p_j - a)_+ of DirectCopy, p_j - p_j^2/l_j = g, with the g at which it has norm 1."""

    def parts(g: float) -> np.ndarray:
        real = np.maximum(1 - 4 * g / limit, 0.0)
        p = np.where(g < limit / 4, limit * (1 + np.sqrt(real)) / 2, 0.0)
        return np.maximum(p - a, 0.0)

    return parts(optimize.brentq(lambda g: np.sum(parts(g) ** 2) - 1, -5.0, limit.max() / 4, xtol=1e-15))


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    q, p, closed, p_plus = data["q"], data["p"], data["closed"], data["p_plus"]
    off = np.abs(q - closed)
    shape = np.abs(q[COPY] / np.linalg.norm(q[COPY]) - closed[COPY])
    lives = closed[:COPY] > 0
    every = np.abs(p[:COPY] - p_plus)[lives]
    order = np.diff(q[[PRED, HALF, ONE, VISSER, NS]], axis=1)
    spread = {k: q[k].max() / q[k].min() for k in (HALF, ONE)}
    return (
        Checklist("richemond2023", 5)
        .measure("same_p", every)
        .measure("trained", off[TRAINED])
        .measure("direct_set", off[[HALF, ONE]])
        .measure("direct_pred", off[PRED], f"{int(np.sum(closed[PRED] == 0))} modes below eps max q are lost")
        .measure("neumann", off[NEUMANN])
        .measure("iterations", off[[VISSER, NS]], f"Visser loses {int(np.sum(closed[VISSER] == 0))} modes")
        .measure("copy", shape, f"{int(np.sum(closed[COPY] > 0))} of {len(p_plus)} modes kept")
        .measure("ordered", float(order.max()))
        .measure("neumann_flat", float(q[NEUMANN].max() / q[NEUMANN].min()))
        .measure("power", float(spread[HALF] / spread[ONE]), f"ratios {spread[HALF]:.0f} and {spread[ONE]:.0f}")
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: eigenvalues of every rule, their p_j, and the shape under DirectCopy."""
    given, x_aug, q, p, closed = data["parameters"], data["x_aug"], data["q"], data["p"], data["closed"]
    figure, axes = style.new_figure(1, 3, height=4.1)
    looks = list(zip(style.shades(COPY), "os^vDPX", strict=True))
    for k, (color, marker) in enumerate(looks):
        lives = closed[k] > 0
        axes[0, 0].plot(x_aug[lives], closed[k][lives], color=color, linewidth=1.0)
        for panel, ends, every in ((axes[0, 0], q[k], 4), (axes[0, 1], p[k], COPY)):
            shown = lives & (np.arange(len(x_aug)) % every == k % every)  # no two marks on each other
            panel.plot(x_aug[shown], ends[shown], marker, color=color, markersize=5, markerfacecolor="white")
    axes[0, 0].set(title="eigenvalues at rest", ylabel=r"$q_j$ of the outputs", yscale="log")
    axes[0, 1].plot(x_aug, data["p_plus"], color=style.INK, linewidth=1.0, zorder=0)
    axes[0, 1].set(title="what every rule makes of them", ylabel=r"$p_j$", ylim=(0, 1.03))
    norm = np.linalg.norm(q[COPY])
    axes[0, 2].plot(x_aug, closed[COPY], color=style.STABLE, linewidth=1.0)
    axes[0, 2].plot(x_aug, q[COPY] / norm, "o", color=style.STABLE, markersize=4.5, markerfacecolor="white")
    axes[0, 2].set(title=str(data["rules"][COPY]), ylabel=r"$q_j/\|q\|$", ylim=(-0.01, None))
    for panel in axes[0]:
        panel.set(xscale="log", xlabel=r"augmentation $x'_j/x_j$")
    key = [Line2D([], [], color=color, marker=marker, markerfacecolor="white", label=name)
           for (color, marker), name in zip(looks, data["rules"], strict=False)]  # fmt: skip
    key.append(Line2D([], [], color=style.INK, linewidth=1.0, label="$p_+$ of Eq. 16"))
    key.append(Line2D([], [], color=style.STABLE, linewidth=1.0, marker="o", markerfacecolor="white"))
    key[-1].set_label(str(data["rules"][COPY]))
    style.letters(axes)
    style.frame(
        figure,
        "Final spectrum against the augmentation (not in the paper): closed forms (lines), the flow's end (marks)",
        rf"chosen here: {given['modes']} modes, $x = 1$, $\eta = {given['eta']:g}$, $\alpha_p = {given['alpha_p']:g}$, "
        rf"target = online network, $q_j(0) = {given['s0']:g}$, $t = {given['horizon']:g}$; "
        "the rules take turns in the modes that they mark",
        key,
        columns=5,
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
