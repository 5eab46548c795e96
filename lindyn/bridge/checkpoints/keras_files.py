"""Reads the weights that Keras writes to HDF5 (`save_weights("x.h5")`): numbers by layer, nothing is run."""

from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import torch

MAGIC = b"\x89HDF\r\n\x1a\n"
LAYERS = "keras_layers"


def read(path: Path) -> dict[str, Any]:
    """Return {"keras_layers": {layer: {weight: tensor}}}, layers and weights in the order of the file.

    Args:
        path: of an HDF5 file, of weights or of a whole model.

    Raises:
        ValueError: the file is damaged, was not written by Keras, or lacks a tensor that it lists.
        ImportError: h5py is not installed.
    """
    if util.find_spec("h5py") is None:
        raise ImportError(f'Reading {path} needs h5py; install it with pip install "lindyn[validate]".')
    import h5py

    try:
        with h5py.File(path, "r") as file:
            top = file.get("model_weights", file)
            if "layer_names" not in top.attrs and "layer_names0" not in top.attrs:
                raise ValueError(
                    f'{path} is an HDF5 file, but not one of Keras\'s save_weights("x.h5"): it has no layer_names. '
                    "Save the encoder's weights so, or give the projections of two views with --features."
                )
            return {LAYERS: {layer: _weights(top[layer], path) for layer in _names(top, "layer_names")}}
    except (OSError, KeyError, RuntimeError) as error:
        reason = str(error).partition("\n")[0].strip("'\"")
        raise ValueError(f"{path} is damaged ({reason}); copy it again, or take the checkpoint before it.") from error


def _names(group: Any, attribute: str) -> list[str]:
    """Return a list of names; Keras cuts a long one into `name0`, `name1`, ..."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = [group.attrs[key] for key in sorted((k for k in group.attrs if k.startswith(attribute)), key=len)]
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _weights(group: Any, path: Path) -> dict[str, torch.Tensor]:
    found = {}
    for name in _names(group, "weight_names"):
        if name not in group:
            raise ValueError(f"{path} lists {name}, but the tensor is missing; save the weights again.")
        entry = group[name]
        if not hasattr(entry, "dtype") or entry.dtype.kind not in "fiu":
            raise ValueError(f"{path} lists {name} as a tensor, but it holds no numbers; save the weights again.")
        found[name] = torch.from_numpy(np.asarray(entry))
    return found
