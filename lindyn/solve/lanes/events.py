"""What happens on few steps only: crossings of the event thresholds, dips of K inside a step, s leaving float64.

Inside a step, values are read off the cubic through both ends and both slopes (Hermite), whose error is of fourth
order in the step.
"""

import math
from typing import Any

from lindyn.solve.lanes import layout as at
from lindyn.solve.lanes.methods import make_cubic
from lindyn.solve.lanes.thresholds import BISECTIONS

SETTLED = 1e-9  # of the step: Newton's error squares, the next move would be rounding


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


def make_events(rate: Any, compiled: Any) -> Any:
    """Return (w, wi, l) -> None: attend to the flags of lane l after an accepted step."""
    L = at.LANES
    _, _, constants = at.make_views(compiled)
    cubic, bends, crossing = make_cubic(compiled), make_bends(compiled), make_crossing(compiled)

    @compiled
    def dip(a, da, b, db, h):  # type: ignore[no-untyped-def]
        """Return the minimum of the cubic in a step where it falls at first and rises at last."""
        c2, c3 = bends(a, da, b, db, h)
        root = math.sqrt(max(c2 * c2 - 3.0 * c3 * h * da, 0.0))
        u = -h * da / (c2 + root) if c2 + root > 0.0 else 1.0
        return cubic(a, da, b, db, h, min(max(u, 0.0), 1.0))

    @compiled
    def attend(w, wi, l):  # type: ignore[no-untyped-def]
        flag = wi[at.FLAGS * L + l]
        t0 = w[at.T0 * L + l]
        h = w[at.TIME * L + l] - t0
        if flag & at.CROSSED_P:
            goal = w[at.ESCAPE_P * L + l]
            a, b = w[at.P0 * L + l] - goal, w[at.P * L + l] - goal
            w[at.T_ESCAPE * L + l] = t0 + crossing(a, w[at.KP0 * L + l], b, w[at.KP * L + l], h)
        if flag & at.CROSSED_S:
            goal, s0, s1 = w[at.COLLAPSE_S * L + l], w[at.S0 * L + l], w[at.S * L + l]
            w[at.T_COLLAPSE * L + l] = t0
            if goal > 0.0 and s1 > 0.0 and s0 > 0.0:
                a, b = math.log(s0 / goal), math.log(s1 / goal)
                w[at.T_COLLAPSE * L + l] = t0 + crossing(a, w[at.KS0 * L + l] / s0, b, w[at.KS * L + l] / s1, h)
        if flag & at.K_DIPPED:
            low = dip(w[at.K0 * L + l], w[at.DK0 * L + l], w[at.K * L + l], w[at.DK * L + l], h)
            w[at.K_MIN * L + l] = min(w[at.K_MIN * L + l], low)
        if flag & at.VANISHED:
            w[at.S * L + l] = 0.0
            wi[at.STATUS * L + l] = at.UNDERFLOW
            y = (w[at.P * L + l], 0.0, w[at.TAU * L + l])
            c = constants(w, l)
            w[at.KP * L + l], w[at.KS * L + l], w[at.KT * L + l] = rate(y, c)

    return attend
