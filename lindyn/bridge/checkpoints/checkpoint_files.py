"""Reads the file of a checkpoint: torch, safetensors, Keras's HDF5, pickles through stand-ins; none of it is run."""

import pickle
import pickletools
import re
import struct
import zipfile
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lindyn.bridge.checkpoints import shards, stubs

FLAG = "--unsafe-pickle"
SUFFIXES = (".ckpt", ".pth", ".pt", ".tar", ".pkl", ".safetensors", ".bin", ".h5")
KERAS_MAGIC = b"\x89HDF\r\n\x1a\n"
KERAS_LAYERS = "keras_layers"
"""The entry that holds what a file of Keras has, {layer: {weight: tensor}} in the order of the file."""
_LEGACY = 0x1950A86A20F9469CFC6C  # the number that starts a file of torch before 1.6
_FOREIGN = {
    b"\x93NUMPY": "a NumPy array; features are given as features, not as a checkpoint",
    b"\x89PNG": "a picture",
    b"{": "a text file",
}


def read(path: str | Path, unsafe: bool = False) -> dict[str, Any]:
    """Return what a checkpoint file holds, as a tree of dicts, lists, tensors and numbers.

    torch files are read with weights_only=True first. What that refuses is read, with `unsafe`, through stand-ins
    (`lindyn.bridge.checkpoints.stubs`): arrays and containers arrive, other objects are kept as what they hold.

    Args:
        path: of the file.
        unsafe: whether a file that needs unpickling is read.

    Returns:
        The tree; its top is a dict.

    Raises:
        ValueError: no such file, a directory, an empty, damaged or foreign file, a pickle without `unsafe`.
        ImportError: safetensors or h5py is not installed.
    """
    path = Path(path)
    _check_file(path)
    parts = shards.files_of(path)
    if parts:
        whole: dict[str, Any] = {}
        for part in parts:
            whole |= _one(part, unsafe)
        shards.check_names(path, whole)
        return whole
    return _one(path, unsafe)


def _one(path: Path, unsafe: bool) -> dict[str, Any]:
    _check_file(path)
    with path.open("rb") as file:
        start = file.read(16)
    if path.suffix == ".safetensors" or _is_safetensors(start, path):
        tree: Any = _safetensors(path)
    elif start.startswith(KERAS_MAGIC):
        tree = _keras(path)
    elif start.startswith(b"PK\x03\x04"):
        tree = _torch(path, unsafe, _check_archive)
    elif start[:1] == b"\x80" and start[1:2] <= b"\x05":
        tree = _pickled(path, unsafe)
    else:
        neither = "neither a torch, safetensors, Keras nor pickle file"
        what = next((text for magic, text in _FOREIGN.items() if start.startswith(magic)), neither)
        raise ValueError(f"{path} is no checkpoint: it is {what}.")
    if not isinstance(tree, Mapping) or not tree:
        raise ValueError(f"{path} holds {_kind(tree)} and no weights by name; save the network's state_dict().")
    return dict(tree)


def _check_file(path: Path) -> None:
    if told := shards.converter(path):
        raise ValueError(told)
    if path.is_dir():
        found = sorted(entry.name for entry in path.iterdir() if entry.suffix in SUFFIXES)
        more = f", such as {found[-1]}" if found else "; there is none that looks like a checkpoint in it"
        raise ValueError(f"{path} is a directory; give the checkpoint file{more}.")
    if not path.is_file():
        raise ValueError(f"There is no checkpoint {path}.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; the run was probably stopped while it wrote it.")


def _damaged(path: Path, how: str) -> ValueError:
    return ValueError(f"{path} is damaged ({how}); copy it again, or take the checkpoint before it.")


def _kind(tree: Any) -> str:
    return "nothing" if isinstance(tree, Mapping) else f"a {type(tree).__name__}"


def _is_safetensors(start: bytes, path: Path) -> bool:
    return len(start) > 8 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] <= path.stat().st_size


def _safetensors(path: Path) -> dict[str, Any]:
    if util.find_spec("safetensors") is None:
        raise ImportError(f'Reading {path} needs safetensors; install it with pip install "lindyn[validate]".')
    import safetensors
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error


def _keras(path: Path) -> dict[str, Any]:
    """Return the weights that Keras writes to HDF5 (`save_weights("x.h5")`, or a whole model), by layer."""
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
            return {
                KERAS_LAYERS: {layer: _keras_weights(top[layer], path) for layer in _keras_names(top, "layer_names")}
            }
    except (OSError, KeyError, RuntimeError) as error:
        raise _damaged(path, str(error).partition("\n")[0].strip("'\"")) from error


def _keras_names(group: Any, attribute: str) -> list[str]:
    """Return a list of names; Keras cuts a long one into `name0`, `name1`, ..."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = [group.attrs[key] for key in sorted((k for k in group.attrs if k.startswith(attribute)), key=len)]
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _keras_weights(group: Any, path: Path) -> dict[str, torch.Tensor]:
    found = {}
    for name in _keras_names(group, "weight_names"):
        if name not in group:
            raise ValueError(f"{path} lists {name}, but the tensor is missing; save the weights again.")
        entry = group[name]
        if not hasattr(entry, "dtype") or entry.dtype.kind not in "fiu":
            raise ValueError(f"{path} lists {name} as a tensor, but it holds no numbers; save the weights again.")
        found[name] = torch.from_numpy(np.asarray(entry))
    return found


def _check_archive(path: Path) -> None:
    """Raise ValueError unless a zip file is a whole torch checkpoint."""
    try:
        names = zipfile.ZipFile(path).namelist()
    except zipfile.BadZipFile as error:
        raise _damaged(path, "it ends before its directory of contents") from error
    last = {name.rsplit("/", 1)[-1] for name in names}
    if "constants.pkl" in last:
        raise ValueError(f"{path} is a TorchScript archive; save the state_dict() of the module instead.")
    if "data.pkl" not in last:
        hint = "; features are given as features, not as a checkpoint" if any(n.endswith(".npy") for n in last) else ""
        raise ValueError(f"{path} is a zip file but no checkpoint of torch{hint}.")


def _torch(path: Path, unsafe: bool, check: Any = None) -> Any:
    """Return a torch file's contents: weights only, or through stand-ins."""
    if check is not None:
        check(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not unsafe:
            raise _needs_flag(path, str(error)) from error
    except Exception as error:  # torch.load brings up whatever a damaged archive makes of it
        raise _damaged(path, str(error).splitlines()[0][:120] if str(error) else type(error).__name__) from error
    return _through_stubs(
        path, lambda: torch.load(path, map_location="cpu", weights_only=False, pickle_module=stubs.PickleModule())
    )


def _pickled(path: Path, unsafe: bool) -> Any:
    """Return the contents of a file that starts as a pickle: torch's old format, or any other pickle."""
    first = _first_pickle(path)
    if first == _LEGACY:
        return _torch(path, unsafe)
    if not unsafe:
        raise _needs_flag(path, "")
    with path.open("rb") as file:
        return _through_stubs(path, stubs.Unpickler(file).load)


def _first_pickle(path: Path) -> Any:
    """Return the number a pickle consists of (torch's mark), or None; raise ValueError if it does not end."""
    number = None
    with path.open("rb") as file:
        try:
            for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
                if count == 1 and operation.name in ("LONG1", "INT", "LONG"):
                    number = argument
        except ValueError as error:
            raise _damaged(path, "its pickle ends too early") from error
    return number


def _through_stubs(path: Path, load: Any) -> Any:
    try:
        return stubs.plain(load())
    except RecursionError as error:
        raise _damaged(path, "its objects contain themselves") from error
    except Exception as error:  # a hostile or damaged pickle may raise anything
        raise _damaged(path, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error


def _needs_flag(path: Path, error: str) -> ValueError:
    named = re.search(r"GLOBAL ([\w.]+)", error)
    what = f"objects of {named.group(1)}" if named else "Python objects"
    return ValueError(
        f"{path} holds {what} that only unpickling can read; if you know who wrote it, add {FLAG} (unsafe=True in "
        "Python): they are read through stand-ins that run nothing."
    )
