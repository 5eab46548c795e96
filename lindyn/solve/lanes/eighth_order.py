"""Dormand and Prince's method 8(5, 3) over memory of eight numbers a row: its stages as lists of weights.

Hairer, Norsett and Wanner 1993, "Solving Ordinary Differential Equations I", sec. II.10; the coefficients are scipy's.
"""

import numpy as np
from scipy.integrate import DOP853

from lindyn.solve.lanes.compiled import apart, wide_vectors
from lindyn.solve.lanes.eight import all_equal, larger, pick, put, size, take, times, times_plus
from lindyn.solve.lanes.tape_products import compiled

STAGES = 12
NEW, SLOTS = 12, 16
"""Where the rate at the end of a step lies among the rates, and how many there are with three for its inside."""
INSIDE = (0.25, 0.5, 0.75)
"""Where inside a step a state is looked at."""
Lists = tuple[np.ndarray, np.ndarray, np.ndarray]


def lists(rows: list[np.ndarray]) -> Lists:
    """Return rows of weights without their zeros: where each row begins, which rates it takes, their weights."""
    which = [np.flatnonzero(row) for row in rows]
    first = np.cumsum([0, *map(len, which)])
    return first, np.concatenate(which), np.concatenate([row[k] for row, k in zip(rows, which, strict=True)])


def inside(x: float) -> np.ndarray:
    """Return the weights of the rates in (y(t + x h) - y(t))/h, of order 7."""
    change = np.zeros(SLOTS)
    change[:STAGES] = DOP853.B
    first, last = np.eye(SLOTS)[0], np.eye(SLOTS)[NEW]
    parts = [change, first - change, 2 * change - (last + first), *DOP853.D]
    total = np.zeros(SLOTS)
    for k, part in reversed(list(enumerate(parts))):
        total = (x if k % 2 == 0 else 1 - x) * (part + total)
    return np.asarray(total)


STEP = lists([DOP853.A[k] for k in range(1, STAGES)])
"""Of the stages 1 .. 11."""
END = np.flatnonzero(DOP853.B), np.stack([each[np.flatnonzero(DOP853.B)] for each in (DOP853.B, DOP853.E5, DOP853.E3)])
"""Which rates make the end of a step; their weights in it and in its errors of order 5 and 3."""
WITHIN = lists([*DOP853.A_EXTRA, *(inside(x) for x in INSIDE)])
"""Of three more stages, and of the states at `INSIDE`."""


@compiled
def combine(m, y, k, rows, weights, which, first, last):  # type: ignore[no-untyped-def]
    """Write y + sum of weights and rates into the first rows of m; eight rows at a time share a weight."""
    apart()
    wide_vectors()
    for r in range(0, rows - rows % 8, 8):
        y_1, y_2, y_3, y_4 = take(y, r), take(y, r + 1), take(y, r + 2), take(y, r + 3)
        y_5, y_6, y_7, y_8 = take(y, r + 4), take(y, r + 5), take(y, r + 6), take(y, r + 7)
        for q in range(first, last):
            w, p = take(weights, q - first), which[q] * rows + r
            y_1, y_2 = times_plus(w, take(k, p), y_1), times_plus(w, take(k, p + 1), y_2)
            y_3, y_4 = times_plus(w, take(k, p + 2), y_3), times_plus(w, take(k, p + 3), y_4)
            y_5, y_6 = times_plus(w, take(k, p + 4), y_5), times_plus(w, take(k, p + 5), y_6)
            y_7, y_8 = times_plus(w, take(k, p + 6), y_7), times_plus(w, take(k, p + 7), y_8)
        put(m, r, y_1)
        put(m, r + 1, y_2)
        put(m, r + 2, y_3)
        put(m, r + 3, y_4)
        put(m, r + 4, y_5)
        put(m, r + 5, y_6)
        put(m, r + 6, y_7)
        put(m, r + 7, y_8)
    for r in range(rows - rows % 8, rows):
        a = take(y, r)
        for q in range(first, last):
            a = times_plus(take(weights, q - first), take(k, which[q] * rows + r), a)
        put(m, r, a)


@compiled
def copy_rows(target, source, rows):  # type: ignore[no-untyped-def]
    """Copy the first rows of memory."""
    apart()
    for r in range(rows):
        put(target, r, take(source, r))


@compiled
def weigh(weights, step, values, first, last):  # type: ignore[no-untyped-def]
    """Write step times each value into rows of weights."""
    h = take(step, 0)
    for q in range(first, last):
        put(weights, q - first, times(h, all_equal(values[q])))


@compiled
def end(m, y, k, starts, which, weights, found):  # type: ignore[no-untyped-def]
    """Write the end of a step into m, and the largest entry and errors of each matrix into `found`.

    Row 4 b of `found` has the size of matrix b, before or after; the next ones its errors of order 5 and 3, and 0, or
    NaN where an error is not finite.
    """
    apart()
    wide_vectors()
    count, rows = which.size, starts[-1]
    nothing = all_equal(0.0)
    for b in range(starts.size - 1):
        most, fifth, third, bad = nothing, nothing, nothing, nothing
        for r in range(starts[b], starts[b + 1], 2):  # two rows share the weights; an odd last one is made twice
            r_2 = min(r + 1, starts[b + 1] - 1)
            before, before_2 = take(y, r), take(y, r_2)
            after, after_2 = before, before_2
            e, e_2, d, d_2 = nothing, nothing, nothing, nothing
            for q in range(count):
                rate, rate_2 = take(k, which[q] * rows + r), take(k, which[q] * rows + r_2)
                v, v_5, v_3 = take(weights, q), take(weights, count + q), take(weights, 2 * count + q)
                after, after_2 = times_plus(v, rate, after), times_plus(v, rate_2, after_2)
                e, e_2 = times_plus(v_5, rate, e), times_plus(v_5, rate_2, e_2)
                d, d_2 = times_plus(v_3, rate, d), times_plus(v_3, rate_2, d_2)
            put(m, r, after)
            put(m, r_2, after_2)
            most = larger(larger(size(before), size(after)), most)
            most = larger(larger(size(before_2), size(after_2)), most)
            fifth, third = larger(size(e_2), larger(size(e), fifth)), larger(size(d_2), larger(size(d), third))
            bad = times_plus(e, nothing, times_plus(e_2, nothing, bad))
        put(found, 4 * b, most)
        put(found, 4 * b + 1, fifth)
        put(found, 4 * b + 2, third)
        put(found, 4 * b + 3, bad)


@compiled
def error(found, l):  # type: ignore[no-untyped-def]
    """Return the error of a step of system l: the largest over its matrices, each relative to its own size."""
    worst = 0.0
    for b in range(found.shape[0] // 4):
        most, fifth, third = found[4 * b, l], found[4 * b + 1, l], found[4 * b + 2, l]
        if not np.isfinite(found[4 * b + 3, l] + most):
            return np.inf
        if most > 1e-290 and fifth > 0.0:
            worst = max(worst, fifth / np.sqrt(1.0 + 0.01 * (third / fifth) ** 2) / most)
    return worst


@compiled
def accept(y, k, m, rows, wanted):  # type: ignore[no-untyped-def]
    """Move the systems that are wanted to the end of their step, which is in memory, and its rate among the rates."""
    apart()
    wide_vectors()
    ok = take(wanted, 0)
    for r in range(rows):
        put(y, r, pick(ok, take(m, r), take(y, r)))
        put(k, r, pick(ok, take(k, NEW * rows + r), take(k, r)))
