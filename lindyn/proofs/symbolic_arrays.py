"""Arrays of symbols, for code written on the array API: a rule's core runs on them, branch by branch.

A branch is decided by what is assumed of the symbols and never guessed: `s_1 = s_2 + d` with positive d says which
eigenvalue is larger, `s = c + u` that a mode is above its offset. A comparison that they leave open is an error, so
that what comes out is proved for one piece, which the statement names.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import sympy

EXACT = SimpleNamespace(eps=0.0)


class SymbolArray:
    """A vector of sympy scalars, or one of them (shape ()), with the arithmetic of arrays.

    Args:
        entries: the scalars.
        shape: () or (n,).
    """

    dtype = "symbols"
    __array_ufunc__ = None

    def __init__(self, entries: Any, shape: tuple[int, ...] | None = None) -> None:
        self.entries = tuple(_exact(entry) for entry in entries)
        self.shape = (len(self.entries),) if shape is None else shape

    def __repr__(self) -> str:
        return f"SymbolArray({list(self.entries)!r})"

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return Namespace

    def __float__(self) -> float:
        raise TypeError("a symbol has no number")

    def with_each(self, function: Callable[..., Any], *others: Any) -> "SymbolArray":
        """Return function(entry, ...) of every entry, numbers and single symbols broadcast."""
        arrays = [self, *(_array(other) for other in others)]
        size = max((array.shape for array in arrays), key=len)
        columns = [array.entries * (size[0] if size and not array.shape else 1) for array in arrays]
        return SymbolArray([function(*row) for row in zip(*columns, strict=True)], size)

    def __add__(self, other: Any) -> "SymbolArray":
        return self.with_each(lambda a, b: a + b, other)

    __radd__ = __add__

    def __mul__(self, other: Any) -> "SymbolArray":
        if not isinstance(other, KNOWN):
            return NotImplemented  # `Modes` then multiply themselves
        return self.with_each(lambda a, b: a * b, other)

    __rmul__ = __mul__

    def __neg__(self) -> "SymbolArray":
        return self.with_each(lambda a: -a)

    def __sub__(self, other: Any) -> "SymbolArray":
        return self.with_each(lambda a, b: a - b, other)

    def __rsub__(self, other: Any) -> "SymbolArray":
        return self.with_each(lambda a, b: b - a, other)

    def __truediv__(self, other: Any) -> "SymbolArray":
        return self.with_each(lambda a, b: a / b, other)

    def __rtruediv__(self, other: Any) -> "SymbolArray":
        return self.with_each(lambda a, b: b / a, other)

    def __pow__(self, other: Any) -> "SymbolArray":
        return self.with_each(lambda a, b: a**b, other)

    def __gt__(self, other: Any) -> "SymbolArray":
        return self.with_each(larger, other)


KNOWN = (SymbolArray, sympy.Basic, int, float)


def _exact(value: Any) -> Any:
    """Return a number as the rational that it is; a symbol as it is."""
    return sympy.Rational(value) if isinstance(value, float) else sympy.sympify(value)


def _array(value: Any) -> SymbolArray:
    return value if isinstance(value, SymbolArray) else SymbolArray([value], ())


def larger(a: Any, b: Any) -> Any:
    """Return whether a > b, as the assumptions say.

    Raises:
        ValueError: they leave it open.
    """
    difference = sympy.factor(sympy.expand(a - b))
    if difference.is_positive:
        return sympy.true
    if difference.is_nonpositive:
        return sympy.false
    raise ValueError(f"the assumptions do not say whether {a} > {b}")


def _largest(values: tuple[Any, ...]) -> Any:
    largest = values[0]
    for value in values[1:]:
        largest = value if larger(value, largest) else largest
    return largest


def _ranks(a: SymbolArray) -> SymbolArray:
    """Return the positions that sort a, smallest first."""
    order: list[int] = []
    for k, value in enumerate(a.entries):
        at = sum(bool(larger(value, a.entries[j])) for j in order)
        order.insert(at, k)
    return SymbolArray(order)


def _where(condition: Any, a: Any, b: Any) -> SymbolArray:
    return _array(condition).with_each(lambda said, one, other: one if said == sympy.true else other, a, b)


def _sum(a: SymbolArray) -> SymbolArray:
    return SymbolArray([sum(a.entries)], ())


class Namespace:
    """What the rules ask of a library, in exact arithmetic: without round-off every s > 0 is alive."""

    finfo = staticmethod(lambda dtype: EXACT)
    max = staticmethod(lambda a: SymbolArray([_largest(a.entries)], ()))
    maximum = staticmethod(lambda a, b: a.with_each(lambda one, other: one if larger(one, other) else other, b))
    where = staticmethod(_where)
    sum = staticmethod(_sum)
    mean = staticmethod(lambda a: _sum(a) / len(a.entries))
    sqrt = staticmethod(lambda a: a.with_each(sympy.sqrt))
    abs = staticmethod(lambda a: a.with_each(sympy.Abs))
    zeros_like = staticmethod(lambda a: 0 * a)
    ones_like = staticmethod(lambda a: 0 * a + 1)
    full_like = staticmethod(lambda a, value: 0 * a + value)
    asarray = staticmethod(lambda a, dtype=None: _array(a))
    argsort = staticmethod(_ranks)
    take = staticmethod(lambda a, order: SymbolArray([a.entries[int(k)] for k in order.entries]))
