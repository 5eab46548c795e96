"""Exact n2 x n2 reduction of Lemma 1 for isotropic data X = x I, X' = x_aug I, without Assumption 1.

F = W W^T, H = W_a W^T, J = W_a W_a^T close among themselves with W_p: nothing is approximated.
"""


def residual(W_p, F, H, x, x_aug):
    """Return R = G W^T = x H - (x + x_aug) W_p F, n2 x n2."""
    return x * H - (x + x_aug) * (W_p @ F)


def dW_p(W_p, R, alpha_p, eta_p):
    """Return dW_p/dt = alpha_p R - eta_p W_p."""
    return alpha_p * R - eta_p * W_p


def dF(W_p, F, R, eta_s):
    """Return dF/dt = W_p^T R + R^T W_p - 2 eta_s F."""
    Z = W_p.T @ R
    return Z + Z.T - 2 * eta_s * F


def dH(W_p, F, H, J, x, x_aug, beta, eta_s):
    """Return dH/dt = beta (F - H) + (x J - (x + x_aug) H W_p^T) W_p - eta_s H."""
    return beta * (F - H) + (x * J - (x + x_aug) * (H @ W_p.T)) @ W_p - eta_s * H


def dJ(H, J, beta):
    """Return dJ/dt = beta (H + H^T - 2 J)."""
    return beta * (H + H.T - 2 * J)
