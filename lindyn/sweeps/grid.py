"""The grid of a sweep: axes and fixed numbers, cut into blocks that are computed and stored one by one."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.sweeps.axes import Axis

Block = tuple[int, ...]  # the position of a block among the blocks, one number per axis
POINTS = 1 << 17  # points in a block: 6 MB of result, a fraction of a second of work


@dataclass(frozen=True, eq=False)
class Grid:
    """Every combination of the axes' values, with the rest fixed.

    Args:
        axes: in the order of the result's dimensions.
        names: the parameter that each axis varies.
        fixed: the parameters that do not vary.
    """

    axes: tuple[Axis, ...]
    names: tuple[str, ...]
    fixed: dict[str, float]

    @classmethod
    def of(cls, given: dict[str, float | Axis]) -> "Grid":
        """Return the grid of these parameters, in their order."""
        varied = {name: value for name, value in given.items() if isinstance(value, Axis)}
        fixed = {name: value for name, value in given.items() if not isinstance(value, Axis)}
        return cls(tuple(varied.values()), tuple(varied), fixed)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(axis.label for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def chunks(self, points: int = POINTS) -> tuple[int, ...]:
        """Return the shape of a block of at most `points` points: last axes whole, first axes cut."""
        shape = []
        for length in reversed(self.shape):
            shape.append(min(length, max(1, points)))
            points //= shape[-1]
        return tuple(reversed(shape))

    def blocks(self, chunks: Sequence[int]) -> Iterator[Block]:
        """Return the position of every block."""
        counts = (-(-length // chunk) for length, chunk in zip(self.shape, chunks, strict=True))
        return itertools.product(*(range(count) for count in counts))

    def region(self, block: Block, chunks: Sequence[int]) -> tuple[slice, ...]:
        """Return where a block lies in the result."""
        return tuple(
            slice(k * chunk, min((k + 1) * chunk, length))
            for k, chunk, length in zip(block, chunks, self.shape, strict=True)
        )

    def values(self, region: tuple[slice, ...]) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
        """Return every parameter over the points of a region, flat, and the region's shape."""
        parts = [axis.values[part] for axis, part in zip(self.axes, region, strict=True)]
        shape = tuple(len(part) for part in parts)
        mesh = np.meshgrid(*parts, indexing="ij") if parts else []
        varied = {name: np.ascontiguousarray(values.ravel()) for name, values in zip(self.names, mesh, strict=True)}
        count = math.prod(shape)
        return varied | {name: np.full(count, value) for name, value in self.fixed.items()}, shape

    def describe(self) -> dict[str, Any]:
        """Return the grid as plain data: what makes two sweeps the same."""
        return {
            "axes": {axis.label: axis.coordinate.tolist() for axis in self.axes},
            "fixed": dict(self.fixed),
        }
