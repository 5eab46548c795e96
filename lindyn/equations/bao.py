"""Bao 2025: the cosine loss of a linear predictor with |q| and |t| taken as constants before the expectation.

On s = p^2 (balance, alpha_p = 1), v the augmentation's variance, T = tr(W_p F) of the frozen expectation.
"""


def frozen_norm_rate(p, v, T, N_q, N_t, rho):
    """Return dp/dt = p^2/(N_q N_t) - (1 + v) T p^3/(N_q^3 N_t) - 2 (1 + v) p^6/(N_q^3 N_t) - rho p."""
    return p * p / (N_q * N_t) - (1 + v) * T * p**3 / (N_q**3 * N_t) - 2 * (1 + v) * p**6 / (N_q**3 * N_t) - rho * p


def without_sixth_order(p, v, T, N_q, N_t, rho):
    """Return the same rate without the term in p^6, which freezing the norms brings: the closure's."""
    return p * p / (N_q * N_t) - (1 + v) * T * p**3 / (N_q**3 * N_t) - rho * p
