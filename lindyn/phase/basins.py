"""The basin of collapse: as a map over two variables or parameters, and as a fraction with its interval."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.phase import outlines, refinement
from lindyn.phase.fates import follow_fates
from lindyn.phase.system import PARAMETERS, PhaseSystem, check_system

Sampler = Callable[[np.random.Generator, int], np.ndarray]
LABELS = ("collapsed", "alive", "undecided")
DISTRIBUTIONS = ("uniform", "normal", "loguniform", "constant")


@dataclass(frozen=True, repr=False)
class BasinMap(Brief):
    """What becomes of a mode over a grid of two variables or parameters.

    Args:
        names: of the two axes.
        first: grid of the first.
        second: grid of the second.
        labels: (first, second) of "collapsed", "alive", "undecided".
        fixed: the variables and parameters that are the same everywhere.
        followed: (first, second), whether the point was run; the label of another is that of the cell around it.
        edge: lines (n, 2) around what collapses, every point between two of the grid and good to `precision`.
        areas: by label, closed loops (n, 2) around it, outer ones counter-clockwise, holes clockwise.
        precision: of the edge, relative to its coordinate (to 1e-6 of the axis' largest value below that).
    """

    names: tuple[str, str]
    first: np.ndarray
    second: np.ndarray
    labels: np.ndarray
    fixed: dict[str, float]
    followed: np.ndarray
    edge: tuple[np.ndarray, ...]
    areas: dict[str, tuple[np.ndarray, ...]]
    precision: float


@dataclass(frozen=True, repr=False)
class BasinFraction(Brief):
    """The share of starts that collapse, with its confidence interval.

    Args:
        fraction: collapsed / decided starts.
        low: lower end of the Wilson interval, every undecided start taken as alive.
        high: upper end, every undecided start taken as collapsed.
        level: confidence.
        count: starts drawn.
        collapsed: how many collapsed.
        undecided: how many could not be told.
        distribution: the stated distribution, in words.
        seed: of the draw.
    """

    fraction: float
    low: float
    high: float
    level: float
    count: int
    collapsed: int
    undecided: int
    distribution: str
    seed: int


def basin_map(
    system: PhaseSystem,
    axes: Mapping[str, Any],
    *,
    rtol: float = 1e-8,
    coarsest: int = refinement.COARSEST,
    **start: float,
) -> BasinMap:
    """Return what becomes of a mode over a grid of any two of p, s, tau, alpha_p, beta, eta, eta_p, eta_s, x, x_aug.

    Only where the fates differ are all points of the grid run (`refinement.refine`); the edge between them is found
    by halving to 1e-6 of its coordinate.

    Args:
        system: `plane(...)` or `ema(...)`; gives what is not an axis.
        axes: two names with their increasing grids, e.g. {"p": ..., "s": ...}.
        rtol: tolerance.
        coarsest: spacing of the points that are run first, a power of 2; a basin narrower than that may be missed, 1
            runs every point.
        **start: p, s and tau where they are no axis (default 0.15, 0.03, and tau = 1).

    Returns:
        `BasinMap`.

    Raises:
        ValueError: not two axes, an unknown one, or a grid that does not increase.
    """
    check_system(system)
    (one, first), (two, second) = _grids(axes).items()
    coarsest = _checks.as_whole("coarsest", coarsest)
    begin: dict[str, Any] = {"p": 0.15, "s": 0.03} | ({} if system.beta is None else {"tau": 1.0}) | start

    def outcome(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        on_axes = {one: x, two: y}
        at = begin | {name: value for name, value in on_axes.items() if name in begin}
        parameters = {name: value for name, value in on_axes.items() if name not in begin}
        told = follow_fates(system, at["p"], at["s"], at.get("tau"), parameters=parameters, rtol=rtol).labels
        return np.select([told == label for label in LABELS], range(len(LABELS)))

    found = refinement.refine(lambda at: outcome(first[at[0]], second[at[1]]), (len(first), len(second)), coarsest)
    changes = outlines.crossings(outcome, first, second, found.codes)
    given = first, second
    edge = outlines.lines(*given, found.codes == 0, changes)
    areas = {label: outlines.areas(*given, found.codes == k, changes) for k, label in enumerate(LABELS)}
    drop = {one, two, *(("eta_p", "eta_s") if "eta" in (one, two) else ())}
    same = {name: float(value) for name, value in (begin | system.values).items() if name not in drop}
    labels = np.array(LABELS)[found.codes]
    return BasinMap((one, two), first, second, labels, same, found.followed, edge, areas, changes.precision)


def _grids(axes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the two axes of a map, checked."""
    known = ["p", "s", *PARAMETERS]
    if len(axes) != 2:
        raise ValueError(f"axes must name two of {', '.join(known)}; got {', '.join(axes) or 'none'}.")
    grids = {}
    for name, value in axes.items():
        _checks.one_of("axis", name, known)
        grids[name] = np.asarray(_checks.as_array(name, value, ndim=1))
        if len(grids[name]) < 2 or np.any(np.diff(grids[name]) <= 0):
            raise ValueError(f"{name} must increase over two or more values; got {grids[name].tolist()!s:.60}.")
    return grids


def distribution(spec: Mapping[str, Any], system: PhaseSystem) -> tuple[Callable[..., dict[str, np.ndarray]], str]:
    """Return (sampler of starts, its words) for a stated distribution of p, s and tau.

    Args:
        spec: by variable, a number or ("uniform", low, high), ("normal", mean, deviation), ("loguniform", low, high),
            ("constant", value); s may also be "parabola", s = p^2 / alpha_p.
        system: gives alpha_p, and whether tau is a start.

    Returns:
        A function (generator, count) -> starts by name, and the distribution in words.

    Raises:
        ValueError: a variable missing or unknown, an unknown distribution or a range out of order.
    """
    known = ["p", "s"] if system.beta is None else ["p", "s", "tau"]
    for name in spec:
        _checks.one_of("variable", name, known)
    full: dict[str, Any] = {"tau": 1.0} | dict(spec)
    missing = [name for name in known if name not in full]
    if missing:
        raise ValueError(f"The distribution leaves out {', '.join(missing)}; give e.g. {missing[0]}=('uniform', 0, 1).")
    samplers = {name: _sampler(name, full[name]) for name in known if not (name == "s" and full[name] == "parabola")}

    def draw(generator: np.random.Generator, count: int) -> dict[str, np.ndarray]:
        out = {name: sampler(generator, count) for name, sampler in samplers.items()}
        if "s" not in out:
            out["s"] = out["p"] ** 2 / system.alpha_p
        return out

    return draw, ", ".join(f"{name} {_words(full[name])}" for name in known)


def _words(spec: Any) -> str:
    if isinstance(spec, str):
        return "on the parabola s = p^2/alpha_p"
    if np.ndim(spec) == 0:
        return f"= {spec:g}"
    return f"{spec[0]}({', '.join(f'{value:g}' for value in spec[1:])})"


def _sampler(name: str, spec: Any) -> Sampler:
    kind, *numbers = ("constant", spec) if isinstance(spec, int | float) else tuple(spec)
    _checks.one_of(f"the distribution of {name}", kind, DISTRIBUTIONS)
    wanted = 1 if kind == "constant" else 2
    if len(numbers) != wanted:
        raise ValueError(f"{kind} of {name} takes {wanted} number{'s' * (wanted - 1)}; got {len(numbers)}.")
    a, *rest = (_checks.as_scalar(name, value) for value in numbers)
    b = rest[0] if rest else 0.0
    if kind in ("uniform", "loguniform") and not a < b:
        raise ValueError(f"The range of {name} must run from low to high; got {a:g} to {b:g}.")
    if kind == "loguniform" and a <= 0:
        raise ValueError(f"loguniform of {name} needs a lower end > 0; got {a:g}.")
    makers: dict[str, Sampler] = {
        "constant": lambda g, n: np.full(n, a),
        "uniform": lambda g, n: g.uniform(a, b, n),
        "normal": lambda g, n: g.normal(a, b, n),
        "loguniform": lambda g, n: np.exp(g.uniform(np.log(a), np.log(b), n)),
    }
    return makers[kind]


def basin_fraction(
    system: PhaseSystem,
    starts: Mapping[str, Any],
    count: int = 10_000,
    *,
    seed: int = 0,
    level: float = 0.95,
    rtol: float = 1e-8,
) -> BasinFraction:
    """Return the share of random starts that collapse, with its Wilson interval.

    Args:
        system: `plane(...)` or `ema(...)`.
        starts: the distribution, see `distribution`.
        count: how many starts.
        seed: of the draw; the same seed gives the same starts.
        level: confidence, 0..1.
        rtol: tolerance.

    Returns:
        `BasinFraction`.

    Raises:
        ValueError: see `distribution`.
    """
    check_system(system)
    draw, words = distribution(starts, system)
    drawn = draw(np.random.default_rng(seed), _checks.as_whole("count", count))
    if np.any(drawn["s"] < 0):
        raise ValueError(f"s must be >= 0; the distribution {words} draws {drawn['s'].min():g}.")
    told = follow_fates(system, drawn["p"], drawn["s"], drawn.get("tau"), rtol=rtol)
    collapsed, undecided = int(np.sum(told.collapsed)), int(np.sum(told.undecided))
    low, _ = wilson(collapsed, count, level)
    _, high = wilson(collapsed + undecided, count, level)
    share = collapsed / max(count - undecided, 1)
    return BasinFraction(share, low, high, level, count, collapsed, undecided, words, seed)


def wilson(successes: int, count: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a proportion.

    Args:
        successes: how many, 0..count.
        count: out of how many, >= 1.
        level: confidence, between 0 and 1.

    Returns:
        (low, high).

    Raises:
        ValueError: a level outside (0, 1), or more successes than trials.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1; got {level:g}. A usual one is 0.95.")
    if not 0 <= successes <= _checks.as_whole("count", count):
        raise ValueError(f"successes must be between 0 and {count}; got {successes}.")
    z = NormalDist().inv_cdf((1 + level) / 2)  # to the last digits, and without scipy.stats, a second to load
    share = successes / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    low = 0.0 if successes == 0 else float(middle - reach)  # exact at the ends, where round-off would show
    return low, 1.0 if successes == count else float(middle + reach)
