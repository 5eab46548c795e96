"""The reduced flow of (W_p, F, tau) under Assumptions 1 (W_a = tau W) and 2 (X = x I, X' = x_aug I).

Two n2 x n2 products serve a whole right-hand side, symmetrised or not: Y = x tau F - (x + x_aug) W_p F
and W_p^T Y.
"""


def drive(W_p, F, tau, x, x_aug):
    """Return Y = x tau F - (x + x_aug) W_p F (the bracket of Lemma 1 times W^T under Assumptions 1 + 2)."""
    return x * tau * F - (x + x_aug) * (W_p @ F)


def dW_p(W_p, Y, alpha_p, eta_p):
    """Return dW_p/dt = -alpha_p (x + x_aug) W_p F + alpha_p x tau F - eta_p W_p, with Y from `drive`.

    The flow of Assumption 3 (Eq. 7) is this with Y replaced by its symmetric part, which gives
    -(alpha_p/2)(x + x_aug){W_p, F} + alpha_p x tau F - eta_p W_p for symmetric W_p.
    """
    return alpha_p * Y - eta_p * W_p


def dF(W_p, F, Y, eta_s):
    """Return dF/dt = W_p^T Y + Y^T W_p - 2 eta_s F, with Y from `drive`.

    Written out: -(x + x_aug)(W_p^T W_p F + F W_p^T W_p) + x tau (W_p^T F + F W_p) - 2 eta_s F; for
    symmetric W_p this is Eq. 7, -(x + x_aug){W_p^2, F} + x tau {W_p, F} - 2 eta_s F.
    """
    Z = W_p.T @ Y
    return Z + Z.T - 2 * eta_s * F


def target_branch(W_p, F, x, x_aug):
    """Return E W^T for the part E that the target branch adds to dW/dt without stop-gradient (W_a = W).

    x W_p F - (x + x_aug) F; it adds itself and its transpose to dF/dt.
    """
    return x * (W_p @ F) - (x + x_aug) * F
