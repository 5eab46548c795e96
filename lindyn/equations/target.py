"""The target's ratio tau to the online network under Assumption 1, W_a = tau W."""


def dtau(tau, growth, beta):
    """Return dtau/dt = beta (1 - tau) - tau growth, growth = (dW/dt)/W (Assumption 1, Eq. 13).

    From (dtau/dt) W + tau dW/dt = beta (1 - tau) W. Exact for one mode, where growth = (ds/dt)/(2 s); for a
    matrix the scalar tau = tr(W_a W^T)/tr(F) that fits best has growth = tr(dF/dt)/(2 tr F).
    """
    return beta * (1 - tau) - tau * growth


def gamma_at(gamma_a, cosine):
    """Return the EMA parameter 1 - (1 - gamma_a)(cos(pi k/K) + 1)/2 at step k of K, cosine = cos(pi k/K) (Grill)."""
    return 1 - (1 - gamma_a) * (cosine + 1) / 2
