"""From settings to a flow and its initial state, and to a finished run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lindyn as ld
from lindyn._records import State
from lindyn.flows import registry
from lindyn.flows.from_settings import EVERY, Flow
from lindyn.solve.trajectory import Trajectory

EXPLICIT_LIMIT = 2e4  # beta x t1 past which scipy's explicit steps on a large system lose to compiled ones


def foreign(system: str) -> frozenset[str]:
    """Return the settings of data and start that a system does not read."""
    return EVERY - registry.flow_class(system).takes


def check_relevant(settings: dict[str, Any], given: set[str]) -> None:
    """Raise ValueError for a setting that was given and that this run would ignore."""
    from lindyn.commands.options import OPTIONS

    ignored = given & foreign(settings["system"])
    if ignored:
        raise ValueError(f"system={settings['system']!r} has no {', '.join(sorted(ignored))}. Leave it out.")
    ignored = given & {option.name for option in OPTIONS if option.section == "images"}
    if ignored:
        raise ValueError(f"{', '.join(sorted(ignored))} needs --images. Leave it out, or name the images.")
    ignored = given & {"momentum", "batch"}
    if ignored and settings["learning_rate"] is None:
        raise ValueError(f"{', '.join(sorted(ignored))} needs --learning-rate: the flow has no finite steps.")
    lengths = [len(settings[name]) for name in ("x", "x_aug") if settings[name] and len(settings[name]) > 1]
    if "n1" in given and lengths and lengths[0] != settings["n1"]:
        raise ValueError(
            f"n1 must be the number of eigenvalues given, {lengths[0]}; got {settings['n1']}. Leave it out."
        )


def relevant(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with what this system ignores set to None, so that the saved file repeats the run."""
    from lindyn.commands.options import OPTIONS

    unused = {option.name for option in OPTIONS if option.section == "images"} | foreign(settings["system"])
    if settings["learning_rate"] is None:
        unused |= {"momentum", "batch"}
    if settings["X"] is not None:
        unused |= {"n1", "x", "x_aug", "sigma2"}
    elif any(len(settings[name] or []) > 1 for name in ("x", "x_aug")):
        unused |= {"n1"}
    return {name: None if name in unused else value for name, value in settings.items()}


def build(given: dict[str, Any]) -> tuple[Flow, State]:
    """Return (flow, initial state) of the settings.

    Raises:
        ValueError: values out of range or that do not fit together.
    """
    files = [given[name] for name in ("X", "X_aug_file")]
    arrays = {} if None in files else dict(zip(("X", "X_aug_file"), map(read_array, files), strict=True))
    return registry.flow_class(given["system"]).from_settings({**given, **arrays})


def read_array(path: str) -> np.ndarray:
    """Return the array of an .npy file.

    Raises:
        ValueError: no such file, or not an .npy file.
    """
    try:
        return np.load(Path(path), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"Cannot read {path}: it must be an .npy file of numbers ({error}).") from error


def solve(flow: Flow, y0: State, given: dict[str, Any], progress: Callable[[float], None] | None = None) -> Trajectory:
    """Return the trajectory of the settings, finished or not (`throw` is off)."""
    if given["learning_rate"] is not None:
        alpha = given["learning_rate"] / (1 - given["momentum"]) if given["momentum"] < 1 else 1.0
        return ld.descend(
            flow,
            y0,
            learning_rate=given["learning_rate"],
            momentum=given["momentum"],
            batch=given["batch"],
            seed=given["seed"] or 0,
            steps=max(1, round(given["t1"] / alpha)) if given["t1"] > 0 < alpha else 1,
            throw=False,
            progress=None if progress is None else lambda done: progress(done * alpha),
        )
    if given["points"] < 2:
        raise ValueError(f"points must be at least 2; got {given['points']}.")
    if not np.isfinite(given["t1"]) or given["t1"] <= 0:
        raise ValueError(f"t1 must be finite and > 0; got {given['t1']:g}.")
    ts = np.linspace(0.0, given["t1"], given["points"])
    rtol, steps = given["rtol"], given["max_steps"]
    engine = _engine(flow, y0, given)
    return ld.simulate(flow, y0, ts, rtol=rtol, engine=engine, max_steps=steps, throw=False, progress=progress)


def _engine(flow: Flow, y0: State, given: dict[str, Any]) -> str:
    """Return scipy, which starts at once, unless so many explicit steps are ahead that compiling pays."""
    if given["engine"] != "auto":
        return given["engine"]
    size = sum(np.size(getattr(y0, name)) for name in y0._fields())
    return "diffrax" if size > 64 and float(flow.hp.beta) * given["t1"] > EXPLICIT_LIMIT else "scipy"
