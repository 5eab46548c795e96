"""What a predictor's matrix alone says: symmetry, sign, distance to projections and rotations, rank, trace."""

import numpy as np

_ROUND_OFF = 1e-13  # parts below this share of ||W_p||^2 are round-off, such as those of a multiple of the identity


def shape_of(W_p: np.ndarray) -> dict[str, np.ndarray]:
    """Return numbers of matrices (..., k, k), one per matrix; NaN at 0.

    asymmetry_sq     ||W_p - W_p^T||^2 / ||W_p||^2, 0 to 4; 2 on average for independent entries
    negative_share   sum of |negative eigenvalues| over the sum of all |eigenvalues| of the symmetric part, 0 to 1
    projection_sq    min over scales a and orthogonal projections Q of ||W_p - a Q||^2 / ||W_p||^2
    polar_sq         min over scales a of ||W_p - a R||^2 / ||W_p||^2, R the polar factor of W_p
    stable_rank      ||W_p||_F^2 / ||W_p||_2^2
    trace            tr W_p

    Of all projections of rank k the top k eigenvectors of the symmetric part serve best, with a = (their eigenvalues'
    sum) / k, which leaves ||W_p||^2 - (sum)^2 / k. Of all a, that of the polar factor is the mean singular value,
    which leaves ||W_p||^2 - (sum of singular values)^2 / d. All are the same for W_p and P = W_p^T.

    Args:
        W_p: square matrices.

    Returns:
        Arrays by name.

    Source: Richemond et al. 2023, claims 5, 8, 9.
    """
    transposed = np.swapaxes(W_p, -1, -2)
    size = np.sum(W_p**2, axis=(-2, -1))
    eigen = np.linalg.eigvalsh((W_p + transposed) / 2)[..., ::-1]
    sigma = np.linalg.svd(W_p, compute_uv=False)
    ranks = np.arange(1, eigen.shape[-1] + 1)
    captured = np.max(np.maximum(np.cumsum(eigen, axis=-1), 0.0) ** 2 / ranks, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "asymmetry_sq": np.sum((W_p - transposed) ** 2, axis=(-2, -1)) / size,
            "negative_share": np.sum(np.maximum(-eigen, 0.0), axis=-1) / np.sum(np.abs(eigen), axis=-1),
            "projection_sq": np.maximum(1 - captured / size, 0.0),
            "polar_sq": np.maximum(1 - np.sum(sigma, axis=-1) ** 2 / (sigma.shape[-1] * size), 0.0),
            "stable_rank": size / sigma[..., 0] ** 2,
            "trace": np.trace(W_p, axis1=-2, axis2=-1),
        }


def mean_commutator_sq(s: np.ndarray, W_p: np.ndarray) -> np.ndarray:
    """Return the mean of ||[F, Q W_p Q^T]||^2 over all rotations Q, for the eigenvalues s of F.

    ||[F, M]||^2 = sum_ij (s_i - s_j)^2 M_ij^2 in F's eigenbasis. The multiples of I, the traceless symmetric and the
    antisymmetric matrices are each carried into themselves by rotations and have no invariant part, so that all
    directions of each hold the same mean square: E M_ij^2 = ||A||^2 / ((k - 1)(k + 2)) + ||B||^2 / (k (k - 1)) for
    i != j, A the traceless symmetric and B the antisymmetric part of W_p.

    Args:
        s: eigenvalues of F, (..., k), k >= 2.
        W_p: matrices, (..., k, k), in any basis.

    Returns:
        One number per matrix.
    """
    k = s.shape[-1]
    transposed = np.swapaxes(W_p, -1, -2)
    symmetric, antisymmetric = (W_p + transposed) / 2, (W_p - transposed) / 2
    trace = np.trace(W_p, axis1=-2, axis2=-1)
    whole, B = np.sum(W_p**2, axis=(-2, -1)), np.sum(antisymmetric**2, axis=(-2, -1))
    A = np.sum(symmetric**2, axis=(-2, -1)) - trace**2 / k
    A, B = (np.where(part > _ROUND_OFF * whole, part, 0.0) for part in (A, B))
    gaps = 2 * (k * np.sum(s**2, axis=-1) - np.sum(s, axis=-1) ** 2)
    return gaps * (A / ((k - 1) * (k + 2)) + B / (k * (k - 1)))


def random_alignment(W_p: np.ndarray, modes: int, seed: int = 0, rotations: int = 64) -> np.ndarray:
    """Return the mean cosine between u_j and W_p u_j, j <= modes, for random orthonormal u_j, one per rotation.

    Args:
        W_p: d x d.
        modes: how many directions, 1 to d.
        seed: of the rotations.
        rotations: how many.

    Returns:
        One mean cosine per rotation; NaN for W_p = 0.
    """
    rng = np.random.default_rng([seed, 0xA119])
    found = []
    for _ in range(rotations):
        U = np.linalg.qr(rng.standard_normal((len(W_p), modes)))[0]
        WU = W_p @ U
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.mean(np.sum(U * WU, axis=0) / np.linalg.norm(WU, axis=0)))
    return np.array(found)
