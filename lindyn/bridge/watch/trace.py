"""The trace of a run: a text file of JSON lines that grows by one line per reading and survives being cut off.

Line 1 is a header: schema version, configuration, units. Every other line is one reading with its `step`, and with a
checksum. A run that goes on writes a header again and then appends; where it was set back to an earlier step, the later
readings of the old run no longer count. A last line that was cut off is dropped.
"""

import dataclasses
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lindyn.bridge.readings import Collapse, Diagnosis, SlopeFit
from lindyn.bridge.watch.collapse_words import read_collapse
from lindyn.bridge.watch.diagnosis import OTHER_WINDOWS
from lindyn.statistics import ratio
from lindyn.stored import limits, lines

SCHEMA = 2
"""1: `balance_residual`, ||F - c W_p^T W_p|| / ||F|| with c of least squares, where 2 has `balance_residual_fitted`."""
KEY = "lindyn_trace"
_DIGITS = 7  # what float32 knows
SQUARED = "features^2"
NONE = "1"


class Quantity(NamedTuple):
    """One variable of a trace: axes beside `step`, unit, meaning."""

    dims: tuple[str, ...]
    unit: str
    meaning: str


QUANTITIES = {
    "s": Quantity(("mode",), SQUARED, "eigenvalues of F = E[z z^T], largest first"),
    "p": Quantity(("mode",), NONE, "u_j^T W_p u_j for the eigenvectors u_j of F"),
    "alignment": Quantity(("mode",), NONE, "cosine between u_j and W_p u_j"),
    "spectrum_W_p": Quantity(("mode",), NONE, "eigenvalues of the symmetric part of W_p, largest first"),
    "alignment_top": Quantity((), NONE, "mean cosine of the 16 largest modes"),
    "asymmetry": Quantity((), NONE, "||W_p - W_p^T|| / ||W_p||"),
    "commutator_norm": Quantity((), SQUARED, "||[F, W_p]||"),
    "commutator_share": Quantity((), NONE, "||[F, W_p]|| / (||F|| ||W_p||)"),
    "balance_c": Quantity((), SQUARED, "c of the c W_p^T W_p nearest to F, ||F|| / ||W_p^T W_p||"),
    "balance_residual_fitted": Quantity((), NONE, "||F - c W_p^T W_p|| / (||F|| + c ||W_p^T W_p||)"),
    "slope": Quantity((), NONE, "slope of log p against log s"),
    "slope_low": Quantity((), NONE, "lower end of the slope's 95 % interval"),
    "slope_high": Quantity((), NONE, "upper end of the slope's 95 % interval"),
    "slope_modes": Quantity((), NONE, "modes fitted"),
    "slope_s_low": Quantity((), SQUARED, "smallest s of the fit window"),
    "slope_s_high": Quantity((), SQUARED, "largest s of the fit window"),
    "slope_verdict": Quantity((), "", "fitted, or not testable and why"),
    "slope_by_window": Quantity(("window",), NONE, "slope in other windows, shares of the largest s"),
    "trace_F": Quantity((), SQUARED, "tr F"),
    "effective_rank": Quantity((), NONE, "exp of the entropy of F's eigenvalues"),
    "effective_rank_share": Quantity((), NONE, "effective rank over min(N - 1, d)"),
    "rankme": Quantity((), NONE, "exp of the entropy of the features' singular values"),
    "rankme_share": Quantity((), NONE, "RankMe over min(N - 1, d)"),
    "concentration": Quantity((), NONE, "largest eigenvalue of F over tr F"),
    "std": Quantity((), NONE, "mean standard deviation of l2-normalised features, 1/sqrt(d) if isotropic"),
    "spread": Quantity((), NONE, "std sqrt(d)"),
    "scale": Quantity((), NONE, "tr F over its start"),
    "collapse": Quantity((), "", "complete, partial or none"),
    "live": Quantity((), NONE, "directions that live: a hundredth of an equal share of the variance or more"),
    "live_low": Quantity((), NONE, "lower end of its 99 % interval"),
    "live_high": Quantity((), NONE, "upper end of its 99 % interval"),
    "live_uncentred": Quantity((), NONE, "directions of F that live"),
    "directions": Quantity((), NONE, "how many directions could live"),
    "concentration_centred": Quantity((), NONE, "largest eigenvalue of the covariance over its trace"),
    "alarm": Quantity((), "", "healthy, at risk, collapsed, or unknown where nothing could be read"),
    "reason": Quantity((), "", "of the alarm"),
    "d": Quantity((), NONE, "dimension of the features"),
    "samples": Quantity((), NONE, "features that F was gathered from"),
    "start": Quantity((), SQUARED, "tr F of the first step watched"),
    "linear_share": Quantity((), NONE, "share of the outputs' variance that the nearest affine map explains"),
}
"""Every variable that a record may hold; other numbers a user adds (a loss) have no unit."""

COORDINATES = {"window": list(OTHER_WINDOWS)}
WORDS = ("alarm", "reason", "collapse", "slope_verdict")
COUNTS = ("slope_modes", "d", "samples")


def read_trace(path: str | os.PathLike) -> Any:
    """Return the trace of a run as an xarray.Dataset over `step` and `mode` (eigenvectors of F, largest s first).

    Args:
        path: of the file that `Diagnostics` wrote.

    Returns:
        The dataset; every variable has `units` and `long_name`, `attrs` hold the configuration (of the last start),
        the number of starts and the schema of the file. Readings that a set-back run made again are the newer ones;
        those of schema 1 have today's names and definitions.

    Raises:
        ValueError: no such file, not a trace, a trace of a newer schema, a damaged line before the last.
    """
    headers, records = readings(Path(path))
    try:
        return _dataset(headers, records, limits.unpacked(os.path.getsize(path)))
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise ValueError(f"{path} is damaged: a reading in it has no numbers where they belong ({error}).") from error


def _dataset(headers: list[dict], records: list[dict], most: int) -> Any:
    """Return the readings as a dataset of at most so many bytes."""
    import xarray as xr

    names = list(dict.fromkeys(name for record in records for name in record if name != "step"))
    modes = max((len(record[name]) for record in records for name in ("s",) if record.get(name)), default=0)
    if 8 * modes * len(records) > most:
        raise ValueError(f"{modes} modes in one of {len(records)} readings")
    sizes = {"mode": modes, **{name: len(values) for name, values in COORDINATES.items()}}
    variables = {name: _variable(name, [record.get(name) for record in records], sizes) for name in names}
    coordinates = {"step": np.array([record["step"] for record in records], dtype=int), "mode": np.arange(modes)}
    coordinates |= {name: np.array(values) for name, values in COORDINATES.items()}
    attributes = {
        "schema": headers[-1][KEY],
        "lindyn": headers[-1]["lindyn"],
        "starts": len(headers),
        "configuration": json.dumps(headers[-1]["configuration"]),
        "time": headers[-1]["time"],
    }
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def _variable(name: str, values: list[Any], sizes: dict[str, int]) -> tuple[tuple[str, ...], np.ndarray, dict]:
    """Return (axes, numbers, attributes) of one variable; what a reading lacks is NaN, or an empty word."""
    quantity = QUANTITIES.get(name)
    attributes = {"units": quantity.unit, "long_name": quantity.meaning} if quantity else {}
    if name in WORDS:
        return ("step",), np.array([value or "" for value in values], dtype=str), attributes
    dims = quantity.dims if quantity else ()
    numbers = np.full((len(values), *(sizes[dim] for dim in dims)), np.nan)
    for row, value in enumerate(values):
        if value is None:
            continue
        if dims:
            numbers[row, : len(value)] = [math.nan if entry is None else entry for entry in value]
        else:
            numbers[row] = value
    return ("step", *dims), numbers, attributes


def readings(path: Path) -> tuple[list[dict], list[dict]]:
    """Return the headers and the readings that count."""
    what = "path must be a trace that Diagnostics wrote;"
    if not path.is_file():
        raise ValueError(f"{what} {path} does not exist.")
    limits.check_size(path, limits.TRACE)
    headers: list[dict] = []
    records: list[dict] = []
    wrong: tuple[int, str] | None = None
    for number, line, entry in lines.read(path):
        if wrong is not None:  # not the last line, which may be cut off
            break
        if isinstance(entry, str) or not (KEY in entry or isinstance(entry.get("step"), int)):
            wrong = number, entry if isinstance(entry, str) and "checksum" in entry else ""
            if line.endswith(b"\n") and wrong[1]:
                break
        elif KEY in entry:
            if entry[KEY] not in range(1, SCHEMA + 1):
                raise ValueError(f"{path} has trace schema {entry[KEY]}, this lindyn reads {SCHEMA}; update lindyn.")
            headers.append(entry)
        elif not headers:
            wrong = number, ""
        else:
            while records and records[-1]["step"] >= entry["step"]:  # the run was set back
                records.pop()
            records.append(_of_today(entry) if headers[-1][KEY] == 1 else entry)
    else:
        if headers:
            return headers, records
    if not headers:
        raise ValueError(f"{what} {path} is no trace: it has no header.")
    assert wrong is not None
    raise ValueError(f"{what} line {wrong[0]} of {path} is damaged{f' ({wrong[1]})' if wrong[1] else ''}.")


def balance_of_schema_1(residual: Any, c: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (balance_residual_fitted, balance_c) from what schema 1 held.

    With theta the angle between F and W_p^T W_p these were sin theta and the c of least squares, cos theta ||F|| /
    ||W_p^T W_p||; they are sin(theta / 2) and ||F|| / ||W_p^T W_p|| (`lindyn.statistics.balance_residual_fitted`).
    """
    sine = np.asarray(residual, dtype=float)
    cosine = np.sqrt(np.maximum(1 - sine**2, 0.0))
    return sine / np.sqrt(2 * (1 + cosine)), ratio(c, cosine)


def _of_today(record: dict[str, Any]) -> dict[str, Any]:
    """Return a reading of schema 1 under today's names and definitions."""
    if "balance_residual" not in record:
        return record
    old = (math.nan if record.get(name) is None else record[name] for name in ("balance_residual", "balance_c"))
    residual, c = (plain(float(value)) for value in balance_of_schema_1(*old))
    kept = {name: value for name, value in record.items() if name != "balance_residual"}
    return {**kept, "balance_residual_fitted": residual, "balance_c": c}


def plain(value: Any) -> Any:
    """Return numbers, arrays and words as JSON has them."""
    if isinstance(value, str | bool | int) or value is None:
        return value
    if np.ndim(value):
        return [plain(entry) for entry in np.asarray(value)]
    number = float(value)
    return float(f"{number:.{_DIGITS}g}") if math.isfinite(number) else None


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
    names = [f.name for f in dataclasses.fields(Diagnosis) if f.name not in ("slope", "collapse")]
    slope = {f.name: _value(last, "slope" if f.name == "slope" else f"slope_{f.name}")
             for f in dataclasses.fields(SlopeFit)}  # fmt: skip
    values = {name: _value(last, name) for name in names}
    if np.ndim(values["s"]) != 1 or not np.isfinite(values["s"]).any():
        return None, 0, step
    samples = _value(last, "samples")
    count = 0 if math.isnan(samples) else int(samples)
    values |= {"slope": SlopeFit(**slope), "collapse": _collapse(last, values, count)}
    return Diagnosis(**values), count, step


def _collapse(last: Any, values: dict[str, Any], samples: int) -> Collapse:
    """Return the word of a reading; of one made before there was one, by the eigenvalues that it holds."""
    if "collapse" not in last:
        return read_collapse(values["s"], samples=samples, spread=values["spread"], scale=values["scale"])
    names = ("live", "live_low", "live_high", "live_uncentred", "directions", "concentration_centred")
    numbers: dict[str, Any] = {name: float(_value(last, name)) for name in names}
    own = math.isfinite(numbers["concentration_centred"])
    told = {"alarm": values["alarm"], "reason": values["reason"], "concentration": values["concentration"]}
    return Collapse(str(_value(last, "collapse")), centred=own, **told, **numbers)


def _value(record: Any, name: str) -> Any:
    """Return a variable of one reading: a word, a number or an array; NaN where the trace lacks it."""
    if name not in record:
        return math.nan
    value = record[name].values
    if value.ndim:
        return value[np.isfinite(value)] if name in ("s", "p", "spectrum_W_p") else value
    return str(value) if value.dtype.kind == "U" else float(value)
