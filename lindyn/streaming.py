"""X and X' from pairs of views as streaming sums: the data never have to fit in memory."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from lindyn.moments import Moments, SamplingError

CHUNK_BYTES = 64 * 2**20


class MomentSums:
    """Running sums over pairs of views from which X, X' and their sampling errors follow.

    X = sym(E[v1 v2^T]) and X' = E[(v1 - v2)(v1 - v2)^T] / 2 are unbiased for independent views of each sample.

    Args:
        n1: dimension of a (flattened) view, >= 1.
    """

    def __init__(self, n1: int) -> None:
        self.n1 = int(n1)
        self.count = 0
        self._cross = np.zeros((n1, n1))
        self._difference = np.zeros((n1, n1))
        self._mean = np.zeros(n1)
        self._cross_squares = 0.0
        self._difference_squares = 0.0

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
            bad = int(v.size - np.count_nonzero(np.isfinite(v)))
            if bad:
                first = self.count + int(np.argmax(~np.isfinite(v).all(axis=1)))
                raise ValueError(
                    f"{name} must be finite; got {bad} NaN or infinite entries, the first in sample {first}."
                )
        d = v1 - v2
        self.count += len(v1)
        self._cross += v1.T @ v2
        self._difference += d.T @ d
        self._mean += (v1 + v2).sum(axis=0)
        inner, n11, n22 = (np.einsum("ij,ij->i", a, b) for a, b in ((v1, v2), (v1, v1), (v2, v2)))
        self._cross_squares += float(np.sum(n11 * n22 + inner**2)) / 2
        self._difference_squares += float(np.sum(np.einsum("ij,ij->i", d, d) ** 2)) / 4
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
        n = self.count
        if n < 2:
            raise ValueError(f"At least 2 samples are needed to estimate X and X'; got {n}.")
        X = (self._cross + self._cross.T) / (2 * n)
        X_aug = self._difference / (2 * n)
        errors = [
            float(np.sqrt(max(squares / n - np.sum(M * M), 0.0) / (n - 1)))
            for M, squares in ((X, self._cross_squares), (X_aug, self._difference_squares))
        ]
        if centre:
            mean = self._mean / (2 * n)
            X = X - np.outer(mean, mean)
        X, clipped = clip_negative(X)
        return Moments(X, X_aug, SamplingError(n, errors[0], errors[1], clipped))

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


def clip_negative(M: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the nearest PSD matrix in Frobenius norm and the norm of what was cut away."""
    values, vectors = np.linalg.eigh(M)
    negative = values[values < 0]
    if len(negative) == 0:
        return M, 0.0
    kept = np.maximum(values, 0.0)
    return (vectors * kept) @ vectors.T, float(np.linalg.norm(negative))
