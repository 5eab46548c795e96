"""What is swept: parameters and settings in, arrays out, block by block, with names, units and a configuration."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import lindyn
from lindyn._options import FLOW_TIME
from lindyn.display.brief import Brief
from lindyn.stored import sums
from lindyn.sweeps.axes import Grid

DECIDES = (
    "equations", "solve/lanes", "statistics.py", "states.py", "observables.py", "theory/stationary_points.py",
    "sweeps/axes.py", "sweeps/outcome.py", "sweeps/modes_sweep.py", "sweeps/matrices_sweep.py",
    "sweeps/matrix_kernel.py", "sweeps/matrix_reading.py", "sweeps/matrix_parameters.py", "flows/correlations.py",
    "operators.py", "moments.py", "flows/deep.py", "flows/deep_states.py", "flows/full.py",
    "flows/losses.py", "solve/one_step.py", "theory/living_directions.py", "sweeps/descent_sweep.py",
    "sweeps/descent_kernel.py", "sweeps/descent_parameters.py", "sweeps/descent_reading.py",
)  # fmt: skip
INITIAL = {"p": "p0", "s": "s0", "tau": "tau0"}  # fixed initial values are named like their axes would be


@dataclass(frozen=True, repr=False)
class Variable(Brief):
    """One array of the result.

    Args:
        name: in the Dataset.
        dtype: "f8", "i4" or "i1".
        text: what it is.
        units: "1" for a pure number.
        flags: the words an int8 code stands for, from 0; -1 is not computed yet.
    """

    name: str
    dtype: str
    text: str
    units: str = "1"
    flags: tuple[str, ...] = ()

    @property
    def fill(self) -> float | int:
        """What stands where nothing was computed yet."""
        return float("nan") if self.dtype.startswith("f") else -1

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the array, CF flags for codes."""
        told: dict[str, Any] = {"long_name": self.text, "units": self.units}
        if self.flags:
            told["flag_values"] = list(range(len(self.flags)))
            told["flag_meanings"] = " ".join(self.flags)
        return told


class Plan(Protocol):
    """A sweep that can be computed in blocks; it travels to other processes."""

    @property
    def grid(self) -> Grid:
        """The grid."""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything else that decides the numbers."""

    @property
    def title(self) -> str:
        """What it is."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays of the result."""

    @property
    def points(self) -> int:
        """How many points a block should have."""

    def compute(self, region: tuple[slice, ...], threads: int | None = None) -> dict[str, np.ndarray]:
        """Return every variable over a region of the grid; the same bits whatever the region's size."""


def row_bytes(plan: Plan) -> int:
    """Bytes of result per point."""
    return sum(np.dtype(variable.dtype).itemsize for variable in plan.variables)


def configuration(plan: Plan) -> dict[str, Any]:
    """Return everything that decides the numbers, as plain data: two sweeps are the same where this is the same."""
    return {"lindyn": lindyn.__version__, "title": plan.title, **plan.grid.describe(), "settings": dict(plan.settings)}


@functools.cache
def code_stamp() -> str:
    """Return a hash of the sources that decide the numbers of a sweep: an edited equation makes another sweep."""
    here = Path(lindyn.__file__).parent
    return sums.sha256_of_sources(*(here / name for name in DECIDES))


def attributes(plan: Plan) -> dict[str, Any]:
    """Return the attributes of the Dataset: every fixed parameter and setting, and the configuration as JSON."""
    told = configuration(plan)
    fixed = {INITIAL.get(name, name): value for name, value in plan.grid.fixed.items()}
    flat = {name: _attribute(value) for name, value in {**fixed, **plan.settings}.items()}
    return {
        "title": plan.title,
        "lindyn_version": told["lindyn"],
        "time": f"flow time = {FLOW_TIME}",
        **flat,
        "axes": " ".join(plan.grid.dims),
        "configuration": json.dumps(told, sort_keys=True),
    }


def _attribute(value: Any) -> Any:
    """Return a value that netCDF and zarr can hold."""
    if isinstance(value, bool):
        return str(value)
    return value if isinstance(value, int | float | str) else json.dumps(value)


def difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return in words where two configurations differ."""
    found = []
    for name in ("title", "lindyn"):
        if there.get(name) != here.get(name):
            found.append(f"{name} is {there.get(name)!r} there and {here.get(name)!r} here")
    for part in ("axes", "fixed", "settings"):
        old, new = dict(there.get(part, {})), dict(here.get(part, {}))
        for name in [*old, *(name for name in new if name not in old)]:
            if old.get(name) != new.get(name):
                found.append(f"{name} is {_shown(old.get(name))} there and {_shown(new.get(name))} here")
    if not found and list(there.get("axes", {})) != list(here.get("axes", {})):
        found.append("the axes come in another order")
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if not isinstance(value, list):
        return f"{value:g}" if isinstance(value, float) else repr(value)
    ends = [f"{part:g}" if isinstance(part, float) else str(part) for part in (value[0], value[-1])]
    return f"an axis of {len(value)} from {ends[0]} to {ends[1]}" if len(value) > 1 else f"an axis of one, {ends[0]}"


def clash(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return the difference of two configurations in one phrase."""
    found = difference(there, here)
    more = f", and {len(found) - 4} more" if len(found) > 4 else ""
    same_shown = [text for text in found if _same_ends(text)]
    hint = " (the values between differ)" if same_shown and len(same_shown) == len(found) else ""
    return "; ".join(found[:4]) + more + hint


def _same_ends(text: str) -> bool:
    old, _, new = text.partition(" is ")[2].partition(" there and ")
    return old == new.removesuffix(" here")


@dataclass(frozen=True, eq=False, repr=False)
class Results(Brief):
    """The arrays of a sweep in memory."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def empty(cls, plan: Plan) -> "Results":
        """Return arrays filled with "not computed yet"."""
        return cls({v.name: np.full(plan.grid.shape, v.fill, dtype=v.dtype) for v in plan.variables})

    def put(self, region: tuple[slice, ...], values: Mapping[str, np.ndarray]) -> None:
        """Write one block."""
        for name, array in self.arrays.items():
            array[region] = values[name]

    def dataset(self, plan: Plan) -> Any:
        """Return them as a labelled Dataset."""
        import xarray

        dims = plan.grid.dims
        return xarray.Dataset(
            {v.name: (dims, self.arrays[v.name], v.attributes) for v in plan.variables},
            coords={
                axis.label: (axis.label, axis.coordinate, {"long_name": axis.text, "units": axis.units})
                for axis in plan.grid.axes
            },
            attrs=attributes(plan),
        )
