"""The rates of a flow on matrices recorded as a program (`tape`), for systems that are integrated side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief
from lindyn.solve.lanes.eight import ABREAST
from lindyn.solve.lanes.tape import FIELDS, Program, Tape, Traced

Shapes = Mapping[str, tuple[int, int]]
Reading = Callable[[dict[str, Traced]], Any]


@dataclass(frozen=True, eq=False, repr=False)
class Recording(Brief):
    """Rates of a state of several matrices, and a symmetric matrix to watch.

    In memory the state comes first, then `slots` rates of it, then what is given. Eight abreast a number is a row of
    eight; a system alone lies there number by number, its matrices filled up to a multiple of eight.

    Args:
        abreast: whether eight systems share a row of memory.
        shapes: rows and columns of each matrix of the state.
        given: of each matrix that does not change.
        rate: the program of the rate, written into the first slot.
        slots: how many rates are kept.
        watched: the program of the matrix whose smallest eigenvalue is watched, None for none.
        side: its side.
    """

    abreast: bool
    shapes: dict[str, tuple[int, int]]
    given: dict[str, tuple[int, int]]
    rate: Program
    slots: int
    watched: Program | None
    side: int

    @property
    def starts(self) -> np.ndarray:
        """Where each matrix of the state begins, in numbers, and where the last one ends."""
        return np.cumsum([0, *(_filled(shape, self.abreast) for shape in self.shapes.values())])

    @property
    def size(self) -> int:
        """Numbers of a state, with those that fill up."""
        return int(self.starts[-1])

    @property
    def into_slots(self) -> np.ndarray:
        """The operations of the rate for each slot, (slots, operations, fields)."""
        first, places = self.size, [FIELDS.index(name) for name in ("out", "a", "b", "c")]
        tables = np.repeat(self.rate.step[None], self.slots, axis=0)
        there = (tables[..., places] >= first) & (tables[..., places] < 2 * first)
        tables[..., places] += there * (first * np.arange(self.slots))[:, None, None]
        return tables

    def packed(self, state: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return states, an array (systems, rows, columns) by name, as rows of numbers, (systems, size)."""
        count = len(next(iter(state.values())))
        out = np.zeros((count, self.size))
        for (name, (rows, columns)), start in zip(self.shapes.items(), self.starts[:-1], strict=True):
            out[:, start : start + rows * columns] = state[name].reshape(count, -1)
        return out

    def unpacked(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Return the matrices of packed states, (..., rows, columns) by name."""
        places = zip(self.shapes.items(), self.starts[:-1], strict=True)
        return {
            name: numbers[..., start : start + rows * columns].reshape(*numbers.shape[:-1], rows, columns)
            for (name, (rows, columns)), start in places
        }


def record(
    rate: Reading, shapes: Shapes, given: Shapes, abreast: bool, slots: int, watched: Reading | None = None
) -> Recording:
    """Return the recording of a flow.

    Args:
        rate: from all inputs by name, those of the state and the given ones, to the rate of each matrix of the state.
        shapes: rows and columns of each matrix of the state.
        given: of each matrix that does not change.
        abreast: whether eight systems share a row of memory.
        slots: how many rates are kept.
        watched: from all inputs to a symmetric matrix whose smallest eigenvalue is watched.

    Returns:
        The `Recording`.
    """
    tape, inputs = _inputs(shapes, given, abreast, slots)
    program = tape.program({f"d_{name}": each for name, each in rate(inputs).items()})
    seen, side = None, 0
    if watched is not None:
        tape, inputs = _inputs(shapes, given, abreast, slots)
        matrix = watched(inputs)
        side = matrix.shape[0]
        tape.input("watched", matrix.shape)
        seen = tape.program({"watched": matrix})
    return Recording(abreast, dict(shapes), dict(given), program, slots, seen, side)


def _inputs(shapes: Shapes, given: Shapes, abreast: bool, slots: int) -> tuple[Tape, dict[str, Traced]]:
    """Return a tape and its inputs: the state, its rates, what is given, in this order in memory."""
    tape, found = Tape(), {}
    for prefix in ("", "d_"):
        for name, shape in shapes.items():
            matrix = tape.input(prefix + name, shape)
            if not prefix:
                found[name] = matrix
            missing = _filled(shape, abreast) - shape[0] * shape[1]
            if missing:
                tape.input(f"fill {prefix}{name}", (1, missing))
    tape.input("slots", (slots - 1, sum(_filled(shape, abreast) for shape in shapes.values())))
    found |= {name: tape.input(name, shape, steady=True) for name, shape in given.items()}
    return tape, found


def _filled(shape: tuple[int, int], abreast: bool) -> int:
    """Return the numbers that a matrix takes."""
    size = shape[0] * shape[1]
    return size if abreast else -(-size // ABREAST) * ABREAST
