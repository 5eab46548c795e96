"""Closed-form predictors, line by line: matrices, or eigenvalues wrapped so that `@` multiplies mode by mode.

W_p acts on column vectors, as in Tian et al.: W_p z predicts z'. F = E[z z^T] is the correlation of the online
outputs and H = E[z' z^T] the cross-correlation with the target's. Richemond et al. print a P that acts on rows of
samples, Z P; W_p = P^T, their Sigma = Z^T Z / b is F and their Z^T Z' / b is H^T. `I` is the identity, passed in.
"""


def shifted_power(q, power, shift):
    """Return q^power + shift: DirectPred's p_j = sqrt(s_j) + epsilon max_j s_j at power = 1/2 (Eq. 18)."""
    return q**power + shift


def power_of_shifted(q, power, shift):
    """Return (q + shift)^power: the variant of DirectPred with epsilon inside the root."""
    return (q + shift) ** power


def regression_eigenvalue(h, s):
    """Return h / s, the regression of z' on z for one mode."""
    return h / s


def neumann(F, H):
    """Return 2 H - H F, from H F^-1 with F^-1 ~ 2 I - F (Richemond: P = 2 Z^T Z' - Z^T Z Z^T Z')."""
    return 2 * H - H @ F


def visser_step(P, F, h):
    """Return P + h (F - P^2), one step of Visser's iteration towards F^(1/2)."""
    return P + h * (F - P @ P)


def newton_schulz_step(A, B, I):
    """Return (A T / 2, T B / 2) with T = 3 I - B A: A -> A_0^(1/2), B -> A_0^(-1/2), three products."""
    T = 3 * I - B @ A
    return A @ T / 2, T @ B / 2


def ridge(W_p, a, I):
    """Return W_p + a I."""
    return W_p + a * I
