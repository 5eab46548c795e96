"""Tian 2021, Fig. 3: the (p, s) plane of Eqs. 11-12 at tau = 1, alpha_p = 1, for no, weak and strong weight decay.

    dp/dt = alpha_p s [tau - (1 + sigma^2) p] - eta p,    ds/dt = 2 p s [tau - (1 + sigma^2) p] - 2 eta s

Fixed points are searched on the flow itself (Newton from many starts, Jacobian by differences) and then held
against the closed forms. Without decay they fill two lines, s = 0 and p = tau/(1 + sigma^2).
"""

import sys
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.papers import Checklist, Claim, main
from lindyn.phase import numerical_fixed_points
from lindyn.plotting import phase_plane, style

P, S = (-0.8, 1.5), (0.0, 1.2)  # the window
NEAR_P, NEAR_S = (-0.006, 0.026), (0.0, 6.0e-4)  # the inset: p_- is about eta
NEAR_START = np.array(  # p, 10^4 s
    [(-0.005, 1.0), (-0.005, 2.6), (-0.005, 4.2), (0.0, 5.8), (0.006, 5.8), (0.0, 1.5), (0.009, 0.45), (0.0155, 0.25),
     (0.019, 0.4), (0.0255, 0.15), (0.0255, 1.6)]
)  # fmt: skip
WORDS = np.array(["none", "stable", "unstable"])


def compute(
    eta: tuple[float, ...] = (0.0, 0.01, 1.0),
    horizon: tuple[float, ...] = (600.0, 1600.0, 40.0),
    sigma2: float = 0.25,
    alpha_p: float = 1.0,
    tau: float = 1.0,
    lines: int = 30,
    times: int = 300,
) -> dict[str, Any]:
    """Return flow lines, fixed points found on the flow, and nullclines, for three weight decays.

    Args:
        eta: the first must be 0.
        horizon: flow time of the lines, one per eta.
        sigma2: variance of the augmentation.
        alpha_p: learning-rate ratio of the predictor.
        tau: target / online ratio, held.
        lines: flow lines per panel.
        times: kept per line.

    Returns:
        Arrays whose first axis is eta, padded with NaN; "none" pads words.
    """
    flows = [ld.ModeFlow(ld.Hyperparameters(alpha_p, 0.0, e), x_aug=sigma2, tau="constant") for e in eta]
    p_start, s_start = _starts(lines)
    near_p, near_s = NEAR_START[:, 0], NEAR_START[:, 1] * 1e-4
    data: dict[str, Any] = {"eta": np.array(eta), "horizon": np.array(horizon)}
    for name, starts, kept in (("", (p_start, s_start), slice(None)), ("near_", (near_p, near_s), slice(1, 2))):
        runs = [_run(flow, *starts, tau, end, times) for flow, end in zip(flows[kept], horizon[kept], strict=True)]
        data[f"{name}p"] = np.stack([run.states.p for run in runs])
        data[f"{name}s"] = np.stack([run.states.s for run in runs])
        data[f"{name}t"] = np.stack([run.ts for run in runs])
    fields = [_field(flow, tau) for flow in flows]
    data |= _points(fields, eta, tau, sigma2, alpha_p)
    data |= _lines_of_points(fields[0], tau / (1 + sigma2))
    data |= _nullclines(fields, eta, tau, sigma2, alpha_p)
    given = {"eta": eta, "sigma2": sigma2, "alpha_p": alpha_p, "tau": tau, "horizon": horizon, "lines": lines}
    return data | {"parameters": given | {"rtol": 1e-11}}


def _starts(lines: int) -> tuple[np.ndarray, np.ndarray]:
    """Return starts around the window's edge and along its floor, none of them on the parabola."""
    n = max(lines // 6, 2)
    left = [(P[0], s) for s in np.linspace(0.12, 1.1, n)]
    top = [(p, S[1]) for p in np.linspace(P[0] + 0.15, P[1] - 0.15, 2 * n)]
    right = [(P[1], s) for s in np.linspace(0.1, 1.0, n)]
    floor = [(p, 0.012) for p in np.linspace(-0.27, 0.62, 4)] + [(p, 0.06) for p in np.linspace(0.95, 1.3, 3)]
    return tuple(np.array([*left, *top, *right, *floor]).T)  # type: ignore[return-value]


def _run(flow: Any, p: np.ndarray, s: np.ndarray, tau: float, end: float, times: int) -> Any:
    ts = np.concatenate([[0.0], np.geomspace(1e-3, end, times - 1)])
    return ld.simulate(flow, ld.ModeState(p=p, s=s, tau=tau), ts=ts, rtol=1e-11, engine="scipy")


def _field(flow: Any, tau: float) -> numerical_fixed_points.Field:
    return numerical_fixed_points.field(flow, ("p", "s"), lambda p, s: {"p": p, "s": s, "tau": tau})


def _points(fields: list, eta: tuple, tau: float, sigma2: float, alpha_p: float) -> dict[str, Any]:
    """Return isolated fixed points with stability and eigenvalues (eta > 0), and the closed forms beside them."""
    grid = np.stack(np.meshgrid(np.linspace(-0.4, 1.2, 7), np.linspace(0.003, 1.0, 6)), axis=-1).reshape(-1, 2)
    grid = np.concatenate([grid, [[0.012, 2e-4], [0.001, 1e-6]]])
    found, words = np.full((len(eta), 3, 2), np.nan), np.full((len(eta), 3), "none", dtype="<U12")
    closed, closed_words = found.copy(), words.copy()
    for k, (rates, e) in enumerate(zip(fields, eta, strict=True)):
        theory = ld.theory.fixed_points(eta=e, tau=tau, x_aug=sigma2, alpha_p=alpha_p)
        closed[k] = [(theory.p_zero, 0.0), (theory.p_minus, theory.s_minus), (theory.p_plus, theory.s_plus)]
        closed_words[k] = [str(theory.stability[name]) for name in ("zero", "minus", "plus")]
        if e > 0:
            roots = numerical_fixed_points.roots(rates, grid, lambda v: P[0] <= v[0] <= P[1] and -1e-9 <= v[1] <= S[1])
            found[k, : len(roots)] = roots[:3]
            words[k, : len(roots)] = [numerical_fixed_points.stability(rates, root)[0] for root in roots[:3]]
    return {"points": found, "stability": words, "closed": closed, "closed_stability": closed_words}


def _lines_of_points(rates: numerical_fixed_points.Field, p_star: float) -> dict[str, Any]:
    """Return the two lines of fixed points at eta = 0 with the eigenvalues across and along; roots found blindly."""
    floor = np.stack([np.linspace(*P, 461) + 1e-4, np.zeros(461)], axis=1)
    wall = np.stack([np.full(120, p_star), np.linspace(0.01, S[1], 120)], axis=1)
    out: dict[str, Any] = {}
    for name, line in (("floor", floor), ("wall", wall)):
        values = np.array([numerical_fixed_points.stability(rates, v)[1].real for v in line])
        across = np.take_along_axis(values, np.argmax(np.abs(values), axis=1)[:, None], axis=1)[:, 0]
        out |= {name: line, f"{name}_across": across, f"{name}_along": np.min(np.abs(values), axis=1)}
        out[f"{name}_rate"] = np.max(np.abs(rates(line.T)), axis=0)
    grid = np.stack(np.meshgrid(np.linspace(-0.7, 1.4, 9), np.linspace(0.05, 1.0, 6)), axis=-1).reshape(-1, 2)
    out["blind"] = numerical_fixed_points.roots(
        rates, grid, lambda v: P[0] <= v[0] <= P[1] and -1e-9 <= v[1] <= S[1], apart=1e-3
    )
    return out


def _nullclines(fields: list, eta: tuple, tau: float, sigma2: float, alpha_p: float) -> dict[str, Any]:
    """Return every branch of both nullclines, what is left of the rate on it, and the sign changes along rows s > 0."""
    n, p_star = 200, tau / (1 + sigma2)
    zero_p, zero_s = np.full((len(eta), 2, n, 2), np.nan), np.full((len(eta), 3, n, 2), np.nan)
    left, changes = [], []
    up, across = np.linspace(*S, n), np.linspace(*P, n)
    rows = np.stack(np.meshgrid(np.linspace(*P, 1407), np.linspace(0.05, S[1], 24)))
    for k, (rates, e) in enumerate(zip(fields, eta, strict=True)):
        p = np.linspace(0.0, p_star * (1 - 1e-3), n)
        curve = e * p / (alpha_p * (tau - (1 + sigma2) * p))
        branches = [(p, curve)] if e > 0 else [(np.full(n, p_star), up), (across, np.zeros(n))]
        theory = ld.theory.fixed_points(eta=e, tau=tau, x_aug=sigma2)
        walls = [w for w in (float(theory.p_minus), float(theory.p_plus)) if np.isfinite(w)]
        others = [(across, np.zeros(n)), *((np.full(n, w), up) for w in walls)]
        for into, curves, row in ((zero_p, branches, 0), (zero_s, others, 1)):
            for j, branch in enumerate(curves):
                into[k, j] = np.stack(branch, axis=1)
                left.append(float(np.max(np.abs(rates(np.stack(branch))[row]) / (1 + np.abs(branch[1])))))
        signs = np.sign(rates(rows))
        changes.append(np.sum(signs[:, :, 1:] * signs[:, :, :-1] < 0, axis=2))
    counts = np.array(changes)  # eta x (dp/dt, ds/dt) x rows
    return {"zero_p": zero_p, "zero_s": zero_s, "nullcline_rate": np.array(left), "sign_changes": counts}


def _ends(data: dict[str, Any], k: int) -> np.ndarray:
    """Return each line's distance from where it must end.

    Without decay c = s - p^2/alpha_p is kept: a line that reaches p* = tau/(1 + sigma^2) ends at s = p*^2/alpha_p + c,
    a collapsing one at s = 0, p = -+ sqrt(-alpha_p c). With decay the end is the nearest stable fixed point.
    """
    given = data["parameters"]
    p, s = data["p"][k], data["s"][k]
    if data["eta"][k] > 0:
        goals = data["points"][k][data["stability"][k] == "stable"]
        return np.min(np.hypot(p[-1][:, None] - goals[:, 0], s[-1][:, None] - goals[:, 1]), axis=1)
    alpha_p, p_star = given["alpha_p"], given["tau"] / (1 + given["sigma2"])
    c = s[0] - p[0] ** 2 / alpha_p
    lost = (c < 0) & ((p[0] < 0) | ((p[0] > p_star) & (c < -(p_star**2) / alpha_p)))
    at_floor = np.sign(p[0]) * np.sqrt(np.maximum(-alpha_p * c, 0.0))
    return np.hypot(p[-1] - np.where(lost, at_floor, p_star), s[-1] - np.where(lost, 0.0, p_star**2 / alpha_p + c))


def _invariance(data: dict[str, Any]) -> float:
    """Return how far s - p^2/alpha_p is from c exp(-2 eta t) along the lines, relative to s + p^2/alpha_p."""
    alpha_p, worst = data["parameters"]["alpha_p"], 0.0
    for k, eta in enumerate(data["eta"]):
        kept = data["s"][k] - data["p"][k] ** 2 / alpha_p
        size = data["s"][k] + data["p"][k] ** 2 / alpha_p
        off = np.abs(kept - kept[0] * np.exp(-2 * eta * data["t"][k])[:, None])
        worst = max(worst, float(np.max(off / np.maximum(size, 1e-300))))
    return worst


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    strong = data["stability"][2] != "none"
    strong_points = [*data["points"][2][strong].round(12).ravel(), *map(str, data["stability"][2][strong])]
    p_star = data["parameters"]["tau"] / (1 + data["parameters"]["sigma2"])
    floor_p = data["floor"][:, 0]
    unstable = data["floor_across"] > 0
    wrong = int(np.sum(unstable != ((floor_p > 0) & (floor_p < p_star))) + np.sum(data["wall_across"] >= 0))
    blind = np.minimum(np.abs(data["blind"][:, 1]), np.abs(data["blind"][:, 0] - p_star))
    ends = [float(np.max(_ends(data, k))) for k in range(3)]
    return (
        Checklist("tian2021", 3)
        .measure("weak_points", np.abs(data["points"][1] - data["closed"][1]))
        .measure("weak_stability", [str(word) for word in data["stability"][1]])
        .measure("weak_theory", [str(word) for word in data["closed_stability"][1]])
        .measure("strong_collapse", strong_points)
        .measure("lines", float(np.max(np.concatenate([data["floor_rate"], data["wall_rate"], data["floor_along"]]))))
        .measure("lines_stability", wrong, f"{wrong} of {len(floor_p) + len(data['wall'])} points differ")
        .measure("lines_all", float(np.max(blind)), f"{len(blind)} roots, farthest {np.max(blind):.1e}")
        .measure("ends_no_decay", ends[0])
        .measure("ends_decay", max(ends[1:]))
        .measure("invariant", _invariance(data))
        .measure("nullclines", float(np.max(data["nullcline_rate"])))
        .measure("nullclines_all", [[np.unique(row).tolist() for row in pair] for pair in data["sign_changes"]])
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: one plane per weight decay."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 3, height=4.4, sharex=True, sharey=True)
    for k, (panel, name) in enumerate(zip(axes[0], ("no", "weak", "strong"), strict=True)):
        panel.set(xlim=P, ylim=(-0.018, S[1]), xlabel=r"$p_j$")
        panel.set_title(rf"{name} weight decay, $\eta = {data['eta'][k]:g}$")
        _plane(panel, data, k)
        phase_plane.flow_lines(panel, data["p"][k], data["s"][k])
    near = style.inset(axes[0, 1], (0.03, 0.5, 0.42, 0.44), NEAR_P, NEAR_S)
    _plane(near, data, 1)
    phase_plane.flow_lines(near, data["near_p"][0], data["near_s"][0], arrow=0.5)
    near.set(xticks=[0, 0.01, 0.02], yticks=[2e-4, 4e-4], yticklabels=["2e-4", "4e-4"])
    near.tick_params(axis="y", direction="in", pad=-19)
    axes[0, 0].set_ylabel(r"$s_j$")
    entries = phase_plane.legend_entries(
        "flow", "parabola", "nullcline 0", "nullcline 1", "stable", "unstable", "stable line", "unstable line"
    )
    entries[2].set_label(r"$\dot p_j = 0$")
    entries[3].set_label(r"$\dot s_j = 0$ ($s_j = 0$ too)")
    style.letters(axes)
    style.frame(
        figure,
        rf"State space of Eqs. 11-12, $\tau = {given['tau']:g}$, $\alpha_p = {given['alpha_p']:g}$",
        rf"chosen here (not printed in the paper): $\sigma^2 = {given['sigma2']:g}$, window, initial points, horizon",
        entries,
    )
    return figure


def _plane(panel: Axes, data: dict[str, Any], k: int) -> None:
    """Draw parabola, nullclines and fixed points of one plane."""
    p = np.linspace(*P, 400) if panel.get_xlim()[1] > 1 else np.linspace(*NEAR_P, 200)
    phase_plane.invariant_curve(panel, p, p**2 / data["parameters"]["alpha_p"])
    for which, branches in enumerate((data["zero_p"][k], data["zero_s"][k])):
        for branch in branches[np.isfinite(branches[:, 0, 0])]:
            phase_plane.nullcline(panel, *branch.T, which)
    if data["eta"][k] == 0:
        for name in ("floor", "wall"):
            phase_plane.line_of_points(panel, *data[name].T, WORDS[1 + (data[f"{name}_across"] > 0)])
    there = data["stability"][k] != "none"
    phase_plane.points(panel, *data["points"][k][there].T, data["stability"][k][there])


if __name__ == "__main__":
    sys.exit(main(__file__))
