"""The five pictures of `lindyn phase`: each solves, draws, and says in a paragraph of plain words what it shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lindyn import phase, theory
from lindyn._options import DEFAULTS
from lindyn.commands import phase_numbers, phase_readings
from lindyn.display.brief import Brief
from lindyn.outputs.number_tables import Series
from lindyn.phase.portraits import default_window
from lindyn.phase.surface import edge_by_bisection
from lindyn.plotting import phase_portrait, style


@dataclass(frozen=True, repr=False)
class PhasePicture(Brief):
    """A picture, what it shows in words, and the numbers that it is drawn from."""

    figure: Figure
    words: str
    numbers: Series


@dataclass(frozen=True, repr=False)
class StartedPortrait(Brief):
    """A portrait with the trajectories of chosen starts.

    Args:
        system: what the starts follow; with a moving target the portrait is its section at the tau of the starts.
        portrait: of the plane.
        paths: a `phase.StartedPath` for each start.
    """

    system: phase.PhaseSystem
    portrait: phase.Portrait
    paths: tuple[phase.StartedPath, ...]


def system_of(given: dict[str, Any], moving: bool, leave: tuple[str, ...] = ()) -> phase.PhaseSystem:
    """Return the system of the numbers given; ranges and `leave` are axes and get a value in their middle.

    Raises:
        ValueError: a range for a parameter that is no axis here.
    """
    names = ("eta", "eta_p", "eta_s", "alpha_p", "x", "x_aug", "beta" if moving else "tau")
    numbers = {"beta": DEFAULTS["beta"]} if moving else {}
    for name in names:
        if name in given:
            ranged = np.ndim(given[name]) == 1
            if ranged and name not in leave:
                raise ValueError(f"{name} takes one number in this picture; got a range.")
            numbers[name] = float(np.median(given[name])) if ranged else float(given[name])
    return phase.ema(**numbers) if moving else phase.plane(**numbers)  # type: ignore[no-any-return]


def window_of(given: dict[str, Any], system: phase.PhaseSystem) -> Any:
    """Return the window of p and s: the ranges given, else the default one (at tau = 1 where it moves)."""
    ranges = [given.get("p"), given.get("s")]
    default = default_window(system)
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


def solve_portrait(given: dict[str, Any], args: dict[str, Any]) -> StartedPortrait:
    """Return the (p, s) plane of the numbers given, with the trajectories of its starts.

    With an EMA rate the starts follow the moving target, and the plane is the section at their tau.

    Raises:
        ValueError: a start that is not of two or three numbers, or out of its range.
    """
    moving = "beta" in given
    system = system_of(given, moving)
    tau = given.get("tau", 1.0)
    if np.ndim(tau) == 1:
        raise ValueError("tau takes one number in this picture; got a range.")
    plane = system.section(float(tau)) if moving else system
    starts = [start_of(text, float(tau) if moving else None) for text in args.get("start") or ()]
    data = phase.portrait(plane, window_of(given, system))
    return StartedPortrait(system, data, phase.started_paths(system, starts, way=args.get("way") or "both"))


def start_of(text: str, tau: float | None) -> list[float]:
    """Return the numbers of a start "P,S" or "P,S,TAU"; where tau moves, it is added.

    Raises:
        ValueError: other than two or three numbers.
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) not in ((2,) if tau is None else (2, 3)):
        wanted = "P,S" if tau is None else "P,S or P,S,TAU"
        raise ValueError(f"--start must be {wanted}, numbers; got {text!r}.")
    return found if tau is None or len(found) == 3 else [*found, tau]


def portrait(given: dict[str, Any], args: dict[str, Any]) -> PhasePicture:
    """Draw the (p, s) plane, the trajectories that were asked for, and tau beside it where it moves."""
    found = solve_portrait(given, args)
    words = " ".join([phase_readings.read_portrait(found.portrait), phase_readings.read_paths(found.paths)]).strip()
    return PhasePicture(draw_started(found), words, phase_numbers.of_portrait(found.portrait, found.paths))


@style.styled
def draw_started(found: StartedPortrait) -> Figure:
    """Return the picture of a portrait with its trajectories."""
    moving = found.system.beta is not None
    beside = moving and bool(found.paths)
    figure = Figure(figsize=(9.6, 5.2) if beside else (6.6, 5.2), layout="constrained")
    axes = figure.subplots(1, 2, width_ratios=(5, 3), squeeze=False)[0] if beside else [figure.subplots()]
    handles = phase_portrait.draw_portrait(axes[0], found.portrait)
    handles += phase_portrait.draw_paths(axes[0], found.paths)
    if beside:
        phase_portrait.draw_tau(axes[1], found.paths)
    title = r"One mode at held $\tau$ (Eqs. 11-12)"
    if moving:
        tau = found.portrait.system.tau
        title = rf"One mode with a moving target (Eqs. 11-13); lines and nullclines of the section $\tau = {tau:g}$"
    style.frame(figure, title, _values(found.system), handles, columns=7 if beside else 5)
    return figure


def bifurcation(given: dict[str, Any], args: dict[str, Any]) -> PhasePicture:
    """Draw the fixed points over eta."""
    system = system_of(given, moving="beta" in given, leave=("eta",))
    data = phase.bifurcation_diagram(system)
    off = _off_closed_form(system, data)

    figure = _one_panel(
        lambda axes: phase_portrait.bifurcation_on(axes, system, data),
        r"Fixed points over the weight decay $\eta$",
        _values(system, "eta"),
    )
    numbers = phase_numbers.of_bifurcation(data)
    return PhasePicture(figure, phase_readings.read_bifurcation(system, data, off), numbers)


def _off_closed_form(system: phase.PhaseSystem, data: Any) -> float:
    """Return the largest distance of the curve from p_- or p_+, where both are there and apart."""
    inside = (data.eta > 0) & (data.eta < 0.999 * data.fold.parameter)
    eta, p = data.eta[inside], data.points[inside, 0]
    closed = theory.fixed_points(eta, tau=system.rest_tau, x=system.x, x_aug=system.x_aug, alpha_p=system.alpha_p)
    return float(np.max(np.minimum(np.abs(p - closed.p_minus), np.abs(p - closed.p_plus))))


def two_parameter(given: dict[str, Any], args: dict[str, Any]) -> PhasePicture:
    """Draw the fold over eta and a second parameter: the one given as a range, else tau (or sigma^2 with --beta)."""
    ranged = [name for name, value in given.items() if np.ndim(value) == 1 and name not in ("eta", "p", "s")]
    if len(ranged) > 1:
        raise ValueError(f"two-parameter takes one range besides eta; got {', '.join(ranged)}.")
    moving = "beta" in given
    default = ("x_aug", np.linspace(0.0, 2.0, 25)) if moving else ("tau", np.linspace(0.1, 1.0, 25))
    name, values = (ranged[0], given[ranged[0]]) if ranged else default
    system = system_of(given, moving, leave=("eta", name))
    data = phase.fold_curve(system, name, values)

    figure = _one_panel(
        lambda axes: phase_portrait.draw_two_parameter(axes, data),
        "Where the alive fixed point ends",
        _values(system, "eta", name),
    )
    return PhasePicture(figure, phase_readings.read_two_parameter(system, data), phase_numbers.of_fold_curve(data))


def basin(given: dict[str, Any], args: dict[str, Any]) -> PhasePicture:
    """Draw what becomes of starts over two axes, and the share that collapses."""
    axes = {name: value for name, value in given.items() if np.ndim(value) == 1}
    held = args["hold_tau"]
    if held and "beta" in given:
        raise ValueError("--hold-tau and --beta exclude each other: a held tau has no EMA rate.")
    if not axes:
        p, s = _default_window(system_of({k: v for k, v in given.items() if k not in ("p", "s")}, not held))
        axes = {"p": np.linspace(*p, 121), "s": np.linspace(*s, 101)}
    if len(axes) != 2:
        raise ValueError(f"basin takes two ranges; got {len(axes)}: {', '.join(axes) or 'none'}.")
    numbers = {name: value for name, value in given.items() if name not in axes}
    system = system_of(given | axes, not held, leave=tuple(axes))
    start: dict[str, float] = {name: float(numbers[name]) for name in ("p", "s") if name in numbers}
    if not held and "tau" in numbers:
        start["tau"] = float(numbers["tau"])
    data = phase.basin_map(system, axes, **start)
    share = _share(system, data, args)
    edge = _edge(system, data)

    kept = ", ".join(f"{phase_portrait.SYMBOLS[k]} = {v:g}" for k, v in data.fixed.items() if not (k == "x" and v == 1))
    figure = _one_panel(lambda panel: phase_portrait.draw_basin(panel, data, edge), "What becomes of the mode", kept)
    return PhasePicture(figure, phase_readings.read_basin(system, data, share), phase_numbers.of_basin(data))


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


def surface(given: dict[str, Any], args: dict[str, Any]) -> PhasePicture:
    """Draw the edge of collapse of the moving-target system over the starts of p and tau."""
    system = system_of(given, moving=True, leave=("tau",))
    p = given.get("p", np.linspace(0.02, 1.4, 47) * system.p_star)
    tau = given.get("tau", np.linspace(0.0, 1.5, 31))
    if np.ndim(p) != 1 or np.ndim(tau) != 1:
        raise ValueError("--p and --tau take ranges LOW:HIGH:COUNT in this picture.")
    box = [(float(p[0]), float(p[-1])), (0.0, 10 * float(system.scale[1])), (float(tau[0]), float(tau[-1]))]
    manifold = phase.separatrix_surface(system, box, curves=16, far=12)
    edge = edge_by_bisection(system, p, tau)

    def draw(axes: Any) -> list[Any]:
        lines = [*manifold.curves, *manifold.far]
        mesh, handles = phase_portrait.draw_edge_map(axes, p, tau, edge.s, manifold.saddle.point, lines)
        axes.figure.colorbar(mesh, ax=axes, label=r"$\log_{10}$ of the smallest $s_j(0)$ that lives")
        return handles

    figure = _one_panel(draw, r"The edge of collapse in $(p_j, s_j, \tau)$ (Eqs. 11-13)", _values(system))
    return PhasePicture(figure, phase_readings.read_surface(system, edge, manifold), phase_numbers.of_edge(edge))
