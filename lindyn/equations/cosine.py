"""The residual moment G of the cosine loss J = -E cos(q, t), q = W_p W x_1, t = W_a x_2 (stopped).

    G = E[(1/|q|) (I - qh qh^T) th x_1^T],  qh = q/|q|,  th = t/|t|

stands where the squared loss has its own G (`weights.residual_moment`); everything else is Lemma 1. The loss
2 - 2 cos is the same with G doubled. Three readings of the mean:

    closure   ratios of means: |q|^2 and |t|^2 by their means Q and T; any X and X', no Gaussian needed
    modes     exact for Gaussian x and commuting X, X', by two integrals over the nodes (u, v)
    samples   the mean over a minibatch

The closure is the squared loss with its prediction rescaled by kappa = M/Q and its clock divided by sqrt(Q T).
"""

COLUMN = lambda values: values[..., None]  # noqa: E731  a number per node beside one per node and mode
INNER = lambda A, B: (A * B).sum()  # noqa: E731  tr(A B^T), without the product


def mean_square(A, X, X_aug, inner=INNER):
    """Return E|A x|^2 = tr(A (X + X') A^T): Q with A = W_p W, T with A = W_a; inner(A, B) = tr(A B^T)."""
    return inner(A @ (X + X_aug), A)


def overlap(A, W_a, X, inner=INNER):
    """Return M = E[q . t] = tr(W_a X A^T), A = W_p W; inner(A, B) = tr(A B^T)."""
    return inner(W_a @ X, A)


def clock(Q, T, half=0.5):
    """Return 1/sqrt(Q T), by which the cosine loss runs faster than the squared one."""
    return (Q * T) ** (-half)


def closure_moment(A, W_a, X, X_aug, kappa, pace):
    """Return G = pace (W_a X - kappa A (X + X')), the closure; kappa = M/Q, pace = `clock`."""
    return pace * (W_a @ X - kappa * (A @ (X + X_aug)))


def closure_target_branch(A, W, X, X_aug, kappa_a, pace):
    """Return what the target branch adds without stop-gradient: pace (A X^T - kappa_a W (X^T + X')), kappa_a = M/T."""
    return pace * (A @ X.T - kappa_a * (W @ (X.T + X_aug)))


def closure_drive(m, a, x, x_aug, kappa, pace):
    """Return g = pace (x a - kappa (x + x_aug) m) of one mode, m = p w: the closure per mode."""
    return pace * (x * a - kappa * (x + x_aug) * m)


def determinant(m, a, x, x_aug, u, v):
    """Return D = det(I + 2 Sigma diag(u^2 m^2, v^2 a^2)) of one mode, Sigma = [[c, x], [x, c]], c = x + x_aug.

    E exp(-u^2 q^2 - v^2 t^2) = D^(-1/2) for the mode's part q = m xi, t = a zeta of the outputs, Gaussian.
    """
    c = x + x_aug
    online, target = (u * u) * (m * m), (v * v) * (a * a)
    return 1 + (2 * c) * (online + target) + (4 * x_aug * (x + c)) * (online * target)


def tilted_cross(x, D):
    """Return A = E[xi zeta] under the tilted Gaussian of `determinant`."""
    return x / D


def tilted_square(a, x, x_aug, v, D):
    """Return B = E[xi^2] under the tilted Gaussian of `determinant`; c^2 - x^2 = x_aug (2 x + x_aug)."""
    return (x + x_aug + (2 * v * v) * (a * a * x_aug * (2 * x + x_aug))) / D


def mode_drives(m, a, x, x_aug, u, v, weight, half=0.5, product=lambda D: COLUMN(D.prod(-1)),
                total=lambda T: COLUMN(T.sum(-1)), over_nodes=lambda T: T.sum(0)):  # fmt: skip
    """Return g_k = E[(t_k - (q.t/|q|^2) q_k) xi_k / (|q| |t|)] of every mode: exact for Gaussian x.

    Brackets and sums term by term: what is one number per node, or per mode, is not multiplied out over both.

    g_k = sum over nodes of weight Z (a_k A_k - 2 u^2 m_k B_k (M + 2 m_k a_k A_k)), Z = prod_k D_k^(-1/2), M = sum_j
    m_j a_j A_j, from 1/|q| = (2/sqrt pi) int exp(-u^2 |q|^2) du and 1/|q|^3 = (4/sqrt pi) int u^2 exp(-u^2 |q|^2) du.

    Args:
        m: p w, one per mode (the last axis).
        a: target weight, one per mode.
        x: eigenvalue of X.
        x_aug: eigenvalue of X'.
        u: nodes of the online norm in (0, inf), a column.
        v: nodes of the target's norm, a column.
        weight: (4/pi) du dv of each node, a column.
        half: one half, of the arithmetic in use.
        product: over modes, kept as a column.
        total: sum over modes, kept as a column.
        over_nodes: sum over nodes.
    """
    D = determinant(m, a, x, x_aug, u, v)
    A, B = tilted_cross(x, D), tilted_square(a, x, x_aug, v, D)
    Z = product((1 / D) ** half)  # a root of 1/D: a general power costs ten times as much
    share, M = weight * Z, total((m * a) * A)
    damped = (2 * u * u) * share
    return a * over_nodes(share * A) - m * (over_nodes((damped * M) * B) + 2 * m * a * over_nodes(damped * (A * B)))


def mode_target_drives(m, a, x, x_aug, u, v, weight, half=0.5, product=lambda D: COLUMN(D.prod(-1)),
                       total=lambda T: COLUMN(T.sum(-1)), over_nodes=lambda T: T.sum(0)):  # fmt: skip
    """Return the target branch's part of dw/dt without stop-gradient: E[(q_k - (q.t/|t|^2) t_k) zeta_k / (|q| |t|)].

    `mode_drives` with the branches exchanged: m with a, u with v.
    """
    return mode_drives(a, m, x, x_aug, v, u, weight, half, product, total, over_nodes)


def mean_cosine(m, a, x, x_aug, u, v, weight, half=0.5, product=lambda D: COLUMN(D.prod(-1)),
                total=lambda T: COLUMN(T.sum(-1)), over_nodes=lambda T: T.sum(0)):  # fmt: skip
    """Return E cos(q, t) = sum over nodes of weight Z M, see `mode_drives`; a column of one."""
    D = determinant(m, a, x, x_aug, u, v)
    return over_nodes(weight * product((1 / D) ** half) * total(m * a * tilted_cross(x, D)))


def sample_moment(q, t, v_1, inverse_q, inverse_t, cosine, count):
    """Return G of a minibatch: samples are columns of q, t (n2 x B) and of the first view v_1 (n1 x B).

    (1/B) sum (th - cos qh)/|q| x_1^T, with 1/|q|, 1/|t| and cos a row each.
    """
    return ((t * inverse_t - q * inverse_q * cosine) * inverse_q) @ v_1.T / count
