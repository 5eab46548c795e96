"""What was given to validate: checkpoints, a run's folder, a trace, in any mixture."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lindyn.bridge import hub_files
from lindyn.bridge.checkpoints import shards
from lindyn.bridge.checkpoints.layouts import known_layouts
from lindyn.bridge.given_paths import TRACE, checkpoint_path, no_checkpoint
from lindyn.bridge.records import Pieces
from lindyn.bridge.training import run_folder as kept
from lindyn.display.brief import Brief
from lindyn.outputs.places import CHECKPOINTS as ENDINGS

_STATE = re.compile(r"(optimizer|scheduler|scaler|rng_state|random_states|training_args|trainer_state)\w*\.\w+$")
"""What trainers write beside a network's weights."""
RUN = "run.toml"
MOST = 24
"""Checkpoints of a run that are measured at most: first, last and an even choice between."""


@dataclass(frozen=True, repr=False)
class Inputs(Brief):
    """Files in the order of training.

    Args:
        files: checkpoints.
        trace: a trace of `Diagnostics`, or None.
        run: the run.toml beside them, or None.
        title: what was given, as a path to be shown.
        notes: one sentence each on what was left out.
        prediction: of `lindyn predict`, for this run; None: there is none.
    """

    files: tuple[Path, ...]
    trace: Path | None
    run: Path | None
    title: Path
    notes: tuple[str, ...] = ()
    prediction: Path | None = None


def unfinished(pieces: Pieces, run: Path | None) -> Pieces:
    """Return the pieces, marked where the folder of `lindyn train` holds no result: the run did not reach its end."""
    if run is None or (run.parent / kept.RESULT).is_file():
        return pieces
    note = "The run has no result.json: it is still training, was interrupted, or stopped at a loss that is no number."
    return replace(pieces, title=f"{pieces.title} (unfinished run)", notes=(*pieces.notes, note))


def find(given: str | os.PathLike | Iterable[str | os.PathLike], most: int = MOST) -> Inputs:
    """Return the checkpoints and the trace that paths stand for.

    Args:
        given: one path or several: checkpoints, folders of `lindyn train` or with checkpoints in them, a trace.jsonl.
        most: so many checkpoints at most.

    Returns:
        The `Inputs`; the checkpoints of a folder in the order of their numbers, files in the order given.

    Raises:
        ValueError: nothing given, a path that does not exist, a folder without checkpoints, two traces.
    """
    paths = paths_of(given)
    if not paths:
        raise ValueError("checkpoints must be a checkpoint, a folder of lindyn train or a trace.jsonl; got nothing.")
    files: list[Path] = []
    traces: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside, trace = _of_folder(path)
            files += inside
            traces += [trace] if trace is not None else []
        elif checkpoint_path(path).suffix == ".jsonl":
            traces.append(path)
        else:
            files.append(path)
    if len(traces) > 1:
        raise ValueError(f"One run at a time; got two traces, {traces[0]} and {traces[1]}. Use --compare for two runs.")
    chosen, notes = _thinned(shards.joined(files), most)
    trace = traces[0] if traces else None
    return Inputs(chosen, trace, _run_file(paths[0]), paths[0] if len(paths) == 1 else files[-1], notes)


def paths_of(given: Any) -> list[Path]:
    """Return one path or several as a list; names of the Hugging Face hub are fetched.

    Raises:
        ValueError: something else, as a module or a state_dict, or a model of the hub that cannot be fetched.
        ImportError: a name of the hub without huggingface_hub.
    """
    if isinstance(given, str | os.PathLike):
        return [_local(given)]
    many = isinstance(given, Iterable) and not isinstance(given, Mapping | bytes)
    found: list[Any] = list(given) if many else [None]
    if not all(isinstance(path, str | os.PathLike) for path in found):
        raise ValueError(
            f"checkpoints must be paths; got {type(given).__name__}. Save a network's state_dict with torch.save and "
            "give the file."
        )
    return [_local(path) for path in found]


def _local(path: str | os.PathLike) -> Path:
    return hub_files.fetched(path) if isinstance(path, str) and hub_files.is_named(path) else Path(path)


def _of_folder(folder: Path) -> tuple[list[Path], Path | None]:
    """Return the checkpoints and the trace of a folder."""
    trace = folder / TRACE if (folder / TRACE).is_file() else None
    inside = kept.every(folder / "checkpoints")
    if not inside and (told := shards.converter(folder)):
        raise ValueError(told)
    if not inside:
        here = [path for path in folder.iterdir() if path.is_file() and path.name.lower().endswith(ENDINGS)]
        inside = sorted((path for path in here if not path.name.startswith(".")), key=_numbers)
        layouts, _ = known_layouts()
        inside = shards.joined(path for path in inside if not _STATE.match(path.name))
        networks = [path for path in inside if not any(layout.aside(path) for layout in layouts)]
        inside = networks or inside
    if not inside and (told := shards.converter_within(folder)):
        raise ValueError(told)
    if not inside and trace is None:
        raise no_checkpoint(folder)
    return inside, trace


def _numbers(path: Path) -> tuple[list[int], str]:
    """Return what sorts files as training wrote them: by the numbers in their names."""
    return [int(word) for word in re.findall(r"\d+", path.name)], path.name


def _thinned(files: list[Path], most: int) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    if len(files) <= most:
        return tuple(files), ()
    chosen = sorted({round(k * (len(files) - 1) / (most - 1)) for k in range(most)})
    note = f"{len(chosen)} of {len(files)} checkpoints were measured: the first, the last and an even choice between."
    return tuple(files[k] for k in chosen), (note,)


def _run_file(path: Path) -> Path | None:
    """Return the run.toml of the run that a path belongs to."""
    homes = [path] if path.is_dir() else [path.parent, path.parent.parent]
    return next((home / RUN for home in homes if (home / RUN).is_file()), None)
