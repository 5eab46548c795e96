"""The store of a sweep: a zarr group that xarray opens at any time, written block by block, each block whole or not.

    STORE/zarr.json            axes, configuration, all metadata (consolidated)
    STORE/p/c/0/3, ...         one zarr chunk per block and variable
    STORE/.blocks/0.3          an empty file: block (0, 3) is complete, written after its data reached the disk

A block without its mark is computed again, so a killed run loses at most the blocks it was writing.
"""

import errno
import json
import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _files
from lindyn.sweeps.axes import Block
from lindyn.sweeps.plan import Plan, attributes, clash, configuration, row_bytes

MARKS = ".blocks"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Store:
    """An open store. Make or open one with `Store.at`.

    Args:
        path: of its folder.
        group: the zarr group.
        chunks: the shape of a block.
    """

    def __init__(self, path: Path, group: Any, chunks: tuple[int, ...]) -> None:
        self.path, self.group, self.chunks = path, group, chunks

    @classmethod
    def at(cls, path: Path | str, plan: Plan, points: int | None = None) -> "Store":
        """Open the store of this very sweep, or make it.

        Args:
            path: its folder; made, with its parents, if it is not there.
            plan: the sweep.
            points: points in a block of a new store.

        Returns:
            The store.

        Raises:
            ValueError: the folder holds something else, or another sweep; the message names the difference.
            OSError: it cannot be written to, or the disk has not the room.
        """
        path = Path(path).absolute()
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            return cls._open(path, plan)
        _check_room(path, plan)
        try:
            return cls._make(path, plan, plan.grid.chunks(points or plan.points))
        except OSError as error:
            raise OSError(f"Cannot make the store {path}: {error.strerror or error}.") from error

    @classmethod
    def _open(cls, path: Path, plan: Plan) -> "Store":
        zarr = _zarr()
        try:
            group = zarr.open_group(path, mode="r+")
            there = json.loads(group.attrs["configuration"])
        except (ValueError, KeyError, OSError, TypeError) as error:
            raise ValueError(
                f"{path} exists and is no store of a sweep; give another place, or remove it first."
            ) from error
        here = json.loads(json.dumps(configuration(plan)))
        if there != here:
            raise ValueError(
                f"The store {path} holds another sweep: {clash(there, here)}. "
                "Give another place, the same settings to go on with it, or remove it first (--overwrite does)."
            )
        return cls(path, group, tuple(group.attrs["block_shape"]))

    @classmethod
    def _make(cls, path: Path, plan: Plan, chunks: tuple[int, ...]) -> "Store":
        """Make the store beside its place and move it there, so that it appears whole."""
        zarr = _zarr()
        with _files.draft_folder(path) as draft:
            group = zarr.create_group(draft, zarr_format=3, attributes=_json(attributes(plan)))
            group.attrs["block_shape"] = list(chunks)
            for axis in plan.grid.axes:
                told = {"long_name": axis.text, "units": axis.units}
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # zarr 3 warns that words are not in its standard yet
                    _coordinate(group, axis.label, axis.coordinate, told)
            for variable in plan.variables:
                group.create_array(
                    variable.name, shape=plan.grid.shape, chunks=chunks, dtype=variable.dtype,
                    fill_value=variable.fill, dimension_names=plan.grid.dims, attributes=_json(variable.attributes),
                )  # fmt: skip
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zarr 3 warns that consolidated metadata is not in its standard yet
                zarr.consolidate_metadata(group.store)
            (draft / MARKS).mkdir()
        return cls(path, zarr.open_group(path, mode="r+"), chunks)

    def done(self) -> set[Block]:
        """Return the blocks that are complete."""
        folder = self.path / MARKS
        if not folder.is_dir():
            return set()
        return {
            _block(name) for name in os.listdir(folder) if not name.startswith(".") and not name.endswith(".partial")
        }

    def has(self, block: Block) -> bool:
        """Return whether a block is complete."""
        return (self.path / MARKS / _name(block)).exists()

    def put(self, block: Block, region: tuple[slice, ...], values: Mapping[str, np.ndarray]) -> None:
        """Write one block: its data to the disk, then its mark.

        Raises:
            OSError: it cannot be written.
        """
        files = []
        for name, array in values.items():
            target = self.group[name]
            target[region] = array
            files.append(self.path / name / target.metadata.encode_chunk_key(block))
        for file in files:
            if file.exists():  # zarr leaves out a chunk that holds nothing but its fill value
                _files.to_disk(file)
                _files.to_disk(file.parent)
        folder = self.path / MARKS
        folder.mkdir(exist_ok=True)
        _files.write(folder / _name(block), b"", sync=True)

    def dataset(self) -> Any:
        """Return the store as a Dataset that reads what is looked at."""
        import xarray

        return xarray.open_dataset(self.path, engine="zarr", chunks=None)


def _coordinate(group: Any, name: str, values: np.ndarray, told: dict[str, Any]) -> None:
    array = group.create_array(
        name, shape=values.shape, chunks=values.shape, dtype=values.dtype, dimension_names=(name,), attributes=told
    )
    array[:] = values


def _json(told: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dict(told)))


def _name(block: Block) -> str:
    return ".".join(map(str, block)) or "all"


def _block(name: str) -> Block:
    return () if name == "all" else tuple(map(int, name.split(".")))


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImportError("A sweep with a store needs zarr; install it with: pip install 'lindyn[cluster]'.") from error
    return zarr


def _check_room(path: Path, plan: Plan) -> None:
    place = next(folder for folder in path.parents if folder.exists())
    wanted, free = plan.grid.size * row_bytes(plan), shutil.disk_usage(place).free
    if wanted > free:
        raise OSError(
            f"The result of {plan.grid.size:.3g} points takes up to {sized(wanted)} and {place} has "
            f"{sized(free)} free; give another place, or a coarser grid."
        )


def sized(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    return ""
