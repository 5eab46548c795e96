"""Systems that take recorded steps (`tape`) together, from their inputs to their ends."""

import functools
from typing import Any

import numpy as np

from lindyn.solve.lanes.compiled import compile_kernel
from lindyn.solve.lanes.eight import aligned, aligned_numbers
from lindyn.solve.lanes.tape import Program
from lindyn.solve.lanes.tape_operations import compiled, fill_abreast, fill_alone, run_abreast, run_alone

WIDEST = 24
"""Rows up to which systems run eight abreast; beyond, BLAS is faster."""


def fits_abreast(rows: int, columns: int) -> bool:
    """Return whether systems with maps of this size run eight abreast."""
    return rows <= WIDEST and columns <= 4 * WIDEST


@functools.cache
def kernel(abreast: bool) -> Any:
    """Return the compiled loop over the steps, see `march`."""
    run, fill = (run_abreast, fill_abreast) if abreast else (run_alone, fill_alone)

    @compiled
    def turn(m, places, groups, before, turned):  # type: ignore[no-untyped-def]
        """Add the squared angle between weights before and after a step, 2 asin(|u - u'|/2) of the unit vectors."""
        for l in range(m.shape[1]):
            for g in range(turned.shape[0]):
                old, new, apart = 0.0, 0.0, 0.0
                for i in range(places.size):
                    if groups[i] == g:
                        old += before[i, l] ** 2
                        new += m[places[i], l] ** 2
                old, new = np.sqrt(old), np.sqrt(new)
                for i in range(places.size):
                    if groups[i] == g:
                        apart += (m[places[i], l] / new - before[i, l] / old) ** 2
                turned[g, l] += (2.0 * np.arcsin(min(1.0, 0.5 * np.sqrt(apart)))) ** 2

    def march(m, operations, steps, drawn, drawn_places, counted, places, groups, turned):  # type: ignore[no-untyped-def]
        before = np.empty((places.size, m.shape[1]))
        for k in range(steps):
            for part in range(drawn_places.size):
                fill(m, drawn_places[part], drawn[k, part])
            if k >= counted:
                for i in range(places.size):
                    before[i] = m[places[i]]
            run(m, operations)
            if k >= counted:
                turn(m, places, groups, before, turned)

    return compile_kernel(march, ("tape", abreast))


_NOTHING = np.zeros((0, 0, 0)), np.zeros(0, np.int64)


class Block:
    """Systems that take their steps together: eight, or one.

    Args:
        program: their step.
        abreast: whether they are eight.
    """

    def __init__(self, program: Program, abreast: bool) -> None:
        self.program, self.abreast = program, abreast
        self.memory = aligned(program.size) if abreast else aligned_numbers(program.size).reshape(-1, 1)
        for place, value in program.numbers:
            self.memory[place] = value

    def put(self, name: str, values: np.ndarray) -> None:
        """Give an input, (systems, rows, columns) or anything that broadcasts to it; fewer systems repeat the last."""
        rows, columns = self.program.shapes[name]
        count = self.memory.shape[1]
        values = np.broadcast_to(values, (len(values), rows, columns)).reshape(len(values), -1).T
        place = self.program.places[name]
        self.memory[place : place + rows * columns] = values[:, np.minimum(np.arange(count), values.shape[1] - 1)]

    def get(self, name: str) -> np.ndarray:
        """Return an input as it is now, (systems, rows, columns)."""
        shape = self.program.shapes[name]
        place = self.program.places[name]
        return self.memory[place : place + shape[0] * shape[1]].T.reshape(-1, *shape)

    def prepare(self) -> None:
        """Do what is done once, after all inputs are given."""
        self._march(self.program.once, 1)

    def march(
        self,
        steps: int,
        drawn: Any = None,
        names: tuple[str, ...] = (),
        counted: int | None = None,
        turning: Any = None,
    ) -> None:
        """Take steps.

        Args:
            steps: how many.
            drawn: inputs that are new at every step, (steps, inputs, numbers), the same for all systems.
            names: of these inputs.
            counted: the step from which on squared angles are added up; default none.
            turning: (places, groups, sums) of `tracked`.
        """
        self._march(self.program.step, steps, drawn, names, counted, turning)

    def _march(self, operations: Any, steps: int, drawn: Any = None, names: Any = (), counted: Any = None,
               turning: Any = None) -> None:  # fmt: skip
        given, places = _NOTHING
        if drawn is not None:
            given, places = drawn, np.array([self.program.places[name] for name in names], np.int64)
        turning = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 1))) if turning is None else turning
        kernel(self.abreast)(
            self.memory, operations, steps, given, places, steps if counted is None else counted, *turning
        )

    def tracked(self, groups: tuple[tuple[str, ...], ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (places, groups, sums of squared angles) of groups of inputs whose angle per step is asked for."""
        spans = [(k, self.program.places[n], self.program.shapes[n]) for k, names in enumerate(groups) for n in names]
        places = np.concatenate([place + np.arange(shape[0] * shape[1]) for _, place, shape in spans])
        which = np.concatenate([np.full(shape[0] * shape[1], k) for k, _, shape in spans])
        return places, which, np.zeros((len(groups), self.memory.shape[1]))
