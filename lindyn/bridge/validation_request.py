"""What a call of `validate` says: what cannot be done with any checkpoint, and what it changes of what was read."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lindyn.bridge.features.image_views import AUTO
from lindyn.bridge.measure.bootstrap import FEWEST
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings
from lindyn.bridge.training.run_folder import RESULT


def check(features: Any, images: str | Path, samples: Any, device: str | None, seed: Any) -> None:
    """Raise ValueError, before anything is read, for what cannot be done with any checkpoint."""
    if features is not None and images != AUTO:
        raise ValueError(f"features and images={str(images)!r} were both given; give one of them.")
    for name, value, least in (("samples", samples, FEWEST), ("seed", seed, 0)):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and (not whole or value < least):
            raise ValueError(f"{name} must be a whole number of {least} or more; got {value!r}.")
    if device in (None, AUTO):
        return
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:  # as each backend has it
        reason = str(error).splitlines()[0].split(". ")[0][:120]
        raise ValueError(
            f"device must name one that this machine has, cpu or cuda; got {device!r} ({reason})."
        ) from error


def overridden(given: Settings, read: Settings) -> Iterator[str]:
    """Yield a note for every setting that was given in place of another that was read."""
    for key, value in given.values.items():
        if key in read.values and read.values[key] != value:
            yield f"{key} = {value!r} was given in place of {read.values[key]!r}, which {read.sources[key]} says."


def unfinished(pieces: Pieces, run: Path | None) -> Pieces:
    """Return the pieces, marked where the folder of `lindyn train` holds no result: the run did not reach its end."""
    if run is None or (run.parent / RESULT).is_file():
        return pieces
    note = "The run has no result.json: it is still training, was interrupted, or stopped at a loss that is no number."
    return replace(pieces, title=f"{pieces.title} (unfinished run)", notes=(*pieces.notes, note))
