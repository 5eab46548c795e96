"""Structured n1 x n1 moments: they stand where the equations say X or X' and cost less than a matrix product.

`A @ X` in an equation calls `X.__rmatmul__(A)`, so that the printed line is the line that runs, whatever X is.
"""

from dataclasses import dataclass
from typing import Any, Self

from lindyn._records import Record


class _Operator(Record):
    """What numpy, JAX and the equations ask of a moment; numpy and JAX then defer `A @ self` to `__rmatmul__`."""

    __array_ufunc__ = None

    @property
    def T(self) -> Self:
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Scaled(_Operator):
    """x I, for isotropic data."""

    x: Any

    def __rmatmul__(self, A: Any) -> Any:
        return A * self.x

    def __add__(self, other: "Scaled") -> "Scaled":
        return Scaled(self.x + other.x)


@dataclass(frozen=True, eq=False, repr=False)
class Diagonal(_Operator):
    """diag(d), for data in the eigenbasis of X (or of commuting X, X')."""

    d: Any

    def __rmatmul__(self, A: Any) -> Any:
        return A * self.d

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Diagonal):
            return Diagonal(self.d + other.d)
        return DiagonalPlus(self.d, other)


@dataclass(frozen=True, eq=False, repr=False)
class DiagonalPlus(_Operator):
    """diag(d) + M with M a full symmetric matrix: X rotated to its eigenbasis, X' not commuting with it."""

    d: Any
    M: Any

    def __rmatmul__(self, A: Any) -> Any:
        return A * self.d + A @ self.M


@dataclass(frozen=True, eq=False, repr=False)
class InSumBasis(_Operator):
    """X, a full symmetric matrix in the eigenbasis of X + X' = diag(d): the sum is met more often than X alone."""

    M: Any
    d: Any

    def __rmatmul__(self, A: Any) -> Any:
        return A @ self.M

    def __add__(self, other: "OnlyInSum") -> Diagonal:
        return Diagonal(self.d)


@dataclass(frozen=True, eq=False, repr=False)
class OnlyInSum(Record):
    """Stands for X' where X knows X + X' (`InSumBasis`, `MinibatchCross`): no equation has X' alone."""


@dataclass(frozen=True, eq=False, repr=False)
class MinibatchSecond(_Operator):
    """Minibatch sample of X + X': v v^T / B for one view v of B samples (columns)."""

    v: Any

    def __rmatmul__(self, A: Any) -> Any:
        return (A @ self.v) @ self.v.T / self.v.shape[1]


@dataclass(frozen=True, eq=False, repr=False)
class MinibatchCross(Record):
    """Minibatch sample of X: v2 v1^T / B from two views of B samples (columns); not symmetric.

    X + X' is then v1 v1^T / B, and X^T + X' is v2 v2^T / B: each branch of the loss sees its own view.
    """

    v1: Any
    v2: Any

    __array_ufunc__ = None

    def __rmatmul__(self, A: Any) -> Any:
        return (A @ self.v2) @ self.v1.T / self.v1.shape[1]

    def __add__(self, other: OnlyInSum) -> MinibatchSecond:
        return MinibatchSecond(self.v1)

    @property
    def T(self) -> "MinibatchCross":
        return type(self)(self.v2, self.v1)


@dataclass(frozen=True, eq=False, repr=False)
class MinibatchCosine(MinibatchCross):
    """The same two views, of which a cosine loss takes the mean over samples, not the closure of their moments."""
