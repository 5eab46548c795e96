"""Every statistic once, on numpy arrays with leading axes: times of a run, bootstrap draws, or none.

F is E[z z^T] or W W^T, (..., d, d), with eigenvalues s_j, largest first, and eigenvectors u_j, the columns of U; W_p is
the predictor, (..., d, d). Leading axes broadcast, so that a stack gives what its members give one by one; a number has
the leading axes alone. NaN where a statistic has no meaning (a norm that it is divided by is 0). `lindyn.observables`
reads states and runs with these, the watch of a training its one reading, the bootstrap its draws.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

DAMPING = 1e-6
"""Ridge of the nearest linear map, share of the mean variance: what float32 sums cannot tell from zero."""
ROUND_OFF = 1e-14  # of sums of squares in double precision, with room
TINY = float(np.finfo(float).tiny)
_NOTHING = 1e-13  # parts below this share of ||W_p||^2 are round-off, such as those of a multiple of the identity


def ratio(a: Any, b: Any) -> Array:
    """Return a / b, NaN where b = 0."""
    a, b = np.broadcast_arrays(np.asarray(a, dtype=float), np.asarray(b, dtype=float))
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=b != 0))


def transposed(M: Array) -> Array:
    """Return M^T."""
    return np.swapaxes(M, -1, -2)


def norm(M: Array) -> Array:
    """Return the Frobenius norm of matrices."""
    return np.asarray(np.linalg.norm(M, axis=(-2, -1)))


def trace(M: Array) -> Array:
    """Return the trace of matrices."""
    return np.asarray(np.trace(M, axis1=-2, axis2=-1))


def inner(A: Array, B: Array) -> Array:
    """Return <A, B> = tr(A^T B)."""
    return np.asarray(np.sum(A * B, axis=(-2, -1)))


def eigen(F: Array) -> tuple[Array, Array]:
    """Return (s, U) of symmetric matrices: eigenvalues, largest first, (..., d), and eigenvectors as columns."""
    s, U = np.linalg.eigh(F)
    return s[..., ::-1], U[..., ::-1]


def symmetric_spectrum(W_p: Array) -> Array:
    """Return the eigenvalues of the symmetric part, largest first, (..., d)."""
    return np.asarray(np.linalg.eigvalsh((W_p + transposed(W_p)) / 2)[..., ::-1])


def along(M: Array, U: Array) -> Array:
    """Return u_j^T M u_j, (..., d): p of W_p, tau s of E[t z^T], x s of E[z_1 z_2^T]."""
    return np.asarray(np.sum(U * (M @ U), axis=-2))


def turned(M: Array, U: Array) -> Array:
    """Return U^T M U, the matrix in the basis of the u_j."""
    return np.asarray(transposed(U) @ M @ U)


def alignment(WU: Array, U: Array, outside: Array | None = None) -> tuple[Array, Array]:
    """Return (p, cosine): p_j = u_j^T W_p u_j and the cosine between u_j and W_p u_j, sign kept, each (..., d).

    Args:
        WU: W_p u_j as columns, or their parts in a subspace.
        U: eigenvectors of F in the same coordinates.
        outside: A^T A of the part A of W_p that leads out of the subspace; its share of |W_p u_j| counts.

    Source: Tian, Chen, Ganguli 2021, Fig. 2.
    """
    p, length = np.sum(U * WU, axis=-2), np.sum(WU**2, axis=-2)
    length = length if outside is None else length + along(outside, U)
    return p, ratio(p, np.sqrt(length))


def prediction_square(s: Array, p: Array, cosine: Array) -> Array:
    """Return E|W_p z|^2 = sum_j s_j |W_p u_j|^2 of eigenvalues s of F and (p, cosine) of `alignment`; NaN left out."""
    return np.asarray(np.nansum(s * ratio(p, cosine) ** 2, axis=-1))


def random_alignment(W_p: Array, modes: int, seed: int = 0, rotations: int = 64) -> Array:
    """Return the cosine's null: its mean over `modes` random orthonormal u_j, one per rotation, (rotations, ...)."""
    rng = np.random.default_rng([seed, 0xA119])
    found = []
    for _ in range(rotations):
        U = np.linalg.qr(rng.standard_normal((W_p.shape[-1], modes)))[0]
        found.append(np.mean(alignment(W_p @ U, U)[1], axis=-1))
    return np.stack(found)


def tau(H: Array, F: Array) -> Array:
    """Return the best scalar tau = tr H / tr F of W_a = tau W, H = W_a W^T and F = W W^T (or E[t z^T], E[z z^T])."""
    return ratio(trace(H), trace(F))


def tau_per_mode(H: Array, s: Array, U: Array) -> Array:
    """Return u_j^T H u_j / s_j, (..., d)."""
    return ratio(along(H, U), s)


def cosine(product: Any, size: Any, other: Any) -> Array:
    """Return <a, b> / sqrt(<a, a> <b, b>) of these three: 1 where a = tau b, tau > 0 (Assumption 1, Fig. 7)."""
    return ratio(product, np.sqrt(np.asarray(size) * other))


def commutator_norm(F: Array, W_p: Array) -> Array:
    """Return ||[F, W_p]|| (the L of Theorem 3)."""
    return norm(F @ W_p - W_p @ F)


def commutator_share(F: Array, W_p: Array, commutator: Array | None = None) -> Array:
    """Return ||[F, W_p]|| / (||F|| ||W_p||), free of scale, 0 to 2; `commutator` is its numerator where it is known."""
    return ratio(commutator_norm(F, W_p) if commutator is None else commutator, norm(F) * norm(W_p))


def commutator_sq(s: Array, W_p: Array) -> Array:
    """Return ||[F, W_p]||^2 = sum_ij (s_i - s_j)^2 (W_p)_ij^2, W_p in the basis of F's eigenvectors (`turned`)."""
    return np.asarray(np.sum(((s[..., :, None] - s[..., None, :]) * W_p) ** 2, axis=(-2, -1)))


def random_commutator_sq(s: Array, W_p: Array) -> Array:
    """Return the mean of ||[F, Q W_p Q^T]||^2 over all rotations Q, F with eigenvalues s: the commutator's null.

    The multiples of I, the traceless symmetric and the antisymmetric matrices are each carried into themselves by
    rotations and have no invariant part, so that all directions of each hold the same mean square:
    E M_ij^2 = ||A||^2 / ((d - 1)(d + 2)) + ||B||^2 / (d (d - 1)) for i != j, A the traceless symmetric and B the
    antisymmetric part of W_p.

    Args:
        s: eigenvalues of F, (..., d), d >= 2.
        W_p: matrices in any basis.
    """
    d = s.shape[-1]
    symmetric, antisymmetric = (W_p + transposed(W_p)) / 2, (W_p - transposed(W_p)) / 2
    whole, B = inner(W_p, W_p), inner(antisymmetric, antisymmetric)
    A = inner(symmetric, symmetric) - trace(W_p) ** 2 / d
    A, B = (np.where(part > _NOTHING * whole, part, 0.0) for part in (A, B))
    gaps = 2 * (d * np.sum(s**2, axis=-1) - np.sum(s, axis=-1) ** 2)
    return np.asarray(gaps * (A / ((d - 1) * (d + 2)) + B / (d * (d - 1))))


def gram(W_p: Array) -> Array:
    """Return W_p^T W_p."""
    return np.asarray(transposed(W_p) @ W_p)


def balance(F: Array, W_p: Array, alpha_p: float) -> Array:
    """Return F - W_p^T W_p / alpha_p, (..., d, d), which is exp(-2 eta t) C in Theorem 1 (Eq. 5)."""
    return F - gram(W_p) / alpha_p


def balance_residual(F: Array, G: Array, alpha_p: float, memory: Any = 0.0) -> Array:
    """Return ||F - G / alpha_p - M|| / (||F|| + ||G|| / alpha_p), how far Theorem 1 is from holding.

    What is balanced stands on both sides of the theorem, so that both sizes divide: the residual is free of scale, the
    same whichever side it is read from, 0 where the theorem holds and never above 1 for M = 0. Three variants: along a
    run M = exp(-2 eta t) C is known and the residual is the error of the run; of one reading M is not known and taken
    as 0 (the balanced state); where alpha_p is not known either, `balance_residual_fitted` is the smallest over it.

    Args:
        F: W W^T (or E[z z^T], which holds the scale of the data besides).
        G: W_p^T W_p, or W_1^T W_1 of a deep predictor's first layer.
        alpha_p: learning-rate ratio, > 0.
        memory: M = exp(-2 eta t) C.

    Source: Tian, Chen, Ganguli 2021, Theorem 1 (Eq. 5).
    """
    return ratio(norm(F - G / alpha_p - memory), norm(F) + norm(G) / alpha_p)


def balance_residual_fitted(F: Array, G: Array) -> tuple[Array, Array]:
    """Return (residual, c): the smallest ||F - c G|| / (||F|| + c ||G||) over c > 0, and the c that gives it.

    With theta the angle between F and G, the square is 1 - 2 (1 + cos theta) k / (1 + k)^2 at c = k ||F|| / ||G||,
    smallest at k = 1: c = ||F|| / ||G||, an estimate of 1/alpha_p that is the same whichever side is fitted to the
    other, and the residual sin(theta / 2), never above that of any given alpha_p. PSD matrices end at 0.71; independent
    square weights have theta = 60 degrees and 0.5. NaN where F or G is 0.
    """
    f, g = norm(F)[..., None, None], norm(G)[..., None, None]
    return norm(ratio(F, f) - ratio(G, g)) / 2, np.where(f > 0, ratio(f, g), np.nan)[..., 0, 0]


def slope(p: Array, s: Array) -> tuple[Array, Array]:
    """Return (slope, its standard error) of log p on log s by least squares, over the modes with p > 0 and s > 0.

    1/2 where p_j ~ sqrt(s_j), as balance has it (Eq. 14 with c = 0) and DirectPred sets it (Eq. 18). The error is that
    of independent scatter of log p; NaN with fewer than three modes, the slope with fewer than two or equal s.
    """
    alive = (p > 0) & (s > 0)
    n = alive.sum(axis=-1, keepdims=True)
    x, y = (np.where(alive, np.log(np.where(alive, a, 1.0)), 0.0) for a in (s, p))
    x, y = (np.where(alive, a - a.sum(axis=-1, keepdims=True) / np.maximum(n, 1), 0.0) for a in (x, y))
    size = np.sum(x * x, axis=-1)
    found = ratio(np.sum(x * y, axis=-1), size)
    rest, free = np.sum((y - found[..., None] * x) ** 2, axis=-1), n[..., 0] - 2
    return found, np.sqrt(ratio(rest, np.where(free > 0, free * size, 0.0)))


def entropy_rank(values: Array) -> Array:
    """Return exp of the entropy of non-negative numbers (..., n) normalised to sum 1: n if all equal.

    The effective rank of F where these are its eigenvalues (Roy and Vetterli 2007), RankMe where they are the features'
    singular values sqrt(s) (Garrido et al. 2023).
    """
    share = ratio(values, values.sum(axis=-1, keepdims=True))
    log = np.log(np.where(share > 0, share, 1.0))
    return np.asarray(np.exp(-np.sum(share * log, axis=-1)))


def rankme(s: Array) -> Array:
    """Return `entropy_rank` of sqrt(s), the singular values of the features; negative s (round-off) count as 0."""
    return entropy_rank(np.sqrt(np.maximum(s, 0.0)))


def stable_rank(sigma: Array) -> Array:
    """Return ||M||_F^2 / ||M||_2^2 from singular values (..., n), largest first."""
    return ratio(np.sum(sigma**2, axis=-1), sigma[..., 0] ** 2)


def concentration(s: Array) -> Array:
    """Return the largest eigenvalue of F over tr F, 1/d (isotropic) to 1; negative s (round-off) count as 0."""
    positive = np.maximum(s, 0.0)
    return ratio(positive[..., 0], positive.sum(axis=-1))


def std_of_unit(mean: Array, square: Array, samples: Any) -> Array:
    """Return the mean over dimensions of the standard deviation of l2-normalised features, 1/sqrt(d) if isotropic.

    Args:
        mean: E[u], u = z / ||z||, (..., d).
        square: E[u^2] by entry, (..., d).
        samples: N, for the unbiased variance.

    Source: Chen and He 2021 (SimSiam).
    """
    n = np.asarray(samples, dtype=float)[..., None]
    variance = np.maximum(square - mean**2, 0.0) * n / np.maximum(n - 1, 1.0)
    return np.asarray(np.mean(np.sqrt(variance), axis=-1))


def spread_sq(M: Array, s: Array, k: int) -> Array:
    """Return the squared coefficient of variation of the eigenvalues of D^(-1/2) M D^(-1/2), D = diag(s), k modes.

    It is k tr(A^2) / (tr A)^2 - 1, and 0 where M is a multiple of D on these modes.

    Args:
        M: symmetric, (..., m, m), in the eigenbasis of F.
        s: eigenvalues of F, (..., m).
        k: how many of the leading modes.
    """
    root = np.sqrt(np.maximum(s[..., :k], TINY))
    A = M[..., :k, :k] / (root[..., :, None] * root[..., None, :])
    return ratio(k * inner(A, A), trace(A) ** 2) - 1


def asymmetry_sq(W_p: Array) -> Array:
    """Return ||W_p - W_p^T||^2 / ||W_p||^2: 0 symmetric, 4 antisymmetric; 2 on average for independent entries."""
    odd = W_p - transposed(W_p)
    return ratio(inner(odd, odd), inner(W_p, W_p))


def asymmetry(W_p: Array) -> Array:
    """Return ||W_p - W_p^T|| / ||W_p||, 0 to 2."""
    return np.sqrt(asymmetry_sq(W_p))


def projection_sq(spectrum: Array, size: Array) -> Array:
    """Return min over scales a and orthogonal projections Q of ||W_p - a Q||^2 / ||W_p||^2.

    Of all projections of rank k the top k eigenvectors of the symmetric part serve best, with a = (their eigenvalues'
    sum) / k, which leaves ||W_p||^2 - (sum)^2 / k.

    Args:
        spectrum: eigenvalues of the symmetric part, largest first.
        size: ||W_p||^2.
    """
    sums = np.maximum(np.cumsum(spectrum, axis=-1), 0.0)
    captured = np.max(sums**2 / np.arange(1, spectrum.shape[-1] + 1), axis=-1)
    return np.asarray(np.maximum(1 - ratio(captured, size), 0.0))


def polar_sq(sigma: Array) -> Array:
    """Return min over scales a of ||W_p - a R||^2 / ||W_p||^2, R the polar factor, from singular values (..., d).

    Of all a the mean singular value serves best, which leaves ||W_p||^2 - (sum of singular values)^2 / d.
    """
    size = np.sum(sigma**2, axis=-1)
    return np.asarray(np.maximum(1 - ratio(np.sum(sigma, axis=-1) ** 2, sigma.shape[-1] * size), 0.0))


def shape_of(W_p: Array) -> dict[str, Array]:
    """Return asymmetry_sq, negative_share, projection_sq, polar_sq, stable_rank and trace of matrices by name.

    negative_share is the sum of |negative eigenvalues| over that of all |eigenvalues| of the symmetric part, 0 to 1.
    All are the same for W_p and P = W_p^T.

    Source: Richemond et al. 2023, claims 5 (projection), 8 (stable rank, trace), 9 (polar).
    """
    spectrum, sigma = symmetric_spectrum(W_p), np.linalg.svd(W_p, compute_uv=False)
    return {
        "asymmetry_sq": asymmetry_sq(W_p),
        "negative_share": ratio(np.sum(np.maximum(-spectrum, 0.0), axis=-1), np.sum(np.abs(spectrum), axis=-1)),
        "projection_sq": projection_sq(spectrum, inner(W_p, W_p)),
        "polar_sq": polar_sq(sigma),
        "stable_rank": stable_rank(sigma),
        "trace": trace(W_p),
    }


def nearest_map(C: Array, C_qz: Array, size: Array, round_off: float = ROUND_OFF) -> Array:
    """Return the W_p of the affine map W_p z + b nearest to q: Cov(q, z) (Cov z + r I)^-1.

    Args:
        C: Cov z.
        C_qz: Cov(q, z).
        size: E ||z||^2 / d, mean features included: of constant features C is round-off of z z^T alone.
        round_off: of the sums that C was made from, with room.

    Returns:
        W_p, with r = DAMPING tr C / d, or the round-off where that is more.
    """
    d = C.shape[-1]
    ridge = np.maximum(np.maximum(DAMPING * trace(C) / d, round_off * size), TINY)
    damped = (C + transposed(C)) / 2 + ridge[..., None, None] * np.eye(d)
    return transposed(np.linalg.solve(damped, transposed(C_qz)))


def explained_share(W_p: Array, C: Array, C_qz: Array, total: Any) -> Array:
    """Return the share of q's variance that W_p z + b explains with the best b; NaN where q does not vary.

    Args:
        W_p: any map; the share is negative where it is worse than a constant.
        C: Cov z.
        C_qz: Cov(q, z).
        total: tr Cov q.
    """
    explained = 2 * inner(W_p, C_qz) - inner(W_p @ C, W_p)
    return ratio(explained, np.where(np.asarray(total) > 0, total, 0.0))
