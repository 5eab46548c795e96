"""One finite step of training, in the order of BYOL's pseudo-code: velocity, weights, then the target."""


def velocity(v, rate, momentum):
    """Return momentum v + rate, where rate = -(gradient) - (weight decay), the right-hand side of the flow."""
    return momentum * v + rate


def step(theta, v, learning_rate):
    """Return theta + learning_rate v."""
    return theta + learning_rate * v


def ema(W_a, W, gamma_a):
    """Return gamma_a W_a + (1 - gamma_a) W, with W already stepped (gamma_a = 1 - learning_rate beta)."""
    return gamma_a * W_a + (1 - gamma_a) * W
