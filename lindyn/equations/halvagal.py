"""Halvagal, Laborieux, Zenke 2023: W_p = U diag(lambda^a) U^T is tied to the outputs, lambda their eigenvalues.

Eigenvalues act as learning rates of their own modes; IsoLoss takes them out. Here p = lambda^a, and v is the
augmentation's variance over the data's.
"""


def euclidean(z_1, z_2, p):
    """Return d z_m of an output under the squared loss, p_m (z2_m - p_m z1_m)."""
    return p * (z_2 - p * z_1)


def isotropic(z_1, z_2, p):
    """Return d z_m of IsoLoss, z2_m - p_m z1_m."""
    return z_2 - p * z_1


def cosine(z_1, z_2, p, q_norm, t_norm, total=lambda T: T.sum(-1)):
    """Return d z_m of the cosine loss, p_m/(|q|^3 |t|) sum_k p_k (p_k z1_k^2 z2_m - p_m z1_k z2_k z1_m), q = p z_1.

    The term k = m is 0, so that the sum runs over all modes.
    """
    return p / (q_norm * q_norm * q_norm * t_norm) * (z_2 * total(p * p * z_1 * z_1) - p * z_1 * total(p * z_1 * z_2))


def population_euclidean(l, p, v):
    """Return dlambda/dt = 2 lambda p (1 - (1 + v) p) in the population, squared loss."""
    return 2 * l * p * (1 - (1 + v) * p)


def population_isotropic(l, p, v):
    """Return dlambda/dt = 2 lambda (1 - (1 + v) p) of IsoLoss."""
    return 2 * l * (1 - (1 + v) * p)


def population_no_stop_gradient(l, p, v):
    """Return dlambda/dt = -2 lambda ((1 + v)(1 + p^2) - 2 p)."""
    return -2 * l * ((1 + v) * (1 + p * p) - 2 * p)


def population_wrong_side(l, p, v):
    """Return dlambda/dt = 2 lambda (p - (1 + v)): the stop-gradient on the predictor's branch, not on the target's."""
    return 2 * l * (p - (1 + v))


def population_no_predictor(l, v):
    """Return dlambda/dt = -2 v lambda."""
    return -2 * v * l
