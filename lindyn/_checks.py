"""Checks of what is given: one clear sentence with the argument, the value received and the likely fix."""

import importlib.util
import math
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from lindyn._options import did_you_mean

RELATIVE = 1e-10  # asymmetry and negative eigenvalues up to this share of the largest entry are round-off


def is_traced(value: Any) -> bool:
    """Return whether `value` is a JAX tracer or placeholder, whose number cannot be looked at."""
    if "jax" not in sys.modules:
        return False
    import jax

    return isinstance(value, jax.core.Tracer)


def any_jax(*records: Any) -> bool:
    """Return whether a number inside these records is a JAX array, traced or not."""
    if "jax" not in sys.modules:
        return False
    import jax

    return any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(records))


def any_traced(*records: Any) -> bool:
    """Return whether a number inside these records is a JAX tracer."""
    if "jax" not in sys.modules:
        return False
    import jax

    return any(is_traced(leaf) for leaf in jax.tree.leaves(records))


def to_numpy(value: Any) -> np.ndarray:
    """Return a numpy view of a numpy, JAX or torch array."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def as_array(name: str, value: Any, ndim: int | None = None, shape: tuple | None = None, empty: bool = False) -> Any:
    """Return `value` as a finite float array: lists and numbers become float64 numpy, JAX and torch arrays stay.

    `empty` lets an array without entries pass.

    Raises:
        ValueError: not numeric or not real, empty, wrong number of axes or shape, or NaN / infinity inside.
    """
    if not (hasattr(value, "shape") and hasattr(value, "dtype")) or isinstance(value, np.ndarray | np.generic):
        try:
            numbers = np.asarray(value)
            if numbers.dtype.kind in "SU":
                raise TypeError(f"{numbers.dtype} is no dtype of numbers")
            value = numbers if np.iscomplexobj(numbers) else np.asarray(numbers, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be a numeric array; got {value!r:.80}.") from error
    if "complex" in str(value.dtype):
        raise ValueError(f"{name} must be real; got complex numbers. Take their real part.")
    if 0 in value.shape and not empty:
        raise ValueError(f"{name} must not be empty; got shape {tuple(value.shape)}.")
    if ndim is not None and len(value.shape) != ndim:
        raise ValueError(f"{name} must have {ndim} axes; got shape {tuple(value.shape)}.")
    if shape is not None and tuple(value.shape) != tuple(shape):
        got = tuple(value.shape)
        raise ValueError(f"{name} must have shape {tuple(shape)}; got {got}.{_turned(name, got, tuple(shape))}")
    if not is_traced(value):
        numbers = to_numpy(value)
        bad = int(numbers.size - np.count_nonzero(np.isfinite(numbers)))
        if bad:
            raise ValueError(f"{name} must be finite; got {bad} NaN or infinite of {numbers.size} entries.")
    return value


def _turned(name: str, got: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """Return the sentence that names an array whose last two axes are in the other order, with a space before it."""
    if len(got) != len(wanted) or len(got) < 2 or got == wanted or (*got[:-2], got[-1], got[-2]) != wanted:
        return ""
    return f" Its axes are in the other order: give {name}.T" + (" at every time." if len(got) > 2 else ".")


def check_not_turned(W: Any, W_p: Any, name: str = "W") -> None:
    """Raise ValueError where the sizes say that W is transposed: W_p has the side of its columns, not of its rows.

    Args:
        W: n2 x n1, perhaps with the times before it.
        W_p: n2 x n2, likewise.
        name: of W.
    """
    rows_columns, side = np.shape(W)[-2:], np.shape(W_p)[-2:]
    if len(rows_columns) == 2 and side == (rows_columns[1],) * 2 and rows_columns[0] != rows_columns[1]:
        raise ValueError(
            f"{name} has shape {tuple(np.shape(W))} and W_p is {side[0]} x {side[1]}: W is n2 x n1, W_p n2 x n2. Did "
            f"you give {name}.T? Give it with its {side[0]} outputs as rows."
        )


def as_scalar(name: str, value: Any, minimum: float = -np.inf, exclusive: bool = False, fix: str = "") -> Any:
    """Return `value` as a finite float (a traced value passes through).

    Raises:
        ValueError: not a number, not finite, or below `minimum` (or at it, when `exclusive`).
    """
    if is_traced(value):
        return value
    try:
        if isinstance(value, str | bytes | bool | np.bool_):
            raise TypeError(type(value).__name__)
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a number; got {value!r:.80}.") from error
    if not math.isfinite(number) or number < minimum or (exclusive and number == minimum):
        sign = ">" if exclusive else ">="
        bound = "finite" if minimum == -np.inf else f"finite and {sign} {minimum:g}"
        raise ValueError(f"{name} must be {bound}; got {number:g}.{' ' + fix if fix else ''}")
    return number


def as_whole(name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as a whole number >= `minimum`.

    Raises:
        ValueError: not a whole number, or below `minimum`.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"{name} must be a whole number >= {minimum}; got {value!r}.")
    return int(value)


def as_psd(name: str, value: Any, n: int | None = None) -> Any:
    """Return `value` as a symmetric positive semi-definite matrix, exactly symmetrised (traced: as it is).

    Raises:
        ValueError: not square, not finite, not symmetric, or with an eigenvalue below round-off.
    """
    value = as_array(name, value, ndim=2)
    if value.shape[0] != value.shape[1] or (n is not None and value.shape[0] != n):
        wanted = "square" if n is None else f"{n} x {n}"
        raise ValueError(f"{name} must be {wanted}; got shape {tuple(value.shape)}.")
    if is_traced(value):
        return value
    numbers = to_numpy(value)
    scale = float(np.max(np.abs(numbers), initial=0.0))
    asymmetry = float(np.max(np.abs(numbers - numbers.T), initial=0.0))
    if asymmetry > RELATIVE * scale:
        raise ValueError(
            f"{name} must be symmetric; got max |{name} - {name}^T| = {asymmetry:.3g}. Use ({name} + {name}^T) / 2."
        )
    lowest = lowest_eigenvalue(numbers)
    if lowest < -RELATIVE * scale * len(numbers):
        raise ValueError(
            f"{name} must be positive semi-definite; got smallest eigenvalue {lowest:.3g}. "
            "Clip its negative eigenvalues to 0, or estimate it from more samples."
        )
    return (value + value.T) / 2


def as_projection(name: str, value: Any, n: int) -> Any:
    """Return an n x n orthogonal projection; ValueError where it is none."""
    P = as_psd(name, value, n=n)
    error = float(np.max(np.abs(P @ P - P)))
    if error > 1e-10:
        raise ValueError(
            f"{name} must be an orthogonal projection; got max |{name} {name} - {name}| = {error:.3g}. "
            "Use Q Q^T, Q^T Q = I."
        )
    return P


def lowest_eigenvalue(matrix: np.ndarray) -> float:
    """Return the smallest eigenvalue of a symmetric matrix, or 0 when a Cholesky factor shows it is PSD."""
    if np.count_nonzero(matrix - np.diag(np.diag(matrix))) == 0:
        return float(np.min(np.diag(matrix), initial=0.0))
    jitter = RELATIVE * float(np.max(np.abs(matrix))) * np.eye(len(matrix))
    try:
        np.linalg.cholesky(matrix + jitter)
    except np.linalg.LinAlgError:
        return float(np.linalg.eigvalsh(matrix)[0])
    return 0.0


def as_times(name: str, value: Any) -> np.ndarray:
    """Return `value` as increasing float64 times, two or more, the first >= 0.

    Raises:
        ValueError: fewer than two times, a negative start, or times that do not increase.
    """
    times = as_array(name, value, ndim=1)
    if is_traced(times):
        return times
    times = to_numpy(times).astype(np.float64)
    if len(times) < 2:
        raise ValueError(f"{name} must hold a start and at least one later time; got {len(times)} entries.")
    if times[0] < 0:
        raise ValueError(f"{name} must start at t >= 0; got {times[0]:g}.")
    steps = np.diff(times)
    if np.any(steps <= 0):
        k = int(np.argmax(steps <= 0))
        raise ValueError(
            f"{name} must increase; got {times[k]:g} followed by {times[k + 1]:g} at index {k}. "
            "Sort it and drop repeats."
        )
    return times


def one_of(name: str, value: Any, allowed: Iterable[str]) -> str:
    """Return `value` if it is one of `allowed`.

    Raises:
        ValueError: an unknown name; the message lists what is known and suggests the near one.
    """
    allowed = list(allowed)
    if value in allowed:
        return value
    known = ", ".join(map(repr, allowed))
    raise ValueError(f"{name} must be one of {known}; got {value!r}.{did_you_mean(value, allowed)}")


def require(module: str, name: str, what: str, extra: str = "train") -> None:
    """Raise ImportError, saying how to install it, unless an optional package is there."""
    if importlib.util.find_spec(module) is None:
        raise ImportError(f'{name} is needed for {what}; install it with pip install "lindyn[{extra}]".')
