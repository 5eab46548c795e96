"""What a closed-form predictor sees: the correlation of the online outputs and their cross-correlation with the target.

f1 = W x_1 is the online output of one view and f2a = W_a x_2 the target's output of the other;
E[x_1 x_1^T] = X + X' and E[x_1 x_2^T] = X. At X = I, X' = 0 the two lines are F = W W^T and W_a W^T, the paper's
symbols for white data.
"""


def correlation(W, X, X_aug):
    """Return E[f1 f1^T] = W (X + X') W^T, n2 x n2."""
    return W @ (X + X_aug) @ W.T


def cross(W, W_a, X):
    """Return H = E[f2a f1^T] = W_a X W^T, n2 x n2."""
    return W_a @ X @ W.T


def isotropic_correlation(F, x, x_aug):
    """Return (x + x_aug) F: `correlation` for X = x I, X' = x_aug I and F = W W^T; of one mode with F = s = w^2."""
    return (x + x_aug) * F


def isotropic_cross(H, x):
    """Return x H: `cross` for X = x I and H = W_a W^T (tau F under Assumption 1); of one mode with H = a w = tau s."""
    return x * H
