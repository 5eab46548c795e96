"""What one would write first in numba: one lane at a time, DOP853, the textbook controller, parallel over lanes."""

from typing import Any

import numba
import numpy as np

from lindyn.equations import modes, target
from lindyn.solve.lanes.methods import make_dop853, make_rate


class Equations:
    drive, dp, growth, ds = (numba.njit(f) for f in (modes.drive, modes.dp, modes.growth, modes.ds))
    dtau = numba.njit(target.dtau)


rate = make_rate(Equations, False, False, numba.njit)
step = make_dop853(rate, numba.njit)


@numba.njit(fastmath={"contract"})
def solve_one(y: Any, c: Any, t1: float, rtol: float) -> Any:
    t, h = 0.0, 1e-3
    k = rate(y, c)
    while t < t1:
        h = min(h, t1 - t)
        z, v, e, d = step(y, k, h, c)
        error = 0.0
        for i in range(3):
            scale = rtol * max(abs(y[i]), abs(z[i]))
            e5, e3 = e[i] / scale, d[i] / scale
            error = max(error, e5 * e5 / np.sqrt(e5 * e5 + e3 * e3 + 1e-300))
        if error <= 1.0:
            t = t + h if h < t1 - t else t1
            y, k = z, v
        h *= min(6.0, max(0.2, 0.95 * max(error, 1e-12) ** -0.125))
    return y


@numba.njit(parallel=True, fastmath={"contract"})
def solve_each(
    eta: Any, beta: Any, alpha_p: float, x: float, x_aug: float, p: float, s: float, tau: float, t1: float, rtol: float
) -> Any:
    out = np.empty((3, len(eta)))
    for i in numba.prange(len(eta)):
        end = solve_one((p, s, tau), (alpha_p, beta[i], eta[i], eta[i], x, x_aug), t1, rtol)
        out[0, i], out[1, i], out[2, i] = end
    return out
