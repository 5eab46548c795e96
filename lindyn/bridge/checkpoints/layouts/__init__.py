"""Checkpoints of other people's code: which layout a file has, and its pieces under names free of any layout.

    read_checkpoint(path)            the pieces of a checkpoint
    LAYOUTS                          all layouts, each found by its keys

A layout that is missing: a file beside these with `matches` and `read`, and a line in the table.
"""

from collections.abc import Mapping
from pathlib import Path

from lindyn import _checks
from lindyn.bridge.checkpoints.layouts import (
    by_hand,
    byol_pytorch,
    deepmind,
    implicit_var_reg,
    lightly,
    lindyn,
    luckmatters,
    miszkur,
    mmpretrain,
    simsiam,
    solo_learn,
    stable_pretraining,
    sthalles,
)
from lindyn.bridge.checkpoints.layouts.assembling import check_fit
from lindyn.bridge.checkpoints.layouts.content import Content, Layout
from lindyn.bridge.records import Pieces

LAYOUTS: tuple[Layout, ...] = (
    lindyn.LAYOUT,
    lightly.LAYOUT,
    solo_learn.LAYOUT,
    implicit_var_reg.LAYOUT,
    simsiam.LAYOUT,
    luckmatters.LAYOUT,
    sthalles.LAYOUT,
    mmpretrain.LAYOUT,
    stable_pretraining.LAYOUT,
    byol_pytorch.LAYOUT,
    deepmind.LAYOUT,
    miszkur.LAYOUT,
    byol_pytorch.BACKBONE,
)


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
    wanted = None if layout is None else _checks.one_of("layout", layout, [known.name for known in LAYOUTS])
    content = Content.of(path, unsafe)
    found = matching(content)
    if wanted is not None and wanted not in [known.name for known in found]:
        really = f"its keys are those of {found[0].title}" if found else "its keys are none of a layout that is known"
        raise ValueError(f"{path} has not the layout {wanted}: {really}; leave the layout out.")
    if not found and not names:
        raise ValueError(by_hand.unknown(content))
    pieces = found[0].read(content) if found else by_hand.empty(content)
    if names:
        pieces = by_hand.named(content, pieces, names)
    check_fit(pieces)
    return pieces


def matching(content: Content) -> list[Layout]:
    """Return the layouts whose keys a file has: one, or none."""
    return [known for known in LAYOUTS if known.matches(content)]
