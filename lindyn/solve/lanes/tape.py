"""A step of a flow recorded once as a list of matrix operations, for many systems that take the same step together.

The flow and the equations are called as they stand, on `Traced` arrays that note what is done to them: the line that
is proved and integrated is the line that is swept. What does not change from step to step is done once; what nobody
needs is left out; matrices share memory where their lives do not overlap.
"""

import collections
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.display.brief import Brief

OPERATIONS = ("input", "product", "add", "subtract", "multiply", "divide", "power", "row_sum", "column_sum", "inner",
              "copy", "times_plus", "times_less", "less_times", "trace")  # fmt: skip
(INPUT, PRODUCT, ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, ROW_SUM, COLUMN_SUM, INNER, COPY, TIMES_PLUS, TIMES_LESS,
 LESS_TIMES, TRACE) = range(len(OPERATIONS))  # fmt: skip
"""Of two matrices a and b; those named by `times` are a b + c, a b - c and c - a b, entry by entry."""
SUMS = (ROW_SUM, COLUMN_SUM, INNER, TRACE)
ELEMENTWISE = (ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, COPY, TIMES_PLUS, TIMES_LESS, LESS_TIMES)
FIELDS = ("operation", "out", "rows", "columns", "a", "a_row", "a_column", "b", "b_row", "b_column", "c", "c_row",
          "c_column", "inner")  # fmt: skip
"""Of an operation: where its matrices begin, in numbers per system, and how far their next row and column are."""


class Traced:
    """A matrix of a recorded step.

    Args:
        tape: where it is recorded.
        node: its place there.
        shape: rows and columns.
        flipped: whether it is the transposed of what stands there.
    """

    __slots__ = ("flipped", "node", "shape", "tape")
    __array_ufunc__ = None
    ndim = 2

    def __init__(self, tape: "Tape", node: int, shape: tuple[int, int], flipped: bool = False) -> None:
        self.tape, self.node, self.shape, self.flipped = tape, node, shape, flipped

    def __repr__(self) -> str:
        return f"Traced({self.shape[0]} x {self.shape[1]}, {OPERATIONS[self.tape.nodes[self.node].operation]})"

    @property
    def T(self) -> "Traced":
        """The transposed matrix, which costs nothing."""
        return Traced(self.tape, self.node, (self.shape[1], self.shape[0]), not self.flipped)

    def __matmul__(self, other: Any) -> Any:
        if not isinstance(other, Traced):
            return NotImplemented
        if self.shape[1] != other.shape[0]:
            raise ValueError(f"A {self.shape} matrix cannot be multiplied by a {other.shape} one.")
        made = self.tape.nodes[self.node]
        if self.flipped and made.operation == PRODUCT:  # (A B)^T G = B^T (A^T G): A^T G serves the layer above, too
            A, B = made.arguments
            return B.T @ (A.T @ other)
        return self.tape.note(PRODUCT, (self, other), (self.shape[0], other.shape[1]))

    def __add__(self, other: Any) -> Any:
        return self._with(ADD, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._with(SUBTRACT, other)

    def __rsub__(self, other: Any) -> Any:
        return self._with(SUBTRACT, other, swapped=True)

    def __mul__(self, other: Any) -> Any:
        return self._with(MULTIPLY, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._with(DIVIDE, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with(DIVIDE, other, swapped=True)

    def __pow__(self, exponent: Any) -> Any:
        if not isinstance(exponent, int | float):
            return NotImplemented
        return self.tape.note(POWER, (self, self.tape.number(exponent)), self.shape)

    def _with(self, operation: int, other: Any, swapped: bool = False) -> Any:
        if isinstance(other, int | float):
            if other == 0 and operation in (ADD, SUBTRACT) and not swapped:
                return self
            other = self.tape.number(0 if other == 0 and operation == MULTIPLY else other)
        if not isinstance(other, Traced):
            return NotImplemented
        if operation == MULTIPLY and self.tape.zero in (self.node, other.node):
            return self.tape.number(0)
        if operation in (ADD, SUBTRACT) and not swapped and other.node == self.tape.zero:
            return self
        shape = tuple(max(pair) for pair in zip(self.shape, other.shape, strict=True))
        for matrix in (self, other):
            if any(n not in (1, whole) for n, whole in zip(matrix.shape, shape, strict=True)):
                raise ValueError(f"A {self.shape} matrix does not fit a {other.shape} one.")
        return self.tape.note(operation, (other, self) if swapped else (self, other), shape)  # type: ignore[arg-type]

    def sum(self, axis: int | None = None) -> "Traced":
        """Return the sums over rows (axis 0) as a row, over columns (-1 or 1) as a column.

        Without an axis sum_ij A_ij B_ij of a product by entries, which then need not be formed.
        """
        if axis is None:
            made = self.tape.nodes[self.node]
            if made.operation != MULTIPLY or len({matrix.shape for matrix in made.arguments}) > 1:
                raise TypeError("Only the sum of a product by entries of two matrices of one shape can be recorded.")
            return self.tape.note(INNER, made.arguments, (1, 1))
        if axis == 0:
            return self.tape.note(COLUMN_SUM, (self,), (1, self.shape[1]))
        return self.tape.note(ROW_SUM, (self,), (self.shape[0], 1))

    def trace(self) -> "Traced":
        """Return the sum of the diagonal, 1 x 1."""
        if self.shape[0] != self.shape[1]:
            raise ValueError(f"A {self.shape} matrix has no trace.")
        return self.tape.note(TRACE, (self,), (1, 1))

    def mean(self, axis: int, keepdims: bool = True) -> "Traced":
        """Return the means likewise."""
        return self.sum(axis) / self.shape[axis]

    def __getitem__(self, key: Any) -> "Traced":
        if key != (Ellipsis, None):
            raise TypeError(f"A recorded matrix has no entry [{key}].")
        return self  # a sum over columns is a column already


@dataclass(frozen=True)
class Node:
    """One operation: what it does, to which matrices, the shape of the result, whether it is the same at all steps."""

    operation: int
    arguments: tuple[Traced, ...]
    shape: tuple[int, int]
    steady: bool


class Tape:
    """Records a step."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: dict[str, int] = {}
        self.constants: dict[int, float] = {}
        self._known: dict[tuple, int] = {}
        self.zero = self.number(0).node

    def input(self, name: str, shape: tuple[int, int], steady: bool = False) -> Traced:
        """Return a matrix that is given by this name; a steady one is the same at every step."""
        self.inputs[name] = len(self.nodes)
        self.nodes.append(Node(INPUT, (), shape, steady))
        return Traced(self, self.inputs[name], shape)

    def number(self, value: float) -> Traced:
        """Return a number."""
        key = ("number", float(value))
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.constants[len(self.nodes)] = float(value)
            self.nodes.append(Node(INPUT, (), (1, 1), True))
        return Traced(self, self._known[key], (1, 1))

    def note(self, operation: int, arguments: tuple[Traced, ...], shape: tuple[int, int]) -> Traced:
        """Return the result of an operation, the one that is there where it was done before."""
        key = (operation, *((each.node, each.flipped) for each in arguments))
        if key not in self._known:
            self._known[key] = len(self.nodes)
            steady = all(self.nodes[each.node].steady for each in arguments)
            self.nodes.append(Node(operation, arguments, shape, steady))
        return Traced(self, self._known[key], shape)

    def program(self, moved: dict[str, Traced]) -> "Program":
        """Return the program of a step that moves the inputs of these names to these matrices."""
        return _Layout(self, moved).program()


@dataclass(frozen=True, eq=False, repr=False)
class Program(Brief):
    """A recorded step, ready to run.

    Args:
        once: operations done before the first step, a row of `FIELDS` each.
        step: operations of every step.
        places: where each input begins, in numbers per system.
        shapes: its rows and columns.
        numbers: (place, value) of the constants.
        size: numbers per system.
    """

    once: np.ndarray
    step: np.ndarray
    places: dict[str, int]
    shapes: dict[str, tuple[int, int]]
    numbers: tuple[tuple[int, float], ...]
    size: int


def _wanted(nodes: list[Node], ends: set[int]) -> list[int]:
    """Return the nodes that these ends need, in order."""
    wanted = set(ends)
    for node in reversed(range(len(nodes))):
        if node in wanted:
            wanted |= {each.node for each in nodes[node].arguments}
    return sorted(wanted)


def _fused(nodes: list[Node], ends: set[int]) -> list[Node]:
    """Return the nodes with products of entries that are only added to something done together with it."""
    wanted = _wanted(nodes, ends)
    uses = collections.Counter(each.node for node in wanted for each in nodes[node].arguments)
    out = list(nodes)

    def alone(each: Traced, shape: tuple[int, int]) -> bool:
        made = nodes[each.node]
        once = uses[each.node] == 1 and each.node not in ends and not each.flipped and not made.steady
        return once and made.operation == MULTIPLY and made.shape == shape

    for node in wanted:
        made = nodes[node]
        if made.operation not in (ADD, SUBTRACT):
            continue
        a, b = made.arguments
        added = made.operation == ADD
        if alone(b, made.shape):
            arguments, operation = (*nodes[b.node].arguments, a), TIMES_PLUS if added else LESS_TIMES
        elif alone(a, made.shape):
            arguments, operation = (*nodes[a.node].arguments, b), TIMES_PLUS if added else TIMES_LESS
        else:
            continue
        out[node] = Node(operation, arguments, made.shape, made.steady)
    return out


class _Layout:
    """Where the matrices of a tape lie in memory."""

    def __init__(self, tape: Tape, moved: dict[str, Traced]) -> None:
        self.tape, self.size, self.place = tape, 0, dict[int, int]()
        self.free: dict[int, list[int]] = {}
        self.moved = {tape.inputs[name]: each for name, each in moved.items()}
        ends = {each.node for each in self.moved.values()}
        self.nodes = nodes = _fused(tape.nodes, ends)
        self.wanted = _wanted(nodes, ends)
        self.last = {each.node: node for node in self.wanted for each in nodes[node].arguments}
        self.kept = {node for node in self.wanted if nodes[node].steady or nodes[node].operation == INPUT} | ends

    def program(self) -> Program:
        nodes = self.nodes
        for node in (*self.tape.inputs.values(), *self.tape.constants):
            self.place[node] = self._new(nodes[node].shape)
        made = [node for node in self.wanted if nodes[node].operation != INPUT]
        once = [self._row(node) for node in made if nodes[node].steady]  # first, so that no place of theirs is shared
        step = [self._row(node) for node in made if not nodes[node].steady]
        step += [self._copy(old, new) for old, new in self.moved.items() if self.place[new.node] != self.place[old]]
        return Program(
            once=_table(once),
            step=_table(step),
            places={name: self.place[node] for name, node in self.tape.inputs.items()},
            shapes={name: nodes[node].shape for name, node in self.tape.inputs.items()},
            numbers=tuple((self.place[node], value) for node, value in self.tape.constants.items()),
            size=self.size,
        )

    def _new(self, shape: tuple[int, int]) -> int:
        size = shape[0] * shape[1]
        if self.free.get(size):
            return self.free[size].pop()
        self.size += size
        return self.size - size

    def _row(self, node: int) -> list[int]:
        made = self.nodes[node]
        self.place[node] = self._in_place(node) if self._in_place(node) is not None else self._new(made.shape)
        row = self._entry(made.operation, self.place[node], made.shape, made.arguments)
        if not made.steady:
            for used in {each.node for each in made.arguments}:
                if self.last[used] == node and used not in self.kept:
                    shape = self.nodes[used].shape
                    self.free.setdefault(shape[0] * shape[1], []).append(self.place[used])
        return row

    def _in_place(self, node: int) -> Any:
        """Return the place of the input that this operation moves, where nobody reads the old value any more."""
        made = self.nodes[node]
        for old, new in self.moved.items():
            if new.node == node and not new.flipped and made.operation in ELEMENTWISE:
                safe = all(each.node != old or not each.flipped for each in made.arguments)
                if safe and self.last.get(old, -1) <= node:
                    return self.place[old]
        return None

    def _copy(self, old: int, new: Traced) -> list[int]:
        return self._entry(COPY, self.place[old], self.nodes[old].shape, (new,))

    def _entry(self, operation: int, out: int, shape: tuple[int, int], arguments: tuple[Traced, ...]) -> list[int]:
        """Return a row of `FIELDS`; sums run over the shape of what they sum."""
        if operation in SUMS:
            shape = arguments[0].shape
        three = (*arguments, arguments[-1], arguments[-1])[:3]
        inner = three[0].shape[1] if operation == PRODUCT else 0
        if operation in ELEMENTWISE and all(each.shape == (1, 1) or self._straight(each, shape) for each in three):
            shape = (1, shape[0] * shape[1])  # one loop over all entries
            places = (n for each in three for n in (self.place[each.node], 0, int(each.shape != (1, 1))))
        else:
            places = (n for each in three for n in self._strides(each, operation))
        return [operation, out, *shape, *places, inner]

    def _straight(self, matrix: Traced, shape: tuple[int, int]) -> bool:
        """Return whether the entries of a matrix lie one after the other, in the order of the result's."""
        return matrix.shape == shape and (not matrix.flipped or 1 in shape)

    def _strides(self, matrix: Traced, operation: int) -> tuple[int, int, int]:
        _, columns = self.nodes[matrix.node].shape
        row, column = (1, columns) if matrix.flipped else (columns, 1)
        if operation != PRODUCT:  # one row or column stands for all
            row, column = (0 if matrix.shape[0] == 1 else row), (0 if matrix.shape[1] == 1 else column)
        return self.place[matrix.node], row, column


def _table(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, len(FIELDS))
