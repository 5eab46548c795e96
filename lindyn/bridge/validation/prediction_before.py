"""What `lindyn predict` said of a run before it was trained, beside what was measured along it."""

from pathlib import Path
from typing import Any

import numpy as np

from lindyn.bridge.along_run import PREDICTED, TheoryBeside
from lindyn.bridge.prediction import training_prediction
from lindyn.bridge.run import normalised_theory, theory_beside
from lindyn.bridge.run.theory_beside import KEPT, MeasuredSpectra
from lindyn.bridge.sections import TABLE
from lindyn.bridge.training.config import TrainConfig
from lindyn.stored import limits

NAME = "prediction.json"
BESIDE = "predict"
"""Folder beside that of a run in which a prediction is looked for: where `lindyn predict` writes by default."""
SHOWN = 3
"""Keys of another configuration that are named."""


def found(run: Path | None, given: Path | None) -> Path | None:
    """Return the file of the prediction of a run: the given one, or one beside it of the same configuration.

    Args:
        run: its run.toml, or None.
        given: what was asked for.

    Raises:
        ValueError: a prediction was given and no folder of `lindyn train`, or it is of another configuration.
    """
    if given is not None:
        path = given / NAME if given.is_dir() else given
        if run is None:
            raise ValueError(
                f"--prediction {given} is held against the run that it was made for; give the folder of lindyn train."
            )
        if off := _differences(_read(path), run):
            raise ValueError(
                f"{path} is the prediction of another configuration ({off}). Make that of this run: lindyn predict "
                f"{run}."
            )
        return path
    if run is None:
        return None
    for path in (run.parent / NAME, run.parent.parent / BESIDE / NAME):
        try:
            if path.is_file() and not _differences(_read(path), run):
                return path
        except ValueError:
            continue  # not asked for, so that what it is does not matter
    return None


def of_run(path: Path, seen: MeasuredSpectra) -> TheoryBeside:
    """Return a prediction beside the readings of its run, between its own steps by lines.

    Args:
        path: of the prediction.
        seen: what was measured.

    Raises:
        ValueError: no prediction, or one that was changed after it was made.
    """
    told = _read(path)
    at, s = np.asarray(told["step"]), np.asarray(told["spectrum"], dtype=float)
    within = (seen.steps >= at[0]) & (seen.steps <= at[-1])
    spectra = np.full((len(seen.steps), s.shape[1]), np.nan)
    spectra[within] = np.stack([np.interp(seen.steps[within], at, mode) for mode in s.T], axis=1)
    path_of = {"steps": at, "s": s[:, :KEPT], "effective_rank": np.asarray(told["effective_rank"], dtype=float),
               "norm": np.asarray(told["norm"], dtype=float)}  # fmt: skip
    rank = normalised_theory.effective_rank(spectra)
    return theory_beside.beside(PREDICTED, seen, spectra, rank, tuple(told["left_out"]), path_of)


def _read(path: Path) -> dict[str, Any]:
    """Return a prediction.

    Raises:
        ValueError: no such file, not a prediction, or not as it was written.
    """
    try:
        told = limits.read_json(path)
    except OSError as error:
        raise ValueError(f"Cannot read the prediction {path}: {error.strerror}.") from error
    if not isinstance(told, dict) or told.get(training_prediction.KEY) != training_prediction.SCHEMA:
        raise ValueError(f"{path} is no prediction of a run; lindyn predict writes one ({NAME}).")
    if training_prediction.digest(told) != told.get("sha256"):
        raise ValueError(f"{path} is not as it was written: its digest differs. Make it anew with lindyn predict.")
    return told


def _differences(told: dict[str, Any], run: Path) -> str:
    """Return in words in which keys a run differs from what was predicted."""
    mine = TrainConfig.read(run).flat()
    kept = {key: list(value) if isinstance(value, tuple) else value for key, value in mine.items()}
    off = [
        f"{key} = {told['config'][key]!r} there, {value!r} in the run"
        for key, value in kept.items()
        if not TABLE.keys[key].free and key in told["config"] and _plain(told["config"][key]) != _plain(value)
    ]
    return "; ".join(off[:SHOWN]) + ("; ..." if len(off) > SHOWN else "")


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
