"""One step of sixteen lanes: a single fused, branch-free loop that the compiler turns into vector instructions.

No power, root or division is taken to control the step: the logarithm of the error is read off the bits of a
float64 (log2 a - log2 b to 0.09 is a difference of two integers), a proportional-integral rule is applied in
integers, and the factor is put back together as bits (2^f to 6 %).
"""

from typing import Any

import numpy as np

from lindyn.solve.lanes import layout as at
from lindyn.solve.lanes.compiled import where, wide_vectors

ONE = int(np.float64(1.0).view(np.int64))  # the bits of 1.0
UNIT = 1 << 52  # log2 2 in bits


def log2_bits(value: float) -> int:
    """Return log2(value) in units of 2^-52, rounded."""
    return round(float(np.log2(value)) * UNIT)


SAFETY = log2_bits(0.95)
LARGEST, SMALLEST = log2_bits(6.0), log2_bits(0.2)
ERROR_FLOOR = log2_bits(1e-4)  # Hairer and Wanner's floor for the remembered error


def make_controller(order: int, compiled: Any) -> tuple[Any, Any]:
    """Return the error measure and the step factor.

    measure(e, d, before, after) is log2 of |e|^2 / max(|e|, |d|), relative to max(|before|, |after|, S_FLOOR), in bits;
    factor(r, last), from r = log2 err of this step and the last, is 0.95 err^-1/8 for order 8 and
    0.95 err^-0.172 err_last^0.039 for order 5, clipped to 0.2 .. 6.
    """
    eighth = order == 8

    @compiled
    def measure(e, d, before, after):  # type: ignore[no-untyped-def]
        a, b = abs(before), abs(after)
        size = a if a > b else b
        size = size if size > at.S_FLOOR else at.S_FLOOR
        size_e, size_d = np.float64(abs(e)).view(np.int64), np.float64(abs(d)).view(np.int64)
        larger = size_e if size_e > size_d else size_d
        return 2 * size_e - larger - np.float64(size).view(np.int64)

    @compiled
    def factor(r, last):  # type: ignore[no-untyped-def]
        f = SAFETY - (r >> 3)
        if not eighth:
            f += (last >> 5) + (last >> 7) - (r >> 5) - (r >> 6)
        f = f if f < LARGEST else LARGEST
        f = f if f > SMALLEST else SMALLEST
        return np.int64(f + ONE).view(np.float64)

    return measure, factor


def make_advance(step: Any, order: int, alignment: Any, slope: Any, compiled: Any) -> Any:
    """Return (w, wi, t1, log_tolerance, limit) -> flags of all lanes together: every lane tries one step.

    Args:
        step: (y, k, h, c) -> (y_new, k_new, e, d), from `methods`.
        order: of the method, 5 or 8.
        alignment: (y, c) -> K.
        slope: (y, k, c) -> dK/dt.
        compiled: decorator that inlines.

    Returns:
        The function.
    """
    measure, factor = make_controller(order, compiled)
    L = at.LANES
    state, velocity, constants = at.make_views(compiled)

    @compiled
    def advance(w, wi, t1, log_tolerance, limit):  # type: ignore[no-untyped-def]
        wide_vectors()
        seen = 0
        for l in range(L):
            y = state(w, l)
            k = velocity(w, l)
            c = constants(w, l)
            t, wish, K_old, dK_old = w[at.TIME * L + l], w[at.H * L + l], w[at.K * L + l], w[at.DK * L + l]
            K_min, last, steps = w[at.K_MIN * L + l], wi[at.ERROR * L + l], wi[at.STEPS * L + l]
            escape, collapse = w[at.ESCAPE_P * L + l], w[at.COLLAPSE_S * L + l]

            left = t1 - t
            final = wish >= left
            h = left if final else wish
            z, v, e, d = step(y, k, h, c)
            r, rs = measure(e[0], d[0], y[0], z[0]), measure(e[1], d[1], y[1], z[1])
            rt = measure(e[2], d[2], y[2], z[2])
            r = r if r > rs else rs
            r = (r if r > rt else rt) - log_tolerance
            ok = r <= 0
            K_new, dK_new = alignment(z, c), slope(z, v, c)
            time = t1 if final else t + h
            deepest = max(K_old + h * dK_old, K_new - h * dK_new)  # tangents: K cannot dip lower in between

            flag = at.DONE if final else 0
            flag |= at.VANISHED if (z[1] < at.S_FLOOR) & (z[1] != 0.0) else 0
            flag |= at.CROSSED_P if (y[0] >= escape) != (z[0] >= escape) else 0
            flag |= at.CROSSED_S if (y[1] <= collapse) != (z[1] <= collapse) else 0
            dips = (dK_old < 0.0) & (dK_new > 0.0) & (deepest < K_min - 1e-9 * abs(K_min))
            flag |= at.K_DIPPED if dips else 0
            flag = flag if ok else 0
            flag |= at.LIMIT if steps + 1 >= limit else 0
            flag |= at.REVIEW if (steps + 1) & (at.REVIEW_STEPS - 1) == 0 else 0
            stuck = (t + h == t) | (ok & ((abs(z[0]) > at.HUGE) | (abs(z[2]) > at.HUGE)))
            flag |= at.STUCK if stuck else 0
            flag = flag if wi[at.INDEX * L + l] >= 0 else 0
            seen |= flag

            w[at.P0 * L + l], w[at.S0 * L + l], w[at.TAU0 * L + l], w[at.T0 * L + l] = y[0], y[1], y[2], t
            w[at.P * L + l], w[at.S * L + l] = where(ok, z[0], y[0]), where(ok, z[1], y[1])
            w[at.TAU * L + l] = where(ok, z[2], y[2])
            w[at.KP * L + l], w[at.KS * L + l] = where(ok, v[0], k[0]), where(ok, v[1], k[1])
            w[at.KT * L + l] = where(ok, v[2], k[2])
            w[at.TIME * L + l] = where(ok, time, t)
            w[at.K * L + l], w[at.DK * L + l] = where(ok, K_new, K_old), where(ok, dK_new, dK_old)
            w[at.K_MIN * L + l] = where(ok & (K_new < K_min), K_new, K_min)
            w[at.H * L + l] = h * factor(r, last)
            wi[at.ERROR * L + l] = (r if r > ERROR_FLOOR else ERROR_FLOOR) if ok else last
            wi[at.STEPS * L + l] = steps + 1
            wi[at.FLAGS * L + l] = flag
        return seen

    return advance
