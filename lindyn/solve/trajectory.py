"""What a solve returns: times, states, how it ended (in words), step counts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._records import Record, static

OUTCOMES = ("reached", "steady", "max_steps", "not_finite", "step_too_small")
_SHORT = "stopped at t = {t:.6g}, short of t = {t1:.6g}: "
_WORDS = {
    "reached": "reached the end, t = {t:.6g}",
    "steady": "came to a steady state at t = {t:.6g} and stopped there",
    "max_steps": _SHORT + "the step limit was reached; raise max_steps or use the stiff solver",
    "not_finite": "blew up: not finite past t = {t:.6g} (asked for t = {t1:.6g}); {cure}",
    "step_too_small": _SHORT + "the step size fell to zero, the solution has a singularity there",
}

_POLE = dict.fromkeys(
    ("ModeFlow", "ParabolaFlow"),
    "tau = a / w runs away there (w changes sign or dies faster than a): use ModeWeightFlow",
)


@dataclass(frozen=True)
class SolverSettings:
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


@dataclass(frozen=True)
class Solution:
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
        ts: times at which states were kept, increasing (flow time = learning rate x steps).
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
        cure = (
            "lower the learning rate"
            if self.notes.get("engine") == "descent"
            else _POLE.get(type(self.flow).__name__, "check the initial state")
        )
        return _WORDS[self.outcome_name].format(t=float(self.ts[-1]), t1=float(self.t1), cure=cure)

    @property
    def final(self) -> Any:
        """The last state."""
        return self[-1]

    def __repr__(self) -> str:
        """Return one line: the flow, the times kept and how the run ended."""
        if _checks.is_traced(self.outcome) or _checks.is_traced(self.ts):
            return f"Trajectory({type(self.flow).__name__}, traced)"
        return f"Trajectory({self.flow!r}, {len(self)} times {self.ts[0]:g}..{self.ts[-1]:g}, {self.status})"

    def __len__(self) -> int:
        return len(self.ts)

    def __getitem__(self, index: Any) -> Any:
        """Return the state (or stacked states) at an index of `ts`."""
        states = self.states
        return states._unchecked(**{name: getattr(states, name)[index] for name in states._fields()})

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

    def to_dataset(self) -> Any:
        """Return the run as a labelled `xarray.Dataset` (times x state axes; configuration in the attributes)."""
        from lindyn.solve import netcdf

        return netcdf.to_dataset(self)

    def save(self, path: Any) -> Any:
        """Write the run to one netCDF file (see `solve.files.save`) that `lindyn.load` and xarray read."""
        from lindyn.solve import netcdf

        return netcdf.save(self, path)
