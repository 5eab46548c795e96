"""The data as the theory sees it: X = E[xbar xbar^T] and X' = E_x Var[x'|x], n1 x n1."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from lindyn import _checks
from lindyn._linalg import nested_eigh, ratio
from lindyn._records import Record, static
from lindyn.view_sums import RunningSums

CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True)
class SamplingError:
    """Standard errors of estimated moments.

    Args:
        n_samples: number of pairs of views.
        X: root mean square Frobenius error of X.
        X_aug: root mean square Frobenius error of X'.
        clipped: Frobenius norm of the negative part of the estimated X that was clipped.
    """

    n_samples: int
    X: float
    X_aug: float
    clipped: float = 0.0


@dataclass(frozen=True, eq=False, repr=False)
class Moments(Record):
    """X and X' of the data and its augmentation (Sigma^d = X, Sigma^s = X + X' in Appendix D).

    Args:
        X: second moment of the sample means, n1 x n1, symmetric PSD.
        X_aug: X', mean covariance of the augmentation, n1 x n1, symmetric PSD.
        sampling: standard errors, when the moments were estimated.

    Raises:
        ValueError: not square, sizes that differ, not symmetric, not PSD, NaN or infinity.
    """

    X: Any
    X_aug: Any
    sampling: SamplingError | None = static(default=None)

    def _check(self) -> None:
        X = _checks.as_psd("X", self.X)
        self._set(X=X, X_aug=_checks.as_psd("X_aug", self.X_aug, n=X.shape[0]))

    @property
    def n1(self) -> int:
        """Input dimension."""
        return self.X.shape[0]

    @property
    def Sigma_d(self) -> Any:
        """Sigma^d = X, two views of one sample (Appendix D)."""
        return self.X

    @property
    def Sigma_s(self) -> Any:
        """Sigma^s = X + X', one view with itself (Appendix D)."""
        return self.X + self.X_aug

    @cached_property
    def is_isotropic(self) -> bool:
        """Whether X and X' are exact multiples of the identity (Assumption 2)."""
        return all(_is_multiple_of_identity(_checks.to_numpy(M)) for M in (self.X, self.X_aug))

    @cached_property
    def commutation_defect(self) -> float:
        """||[X, X']|| / (||X|| ||X'||), 0 for commuting moments."""
        X, X_aug = _checks.to_numpy(self.X), _checks.to_numpy(self.X_aug)
        size = float(np.linalg.norm(X) * np.linalg.norm(X_aug))
        return ratio(float(np.linalg.norm(X @ X_aug - X_aug @ X)), size)

    @cached_property
    def commute(self) -> bool:
        """Whether one basis makes X and X' diagonal to round-off.

        A small commutator is not enough: beside a large entry elsewhere it hides a coupling of two directions whose
        eigenvalues nearly agree.
        """
        small = 1e-13 * np.sqrt(self.n1)
        if self.commutation_defect > small:
            return False
        x, x_aug, V = self.joint_spectrum()
        pairs = ((_checks.to_numpy(self.X), x), (_checks.to_numpy(self.X_aug), x_aug))
        return all(np.linalg.norm((V * values) @ V.T - M) <= small * np.linalg.norm(M) for M, values in pairs)

    def joint_spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (x, x_aug, V): V the eigenbasis of X, with X' diagonal too where it can be; largest x first.

        For commuting moments X = V diag(x) V^T and X' = V diag(x_aug) V^T; otherwise x_aug is the diagonal of
        V^T X' V only, and V may mix directions whose x agree to 1e-9.
        """
        return self._joint_spectrum

    @cached_property
    def _joint_spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        X, X_aug = _checks.to_numpy(self.X), _checks.to_numpy(self.X_aug)
        if _is_diagonal(X) and _is_diagonal(X_aug):
            x, V = np.diag(X), np.eye(self.n1)
        else:
            x, V = nested_eigh(X, X_aug)
        order = np.argsort(-x, kind="stable")
        V = V[:, order]
        return x[order], np.einsum("ij,ij->j", V, X_aug @ V), V

    @classmethod
    def isotropic(cls, n1: int, sigma2: float, x: float = 1.0) -> Self:
        """Return X = x I, X' = sigma2 I (Assumption 2 has x = 1).

        Args:
            n1: input dimension, >= 1.
            sigma2: variance of the augmentation, >= 0.
            x: variance of the data, >= 0.

        Returns:
            The moments.

        Raises:
            ValueError: n1 below 1, or a negative variance.
        """
        n1 = _checks.as_whole("n1", n1)
        sigma2 = _checks.as_scalar("sigma2", sigma2, minimum=0.0, fix="It is a variance.")
        x = _checks.as_scalar("x", x, minimum=0.0, fix="It is a variance.")
        return cls(x * np.eye(n1), sigma2 * np.eye(n1))

    @classmethod
    def commuting(cls, x: Any, x_aug: Any, V: Any = None) -> Self:
        """Return X = V diag(x) V^T, X' = V diag(x_aug) V^T.

        Args:
            x: eigenvalues of X, length n1, >= 0.
            x_aug: eigenvalues of X', length n1 or one number, >= 0.
            V: orthogonal n1 x n1 eigenbasis, default the identity.

        Returns:
            The moments.

        Raises:
            ValueError: negative eigenvalues, lengths that differ, V not orthogonal.
        """
        x = _checks.as_array("x", x, ndim=1)
        x_aug = _checks.as_array("x_aug", x_aug)
        if x_aug.shape not in ((), x.shape):
            raise ValueError(f"x_aug must be one number or one per eigenvalue of X, {len(x)}; got shape {x_aug.shape}.")
        x_aug = np.broadcast_to(x_aug, x.shape)
        if V is None:
            return cls(np.diag(x), np.diag(x_aug))
        V = _checks.as_array("V", V, shape=(len(x), len(x)))
        error = float(np.max(np.abs(V.T @ V - np.eye(len(x)))))
        if error > 1e-10:
            raise ValueError(f"V must be orthogonal; got max |V^T V - I| = {error:.3g}. Take Q of its QR factors.")
        return cls((V * x) @ V.T, (V * x_aug) @ V.T)

    @classmethod
    def additive_scrambling(cls, Sigma_x: Any, Sigma_n: Any) -> Self:
        """Return Appendix D's additive noise: Sigma^d = Sigma^x, Sigma^s = Sigma^x + Sigma^n.

        Args:
            Sigma_x: second moment of the clean data, n1 x n1, PSD.
            Sigma_n: covariance of the noise, n1 x n1, PSD.

        Returns:
            The moments X = Sigma^x, X' = Sigma^n.
        """
        return cls(_checks.as_psd("Sigma_x", Sigma_x), _checks.as_psd("Sigma_n", Sigma_n))

    @classmethod
    def multiplicative_scrambling(cls, Sigma_x: Any, P: Any) -> Self:
        """Return Appendix D.2's scrambled subspace: views are (P + U B U^T) x with B drawn anew for each view.

        B has independent standard normal entries, U U^T = I - P: X = P Sigma^x P, X' = tr((I - P) Sigma^x) (I - P) and
        X (X + X')^-1 = P. The printed Sigma^s = Sigma^x needs one scrambled direction, an eigenvector of Sigma^x.

        Args:
            Sigma_x: second moment of the data, n1 x n1, PSD.
            P: orthogonal projection on what survives, n1 x n1.

        Raises:
            ValueError: P is not an orthogonal projection.

        Source: Tian, Chen, Ganguli 2021, Appendix D.2, re-derived.
        """
        Sigma_x = _checks.as_psd("Sigma_x", Sigma_x)
        P = _checks.as_projection("P", P, len(Sigma_x))
        rest = np.eye(len(P)) - P
        return cls(P @ Sigma_x @ P, np.trace(rest @ Sigma_x @ rest) * rest @ rest)

    @classmethod
    def resampled_subspace(cls, Sigma_x: Any, P: Any) -> Self:
        """Return X = P Sigma^x P, X' = (I - P) Sigma^x (I - P): (I - P) x is that of an independent sample.

        X + X' = Sigma^x exactly where P commutes with Sigma^x.

        Args:
            Sigma_x: covariance of the zero-mean data, n1 x n1, PSD.
            P: orthogonal projection on what is kept, n1 x n1.

        Raises:
            ValueError: P is not an orthogonal projection.
        """
        Sigma_x = _checks.as_psd("Sigma_x", Sigma_x)
        P = _checks.as_projection("P", P, len(Sigma_x))
        rest = np.eye(len(P)) - P
        return cls(P @ Sigma_x @ P, rest @ Sigma_x @ rest)

    @classmethod
    def from_views(cls, v1: Any, v2: Any, centre: bool = False) -> "Moments":
        """Estimate X and X' from two views of the same samples, as streaming sums (memory-mapped arrays work).

        X = sym(E[v1 v2^T]), X' = E[(v1 - v2)(v1 - v2)^T]/2; negative eigenvalues of X, which only sampling noise
        can make, are clipped and reported in `sampling`.

        Args:
            v1: first views, samples x n1 (rows are samples; further axes are flattened).
            v2: second views, the same shape.
            centre: subtract the mean over all views first.

        Returns:
            The moments with their `SamplingError`.

        Raises:
            ValueError: shapes that differ, fewer than two samples, NaN or infinity.
        """
        _warn_of_columns("v1", v1)
        return MomentSums.of_arrays(v1, v2).moments(centre=centre)


def _warn_of_columns(name: str, samples: Any) -> None:
    """Warn where samples have far fewer rows than columns: most often they are given as columns."""
    shape = np.shape(samples)
    if len(shape) == 2 and 0 < 4 * shape[0] <= shape[1]:
        warnings.warn(
            f"{name} has {shape[0]} rows and {shape[1]} columns, and rows are samples: X of fewer samples than "
            f"dimensions is singular. If the columns are samples, give {name}.T.",
            stacklevel=3,
        )


def _is_diagonal(M: np.ndarray) -> bool:
    return np.count_nonzero(M) == np.count_nonzero(np.diag(M))


def _is_multiple_of_identity(M: np.ndarray) -> bool:
    return _is_diagonal(M) and bool(np.all(np.diag(M) == M[0, 0]))


class ViewSums(RunningSums):
    __doc__ = RunningSums.__doc__

    def moments(self, centre: bool = False) -> Moments:
        """Return the moments with their sampling errors.

        Args:
            centre: subtract the mean over all images: X is then the unbiased covariance of the xbar (n - 1 below).

        Returns:
            `Moments`; `sampling` holds the standard errors (those of the centred X if `centre`), the number of images
            and what was clipped of X.

        Raises:
            ValueError: fewer than two images.
        """
        X, X_aug, errors = self.estimate(centre)
        return Moments(X, X_aug, SamplingError(*errors))


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
