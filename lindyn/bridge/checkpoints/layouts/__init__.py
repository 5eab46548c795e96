"""Checkpoints of other people's code: a file a layout, each with its LAYOUT, found by the keys of a file alone.

    read_checkpoint(path)    the pieces of a checkpoint, under names free of any layout
    known_layouts()          all layouts: those of this folder

A layout that is missing: a file beside these with `matches`, `read` and `LAYOUT`.
"""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path

from lindyn import _checks
from lindyn.bridge.checkpoints import assembling
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.records import Pieces


@functools.cache
def known_layouts() -> tuple[Layout, ...]:
    """Return all layouts by name, those that are a last resort at the end."""
    modules = [importlib.import_module(f"{__name__}.{entry.name}") for entry in pkgutil.iter_modules(__path__)]
    return tuple(sorted((module.LAYOUT for module in modules), key=lambda layout: (layout.last, layout.name)))


def read_checkpoint(
    path: str | Path, *, unsafe: bool = False, names: Mapping[str, str] | None = None, layout: str | None = None
) -> Pieces:
    """Return the pieces of a checkpoint: predictor, projector, backbone, target, F, settings, and what is missing.

        pieces = read_checkpoint("checkpoints/last.ckpt")
        pieces.layout, pieces.predictor, pieces.settings.get("optim.lr"), pieces.notes

    Args:
        path: of the file: torch, safetensors, Keras's HDF5, or a pickle.
        unsafe: whether a file that needs unpickling is read (`lindyn.bridge.checkpoints.checkpoint_files`).
        names: pieces that are named by hand, "predictor", "projector", "backbone", "target_backbone" or
            "target_projector", each with the start of its tensors' names; they go before what the layout gives.
        layout: name of the layout; None finds it.

    Returns:
        The pieces; a missing predictor is a note, no error.

    Raises:
        ValueError: a file that cannot be read, an unknown layout (the message lists what is in the file), a tensor
            that is missing, pieces that do not fit.
        ImportError: a safetensors file without safetensors, or one of Keras without h5py.
    """
    wanted = None if layout is None else _checks.one_of("layout", layout, [known.name for known in known_layouts()])
    content = Content.of(path, unsafe)
    found = matching(content)
    if wanted is not None and wanted not in [known.name for known in found]:
        really = f"its keys are those of {found[0].title}" if found else "its keys are none of a layout that is known"
        raise ValueError(f"{path} has not the layout {wanted}: {really}; leave the layout out.")
    if not found and not names:
        raise ValueError(assembling.unknown(content))
    pieces = found[0].read(content) if found else assembling.empty(content)
    if names:
        pieces = assembling.named(content, pieces, names)
    assembling.check_fit(pieces)
    return pieces


def matching(content: Content) -> list[Layout]:
    """Return the layouts whose keys a file has: one, or none; a last resort only where there is no other."""
    found = [known for known in known_layouts() if known.matches(content)]
    return [known for known in found if not known.last] or found
