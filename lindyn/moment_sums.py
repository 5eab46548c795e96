"""X and X' from arrays of pairs of views, read in chunks: the data never have to fit in memory."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from lindyn.moments import Moments
from lindyn.view_sums import ViewSums

CHUNK_BYTES = 64 * 2**20


class MomentSums:
    """Running sums over pairs of views from which X, X' and their sampling errors follow (`ViewSums` of two views).

    Args:
        n1: dimension of a (flattened) view, >= 1.
    """

    def __init__(self, n1: int) -> None:
        self.n1 = int(n1)
        self._sums = ViewSums(self.n1, 2)

    @property
    def count(self) -> int:
        """Number of pairs so far."""
        return self._sums.count

    def add(self, v1: Any, v2: Any) -> Self:
        """Add a batch of pairs.

        Args:
            v1: first views, samples x n1 (further axes are flattened).
            v2: second views, the same shape.

        Returns:
            The sums themselves.

        Raises:
            ValueError: shapes that differ or another width than n1; NaN or infinity.
        """
        v1, v2 = (np.asarray(v, dtype=np.float64).reshape(len(v), -1) for v in (v1, v2))
        for name, v in (("v1", v1), ("v2", v2)):
            if v.shape[1] != self.n1 or v.shape != v1.shape:
                raise ValueError(f"{name} must be samples x {self.n1}, as many as v1; got shape {v.shape}.")
        self._sums.add(np.stack([v1, v2], axis=1))
        return self

    def moments(self, centre: bool = False) -> Moments:
        """Return the moments with their sampling errors.

        Args:
            centre: subtract the mean over all views.

        Returns:
            `Moments` whose `sampling` holds the standard errors and what was clipped of X.

        Raises:
            ValueError: fewer than two samples.
        """
        return self._sums.moments(centre=centre)

    @classmethod
    def of_arrays(cls, v1: Any, v2: Any) -> Self:
        """Return the sums over two arrays of views, read in chunks (memory-mapped arrays stay on disk).

        Raises:
            ValueError: shapes that differ, or arrays without a sample axis and a feature axis.
        """
        shapes = [getattr(v, "shape", None) or np.shape(v) for v in (v1, v2)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"v1 and v2 must have the same shape; got {shapes[0]} and {shapes[1]}.")
        if len(shapes[0]) < 2:
            raise ValueError(f"v1 must be samples x n1; got shape {shapes[0]}.")
        sums = cls(int(np.prod(shapes[0][1:])))
        for rows in chunks(shapes[0][0], sums.n1):
            sums.add(v1[rows], v2[rows])
        return sums


def chunks(n: int, width: int) -> Iterator[slice]:
    """Yield slices of n rows of `width` float64 numbers that each take at most `CHUNK_BYTES`."""
    step = max(1, CHUNK_BYTES // (8 * max(width, 1)))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))
