"""Lanes whose online weight w changes sign: there tau = a/w is infinite, but (p, w, a) run through.

A start with p < 0 drives w down, w' = p r - eta_s w, and a target that stays behind carries it past zero. The block
kernel of (p, s, tau) stops at that pole; such lanes are run again, one at a time, by the same method of order 8 on the
equations of (p, w, a), and answer in s = w^2 and tau = a/w.
"""

import functools
import math
from typing import Any

import numpy as np

from lindyn.equations import modes
from lindyn.solve.lanes import layout as at
from lindyn.solve.lanes.compiled import EQUATIONS, compile_kernel, inlined
from lindyn.solve.lanes.lane_events import LAST_MOVE, MOVES_AT_MOST, make_crossing
from lindyn.solve.lanes.methods import make_alignment, make_dop853
from lindyn.solve.lanes.problem import COLLAPSED_SHARE, CONSTANTS, FIRST_STEP, STATE, LaneProblem, LaneResult

ROWS = (at.P, at.S, at.TAU, at.ALPHA_P, at.BETA, at.ETA_P, at.ETA_S, at.X, at.X_AUG)
GROW, SHRINK, SAFETY = 6.0, 0.2, 0.95


def make_weight_rate(fixed_p: bool) -> Any:
    """Return (y, c) -> (dp, dw, da)/dt of Lemma 1 for one singular direction, y = (p, w, a)."""
    residual, dp, dw, da = (inlined(f) for f in (modes.residual, modes.dp_weights, modes.dw, modes.da))

    @inlined
    def rate(y, c):  # type: ignore[no-untyped-def]
        r = residual(y[0], y[1], y[2], c[4], c[5])
        velocity_p = 0.0 * y[0] if fixed_p else dp(y[0], y[1], r, c[0], c[2])
        return velocity_p, dw(y[0], y[1], r, c[3]), da(y[1], y[2], c[1])

    return rate


def make_error() -> Any:
    """Return (e, d, before, after, rtol) -> the error of a step over what it may be (at most 1: good)."""

    @inlined
    def error(e, d, before, after, rtol):  # type: ignore[no-untyped-def]
        worst = 0.0
        for i in range(3):
            size = rtol * max(abs(before[i]), abs(after[i]))
            if not math.isfinite(after[i]):
                return math.inf
            if size > 0.0:
                fifth, third = e[i] / size, d[i] / size
                worst = max(worst, fifth * fifth / math.sqrt(fifth * fifth + third * third + 1e-300))
        return worst

    return error


def make_entrances(step: Any) -> Any:
    """Return (kept, i, t, h, y, k, z, v, c) -> None: note the times of the events inside a step from y to z.

    Args:
        step: (y, k, h, c) -> (y_new, k_new, e, d), from `methods`.

    Returns:
        The function.
    """
    crossing = make_crossing(inlined)

    @inlined
    def settled(u, y, k, h, c, goal, escapes):  # type: ignore[no-untyped-def]
        """Return the size of the step from y that ends at the goal, by Newton's method from the guess u h."""
        for _ in range(MOVES_AT_MOST):
            z, v, _, _ = step(y, k, u * h, c)
            gap = z[0] - goal if escapes else z[1] * z[1] - goal
            to = u - gap / (h * (v[0] if escapes else 2 * z[1] * v[1]))
            if not 0.0 <= to <= 1.0:
                break
            far = abs(to - u) > LAST_MOVE
            u = to
            if not far:
                break
        return u * h

    @inlined
    def entrances(kept, i, t, h, y, k, z, v, c):  # type: ignore[no-untyped-def]
        """Note the times at which p passes the level of escape and w^2 that of collapse inside a step."""
        level, goal = kept[i, at.ESCAPE_P], kept[i, at.COLLAPSE_S]
        s, s_new = y[1] * y[1], z[1] * z[1]
        for escapes in (True, False):
            if escapes and (y[0] >= level) != (z[0] >= level):
                guess = crossing(y[0] - level, k[0], z[0] - level, v[0], h)
            elif not escapes and (s <= goal) != (s_new <= goal) and s > 0.0 and s_new > 0.0:
                guess = crossing(math.log(s / goal), 2 * k[1] / y[1], math.log(s_new / goal), 2 * v[1] / z[1], h)
            else:
                continue
            time = t + settled(guess / h, y, k, h, c, level if escapes else goal, escapes)
            kept[i, at.T_ESCAPE if escapes else at.T_COLLAPSE] = time

    return entrances


@functools.cache
def build(fixed_p: bool) -> Any:
    """Return the compiled loop: (kept, ints, t1, rtol, max_steps) -> None, rows as in `layout`, (p, s, tau) inside.

    Args:
        fixed_p: the predictor is the identity.

    Returns:
        A dispatcher that overwrites state, status, steps, K_min and event times of the lanes given.
    """
    rate, error = make_weight_rate(fixed_p), make_error()
    step = make_dop853(rate, inlined)
    entrances = make_entrances(step)
    alignment, _ = make_alignment(EQUATIONS, inlined)

    @inlined
    def first_step(y, k, t1):  # type: ignore[no-untyped-def]
        h = t1
        for i in range(3):
            if abs(y[i]) > 0.0 and abs(k[i]) * h > FIRST_STEP * abs(y[i]):
                h = FIRST_STEP * abs(y[i]) / abs(k[i])
        return h

    @inlined
    def vanished(y):  # type: ignore[no-untyped-def]
        return y[1] * y[1] < at.S_FLOOR  # a step that ends this close to a change of sign is out of reach of chance

    @inlined
    def ratio_at_rest(tau, c, left):  # type: ignore[no-untyped-def]
        """Return tau after a time at w = p = 0: dtau/dt = beta + (eta_s - beta) tau (Eq. 13)."""
        speed = c[3] - c[1]
        if speed == 0.0:
            return tau + c[1] * left
        return (tau + c[1] / speed) * math.exp(speed * left) - c[1] / speed

    @inlined
    def store(kept, i, y, c, left, gone):  # type: ignore[no-untyped-def]
        tau = y[2] / y[1] if y[1] != 0.0 else math.copysign(math.inf, y[2])
        kept[i, at.P] = y[0] * math.exp(-c[2] * left) if gone and not fixed_p else y[0]
        kept[i, at.S] = 0.0 if gone else y[1] * y[1]
        kept[i, at.TAU] = ratio_at_rest(tau, c, left) if gone else tau

    def solve(kept, ints, t1, rtol, max_steps):  # type: ignore[no-untyped-def]
        for i in range(kept.shape[0]):
            w = math.sqrt(kept[i, at.S])
            y = (kept[i, at.P], w, kept[i, at.TAU] * w)
            c = (
                kept[i, at.ALPHA_P], kept[i, at.BETA], kept[i, at.ETA_P],
                kept[i, at.ETA_S], kept[i, at.X], kept[i, at.X_AUG],
            )  # fmt: skip
            kept[i, at.COLLAPSE_S] = COLLAPSED_SHARE * w * w
            kept[i, at.T_ESCAPE] = kept[i, at.T_COLLAPSE] = 0.0
            K_min = alignment((y[0], w * w, kept[i, at.TAU]), c)
            k = rate(y, c)
            t, h, taken, status = 0.0, first_step(y, k, t1), 0, at.MAX_STEPS
            while taken < max_steps:
                taken += 1
                final = h >= t1 - t
                h = t1 - t if final else h
                if t + h == t:
                    status = at.NOT_FINITE
                    break
                z, v, e, d = step(y, k, h, c)
                off = error(e, d, y, z, rtol)
                if off <= 1.0:
                    entrances(kept, i, t, h, y, k, z, v, c)
                    t = t1 if final else t + h
                    y, k = z, v
                    if y[1] != 0.0:
                        K_min = min(K_min, alignment((y[0], y[1] * y[1], y[2] / y[1]), c))
                    if final or vanished(y):
                        status = at.UNDERFLOW if vanished(y) else at.REACHED
                        break
                h *= min(GROW, max(SHRINK, SAFETY * max(off, 1e-10) ** -0.125))
            store(kept, i, y, c, t1 - t, status == at.UNDERFLOW)
            kept[i, at.K_MIN] = K_min
            ints[i, at.STATUS], ints[i, at.STEPS] = status, taken

    return compile_kernel(solve, ("sign_change", fixed_p))


def run_through(task: LaneProblem, result: LaneResult, lanes: slice) -> None:
    """Run the lanes that stopped at a pole of tau again, from their start, in (p, w, a), and put them into the result.

    Args:
        task: the problem.
        result: of an engine of (p, s, tau).
        lanes: which of them to look at.
    """
    stopped = lanes.start + np.flatnonzero(result.status[lanes] == at.NOT_FINITE)
    if stopped.size == 0 or task.fixed_tau:
        return
    kept, ints = np.empty((stopped.size, at.KEPT)), np.empty((stopped.size, at.KEPT_INTS), np.int64)
    for row, name in enumerate((*STATE, *CONSTANTS)):
        kept[:, ROWS[row]] = task.part(name, lanes)[stopped - lanes.start]
    kept[:, at.ESCAPE_P] = task.escape_levels(lanes)[stopped - lanes.start]
    start_s = kept[:, at.S].copy()
    build(task.fixed_p)(kept, ints, task.t1, task.rtol, task.max_steps)
    result.set_rows(stopped, kept, ints, start_s)
