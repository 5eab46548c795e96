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


def rate_after_decay(rate, growth, eta):
    """Return an EMA rate as the flow without decay sees it, (beta - eta) e^(-2 eta t), from growth = e^(2 eta t).

    The target does not decay itself: beside W = e^(-eta t) W0 it is W_a = (beta/(beta - eta)) e^(-eta t) W_a0, of a
    size that the cosine loss does not see, and W_a0 follows W0 at beta - eta; at beta <= eta it cannot.
    """
    return (rate - eta) / growth


def norm_after_step(square, decay, learning_rate, gradient_square):
    """Return |W|^2 after one step, (1 - lr eta)^2 |W|^2 + lr^2 |g|^2: the gradient is orthogonal to the weights."""
    return (1 - learning_rate * decay) ** 2 * square + learning_rate**2 * gradient_square


def rate_after_cut(learning_rate, cut):
    """Return the learning rate that W = U / cut gives U, learning_rate cut^2: the gradient is of degree -1 in W.

    Exact at every finite step, matrix by matrix, where the loss is of degree 0 in each of them: a decay acts on U as
    decay / cut^2 at that rate, momentum and the EMA of a target that is cut alike stay as they are.
    """
    return learning_rate * cut**2


def ema_after_cut(gamma_a, size, after):
    """Return gamma_a size/after, the EMA parameter of a target that is not cut as the online weights are.

    W_a = size Z beside W = U / cut: Z follows U with this parameter, and size goes to after = gamma_a size + (1 -
    gamma_a)/cut, with 1 at the start where the target is not cut at all. The loss does not see the size.
    """
    return gamma_a * size / after


def best_cut(square, learning_rate, gradient_square, half=0.5):
    """Return the cut that leaves the least |W|^2 after the first step: (|W|^2 / (lr^2 |g|^2))^(1/4).

    |W / c - lr c g|^2 = |W|^2 / c^2 + lr^2 c^2 |g|^2; a larger cut makes the first step the whole of W, and the norm
    grows with c from there.
    """
    return (square / (learning_rate**2 * gradient_square)) ** (half * half)


def angle_per_step(learning_rate, decay, momentum, half=0.5):
    """Return the angle by which scale-free weights turn per step at equilibrium: sqrt(2 lr eta / (1 + momentum)).

    Wan et al. 2021, Kosson et al. 2024.
    """
    return (2 * learning_rate * decay / (1 + momentum)) ** half
