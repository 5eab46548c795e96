"""The lines that divide the outcomes of a map, each of their points found by halving between two points of the grid."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief
from lindyn.phase.refinement import polish

PRECISION = 1e-6  # of an edge's coordinate
LEAST = 1e-6  # of an axis' largest value: below it the precision is no longer relative

Outcome = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From the values of both axes, an array each, to the codes of the outcomes."""


@dataclass(frozen=True, repr=False)
class Crossings(Brief):
    """Where the outcome changes along the lines of a grid, by the axis along which one moves.

    Args:
        first: (n1 - 1, n2), value of the first axis between points (i, j) and (i + 1, j); NaN where nothing changes.
        second: (n1, n2 - 1), of the second between (i, j) and (i, j + 1).
        precision: largest width of the interval around one, over what `PRECISION` is a share of.
    """

    first: np.ndarray
    second: np.ndarray
    precision: float


def crossings(outcome: Outcome, first: np.ndarray, second: np.ndarray, codes: np.ndarray) -> Crossings:
    """Return where the outcome changes between neighbours, each to `PRECISION`.

    Args:
        outcome: what becomes of some points.
        first: grid of the first axis.
        second: grid of the second.
        codes: (first, second), the outcome at every point of the grid.

    Returns:
        `Crossings`.
    """
    i, j = np.nonzero(codes[:-1] != codes[1:])
    k, l = np.nonzero(codes[:, :-1] != codes[:, 1:])
    along = np.repeat([0, 1], [len(i), len(k)])  # the axis that changes
    begin = np.stack([np.concatenate([first[i], first[k]]), np.concatenate([second[j], second[l]])])
    end = np.stack([np.concatenate([first[i + 1], first[k]]), np.concatenate([second[j], second[l + 1]])])
    start = np.concatenate([codes[i, j], codes[k, l]])
    rows = np.arange(len(along))
    a, b = begin[along, rows], end[along, rows]
    largest = np.array([np.max(np.abs(first)), np.max(np.abs(second))])[along]

    def told(which: np.ndarray, u: np.ndarray) -> np.ndarray:
        at = begin[:, which].copy()
        at[along[which], np.arange(len(which))] = a[which] + u * (b - a)[which]
        return outcome(*at)

    def size(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(a + (low + high) / 2 * (b - a)), LEAST * largest)

    def done(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return (high - low) * (b - a) <= PRECISION * size(low, high)

    low, high = polish(told, start, done)
    at = a + (low + high) / 2 * (b - a)
    one, two = np.full((len(first) - 1, len(second)), np.nan), np.full((len(first), len(second) - 1), np.nan)
    one[i, j], two[k, l] = np.split(at, [len(i)])
    precision = float(np.max((high - low) * (b - a) / size(low, high), initial=0.0))
    return Crossings(one, two, precision)


def lines(first: np.ndarray, second: np.ndarray, inside: np.ndarray, found: Crossings) -> tuple[np.ndarray, ...]:
    """Return the lines (n, 2) between the points inside and those outside, through the crossings.

    Args:
        first: grid of the first axis.
        second: grid of the second.
        inside: (first, second), which points are.
        found: where the outcome changes.

    Returns:
        The lines; one that is closed ends where it starts.
    """
    from contourpy import contour_generator

    traced: Any = contour_generator(z=inside.T.astype(float)).lines(0.5)
    return tuple(_placed(line, first, second, found) for line in traced)


def areas(first: np.ndarray, second: np.ndarray, inside: np.ndarray, found: Crossings) -> tuple[np.ndarray, ...]:
    """Return the closed loops (n, 2) around the points inside, outer ones counter-clockwise, holes clockwise."""
    from contourpy import FillType, contour_generator

    maker = contour_generator(z=inside.T.astype(float), fill_type=FillType.OuterOffset)
    loops: list[np.ndarray] = []
    for points, offsets in zip(*maker.filled(0.5, np.inf), strict=True):
        loops += [_placed(part, first, second, found) for part in np.split(points, offsets[1:-1])]
    return tuple(loops)


def _placed(line: np.ndarray, first: np.ndarray, second: np.ndarray, found: Crossings) -> np.ndarray:
    """Return a line of indices in values: the middle between two points stands for the crossing between them."""
    low = np.floor(line).astype(int)
    half = line != low
    out = np.stack([first[low[:, 0]], second[low[:, 1]]], axis=1)
    for axis, values in ((0, found.first), (1, found.second)):
        moved = half[:, axis]
        out[moved, axis] = values[tuple(low[moved].T)]
    return out
