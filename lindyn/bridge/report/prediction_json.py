"""A theory beside a run in `report.json`, written and read back."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lindyn.bridge.along_run import TheoryBeside, mean_known
from lindyn.bridge.report.json_values import array, plain

DIGITS = 7


def as_json(beside: TheoryBeside) -> dict[str, Any]:
    """Return a theory beside the run as JSON values; numbers to `DIGITS` digits.

    Args:
        beside: the theory.
    """
    error, absolute = (mean_known(each) for each in (beside.shape_error, beside.absolute_error))
    told = {
        "theory": beside.theory,
        "spectrum_shape_error": error,
        "spectrum_absolute_error": absolute,
        "readings": beside.readings,
        "effective_rank": _both(beside.steps, beside.rank_measured, beside.rank_predicted),
        "collapsed": {"measured": beside.collapsed_measured, "predicted": beside.collapsed_predicted},
        "spectrum": _both(beside.steps, beside.measured, beside.predicted),
        "shape_error": beside.shape_error,
        "absolute_error": beside.absolute_error,
        "norm": _both(beside.norm_steps, beside.norm_measured, beside.norm_predicted),
        "path": dict(beside.path),
        "source": beside.source,
        "notes": beside.notes,
    }
    return _short(plain(told))  # type: ignore[no-any-return]


def _both(steps: np.ndarray, measured: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    return {"step": steps, "measured": measured, "predicted": predicted}


def _short(value: Any) -> Any:
    """Return JSON values with numbers of `DIGITS` digits."""
    if isinstance(value, dict):
        return {key: _short(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_short(entry) for entry in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def read(entry: Mapping[str, Any]) -> TheoryBeside:
    """Return a theory beside the run as a report holds it.

    Args:
        entry: one of `predictions`.

    Raises:
        KeyError: a field is missing.
        TypeError: words where numbers belong.
    """
    rank, spectrum, norm, collapsed = (entry[name] for name in ("effective_rank", "spectrum", "norm", "collapsed"))
    steps = np.asarray(rank["step"], dtype=int)
    measured, predicted = (array(spectrum[name]).reshape(len(steps), -1) for name in ("measured", "predicted"))
    return TheoryBeside(
        entry["theory"], steps, measured, predicted, array(rank["measured"]), array(rank["predicted"]),
        array(entry["shape_error"]), array(entry["absolute_error"]), bool(collapsed["measured"]),
        bool(collapsed["predicted"]), entry["source"], tuple(entry["notes"]), np.asarray(norm["step"], dtype=int),
        array(norm["measured"]), array(norm["predicted"]),
        {name: array(values) for name, values in entry["path"].items()},
    )  # fmt: skip
