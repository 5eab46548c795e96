"""Where a lane keeps what: rows of the flat work arrays of a block of 16 lanes.

Row r of lane l is w[16 r + l]. The first `KEPT` rows travel with a lane (from its start, to the stiff method, to the
result); the rest hold where the last accepted step began, for the rare path. One flat array, so that the compiler sees
that no two rows overlap.
"""

from typing import Any

LANES = 16

(P, S, TAU, KP, KS, KT, H, TIME) = range(8)  # state, velocity, next step, time
(ALPHA_P, BETA, ETA_P, ETA_S, X, X_AUG) = range(8, 14)
(ESCAPE_P, COLLAPSE_S) = range(14, 16)  # thresholds of the events
(K_MIN, K, DK) = range(16, 19)  # smallest K so far, K and dK/dt now
(T_ESCAPE, T_COLLAPSE) = range(19, 21)
KEPT = 21
(P0, S0, TAU0, T0) = range(21, 25)  # where the last accepted step started
ROWS = 25

(ESCAPE, COLLAPSE, DIP) = (21, 28, 35)  # records of a step, in the lane's row beside what travels
(STEP, START_P, START_S, START_TAU, START_T, GUESS, GUESS_VALUE) = range(7)
"""A record: size of the step, negative if of the stiff method, 0 for none; its start; where in it, 0 .. 1, the event is
by the cubic; of a dip, K there. After the record of the dip, the second derivative of its cubic."""
BEND = 42
COLUMNS = 43

(STEPS, STATUS, ERROR) = range(3)  # integers that travel: steps tried, index into STATUSES, log2 of the last error
KEPT_INTS = 3
(FLAGS, INDEX) = range(3, 5)
INT_ROWS = 5

STATUSES = ("reached", "underflow", "not_finite", "max_steps", "running")
(REACHED, UNDERFLOW, NOT_FINITE, MAX_STEPS, RUNNING) = range(5)

(DONE, LIMIT, STUCK, REVIEW, VANISHED, CROSSED_P, CROSSED_S, K_DIPPED) = (1, 2, 4, 8, 16, 32, 64, 128)
"""Flags of a step that need the rare path."""

REVIEW_STEPS = 1024  # how often an explicit lane is asked whether stability holds it back; a power of 2
S_FLOOR = 1e-290  # below it float64 loses the relative accuracy of s: s is set to 0
HUGE = 1e290


def make_views(compiled: Any) -> tuple[Any, Any, Any]:
    """Return (w, l) -> the state, the velocity and the constants of lane l, as `methods` wants them."""
    L = LANES

    @compiled
    def state(w, l):  # type: ignore[no-untyped-def]
        return w[P * L + l], w[S * L + l], w[TAU * L + l]

    @compiled
    def velocity(w, l):  # type: ignore[no-untyped-def]
        return w[KP * L + l], w[KS * L + l], w[KT * L + l]

    @compiled
    def constants(w, l):  # type: ignore[no-untyped-def]
        return (
            w[ALPHA_P * L + l], w[BETA * L + l], w[ETA_P * L + l],
            w[ETA_S * L + l], w[X * L + l], w[X_AUG * L + l],
        )  # fmt: skip

    return state, velocity, constants
