"""Many small matrix systems by numba: Dormand-Prince 5(4) over flat states, rates from `lindyn.equations`.

A state is one flat array: (W_p, F, tau) for "correlation", (W_p, F, H, J) for "gram", the exact reduction of
(W, W_p, W_a) for isotropic data. Errors are measured per block against its root mean square, so that a collapsing
block keeps its relative accuracy.
"""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from scipy.integrate import RK45

from lindyn.equations import correlation, gram, matrices, target, weights
from lindyn.solve.lanes.compiled import compile_kernel

STATUSES = ("reached", "max_steps", "not_finite")
REACHED, MAX_STEPS, NOT_FINITE = range(3)
CONSTANTS = ("alpha_p", "beta", "eta_p", "eta_s", "x", "x_aug")
STAGES = 7
_A = np.zeros((STAGES, STAGES))
_A[:6, :5], _A[6, :6] = RK45.A, RK45.B  # Dormand and Prince 5(4), first-same-as-last
_ERROR = np.array(RK45.E)


def compiled(function: Any) -> Any:
    """Return a function compiled for use inside the kernel."""
    return numba.njit(function, error_model="numpy")


def make_rates() -> tuple[Any, Any]:
    """Return the right-hand sides (y, out, n, c, symmetrised, fixed_tau) -> None of "correlation" and "gram"."""
    drive, cor_W_p, cor_F = (compiled(f) for f in (correlation.drive, correlation.dW_p, correlation.dF))
    residual, gram_W_p, gram_F = (compiled(f) for f in (gram.residual, gram.dW_p, gram.dF))
    gram_H, gram_J, dtau, symmetric = (compiled(f) for f in (gram.dH, gram.dJ, target.dtau, weights.symmetric_part))

    @compiled
    def correlation_rate(y, out, n, c, symmetrised, fixed_tau):  # type: ignore[no-untyped-def]
        m = n * n
        W_p, F, tau = y[:m].reshape(n, n), y[m : 2 * m].reshape(n, n), y[2 * m]
        Y = drive(W_p, F, tau, c[4], c[5])
        dF = cor_F(W_p, F, Y, c[3])
        Y_p = symmetric(Y) if symmetrised else Y
        out[:m] = cor_W_p(W_p, Y_p, c[0], c[2]).ravel()
        out[m : 2 * m] = dF.ravel()
        out[2 * m] = 0.0 if fixed_tau else dtau(tau, np.trace(dF) / (2.0 * np.trace(F)), c[1])

    @compiled
    def gram_rate(y, out, n, c, symmetrised, fixed_tau):  # type: ignore[no-untyped-def]
        m = n * n
        W_p, F = y[:m].reshape(n, n), y[m : 2 * m].reshape(n, n)
        H, J = y[2 * m : 3 * m].reshape(n, n), y[3 * m :].reshape(n, n)
        R = residual(W_p, F, H, c[4], c[5])
        R_p = symmetric(R) if symmetrised else R
        out[:m] = gram_W_p(W_p, R_p, c[0], c[2]).ravel()
        out[m : 2 * m] = gram_F(W_p, F, R, c[3]).ravel()
        out[2 * m : 3 * m] = gram_H(W_p, F, H, J, c[4], c[5], c[1], c[3]).ravel()
        out[3 * m :] = gram_J(H, J, c[1]).ravel()

    return correlation_rate, gram_rate


def make_error(n_blocks_tail: int) -> Any:
    """Return (y, new, error, m) -> the largest block error relative to the block; `n_blocks_tail` single numbers."""

    @compiled
    def worst(y, new, error, m):  # type: ignore[no-untyped-def]
        largest, start = 0.0, 0
        while start < y.size:
            end = start + (m if start + m <= y.size - n_blocks_tail else 1)
            size, off = 0.0, 0.0
            for i in range(start, end):
                size = max(size, abs(y[i]), abs(new[i]))
                off = max(off, abs(error[i]))
            if not np.isfinite(size) or not np.isfinite(off):
                return np.inf
            if size > 1e-290:
                largest = max(largest, off / size)
            start = end
        return largest

    return worst


def make_lowest() -> Any:
    """Return (y, n, c) -> the smallest eigenvalue of K (Eq. 9, symmetric part) of a correlation state."""
    K = compiled(matrices.K)

    @compiled
    def lowest(y, n, c):  # type: ignore[no-untyped-def]
        m = n * n
        W_p, F = y[:m].reshape(n, n), y[m : 2 * m].reshape(n, n)
        M = K(W_p, F, y[2 * m], c[0], c[2], c[3], c[4], c[5], np.eye(n))
        return np.linalg.eigvalsh((M + M.T) / 2)[0]

    return lowest


@functools.cache
def kernel(system: str) -> Any:
    """Return the compiled loop over the systems of one kind."""
    with_K = system == "correlation"
    rate = make_rates()[0 if with_K else 1]
    worst, lowest = make_error(1 if with_K else 0), make_lowest()

    def march(Y, C, n, t1, rtol, max_steps, symmetrised, fixed_tau, K_min, steps, status, A, E):  # type: ignore[no-untyped-def]
        size = Y.shape[1]
        k = np.empty((7, size))
        for lane in range(Y.shape[0]):
            y, c = Y[lane].copy(), C[lane]
            rate(y, k[0], n, c, symmetrised, fixed_tau)
            speed, level = np.abs(k[0]).max(), np.abs(y).max()
            t, h = 0.0, min(t1, 0.01 * level / speed if speed > 0.0 else t1)
            if with_K:
                K_min[lane] = lowest(y, n, c)
            code, taken = 1, 0
            while taken < max_steps:
                taken += 1
                h = min(h, t1 - t)
                for stage in range(1, 7):
                    new = y.copy()
                    for j in range(stage):
                        new += (h * A[stage, j]) * k[j]
                    rate(new, k[stage], n, c, symmetrised, fixed_tau)
                error = np.zeros(size)
                for j in range(7):
                    error += (h * E[j]) * k[j]
                off = worst(y, new, error, n * n) / rtol
                if off <= 1.0:
                    t += h
                    y = new
                    k[0] = k[6]
                    if with_K:
                        K_min[lane] = min(K_min[lane], lowest(y, n, c))
                    if t >= t1 * (1.0 - 1e-14):
                        code = 0
                        break
                h *= min(5.0, max(0.2, 0.9 * (max(off, 1e-10) ** -0.2))) if np.isfinite(off) else 0.1
                if h < 1e-14 * t1:
                    code = 2
                    break
            Y[lane] = y
            steps[lane] = taken
            status[lane] = code

    return compile_kernel(march, ("matrices", system))


def solve(
    system: str,
    start: np.ndarray,
    constants: np.ndarray,
    n: int,
    *,
    t1: float,
    rtol: float,
    max_steps: int,
    symmetrised: bool = False,
    fixed_tau: bool = False,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Integrate many systems from t = 0 to t1.

    Args:
        system: "correlation" or "gram".
        start: flat states, (systems, size).
        constants: alpha_p, beta, eta_p, eta_s, x, x_aug of each, (systems, 6).
        n: size of the matrices.
        t1: the end, in flow time.
        rtol: relative tolerance of a step.
        max_steps: limit on steps of a system.
        symmetrised: the predictor follows the symmetric part of its flow (Assumption 3).
        fixed_tau: tau stays ("correlation").
        threads: threads; the result does not depend on it.

    Returns:
        Final flat states, smallest eigenvalue of K ("correlation"; NaN otherwise), steps, index into `STATUSES`.
    """
    Y, C = np.array(start, dtype=np.float64), np.ascontiguousarray(constants, dtype=np.float64)
    count = len(Y)
    K_min, steps, status = np.full(count, np.nan), np.zeros(count, np.int32), np.zeros(count, np.int8)
    run = kernel(system)

    def part(piece: slice) -> None:
        run(
            Y[piece], C[piece], n, t1, rtol, max_steps, symmetrised, fixed_tau, K_min[piece], steps[piece],
            status[piece], _A, _ERROR,
        )  # fmt: skip

    pieces = [slice(k, k + 64) for k in range(0, count, 64)]
    if threads == 1 or len(pieces) == 1:
        for piece in pieces:
            part(piece)
    else:
        part(pieces[0])  # compiles once
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(part, pieces[1:]))
    return Y, K_min, steps, status
