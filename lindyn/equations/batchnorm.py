"""BatchNorm without scale and shift at the end of the projector, in the population: z = D^-1 W x, D^2 = diag(W S W^T).

Every row of W is divided by the standard deviation of its output, S = X + X' of centred features: BatchNorm takes the
mean away, so that X and X' are moments about the mean. The gradient with respect to W_n = D^-1 W goes through D too.
"""

ROWS = lambda A, B: (A * B).sum(-1)[..., None]  # noqa: E731  a row's inner product, as a column


def variance(W, X, X_aug, rows=ROWS):
    """Return D^2, the variance of every output: diag(W (X + X') W^T) as a column."""
    return rows(W @ (X + X_aug), W)


def inverse_deviation(D2, half=0.5):
    """Return 1/D of every output."""
    return D2 ** (-half)


def normalised(W, scale):
    """Return W_n = D^-1 W, with scale = 1/D as a column."""
    return scale * W


def row_map(G, W_n, X, X_aug, scale, rows=ROWS):
    """Return dW_i = (g_i - (g_i . w_i) S w_i)/D_i per row: the gradient G with respect to W_n taken through D.

    w_i are the rows of W_n. Orthogonal to W_i: every row norm is conserved.
    """
    return scale * (G - rows(G, W_n) * (W_n @ (X + X_aug)))
