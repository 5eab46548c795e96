"""A projector of several linear layers, W = W_L ... W_1: how a rate of the product reaches each layer."""


def layer_rate(G, above, below, W_l, eta_s):
    """Return dW_l/dt = above^T G below^T - eta_s W_l, where W = above W_l below and G would be dW/dt without decay.

    Args:
        G: W_p^T times the residual moment (through BatchNorm where there is one), n_L x n1.
        above: W_L ... W_(l+1), the identity for the last layer.
        below: W_(l-1) ... W_1, the identity for the first.
        W_l: the layer.
        eta_s: weight decay.
    """
    return above.T @ G @ below.T - eta_s * W_l


def balanced_growth(u, c, r, kappa, pace, alpha_p, depth, half=0.5):
    """Return du/dt of u = w_1 ... w_L in balanced modes with p = sqrt(alpha_p) u^(1/L): the closure, no decay.

    du/dt = L sqrt(alpha_p) u^(3 - 1/L) c (r - kappa sqrt(alpha_p) u^(1/L)) pace, a = u, r = x/c.
    """
    root = alpha_p**half
    return depth * root * u ** (3 - 1 / depth) * c * (r - kappa * root * u ** (1 / depth)) * pace
