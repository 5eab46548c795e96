"""Where the normalised flow rests and how it gets there: rest spectrum, unused directions, lifetimes, clocks, steps.

At rest under the closure kappa p_k = r_k, r = x/c, c = x + x_aug. Decay of both networks at one rate
only runs the clock; a finite step settles at an angle.
"""


def rest_predictor(r, kappa):
    """Return p = r/kappa of every mode that lives, whatever the depth."""
    return r / kappa


def rest_spectrum(c, r, depth, size):
    """Return the outputs' eigenvalues c u^2 = size c r^(2 L) at rest, from p = sqrt(alpha_p) u^(1/L) ~ r."""
    return size * c * r ** (2 * depth)


def transverse_matrix(W_p, r_j, c_j, kappa, pace):
    """Return T_j = c_j pace (r_j W_p^T - kappa W_p^T W_p): dW_j/dt = T_j W_j of an input mode that W does not use yet.

    Within the closure, one layer, W_a = W, at rest. A direction of the outputs dies where T_j is stable.
    """
    return c_j * pace * (r_j * W_p.T - kappa * (W_p.T @ W_p))


def lifetime_exponent(depth):
    """Return 2 - 1/L: a direction at eps = u_2/u_1 stays small for a time ~ eps^-(2 - 1/L)."""
    return 2 - 1 / depth


def decay_clock(growth, eta):
    """Return the time of the flow without decay, (e^(2 eta t) - 1)/(2 eta), from growth = e^(2 eta t)."""
    return (growth - 1) / (2 * eta)


def rate_after_decay(rate, growth):
    """Return an EMA rate as the flow without decay sees it, beta e^(-2 eta t), from growth = e^(2 eta t)."""
    return rate / growth


def norm_after_step(square, decay, learning_rate, gradient_square):
    """Return |W|^2 after one step, (1 - lr eta)^2 |W|^2 + lr^2 |g|^2: the gradient is orthogonal to the weights."""
    return (1 - learning_rate * decay) ** 2 * square + learning_rate**2 * gradient_square


def angle_per_step(learning_rate, decay, momentum, half=0.5):
    """Return the angle by which scale-free weights turn per step at equilibrium: sqrt(2 lr eta / (1 + momentum)).

    Wan et al. 2021, Kosson et al. 2024.
    """
    return (2 * learning_rate * decay / (1 + momentum)) ** half
