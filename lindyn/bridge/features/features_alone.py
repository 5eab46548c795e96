"""Features without a checkpoint: of a network whose files cannot be read here, or are lost."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lindyn import _checks
from lindyn.bridge.features.feature_arrays import DAMAGED
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

LAYOUT, TITLE = "features", "features alone"
W_P = "W_p"
"""What the predictor's matrix is called in an .npz file beside the features."""


def pieces_of(features: Any, settings: Settings) -> Pieces:
    """Return the pieces that features bring with them: the predictor, where their .npz file holds W_p.

    Args:
        features: as `validate` takes them.
        settings: of the run.

    Returns:
        The `Pieces`; layout "features".

    Raises:
        ValueError: a W_p that is no square matrix of numbers.
    """
    named = isinstance(features, str | os.PathLike)
    W_p = _matrix(Path(features)) if named else None
    held = "the predictor's matrix W_p beside them" if W_p is not None else "no predictor"
    notes = (
        f"There is no checkpoint: features with {held}; laws of weights and of the run's course cannot be tested.",
    )
    path = Path(features) if named else Path("(arrays)")
    return Pieces(path, LAYOUT, TITLE, predictor=W_p, settings=settings, notes=notes)


def _matrix(path: Path) -> nn.Sequential | None:
    """Return a linear predictor with the W_p of an .npz file, or None; features are checked by their own reader."""
    if path.suffix != ".npz" or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as opened:  # whole: the reader of features has read it
        try:
            found = opened[W_P] if W_P in opened.files else None
        except (ValueError, *DAMAGED) as error:
            raise ValueError(f"W_p in {path} cannot be read: {error}.") from error
    if found is None:
        return None
    W_p = np.asarray(_checks.as_array(W_P, found, ndim=2), dtype=float)
    if W_p.shape[0] != W_p.shape[1]:
        raise ValueError(f"W_p in {path} must be d x d, acting on column vectors; got shape {W_p.shape}.")
    layer = nn.Linear(len(W_p), len(W_p), bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(W_p))
    return nn.Sequential(layer)
