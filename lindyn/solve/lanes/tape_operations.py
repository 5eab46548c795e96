"""The operations of recorded steps (`tape`) in numba: eight small systems abreast, or one large one by BLAS.

Eight abreast, memory is (numbers per system, 8) and every operation works on the eight systems of a row at once, as
vector instructions; what a system computes depends neither on its place nor on its neighbours.
"""

from typing import Any

import numpy as np

from lindyn.solve.lanes.compiled import apart, inlined, wide_vectors
from lindyn.solve.lanes.eight import all_equal, minus, over, plus, put, root, take, times, times_plus
from lindyn.solve.lanes.tape import (
    ADD,
    COLUMN_SUM,
    DIVIDE,
    INNER,
    LESS_TIMES,
    MULTIPLY,
    POWER,
    PRODUCT,
    ROW_SUM,
    SUBTRACT,
    TIMES_LESS,
    TIMES_PLUS,
    TRACE,
)  # fmt: skip
from lindyn.solve.lanes.tape_products import compiled, product_abreast, product_alone


@compiled
def entries_abreast(m, ops, at):  # type: ignore[no-untyped-def]
    """An operation entry by entry."""
    code, rows, columns, b = ops[at, 0], ops[at, 2], ops[at, 3], ops[at, 7]
    u, v, w = ops[at, 6], ops[at, 9], ops[at, 12]
    for i in range(rows):
        o, p, q, r = (
            ops[at, 1] + i * columns,
            ops[at, 4] + i * ops[at, 5],
            b + i * ops[at, 8],
            ops[at, 10] + i * ops[at, 11],
        )
        if code == ADD:
            for j in range(columns):
                put(m, o + j, plus(take(m, p + j * u), take(m, q + j * v)))
        elif code == SUBTRACT:
            for j in range(columns):
                put(m, o + j, minus(take(m, p + j * u), take(m, q + j * v)))
        elif code == MULTIPLY:
            for j in range(columns):
                put(m, o + j, times(take(m, p + j * u), take(m, q + j * v)))
        elif code == TIMES_PLUS:
            for j in range(columns):
                put(m, o + j, times_plus(take(m, p + j * u), take(m, q + j * v), take(m, r + j * w)))
        elif code == TIMES_LESS:
            for j in range(columns):
                put(m, o + j, minus(times(take(m, p + j * u), take(m, q + j * v)), take(m, r + j * w)))
        elif code == LESS_TIMES:
            for j in range(columns):
                put(m, o + j, minus(take(m, r + j * w), times(take(m, p + j * u), take(m, q + j * v))))
        elif code == DIVIDE:
            for j in range(columns):
                put(m, o + j, over(take(m, p + j * u), take(m, q + j * v)))
        elif code == POWER and m[b, 0] == -0.5:
            for j in range(columns):
                put(m, o + j, over(all_equal(1.0), root(take(m, p + j * u))))
        elif code == POWER:
            for j in range(columns):
                for l in range(m.shape[1]):
                    m[o + j, l] = m[p + j * u, l] ** m[b, 0]
        else:  # copy
            for j in range(columns):
                put(m, o + j, take(m, p + j * u))


@compiled
def sums_abreast(m, ops, at):  # type: ignore[no-untyped-def]
    """Sums over columns, rows, the diagonal, or of products of entries."""
    code, out, rows, columns = ops[at, 0], ops[at, 1], ops[at, 2], ops[at, 3]
    u, v = ops[at, 6], ops[at, 9]
    if code == COLUMN_SUM:
        for j in range(columns):
            put(m, out + j, take(m, ops[at, 4] + j * u))
        for i in range(1, rows):
            for j in range(columns):
                put(m, out + j, plus(take(m, out + j), take(m, ops[at, 4] + i * ops[at, 5] + j * u)))
        return
    total = all_equal(0.0)
    if code == TRACE:
        for i in range(rows):
            total = plus(total, take(m, ops[at, 4] + i * (ops[at, 5] + u)))
        put(m, out, total)
        return
    for i in range(rows):
        p, q = ops[at, 4] + i * ops[at, 5], ops[at, 7] + i * ops[at, 8]
        if code == ROW_SUM:
            total = all_equal(0.0)
            for j in range(columns):
                total = plus(total, take(m, p + j * u))
            put(m, out + i, total)
        else:
            for j in range(columns):
                total = times_plus(take(m, p + j * u), take(m, q + j * v), total)
    if code == INNER:
        put(m, out, total)


@inlined
def entry(code, x, y, z):  # type: ignore[no-untyped-def]
    """Return one entry of an operation."""
    if code == ADD:
        return x + y
    if code == SUBTRACT:
        return x - y
    if code == MULTIPLY:
        return x * y
    if code == TIMES_PLUS:
        return x * y + z
    if code == TIMES_LESS:
        return x * y - z
    if code == LESS_TIMES:
        return z - x * y
    if code == DIVIDE:
        return x / y
    if code == POWER:
        return 1.0 / np.sqrt(x) if y == -0.5 else x**y
    return x


@inlined
def eight_entries(code, x, y, z):  # type: ignore[no-untyped-def]
    """Return eight of them."""
    if code == ADD:
        return plus(x, y)
    if code == SUBTRACT:
        return minus(x, y)
    if code == MULTIPLY:
        return times(x, y)
    if code == TIMES_PLUS:
        return times_plus(x, y, z)
    if code == TIMES_LESS:
        return minus(times(x, y), z)
    if code == LESS_TIMES:
        return minus(z, times(x, y))
    if code == DIVIDE:
        return over(x, y)
    return x


@compiled
def entries_alone(m, ops, at):  # type: ignore[no-untyped-def]
    """An operation entry by entry, eight at a time where they lie one after the other."""
    code, columns, u, v, w = ops[at, 0], ops[at, 3], ops[at, 6], ops[at, 9], ops[at, 12]
    eights = columns - columns % 8 if code != POWER and max(u, v, w) <= 1 else 0
    for i in range(ops[at, 2]):
        o, p, q, r = (
            ops[at, 1] + i * columns,
            ops[at, 4] + i * ops[at, 5],
            ops[at, 7] + i * ops[at, 8],
            ops[at, 10] + i * ops[at, 11],
        )
        x, y, z = all_equal(m[p]), all_equal(m[q]), all_equal(m[r])
        for j in range(0, eights, 8):
            if u == 1:
                x = take(m, p + j)
            if v == 1:
                y = take(m, q + j)
            if w == 1:
                z = take(m, r + j)
            put(m, o + j, eight_entries(code, x, y, z))
        for j in range(eights, columns):
            m[o + j] = entry(code, m[p + j * u], m[q + j * v], m[r + j * w])


@compiled
def sums_alone(m, ops, at):  # type: ignore[no-untyped-def]
    """Sums over columns, rows, the diagonal, or of products of entries."""
    code, out, rows, columns, u, v = ops[at, 0], ops[at, 1], ops[at, 2], ops[at, 3], ops[at, 6], ops[at, 9]
    if code == COLUMN_SUM:
        m[out : out + columns] = 0.0
        for i in range(rows):
            for j in range(columns):
                m[out + j] += m[ops[at, 4] + i * ops[at, 5] + j * u]
        return
    if code == TRACE:
        total = 0.0
        for i in range(rows):
            total += m[ops[at, 4] + i * (ops[at, 5] + u)]
        m[out] = total
        return
    total, eight = 0.0, np.zeros(8)
    eights = columns - columns % 8 if u == 1 and (v == 1 or code == ROW_SUM) else 0
    parts = all_equal(0.0)
    for i in range(rows):
        p, q = ops[at, 4] + i * ops[at, 5], ops[at, 7] + i * ops[at, 8]
        if code == ROW_SUM:
            total, parts = 0.0, all_equal(0.0)
            for j in range(0, eights, 8):
                parts = plus(parts, take(m, p + j))
            for j in range(eights, columns):
                total += m[p + j * u]
            put(eight, 0, parts)
            m[out + i] = total + eight.sum()
        else:
            for j in range(0, eights, 8):
                parts = times_plus(take(m, p + j), take(m, q + j), parts)
            for j in range(eights, columns):
                total += m[p + j * u] * m[q + j * v]
    if code == INNER:
        put(eight, 0, parts)
        m[out] = total + eight.sum()


def make_run(product: Any, entries: Any, sums: Any) -> Any:
    """Return (m, operations) -> None: do the operations one after the other, each a row of `tape.FIELDS`."""

    @compiled
    def run(m, ops):  # type: ignore[no-untyped-def]
        apart()
        wide_vectors()
        for at in range(ops.shape[0]):  # no view of a row: counting its uses would cost as much as a small operation
            if ops[at, 0] == PRODUCT:
                product(m, ops, at)
            elif ops[at, 0] in (ROW_SUM, COLUMN_SUM, INNER, TRACE):
                sums(m, ops, at)
            else:
                entries(m, ops, at)

    return run


run_abreast = make_run(product_abreast, entries_abreast, sums_abreast)
run_flat = make_run(product_alone, entries_alone, sums_alone)


@compiled
def run_alone(m, operations):  # type: ignore[no-untyped-def]
    """Do the operations on one system, memory (numbers, 1)."""
    run_flat(m.reshape(m.size), operations)


@compiled
def fill_abreast(m, place, values):  # type: ignore[no-untyped-def]
    """Give eight systems the same numbers from a place on."""
    for i in range(values.size):
        put(m, place + i, all_equal(values[i]))


@compiled
def fill_alone(m, place, values):  # type: ignore[no-untyped-def]
    """Give one system numbers from a place on."""
    for i in range(values.size):
        m[place + i, 0] = values[i]


def make_access(abreast: bool) -> tuple[Any, Any, Any]:
    """Return (m, operations) -> None; (m, k, l) -> number k of system l; (m, k, l, value) -> None."""
    if abreast:

        @compiled
        def read(m, k, l):  # type: ignore[no-untyped-def]
            return m[k, l]

        @compiled
        def write(m, k, l, value):  # type: ignore[no-untyped-def]
            m[k, l] = value

        return run_abreast, read, write

    @compiled
    def run(m, operations):  # type: ignore[no-untyped-def]
        run_flat(m.reshape(m.size), operations)

    @compiled
    def read_alone(m, k, l):  # type: ignore[no-untyped-def]
        return m[k >> 3, k & 7]

    @compiled
    def write_alone(m, k, l, value):  # type: ignore[no-untyped-def]
        m[k >> 3, k & 7] = value

    return run, read_alone, write_alone
