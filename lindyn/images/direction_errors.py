"""How well each direction's eigenvalues and threshold are known: a second look at the views, in the eigenbasis of X."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn.images.survival_prediction import threshold_slopes
from lindyn.moments import Moments


@dataclass(frozen=True)
class DirectionErrors:
    """Standard errors per direction of `Moments.joint_spectrum` (largest x first), length n1.

    Args:
        x: of the eigenvalues of X.
        x_aug: of v_j^T X' v_j, the turning of v_j with X counted in.
        threshold: of x^2 / (4 (x + x')), their correlation counted in.
    """

    x: np.ndarray
    x_aug: np.ndarray
    threshold: np.ndarray


class DirectionSums:
    """Running sums over images of what each image adds to x_j, x'_j and the threshold, to first order.

        dx_j  = v_j^T dX v_j
        dx'_j = v_j^T dX' v_j + 2 sum_{k != j} (v_j^T X' v_k) (v_k^T dX v_j) / (x_j - x_k)

    so that the variance over images, divided by their number, is the squared standard error. Directions whose x lie
    closer together than their error are not well told apart, and their x' error is large accordingly.

    Args:
        moments: the estimated X and X'.
        mean: mean image in pixel units that was subtracted, length n1 (0 if none was).
        factor: what X in pixel units was multiplied by.
        views: R, views of each image.
    """

    def __init__(self, moments: Moments, mean: np.ndarray, factor: float, views: int) -> None:
        x, x_aug, V = moments.joint_spectrum()
        self.mean, self.project, self.views, self.count = mean, V * np.sqrt(factor), views, 0
        gaps = x[:, None] - x[None, :]
        distinct = np.abs(gaps) > 1e-12 * max(float(x[0]), np.finfo(float).tiny)
        self.turn = np.divide(V.T @ moments.X_aug @ V, gaps, out=np.zeros_like(gaps), where=distinct)
        self.slopes = threshold_slopes(np.maximum(x, 0.0), np.maximum(x_aug, 0.0))
        self._sums = np.zeros((2, 3, len(x)))  # (first, second power) x (x, x', threshold) x direction

    def add(self, views: Any) -> Self:
        """Add a batch of views, images x R x n1 (further axes are flattened)."""
        R = self.views
        v = np.asarray(views, dtype=np.float64).reshape(len(views), R, -1)
        z = (v - self.mean) @ self.project
        turned = z @ self.turn.T
        m, turned_m = z.mean(axis=1), turned.mean(axis=1)
        dx = (R**2 * m * m - np.sum(z * z, axis=1)) / (R * (R - 1))
        rotation = (R**2 * turned_m * m - np.sum(turned * z, axis=1)) / (R * (R - 1))
        dx_aug = np.sum((z - m[:, None, :]) ** 2, axis=1) / (R - 1) + 2 * rotation
        parts = np.stack([dx, dx_aug, self.slopes[0] * dx + self.slopes[1] * dx_aug])
        self.count += len(v)
        self._sums += np.stack([parts.sum(axis=1), (parts**2).sum(axis=1)])
        return self

    def errors(self) -> DirectionErrors:
        """Return the standard errors."""
        first, second = self._sums / self.count
        return DirectionErrors(*np.sqrt(np.maximum(second - first**2, 0.0) / (self.count - 1)))
