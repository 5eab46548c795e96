"""Data models that minibatches are drawn from: Gaussian views with given moments, or recorded pairs of views."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._records import Record
from lindyn.moments import Moments


@dataclass(frozen=True, eq=False, repr=False)
class GaussianViews(Record):
    """Two views x_i = xbar + n_i with xbar ~ N(0, X) and n_1, n_2 ~ N(0, X') independent.

    Args:
        mean_root: n1 x n1 with mean_root mean_root^T = X.
        aug_root: n1 x n1 with aug_root aug_root^T = X'.
    """

    mean_root: Any
    aug_root: Any

    @classmethod
    def of(cls, data: Moments) -> "GaussianViews":
        """Return the Gaussian model with these moments."""
        return cls(_root(_checks.to_numpy(data.X)), _root(_checks.to_numpy(data.X_aug)))

    def draw(self, key: Any, batch: int) -> tuple[Any, Any]:
        """Return two views of `batch` samples, each n1 x batch (JAX arrays)."""
        import jax

        n1 = self.mean_root.shape[0]
        z = jax.random.normal(key, (3, n1, batch), dtype=self.mean_root.dtype)
        mean = self.mean_root @ z[0]
        return mean + self.aug_root @ z[1], mean + self.aug_root @ z[2]


@dataclass(frozen=True, eq=False, repr=False)
class RecordedViews(Record):
    """Pairs of views drawn with replacement from two arrays.

    Args:
        v1: first views, samples x n1.
        v2: second views, the same shape.

    Raises:
        ValueError: shapes that differ, NaN or infinity.
    """

    v1: Any
    v2: Any

    def _check(self) -> None:
        v1 = _checks.as_array("v1", self.v1, ndim=2)
        self._set(v1=v1, v2=_checks.as_array("v2", self.v2, shape=v1.shape))

    def draw(self, key: Any, batch: int) -> tuple[Any, Any]:
        """Return two views of `batch` samples, each n1 x batch (JAX arrays)."""
        import jax

        rows = jax.random.randint(key, (batch,), 0, self.v1.shape[0])
        return self.v1[rows].T, self.v2[rows].T


def _root(M: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(M)
    return vectors * np.sqrt(np.maximum(values, 0.0))
