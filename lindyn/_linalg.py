"""Linear algebra shared by moments, conversions and observables, and its threads."""

import contextlib
import os

import numpy as np

_GAP = 1e-9  # eigenvalues closer than this share of their spread count as repeated
_FAINT = 1e-9  # of the largest eigenvalue: below is round-off of float32 sums
_FLOOR = 1e-14  # a matrix whose eigenvalues spread less than this share of its size is a multiple of the identity


def nested_eigh(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues (descending) and eigenvectors of A, turned to diagonalise B inside repeated eigenvalues.

    For commuting symmetric A and B the basis diagonalises both, to round-off where either tells directions apart.
    """
    scale_A, scale_B = (max(float(np.linalg.norm(M)), np.finfo(float).tiny) for M in (A, B))
    A_1, B_1 = A / scale_A, B / scale_B
    V = _turn(A_1, B_1)
    if np.linalg.norm(A_1 @ B_1 - B_1 @ A_1) <= 1e-13 * np.sqrt(len(A)):
        for _ in range(3):
            V = _polish(A_1, B_1, V)
    a = np.einsum("ij,ij->j", V, A @ V)
    order = np.argsort(-a, kind="stable")
    return a[order], V[:, order]


def _turn(A: np.ndarray, B: np.ndarray, other_is_flat: bool = False) -> np.ndarray:
    """Return eigenvectors of A; inside repeated eigenvalues those of B; inside what both repeat those of A again."""
    if len(A) == 1:
        return np.eye(1)
    a, U = np.linalg.eigh(A)
    spread = a[-1] - a[0]
    if spread <= _FLOOR:
        return np.eye(len(A)) if other_is_flat else _turn(B, A, other_is_flat=True)
    for block in np.split(np.arange(len(a)), np.flatnonzero(np.diff(a) > _GAP * spread) + 1):
        if len(block) > 1:
            part = U[:, block]
            U[:, block] = part @ _turn(part.T @ B @ part, part.T @ A @ part)
    return U


def _polish(A: np.ndarray, B: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Return V after one Newton step towards the basis in which commuting A and B are both diagonal."""
    A_V, B_V = V.T @ A @ V, V.T @ B @ V
    gap_A, gap_B = (np.subtract.outer(np.diag(M), np.diag(M)) for M in (A_V, B_V))
    size = gap_A**2 + gap_B**2
    angle = -np.divide(gap_A * A_V + gap_B * B_V, size, out=np.zeros_like(size), where=size > _FLOOR**2)
    angle[np.abs(angle) > 1e-3] = 0.0
    Q, R = np.linalg.qr(V + V @ angle)
    return Q * np.sign(np.diag(R))


def ratio(part: float, whole: float) -> float:
    """Return part / whole, and 0 for 0 / 0."""
    return part / whole if whole > 0 else 0.0


def clip_negative(M: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the nearest PSD matrix in Frobenius norm and the norm of what was cut away."""
    values, vectors = np.linalg.eigh(M)
    negative = values[values < 0]
    if len(negative) == 0:
        return M, 0.0
    kept = np.maximum(values, 0.0)
    return (vectors * kept) @ vectors.T, float(np.linalg.norm(negative))


SMALL = 300  # up to this size a second BLAS thread costs more in waiting than it computes


def available_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_thread(size: int) -> contextlib.AbstractContextManager:
    """Return a context in which BLAS uses one thread where the largest matrix side is small.

    On a busy machine the threads of a small product wait for each other: an eigenproblem of 64 x 64 took 2 s with two
    threads and 0.04 s with one.
    """
    if size > SMALL:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")


WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}  # GNU's and Intel's OpenMP; about 40 microseconds, and none


def wait_quietly() -> None:
    """Let OpenMP's threads sleep while they wait for each other, unless the environment says how they wait.

    By default they spin, for milliseconds: on a busy machine they take the time of the very thread that they wait for.
    OpenMP reads this when it is loaded, so that it has to be called before torch is imported; processes that are
    started from here inherit it.
    """
    if not {"OMP_WAIT_POLICY", *WAITING} & set(os.environ):
        os.environ.update(WAITING)


def parts_of(F: np.ndarray, X: np.ndarray, X_aug: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return X and X' that sum to F itself, each positive: the shares of X in X + X', in the metric of F.

    X and X' are of both views and F of the first, so that X + X' is another sample of F: its eigenvectors are others
    where eigenvalues lie close, and p_j = u_j^T W_p u_j of a W_p that does not yet know F is another number. The theory
    starts from the F that it is held against. With X + X' = L L^T the share is L^+ X L^{+T}, between 0 and 1.
    """
    s, U = np.linalg.eigh((X + X_aug + (X + X_aug).T) / 2)
    kept = s > _FAINT * s[-1]
    if not kept.any():
        return X, X_aug
    root = np.sqrt(s[kept])
    share = (U[:, kept].T / root[:, None]) @ X @ (U[:, kept] / root)
    r, V = np.linalg.eigh((share + share.T) / 2)
    seen, B = np.clip(r, 0.0, 1.0), U[:, kept] @ V
    half = _root(F) @ B
    X = (half * seen) @ half.T
    return X, F - X


def _root(F: np.ndarray) -> np.ndarray:
    """Return the symmetric root of a positive matrix."""
    s, U = np.linalg.eigh((F + F.T) / 2)
    return (U * np.sqrt(np.maximum(s, 0.0))) @ U.T
