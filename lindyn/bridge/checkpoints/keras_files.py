"""Weights in HDF5 as Keras writes them: only what lies in the file itself, and no more than it has room for.

HDF5 has links to other files, datasets that are stitched from others and raw data kept elsewhere. None is followed:
a weight would then be whatever this machine has in the file that the stranger named.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lindyn.stored import limits

DAMAGED = (OSError, KeyError, RuntimeError, TypeError, OverflowError, MemoryError, SystemError, UnicodeError)
"""What h5py brings up on a damaged file."""
_BUILT_IN = (1, 2, 3, 4, 5, 6, 32000)  # filters of HDF5, and h5py's LZF


def layers(path: str | Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return the weights that Keras writes to HDF5 (`save_weights("x.h5")`, or a whole model), by layer.

    Raises:
        ValueError: another HDF5 file, a tensor that is missing, elsewhere or too large for the file.
    """
    import h5py

    with h5py.File(path, "r") as file:
        top = _member(file, "model_weights", path) if "model_weights" in file else file
        if "layer_names" not in top.attrs and "layer_names0" not in top.attrs:
            raise ValueError(
                f'{path} is an HDF5 file, but not one of Keras\'s save_weights("x.h5"): it has no layer_names. '
                "Save the encoder's weights so, or give the projections of two views with --features."
            )
        found, room = {}, limits.unpacked(Path(path).stat().st_size)
        for layer in _names(top, "layer_names", path):
            found[layer] = _weights(_member(top, layer, path), path, room)
            room -= sum(tensor.nbytes for tensor in found[layer].values())
        return found


def _member(group: Any, name: str, path: str | Path) -> Any:
    """Return what stands in a group under a name, if it lies in the file."""
    import h5py

    for part in (part for part in name.split("/") if part):
        if not isinstance(group, h5py.Group):
            raise KeyError(f"{part!r} stands in no group")
        link = group.get(part, getlink=True)
        if link is None:
            raise KeyError(f"object {part!r} does not exist")
        if not isinstance(link, h5py.HardLink):
            where = getattr(link, "filename", "") or getattr(link, "path", "")
            raise ValueError(f"{path}: {name} is a link to {where}; links are not followed. Save the weights again.")
        group = group[part]
    return group


def _names(group: Any, attribute: str, path: str | Path) -> list[str]:
    """Return a list of names; Keras cuts a long one into `name0`, `name1`, ..."""
    if attribute in group.attrs:
        keys = [attribute]
    else:
        keys = sorted((key for key in group.attrs if key.startswith(attribute)), key=len)
    return [
        name.decode() if isinstance(name, bytes) else str(name) for key in keys for name in _attribute(group, key, path)
    ]


def _attribute(group: Any, key: str, path: str | Path) -> Any:
    """Return a list that is kept as an attribute, if the file has room for it."""
    entry, size = group.attrs.get_id(key), Path(path).stat().st_size
    count = math.prod(entry.shape)
    each = size if entry.dtype.hasobject else entry.dtype.itemsize  # of texts of any length the file says only where
    if count > limits.COUNT or count * each > limits.unpacked(size):
        raise ValueError(f"{path} says that {key} has {count} entries of {each} bytes; that is not read.")
    return group.attrs[key]


def _weights(group: Any, path: str | Path, room: int) -> dict[str, torch.Tensor]:
    import h5py

    found = {}
    for name in _names(group, "weight_names", path):
        try:
            entry = _member(group, name, path)
        except KeyError as error:
            raise ValueError(f"{path} lists {name}, but the tensor is missing; save the weights again.") from error
        if not isinstance(entry, h5py.Dataset) or entry.dtype.kind not in "fiu":
            raise ValueError(f"{path} lists {name} as a tensor, but it holds no numbers; save the weights again.")
        if entry.is_virtual or entry.external:
            raise ValueError(f"{path}: the numbers of {name} lie in another file; that is not read. Save them again.")
        made = entry.id.get_create_plist()
        filters = [made.get_filter(at)[0] for at in range(made.get_nfilters())]
        if any(number not in _BUILT_IN for number in filters):
            raise ValueError(f"{path}: {name} is packed by a filter of another library; save the weights without it.")
        chunk = math.prod(entry.chunks or ()) * entry.dtype.itemsize
        room -= entry.size * entry.dtype.itemsize
        if room < 0 or chunk > limits.unpacked(Path(path).stat().st_size):
            raise ValueError(f"{path} says that {name} has the shape {entry.shape}, more than such a file holds.")
        found[name] = torch.from_numpy(np.asarray(entry))
    return found
