"""The loss of Eq. 1 as a function of the weights and the data moments."""


def loss_matrix(W, W_p, W_a, X, X_aug):
    """Return the n2 x n2 matrix E[r r^T] / 2 of the residual r = W_p W x_1 - W_a x_2.

    With E[x_1 x_1^T] = E[x_2 x_2^T] = X + X' and E[x_1 x_2^T] = X (views independent given the sample):
    E[r r^T] = A (X + X') A^T - A X W_a^T - W_a X A^T + W_a (X + X') W_a^T, with A = W_p W.

    Args:
        W: online weights, n2 x n1.
        W_p: predictor, n2 x n2.
        W_a: target weights, n2 x n1.
        X: second moment of the sample means, n1 x n1, symmetric PSD.
        X_aug: X', mean covariance of the augmentation, n1 x n1, symmetric PSD.

    Returns:
        The symmetric PSD matrix whose trace is the loss J.
    """
    A = W_p @ W
    S = X + X_aug
    cross = A @ X @ W_a.T
    return (A @ S @ A.T - cross - cross.T + W_a @ S @ W_a.T) / 2


def loss(W, W_p, W_a, X, X_aug, trace=lambda M: M.trace()):
    """Return J = 1/2 E || W_p W x_1 - W_a x_2 ||^2 (Eq. 1).

    Args:
        W: online weights, n2 x n1.
        W_p: predictor, n2 x n2.
        W_a: target weights, n2 x n1 (StopGrad acts on it; place it when differentiating).
        X: n1 x n1, see `loss_matrix`.
        X_aug: X', n1 x n1.
        trace: the trace of the array type in use (sympy's matrix symbols need `sympy.Trace`).

    Returns:
        The scalar J >= 0.
    """
    return trace(loss_matrix(W, W_p, W_a, X, X_aug))
