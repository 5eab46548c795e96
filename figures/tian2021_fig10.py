"""Tian 2021, Fig. 10: the scalar system of Appendix D, with l_s = 1, l_d = 1/2, alpha_p = beta = 1 and no decay.

    dw_p/dt = alpha_p (w_a l_d - w_p w l_s) w,   dw/dt = w_p (w_a l_d - w_p w l_s),   dw_a/dt = beta (w - w_a)

Left: (w, w_p) with the target held at w_a = 1. Middle: w = w_p (kept by the flow at alpha_p = 1) against w_a. Right: no
predictor, w_p = 1: linear, so that every start collapses while l_d < l_s.
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

REACH = 2.0  # left window: |w|, |w_p| <= REACH
PLANE = (-0.5, 1.0)  # middle and right window: w and w_a
TICKS = (-0.5, 0.0, 0.5, 1.0)
NUDGE = 0.01
MIDDLE_START = np.array(  # w_a, w
    [(-0.5, 0.15), (-0.5, 0.5), (-0.5, 0.95), (0.1, 1.0), (0.6, 1.0), (1.0, 0.8), (1.0, 0.3), (1.0, 0.05), (0.5, 0.03),
     (0.0, 0.1), (1.0, -0.06), (1.0, -0.25), (0.6, -0.5), (0.1, -0.5), (-0.4, -0.5)]
)  # fmt: skip


def compute(
    l_s: float = 1.0,
    l_d: float = 0.5,
    alpha_p: float = 1.0,
    beta: float = 1.0,
    w_a: float = 1.0,
    arrows: int = 17,
    horizon: float = 300.0,
) -> dict[str, Any]:
    """Return the three fields, their nullclines, trajectories and fixed points.

    Args:
        l_s: eigenvalue of Sigma^s.
        l_d: eigenvalue of Sigma^d.
        alpha_p: learning-rate ratio of the predictor.
        beta: EMA rate of the target.
        w_a: target weight of the left panel, held.
        arrows: per side of the left panel.
        horizon: flow time of the trajectories.

    Returns:
        Arrays with the panel's name in front.
    """
    make = ld.ModeWeightFlow.appendix_d
    given = {"l_s": l_s, "l_d": l_d, "alpha_p": alpha_p, "beta": beta}
    return {
        **_left(make(**given, target="frozen"), w_a, w_a * l_d / l_s, arrows, horizon),
        **_middle(make(**given), l_d, l_s, horizon),
        **_right(make(**given, predictor="identity"), l_d, l_s, horizon),
        "right_equal_rate": _equal_moments(make(**{**given, "l_d": l_s}, predictor="identity")),
        "parameters": {**given, "eta": 0.0, "w_a_left": w_a, "horizon": horizon, "nudge": NUDGE},
    }


def _left(flow: Any, w_a: float, level: float, arrows: int, horizon: float) -> dict[str, Any]:
    """Return the direction field, the hyperbola with the eigenvalues on it, the origin, and trajectories."""
    rates = numerical_fixed_points.field(flow, ("w", "p"), lambda w, p: {"w": w, "p": p, "a": w_a})
    side = np.linspace(-REACH, REACH, arrows) + 1e-3  # off the hyperbola and the origin, where there is no direction
    grid = np.stack(np.meshgrid(side, side))
    field = rates(grid)
    w = np.geomspace(level / REACH, REACH, 160)
    branch = np.stack([w, level / w])
    values = np.array([np.sort(numerical_fixed_points.stability(rates, v)[1].real) for v in branch.T])
    around = np.linspace(0, 2 * np.pi, 14, endpoint=False) + 0.1
    w0, p0 = 1.9 * np.cos(around), 1.9 * np.sin(around)
    run = _run(flow, p0, w0, np.full_like(w0, w_a), horizon)
    return {
        "left_grid": grid,
        "left_arrows": field / np.linalg.norm(field, axis=0),
        "left_branch": branch,
        "left_branch_rate": np.max(np.abs(rates(branch))),
        "left_branch_eigenvalues": values,
        "left_origin_eigenvalues": numerical_fixed_points.stability(rates, np.zeros(2))[1].real,
        "left_w": run.states.w,
        "left_p": run.states.p,
        "left_roots": numerical_fixed_points.roots(
            rates, np.random.default_rng(0).uniform(-REACH, REACH, (60, 2)), _anywhere
        ),
    }


def _middle(flow: Any, l_d: float, l_s: float, horizon: float) -> dict[str, Any]:
    """Return the plane (w_a, w = w_p): nullclines, fixed points, and what a nudge off the origin does."""
    rates = numerical_fixed_points.field(flow, ("a", "w"), lambda a, w: {"p": w, "w": w, "a": a})
    roots = numerical_fixed_points.roots(rates, np.array([(0.6, 0.4), (0.4, 0.7), (0.9, 0.9)]), _anywhere)
    points = np.concatenate([np.zeros((1, 2)), roots])
    a0, w0 = MIDDLE_START.T
    run = _run(flow, w0, w0, a0, horizon)
    nudge = np.array([NUDGE, -NUDGE])
    nudged = _run(flow, nudge, nudge, nudge, 20 / NUDGE)
    w = np.linspace(*PLANE, 200)
    return {
        **_nullclines("middle", rates, [(w, np.zeros_like(w)), (w**2 * l_s / l_d, w)], w),
        "middle_points": points,
        "middle_eigenvalues": np.array([numerical_fixed_points.stability(rates, v)[1] for v in points]).real,
        "middle_a": run.states.a,
        "middle_w": run.states.w,
        "middle_split": np.max(np.abs(run.states.p - run.states.w)),
        "middle_nudged": nudged.final.w,
    }


def _right(flow: Any, l_d: float, l_s: float, horizon: float) -> dict[str, Any]:
    """Return the plane (w_a, w) without predictor: nullclines, origin, trajectories and their last rate of decay."""
    rates = numerical_fixed_points.field(flow, ("a", "w"), lambda a, w: {"p": 1.0, "w": w, "a": a})
    edge = np.linspace(*PLANE, 5)
    a0 = np.concatenate([edge, edge, np.full(3, PLANE[0]), np.full(3, PLANE[1])])
    w0 = np.concatenate([np.full(5, PLANE[1]), np.full(5, PLANE[0]), edge[1:-1], edge[1:-1]])
    run = _run(flow, np.ones_like(w0), w0, a0, horizon)
    late = run.ts > 0.7 * horizon
    w = np.linspace(*PLANE, 200)
    return {
        **_nullclines("right", rates, [(w * l_s / l_d, w)], w),
        "right_eigenvalues": numerical_fixed_points.stability(rates, np.zeros(2))[1].real,
        "right_roots": numerical_fixed_points.roots(rates, np.array([(0.5, 0.5), (-0.3, 0.8), (0.9, -0.4)]), _anywhere),
        "right_a": run.states.a,
        "right_w": run.states.w,
        "right_slopes": np.polyfit(run.ts[late], np.log(np.abs(run.states.w[late])), 1)[0],
    }


def _equal_moments(flow: Any) -> float:
    """Return the largest rate on w = w_a without predictor where l_d = l_s."""
    rates = numerical_fixed_points.field(flow, ("a", "w"), lambda a, w: {"p": 1.0, "w": w, "a": a})
    line = np.linspace(*PLANE, 31)
    return float(np.max(np.abs(rates(np.array([line, line])))))


def _run(flow: Any, p: Any, w: Any, a: Any, horizon: float) -> Any:
    ts = np.concatenate([[0.0], np.geomspace(1e-3, horizon, 250)])
    return ld.simulate(flow, ld.ModeWeightState(p=p, w=w, a=a), ts=ts, engine="scipy")


def _anywhere(v: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(v)))


def _nullclines(name: str, rates: Any, of_w: list, w: np.ndarray) -> dict[str, Any]:
    """Return the branches of dw/dt = 0 and dw_a/dt = 0 as (w_a, w) curves, and what is left of the rate on them."""
    branches, diagonal = np.array(of_w), np.array([w, w])
    left = [np.max(np.abs(rates(branch)[1])) for branch in branches] + [np.max(np.abs(rates(diagonal)[0]))]
    return {f"{name}_w_null": branches, f"{name}_a_null": diagonal, f"{name}_null_rate": np.max(left)}


def _hyperbola_ends(data: dict[str, Any]) -> float:
    """Return how far the left trajectories end from where w^2 - w_p^2/alpha_p = const meets w_p w = w_a l_d/l_s."""
    given = data["parameters"]
    level = given["w_a_left"] * given["l_d"] / given["l_s"]
    w, p = data["left_w"], data["left_p"]
    c = w[0] ** 2 - p[0] ** 2 / given["alpha_p"]
    side = np.sign(w[0] * np.sqrt(given["alpha_p"]) + p[0])  # the line where this is 0 runs into the origin
    goal = side * np.sqrt((c + np.sqrt(c**2 + 4 * level**2 / given["alpha_p"])) / 2)
    return float(np.max(np.hypot(w[-1] - goal, p[-1] - level / goal)))


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given = data["parameters"]
    level = given["w_a_left"] * given["l_d"] / given["l_s"]
    lengths = np.linalg.norm(data["left_arrows"], axis=0)
    across, along = data["left_branch_eigenvalues"].T
    goal = given["l_d"] / given["l_s"]
    origin, middle = data["left_origin_eigenvalues"], data["middle_eigenvalues"]
    up = data["middle_w"][0] > 0
    ends = np.where(up, goal, 0.0)
    reached = np.abs(data["middle_w"][-1] - ends)[up]
    trace, det = -(given["l_s"] + given["beta"]), given["beta"] * (given["l_s"] - given["l_d"])
    slow = (trace + np.sqrt(trace**2 - 4 * det)) / 2
    off = [min(abs(w * p - level), np.hypot(w, p)) for w, p in data["left_roots"]]
    above, below = data["middle_nudged"]
    leaves = [bool(above > 0.9 * goal), bool(-NUDGE < below < 0)]
    rate_error = float(np.max(np.abs(data["right_slopes"] / slow - 1)))
    return (
        Checklist("tian2021", 10)
        .measure("arrows", float(np.max(np.abs(lengths - 1))))
        .measure("hyperbola", float(data["left_branch_rate"]))
        .measure("hyperbola_stable", across, f"{np.max(across):.3g} across, {np.max(np.abs(along)):.0e} along")
        .measure("left_all", float(np.max(off)), f"{len(off)} roots, farthest {np.max(off):.1e}")
        .measure("left_ends", _hyperbola_ends(data))
        .measure("origin_unstable", np.round(origin, 12))
        .measure("diagonal", float(data["middle_split"]))
        .measure("nullclines", float(max(data["middle_null_rate"], data["right_null_rate"])))
        .measure("middle_point", float(np.max(np.abs(data["middle_points"][1:] - goal))))
        .measure("middle_stable", float(middle[1].max()))
        .measure("middle_ends", float(np.max(reached)))
        .measure("origin_middle", np.round(middle[0], 12) + 0.0)
        .measure("origin_half", leaves, f"start {NUDGE:g}: to {above:.3f}; start {-NUDGE:g}: to {below:.1e}")
        .measure("right_only_origin", float(np.max(np.abs(data["right_roots"]))))
        .measure("right_needs_one", float(data["right_equal_rate"]))
        .measure("right_rate", rate_error, f"rate {slow:.4f}, off by {rate_error:.1e}")
        .measure("right_collapse", float(np.max(np.abs(data["right_w"][-1]))))
        .done()
    )


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: (w, w_p) at w_a = 1, w = w_p against w_a, and no predictor."""
    given = data["parameters"]
    figure, axes = style.new_figure(1, 3, height=4.2)
    _draw_left(axes[0, 0], data)
    for panel, name in ((axes[0, 1], "middle"), (axes[0, 2], "right")):
        panel.set(xlim=PLANE, ylim=PLANE, xlabel=r"$w_a$", aspect="equal", xticks=TICKS, yticks=TICKS)
        phase_plane.flow_lines(panel, data[f"{name}_a"], data[f"{name}_w"], arrow=0.4)
        for branch in data[f"{name}_w_null"]:
            phase_plane.nullcline(panel, *branch, 0)
        phase_plane.nullcline(panel, *data[f"{name}_a_null"], 1)
    words = [_word(values, data["middle_nudged"]) for values in data["middle_eigenvalues"]]
    phase_plane.points(axes[0, 1], *data["middle_points"].T, words)
    phase_plane.points(axes[0, 2], [0.0], [0.0], [_word(data["right_eigenvalues"])])
    axes[0, 1].set(title=r"$w_p = w$", ylabel=r"$w = w_p$")
    axes[0, 2].set(title=r"no predictor, $w_p = 1$", ylabel=r"$w$")
    entries = phase_plane.legend_entries(
        "flow", "nullcline 0", "nullcline 1", "stable", "unstable", "half-stable left", "stable line", "parabola"
    )
    entries[1].set_label(r"$\dot w = 0$")
    entries[2].set_label(r"$\dot w_a = 0$")
    entries[6].set_label(r"stable line $w_p w = w_a l_d/l_s$")
    entries[7].set_label("line into the origin")
    style.letters(axes)
    style.frame(
        figure,
        rf"Appendix D: $l_s = {given['l_s']:g}$, $l_d = {given['l_d']:g}$, $\alpha_p = {given['alpha_p']:g}$, "
        rf"$\beta = {given['beta']:g}$, $\eta = 0$",
        "chosen here (not printed in the paper): windows, initial points and horizon",
        entries,
        columns=4,
    )
    return figure


def _word(eigenvalues: np.ndarray, nudged: Any = None) -> str:
    """Return the stability that eigenvalues give, or, at an eigenvalue 0, the ends of a start above and one below."""
    top = np.max(eigenvalues)
    if abs(top) > 1e-9 or nudged is None:
        return "unstable" if top > 0 else "stable"
    returns_above, returns_below = np.abs(nudged) < NUDGE
    if returns_above == returns_below:
        return "stable" if returns_above else "unstable"
    return "half-stable left" if returns_below else "half-stable right"


def _draw_left(panel: Axes, data: dict[str, Any]) -> None:
    limits = (-REACH * 1.02, REACH * 1.02)
    panel.set(xlim=limits, ylim=limits, xlabel=r"$w$", ylabel=r"$w_p$", aspect="equal")
    panel.set_title(rf"$w_a = {data['parameters']['w_a_left']:g}$ held")
    step = data["left_grid"][0, 0, 1] - data["left_grid"][0, 0, 0]
    phase_plane.unit_arrows(panel, *data["left_grid"], *data["left_arrows"], length=0.72 * step)
    for sign in (1, -1):
        words = np.where(data["left_branch_eigenvalues"][:, 0] < 0, "stable", "unstable")
        phase_plane.line_of_points(panel, *(sign * data["left_branch"]), words)
    alpha_p = data["parameters"]["alpha_p"]
    phase_plane.invariant_curve(panel, np.array(limits), -np.sqrt(alpha_p) * np.array(limits))
    phase_plane.points(panel, [0.0], [0.0], [_word(data["left_origin_eigenvalues"])])


if __name__ == "__main__":
    sys.exit(main(__file__))
