"""The five pictures of `lindyn phase`: each solves, draws and returns (figure, paragraph)."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lindyn import phase, theory
from lindyn.commands import phase_reading as reading
from lindyn.phase.portraits import portrait as solve_portrait
from lindyn.phase.surface import edge_by_bisection
from lindyn.plotting import phase_portrait, style

ETA, BETA = 0.05, 0.4
Picture = tuple[Figure, str]


def _system(given: dict[str, Any], moving: bool, leave: tuple[str, ...] = ()) -> phase.PhaseSystem:
    """Return the system of the numbers given; ranges and `leave` are axes and get a value in their middle.

    Raises:
        ValueError: a range for a parameter that is no axis here.
    """
    names = ("eta", "eta_p", "eta_s", "alpha_p", "x", "x_aug", "beta" if moving else "tau")
    numbers = {"eta": ETA} | ({"beta": BETA} if moving else {})
    for name in names:
        if name in given:
            ranged = np.ndim(given[name]) == 1
            if ranged and name not in leave:
                raise ValueError(f"{name} takes one number in this picture; got a range.")
            numbers[name] = float(np.median(given[name])) if ranged else float(given[name])
    return phase.ema(**numbers) if moving else phase.plane(**numbers)  # type: ignore[no-any-return]


def _window(given: dict[str, Any], system: phase.PhaseSystem) -> Any:
    """Return the window of p and s: the ranges given, or None for the default one."""
    ranges = [given.get("p"), given.get("s")]
    if all(value is None for value in ranges):
        return None
    reach = system.scale
    default = [(-reach[0], 1.7 * reach[0]), (0.0, 1.7 * reach[1])]
    for name, value in zip("ps", ranges, strict=True):
        if value is not None and np.ndim(value) == 0:
            raise ValueError(f"--{name} takes the window's range LOW:HIGH:COUNT in this picture; got one number.")
    return [
        d if value is None else (float(value[0]), float(value[-1])) for value, d in zip(ranges, default, strict=True)
    ]


def _values(system: phase.PhaseSystem, *without: str) -> str:
    """Return the system's parameters in the paper's symbols."""
    values = {k: v for k, v in system.values.items() if k not in without and not (k == "x" and v == 1)}
    if "eta" not in without and values.get("eta_p") == values.get("eta_s"):
        values = {"eta": values.pop("eta_p")} | {k: v for k, v in values.items() if k != "eta_s"}
    if "eta" in without:
        values = {k: v for k, v in values.items() if not k.startswith("eta")}
    return ", ".join(f"{phase_portrait.SYMBOLS[name]} = {value:g}" for name, value in values.items())


@style.styled
def _one_panel(draw: Any, title: str, note: str, size: tuple[float, float] = (6.6, 5.2)) -> Figure:
    """Return a figure of one panel with its legend above."""
    figure = Figure(figsize=size, layout="constrained")
    handles = draw(figure.subplots())
    style.frame(figure, title, note, handles, columns=5)
    return figure


def portrait(given: dict[str, Any], args: dict[str, Any]) -> Picture:
    """Draw the (p, s) plane."""
    system = _system(given, moving=False)
    data = solve_portrait(system, _window(given, system))

    def draw(axes: Any) -> list[Any]:
        return phase_portrait.draw_portrait(axes, data)

    figure = _one_panel(draw, r"One mode at held $\tau$ (Eqs. 11-12)", _values(system))
    return figure, reading.of_portrait(data)


def bifurcation(given: dict[str, Any], args: dict[str, Any]) -> Picture:
    """Draw the fixed points over eta."""
    system = _system(given, moving="beta" in given, leave=("eta",))
    data = phase.bifurcation_diagram(system)
    eta = np.linspace(0.0, data.fold.parameter, 25)
    closed = theory.fixed_points(eta, tau=system.rest_tau, x=system.x, x_aug=system.x_aug, alpha_p=system.alpha_p)
    off = _off_closed_form(system, data)
    closed_eta, closed_p = np.tile(eta, 2), np.concatenate([closed.p_minus, closed.p_plus])

    def draw(axes: Any) -> list[Any]:
        return phase_portrait.draw_bifurcation(axes, data, closed_eta, closed_p)

    figure = _one_panel(draw, r"Fixed points over the weight decay $\eta$", _values(system, "eta"))
    return figure, reading.of_bifurcation(system, data, off)


def _off_closed_form(system: phase.PhaseSystem, data: Any) -> float:
    """Return the largest distance of the curve from p_- or p_+, where both are there and apart."""
    inside = (data.eta > 0) & (data.eta < 0.999 * data.fold.parameter)
    eta, p = data.eta[inside], data.points[inside, 0]
    closed = theory.fixed_points(eta, tau=system.rest_tau, x=system.x, x_aug=system.x_aug, alpha_p=system.alpha_p)
    return float(np.max(np.minimum(np.abs(p - closed.p_minus), np.abs(p - closed.p_plus))))


def two_parameter(given: dict[str, Any], args: dict[str, Any]) -> Picture:
    """Draw the fold over eta and a second parameter: the one given as a range, else tau (or sigma^2 with --beta)."""
    ranged = [name for name, value in given.items() if np.ndim(value) == 1 and name not in ("eta", "p", "s")]
    if len(ranged) > 1:
        raise ValueError(f"two-parameter takes one range besides eta; got {', '.join(ranged)}.")
    moving = "beta" in given
    default = ("x_aug", np.linspace(0.0, 2.0, 25)) if moving else ("tau", np.linspace(0.1, 1.0, 25))
    name, values = (ranged[0], given[ranged[0]]) if ranged else default
    system = _system(given, moving, leave=("eta", name))
    data = phase.fold_curve(system, name, values)

    def draw(axes: Any) -> list[Any]:
        return phase_portrait.draw_two_parameter(axes, data)

    figure = _one_panel(draw, "Where the alive fixed point ends", _values(system, "eta", name))
    return figure, reading.of_two_parameter(system, data)


def basin(given: dict[str, Any], args: dict[str, Any]) -> Picture:
    """Draw what becomes of starts over two axes, and the share that collapses."""
    axes = {name: value for name, value in given.items() if np.ndim(value) == 1}
    held = args["hold_tau"]
    if held and "beta" in given:
        raise ValueError("--hold-tau and --beta exclude each other: a held tau has no EMA rate.")
    if not axes:
        p, s = _default_window(_system({k: v for k, v in given.items() if k not in ("p", "s")}, not held))
        axes = {"p": np.linspace(*p, 121), "s": np.linspace(*s, 101)}
    if len(axes) != 2:
        raise ValueError(f"basin takes two ranges; got {len(axes)}: {', '.join(axes) or 'none'}.")
    numbers = {name: value for name, value in given.items() if name not in axes}
    system = _system(given | axes, not held, leave=tuple(axes))
    start: dict[str, float] = {name: float(numbers[name]) for name in ("p", "s") if name in numbers}
    if not held and "tau" in numbers:
        start["tau"] = float(numbers["tau"])
    data = phase.basin_map(system, axes, **start)
    share = _share(system, data, args)
    edge = _edge(system, data)

    def draw(panel: Any) -> list[Any]:
        return phase_portrait.draw_basin(panel, data, edge)

    kept = ", ".join(f"{phase_portrait.SYMBOLS[k]} = {v:g}" for k, v in data.fixed.items() if not (k == "x" and v == 1))
    figure = _one_panel(draw, "What becomes of the mode", kept)
    return figure, reading.of_basin(system, data, share)


def _default_window(system: phase.PhaseSystem) -> tuple[tuple[float, float], tuple[float, float]]:
    return (-0.8 * system.scale[0], 1.4 * system.scale[0]), (0.0, float(system.scale[1]))


def _share(system: phase.PhaseSystem, data: Any, args: dict[str, Any]) -> Any:
    """Return the share that collapses when p and s are drawn evenly over the map; None for other axes."""
    if data.names != ("p", "s"):
        return None
    starts = {"p": ("uniform", data.first[0], data.first[-1]), "s": ("uniform", data.second[0], data.second[-1])}
    if system.beta is not None:
        starts["tau"] = data.fixed["tau"]
    return phase.basin_fraction(system, starts, args["count"], seed=args["seed"])


def _edge(system: phase.PhaseSystem, data: Any) -> Any:
    """Return the separatrix on a map of (p, s) at held tau, where there is one."""
    if data.names != ("p", "s") or system.beta is not None:
        return None
    try:
        return phase.separatrix(system, [(data.first[0], data.first[-1]), (data.second[0], data.second[-1])]).curve
    except ValueError:
        return None


def surface(given: dict[str, Any], args: dict[str, Any]) -> Picture:
    """Draw the edge of collapse of the moving-target system over the starts of p and tau."""
    system = _system(given, moving=True, leave=("tau",))
    p = given.get("p", np.linspace(0.02, 1.4, 47) * system.p_star)
    tau = given.get("tau", np.linspace(0.0, 1.5, 31))
    if np.ndim(p) != 1 or np.ndim(tau) != 1:
        raise ValueError("--p and --tau take ranges LOW:HIGH:COUNT in this picture.")
    box = [(float(p[0]), float(p[-1])), (0.0, 10 * float(system.scale[1])), (float(tau[0]), float(tau[-1]))]
    manifold = phase.separatrix_surface(system, box, curves=16, far=12)
    edge = edge_by_bisection(system, p, tau)

    def draw(axes: Any) -> list[Any]:
        lines = [*manifold.curves, *manifold.far]
        mesh = phase_portrait.draw_edge_map(axes, p, tau, edge.s, manifold.saddle.point, lines)
        axes.figure.colorbar(mesh, ax=axes, label=r"$\log_{10}$ of the smallest $s_j(0)$ that lives")
        return []

    figure = _one_panel(draw, r"The edge of collapse in $(p_j, s_j, \tau)$ (Eqs. 11-13)", _values(system))
    return figure, reading.of_surface(system, edge, manifold)
