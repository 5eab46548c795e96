"""Single pictures for Python: each takes data and Axes, or makes some, and returns the Axes.

    from lindyn import plotting
    plotting.portrait(phase.plane(eta=0.05))
    plotting.trajectory(traj, ax, what="alignment")

What is given as a system is solved first; all else is drawn as it is. The commands draw with the same functions.
"""

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lindyn import _checks, observables, phase
from lindyn.display.drawn_by import law_rows as law_rows_of
from lindyn.phase.system import PhaseSystem
from lindyn.plotting import law_rows, network_pictures, outcome_map, phase_portrait, style
from lindyn.plotting.trajectory_picture import curves
from lindyn.solve.trajectory import Trajectory
from lindyn.states import MatrixState
from lindyn.sweeps import dataset_accessor

dataset_accessor.register()
WHAT = ("s", "p", "alignment", "tau", "asymmetry", "balance", "effective_rank")
"""What `trajectory` draws of a run."""


def axes_or_new(ax: Axes | None, size: tuple[float, float] = (6.0, 4.2)) -> Axes:
    """Return the Axes that were given, or new ones of pyplot, which a notebook shows by itself."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=size, layout="constrained")[1]


def for_python(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Return `draw(data, ax=None, ...)` under the style; pyplot is made ready before it where Axes are to be made.

    A notebook's backend turns pyplot interactive when it is loaded, which leaving the style would undo.
    """
    styled = style.styled(draw)

    @functools.wraps(draw)
    def wrapped(data: Any, ax: Axes | None = None, *args: Any, **kwargs: Any) -> Any:
        if ax is None:
            importlib.import_module("matplotlib.pyplot").draw_if_interactive()  # loads the backend
        return styled(data, ax, *args, **kwargs)

    return wrapped


def _key(ax: Axes, handles: list[Any], columns: int = 4) -> Axes:
    if handles:
        style.key_above(ax, columns, handles)
    return ax


def _check_kind(name: str, needed: str, data: Any, kinds: Any) -> None:
    """Raise ValueError where a picture is asked for of something else."""
    if not isinstance(data, kinds):
        raise ValueError(f"{name} needs {needed}; got {type(data).__name__}.")


def _in_place(data: Any) -> str:
    """Return what was given in place of a sweep, in words."""
    if not isinstance(data, Mapping):
        return type(data).__name__
    return f"one of {', '.join(map(str, data)) or 'none'}"


@for_python
def portrait(data: Any, ax: Axes | None = None) -> Axes:
    """Draw a phase portrait.

    Args:
        data: `phase.plane(...)`, or a `phase.Portrait`.
        ax: where; default new ones.

    Returns:
        The Axes.
    """
    _check_kind("portrait", "phase.plane(...) or a phase.Portrait", data, (PhaseSystem, phase.Portrait))
    data = phase.portrait(data) if isinstance(data, PhaseSystem) else data
    ax = axes_or_new(ax)
    return _key(ax, phase_portrait.draw_portrait(ax, data))


@for_python
def bifurcation(data: Any, ax: Axes | None = None) -> Axes:
    """Draw the fixed points over the weight decay.

    Args:
        data: `phase.plane(...)` or `phase.ema(...)`, whose eta is not used.
        ax: where; default new ones.

    Returns:
        The Axes.
    """
    _check_kind("bifurcation", "phase.plane(...) or phase.ema(...)", data, PhaseSystem)
    ax = axes_or_new(ax)
    return _key(ax, phase_portrait.bifurcation_on(ax, data, phase.bifurcation_diagram(data)), 5)


@for_python
def sweep_map(data: Any, ax: Axes | None = None) -> Axes:
    """Draw what became of each run of a sweep of modes over its two longest axes, theory's boundaries on top.

    Args:
        data: Dataset of `lindyn.sweep` with two axes or more; further ones are taken at their middle.
        ax: where; default new ones.

    Returns:
        The Axes.

    Raises:
        ValueError: no sweep of modes, or one of fewer than two axes.
    """
    if not isinstance(data, Mapping) or "outcome" not in data or "K_min" not in data:
        raise ValueError(f"sweep_map needs a Dataset of lindyn.sweep; got {_in_place(data)}.")
    if len(data["outcome"].dims) < 2:
        raise ValueError(f"sweep_map needs two axes; got {len(data['outcome'].dims)}. Draw ds.p.plot() instead.")
    ax = axes_or_new(ax)
    return _key(ax, outcome_map.draw_outcomes(ax, data), 3)


@for_python
def trajectory(data: Trajectory, ax: Axes | None = None, what: str = "s") -> Axes:
    """Draw one quantity of a run over flow time, a line for each mode, the largest first.

    Args:
        data: of `simulate`, `descend` or `lindyn.load`.
        ax: where; default new ones.
        what: "s" (sizes of the modes), "p", "alignment", "tau", "asymmetry", "balance" (Theorem 1 or Eq. 14) or
            "effective_rank".

    Returns:
        The Axes.

    Raises:
        ValueError: another word, or a quantity that this run does not have.
    """
    _check_kind("trajectory", "a run of simulate, descend or lindyn.load", data, Trajectory)
    _checks.one_of("what", what, WHAT)
    values, label, log = _QUANTITIES[what](data)
    ax = axes_or_new(ax)
    modes = curves(ax, np.asarray(data.ts), values, label, log)
    ax.set_xlabel(style.TIME)
    return _key(ax, style.mode_key(modes) if modes > 1 else [], 8)


def _matrix(data: Trajectory) -> bool:
    return isinstance(data.states, MatrixState)


def _told(data: Trajectory, name: str) -> np.ndarray:
    """Return p or s per mode over time."""
    if _matrix(data):
        p, s = observables.mode_values(data)
        known = observables.resolved(data, s)
        return np.where(known, s if name == "s" else p, np.nan)
    values = data.states.sizes(data.flow.hp.alpha_p) if name == "s" else getattr(data.states, "p", None)
    if values is None:
        raise ValueError(f"A run of {type(data.flow).__name__} has no {name}. Choose another what.")
    return np.asarray(values, dtype=float)


def _of_matrices(name: str, read: Callable[[Trajectory], Any]) -> Callable[[Trajectory], np.ndarray]:
    def values(data: Trajectory) -> np.ndarray:
        if not _matrix(data):
            raise ValueError(f"{name} needs a run of matrices; got one of {type(data.flow).__name__}.")
        return np.asarray(read(data))

    return values


def _rank(data: Trajectory) -> np.ndarray:
    return observables.entropy_rank(np.maximum(observables.eigen_F(data)[0], 0.0))


def _cosines(data: Trajectory) -> np.ndarray:
    eigen = observables.eigen_F(data)
    return np.where(observables.resolved(data, eigen[0]), observables.alignment(data, eigen), np.nan)


_QUANTITIES: dict[str, Callable[[Trajectory], tuple[np.ndarray, str, bool]]] = {
    "s": lambda t: (_told(t, "s"), "$s_j$", True),
    "p": lambda t: (_told(t, "p"), "$p_j$", False),
    "tau": lambda t: (np.asarray(observables.tau(t)), r"$\tau$", False),
    "balance": lambda t: (observables.balance_residual(t), "Theorem 1 residual", True),
    "alignment": lambda t: (_of_matrices("alignment", _cosines)(t), r"cosine of $u_j$ and $W_p u_j$", False),
    "asymmetry": lambda t: (
        _of_matrices("asymmetry", observables.asymmetry)(t), r"$\|W_p - W_p^{\top}\|/\|W_p\|$", True,
    ),
    "effective_rank": lambda t: (_of_matrices("effective_rank", _rank)(t), "effective rank of $F$", False),
}  # fmt: skip


def _reading(data: Any) -> tuple[np.ndarray, np.ndarray, int | None]:
    """Return (s, cosines, modes that are known) of a run's end, a state, a reading or a validation."""
    if hasattr(data, "diagnosis"):
        if data.diagnosis is None:
            raise ValueError("This validation has no spectrum: neither F nor features were read.")
        known = min(data.samples - 1, len(data.diagnosis.s)) if data.samples else None
        return np.asarray(data.diagnosis.s), np.asarray(data.diagnosis.alignment), known
    if hasattr(data, "alignment") and hasattr(data, "s"):
        return np.asarray(data.s), np.asarray(data.alignment), None
    state = data.final if isinstance(data, Trajectory) else data
    eigen = observables.eigen_F(state)
    return eigen[0], observables.alignment(state, eigen), None


@for_python
def spectrum(data: Any, ax: Axes | None = None) -> Axes:
    """Draw the eigenvalues of F over the largest, by rank.

    Args:
        data: a run of matrices (its end), a state, a reading of a network, a validation.
        ax: where; default new ones.

    Returns:
        The Axes.

    Raises:
        ValueError: data without F.
    """
    s, _, known = _reading(data)
    return network_pictures.spectra(axes_or_new(ax), s, known)


@for_python
def alignment(data: Any, ax: Axes | None = None) -> Axes:
    """Draw the cosine of u_j and W_p u_j for each mode, with the band of a random predictor; see `spectrum`."""
    _, cosines, known = _reading(data)
    return network_pictures.alignment_per_mode(axes_or_new(ax), cosines, known)


@for_python
def findings(data: Any, ax: Axes | None = None) -> Axes:
    """Draw every law of a validation over its own limit, with verdict and numbers.

    Args:
        data: of `lindyn.bridge.validate`, or rows of `plotting.law_rows`.
        ax: where; default new ones, as high as the rows need.

    Returns:
        The Axes.
    """
    rows = law_rows_of(data) if hasattr(data, "findings") else data
    ax = axes_or_new(ax, (style.WIDTH, law_rows.height_of(rows)))
    return _key(ax, law_rows.laws_on(ax, rows), 4)


@for_python
def over_training(data: Any, ax: Axes | None = None, what: str = "s") -> Axes:
    """Draw a quantity along a run of training: marks what was measured, lines the theory at its own times.

    Args:
        data: a validation of several checkpoints, or its `over_training`.
        ax: where; default new ones.
        what: "s", "p" or "tau".

    Returns:
        The Axes.

    Raises:
        ValueError: a validation of one checkpoint alone, or another word.
    """
    _checks.one_of("what", what, ("s", "p", "tau"))
    over = getattr(data, "over_training", data)
    if over is None:
        raise ValueError("This validation is of one checkpoint; over_training needs several of one run.")
    path = over.path or ({"steps": over.steps, **over.theory} if over.theory else {})
    ax = axes_or_new(ax)
    modes = network_pictures.over_training(ax, over.steps, what, over.measured, path, over.unit)
    return _key(ax, network_pictures.key_over_training(modes, bool(path)), 4)
