"""The rare path of the lanes: crossings of the event thresholds, dips of K inside a step, s leaving float64.

When it happens, an event is found on the cubic through both ends and both slopes of the step (Hermite, an error of
fourth order in the step), and the step is noted, in which it lies. When all lanes have ended, those that matter are
found anew, sixteen abreast, by stepping with the method itself from where that step began: as good as the run.
"""

import math
from typing import Any

from lindyn.solve.lanes import layout as at
from lindyn.solve.lanes.compiled import where, wide_vectors
from lindyn.solve.lanes.methods import make_cubic
from lindyn.solve.lanes.problem import BISECTIONS

SETTLED = 1e-9  # of the step: Newton's error squares, the next move would be rounding
LAST_MOVE = 1e-5  # of the step: Newton's error after a move this small is about 1e-10 of it
MOVES_AT_MOST = 8  # two or three do, from a cubic's guess
SMALLEST = 1e-12  # of the step: the stiff method divides by it


def make_bends(compiled: Any) -> Any:
    """Return (a, da, b, db, h) -> the factors of u^2 and u^3 in the cubic of `methods.make_cubic`."""

    @compiled
    def bends(a, da, b, db, h):  # type: ignore[no-untyped-def]
        return 3.0 * (b - a) - h * (2.0 * da + db), 2.0 * (a - b) + h * (da + db)

    return bends


def make_crossing(compiled: Any) -> Any:
    """Return (a, da, b, db, h) -> where in a step, 0 .. h, the cubic of values a, b and slopes da, db changes sign.

    Newton's method from the middle, kept between points of opposite sign by halving. That takes about five rounds,
    halving alone fifty; while they run, one lane at a time, the block waits.
    """
    cubic, bends = make_cubic(compiled), make_bends(compiled)

    @compiled
    def crossing(a, da, b, db, h):  # type: ignore[no-untyped-def]
        low, high, u = 0.0, 1.0, 0.5
        rising = b > a
        c2, c3 = bends(a, da, b, db, h)
        for _ in range(BISECTIONS):
            value = cubic(a, da, b, db, h, u)
            if (value < 0.0) == rising:
                low = u
            else:
                high = u
            step = value / (h * da + u * (2.0 * c2 + 3.0 * c3 * u))
            u -= step
            if not low <= u <= high:
                u = 0.5 * (low + high)
            elif abs(step) < SETTLED:
                break
        return h * u

    return crossing


def make_events(rate: Any, alignment: Any, slope: Any, stiff: bool, compiled: Any) -> Any:
    """Return (w, wi, l, kept) -> None: attend to the flags of lane l after an accepted step.

    Args:
        rate: (y, c) -> velocity.
        alignment: (y, c) -> K.
        slope: (y, k, c) -> dK/dt.
        stiff: whether the stiff method takes the steps.
        compiled: decorator that inlines.

    Returns:
        The function.
    """
    L = at.LANES
    state, velocity, constants = at.make_views(compiled)
    cubic, bends, crossing = make_cubic(compiled), make_bends(compiled), make_crossing(compiled)
    sign = -1.0 if stiff else 1.0

    @compiled
    def dip(a, da, b, db, h):  # type: ignore[no-untyped-def]
        """Return where the cubic of a step that falls at first and rises at last is least, and its bend there."""
        c2, c3 = bends(a, da, b, db, h)
        root = math.sqrt(max(c2 * c2 - 3.0 * c3 * h * da, 0.0))
        u = -h * da / (c2 + root) if c2 + root > 0.0 else 1.0
        return min(max(u, 0.0), 1.0), 2.0 * root / (h * h)

    @compiled
    def note(kept, i, record, h, y, t, u, value):  # type: ignore[no-untyped-def]
        kept[i, record + at.STEP], kept[i, record + at.START_T] = sign * h, t
        kept[i, record + at.START_P], kept[i, record + at.START_S] = y[0], y[1]
        kept[i, record + at.START_TAU] = y[2]
        kept[i, record + at.GUESS], kept[i, record + at.GUESS_VALUE] = u, value

    @compiled
    def attend(w, wi, l, kept):  # type: ignore[no-untyped-def]
        flag, i = wi[at.FLAGS * L + l], wi[at.INDEX * L + l]
        t, y = w[at.T0 * L + l], (w[at.P0 * L + l], w[at.S0 * L + l], w[at.TAU0 * L + l])
        h = w[at.TIME * L + l] - t
        c = constants(w, l)
        if flag & (at.CROSSED_P | at.CROSSED_S | at.K_DIPPED):
            k, z, v = rate(y, c), state(w, l), velocity(w, l)
            if flag & at.CROSSED_P:
                goal = w[at.ESCAPE_P * L + l]
                inside = crossing(y[0] - goal, k[0], z[0] - goal, v[0], h)
                w[at.T_ESCAPE * L + l] = t + inside
                note(kept, i, at.ESCAPE, h, y, t, inside / h, goal)
            if flag & at.CROSSED_S:
                goal = w[at.COLLAPSE_S * L + l]
                w[at.T_COLLAPSE * L + l] = t
                kept[i, at.COLLAPSE + at.STEP] = 0.0
                if goal > 0.0 and z[1] > 0.0 and y[1] > 0.0:
                    a, b = math.log(y[1] / goal), math.log(z[1] / goal)
                    inside = crossing(a, k[1] / y[1], b, v[1] / z[1], h)
                    w[at.T_COLLAPSE * L + l] = t + inside
                    note(kept, i, at.COLLAPSE, h, y, t, inside / h, goal)
            if flag & at.K_DIPPED:
                a, da, b, db = alignment(y, c), slope(y, k, c), w[at.K * L + l], w[at.DK * L + l]
                u, bend = dip(a, da, b, db, h)
                low = cubic(a, da, b, db, h, u)
                if low < kept[i, at.DIP + at.GUESS_VALUE]:  # of several dips the lowest
                    note(kept, i, at.DIP, h, y, t, u, low)
                    kept[i, at.BEND] = bend
        if flag & at.VANISHED:
            w[at.S * L + l] = 0.0
            wi[at.STATUS * L + l] = at.UNDERFLOW
            w[at.KP * L + l], w[at.KS * L + l], w[at.KT * L + l] = rate((w[at.P * L + l], 0.0, w[at.TAU * L + l]), c)

    return attend


def record_of_lane(kept, i, dips):  # type: ignore[no-untyped-def]
    """Return the record of lane i that matters: its dip of K, or the event by which its final state is judged."""
    if dips:
        return at.DIP
    return at.COLLAPSE if kept[i, at.S] <= kept[i, at.COLLAPSE_S] else at.ESCAPE


def make_settle(step: Any, rate: Any, alignment: Any, slope: Any, compiled: Any) -> Any:
    """Return (queue, n, dips, kept, w) -> None: find the events of the lanes in queue[:n] by steps, sixteen abreast.

    Newton's method on p, s or dK/dt at the end of a step of size u h from where the noted one began. A lane that has
    settled stays, whatever its neighbours still do.
    """
    L = at.LANES
    state, _, constants = at.make_views(compiled)
    record_of = compiled(record_of_lane)
    (KIND, GOAL, WITHIN, MOVES, CURVE) = (at.ESCAPE_P, at.K, at.TIME, at.COLLAPSE_S, at.DK)  # rows that are free by now

    @compiled
    def gather(queue, n, first, dips, kept, w):  # type: ignore[no-untyped-def]
        for l in range(L):
            i = queue[min(first + l, n - 1)]
            record = record_of(kept, i, dips)
            for row in range(3):
                w[(at.P + row) * L + l] = kept[i, record + at.START_P + row]
            for row in range(at.ALPHA_P, at.X_AUG + 1):
                w[row * L + l] = kept[i, row]
            w[at.H * L + l] = abs(kept[i, record + at.STEP])
            w[WITHIN * L + l], w[GOAL * L + l] = kept[i, record + at.GUESS], kept[i, record + at.GUESS_VALUE]
            w[KIND * L + l], w[MOVES * L + l], w[at.K_MIN * L + l] = record, 1.0, math.inf
            w[CURVE * L + l] = kept[i, at.BEND]

    @compiled
    def move(w):  # type: ignore[no-untyped-def]
        """Take every lane that moves one step of Newton's method on; return whether any moves still."""
        wide_vectors()
        moving = 0
        for l in range(L):
            y, c, h, u = state(w, l), constants(w, l), w[at.H * L + l], w[WITHIN * L + l]
            goal, kind, moves = w[GOAL * L + l], w[KIND * L + l], w[MOVES * L + l] > 0.0
            z, v, _, _ = step(y, rate(y, c), u * h, c)
            escapes, collapses = kind == at.ESCAPE, kind == at.COLLAPSE
            gap = where(escapes, z[0] - goal, where(collapses, z[1] - goal, slope(z, v, c)))
            speed = where(escapes, v[0], where(collapses, v[1], w[CURVE * L + l]))
            K, lowest = alignment(z, c), w[at.K_MIN * L + l]
            to = u - gap / (speed * h)
            to = to if abs(to - u) <= 1.0 else u  # no number, or far beyond the step
            to = min(max(to, SMALLEST), 1.0)
            far = moves & (abs(to - u) > LAST_MOVE)
            w[at.K_MIN * L + l] = where(moves & (lowest > K), K, lowest)
            w[WITHIN * L + l] = where(moves, to, u)
            w[MOVES * L + l] = where(far, 1.0, 0.0)
            moving |= 1 if far else 0
        return moving

    @compiled
    def settle(queue, n, dips, kept, w):  # type: ignore[no-untyped-def]
        for first in range(0, n, L):
            gather(queue, n, first, dips, kept, w)
            for _ in range(MOVES_AT_MOST):
                if move(w) == 0:
                    break
            for l in range(min(L, n - first)):
                i = queue[first + l]
                if dips:
                    kept[i, at.K_MIN] = min(kept[i, at.K_MIN], w[at.K_MIN * L + l])
                    continue
                record = record_of(kept, i, dips)
                time = kept[i, record + at.START_T] + w[WITHIN * L + l] * w[at.H * L + l]
                kept[i, at.T_COLLAPSE if record == at.COLLAPSE else at.T_ESCAPE] = time

    return settle
