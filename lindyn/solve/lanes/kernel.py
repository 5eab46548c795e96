"""A chunk of lanes from start to end: prepare, march in blocks of 16, hand slow lanes to the stiff method.

A lane that ends gives its place in the block to the next of the queue at once, so that nobody waits for the slowest
neighbour; nothing that a lane computes depends on where it sits.

On few steps only, by `lane_events`: crossings of the event thresholds, dips of K inside a step, s leaving float64.
"""

import functools
import math
from typing import Any

from lindyn.solve.lanes import layout as at
from lindyn.solve.lanes import methods
from lindyn.solve.lanes.block import log2_bits, make_advance
from lindyn.solve.lanes.compiled import EQUATIONS, compile_kernel, inlined, wide_vectors
from lindyn.solve.lanes.lane_events import make_events, make_settle, record_of_lane
from lindyn.solve.lanes.problem import COLLAPSED_SHARE, FIRST_STEP, STIFF_SLACK

HELD_BACK = 4.0  # DOP853 is stable to h |lambda| of about 6
PARKED = STAYS = -1


def make_prepare(rate: Any, alignment: Any, slope: Any, compiled: Any) -> Any:
    """Return (kept, ints, i, t1) -> None: fill the rows of lane i that follow from its start (state, constants)."""

    @compiled
    def prepare(kept, ints, i, t1):  # type: ignore[no-untyped-def]
        y = (kept[i, at.P], kept[i, at.S], kept[i, at.TAU])
        c = (
            kept[i, at.ALPHA_P], kept[i, at.BETA], kept[i, at.ETA_P],
            kept[i, at.ETA_S], kept[i, at.X], kept[i, at.X_AUG],
        )  # fmt: skip
        k = rate(y, c)
        kept[i, at.KP], kept[i, at.KS], kept[i, at.KT] = k
        h = t1
        for size, speed in ((abs(y[0]), abs(k[0])), (abs(y[1]), abs(k[1])), (abs(y[2]), abs(k[2]))):
            if size > 0.0 and speed * h > FIRST_STEP * size:
                h = FIRST_STEP * size / speed
        kept[i, at.H], kept[i, at.TIME] = h, 0.0
        kept[i, at.K], kept[i, at.DK] = alignment(y, c), slope(y, k, c)
        kept[i, at.K_MIN] = kept[i, at.K]
        kept[i, at.COLLAPSE_S] = COLLAPSED_SHARE * y[1]
        kept[i, at.T_ESCAPE] = kept[i, at.T_COLLAPSE] = 0.0
        for record in (at.ESCAPE, at.COLLAPSE, at.DIP):
            kept[i, record + at.STEP] = 0.0
        kept[i, at.DIP + at.GUESS_VALUE] = math.inf
        ints[i, at.STEPS], ints[i, at.ERROR], ints[i, at.STATUS] = 0, 0, at.RUNNING

    return prepare


def make_review(rate: Any, compiled: Any) -> Any:
    """Return (w, l) -> whether stability, not accuracy, sets the step of lane l: h max |J_ii| > `HELD_BACK`."""
    state, _, constants = at.make_views(compiled)

    @compiled
    def review(w, l):  # type: ignore[no-untyped-def]
        p, s, tau = state(w, l)
        c = constants(w, l)
        pp = abs(rate((p + methods.IMAGINARY, s + 0j, tau + 0j), c)[0].imag)
        ss = abs(rate((p + 0j, s + methods.IMAGINARY, tau + 0j), c)[1].imag)
        tt = abs(rate((p + 0j, s + 0j, tau + methods.IMAGINARY), c)[2].imag)
        return w[at.H * at.LANES + l] * max(pp, ss, tt) > HELD_BACK * methods.EPSILON

    return review


def make_march(advance: Any, attend: Any, review: Any, compiled: Any) -> Any:
    """Return the loop over a queue of lanes: (queue, n, kept, ints, w, wi, t1, log_tolerance, limit, last, rest) -> m.

    Lanes leave with a status, or, unless this march is the `last`, unfinished where stability holds them back; those
    are listed in rest[:m].
    """
    L = at.LANES

    @compiled
    def load(w, wi, l, kept, ints, i):  # type: ignore[no-untyped-def]
        for row in range(at.KEPT):
            w[row * L + l] = kept[i, row]
        for row in range(at.KEPT_INTS):
            wi[row * L + l] = ints[i, row]
        wi[at.INDEX * L + l] = i

    @compiled
    def leave(w, wi, l, kept, ints):  # type: ignore[no-untyped-def]
        i = wi[at.INDEX * L + l]
        for row in range(at.KEPT):
            kept[i, row] = w[row * L + l]
        for row in range(at.KEPT_INTS):
            ints[i, row] = wi[row * L + l]

    @compiled
    def park(w, wi, l):  # type: ignore[no-untyped-def]
        for row in range(at.KEPT):
            w[row * L + l] = 0.0
        for row in range(at.KEPT_INTS):
            wi[row * L + l] = 0
        w[at.H * L + l] = 1.0
        wi[at.INDEX * L + l] = PARKED

    @compiled
    def verdict(w, wi, l, t1):  # type: ignore[no-untyped-def]
        """Return the status with which lane l leaves, or `STAYS`."""
        flag, status = wi[at.FLAGS * L + l], wi[at.STATUS * L + l]
        if flag & at.DONE:
            return at.UNDERFLOW if status == at.UNDERFLOW else at.REACHED
        if flag & at.STUCK:
            if status != at.UNDERFLOW:
                return at.NOT_FINITE
            w[at.P * L + l] *= math.exp(-w[at.ETA_P * L + l] * (t1 - w[at.TIME * L + l]))  # Eq. 11 at s = 0
            w[at.TAU * L + l] = math.copysign(math.inf, w[at.TAU * L + l])
            return at.UNDERFLOW
        return at.MAX_STEPS if flag & at.LIMIT else STAYS

    @compiled
    def march(queue, n, kept, ints, w, wi, t1, log_tolerance, limit, last, rest, m):  # type: ignore[no-untyped-def]
        taken = live = 0
        for l in range(L):
            park(w, wi, l)
            if taken < n:
                load(w, wi, l, kept, ints, queue[taken])
                taken += 1
                live += 1
        while live > 0:
            if advance(w, wi, t1, log_tolerance, limit) == 0:
                continue
            for l in range(L):
                if wi[at.FLAGS * L + l] == 0:
                    continue
                attend(w, wi, l, kept)
                status = verdict(w, wi, l, t1)
                if status != STAYS:
                    wi[at.STATUS * L + l] = status
                elif not last and wi[at.FLAGS * L + l] & at.REVIEW and review(w, l):
                    rest[m] = wi[at.INDEX * L + l]
                    m += 1
                else:
                    continue
                leave(w, wi, l, kept, ints)
                park(w, wi, l)
                if taken < n:
                    load(w, wi, l, kept, ints, queue[taken])
                    taken += 1
                else:
                    live -= 1
        return m

    return march


@functools.cache
def build(fixed_p: bool, fixed_tau: bool, cache: bool = True) -> Any:
    """Return the compiled kernel of one variant.

    Args:
        fixed_p: the predictor is the identity.
        fixed_tau: tau is constant, or the target is the online network.
        cache: whether to keep it on disk.

    Returns:
        A dispatcher (kept, ints, work, work_ints, queues, t1, log_tolerance, max_steps, reach) -> None that fills
        `kept` and `ints` (one row per lane, see `layout`). Lanes with beta t1 > reach go to the stiff method at once,
        others when a review finds them held back.
    """
    rate = methods.make_rate(EQUATIONS, fixed_p, fixed_tau, inlined)
    alignment, slope = methods.make_alignment(EQUATIONS, inlined)
    prepare = make_prepare(rate, alignment, slope, inlined)
    review = make_review(rate, inlined)
    dop853, rodas5p = methods.make_dop853(rate, inlined), methods.make_rodas5p(rate, inlined)
    explicit, stiff = (
        make_march(
            make_advance(step, order, alignment, slope, inlined),
            make_events(rate, alignment, slope, order == 5, inlined),
            review,
            inlined,
        )
        for step, order in ((dop853, 8), (rodas5p, 5))
    )
    settle, settle_stiff = (make_settle(step, rate, alignment, slope, inlined) for step in (dop853, rodas5p))
    record_of = inlined(record_of_lane)
    slack = log2_bits(STIFF_SLACK)

    def solve_chunk(kept, ints, work, work_ints, queues, t1, log_tolerance, max_steps, reach):  # type: ignore[no-untyped-def]
        wide_vectors()
        n = m = 0
        for i in range(kept.shape[0]):
            prepare(kept, ints, i, t1)
            if kept[i, at.BETA] * t1 > reach:
                queues[1, m] = i
                m += 1
            else:
                queues[0, n] = i
                n += 1
        m = explicit(queues[0], n, kept, ints, work, work_ints, t1, log_tolerance, max_steps, False, queues[1], m)
        stiff(queues[1], m, kept, ints, work, work_ints, t1, log_tolerance + slack, max_steps, True, queues[0], 0)
        for dips in (False, True):
            n = m = 0
            for i in range(kept.shape[0]):
                size = kept[i, record_of(kept, i, dips) + at.STEP]
                if size > 0.0:
                    queues[0, n] = i
                    n += 1
                elif size < 0.0:
                    queues[1, m] = i
                    m += 1
            settle(queues[0], n, dips, kept, work)
            settle_stiff(queues[1], m, dips, kept, work)

    return compile_kernel(solve_chunk, (fixed_p, fixed_tau), cache)
