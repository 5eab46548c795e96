"""Outputs of rectified linear neurons, relu(w x), under Gaussian x: what their mean products are (Cho, Saul 2009)."""


def mean_product(size, other, angle, sine, cosine, pi):
    """Return E[relu(u) relu(v)] = size other (sin angle + (pi - angle) cos angle)/(2 pi), u and v Gaussian, mean 0.

    Args:
        size: deviation of u.
        other: deviation of v.
        angle: arc cosine of their correlation.
        sine: of the angle.
        cosine: of the angle, the correlation.
        pi: of the arithmetic in use.
    """
    return size * other * (sine + (pi - angle) * cosine) / (2 * pi)
