"""Mode trajectories (s_j(t), p_j(t)) under every closed-form rule and the trained predictor, on the same data.

Not in Richemond et al.: decoupled modes with x = 1 and x'_j; s_j grows at the rate 2 g_j, g_j = p_j (tau_j - p_j
(1 + x'_j)) - eta. A rule sees q_j = (1 + x'_j) s_j and h_j = tau_j s_j. A mode at rest with s_j > 0 has tau = 1 and
g = 0, so p_j is p_+ of Eq. 16 whatever the rule (and p_- is the edge of the basin of 0): the rule only decides which
s_j that is. Regression has p_j = tau_j/(1 + x'_j), where the gradient for W is 0: s_j = s_j(0) exp(-2 eta t).
DirectCopy with the Frobenius norm sees no size, and has none to rest at.
"""

import sys
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import lindyn as ld
from lindyn.papers import Checklist, Claim, main
from lindyn.plotting import style
from lindyn.predictors import Rule

RULES: dict[str, Any] = {
    "trained": "trained",
    "DirectPred, Eq. 18, $\\epsilon = 0.1$": Rule.of("direct_pred", eps=0.1),
    "DirectSet, power 1/2": Rule.of("direct_set", power=0.5),
    "DirectSet, power 1": Rule.of("direct_set", power=1.0),
    "DirectSet, power 2": Rule.of("direct_set", power=2.0),
    "Visser, $n = 50$": Rule.of("visser", steps=50),
    "Newton-Schulz, $n = 9$": Rule.of("newton_schulz", steps=9),
    "NS$^2$, $n = 7$": Rule.of("newton_schulz_twice", steps=7),
    "Neumann": Rule.of("neumann"),
    "Stiefel as printed, $n = 9$": Rule.of("stiefel", steps=9),
    "regression": Rule.of("linear_regression"),
    "DirectCopy, ridge 0.3": Rule.of("direct_copy", ridge=0.3),
}
AT_REST = [0, 1, 2, 3, 5, 6, 7, 8, 9]  # rules under which every mode comes to rest at p_+ from this start
REACH, FAR_REACH = 2.5, 100.0  # of s in the panels: one rule reaches far beyond the others
POWER_2, REGRESSION, COPY = 4, 10, 11


def compute(
    x_aug: tuple[float, ...] = (0.05, 0.2, 0.6, 1.5, 3.0),
    eta: float = 0.01,
    beta: float = 0.4,
    alpha_p: float = 1.0,
    s0: float = 0.05,
    p0: float = 0.2,
    horizon: float = 600.0,
    times: int = 300,
) -> dict[str, Any]:
    """Return s, p and tau over time under every rule.

    Args:
        x_aug: x'_j of the modes; x = 1.
        eta: weight decay.
        beta: rate of the target.
        alpha_p: learning-rate ratio of the trained predictor.
        s0: s_j(0), the same for every mode.
        p0: p_j(0) of the trained predictor.
        horizon: flow time.
        times: kept, the first 0.

    Returns:
        Arrays rule x time x mode.
    """
    ts = np.append(0.0, np.geomspace(horizon / 3000, horizon, times - 1))
    n, hp = len(x_aug), ld.Hyperparameters(alpha_p, beta, eta)
    start = ld.ModeState(p=np.full(n, p0), s=np.full(n, s0), tau=np.ones(n))
    flows = [ld.ModeFlow(hp, x=1.0, x_aug=np.array(x_aug), predictor=rule) for rule in RULES.values()]
    paths = [ld.simulate(flow, start, ts, rtol=1e-6, atol=1e-12, engine="scipy").states for flow in flows]
    given = {"x_aug": x_aug, "eta": eta, "beta": beta, "alpha_p": alpha_p, "s0": s0, "p0": p0, "horizon": horizon}
    columns = {name: np.array([getattr(path, name) for path in paths]) for name in ("s", "p", "tau")}
    return columns | {"t": ts, "rules": np.array(list(RULES)), "parameters": given | {"rtol": 1e-6}}


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, t, s, p = data["parameters"], data["t"], data["s"], data["p"]
    x_aug, eta, beta = np.array(given["x_aug"]), given["eta"], given["beta"]
    _, p_plus = ld.theory.branches(eta, 1.0, 1.0, x_aug)
    ends = p[:, -1]
    powers = [np.abs(s[k, -1] * (1 + x_aug) - p_plus ** (1 / a)) for k, a in ((2, 0.5), (3, 1.0))]
    neumann = (1 - np.sqrt(1 - p_plus * (1 + x_aug))) / (1 + x_aug)
    shrunk = s[REGRESSION] / (given["s0"] * np.exp(-2 * eta * t)[:, None])
    lost = np.minimum(np.abs(ends[POWER_2] - p_plus), ends[POWER_2])
    return (
        Checklist("richemond2023", 4)
        .measure("rest", np.abs(ends[AT_REST] - p_plus), f"within {np.abs(ends[AT_REST] - p_plus).max():.0e}")
        .measure("trained", np.abs(s[0, -1] - p_plus**2 / given["alpha_p"]))
        .measure("powers", np.concatenate(powers))
        .measure("neumann", np.abs(s[8, -1] - neumann))
        .measure("power_2", lost, f"{int(np.sum(ends[POWER_2] < 1e-3))} of {len(x_aug)} modes lost")
        .measure("regression", np.abs(shrunk - 1))
        .measure("regression_p", np.abs(p[REGRESSION] * (1 + x_aug) - data["tau"][REGRESSION]))
        .measure("regression_tau", np.abs(data["tau"][REGRESSION, -1] - beta / (beta - eta)))
        .measure("copy", float(s[COPY, -1].max() / given["s0"]))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: one plane (s, p) per rule, one shade per mode."""
    given, s, p = data["parameters"], data["s"], data["p"]
    _, p_plus = ld.theory.branches(given["eta"], 1.0, 1.0, np.array(given["x_aug"]))
    figure, axes = style.new_figure(3, 4, height=7.8, sharey=True)
    colors = style.shades(len(p_plus))
    for k, (panel, name) in enumerate(zip(axes.flat, data["rules"], strict=True)):
        for j, color in enumerate(colors):
            panel.axhline(p_plus[j], color=color, linewidth=0.7, linestyle=(0, (2, 2)))
            panel.plot(s[k, :, j], p[k, :, j], color=color, clip_on=True)
            panel.plot(s[k, 0, j], p[k, 0, j], "o", color=color, markerfacecolor="white", markersize=4)
            panel.plot(s[k, -1, j], p[k, -1, j], "o", color=color, markersize=5)
        reach = REACH if s[k].max() < REACH else FAR_REACH
        panel.set(title=name, xscale="log", xlim=(5e-4, reach), ylim=(-0.03, 1.12))
    for panel in axes[-1]:
        panel.set_xlabel(r"$s_j$")
    for panel in axes[:, 0]:
        panel.set_ylabel(r"$p_j$")
    key = [Line2D([], [], color=c, label=rf"$x'_j = {a:g}$") for c, a in zip(colors, given["x_aug"], strict=True)]
    key += [Line2D([], [], color=style.GREY, linewidth=0.7, linestyle=(0, (2, 2)), label="$p_+$ of Eq. 16"),
            Line2D([], [], color=style.GREY, linestyle="none", marker="o", markerfacecolor="white", label="start"),
            Line2D([], [], color=style.GREY, linestyle="none", marker="o", label="end")]  # fmt: skip
    style.letters(axes)
    style.frame(
        figure,
        "Modes under every rule on the same data (not in the paper): those that live end at $p_+$, whatever the rule",
        rf"chosen here: $x = 1$, $\eta = {given['eta']:g}$, $\beta = {given['beta']:g}$, $\alpha_p = "
        rf"{given['alpha_p']:g}$, $s_j(0) = {given['s0']:g}$, $t = {given['horizon']:g}$; ends left of the window have "
        r"$s_j \to 0$",
        key,
    )
    return figure


if __name__ == "__main__":
    sys.exit(main(__file__))
