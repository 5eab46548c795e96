"""A trajectory as one netCDF file: lindyn writes and reads it with scipy alone, xarray opens it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

import lindyn
from lindyn import _checks, _files, flows, states
from lindyn.flows.full import WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments, SamplingError
from lindyn.predictors.recipe import Recipe
from lindyn.solve.trajectory import Trajectory

_AXES = {"W": ("n2", "n1"), "W_a": ("n2", "n1"), "W_p": ("n2", "n2_in")} | dict.fromkeys("FHJ", ("n2", "n2_in"))
FORMAT = 1


class FileError(ValueError):
    """A file that is missing, damaged or not a trajectory."""


def _variables(traj: Trajectory) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return every array of the run with its axis names."""
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {"t": (("t",), np.asarray(traj.ts))}
    for name in traj.states._fields():
        value = np.asarray(_checks.to_numpy(getattr(traj.states, name)))
        axes = _AXES.get(name, tuple("mode" if k == 0 else f"mode_{k}" for k in range(value.ndim - 1)))
        out[name] = (("t", *axes[: value.ndim - 1]), value)
    flow = traj.flow
    if isinstance(flow, WeightFlow):
        out["X"] = (("n1", "n1_in"), np.asarray(_checks.to_numpy(flow.data.X)))
        out["X_aug"] = (("n1", "n1_in"), np.asarray(_checks.to_numpy(flow.data.X_aug)))
    for name in ("x", "x_aug", "sigma2"):
        if hasattr(flow, name):
            value = np.asarray(_checks.to_numpy(getattr(flow, name)))
            out[name] = (("mode", *(f"mode_{k}" for k in range(1, value.ndim)))[: value.ndim], value)
    return out


def _attributes(traj: Trajectory) -> dict[str, str]:
    """Return the configuration as JSON strings, complete enough to rebuild the run."""
    flow = traj.flow
    choices = {name: _plain(getattr(flow, name)) for name in flow._fields(static=True)}
    rates = {name: float(getattr(flow.hp, name)) for name in flow.hp._fields()}
    sampling = getattr(getattr(flow, "data", None), "sampling", None)
    return {
        "lindyn": json.dumps({"version": lindyn.__version__, "format": FORMAT}),
        "flow": json.dumps({"name": type(flow).__name__, "choices": choices, "hyperparameters": rates}),
        "state": type(traj.states).__name__,
        "run": json.dumps({"outcome": int(traj.outcome), "t1": float(traj.t1), "stats": traj.stats}),
        "notes": json.dumps(traj.notes, default=str),
        "sampling": json.dumps(vars(sampling) if sampling else None),
        "status": traj.status,
        "time_unit": "flow time = learning rate x steps",
    }


def _plain(choice: Any) -> Any:
    """Return a choice of a flow as JSON takes it: a recipe by its parts."""
    return choice.as_dict() if isinstance(choice, Recipe) else choice


def _digest(arrays: dict[str, np.ndarray], text: dict[str, str]) -> str:
    """Return a fingerprint of all numbers and attributes, by which damage is noticed."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name], dtype=">f8").tobytes())
    for key in sorted(text.keys() - {"sha256"}):
        found.update(key.encode() + text[key].encode())
    return found.hexdigest()


def _described(traj: Trajectory) -> tuple[dict[str, tuple[tuple[str, ...], np.ndarray]], dict[str, str]]:
    variables, text = _variables(traj), _attributes(traj)
    return variables, text | {"sha256": _digest({name: value for name, (_, value) in variables.items()}, text)}


def to_dataset(traj: Trajectory) -> Any:
    """Return the run as an `xarray.Dataset` with the configuration in its attributes."""
    import xarray

    variables, text = _described(traj)
    t = variables.pop("t")
    return xarray.Dataset(variables, coords={"t": t}, attrs=text)


def save(traj: Trajectory, path: Any) -> Path:
    """Write a run to one netCDF file; the file appears whole or not at all.

    Args:
        traj: the run (one that ended early too).
        path: file to write, by custom `*.nc`; an existing file is replaced.

    Returns:
        The path.

    Raises:
        FileError: the folder is missing or not writable, or the disk is full.
    """
    from scipy.io import netcdf_file

    path = Path(path)
    if not path.parent.is_dir():
        raise FileError(f"Cannot write {path}: the folder {path.parent} does not exist. Make it first.")
    try:
        with _files.draft(path) as beside, netcdf_file(str(beside), "w", version=2) as file:
            variables, text = _described(traj)
            for key, value in text.items():
                setattr(file, key, value)
            _write(file, variables)
    except PermissionError as error:
        raise FileError(f"Cannot write {path}: {error.strerror}. Choose a folder you may write to.") from error
    except OSError as error:
        raise FileError(f"Cannot write {path}: {error.strerror or error}.") from error
    return path


def _write(file: Any, variables: dict[str, tuple[tuple[str, ...], np.ndarray]]) -> None:
    for axes, value in variables.values():
        for axis, size in zip(axes, value.shape, strict=True):
            if axis not in file.dimensions:
                file.createDimension(axis, size)
    for name, (axes, value) in variables.items():
        file.createVariable(name, "f8", axes)[...] = value


def load(path: Any) -> Trajectory:
    """Read a run written by `Trajectory.save`.

    Args:
        path: the netCDF file.

    Returns:
        The trajectory (without interpolant).

    Raises:
        FileError: no such file, damaged, or not written by lindyn.
    """
    from scipy.io import netcdf_file

    path = Path(path)
    if not path.is_file():
        raise FileError(f"No trajectory at {path}: there is no such file.")
    try:
        with netcdf_file(path, "r", mmap=False) as file:
            arrays = {name: np.array(variable[...], dtype=np.float64) for name, variable in file.variables.items()}
            text = {key: value.decode() for key, value in file._attributes.items() if isinstance(value, bytes)}
        if text["sha256"] != _digest(arrays, text):
            raise ValueError("its contents do not match its fingerprint")
        return _rebuild(arrays, text)
    except (
        LookupError,
        TypeError,
        ValueError,
        EOFError,
        AttributeError,
        OSError,
        ArithmeticError,
        MemoryError,
    ) as error:
        raise FileError(f"Cannot read {path}: it is damaged or no lindyn trajectory ({error}).") from error


def _rebuild(arrays: dict[str, np.ndarray], text: dict[str, str]) -> Trajectory:
    description, run = json.loads(text["flow"]), json.loads(text["run"])
    hp = Hyperparameters(**description["hyperparameters"])
    sampling = json.loads(text["sampling"])
    given: dict[str, Any] = {"hp": hp, **description["choices"]}
    if isinstance(given.get("predictor"), dict):
        given["predictor"] = Recipe.from_dict(given["predictor"])
    if description["name"] == "WeightFlow":
        given["data"] = Moments(arrays["X"], arrays["X_aug"], SamplingError(**sampling) if sampling else None)
    given |= {name: arrays[name][()] for name in ("x", "x_aug", "sigma2") if name in arrays}
    flow = getattr(flows, _checks.one_of("flow", description["name"], flows.__all__))(**given)
    kind = flow.state_type
    if text["state"] != kind.__name__ or not hasattr(states, text["state"]):
        raise ValueError(f"its states are {text['state']}, its flow needs {kind.__name__}")
    n = len(arrays["t"])
    values = {name: arrays[name] for name in kind._fields()}
    wrong = [name for name, value in values.items() if len(value) != n or not np.all(np.isfinite(value))]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} has NaN or another number of times than t")
    return Trajectory(
        ts=arrays["t"],
        states=kind._unchecked(**values),
        outcome=int(run["outcome"]),
        stats=run["stats"],
        flow=flow,
        t1=run["t1"],
        notes=json.loads(text["notes"]),
    )
