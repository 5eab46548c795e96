"""Systems with recorded rates integrated to chosen times, each by steps of its own, eight abreast or one alone.

A system that is through gives its place to the next one at once; what a system computes depends neither on its place
nor on its neighbours. On a step the smallest eigenvalue of a watched matrix is asked for only where that matrix, less
the smallest one so far, is not positive definite any more.
"""

import functools
from typing import Any

import numpy as np

from lindyn.solve.lanes import eighth_order as rk
from lindyn.solve.lanes.compiled import apart, compile_kernel, wide_vectors
from lindyn.solve.lanes.eight import ABREAST, aligned
from lindyn.solve.lanes.lowest_eigenvalue import dip, not_above
from lindyn.solve.lanes.recorded_rates import Recording
from lindyn.solve.lanes.tape_operations import make_access
from lindyn.solve.lanes.tape_products import compiled

STATUSES = ("reached", "max_steps", "not_finite")
REACHED, LIMITED, NOT_FINITE = range(3)
FIRST = 0.01  # first step: of the time in which the fastest entry changes by the largest one
LARGEST, SMALLEST, SAFETY = 6.0, 0.2, 0.9
NONE = np.zeros((0, 14), np.int64)
(T, H, STEP, DONE) = range(4)
"""Rows of the clock: flow time, the step wished for, the step taken, whether it is kept."""
(INDEX, GOAL, TAKEN, HELD, NEW, CODE) = range(6)
"""Rows of the counts: which system, its next time, its steps, whether the last failed, whether it is new, its end."""
LOOKS = len(rk.INSIDE) + 2
"""Times of a step at which the watched matrix is looked at."""


def make_watch(run: Any, read: Any, width: int) -> tuple[Any, Any, Any]:
    """Return what writes the watched matrices at one time, what lowers the smallest eigenvalues, what begins them."""

    @compiled
    def look(w, operations, place, n, seen):  # type: ignore[no-untyped-def]
        apart()
        run(w, operations)
        for l in range(width):
            for i in range(n):
                for j in range(n):
                    seen[l, i, j] = 0.5 * (read(w, place + i * n + j, l) + read(w, place + j * n + i, l))

    @compiled
    def lower(seen, n, clock, counts, lowest):  # type: ignore[no-untyped-def]
        """Lower the smallest eigenvalues by what the kept steps show; seen is (times, systems, n, n)."""
        apart()
        values = np.empty(LOOKS)
        for l in range(width):
            if clock[DONE, l] > 0.0:
                who, goal, asked = counts[INDEX, l], counts[GOAL, l], False
                for k in range(1, LOOKS):
                    asked = asked or not_above(seen[k, l].copy(), n, lowest[who, goal])
                if asked:
                    for k in range(LOOKS):
                        values[k] = np.linalg.eigvalsh(seen[k, l])[0]
                    lowest[who, goal] = min(lowest[who, goal], dip(values))
                for i in range(n):
                    for j in range(n):
                        seen[0, l, i, j] = seen[LOOKS - 1, l, i, j]

    @compiled
    def watch_new(seen, n, counts, lowest):  # type: ignore[no-untyped-def]
        """Take the matrices of the last look as the first of new systems."""
        apart()
        for l in range(width):
            if counts[NEW, l]:
                lowest[counts[INDEX, l], 0] = np.linalg.eigvalsh(seen[LOOKS - 1, l])[0]
                for i in range(n):
                    for j in range(n):
                        seen[0, l, i, j] = seen[LOOKS - 1, l, i, j]

    return look, lower, watch_new


def make_control(width: int) -> tuple[Any, Any]:
    """Return what chooses the steps, and what judges and ends them."""

    @compiled
    def choose(clock, counts, times):  # type: ignore[no-untyped-def]
        apart()
        for l in range(width):
            clock[STEP, l] = 0.0
            if counts[INDEX, l] >= 0:
                clock[STEP, l] = min(clock[H, l], times[counts[GOAL, l]] - clock[T, l])
        for l in range(width, ABREAST):
            clock[STEP, l] = clock[STEP, 0]

    @compiled
    def judge(found, clock, counts, times, rtol, max_steps):  # type: ignore[no-untyped-def]
        """Keep or refuse the steps and choose the next; return how many are kept."""
        apart()
        kept = 0
        for l in range(width):
            clock[DONE, l] = -1.0
            if counts[INDEX, l] < 0:
                continue
            off = rk.error(found, l) / rtol
            counts[TAKEN, l] += 1
            step, final = clock[STEP, l], clock[STEP, l] >= times[counts[GOAL, l]] - clock[T, l]
            change = min(LARGEST, max(SMALLEST, SAFETY * max(off, 1e-12) ** -0.125)) if np.isfinite(off) else 0.1
            if off <= 1.0:
                kept += 1
                clock[DONE, l] = 1.0
                clock[T, l] = times[counts[GOAL, l]] if final else clock[T, l] + step
                grown = step * (min(change, 1.0) if counts[HELD, l] else change)
                clock[H, l] = max(clock[H, l], grown) if final else grown
                counts[HELD, l] = 0
            else:
                clock[H, l] = step * min(change, 1.0)
                counts[HELD, l] = 1
            if clock[H, l] < 1e-14 * times[-1]:
                counts[CODE, l] = NOT_FINITE
            elif counts[TAKEN, l] >= max_steps:
                counts[CODE, l] = LIMITED
        for l in range(width, ABREAST):
            clock[DONE, l] = clock[DONE, 0]
        return kept

    return choose, judge


def make_tell(read: Any, width: int) -> Any:
    """Return what writes the states that have reached their next time, and lets go of systems that are through."""

    @compiled
    def tell(y, clock, counts, times, out, lowest, steps, status):  # type: ignore[no-untyped-def]
        apart()
        left = 0
        for l in range(width):
            who = counts[INDEX, l]
            if who < 0:
                continue
            ended = counts[CODE, l] != REACHED
            reached = clock[DONE, l] > 0.0 and clock[T, l] == times[counts[GOAL, l]]
            if reached:
                for k in range(out.shape[2]):
                    out[who, counts[GOAL, l], k] = read(y, k, l)
                steps[who, counts[GOAL, l]], status[who, counts[GOAL, l]] = counts[TAKEN, l], REACHED
                counts[GOAL, l] += 1
                if counts[GOAL, l] < times.size:
                    lowest[who, counts[GOAL, l]] = lowest[who, counts[GOAL, l] - 1]
            through = counts[GOAL, l] == times.size
            if ended and not through:
                for goal in range(counts[GOAL, l], times.size):
                    lowest[who, goal] = lowest[who, counts[GOAL, l]]
                    steps[who, goal], status[who, goal] = counts[TAKEN, l], counts[CODE, l]
                    for k in range(out.shape[2]):
                        out[who, goal, k] = read(y, k, l)
            if ended or through:
                counts[INDEX, l] = -1
                left += 1
        return left

    return tell


def make_fill(read: Any, write: Any, width: int) -> tuple[Any, Any]:
    """Return what gives free places to the next systems, and what chooses the first steps of new ones."""

    @compiled
    def fill(taken, start, given, places, y, m, w, counts):  # type: ignore[no-untyped-def]
        """Return how many systems have been taken."""
        apart()
        for l in range(width):
            counts[NEW, l] = 0
            if counts[INDEX, l] >= 0 or taken == start.shape[0]:
                continue
            for k in range(start.shape[1]):
                write(y, k, l, start[taken, k])
            for k in range(places.size):
                write(m, places[k], l, given[taken, k])
                write(w, places[k], l, given[taken, k])
            for row in range(counts.shape[0]):
                counts[row, l] = 0
            counts[INDEX, l], counts[NEW, l] = taken, 1
            taken += 1
        return taken

    @compiled
    def begin(y, m, clock, counts, t1):  # type: ignore[no-untyped-def]
        """Choose the first steps of new systems and take over their rates."""
        apart()
        size = 8 * y.shape[0] // width
        for l in range(width):
            clock[DONE, l] = -1.0
            if counts[NEW, l]:
                level, speed = 0.0, 0.0
                for i in range(size):
                    level, speed = max(level, abs(read(y, i, l))), max(speed, abs(read(m, (1 + rk.NEW) * size + i, l)))
                clock[T, l], clock[DONE, l] = 0.0, 1.0
                clock[H, l] = min(t1, FIRST * level / speed) if speed > 0.0 else t1
        for l in range(width, ABREAST):
            clock[DONE, l] = clock[DONE, 0]

    return fill, begin


def make_look_inside(run: Any, look: Any) -> Any:
    """Return what looks at the watched matrix inside a step and at its end."""

    @compiled
    def look_inside(m, w, y, k, weights, clock, step_ops, watch_ops, place, n, seen, within):  # type: ignore[no-untyped-def]
        """Look at the watched matrix inside a step and at its end, where the state is in m and its rate in a slot."""
        apart()
        rows = y.shape[0]
        end = np.empty_like(y)
        rk.copy_rows(end, m, rows)
        first, which, values = within
        for q in range(first.size - 1):
            rk.weigh(weights, clock[STEP : STEP + 1], values, first[q], first[q + 1])
            if q < 3:
                rk.combine(m, y, k, rows, weights, which, first[q], first[q + 1])
                run(m, step_ops[rk.NEW + 1 + q])
            else:
                rk.combine(w, y, k, rows, weights, which, first[q], first[q + 1])
                look(w, watch_ops, place, n, seen[q - 2])
        rk.copy_rows(w, end, rows)
        look(w, watch_ops, place, n, seen[LOOKS - 1])
        rk.copy_rows(m, end, rows)

    return look_inside


@functools.cache
def kernel(abreast: bool) -> Any:
    """Return the compiled loop over systems, see `march`."""
    width = ABREAST if abreast else 1
    run, read, write = make_access(abreast)
    look, lower, watch_new = make_watch(run, read, width)
    choose, judge = make_control(width)
    tell = make_tell(read, width)
    fill, begin = make_fill(read, write, width)
    look_inside = make_look_inside(run, look)

    def march(m, w, y, weights, found, clock, counts, seen, starts, stages, ends, within, ops, step_ops, start, given,
              places, times, rtol, max_steps, side, watched_at, out, lowest, steps, status):  # type: ignore[no-untyped-def]  # fmt: skip
        wide_vectors()
        once, watch_once, watch_ops = ops
        first, which, values = stages
        end_which, end_weights = ends
        rows, taken, live = starts[-1], 0, 0
        k = m[rows : rows + rk.SLOTS * rows]
        for l in range(ABREAST):
            counts[INDEX, l] = -1
        free = True
        while free or live > 0:
            if free:
                before = taken
                taken = fill(taken, start, given, places, y, m, w, counts)
                live += taken - before
                free = False
                if taken > before:
                    run(m, once)
                    rk.copy_rows(m, y, rows)
                    run(m, step_ops[rk.NEW])
                    begin(y, m, clock, counts, times[-1])
                    rk.accept(y, k, m, rows, clock[DONE : DONE + 1])
                    if side > 0:
                        run(w, watch_once)
                        rk.copy_rows(w, y, rows)
                        look(w, watch_ops, watched_at, side, seen[LOOKS - 1])
                        watch_new(seen, side, counts, lowest)
            choose(clock, counts, times)
            for s in range(rk.STAGES - 1):
                rk.weigh(weights, clock[STEP : STEP + 1], values, first[s], first[s + 1])
                rk.combine(m, y, k, rows, weights, which, first[s], first[s + 1])
                run(m, step_ops[s + 1])
            for q in range(3):
                rk.weigh(weights[q * end_which.size :], clock[STEP : STEP + 1], end_weights[q], 0, end_which.size)
            rk.end(m, y, k, starts, end_which, weights, found)
            if judge(found, clock, counts, times, rtol, max_steps) > 0:
                run(m, step_ops[rk.NEW])
                if side > 0:
                    look_inside(m, w, y, k, weights, clock, step_ops, watch_ops, watched_at, side, seen, within)
                    lower(seen, side, clock, counts, lowest)
                rk.accept(y, k, m, rows, clock[DONE : DONE + 1])
            left = tell(y, clock, counts, times, out, lowest, steps, status)
            live -= left
            free = left > 0 and taken < start.shape[0]

    return compile_kernel(march, ("recorded", abreast))


def solve(
    recording: Recording,
    start: np.ndarray,
    given: dict[str, np.ndarray],
    shared: dict[str, np.ndarray],
    *,
    times: np.ndarray,
    rtol: float,
    max_steps: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Integrate systems from t = 0 through chosen times.

    Args:
        recording: of their rates.
        start: packed states, (systems, size).
        given: what each has of its own, (systems, numbers) by name.
        shared: what all have alike, by name.
        times: rising, > 0.
        rtol: largest error of a step, of each matrix relative to its largest entry.
        max_steps: limit on steps of a system.

    Returns:
        Packed states, (systems, times, size); the smallest eigenvalue of the watched matrix up to each time, NaN
        without one; steps so far; index into `STATUSES`. A system that ends early keeps its last state at all later
        times.
    """
    count, names = len(start), list(given)
    rate, watched = recording.rate, recording.watched or recording.rate
    rows = recording.size if recording.abreast else recording.size // ABREAST
    m, w = _memory(recording, shared), _memory(recording, shared, watched)
    starts = recording.starts if recording.abreast else recording.starts // ABREAST
    places = [rate.places[name] + np.arange(given[name].shape[1]) for name in names]
    y, weights, found = (aligned(count) for count in (rows, 3 * rk.SLOTS, 4 * (len(starts) - 1)))
    side = recording.side if recording.watched else 0
    out, lowest = np.empty((count, len(times), recording.size)), np.full((count, len(times)), np.nan)
    steps, status = np.zeros((count, len(times)), np.int32), np.zeros((count, len(times)), np.int8)
    watch = (watched.once, watched.step) if side else (NONE, NONE)
    own = np.concatenate([given[name] for name in names], axis=1)
    kernel(recording.abreast)(
        m, w, y, weights, found, np.zeros((4, ABREAST)), np.zeros((6, ABREAST), np.int64),
        np.zeros((LOOKS, ABREAST, side, side)), starts, rk.STEP, rk.END, rk.WITHIN, (rate.once, *watch),
        recording.into_slots, start, own, np.concatenate(places), times, rtol, max_steps, side,
        watched.places.get("watched", 0), out, lowest, steps, status,
    )  # fmt: skip
    return out, lowest, steps, status


def _memory(recording: Recording, shared: dict[str, np.ndarray], program: Any = None) -> np.ndarray:
    """Return memory with the program's numbers and what all systems share."""
    program = program or recording.rate
    memory = aligned(program.size if recording.abreast else -(-program.size // ABREAST))
    flat = memory if recording.abreast else memory.reshape(-1, 1)
    for place, value in program.numbers:
        flat[place] = value
    for name, values in shared.items():
        flat[program.places[name] : program.places[name] + values.size] = values.reshape(-1, 1)
    return memory
