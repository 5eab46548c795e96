"""Draganov et al. 2025 in the linear model: cut initialisation is a larger learning rate, to the last digit.

W/c at learning rate lr takes the steps of W at lr c^2 and decay/c^2 (`rest.rate_after_cut`): the loss is of degree 0 in
W, in W_p and in W_a, so that its gradients are of degree -1. Each matrix has a factor of its own: c on W and c_p on W_p
stand for the learning rate lr c^2 and alpha_p (c_p/c)^2. A target that is cut as W keeps its gamma_a; one that is not
follows with gamma_a s_k/s_(k+1), s_k its size (`rest.ema_after_cut`). Of L layers, each cut by c, every one moves c^2
times faster while the embedding shrinks as c^L: steps go as |z|^(2/L), as |z|^2 at L = 1 only.

The first step makes |W|^2 = |W(0)|^2/c^2 + lr^2 c^2 |g|^2, g the gradient without a cut: least at `rest.best_cut`. A
much larger cut lets the first step be all of W: the random start is lost, F has the rank of that one gradient, and from
there on a larger cut slows training down, as c^2.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import lindyn as ld
from lindyn.equations import cosine, descent, rest
from lindyn.papers import Checklist, Claim, listed, main
from lindyn.plotting import over_time, style

EQUAL = ("all cut, EMA", "decay", "decay, momentum", "W alone", r"W_p alone", "target not cut", "BatchNorm",
         "three layers", "minibatches", "schedule")  # fmt: skip
OTHER = ("decay as it was", "W alone, $\\alpha_p$ as it was", "target not cut, $\\gamma_a$ as it was",
         "three layers, by $|z|^2$")  # fmt: skip
MOST = 60_000  # steps of a run that looks for its goal


def compute(
    n1: int = 16,
    n2: int = 8,
    sigma2: float = 0.1,
    gamma_a: float = 0.99,
    eta: float = 0.05,
    cut: float = 3.0,
    learning_rate: float = 0.02,
    steps: int = 400,
    batch: int = 32,
    goal: float = 0.8,
    slow_rate: float = 0.005,
    cuts: int = 25,
    largest: float = 1e4,
    shown: tuple[float, ...] = (1.0, 3.0, 9.0, 27.0),
    deep_cuts: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 4.0),
    deep_goal: float = 0.6,
    deep_rate: float = 0.001,
    seed: int = 0,
) -> dict[str, Any]:
    """Return cut runs beside those at the rate they stand for, and the steps to a mean cosine against the cut.

    Args:
        n1: input dimension; X has eigenvalues 1/j, j = 1 .. n1.
        n2: output dimension.
        sigma2: X' = sigma2 I.
        gamma_a: EMA parameter of the pairs.
        eta: weight decay of the pairs that have one.
        cut: c of the pairs.
        learning_rate: of the cut runs of the pairs.
        steps: of the pairs.
        batch: samples per step of the pair with minibatches.
        goal: mean cosine (of the closure) that steps are counted to.
        slow_rate: learning rate where they are counted; the target is the online network there.
        cuts: number of cuts from 1 to `largest`.
        largest: the largest.
        shown: cuts whose mean cosine is drawn over the steps.
        deep_cuts: cuts of one layer and of each of three layers.
        deep_goal: mean cosine that steps are counted to there.
        deep_rate: learning rate there.
        seed: of weights and samples.

    Returns:
        Relative differences by pair, steps by cut, curves.
    """
    data = ld.Moments(np.diag(1 / np.arange(1, n1 + 1)), sigma2 * np.eye(n1))
    free = _flow(data, target="online")
    start, layers = ld.WeightState.random(n2, n1, seed), ld.DeepWeightState.random(n2, n1, 3, seed=seed)
    plan = {"learning_rate": learning_rate, "steps": steps, "gamma_a": gamma_a, "save_every": 10}
    found = {name: _difference(*pair) for name, *pair in _pairs(data, (start, layers), (cut, eta, batch, seed), plan)}
    each = np.geomspace(1.0, largest, cuts)
    first = free(0.0, start)
    sizes, pulls = ([float(np.sum(M**2)) for M in (of.W, of.W_p)] for of in (start, first))
    norms = [_after_first(*pair, slow_rate, each) / pair[0] for pair in zip(sizes, pulls, strict=True)]
    whole = _steps_to(free, start, slow_rate, goal, MOST)
    bound = whole * np.max(norms, axis=0)
    runs = [_path(free, cut_by(start, c), slow_rate, round(3 * whole / c**2) + 1) for c in shown]
    deep = _flow(data, ld.DeepFlow, target="online")
    given = {"n1": n1, "n2": n2, "sigma2": sigma2, "gamma_a": gamma_a, "eta": eta, "cut": cut, "steps": steps}
    given |= {"learning_rate": learning_rate, "batch": batch, "goal": goal, "slow_rate": slow_rate, "cuts": cuts}
    return {
        "equal": np.array([found[name] for name in EQUAL]),
        "other": np.array([found[name] for name in OTHER]),
        "cut": each,
        "to_goal": np.array([
            _steps_to(free, cut_by(start, c), slow_rate, goal, most) for c, most in zip(each, bound, strict=True)
        ]),
        "best": np.array([rest.best_cut(*pair[:1], slow_rate, pair[1]) for pair in zip(sizes, pulls, strict=True)]),
        "depth": np.array([
            [_steps_to(flow, cut_by(y, c), deep_rate, deep_goal, MOST) for c in deep_cuts]
            for flow, y in ((free, start), (deep, layers))
        ]),
        "rank": np.array([*_ranks(free, start, largest, slow_rate), _rank_of(first.W)]),
        **{f"curve_{k}": np.array(run) for k, run in enumerate(runs)},
        "parameters": given
        | {"largest": largest, "shown": shown, "deep_cuts": deep_cuts, "deep_goal": deep_goal, "deep_rate": deep_rate},
    }  # fmt: skip


def _flow(data: Any, kind: Any = ld.WeightFlow, alpha_p: float = 1.0, eta: float = 0.0, **choices: Any) -> Any:
    return kind(ld.Hyperparameters(alpha_p, 0.4, eta), data, loss="cosine", **choices)


def cut_by(y: Any, c: float, c_p: float | None = None, c_a: float | None = None) -> Any:
    """Return a start with W over c, W_p over c_p and the target over c_a, both c unless told."""
    c_p, c_a = (c if each is None else each for each in (c_p, c_a))
    if isinstance(y, ld.DeepWeightState):
        return ld.DeepWeightState(tuple(W / c for W in y.Ws), y.W_p / c_p, tuple(W / c_a for W in y.W_as))
    return ld.WeightState(y.W / c, y.W_p / c_p, y.W_a / c_a)


def _pairs(data: Any, starts: tuple, given: tuple, plan: dict[str, Any]) -> Iterator[tuple]:
    """Yield (name, run that is cut, run that is not, c, c_p); a run is (flow, start, plan)."""
    (y, layers), (c, eta, batch, seed) = starts, given
    rate, gamma_a, steps = plan["learning_rate"], plan["gamma_a"], plan["steps"]
    fast = {**plan, "learning_rate": rest.rate_after_cut(rate, c)}
    tenths = [{**p, "learning_rate": p["learning_rate"] / 10, "momentum": 0.9} for p in (plan, fast)]
    free, kept, less = _flow(data), _flow(data, eta=eta), _flow(data, eta=eta / c**2)
    views = {"batch": batch, "seed": seed}
    small, normal = cut_by(y, c), _flow(data, normalise="batchnorm")
    yield "all cut, EMA", (free, small, plan), (free, y, fast), c, c
    yield "decay", (kept, small, plan), (less, y, fast), c, c
    yield "decay, momentum", (kept, small, tenths[0]), (less, y, tenths[1]), c, c
    yield "W alone", (free, cut_by(y, c, 1), plan), (_flow(data, alpha_p=1 / c**2), y, fast), c, 1
    yield "W_p alone", (free, cut_by(y, 1, c), plan), (_flow(data, alpha_p=c**2), y, plan), 1, c
    own = {"gamma_a": _gammas(gamma_a, c, steps)}
    yield "target not cut", (free, cut_by(y, c, c_a=1), plan), (free, y, fast | own), c, c
    yield "BatchNorm", (normal, small, plan), (normal, y, fast), c, c
    deep, little = _flow(data, ld.DeepFlow), cut_by(layers, c)
    yield "three layers", (deep, little, plan), (deep, layers, fast), c, c
    yield "minibatches", (free, small, plan | views), (free, y, fast | views), c, c
    falls = np.cos(np.linspace(0, np.pi / 2, steps, endpoint=False)) ** 2
    planned = [p | {"learning_rate": p["learning_rate"] * falls} for p in (plan, fast)]
    yield "schedule", (free, small, planned[0]), (free, y, planned[1]), c, c
    yield OTHER[0], (kept, small, plan), (kept, y, fast), c, c
    yield OTHER[1], (free, cut_by(y, c, 1), plan), (free, y, fast), c, 1
    yield OTHER[2], (free, cut_by(y, c, c_a=1), plan), (free, y, fast), c, c
    yield OTHER[3], (deep, little, plan), (deep, layers, plan | {"learning_rate": rate * c ** (2 * layers.depth)}), c, c


def _gammas(gamma_a: float, c: float, steps: int) -> np.ndarray:
    """Return the EMA parameter that a target without a cut has at every step."""
    size, found = 1.0, []
    for _ in range(steps):
        after = descent.ema(size, 1 / c, gamma_a)
        found.append(rest.ema_after_cut(gamma_a, size, after))
        size = after
    return np.array(found)


def _difference(small: tuple, whole: tuple, c: float, c_p: float) -> float:
    """Return the largest relative difference of c W and c_p W_p of one run from W and W_p of another, at any time."""
    here, there = (ld.descend(flow, y, **plan).states for flow, y, plan in (small, whole))
    layers = zip(*(getattr(states, "Ws", (states.W,)) for states in (here, there)), strict=True)
    matrices = [*((c * A, B) for A, B in layers), (c_p * here.W_p, there.W_p)]
    return max(float(np.max(_norm(A - B) / _norm(B))) for A, B in matrices)


def _norm(M: np.ndarray) -> np.ndarray:
    return np.linalg.norm(M, axis=(-2, -1))


def _rank_of(W: np.ndarray) -> float:
    """Return the effective rank of F = W W^T."""
    return float(ld.observables.entropy_rank(np.linalg.svd(W, compute_uv=False) ** 2))


def _ranks(flow: Any, y: Any, c: float, rate: float) -> list[float]:
    """Return the effective rank of F before and after the first step from W/c."""
    run = ld.descend(flow, cut_by(y, c), learning_rate=rate, steps=1, save_every=1)
    return [_rank_of(W) for W in run.states.W]


def _after_first(square: float, pull: float, rate: float, c: np.ndarray) -> np.ndarray:
    """Return |W|^2 after the first step from W(0)/c."""
    return rest.norm_after_step(square / c**2, 0.0, rate, c**2 * pull)


def _path(flow: Any, y: Any, rate: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and the mean cosine of the closure along a descent."""
    run = ld.descend(flow, y, learning_rate=rate, steps=steps, save_every=max(1, steps // 500))
    X, X_aug, states = flow.data.X, flow.data.X_aug, run.states
    found = []
    for W, W_p, W_a in zip(states.W, states.W_p, states.W_a, strict=True):
        A = W_p @ W
        squares = (cosine.mean_square(M, X, X_aug) for M in (A, W_a))
        found.append(cosine.overlap(A, W_a, X) * cosine.clock(*squares))
    return run.ts / rate, np.array(found)


def _steps_to(flow: Any, y: Any, rate: float, goal: float, bound: float) -> float:
    """Return the steps to a mean cosine, interpolated; NaN where it is not reached in a few times `bound`."""
    for share in (1 / 256, 1 / 32, 1 / 4, 4):
        steps, mean = _path(flow, y, rate, round(share * bound) + 40)
        k = int(np.argmax(mean >= goal))
        if mean[k] >= goal and k > 0:
            return float(np.interp(goal, mean[k - 1 : k + 1], steps[k - 1 : k + 1]))
    return float("nan")


def _slope(x: Any, y: Any) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def check(data: dict[str, Any]) -> list[Claim]:
    """Return the figure's claims, measured."""
    given, c, steps, depth = data["parameters"], data["cut"], data["to_goal"], data["depth"]
    small, large = c <= data["best"].min() / 4, c >= 20 * data["best"].max()
    deep_cuts = np.array(given["deep_cuts"])
    slopes = [_slope(deep_cuts**layers, row[0] / row) for layers, row in ((1, depth[0]), (3, depth[1]))]
    ratio = depth[0] * deep_cuts**2 / depth[0, 0]
    ends = [_slope(c[part], steps[part]) for part in (small, large)]
    return (
        Checklist("draganov2025", 2)
        .measure("equal", float(data["equal"].max()), "by pair " + listed(data["equal"], ".0e"))
        .measure("other", float(data["other"].min()), "by pair " + listed(data["other"], ".2g"))
        .measure("speed", float(np.abs(ratio - 1).max()), "steps times c^2 over those without " + listed(ratio, ".3f"))
        .measure("square", abs(ends[0] + 2), f"exponent {ends[0]:.3f} over {small.sum()} cuts")
        .measure("depth", float(np.abs(np.array(slopes) - (2, 2 / 3)).max()), "exponents " + listed(slopes, ".3f"))
        .measure("too_large", abs(ends[1] - 2), f"exponent {ends[1]:.3f} over {large.sum()} cuts")
        .measure("rank", abs(data["rank"][1] / data["rank"][2] - 1),
                 f"{data['rank'][0]:.2f} at the start, {data['rank'][1]:.2f} after one step")
        .done()
    )  # fmt: skip


@style.styled
def draw(data: dict[str, Any]) -> Figure:
    """Return the figure: one curve for every cut, differences by pair, steps against the cut and the embedding norm."""
    given = data["parameters"]
    figure, axes = style.new_figure(2, 2, height=7.0)
    (one, pairs), (against, depth) = axes
    for k, (c, color) in enumerate(zip(given["shown"], style.shades(len(given["shown"])), strict=True)):
        steps, mean = data[f"curve_{k}"]
        look = {"marker": "o", "markersize": 3.5} if len(steps) < 60 else {"linewidth": 3.2 - 0.8 * k}
        one.plot(steps * c**2, mean, color=color, label=f"c = {c:g}", **look)
    over_time.level(one, given["goal"], "counted to here", x=0.3)
    one.set(title="mean cosine from W/c", xlabel=r"$c^2 \times$ steps", ylabel="mean cosine")
    one.set_xlim(right=2 * data["to_goal"][0])
    one.legend(fontsize=style.KEY, loc="lower right")
    _draw_pairs(pairs, data)
    c = data["cut"]
    against.plot(c, data["to_goal"], "o-", color=style.INK, markersize=4, label="measured")
    base = data["to_goal"][0]
    against.plot(c, base / c**2, ":", color=style.FLOW, label=r"$1/c^2$")
    for best, name, dash in zip(data["best"], ("W", "W_p"), ("--", "-."), strict=True):
        against.axvline(
            best, color=style.GREY, linestyle=dash, linewidth=1.0, label=rf"least $\|{name}\|$ after a step"
        )
    against.set(title="steps to the goal", xlabel="cut c", ylabel="steps", xscale="log", yscale="log")
    against.set_ylim(0.5 * np.nanmin(data["to_goal"]), 30 * np.nanmax(data["to_goal"]))
    against.legend(fontsize=style.KEY)
    _draw_depth(depth, data)
    style.letters(axes)
    style.frame(
        figure,
        "Cut initialisation is the learning rate times c squared, layer by layer, until one step is all of W",
        rf"chosen here: eigenvalues $1/j$ of $X$, $X' = {given['sigma2']:g}\,I$, $n_1 = {given['n1']}$, "
        rf"$n_2 = {given['n2']}$, $\alpha_p = 1$; (b) c = {given['cut']:g}, lr {given['learning_rate']:g}, "
        rf"$\gamma_a = {given['gamma_a']:g}$; else the target is the online network,"
        "\n"
        rf"lr {given['slow_rate']:g}, goal {given['goal']:g}, in (d) {given['deep_rate']:g} and {given['deep_goal']:g}",
    )
    return figure


def _draw_pairs(axes: Any, data: dict[str, Any]) -> None:
    names = [*EQUAL, *OTHER]
    values = np.maximum([*data["equal"], *data["other"]], 1e-17)
    rows = np.arange(len(names))[::-1]
    colors = [style.INK] * len(EQUAL) + [style.STABLE] * len(OTHER)
    axes.hlines(rows, 1e-17, values, color=style.PALE, linewidth=1.0)
    for part, marker, word in ((slice(len(EQUAL)), "o", "equal"), (slice(len(EQUAL), None), "s", "not equal")):
        axes.plot(values[part], rows[part], marker, color=colors[part][0], markersize=5, label=word)
    axes.legend(fontsize=style.KEY, loc="upper right")
    shown = [name.replace("W_p", "$W_p$").replace("W alone", "$W$ alone") for name in names]
    axes.set_yticks(rows, shown, fontsize=style.KEY)
    axes.set(title="cut against its rate: equal, and not", xscale="log", xlim=(1e-17, 1e4))
    axes.set_xlabel("largest relative difference over the run")


def _draw_depth(axes: Any, data: dict[str, Any]) -> None:
    cuts = np.array(data["parameters"]["deep_cuts"])
    for layers, row, color, shape in zip((1, 3), data["depth"], (style.FLOW, style.STABLE), "os", strict=True):
        size = cuts ** -float(layers)
        word = "one layer" if layers == 1 else "three layers"
        axes.plot(size, row / row[0], shape, color=color, markersize=5, label=word)
        line = np.geomspace(size.min(), 1.0, 20)
        power = "2" if layers == 1 else "2/3"
        axes.plot(line, line ** (2 / layers), color=color, linewidth=1.0, label=f"$|z|^{{{power}}}$")
    axes.set(title="steps against the embedding norm at the start", xscale="log", yscale="log")
    axes.set(xlabel="$|z|$ over that without a cut", ylabel="steps over those without a cut")
    axes.legend(fontsize=style.KEY)


if __name__ == "__main__":
    sys.exit(main(__file__))
