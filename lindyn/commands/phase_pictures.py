"""The five pictures of `lindyn phase`: each solves, draws, and says in a paragraph of plain words what it shows."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lindyn import phase, theory
from lindyn._options import DEFAULTS
from lindyn.phase.portraits import portrait as solve_portrait
from lindyn.phase.surface import edge_by_bisection
from lindyn.plotting import phase_portrait, style

Picture = tuple[Figure, str]


def _system(given: dict[str, Any], moving: bool, leave: tuple[str, ...] = ()) -> phase.PhaseSystem:
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

    figure = _one_panel(
        lambda axes: phase_portrait.draw_portrait(axes, data), r"One mode at held $\tau$ (Eqs. 11-12)", _values(system)
    )
    return figure, _read_portrait(data)


def bifurcation(given: dict[str, Any], args: dict[str, Any]) -> Picture:
    """Draw the fixed points over eta."""
    system = _system(given, moving="beta" in given, leave=("eta",))
    data = phase.bifurcation_diagram(system)
    eta = np.linspace(0.0, data.fold.parameter, 25)
    closed = theory.fixed_points(eta, tau=system.rest_tau, x=system.x, x_aug=system.x_aug, alpha_p=system.alpha_p)
    off = _off_closed_form(system, data)
    closed_eta, closed_p = np.tile(eta, 2), np.concatenate([closed.p_minus, closed.p_plus])

    figure = _one_panel(
        lambda axes: phase_portrait.draw_bifurcation(axes, data, closed_eta, closed_p),
        r"Fixed points over the weight decay $\eta$",
        _values(system, "eta"),
    )
    return figure, _read_bifurcation(system, data, off)


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

    figure = _one_panel(
        lambda axes: phase_portrait.draw_two_parameter(axes, data),
        "Where the alive fixed point ends",
        _values(system, "eta", name),
    )
    return figure, _read_two_parameter(system, data)


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

    kept = ", ".join(f"{phase_portrait.SYMBOLS[k]} = {v:g}" for k, v in data.fixed.items() if not (k == "x" and v == 1))
    figure = _one_panel(lambda panel: phase_portrait.draw_basin(panel, data, edge), "What becomes of the mode", kept)
    return figure, _read_basin(system, data, share)


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
        mesh, handles = phase_portrait.draw_edge_map(axes, p, tau, edge.s, manifold.saddle.point, lines)
        axes.figure.colorbar(mesh, ax=axes, label=r"$\log_{10}$ of the smallest $s_j(0)$ that lives")
        return handles

    figure = _one_panel(draw, r"The edge of collapse in $(p_j, s_j, \tau)$ (Eqs. 11-13)", _values(system))
    return figure, _read_surface(system, edge, manifold)


def _critical(system: phase.PhaseSystem) -> float:
    return float(theory.critical_decay(system.rest_tau, system.x, system.x_aug))


def _read_portrait(data: Any) -> str:
    """Return the reading of a portrait."""
    system, found = data.system, data.fixed.points
    critical = _critical(system)
    if data.fixed.lines:
        return (
            f"Without decay of the predictor (eta_p = {system.eta_p:g}, eta_s = {system.eta_s:g}) fixed points fill "
            "lines: on s = 0 the mode has collapsed at any p"
            + (f", and on p = {system.p_star:.4g} it lives at any s." if system.eta_s == 0 else ".")
            + " At eta = 0 s - p^2/alpha_p is kept, so a start collapses exactly when alpha_p s <= p^2 and p < 0, or "
            f"alpha_p s <= p^2 - {system.p_star:.4g}^2 and p > 0."
        )
    if system.eta_s == 0:
        return "Only the predictor decays: the origin is the only fixed point, reached slowly."
    if not any(point.stability == "saddle" for point in found):
        word = "above" if system.eta_s > critical * (1 + 1e-9) else "at"
        return (
            f"eta = {system.eta_s:g} is {word} the critical decay tau^2 x^2/(4 (x + x')) = {critical:.6g}: "
            + ("p = s = 0 is the only fixed point and every start collapses." if word == "above" else
               "p_- and p_+ have just met; the slightest further decay leaves only collapse.")
        )  # fmt: skip
    saddle = next(point for point in found if point.stability == "saddle")
    alive = [point for point in found if point.stability == "stable" and point.point[1] > 0]
    end = f"p_+ = {alive[0].point[0]:.4g} (s = {alive[0].point[1]:.4g}, a stable {alive[0].kind})" if alive else "p_+"
    rate = saddle.eigenvalues.real.max()
    p, s = data.separatrix.curve.T
    at_left = float(s[0]) if p[0] <= data.box[0][0] + 1e-6 else np.inf
    left = f" A negative start p = {data.box[0][0]:.2g} needs s > {at_left:.3g}." if np.isfinite(at_left) else ""
    low = float(np.min(s[s > 0]))
    big = (
        f" To the right the separatrix comes down to s = {low:.1e}: a large enough predictor rescues almost any s, "
        "since s grows faster than p decays."
        if low < 1e-3 * saddle.point[1]
        else ""
    )
    return (
        f"Two fates: collapse at p = s = 0, and {end}. The saddle p_- = {saddle.point[0]:.4g}, "
        f"s = {saddle.point[1]:.4g} (unstable rate {rate:.3g}) lies between; the thick curve through it, its stable "
        f"manifold, is the edge of the basin of collapse (shaded).{left}{big} The decay is at "
        f"{system.eta_s / critical:.0%} of the critical {critical:.4g}."
    )


def _read_bifurcation(system: phase.PhaseSystem, data: Any, off: float) -> str:
    """Return the reading of a bifurcation diagram."""
    fold, critical = data.fold, _critical(system)
    return (
        f"Up to eta = {fold.parameter:.10g} a mode can live at p_+ (full line) if it starts above p_- (dashed); there "
        f"the two meet in a fold at p = {fold.point[0]:.6g} and above it only collapse is left. Continuation finds the "
        f"fold to {fold.precision:.0e}; the closed form tau^2 x^2/(4 (x + x')) = {critical:.10g} differs by "
        f"{abs(fold.parameter - critical):.0e}. At eta = {round(data.transcritical.parameter, 14) + 0:g} "
        f"(+- {data.transcritical.precision:.0e}) p_- passes through p = 0 and "
        "trades stability with collapse (transcritical): with any decay at all, p = 0 attracts. Along the curve the "
        f"closed forms are met to {off:.0e}; {_pairs(data)}."
    )


def _pairs(data: Any) -> str:
    """Return whether a complex pair of eigenvalues comes near the imaginary axis along the curve."""
    values = data.eigenvalues[data.eta > 0]
    pair = np.abs(values.imag) > 1e-9
    crossing = pair & (np.abs(values.real) < 1e-6 * np.abs(values.imag))
    return f"{'a' if crossing.any() else 'no'} pair of eigenvalues crosses the imaginary axis"


def _read_two_parameter(system: phase.PhaseSystem, data: Any) -> str:
    """Return the reading of a two-parameter diagram."""
    words = {"tau": "the target ratio tau", "x_aug": "the augmentation sigma^2", "alpha_p": "alpha_p", "beta": "beta",
             "x": "the data eigenvalue x"}  # fmt: skip
    off = float(np.max(np.abs(data.eta - data.closed_form)))
    ratio = data.closed_form[-1] / data.closed_form[0]
    trend = "does not change" if abs(ratio - 1) < 1e-9 else "rises" if ratio > 1 else "falls"
    return (
        f"Below the curve a mode can live, above it every start collapses. The largest decay a mode can bear {trend} "
        f"with {words[data.name]}: {data.eta[0]:.4g} at {data.values[0]:g}, {data.eta[-1]:.4g} at {data.values[-1]:g}. "
        f"The {len(data.eta)} folds found by continuation lie on tau^2 x^2/(4 (x + x')) to {off:.0e}."
    )


def _read_basin(system: phase.PhaseSystem, data: Any, share: Any) -> str:
    """Return the reading of a basin map."""
    lost, unknown = np.mean(data.labels == "collapsed"), np.mean(data.labels == "undecided")
    target = "tau held" if system.beta is None else "the target moves"
    text = f"Of {data.labels.size} runs on the map ({target}) {lost:.1%} collapse, {1 - lost - unknown:.1%} live"
    text += f" and {unknown:.1%} could not be told." if unknown else "."
    if share is not None:
        text += (
            f" Drawn at random ({share.distribution}; {share.count} starts, seed {share.seed}) "
            f"{share.fraction:.1%} collapse, {share.level:.0%} interval {share.low:.1%} to {share.high:.1%}."
        )
    if "p" in data.names and system.beta is not None and np.any(data.first < 0):
        text += (
            " Starts with p < 0 are followed in (p, w, a): the online weight w may pass through 0, "
            "where tau = a/w is infinite and Eqs. 11-13 end."
        )
    return text


def _read_surface(system: phase.PhaseSystem, edge: Any, manifold: Any) -> str:
    """Return the reading of the edge in three dimensions."""
    p, s, _ = manifold.saddle.point
    copy, zero = np.argmin(np.abs(edge.tau - 1.0)), 0
    k = int(np.argmin(np.abs(edge.p - p)))
    known = np.isfinite(edge.s[k, [copy, zero]]).all() and edge.s[k, copy] > 0
    compare = (
        f" Near p = {edge.p[k]:.3g} a mode needs s > {edge.s[k, copy]:.3g} if its target starts at tau = "
        f"{edge.tau[copy]:.3g} and s > {edge.s[k, zero]:.3g} at tau = {edge.tau[zero]:.3g}: "
        f"{edge.s[k, zero] / edge.s[k, copy]:.3g} times as much."
        if known
        else ""
    )
    return (
        f"Shaded: the smallest start s that lives, for every start of p and tau (beta = {system.beta:g}), "
        f"by bisection; black lines: trajectories that run into the saddle p_- = {p:.4g}, s = {s:.4g}, tau = 1 "
        f"(diamond), seen from above; they lie in that edge.{compare}"
    )
