"""Taylor-series integration in mpmath, with right-hand sides written as + - * / @ .T on power series in time.

Shares nothing with lindyn: no solver, no equation, no float64. A `Series` computes its coefficients when asked, so
that y' = f(y) gives y_(k+1) = f(y)_k / (k + 1) one order after the other.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp, mpf


class Series:
    """A power series whose coefficients are mpf numbers or object arrays of them."""

    __array_ufunc__ = None  # numpy then leaves array * series and array @ series to this class

    def __init__(self, rule: Callable[[int], Any]) -> None:
        self._rule, self._known = rule, []

    def __getitem__(self, k: int) -> Any:
        while len(self._known) <= k:
            self._known.append(self._rule(len(self._known)))
        return self._known[k]

    def __add__(self, other: Any) -> "Series":
        other = series(other)
        return Series(lambda k: self[k] + other[k])

    def __neg__(self) -> "Series":
        return Series(lambda k: -self[k])

    def __sub__(self, other: Any) -> "Series":
        return self + (-series(other))

    def __rsub__(self, other: Any) -> "Series":
        return series(other) + (-self)

    def __mul__(self, other: Any) -> "Series":
        if not isinstance(other, Series):
            return Series(lambda k: _times(self[k], other))
        return Series(lambda k: sum(_times(self[i], other[k - i]) for i in range(k + 1)))

    def __matmul__(self, other: Any) -> "Series":
        if not isinstance(other, Series):
            return Series(lambda k: self[k] @ other)
        return Series(lambda k: sum(self[i] @ other[k - i] for i in range(k + 1)))

    def __rmatmul__(self, other: Any) -> "Series":
        return Series(lambda k: other @ self[k])

    def __truediv__(self, other: Any) -> "Series":
        if not isinstance(other, Series):
            return self * (1 / other)
        quotient = Series(
            lambda k: (self[k] - sum(_times(quotient[i], other[k - i]) for i in range(k))) / other[0],
        )
        return quotient

    __radd__, __rmul__ = __add__, __mul__

    @property
    def T(self) -> "Series":
        return Series(lambda k: self[k].T)

    def trace(self) -> "Series":
        return Series(lambda k: self[k].trace())

    def at(self, h: Any, order: int) -> Any:
        total = self[order]
        for k in range(order - 1, -1, -1):
            total = total * h + self[k]
        return total


def series(value: Any) -> Series:
    """Return a constant as a series."""
    return value if isinstance(value, Series) else Series(lambda k: value if k == 0 else value * mpf(0))


def _times(a: Any, b: Any) -> Any:
    return b * a if isinstance(b, np.ndarray) else a * b


def exact(value: Any) -> Any:
    """Return a float or float array as mpf numbers, bit for bit."""
    value = np.asarray(value, dtype=np.float64)
    return np.vectorize(mpf, otypes=[object])(value) if value.ndim else mpf(float(value))


def largest(value: Any) -> Any:
    return max(abs(v) for v in np.ravel(value))


def integrate(rate: Callable[[dict], dict], y0: dict[str, Any], ts: Any, digits: int, order: int) -> list[dict]:
    """Return the states at the times ts of dy/dt = rate(y), y(ts[0]) = y0, with `digits` decimal digits.

    Args:
        rate: blocks of the state (as `Series`) -> blocks of the derivative.
        y0: float blocks by name.
        ts: float times.
        digits: working precision; the local error is 10^(2 - digits) of each block's largest entry.
        order: of the series.
    """
    with mp.workdps(digits):
        y, t, tolerance = {name: exact(value) for name, value in y0.items()}, mpf(float(ts[0])), mpf(10) ** (2 - digits)
        out = [y]
        for end in (mpf(float(t)) for t in ts[1:]):
            while t < end:
                path = _expand(rate, y, order)
                h = min(_step(path, order, tolerance), end - t)
                y = {name: s.at(h, order) for name, s in path.items()}
                t = end if h == end - t else t + h
            out.append(y)
        return out


def _expand(rate: Callable[[dict], dict], y: dict, order: int) -> dict[str, Series]:
    path: dict[str, Series] = {}
    for name, value in y.items():
        path[name] = Series(lambda k, name=name, value=value: value if k == 0 else slope[name][k - 1] / k)
    slope = {name: series(d) for name, d in rate(path).items()}
    return path


def _step(path: dict[str, Series], order: int, tolerance: Any) -> Any:
    """Return the step at which the last two terms of every block have fallen to the tolerance."""
    steps = [mpf(10) ** 6]
    for block in path.values():
        level = largest(block[0])
        for k in (order - 1, order):
            size = largest(block[k])
            if level > 0 and size > 0:
                steps.append((tolerance * level / size) ** (mpf(1) / k))
    return min(steps)
