"""Streaming sums over several views of each image, from which X, X' and their sampling errors follow."""

from typing import Any, Self

import numpy as np

from lindyn._linalg import clip_negative


class RunningSums:
    """Running sums over images, R independent views v_1..v_R of each, from which X, X' and their errors follow.

        xhat_i  = sum_{a != b} v_a v_b^T / (R (R - 1)),    E xhat_i  = xbar xbar^T   given the image
        x'hat_i = sum_a (v_a - m)(v_a - m)^T / (R - 1),    E x'hat_i = Var[x'|x],    m = mean of the R views

    and X, X' are their means over images. Pairs of views of one image are not independent (they share the image, and
    each other), images are: the sampling error is that of a mean of one matrix per image,
    (E ||xhat_i||_F^2 - ||X||_F^2) / (n - 1). At R = 2, xhat = sym(v_1 v_2^T) and x'hat = (v_1 - v_2)(v_1 - v_2)^T / 2.

    Args:
        n1: dimension of a (flattened) view, >= 1.
        views: R, views of each image, >= 2.

    Raises:
        ValueError: fewer than two views: one view cannot tell X from X'.
    """

    def __init__(self, n1: int, views: int) -> None:
        if not isinstance(views, int | np.integer) or views < 2:
            raise ValueError(f"views must be a whole number >= 2; got {views!r}. One view cannot tell X from X'.")
        self.n1, self.views, self.count = int(n1), int(views), 0
        self._mean = np.zeros(n1)
        self._mean_outer = np.zeros((n1, n1))
        self._spread = np.zeros((n1, n1))
        self._X_squares = self._X_aug_squares = self._mean_squares = 0.0
        self._X_mean = np.zeros(n1)

    def add(self, views: Any) -> Self:
        """Add a batch.

        Args:
            views: images x R x n1 (further axes are flattened).

        Returns:
            The sums themselves.

        Raises:
            ValueError: another number of views or pixels; NaN or infinity.
        """
        v = np.asarray(views, dtype=np.float64).reshape(*np.shape(views)[:2], -1)
        if v.shape[1:] != (self.views, self.n1):
            raise ValueError(f"views must be images x {self.views} x {self.n1}; got shape {v.shape}.")
        self._check_finite(v)
        R, m = self.views, v.mean(axis=1)
        apart = (v - m[:, None, :]).reshape(-1, self.n1)
        self.count += len(v)
        self._mean += m.sum(axis=0)
        self._mean_outer += m.T @ m
        self._spread += apart.T @ apart / (R - 1)
        self._add_squares(v, m)
        return self

    def _add_squares(self, v: np.ndarray, m: np.ndarray) -> None:
        """Add what the errors need; ||sum_ab c_ab v_a v_b^T||_F^2 = tr(c K c K) with K_ab = v_a . v_b."""
        R = self.views
        K = v @ v.swapaxes(1, 2)
        across = (np.ones((R, R)) - np.eye(R)) / (R * (R - 1))
        apart = (np.eye(R) - 1 / R) / (R - 1)
        for name, c in (("_X_squares", across), ("_X_aug_squares", apart)):
            cK = c @ K
            setattr(self, name, getattr(self, name) + float(np.sum(cK * cK.swapaxes(1, 2))))
        along, size = np.einsum("irj,ij->ir", v, m), np.einsum("ij,ij->i", m, m)
        self._mean_squares += float(size.sum())
        self._X_mean += (R**2 * (size @ m) - np.einsum("ir,irj->j", along, v)) / (R * (R - 1))

    def _check_finite(self, v: np.ndarray) -> None:
        finite = np.isfinite(v)
        if not finite.all():
            image, view, _ = (int(k) for k in np.argwhere(~finite)[0])
            bad = int(v.size - np.count_nonzero(finite))
            raise ValueError(
                f"views must be finite; got {bad} NaN or infinite entries, the first in view {view + 1} "
                f"of sample {self.count + image}. Remove that sample."
            )

    @property
    def mean(self) -> np.ndarray:
        """Mean over all views, length n1."""
        return self._mean / self.count

    def estimate(self, centre: bool) -> tuple[np.ndarray, np.ndarray, tuple[int, float, float, float]]:
        """Return X, X' and the fields of their `SamplingError`; see `ViewSums.moments`."""
        n = self.count
        if n < 2:
            raise ValueError(f"At least 2 images are needed to estimate X and X'; got {n}.")
        X_aug = self._spread / n
        raw = self._mean_outer / n - X_aug / self.views
        shift = self.mean if centre else np.zeros(self.n1)
        X = raw
        if centre:
            X = (self._mean_outer - n * np.outer(shift, shift)) / (n - 1) - X_aug / self.views
        errors = (self._standard_error(self._centred_squares(shift), raw - np.outer(shift, shift)),
                  self._standard_error(self._X_aug_squares, X_aug))  # fmt: skip
        X, clipped = clip_negative((X + X.T) / 2)
        return X, (X_aug + X_aug.T) / 2, (n, *errors, clipped)

    def _standard_error(self, squares: float, mean: np.ndarray) -> float:
        return float(np.sqrt(max(squares / self.count - np.sum(mean * mean), 0.0) / (self.count - 1)))

    def _centred_squares(self, d: np.ndarray) -> float:
        """Return sum_i ||xhat_i - m_i d^T - d m_i^T + d d^T||_F^2, that is sum_i ||xhat_i||^2 of views less d."""
        n, dd = self.count, float(d @ d)
        outer, md = d @ self._mean_outer @ d, float(self._mean @ d)
        X_dd = outer - d @ self._spread @ d / self.views
        cross = n * dd**2 + 2 * dd * self._mean_squares + 2 * outer - 4 * dd * md
        return float(self._X_squares + 2 * X_dd - 4 * (self._X_mean @ d) + cross)
