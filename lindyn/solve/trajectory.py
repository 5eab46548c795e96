"""What a solve returns: times, states, how it ended (in words), step counts; one file that holds all of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import lindyn
from lindyn import _checks
from lindyn._options import FLOW_TIME
from lindyn._records import Record, State, static
from lindyn.display.brief import FEW, Brief, brief, notebook
from lindyn.display.drawn_by import drawn
from lindyn.display.glossary import array_meaning
from lindyn.flows import registry
from lindyn.flows.from_settings import Flow
from lindyn.flows.losses import undefined_in
from lindyn.hyperparameters import Hyperparameters, flow_step
from lindyn.moments import Moments, SamplingError
from lindyn.predictors.recipe import Recipe
from lindyn.solve import netcdf

OUTCOMES = ("reached", "steady", "max_steps", "not_finite", "step_too_small")
_SHORT = "stopped at t = {t:.6g}, short of t = {t1:.6g}: "
_WORDS = {
    "reached": "reached the end, t = {t:.6g}",
    "steady": "came to a steady state at t = {t:.6g} and stopped there",
    "max_steps": _SHORT + "the step limit was reached; raise max_steps or use the stiff solver (--solver stiff)",
    "not_finite": "blew up: not finite past t = {t:.6g} (asked for t = {t1:.6g}); {cure}",
    "step_too_small": _SHORT + "the step size fell to zero, the solution has a singularity there",
}


@dataclass(frozen=True, repr=False)
class SolverSettings(Brief):
    """How to integrate: what both engines are told.

    `elementwise`: errors are measured against each entry (modes) or against the root mean square of each block
    of the state (matrices), so that a collapsing or tiny block keeps its relative accuracy.
    """

    ts: Any
    rtol: float
    atol: float
    solver: str
    dense: bool
    steady_state: float | None
    max_steps: int
    elementwise: bool
    progress: Callable[[float], None] | None = None


@dataclass(frozen=True, repr=False)
class Solution(Brief):
    """What an engine returns; `outcome` indexes `trajectory.OUTCOMES`."""

    ts: Any
    states: Any
    outcome: Any
    stats: dict[str, Any]
    solver: str
    interpolation: Callable[[Any], Any] | None


class SimulationError(RuntimeError):
    """A run that did not reach its end; `trajectory` holds what was computed."""

    def __init__(self, trajectory: "Trajectory") -> None:
        super().__init__(f"The run {trajectory.status}.")
        self.trajectory = trajectory


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Record):
    """States of a run over time.

    Args:
        ts: times at which states were kept, increasing (flow time = learning rate x steps / (1 - momentum)).
        states: a record of the flow's state class whose arrays have the times as first axis.
        outcome: index into `OUTCOMES`.
        stats: step counts: accepted, rejected (adaptive) or steps (descent), and right-hand sides where counted.
        flow: the flow that was run.
        t1: the time that was asked for.
        interpolation: t -> state, when the run was asked to be dense.
        notes: how it was run (engine, solver, reduction, tolerances), and what a conversion lost.
    """

    ts: Any
    states: Any
    outcome: Any
    stats: dict[str, Any]
    flow: Any
    t1: Any
    interpolation: Callable[[Any], Any] | None = static(default=None)
    notes: dict[str, Any] = field(default_factory=dict, metadata={"static": True})

    @property
    def outcome_name(self) -> str:
        """How the run ended, one of `OUTCOMES`.

        Raises:
            ValueError: inside a JAX transformation, where it is not known yet.
        """
        if _checks.is_traced(self.outcome):
            raise ValueError("The status of a run is not known inside jax.jit, grad or vmap; ask for it outside.")
        return OUTCOMES[int(self.outcome)]

    @property
    def succeeded(self) -> bool:
        """Whether the run reached its end or a steady state."""
        return self.outcome_name in ("reached", "steady")

    @property
    def status(self) -> str:
        """How the run ended, in words."""
        cure = "lower the learning rate" if self.notes.get("engine") == "descent" else self.flow.cure
        if self.outcome_name == "not_finite":
            cure = undefined_in(self.flow, self.final) or cure
        return _WORDS[self.outcome_name].format(t=float(self.ts[-1]), t1=float(self.t1), cure=cure)

    @property
    def final(self) -> Any:
        """The last state."""
        return self[-1]

    def __repr__(self) -> str:
        """Return one line: the flow, the times kept and how the run ended."""
        if _checks.is_traced(self.outcome) or _checks.is_traced(self.ts):
            return f"Trajectory({type(self.flow).__name__}, traced)"
        engine = self.notes.get("engine", "an unknown engine")
        return (
            f"Trajectory({self.flow!r}, {len(self)} times {self.ts[0]:g}..{self.ts[-1]:g}, {self.status}, by {engine})"
        )

    def _repr_html_(self) -> str:
        """Return the run as a notebook shows it: how it went, and the sizes at its start and end."""
        if _checks.is_traced(self.outcome) or _checks.is_traced(self.ts):
            return notebook(repr(self), (), ())
        first, last = self[0], self[-1]
        rows = []
        for name, block in first.blocks().items():
            ends = [np.asarray(_checks.to_numpy(each)) for each in (block, last.blocks()[name])]
            sizes = (brief(end) if end.size <= FEW else f"{float(np.linalg.norm(end)):.6g}" for end in ends)
            rows.append([name, " x ".join(map(str, ends[0].shape)) or "1", *sizes])
        head = ("", "shape", f"at t = {float(self.ts[0]):g}", f"at t = {float(self.ts[-1]):g}")
        steps = ", ".join(f"{name} {count}" for name, count in self.stats.items())
        return notebook(f"{self.flow!r}: {self.status}", head, rows, f"Norms of arrays. {self!r}; {steps}.")

    def __len__(self) -> int:
        return len(self.ts)

    def __getitem__(self, index: Any) -> Any:
        """Return the state (or stacked states) at an index of `ts`."""
        return self.states.at(index)

    def __call__(self, t: Any) -> Any:
        """Return the state at time t by the solver's own interpolation.

        Raises:
            ValueError: the run was not asked to be dense, or t lies outside it.
        """
        if self.interpolation is None:
            raise ValueError("This trajectory has no interpolation; run simulate(..., dense=True).")
        times = np.asarray(t, dtype=np.float64)
        if np.any(times < float(self.ts[0])) or np.any(times > float(self.ts[-1])):
            raise ValueError(f"t must lie in [{float(self.ts[0]):g}, {float(self.ts[-1]):g}]; got {t!r}.")
        return self.interpolation(t)

    def plot(self, ax: Any = None, what: str = "s") -> Any:
        """Draw one quantity over time and return the Axes; see `lindyn.plotting.trajectory`."""
        return drawn("trajectory", self, ax, what=what)

    def to_dataset(self) -> Any:
        """Return the run as a labelled `xarray.Dataset` (times x state axes; configuration in the attributes)."""
        import xarray

        variables, text = _described(self)
        t = variables.pop("t")
        return xarray.Dataset(variables, coords={"t": t}, attrs=text)

    def save(self, path: Any) -> Path:
        """Write the run to one netCDF file (see `solve.netcdf.write`) that `lindyn.load` and xarray read."""
        return netcdf.write(path, *_described(self))


def step_of(traj: Trajectory) -> float:
    """Return the flow time of one step of a descent."""
    return flow_step(traj.notes["learning_rate"], traj.notes.get("momentum", 0.0))


def load(path: Any) -> Trajectory:
    """Read a run written by `Trajectory.save`.

    Args:
        path: the netCDF file.

    Returns:
        The trajectory (without interpolant).

    Raises:
        FileError: no such file, damaged, or not written by lindyn.
    """
    return netcdf.read(path, _rebuilt)


def _described(traj: Trajectory) -> tuple[netcdf.Variables, dict[str, str]]:
    """Return every array of the run with its axes, and the configuration as JSON, complete enough to rebuild it."""
    variables, flow = _variables(traj), traj.flow
    chosen = {name: getattr(flow, name) for name in flow._fields(static=True)}
    plain = {name: value.as_dict() if isinstance(value, Recipe) else value for name, value in chosen.items()}
    rates = {name: float(getattr(flow.hp, name)) for name in flow.hp._fields()}
    sampling = flow.data.sampling if isinstance(getattr(flow, "data", None), Moments) else None
    text = {
        "lindyn": json.dumps({"version": lindyn.__version__, "format": netcdf.FORMAT}),
        "flow": json.dumps({"name": type(flow).__name__, "choices": plain, "hyperparameters": rates}),
        "state": type(traj.states).__name__,
        "run": json.dumps({"outcome": int(traj.outcome), "t1": float(traj.t1), "stats": traj.stats}),
        "notes": json.dumps(traj.notes, default=str),
        "sampling": json.dumps(vars(sampling) if sampling else None),
        "status": traj.status,
        "time_unit": f"flow time = {FLOW_TIME}",
    }
    arrays = {name: value for name, (_, value, _) in variables.items()}
    return variables, text | {"sha256": netcdf.digest(arrays, text)}


def _variables(traj: Trajectory) -> netcdf.Variables:
    states, flow = traj.states, traj.flow
    clock = {"long_name": "flow time", "units": FLOW_TIME}
    out: netcdf.Variables = {"t": (("t",), np.asarray(traj.ts), clock)}
    for name, block in states.blocks().items():
        value = np.asarray(_checks.to_numpy(block))
        out[name] = (("t", *states.axes.get(name, _modes(value.ndim - 1))[: value.ndim - 1]), value, _told(name))
    for name in flow._fields(static=False):
        given = getattr(flow, name)
        if isinstance(given, Moments):
            for moment in ("X", "X_aug"):
                out[moment] = (("n1", "n1_in"), np.asarray(_checks.to_numpy(getattr(given, moment))), _told(moment))
        elif name != "hp":
            value = np.asarray(_checks.to_numpy(given))
            out[_variable(name, states)] = (_modes(value.ndim), value, _told(name, f"{name} of the flow"))
    return out


def _told(name: str, otherwise: str = "") -> dict[str, str]:
    """Return the CF attributes of an array that is no time: all of them are pure numbers."""
    return {"long_name": array_meaning(name, otherwise), "units": "1"}


def _modes(count: int) -> tuple[str, ...]:
    return tuple("mode" if k == 0 else f"mode_{k}" for k in range(count))


def _variable(name: str, states: Any) -> str:
    """Return the variable that a number of the flow is stored in: its name, unless the state has one of that name."""
    return f"flow_{name}" if name in states._fields() else name


def _rebuilt(arrays: dict[str, np.ndarray], text: dict[str, str]) -> Trajectory:
    run, states = json.loads(text["run"]), _states_of(arrays, text)
    return Trajectory(
        ts=arrays["t"],
        states=states,
        outcome=int(run["outcome"]),
        stats=run["stats"],
        flow=_flow_of(arrays, text),
        t1=run["t1"],
        notes=json.loads(text["notes"]),
    )


def _flow_of(arrays: dict[str, np.ndarray], text: dict[str, str]) -> Flow:
    description, sampling = json.loads(text["flow"]), json.loads(text["sampling"])
    kind = registry.class_named(description["name"])
    given: dict[str, Any] = {"hp": Hyperparameters(**description["hyperparameters"]), **description["choices"]}
    if isinstance(given.get("predictor"), dict):
        given["predictor"] = Recipe.from_dict(given["predictor"])
    for name in kind._fields(static=False):
        if name == "data":
            given[name] = Moments(arrays["X"], arrays["X_aug"], SamplingError(**sampling) if sampling else None)
        elif name != "hp":
            given[name] = arrays[_variable(name, kind.state_type)][()]
    return kind(**given)


def _states_of(arrays: dict[str, np.ndarray], text: dict[str, str]) -> State:
    kind = registry.class_named(json.loads(text["flow"])["name"]).state_type
    if text["state"] != kind.__name__:
        raise ValueError(f"its states are {text['state']}, its flow needs {kind.__name__}")
    states, n = kind.of_blocks(arrays), len(arrays["t"])
    wrong = [name for name, value in states.blocks().items() if len(value) != n or not np.all(np.isfinite(value))]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} has NaN or another number of times than t")
    return states
