"""Reads the file of a checkpoint: torch, safetensors, Keras's HDF5, pickles through stand-ins; none of it is run."""

import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Any

import torch

from lindyn.bridge.checkpoints import keras_files, shards, stubs
from lindyn.stored import archives, limits, sums, torch_archives

FLAG = "--unsafe-pickle"
SUFFIXES = (".ckpt", ".pth", ".pt", ".tar", ".pkl", ".safetensors", ".bin", ".h5")
KERAS_MAGIC = b"\x89HDF\r\n\x1a\n"
KERAS_LAYERS = "keras_layers"
"""The entry that holds what a file of Keras has, {layer: {weight: tensor}} in the order of the file."""
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
    if sums.is_sound(path) is False:
        raise _damaged(path, f"it is not what was written, by its checksum in {sums.SUMS}")
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

    with path.open("rb") as file:
        header = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
    if header > limits.TEXT:
        raise _damaged(path, f"its header has {limits.sized(header)}")
    try:
        return dict(load_file(path))
    except (MemoryError, safetensors.SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error


def _keras(path: Path) -> dict[str, Any]:
    if util.find_spec("h5py") is None:
        raise ImportError(f'Reading {path} needs h5py; install it with pip install "lindyn[validate]".')
    try:
        return {KERAS_LAYERS: keras_files.layers(path)}
    except keras_files.DAMAGED as error:
        raise _damaged(path, str(error).partition("\n")[0].strip("'\"") or type(error).__name__) from error


def _check_archive(path: Path) -> None:
    """Raise ValueError unless a zip file is a whole torch checkpoint."""
    try:
        with archives.archive(path) as opened:
            names = opened.namelist()
    except (ValueError, *torch_archives.DAMAGED) as error:
        raise _damaged(path, _first_line(error)) from error
    last = {name.rsplit("/", 1)[-1] for name in names}
    if "constants.pkl" in last:
        raise ValueError(f"{path} is a TorchScript archive; save the state_dict() of the module instead.")
    if "data.pkl" not in last:
        hint = "; features are given as features, not as a checkpoint" if any(n.endswith(".npy") for n in last) else ""
        raise ValueError(f"{path} is a zip file but no checkpoint of torch{hint}.")
    try:
        torch_archives.check_zip(path)
    except (ValueError, *torch_archives.DAMAGED) as error:
        raise _damaged(path, _first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


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
        raise _damaged(path, _first_line(error)[:120]) from error
    return _through_stubs(
        path, lambda: torch.load(path, map_location="cpu", weights_only=False, pickle_module=stubs.PickleModule())
    )


def _pickled(path: Path, unsafe: bool) -> Any:
    """Return the contents of a file that starts as a pickle: torch's old format, or any other pickle."""
    try:
        is_torch = torch_archives.check_pickle(path)
    except (ValueError, *torch_archives.DAMAGED) as error:
        ends = "exhausted" in str(error) or "not enough" in str(error) or "ends after" in str(error)
        raise _damaged(path, "its pickle ends too early" if ends else _first_line(error)) from error
    if is_torch:
        return _torch(path, unsafe)
    if not unsafe:
        raise _needs_flag(path, "")
    with path.open("rb") as file:
        return _through_stubs(path, stubs.Unpickler(file).load)


def _through_stubs(path: Path, load: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch looks for the source of stand-ins
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
