"""A statistic with its bootstrap draws, and the interval that follows.

Interval. With theta the statistic of all samples, theta*_b those of the draws, bias = mean(theta*) - theta and se their
standard deviation (times sqrt(G/(G - 1)) for G blocks), the interval is everything within t se of theta or of
theta - bias, t the 99 % point of Student's distribution with G - 1 degrees of freedom. Eigenvalues and norms of noise
are biased by as much as they scatter; that both the raw and the corrected number lie inside widens the interval by the
bias itself, which is honest where a first-order correction may be off by that much.

Squares. A norm whose true value may be 0 (a commutator, a spread) is looked at as its square, a quadratic function of
means: its bootstrap bias is then exact, and at a true 0 its standard error too large by up to sqrt(3), never too small.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief

LEVEL = 0.99
"""Of one interval; that of the smallest of k modes is LEVEL for all of them together (Bonferroni)."""


@dataclass(frozen=True, repr=False)
class Interval(Brief):
    """A number with its interval.

    Args:
        value: corrected for bias, inside its range.
        low: lower end, NaN if samples are not known.
        high: upper end.
        raw: as the statistic came out of all samples.
    """

    value: float
    low: float
    high: float
    raw: float

    def root(self) -> "Interval":
        """Return the interval of the square root."""
        return Interval(*(float(np.sqrt(max(x, 0.0))) for x in (self.value, self.low, self.high, self.raw)))


def fixed(value: float) -> Interval:
    """Return the interval of a number that no sampling has touched, such as one of weights."""
    return Interval(float(value), float(value), float(value), float(value))


@dataclass(frozen=True, eq=False, repr=False)
class Sampled(Brief):
    """A statistic of all samples and of the bootstrap draws.

    Args:
        full: number or array.
        draws: B x the same shape; B = 0 without draws.
        blocks: G.
    """

    full: np.ndarray
    draws: np.ndarray
    blocks: int

    def map(self, f: Callable[..., Any], *others: "Sampled") -> "Sampled":
        """Return a function of this and of other statistics drawn together; f works along the last axis."""
        with np.errstate(all="ignore"):
            full = np.asarray(f(self.full, *(other.full for other in others)), dtype=float)
            if not len(self.draws):
                return Sampled(full, np.empty((0, *full.shape)), self.blocks)
            draws = np.asarray(f(self.draws, *(other.draws for other in others)), dtype=float)
        return Sampled(full, draws, self.blocks)

    def __getitem__(self, index: Any) -> "Sampled":
        return Sampled(self.full[index], self.draws[:, index], self.blocks)

    def ends(self, low: float = -np.inf, high: float = np.inf, together: int = 1) -> tuple[np.ndarray, ...]:
        """Return (value, low, high) of every entry, inside a range.

        Args:
            low: least possible value.
            high: largest possible value.
            together: how many intervals are to hold at once.
        """
        full = np.asarray(self.full, dtype=float)
        if not len(self.draws):
            nothing = np.full(full.shape, np.nan)
            return full, nothing, nothing
        from scipy.special import stdtrit

        t = float(stdtrit(self.blocks - 1, 1 - (1 - LEVEL) / 2 / together))
        se = self.draws.std(axis=0, ddof=1) * np.sqrt(self.blocks / (self.blocks - 1))
        better = 2 * full - self.draws.mean(axis=0)
        ends = np.minimum(full, better) - t * se, np.maximum(full, better) + t * se
        return tuple(np.clip(x, low, high) for x in (better, *ends))

    def interval(self, low: float = -np.inf, high: float = np.inf, widen: float = 0.0) -> Interval:
        """Return the interval of a number.

        Args:
            low: least possible value.
            high: largest possible value.
            widen: added at both ends, for what the draws cannot see.
        """
        value, lower, upper = (float(x) for x in self.ends(low, high))
        return Interval(value, max(lower - widen, low), min(upper + widen, high), float(self.full))

    def lowest(self) -> tuple[Interval, tuple[np.ndarray, ...]]:
        """Return the interval of the smallest entry, and (value, low, high) of all entries.

        Where every entry lies in its own interval, the smallest lies between the smallest lower and upper ends.
        """
        value, low, high = self.ends(together=max(self.full.size, 1))
        least, lower, upper = (float(np.min(x)) for x in (value, low, high))
        return Interval(least, lower, upper, float(np.min(self.full))), (value, low, high)
