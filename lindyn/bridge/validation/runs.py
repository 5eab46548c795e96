"""The checkpoints of a run in the order of training, from `lindyn train`'s folder or by the numbers in their names."""

import re
from collections.abc import Iterable
from pathlib import Path

from lindyn.bridge.training.run import CHECKPOINTS, TRACE, Run

_STEP = re.compile(r"(?:global_?step|step|iter)[=_-]?(\d+)", re.IGNORECASE)
_EPOCH = re.compile(r"(?:epoch|ep)[=_-]?(\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


def open_run(folder: str | Path) -> tuple[list[Path], Path | None]:
    """Return (checkpoints in the order of training, trace or None) of a folder that `lindyn train` wrote.

    Args:
        folder: with run.toml, checkpoints/ and, unless it was switched off, trace.jsonl.

    Returns:
        The paths.

    Raises:
        ValueError: no run in the folder, or no checkpoint.
    """
    run = Run.load(folder)
    if not run.checkpoints:
        raise ValueError(f"{run.folder} holds no checkpoint: there is none in {run.folder / CHECKPOINTS}. Train first.")
    return run.checkpoints, run.trace


def is_run(path: str | Path) -> bool:
    """Return whether a path is a folder that `lindyn train` wrote."""
    return (Path(path) / "run.toml").is_file() or (Path(path) / TRACE).is_file()


def ordered(paths: Iterable[str | Path]) -> list[Path]:
    """Return checkpoint files in the order of training, by step, else epoch, else the last number of their names.

    What the files themselves say goes before (`over_training.from_checkpoints`): names only settle the rest.

    Args:
        paths: files of one run.

    Returns:
        The paths; those without a number last, by name.

    Raises:
        ValueError: the same file twice.
    """
    found = [Path(path) for path in paths]
    for path in found:
        if found.count(path) > 1:
            raise ValueError(f"Every checkpoint counts once; got {path} twice.")
    return sorted(found, key=_key)


def _key(path: Path) -> tuple[float, float, str]:
    """Return (step, else epoch, else last number; epoch; name)."""
    step, epoch = (_found(pattern, path.name) for pattern in (_STEP, _EPOCH))
    numbers = _NUMBER.findall(path.name.split(".")[0])
    last = float(numbers[-1]) if numbers else float("inf")
    first = next((value for value in (step, epoch) if value is not None), last)
    return first, last if epoch is None else epoch, path.name


def _found(pattern: re.Pattern, name: str) -> float | None:
    numbers = pattern.findall(name)
    return float(numbers[-1]) if numbers else None
