"""The files of a sweep's zarr store, as bytes: its metadata and axes (the head), and the chunks of a block.

They are made in memory and written by `store`, so that every file is whole or not there and has a checksum. The codec
is named here, not left to zarr's default, so that any zarr may go on with a store.
"""

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from lindyn.sweeps.axes import Block
from lindyn.sweeps.plan import Plan, attributes


class ZarrFiles:
    """The zarr files of one sweep.

    Args:
        plan: the sweep.
        chunks: the shape of a block.
    """

    def __init__(self, plan: Plan, chunks: tuple[int, ...]) -> None:
        zarr = _zarr()
        self._memory: dict[str, Any] = {}
        whole = {"write_empty_chunks": True}  # what has no file was lost
        codec = zarr.codecs.ZstdCodec(level=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr 3 warns that words and consolidated metadata are not standard yet
            group = zarr.create_group(
                zarr.storage.MemoryStore(self._memory), zarr_format=3, attributes=_json(attributes(plan))
            )
            group.attrs["block_shape"] = list(chunks)
            for axis in plan.grid.axes:
                values = axis.coordinate
                array = group.create_array(
                    axis.label, shape=values.shape, chunks=values.shape, dtype=values.dtype,
                    dimension_names=(axis.label,), attributes={"long_name": axis.text, "units": axis.units},
                    compressors=None, config=whole,
                )  # fmt: skip
                array[:] = values
            self._arrays = {}
            for variable in plan.variables:
                self._arrays[variable.name] = group.create_array(
                    variable.name, shape=plan.grid.shape, chunks=chunks, dtype=variable.dtype,
                    fill_value=variable.fill, dimension_names=plan.grid.dims, attributes=_json(variable.attributes),
                    compressors=codec, config=whole,
                )  # fmt: skip
            zarr.consolidate_metadata(group.store)
        self.head: dict[str, bytes] = {name: content.to_bytes() for name, content in self._memory.items()}

    def names(self, block: Block) -> dict[str, str]:
        """Return the file of each variable for a block, as a path in the store."""
        return {name: f"{name}/{array.metadata.encode_chunk_key(block)}" for name, array in self._arrays.items()}

    def encode(self, block: Block, region: tuple[slice, ...], values: Mapping[str, np.ndarray]) -> dict[str, bytes]:
        """Return the content of each file of a block."""
        out = {}
        for name, file in self.names(block).items():
            self._arrays[name][region] = values[name]
            out[file] = self._memory.pop(file).to_bytes()
        return out


def says(there: bytes, here: bytes) -> bool:
    """Whether a file of the head holds what it should; a JSON file may hold more, since users add attributes."""
    if there == here:
        return True
    try:
        return _contains(json.loads(there), json.loads(here))
    except ValueError:
        return False


def _contains(there: Any, here: Any) -> bool:
    if isinstance(here, dict):
        return isinstance(there, dict) and all(name in there and _contains(there[name], here[name]) for name in here)
    return bool(there == here)


def _json(told: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dict(told)))


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImportError("A sweep with a store needs zarr; install it with: pip install 'lindyn[cluster]'.") from error
    return zarr
