"""Curves of a sketched phase plane, compiled: Runge-Kutta steps of one length in the window, on Eqs. 11 and 12."""

import functools
from typing import Any

import numpy as np

from lindyn.phase.system import PhaseSystem
from lindyn.solve.lanes.compiled import EQUATIONS, compile_kernel, inlined

FINE, MOST = 0.1, 20_000
"""By how much log s changes in a step, at most, and how many steps there are."""


@functools.cache
def kernels() -> tuple[Any, Any]:
    """Return the compiled loops of `flow_lines` and `back_from`."""
    drive, dp, growth, ds = EQUATIONS.drive, EQUATIONS.dp, EQUATIONS.growth, EQUATIONS.ds

    @inlined
    def along(p, s, c, width, height, slow):  # type: ignore[no-untyped-def]
        """Return the velocity over its size in the window; below `slow` it slows down with the flow."""
        alpha_p, eta_p, eta_s, x, x_aug, tau = c
        D = drive(p, tau, x, x_aug)
        v_p, v_s = dp(p, s, D, alpha_p, eta_p), ds(s, growth(p, D, eta_s))
        size = np.sqrt((v_p / width) ** 2 + (v_s / height) ** 2) + slow
        return v_p / size, v_s / size

    @inlined
    def stepped(p, s, c, width, height, slow, step):  # type: ignore[no-untyped-def]
        """Return the state after a step of Runge and Kutta's method of order 4."""
        p_1, s_1 = along(p, s, c, width, height, slow)
        p_2, s_2 = along(p + 0.5 * step * p_1, s + 0.5 * step * s_1, c, width, height, slow)
        p_3, s_3 = along(p + 0.5 * step * p_2, s + 0.5 * step * s_2, c, width, height, slow)
        p_4, s_4 = along(p + step * p_3, s + step * s_3, c, width, height, slow)
        return p + step * (p_1 + 2 * p_2 + 2 * p_3 + p_4) / 6, s + step * (s_1 + 2 * s_2 + 2 * s_3 + s_4) / 6

    def lines(starts, c, width, height, slow, step, out):  # type: ignore[no-untyped-def]
        for k in range(starts.shape[0]):
            p, s = starts[k]
            out[0, k, 0], out[0, k, 1] = p, s
            for n in range(1, out.shape[0]):
                p, s = stepped(p, s, c, width, height, slow, step)
                out[n, k, 0], out[n, k, 1] = p, s

    @inlined
    def before(p, u, c, width, height):  # type: ignore[no-untyped-def]
        """Return the velocity of (p, log s) backward in time, of size 1 in the window of (p, s)."""
        alpha_p, eta_p, eta_s, x, x_aug, tau = c
        s, D = np.exp(u), drive(p, tau, x, x_aug)
        v_p, v_u = dp(p, s, D, alpha_p, eta_p), ds(1.0, growth(p, D, eta_s))  # ds is s times a rate
        size = -np.sqrt((v_p / width) ** 2 + (s * v_u / height) ** 2) - 1e-300
        return v_p / size, v_u / size

    def back(p, s, c, left, right, high, stride, out):  # type: ignore[no-untyped-def]
        """Write earlier states into `out`, a stride apart, up to the window's side; return how many."""
        width, height, u, n, gone = right - left, high, np.log(s), 1, 0.0
        out[0, 0], out[0, 1] = p, s
        for _ in range(MOST):
            was_p, was_u = p, u
            p_1, u_1 = before(p, u, c, width, height)
            step = min(stride - gone, FINE / (abs(u_1) + 1e-300))
            p_2, u_2 = before(p + 0.5 * step * p_1, u + 0.5 * step * u_1, c, width, height)
            p_3, u_3 = before(p + 0.5 * step * p_2, u + 0.5 * step * u_2, c, width, height)
            p_4, u_4 = before(p + step * p_3, u + step * u_3, c, width, height)
            p += step * (p_1 + 2 * p_2 + 2 * p_3 + p_4) / 6
            u += step * (u_1 + 2 * u_2 + 2 * u_3 + u_4) / 6
            gone += step
            if n == out.shape[0] or not np.isfinite(p + u):
                return n
            share, s, was_s = 1.0, np.exp(u), np.exp(was_u)
            if p < left or p > right:
                share = ((left if p < left else right) - was_p) / (p - was_p)
            if s > high:
                share = min(share, (high - was_s) / (s - was_s))
            if share < 1.0 or gone >= (1.0 - 1e-12) * stride:
                out[n, 0], out[n, 1] = was_p + share * (p - was_p), was_s + share * (s - was_s)
                n, gone = n + 1, 0.0
            if share < 1.0:
                return n
        return n

    return compile_kernel(lines, ("sketched lines",)), compile_kernel(back, ("sketched branch",))


def flow_lines(system: PhaseSystem, box: Any, starts: np.ndarray, *, length: float, steps: int, slow: float) -> Any:
    """Return flow lines, (steps + 1, lines, 2).

    Args:
        system: of two variables.
        box: the window.
        starts: (lines, 2).
        length: of a line where nothing slows it down, in windows.
        steps: of a line.
        slow: share of the starts' largest speed below which a line slows down with the flow.
    """
    width, height = (high - low for low, high in box)
    speed = np.max(np.hypot(*(system(starts.T) / np.array([[width], [height]]))))
    out = np.empty((steps + 1, len(starts), 2))
    kernels()[0](np.ascontiguousarray(starts), _constants(system), width, height, slow * speed, length / steps, out)
    return out


def back_from(system: PhaseSystem, start: np.ndarray, box: Any, *, stride: float, most: int) -> np.ndarray:
    """Return the states that lead to one, backward up to the window's side, (n, 2).

    Args:
        system: of two variables.
        start: (p, s) in the window.
        box: the window.
        stride: from point to point, in windows.
        most: points, at most.
    """
    (left, right), (_, high) = box
    out = np.empty((most, 2))
    p, s = (float(value) for value in start)
    count = kernels()[1](p, s, _constants(system), left, right, high, stride, out)
    return out[:count]


def _constants(system: PhaseSystem) -> tuple[float, ...]:
    names = ("alpha_p", "eta_p", "eta_s", "x", "x_aug", "tau")
    return tuple(float(getattr(system, name)) for name in names)
