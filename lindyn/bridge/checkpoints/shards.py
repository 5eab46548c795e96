"""Checkpoints in several files: shards with an index are read as one; folders that parallel training writes are named.

What FSDP, DeepSpeed and their like write holds pieces of tensors; their own converters join them, so the one that a
folder needs is said.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from lindyn.stored import limits

INDEX = ".index.json"
_SHARD = re.compile(r"(?P<stem>.+?)-(?P<number>\d+)-of-(?P<count>\d+)(?P<ending>\.(safetensors|bin|pt|pth))$")
_DEEPSPEED = re.compile(r"(zero_pp_rank_.*|.*mp_rank_\d+.*_(model|optim)_states)\.pt$")
DCP = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} whole.pt"
LIGHTNING = "python -m lightning_fabric.utilities.consolidate_checkpoint {folder}"
ZERO = "python {script} {folder} whole.pt"


def files_of(path: Path) -> list[Path]:
    """Return the shards of which a file is one, or that an index file names; [] where it is whole in itself.

    Raises:
        ValueError: a shard that is missing, an index that cannot be read.
    """
    if path.name.endswith(INDEX):
        return _of_index(path)
    match = _SHARD.match(path.name)
    if match is None:
        return []
    index = path.with_name(f"{match['stem']}{match['ending']}{INDEX}")
    if index.is_file():
        return _of_index(index)
    count, wide = int(match["count"]), len(match["number"])
    names = [f"{match['stem']}-{k:0{wide}d}-of-{match['count']}{match['ending']}" for k in range(1, count + 1)]
    missing = [name for name in names if not path.with_name(name).is_file()]
    if missing:
        raise ValueError(
            f"{path} is shard {int(match['number'])} of {count}, and {missing[0]} is not beside it; copy all of them, "
            f"with {index.name}."
        )
    return [path.with_name(name) for name in names]


def _of_index(index: Path) -> list[Path]:
    try:
        named = limits.read_json(index)["weight_map"]
        names = sorted(set(named.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} is no index of shards: it must hold weight_map, {{tensor: file}}.") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise ValueError(f"{index} names {name!r} as a shard; shards lie in the folder of their index.")
        if not (index.parent / name).is_file():
            raise ValueError(f"{index} names the shard {name}, which is not beside it; copy all of them.")
    if not names:
        raise ValueError(f"{index} names no shard; save the checkpoint again.")
    return [index.parent / name for name in names]


def check_names(index: Path, found: Iterable[str]) -> None:
    """Raise ValueError where an index names a tensor that its shards do not hold."""
    if index.name.endswith(INDEX):
        lacks = sorted(set(limits.read_json(index)["weight_map"]) - set(found))
        if lacks:
            raise ValueError(f"{index} names {lacks[0]}, which no shard holds; the shards are of another checkpoint.")


def joined(files: Iterable[Path]) -> list[Path]:
    """Return files with all shards of one checkpoint as one: their index, or the first of them."""
    out: dict[Path, Path] = {}
    for path in files:
        match = _SHARD.match(path.name)
        index = path.with_name(f"{match['stem']}{match['ending']}{INDEX}") if match else path
        out.setdefault(index, index if match and index.is_file() else path)
    return list(out.values())


def converter(path: Path) -> str:
    """Return how a checkpoint of parallel training is made one file, in one sentence; "" where it is none."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        inside = [entry.name for entry in path.iterdir()]
    else:
        inside = [path.name] if path.suffix == ".distcp" or _DEEPSPEED.match(path.name) else []
    if any(name.endswith(".distcp") for name in inside):
        how = LIGHTNING if (folder / "meta.pt").is_file() else DCP
        return _told(path, "torch.distributed.checkpoint", how.format(folder=folder))
    if "zero_to_fp32.py" in inside or any(map(_DEEPSPEED.match, inside)):
        home = next((each for each in (folder, folder.parent) if (each / "zero_to_fp32.py").is_file()), None)
        script = str(home / "zero_to_fp32.py") if home is not None else "-m deepspeed.utils.zero_to_fp32"
        return _told(path, "DeepSpeed", ZERO.format(script=script, folder=home or folder))
    if any(name in inside for name in ("_CHECKPOINT_METADATA", "manifest.ocdbt", "ocdbt.process_0")):
        return f"{path} is a checkpoint of Orbax (JAX): save projections of two views as .npz and give --features FILE."
    if any(re.search(r"\.data-\d+-of-\d+$", name) for name in inside):
        return (
            f'{path} is a checkpoint of TensorFlow: save the encoder by save_weights("x.h5"), or give --features FILE.'
        )
    return ""


def _told(path: Path, whose: str, command: str) -> str:
    return f"{path} is a checkpoint of {whose}, in pieces of each process: make one file of it by `{command}`."


def converter_within(folder: Path) -> str:
    """Return `converter` of a folder, or of the first folder in it that is such a checkpoint."""
    inner = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    return next((said for entry in (folder, *inner) if (said := converter(entry))), "")
