"""What a trace alone says: the reading of its last line, and the run's curves."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from lindyn.bridge.records import Pieces
from lindyn.bridge.run import description
from lindyn.bridge.settings import Settings
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.watch.diagnosis import Diagnosis, SlopeFit
from lindyn.bridge.watch.trace import read_trace


def length(path: str | Path) -> int:
    """Return how many readings a trace has; 0 where it cannot be read."""
    try:
        return int(read_trace(path).sizes["step"])
    except ValueError:
        return 0


def last_reading(path: str | Path) -> tuple[Diagnosis | None, int, int | None]:
    """Return (the last diagnosis, its samples, its step) of a trace; (None, 0, None) of one without readings.

    Args:
        path: of the trace.

    Raises:
        ValueError: no trace, or a damaged one.
    """
    trace = read_trace(path)
    if not trace.sizes["step"]:
        return None, 0, None
    last = trace.isel(step=-1)
    step = int(last["step"])
    names = [field.name for field in dataclasses.fields(Diagnosis) if field.name != "slope"]
    slope = {f.name: _value(last, "slope" if f.name == "slope" else f"slope_{f.name}")
             for f in dataclasses.fields(SlopeFit)}  # fmt: skip
    values = {name: _value(last, name) for name in names}
    if np.ndim(values["s"]) != 1 or not np.isfinite(values["s"]).any():
        return None, 0, step
    samples = _value(last, "samples")
    return Diagnosis(**{**values, "slope": SlopeFit(**slope)}), 0 if math.isnan(samples) else int(samples), step


def _value(record: Any, name: str) -> Any:
    """Return a variable of one reading: a word, a number or an array; NaN where the trace lacks it."""
    if name not in record:
        return math.nan
    value = record[name].values
    if value.ndim:
        return value[np.isfinite(value)] if name in ("s", "p", "spectrum_W_p") else value
    return str(value) if value.dtype.kind == "U" else float(value)


def pieces_of(path: Path, step: int | None, settings: Settings) -> Pieces:
    """Return the pieces of a trace: none, but its place and what is known of the run."""
    note = (
        "A trace holds spectra and readings, not the network: the laws are not tested by their intervals; what it says "
        "is the diagnosis over training."
    )
    return Pieces(path, "trace", "trace of lindyn's diagnostics", step=step, settings=settings, notes=(note,))


def settings_of(run_file: Path) -> Settings:
    """Return the settings of the run.toml beside a trace; optim.lr is the rate that acted."""
    return description.settings_of(TrainConfig.read(run_file), "run.toml")
