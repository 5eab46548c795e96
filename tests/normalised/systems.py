"""Systems of the normalised theory that several tests start from."""

import numpy as np

import lindyn as ld

HP = ld.Hyperparameters(alpha_p=1.7, beta=0.3, eta=0.0)


def moments(n1=6, seed=1):
    """Moments that do not commute."""
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(2, n1, 2 * n1)) / np.sqrt(2 * n1)
    return ld.Moments(A @ A.T, 0.4 * B @ B.T)


def modes(count=16, seed=0):
    """(x, x_aug, start) of modes with unequal x and x'."""
    rng = np.random.default_rng(seed)
    x = np.exp(-np.arange(count) / (count / 4))
    x_aug = x * rng.uniform(0.1, 0.6, count)
    y = ld.ModeWeightState(rng.uniform(0.2, 0.5, count), rng.normal(size=count), rng.normal(size=count))
    return x, x_aug, y


def deep_state(n2=4, n1=6, depth=3, seed=3, target="independent"):
    return ld.DeepWeightState.random(n2, n1, depth, hidden=5, seed=seed, target=target)
