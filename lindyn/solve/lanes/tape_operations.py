"""The operations of recorded steps (`tape`) in numba: eight small systems abreast, or one large one by BLAS.

Eight abreast, memory is (numbers per system, 8) and every operation works on the eight systems of a row at once, as
vector instructions; what a system computes depends neither on its place nor on its neighbours.
"""

from typing import Any

import numba
import numpy as np

from lindyn.solve.lanes.compiled import FASTMATH, inlined
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
)  # fmt: skip

compiled = numba.njit(fastmath=FASTMATH, error_model="numpy", nogil=True)


@compiled
def along_rows(m, row):  # type: ignore[no-untyped-def]
    """The rows of b lie one after the other: two rows of a and of b at a time, added to two rows of the result."""
    out, rows, columns, a, a_row, a_column = row[1], row[2], row[3], row[4], row[5], row[6]
    b, b_row = row[7], row[8]
    inner = row[13]
    for i in range(0, rows, 2):
        two = 1 if i + 1 < rows else 0
        o, p = out + i * columns, a + i * a_row
        o_2, p_2 = o + two * columns, p + two * a_row
        for k in range(0, inner, 2):
            more = 1 if k + 1 < inner else 0
            on = 1.0 if more else 0.0
            q = b + k * b_row
            q_2 = q + more * b_row
            left, left_2 = take(m, p + k * a_column), take(m, p_2 + k * a_column)
            right = times(all_equal(on), take(m, p + (k + more) * a_column))
            right_2 = times(all_equal(on), take(m, p_2 + (k + more) * a_column))
            if k == 0:
                for j in range(columns):
                    x, y = take(m, q + j), take(m, q_2 + j)
                    put(m, o + j, times_plus(left, x, times(right, y)))
                    put(m, o_2 + j, times_plus(left_2, x, times(right_2, y)))
            else:
                for j in range(columns):
                    x, y = take(m, q + j), take(m, q_2 + j)
                    z, z_2 = take(m, o + j), take(m, o_2 + j)
                    put(m, o + j, times_plus(left, x, times_plus(right, y, z)))
                    put(m, o_2 + j, times_plus(left_2, x, times_plus(right_2, y, z_2)))


@compiled
def along_columns(m, row):  # type: ignore[no-untyped-def]
    """The columns of b lie one after the other: the sums of two rows and two columns at a time."""
    out, rows, columns, a, a_row, a_column = row[1], row[2], row[3], row[4], row[5], row[6]
    b, b_row = row[7], row[8]
    b_column, inner = row[9], row[13]
    for i in range(0, rows, 2):
        two = 1 if i + 1 < rows else 0
        for j in range(0, columns, 2):
            next_ = 1 if j + 1 < columns else 0
            p, q = a + i * a_row, b + j * b_column
            p_2, q_2 = p + two * a_row, q + next_ * b_column
            s, s_2, t, t_2 = all_equal(0.0), all_equal(0.0), all_equal(0.0), all_equal(0.0)
            for _ in range(inner):
                x, x_2, y, y_2 = take(m, p), take(m, p_2), take(m, q), take(m, q_2)
                s, t = times_plus(x, y, s), times_plus(x, y_2, t)
                s_2, t_2 = times_plus(x_2, y, s_2), times_plus(x_2, y_2, t_2)
                p += a_column
                p_2 += a_column
                q += b_row
                q_2 += b_row
            o = out + i * columns + j
            put(m, o, s)
            put(m, o + next_, t)
            put(m, o + two * columns, s_2)
            put(m, o + two * columns + next_, t_2)


@compiled
def product_abreast(m, row):  # type: ignore[no-untyped-def]
    """A matrix product, along the rows of b or along its columns, whichever lie one after the other.

    Matrices are 64 bytes a number, and strides of some kilobytes would meet in the same few places of the cache.
    """
    if row[9] == 1:
        along_rows(m, row)
    else:
        along_columns(m, row)


@compiled
def entries_abreast(m, row):  # type: ignore[no-untyped-def]
    """An operation entry by entry."""
    code, rows, columns, b = row[0], row[2], row[3], row[7]
    u, v, w = row[6], row[9], row[12]
    for i in range(rows):
        o, p, q, r = row[1] + i * columns, row[4] + i * row[5], b + i * row[8], row[10] + i * row[11]
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
def sums_abreast(m, row):  # type: ignore[no-untyped-def]
    """Sums over columns, rows, or of products of entries."""
    code, out, rows, columns = row[0], row[1], row[2], row[3]
    u, v = row[6], row[9]
    if code == COLUMN_SUM:
        for j in range(columns):
            put(m, out + j, take(m, row[4] + j * u))
        for i in range(1, rows):
            for j in range(columns):
                put(m, out + j, plus(take(m, out + j), take(m, row[4] + i * row[5] + j * u)))
        return
    total = all_equal(0.0)
    for i in range(rows):
        p, q = row[4] + i * row[5], row[7] + i * row[8]
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


@compiled
def product_alone(m, row):  # type: ignore[no-untyped-def]
    """A matrix product by BLAS."""
    out, rows, columns, a, a_column, b, b_column, inner = (
        row[1],
        row[2],
        row[3],
        row[4],
        row[6],
        row[7],
        row[9],
        row[13],
    )
    C = m[out : out + rows * columns].reshape(rows, columns)
    left, right = m[a : a + rows * inner], m[b : b + inner * columns]
    if a_column == 1 and b_column == 1:
        np.dot(left.reshape(rows, inner), right.reshape(inner, columns), C)
    elif a_column == 1:
        np.dot(left.reshape(rows, inner), right.reshape(columns, inner).T, C)
    elif b_column == 1:
        np.dot(left.reshape(inner, rows).T, right.reshape(inner, columns), C)
    else:
        np.dot(left.reshape(inner, rows).T, right.reshape(columns, inner).T, C)


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
def entries_alone(m, row):  # type: ignore[no-untyped-def]
    """An operation entry by entry, eight at a time where they lie one after the other."""
    code, columns, u, v, w = row[0], row[3], row[6], row[9], row[12]
    eights = columns - columns % 8 if code != POWER and max(u, v, w) <= 1 else 0
    for i in range(row[2]):
        o, p, q, r = row[1] + i * columns, row[4] + i * row[5], row[7] + i * row[8], row[10] + i * row[11]
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
def sums_alone(m, row):  # type: ignore[no-untyped-def]
    """Sums over columns, rows, or of products of entries."""
    code, out, rows, columns, u, v = row[0], row[1], row[2], row[3], row[6], row[9]
    if code == COLUMN_SUM:
        m[out : out + columns] = 0.0
        for i in range(rows):
            for j in range(columns):
                m[out + j] += m[row[4] + i * row[5] + j * u]
        return
    total, eight = 0.0, np.zeros(8)
    eights = columns - columns % 8 if u == 1 and (v == 1 or code == ROW_SUM) else 0
    parts = all_equal(0.0)
    for i in range(rows):
        p, q = row[4] + i * row[5], row[7] + i * row[8]
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
    def run(m, operations):  # type: ignore[no-untyped-def]
        for n in range(operations.shape[0]):
            row = operations[n]
            if row[0] == PRODUCT:
                product(m, row)
            elif row[0] in (ROW_SUM, COLUMN_SUM, INNER):
                sums(m, row)
            else:
                entries(m, row)

    return run


run_abreast = make_run(product_abreast, entries_abreast, sums_abreast)
_run_flat = make_run(product_alone, entries_alone, sums_alone)


@compiled
def run_alone(m, operations):  # type: ignore[no-untyped-def]
    """Do the operations on one system, memory (numbers, 1)."""
    _run_flat(m.reshape(m.size), operations)


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
