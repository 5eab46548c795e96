"""Gauss collocation in mpmath, for stiff systems over long times, where a Taylor series needs too many steps.

The stages are solved in extended precision; only the Newton correction is computed in float64.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp, mpf

from tests.references.taylor import exact


def gauss(stages: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (A, b, c) of the Gauss method of order 2 x stages, in mpf."""
    legendre = mp.taylor(lambda x: mp.legendre(stages, x), 0, stages)[::-1]
    c = sorted((1 + mp.re(root)) / 2 for root in mp.polyroots(legendre, maxsteps=200, extraprec=200))
    powers = mp.matrix(stages, stages)
    for i in range(stages):
        for k in range(stages):
            powers[i, k] = c[i] ** k
    inverse = powers**-1
    integrals = mp.matrix(stages + 1, stages)
    for k in range(stages):
        for i in range(stages):
            integrals[i, k] = c[i] ** (k + 1) / (k + 1)
        integrals[stages, k] = mpf(1) / (k + 1)
    rows = integrals * inverse
    table = np.array([[rows[i, j] for j in range(stages)] for i in range(stages + 1)], dtype=object)
    return table[:-1], table[-1], np.array(c, dtype=object)


def integrate(rate: Callable[[dict], dict], y0: dict, ts: Any, digits: int, stages: int, refine: int = 1) -> list[dict]:
    """Return the states at the times ts; steps grow from 1e-5 with time, `refine` times as fine as the default."""
    with mp.workdps(digits):
        A, b, _ = gauss(stages)
        names, shape = list(y0), np.shape(next(iter(y0.values())))
        y, t = np.array([exact(y0[name]) for name in names], dtype=object), mpf(float(ts[0]))

        def slope(y: np.ndarray) -> np.ndarray:
            dy = rate({name: y[k] for k, name in enumerate(names)})
            return np.array([dy[name] for name in names], dtype=object)

        out = [dict(zip(names, y, strict=True))]
        for end in (mpf(float(t)) for t in ts[1:]):
            count = 0
            while t < end:
                h = min((mpf(10) ** -5 + t / 25) / refine, mpf(1) / 2 / refine)
                h = end - t if t + h * mpf("1.01") >= end else h
                y = y + h * _weighted(b, _stages(slope, y, h, A, digits))
                t, count = (end if h == end - t else t + h), count + 1
            out.append(dict(zip(names, y.reshape(len(names), *shape), strict=True)))
        return out


def _weighted(b: np.ndarray, K: np.ndarray) -> np.ndarray:
    return sum(b[j] * K[j] for j in range(len(b)))


def _stages(slope: Callable, y: np.ndarray, h: Any, A: np.ndarray, digits: int) -> np.ndarray:
    """Return the slopes K_i = f(y + h sum_j A_ij K_j)."""
    K = np.array([slope(y)] * len(A), dtype=object)
    size, unknowns = len(A), y.size
    J = _jacobian(slope, y)
    matrix = np.eye(size * unknowns) - float(h) * np.kron(A.astype(float), J)
    inverse = np.linalg.inv(matrix)
    scale = np.max(np.abs(J)) * max(abs(v) for v in np.ravel(y))
    for _ in range(60):
        off = np.array([slope(y + h * _weighted(A[i], K)) - K[i] for i in range(size)], dtype=object)
        worst = max(abs(v) for v in np.ravel(off))
        if worst < mpf(10) ** (2 - digits) * scale:
            return K
        step = inverse @ (off.ravel() / worst).astype(float)
        K = K + (exact(step) * worst).reshape(K.shape)
    raise RuntimeError("the stages did not converge")


def _jacobian(slope: Callable, y: np.ndarray) -> np.ndarray:
    """Return df/dy in float64, by differences of 1e-10 in extended precision."""
    small, base, columns = mpf(10) ** -10, slope(y), []
    for k in range(y.size):
        moved = y.ravel().copy()
        moved[k] += small
        columns.append(((slope(moved.reshape(y.shape)) - base) / small).ravel().astype(float))
    return np.array(columns).T
