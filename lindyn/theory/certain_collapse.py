"""Above the critical decay with a moving target: what falls for certain, and how fast."""

from typing import Any

import numpy as np


def moving_target_decay(eta_s: Any, critical: Any, beta: Any, sqrt: Any = np.sqrt) -> tuple[Any, Any]:
    """Return (r, m): beta ||W||^2 + m ||W_a||^2 falls at the rate r or faster.

    U = ||W||^2 and A = ||W_a||^2 obey U' <= -2 eta_s U + 2 c A and A' <= beta (U - A), c the critical decay. The matrix
    of the two bounds has no negative entry off its diagonal, so that its left eigenvector (beta, m), m = 2 eta_s - r,
    of its larger eigenvalue -r has none either, and r = [2 eta_s + beta - sqrt((2 eta_s - beta)^2 + 8 c beta)]/2 bounds
    the decay of that sum. r > 0 exactly where eta_s > c.

    Args:
        eta_s: decay of the online network, >= 0.
        critical: c = lambda_max(X (X + X')^-1 X)/4, >= 0.
        beta: EMA rate, > 0.
        sqrt: where the root comes from (numpy, or sympy in the proof).

    Returns:
        The rate r and the weight m >= 0.

    Source: beyond Tian, Chen, Ganguli 2021, Obs. #5; `lindyn prove tian.critical_decay_ema`.
    """
    rate = (2 * eta_s + beta - sqrt((2 * eta_s - beta) ** 2 + 8 * critical * beta)) / 2
    return rate, 2 * eta_s - rate
