"""Matrix products of recorded steps (`tape`) in numba: of eight small systems abreast, or of one large one by BLAS."""

import numba
import numpy as np

from lindyn.solve.lanes.compiled import FASTMATH, WIDE_REGISTERS
from lindyn.solve.lanes.eight import all_equal, put, take, times, times_plus

compiled = numba.njit(fastmath=FASTMATH, error_model="numpy", nogil=True)
TILED = 16
"""Sides up to which a product goes by tiles: its matrices then lie in the cache whatever their strides."""


@compiled
def along_rows(m, ops, at):  # type: ignore[no-untyped-def]
    """The rows of b lie one after the other: two rows of a and of b at a time, added to two rows of the result."""
    out, rows, columns, a, a_row, a_column = ops[at, 1], ops[at, 2], ops[at, 3], ops[at, 4], ops[at, 5], ops[at, 6]
    b, b_row = ops[at, 7], ops[at, 8]
    inner = ops[at, 13]
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
def along_columns(m, ops, at):  # type: ignore[no-untyped-def]
    """The columns of b lie one after the other: the sums of two rows and two columns at a time."""
    out, rows, columns, a, a_row, a_column = ops[at, 1], ops[at, 2], ops[at, 3], ops[at, 4], ops[at, 5], ops[at, 6]
    b, b_row = ops[at, 7], ops[at, 8]
    b_column, inner = ops[at, 9], ops[at, 13]
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
def by_tiles(m, ops, at):  # type: ignore[no-untyped-def]
    """Two rows and four columns of the result at a time, their eight sums in registers from the first to the last term.

    An odd last row, or columns that do not make four, are computed again in place of what is not there.
    """
    out, rows, columns, a, a_row, a_column = ops[at, 1], ops[at, 2], ops[at, 3], ops[at, 4], ops[at, 5], ops[at, 6]
    b, b_row, b_column, inner = ops[at, 7], ops[at, 8], ops[at, 9], ops[at, 13]
    for i in range(0, rows, 2):
        i_2 = min(i + 1, rows - 1)
        for j in range(0, columns, 4):
            j_2, j_3, j_4 = min(j + 1, columns - 1), min(j + 2, columns - 1), min(j + 3, columns - 1)
            p, p_2 = a + i * a_row, a + i_2 * a_row
            q, q_2, q_3, q_4 = b + j * b_column, b + j_2 * b_column, b + j_3 * b_column, b + j_4 * b_column
            s, s_2, s_3, s_4 = all_equal(0.0), all_equal(0.0), all_equal(0.0), all_equal(0.0)
            t, t_2, t_3, t_4 = all_equal(0.0), all_equal(0.0), all_equal(0.0), all_equal(0.0)
            for _ in range(inner):
                x, y = take(m, p), take(m, p_2)
                w, w_2, w_3, w_4 = take(m, q), take(m, q_2), take(m, q_3), take(m, q_4)
                s, s_2, s_3, s_4 = (
                    times_plus(x, w, s),
                    times_plus(x, w_2, s_2),
                    times_plus(x, w_3, s_3),
                    times_plus(x, w_4, s_4),
                )
                t, t_2, t_3, t_4 = (
                    times_plus(y, w, t),
                    times_plus(y, w_2, t_2),
                    times_plus(y, w_3, t_3),
                    times_plus(y, w_4, t_4),
                )
                p, p_2 = p + a_column, p_2 + a_column
                q, q_2, q_3, q_4 = q + b_row, q_2 + b_row, q_3 + b_row, q_4 + b_row
            o, o_2 = out + i * columns, out + i_2 * columns
            put(m, o + j, s)
            put(m, o + j_2, s_2)
            put(m, o + j_3, s_3)
            put(m, o + j_4, s_4)
            put(m, o_2 + j, t)
            put(m, o_2 + j_2, t_2)
            put(m, o_2 + j_3, t_3)
            put(m, o_2 + j_4, t_4)


@compiled
def by_wide_tiles(m, ops, at):  # type: ignore[no-untyped-def]
    """Four rows and four columns of the result at a time, their sums in registers from the first to the last term.

    Rows or columns that do not make four are computed again in place of what is not there.
    """
    out, rows, columns, a, a_row, a_column = ops[at, 1], ops[at, 2], ops[at, 3], ops[at, 4], ops[at, 5], ops[at, 6]
    b, b_row, b_column, inner = ops[at, 7], ops[at, 8], ops[at, 9], ops[at, 13]
    for j in range(0, columns, 4):
        j_2, j_3, j_4 = min(j + 1, columns - 1), min(j + 2, columns - 1), min(j + 3, columns - 1)
        for i in range(0, rows, 4):
            i_2, i_3, i_4 = min(i + 1, rows - 1), min(i + 2, rows - 1), min(i + 3, rows - 1)
            p, p_2, p_3, p_4 = a + i * a_row, a + i_2 * a_row, a + i_3 * a_row, a + i_4 * a_row
            q, q_2, q_3, q_4 = b + j * b_column, b + j_2 * b_column, b + j_3 * b_column, b + j_4 * b_column
            s, s_2, s_3, s_4 = all_equal(0.0), all_equal(0.0), all_equal(0.0), all_equal(0.0)
            t, t_2, t_3, t_4 = all_equal(0.0), all_equal(0.0), all_equal(0.0), all_equal(0.0)
            u, u_2, u_3, u_4 = all_equal(0.0), all_equal(0.0), all_equal(0.0), all_equal(0.0)
            v, v_2, v_3, v_4 = all_equal(0.0), all_equal(0.0), all_equal(0.0), all_equal(0.0)
            for _ in range(inner):
                w, w_2, w_3, w_4 = take(m, q), take(m, q_2), take(m, q_3), take(m, q_4)
                x = take(m, p)
                s, s_2 = times_plus(x, w, s), times_plus(x, w_2, s_2)
                s_3, s_4 = times_plus(x, w_3, s_3), times_plus(x, w_4, s_4)
                x = take(m, p_2)
                t, t_2 = times_plus(x, w, t), times_plus(x, w_2, t_2)
                t_3, t_4 = times_plus(x, w_3, t_3), times_plus(x, w_4, t_4)
                x = take(m, p_3)
                u, u_2 = times_plus(x, w, u), times_plus(x, w_2, u_2)
                u_3, u_4 = times_plus(x, w_3, u_3), times_plus(x, w_4, u_4)
                x = take(m, p_4)
                v, v_2 = times_plus(x, w, v), times_plus(x, w_2, v_2)
                v_3, v_4 = times_plus(x, w_3, v_3), times_plus(x, w_4, v_4)
                p, p_2, p_3, p_4 = p + a_column, p_2 + a_column, p_3 + a_column, p_4 + a_column
                q, q_2, q_3, q_4 = q + b_row, q_2 + b_row, q_3 + b_row, q_4 + b_row
            o, o_2, o_3, o_4 = out + i * columns, out + i_2 * columns, out + i_3 * columns, out + i_4 * columns
            put(m, o + j, s)
            put(m, o + j_2, s_2)
            put(m, o + j_3, s_3)
            put(m, o + j_4, s_4)
            put(m, o_2 + j, t)
            put(m, o_2 + j_2, t_2)
            put(m, o_2 + j_3, t_3)
            put(m, o_2 + j_4, t_4)
            put(m, o_3 + j, u)
            put(m, o_3 + j_2, u_2)
            put(m, o_3 + j_3, u_3)
            put(m, o_3 + j_4, u_4)
            put(m, o_4 + j, v)
            put(m, o_4 + j_2, v_2)
            put(m, o_4 + j_3, v_3)
            put(m, o_4 + j_4, v_4)


@compiled
def product_abreast(m, ops, at):  # type: ignore[no-untyped-def]
    """A matrix product: by wide tiles where there are registers for sixteen sums and what they need.

    Elsewhere small ones by tiles, others along what of b lies one after the other: matrices are 64 bytes a number, and
    strides of some kilobytes would meet in the same few places of the cache.
    """
    if WIDE_REGISTERS and ops[at, 2] > 2:
        by_wide_tiles(m, ops, at)
    elif ops[at, 2] <= TILED and ops[at, 3] <= TILED and ops[at, 13] <= TILED:
        by_tiles(m, ops, at)
    elif ops[at, 9] == 1:
        along_rows(m, ops, at)
    else:
        along_columns(m, ops, at)


@compiled
def product_alone(m, ops, at):  # type: ignore[no-untyped-def]
    """A matrix product by BLAS."""
    out, rows, columns, a, a_column, b, b_column, inner = (
        ops[at, 1],
        ops[at, 2],
        ops[at, 3],
        ops[at, 4],
        ops[at, 6],
        ops[at, 7],
        ops[at, 9],
        ops[at, 13],
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
