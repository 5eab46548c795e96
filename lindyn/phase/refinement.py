"""Maps of outcomes by adaptive refinement: only cells whose corners differ are halved, down to the grid asked for."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lindyn.display.brief import Brief

CELLS = 8  # cells of the first lattice along an axis, at least, where the grid has so many
MANY = 500  # intervals that keep the lanes busy for longer than a round takes to begin
COARSEST = 8  # points between two lines of the first lattice, at most

Told = Callable[[tuple[np.ndarray, ...]], np.ndarray]
"""From the indices of some points, an array per axis, to the outcome of each, a whole number >= 0."""


@dataclass(frozen=True, repr=False)
class RefinedMap(Brief):
    """Outcomes over a grid.

    Args:
        codes: the outcome of every point.
        followed: whether it was asked for; elsewhere it is that of the cell around it, whose corners agree.
    """

    codes: np.ndarray
    followed: np.ndarray


def refine(told: Told, shape: Sequence[int], coarsest: int = COARSEST) -> RefinedMap:
    """Return the outcomes over a grid, most of them without asking.

    Asked first on a coarse lattice; a cell whose corners differ is halved along every axis, a cell whose corners agree
    is taken to be of one outcome. Then every boundary is followed: two neighbours of different outcome are both asked,
    until nothing changes. So a boundary that crosses the first lattice anywhere is found whole, in the very cells of
    the full grid; what lies inside one cell of that lattice without touching its corners is missed.

    Args:
        told: the outcomes of some points.
        shape: points along each axis, >= 2.
        coarsest: spacing of the first lattice, in points, a power of 2, smaller along short axes; 1 asks everywhere.

    Returns:
        `RefinedMap`.
    """
    found = RefinedMap(np.zeros(shape, dtype=np.int8), np.zeros(shape, dtype=bool))
    strides = [first_stride(n, coarsest) for n in shape]
    lines = [_lattice(n, stride) for n, stride in zip(shape, strides, strict=True)]
    wanted = np.zeros(shape, dtype=bool)
    wanted[np.ix_(*lines)] = True
    _ask(told, found, wanted)
    while max(strides) > 1:
        strides = [max(stride // 2, 1) for stride in strides]
        finer = [_lattice(n, stride) for n, stride in zip(shape, strides, strict=True)]
        _ask(told, found, _halved(found.codes, lines, finer) & ~found.followed)
        lines = finer
    while np.any(wanted := _ends_of_changes(found.codes) & ~found.followed):
        _ask(told, found, wanted)
    return found


def first_stride(points: int, coarsest: int = COARSEST) -> int:
    """Return the spacing of the first lattice: a power of 2 that leaves `CELLS` cells along an axis."""
    stride = coarsest
    while stride > 1 and (points - 1) // stride < CELLS:
        stride //= 2
    return stride


def _lattice(points: int, stride: int) -> np.ndarray:
    """Return the lines of a lattice along one axis, the last point among them."""
    return np.unique(np.append(np.arange(0, points, stride), points - 1))


def _ask(told: Told, found: RefinedMap, wanted: np.ndarray) -> None:
    at = np.nonzero(wanted)
    if len(at[0]):
        found.codes[at] = told(at)
        found.followed[at] = True


def _halved(codes: np.ndarray, lines: list[np.ndarray], finer: list[np.ndarray]) -> np.ndarray:
    """Fill the points of the finer lattice from cells whose corners agree; return where those are whose differ."""
    corners = codes[np.ix_(*lines)]
    low, high = corners, corners
    for axis in range(codes.ndim):
        a, b = (np.take(low, range(k, low.shape[axis] - 1 + k), axis) for k in (0, 1))
        c, d = (np.take(high, range(k, high.shape[axis] - 1 + k), axis) for k in (0, 1))
        low, high = np.minimum(a, b), np.maximum(c, d)
    mixed = low != high
    below = [np.maximum(np.searchsorted(old, new, "left") - 1, 0) for old, new in zip(lines, finer, strict=True)]
    above = [np.minimum(np.searchsorted(old, new, "right"), len(old) - 1) - 1
             for old, new in zip(lines, finer, strict=True)]  # fmt: skip
    touched = np.zeros([len(line) for line in finer], dtype=bool)
    for cells in itertools.product(*zip(below, above, strict=True)):  # a point on a face belongs to both cells
        touched |= mixed[np.ix_(*cells)]
    old = np.zeros(codes.shape, dtype=bool)
    old[np.ix_(*lines)] = True
    new = np.ix_(*finer)
    codes[new] = np.where(old[new] | touched, codes[new], low[np.ix_(*above)])
    wanted = np.zeros(codes.shape, dtype=bool)
    wanted[new] = touched & ~old[new]
    return wanted


def _ends_of_changes(codes: np.ndarray) -> np.ndarray:
    """Return the points that have a neighbour of another outcome."""
    ends = np.zeros(codes.shape, dtype=bool)
    for axis in range(codes.ndim):
        all_but = [tuple(part if k == axis else slice(None) for k in range(codes.ndim))
                   for part in (slice(None, -1), slice(1, None))]  # fmt: skip
        change = codes[all_but[0]] != codes[all_but[1]]
        for part in all_but:
            ends[part] |= change
    return ends


def polish(
    told: Callable[[np.ndarray, np.ndarray], np.ndarray],
    start: np.ndarray,
    done: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the intervals, inside 0..1, in which the outcome first leaves what it is at 0.

    All are cut at once, again and again, until `done`: in two, or in four where they are few, since a round costs some
    time whatever it asks.

    Args:
        told: (which intervals, where in 0..1) -> outcomes.
        start: outcome of each interval at 0; at 1 it is another.
        done: (low, high) -> whether each interval is short enough.

    Returns:
        (low, high), the last place known to have the outcome of 0 and the first known to have another.
    """
    low, high = np.zeros(len(start)), np.ones(len(start))
    open_ = np.arange(len(start))
    while len(open_):
        a, b = low[open_], high[open_]
        parts = 2 if len(open_) > MANY else 4
        at = a + (b - a) * np.arange(1, parts)[:, None] / parts
        same = told(np.tile(open_, parts - 1), at.ravel()).reshape(at.shape) == start[open_]
        same = np.concatenate([np.ones((1, len(open_)), bool), same, np.zeros((1, len(open_)), bool)])
        first = np.argmin(same, axis=0)  # at least 1: the first place with another outcome
        every = np.concatenate([a[None], at, b[None]])
        low[open_], high[open_] = (np.take_along_axis(every, first[None] - k, 0)[0] for k in (1, 0))
        short = done(low, high)[open_] | (np.nextafter(low[open_], 1.0) >= high[open_])
        open_ = open_[~short]
    return low, high
