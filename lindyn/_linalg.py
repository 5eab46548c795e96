"""Linear algebra shared by moments, conversions and observables."""

import numpy as np


def nested_eigh(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues (descending) and eigenvectors of A, turned to diagonalise B inside repeated eigenvalues.

    For commuting symmetric A and B the basis diagonalises both.
    """
    a, U = np.linalg.eigh(A)
    a, U = a[::-1].copy(), U[:, ::-1].copy()
    tolerance = 1e-9 * max(float(np.max(np.abs(a), initial=0.0)), np.finfo(float).tiny)
    edges = np.flatnonzero(np.abs(np.diff(a)) > tolerance) + 1
    for block in np.split(np.arange(len(a)), edges):
        if len(block) > 1:
            _, R = np.linalg.eigh(U[:, block].T @ B @ U[:, block])
            U[:, block] = U[:, block] @ R
    return a, U


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
