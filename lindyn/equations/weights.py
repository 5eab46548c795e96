"""The full flow of (W_p, W, W_a): Lemma 1, its variant without stop-gradient, and symmetrisation."""


def residual_moment(W, W_p, W_a, X, X_aug):
    """Return G = W_a X - W_p W (X + X') = -E[(W_p W x_1 - W_a x_2) x_1^T], n2 x n1 (the bracket of Eqs. 2-3)."""
    return W_a @ X - W_p @ W @ (X + X_aug)


def dW_p(W, W_p, G, alpha_p, eta_p):
    """Return dW_p/dt = alpha_p G W^T - eta_p W_p (Eq. 2), with G from `residual_moment`."""
    return alpha_p * (G @ W.T) - eta_p * W_p


def dW(W, W_p, G, eta_s):
    """Return dW/dt = W_p^T G - eta_s W (Eq. 3), with G from `residual_moment`."""
    return W_p.T @ G - eta_s * W


def dW_a(W, W_a, beta):
    """Return dW_a/dt = beta (W - W_a) (Eq. 4)."""
    return beta * (W - W_a)


def target_branch(W, W_p, W_a, X, X_aug):
    """Return the target branch's rate when the gradient is not stopped: what it adds to dW/dt at W_a = W (Theorem 2).

    E[(W_p W x_1 - W_a x_2) x_2^T] = W_p W X^T - W_a (X^T + X'). X is symmetric in the population; a minibatch's
    sample of it is not, hence the transposes. Under BatchNorm the maps of the two views differ, W_a != W.
    """
    return W_p @ W @ X.T - W_a @ (X.T + X_aug)


def symmetric_part(M):
    """Return (M + M^T) / 2."""
    return (M + M.T) / 2


def antisymmetric_part(M):
    """Return (M - M^T) / 2."""
    return (M - M.T) / 2
