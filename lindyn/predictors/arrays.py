"""What the rules ask of an array, whatever its library: numpy, JAX and torch matrices, or `Modes` (eigenvalues)."""

import sys
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from lindyn import _checks


class Modes:
    """Eigenvalues of matrices that share a basis: `@` multiplies them mode by mode, `.T` changes nothing.

    Args:
        values: one entry per mode (an array of any library), or a symbol.
    """

    __slots__ = ("values",)
    __array_ufunc__ = None  # numpy then leaves `2 * modes` to us

    def __init__(self, values: Any) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"Modes({self.values!r})"

    @property
    def T(self) -> "Modes":
        """The transposed matrix has the same eigenvalues."""
        return self

    def __matmul__(self, other: "Modes") -> "Modes":
        return Modes(self.values * other.values)

    def __add__(self, other: "Modes") -> "Modes":
        return Modes(self.values + other.values)

    def __sub__(self, other: "Modes") -> "Modes":
        return Modes(self.values - other.values)

    def __mul__(self, number: Any) -> "Modes":
        return Modes(self.values * number)

    __rmul__ = __mul__

    def __truediv__(self, number: Any) -> "Modes":
        return Modes(self.values / number)


PRECISE = {"float32": 1e-5, "float64": 1e-10}  # dtypes a rule takes, and the asymmetry that counts as round-off
NUMPY = np if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else None
"""numpy itself, where it keeps to the array API."""


class Eigen(NamedTuple):
    """Eigenvalues, largest last, and the way back to a matrix (or to `Modes`)."""

    s: Any
    U: Any

    def rebuild(self, p: Any) -> Any:
        """Return U diag(p) U^T."""
        return Modes(p) if self.U is None else (self.U * p) @ self.U.T


def namespace(*arrays: Any) -> Any:
    """Return the array API namespace of numpy, JAX or torch arrays (of the values, for `Modes`)."""
    values = [a.values if isinstance(a, Modes) else a for a in arrays]
    if NUMPY is not None and all(type(value) is np.ndarray for value in values):
        return NUMPY  # a rule inside a flow is asked thousands of times: no search, no wrappers
    return array_api_compat.array_namespace(*values)


def dtype_name(array: Any) -> str:
    """Return "float32", "float64", "bfloat16" ... of an array of any library ("none" of a list)."""
    return str(getattr(array, "dtype", "none")).removeprefix("torch.")


def as_matrix(name: str, value: Any, n: int | None = None, symmetric: bool = False) -> Any:
    """Return a finite square matrix in single or double precision; lists become float64 numpy.

    Args:
        name: of the argument.
        value: the matrix; a traced one passes where its numbers would have to be looked at.
        n: the side it must have.
        symmetric: whether it must be symmetric; round-off is averaged away.

    Returns:
        The matrix.

    Raises:
        ValueError: not square, another side, integers of JAX or torch, half precision, not symmetric, empty, NaN or
            infinity.
    """
    given = dtype_name(value)
    if given not in PRECISE and ("float" in given or (hasattr(value, "dtype") and not isinstance(value, np.ndarray))):
        raise ValueError(f"{name} must be float32 or float64; got {given}. Gather it in float32.")
    single = isinstance(value, np.ndarray) and given == "float32"
    value = _checks.as_array(name, value, ndim=2)
    value = value.astype(np.float32) if single else value  # numpy is checked in float64
    if value.shape[0] != value.shape[1] or (n is not None and value.shape[0] != n):
        wanted = "square" if n is None else f"{n} x {n}, as F is"
        raise ValueError(f"{name} must be {wanted}; got shape {tuple(value.shape)}.")
    if not symmetric:
        return value
    if not _checks.is_traced(value):
        numbers = _checks.to_numpy(value)
        size, off = float(abs(numbers).max()), float(abs(numbers - numbers.T).max())
        if off > PRECISE[dtype_name(value)] * size:
            raise ValueError(
                f"{name} must be symmetric; got max |{name} - {name}^T| = {off:.3g}. It is E[z z^T] of one view; "
                "the cross-correlation of two views is `cross`."
            )
    return (value + value.T) / 2


def identity(M: Any) -> Any:
    """Return the identity beside M."""
    xp = namespace(M)
    if isinstance(M, Modes):
        return Modes(xp.ones_like(M.values))
    return xp.eye(M.shape[0], dtype=M.dtype, device=array_api_compat.device(M))


def frobenius(M: Any) -> Any:
    """Return ||M||_F as a scalar array."""
    xp = namespace(M)
    values = M.values if isinstance(M, Modes) else M
    return xp.sqrt(xp.sum(values * values))


def trace(M: Any) -> Any:
    """Return tr M as a scalar array."""
    xp = namespace(M)
    return xp.sum(M.values) if isinstance(M, Modes) else xp.linalg.trace(M)


def eigen(F: Any) -> Eigen:
    """Return the eigenvalues of a symmetric PSD F; those below side x round-off x the largest are 0.

    Without that floor the square root would turn round-off of 1e-17 into 3e-9.
    """
    xp = namespace(F)
    s, U = (F.values, None) if isinstance(F, Modes) else tuple(xp.linalg.eigh(F))
    floor = s.shape[0] * float(xp.finfo(s.dtype).eps) * xp.max(xp.abs(s))
    return Eigen(xp.where(s > floor, s, xp.zeros_like(s)), U)


def minus_product(H: Any, A: Any, B: Any) -> Any:
    """Return H - A B where the difference is far smaller than H: the product of the leading halves has no round-off."""
    A_lead, B_lead = leading_half(A), leading_half(B)
    return ((H - A_lead @ B_lead) - A_lead @ (B - B_lead)) - (A - A_lead) @ B


def leading_half(A: Any) -> Any:
    """Return the leading bits of a square matrix, so few that a product of two such matrices is exact.

    Adding and taking away a large number cuts all entries on one grid, of which the largest is at most
    1/sqrt(d x round-off) steps: d products of two are then below 1/round-off steps, and no bit of their sum is lost.
    """
    xp = namespace(A)
    large = 4 * xp.max(xp.abs(A)) * (A.shape[0] / float(xp.finfo(A.dtype).eps)) ** 0.5
    return (A + large) - large


def positive(norm: Any) -> Any:
    """Return a norm, or 1 where it is 0, so that F = 0 divides to 0."""
    xp = namespace(norm)
    return xp.where(norm > 0, norm, xp.ones_like(norm))


def stopped(array: Any) -> Any:
    """Return the array with its gradient stopped (torch: detached; JAX: stop_gradient; numpy: itself)."""
    if hasattr(array, "detach"):
        return array.detach()
    if "jax" in sys.modules and array_api_compat.is_jax_array(array):
        import jax

        return jax.lax.stop_gradient(array)
    return array


def example(side: int) -> Any:
    """Return eigenvalues on which a rule's parameters are tried out."""
    return np.linspace(0.5, 1.0, side)
