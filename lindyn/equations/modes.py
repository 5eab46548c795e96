"""One eigen-direction at a time: (p, s, tau) of Eqs. 11-13 and (p, w, a) of Appendix D.

General in the eigenvalues x, x_aug of commuting X, X' (isotropic data: x = 1, x_aug = sigma^2). With
W_p = U diag(p) U^T, W = U diag(w) V^T, W_a = U diag(a) V^T, V the common eigenbasis of X and X', Lemma 1
decouples exactly into (p, w, a); s = w^2 and tau = a / w give (p, s, tau), with no Assumption 1.
"""


def drive(p, tau, x, x_aug):
    """Return x tau - (x + x_aug) p, the bracket of Eqs. 11-12."""
    return x * tau - (x + x_aug) * p


def dp(p, s, D, alpha_p, eta_p):
    """Return dp/dt = alpha_p s D - eta_p p (Eq. 11), with D from `drive`."""
    return alpha_p * s * D - eta_p * p


def growth(p, D, eta_s):
    """Return (dw/dt)/w = (ds/dt)/(2 s) = p D - eta_s, with D from `drive`."""
    return p * D - eta_s


def target_branch(p, x, x_aug):
    """Return what the target branch adds to (dw/dt)/w without stop-gradient (W_a = W): x p - (x + x_aug)."""
    return x * p - (x + x_aug)


def ds(s, g):
    """Return ds/dt = 2 s g = 2 p s D - 2 eta_s s (Eq. 12), with g from `growth`."""
    return 2 * s * g


def residual(p, w, a, x, x_aug):
    """Return x a - (x + x_aug) p w, the scalar bracket of Lemma 1 (Appendix D: l_d = x, l_s = x + x_aug)."""
    return x * a - (x + x_aug) * p * w


def dp_weights(p, w, r, alpha_p, eta_p):
    """Return dp/dt = alpha_p r w - eta_p p (Lemma 1 and Appendix D), with r from `residual`."""
    return alpha_p * r * w - eta_p * p


def dw(p, w, r, eta_s):
    """Return dw/dt = p r - eta_s w (Lemma 1 and Appendix D), with r from `residual`."""
    return p * r - eta_s * w


def da(w, a, beta):
    """Return da/dt = beta (w - a) (Lemma 1 and Appendix D)."""
    return beta * (w - a)


def integral_of_motion(p, s, alpha_p):
    """Return s - p^2/alpha_p, which equals c exp(-2 eta t) when eta_p = eta_s = eta (Eq. 14)."""
    return s - p * p / alpha_p


def alignment_rate(p, s, D, alpha_p, eta_p, eta_s, x, x_aug):
    """Return the eigenvalue of K of this mode: (alpha_p/2)(x + x_aug) s - p D + eta_s + eta_p/2 (Eqs. 9, 17).

    At eta_p = eta_s = eta it is (1/2)[alpha_p (x + x_aug) s + eta] - Delta with Delta = p D - eta, so that
    Eq. 17 says that it is positive.
    """
    return alpha_p * (x + x_aug) * s / 2 - p * D + eta_s + eta_p / 2
