"""What can live at a fixed point of the full flow: per direction, without commuting X and X', and at most.

Write S = X + X' and take a fixed point of Lemma 1 with W_a = W (as at every one with beta > 0) and decays eta_p > 0,
eta_s > 0. Its two equations give W_p^T W_p = c F with F = W W^T and c = alpha_p eta_s / eta_p; on the range of W, where
P = W_p is invertible, W = c^(-1/2) P^T T^T with T orthonormal, n1 x rank, and what is left is

    X T P = S T P P^T + eta_s T                                                               (*)

- One mode: (p X - p^2 S) q = eta_s q, |q| = 1, a quadratic eigenproblem, exact for any X, X' (`single_modes`). If X and
  X' commute, q is a common eigenvector and p+- = (x +- sqrt(x^2 - 4 eta_s (x + x'))) / (2 (x + x')), which is real
  only for eta_s <= x^2 / (4 (x + x')). Several modes obey it together only if their q are orthogonal.
- Per direction, with x' read off the diagonal of V^T X' V: the root p of v^T (p X - p^2 S) v = eta_s is a Rayleigh
  functional, stationary at eigenvectors, so that p, s and the threshold of this prediction err only at second order in
  the off-diagonal part of X'.
- Which of them: at rest in commuting data, W + e u_j v_k^T with j alive and k dead grows at the sign of
  p_j x_k - p_j^2 (x_k + x'_k) - eta_s, so that p_j must lie outside (p-_k, p+_k) or the output of mode j turns towards
  v_k. The start and n2 decide how many modes live; which ones, the largest p+ do.
- At most: with Z = S^(1/2) T and A = T^T X T = Z^T Z P P^T P^(-1) + eta_s P^(-1) from (*), T^T X S^(-1) X T
  >= A (Z^T Z)^(-1) A >= 4 eta_s P^(-T) P P^T P^(-1), whose determinant is (4 eta_s)^rank. So rank k needs
  prod_{j<=k} lambda_j >= (4 eta_s)^k, lambda_j the eigenvalues of X S^(-1) X, and lambda_k >= 4 eta_s if P is normal.
- For k = 1 it holds along every path: d||W||^2/dt <= (lambda_1/2) ||W_a||^2 - 2 eta_s ||W||^2 whatever W_p does, so
  that eta_s > lambda_1/4 is collapse from every start; with W_a = W, ||W(t)|| <= exp(-(eta_s - lambda_1/4) t) ||W(0)||.

Commuting X, X' have lambda_j / 4 = x^2 / (4 (x + x')), and all of these are the theory's one statement.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments

REAL = 1e-7  # relative imaginary part up to which a root of the quadratic eigenproblem is real


def survival_threshold(x: Any, x_aug: Any) -> np.ndarray:
    """Return x^2 / (4 (x + x_aug)), the decay above which a mode must die (0 where there is neither data nor noise).

    Args:
        x: eigenvalues of X, >= 0.
        x_aug: eigenvalues of X', >= 0.

    Returns:
        The thresholds, of the broadcast shape.
    """
    x, v = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.add(x, x_aug))
    return np.divide(x * x, 4 * v, out=np.zeros(v.shape), where=v > 0)


def threshold_slopes(x: Any, x_aug: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivatives of the threshold: l (2 - l) / 4 by x and -l^2 / 4 by x', with l = x / (x + x')."""
    x, v = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.add(x, x_aug))
    ratio = np.divide(x, v, out=np.zeros(v.shape), where=v > 0)
    return ratio * (2 - ratio) / 4, -(ratio**2) / 4


def cautious_error(moments: Moments, x: np.ndarray, x_aug: np.ndarray) -> np.ndarray:
    """Return a bound on the sampling error of each threshold from those of X and X' alone (nan if they have none).

    |dx| <= ||dX||_F: every direction is charged with the error of all of them.
    """
    if moments.sampling is None:
        return np.full(len(x), np.nan)
    by_x, by_x_aug = threshold_slopes(x, x_aug)
    return np.hypot(by_x * moments.sampling.X, by_x_aug * moments.sampling.X_aug)


@dataclass(frozen=True, repr=False)
class SingleModes(Brief):
    """Exact one-mode fixed points for any X, X': (p X - p^2 (X + X')) q = eta_s q, on the upper branch.

    Args:
        p: eigenvalues of W_p, largest first.
        s: eigenvalues of F, (eta_p / eta_s) p^2 / alpha_p.
        q: unit directions as columns, n1 x modes; orthogonal only if X and X' commute.
    """

    p: np.ndarray
    s: np.ndarray
    q: np.ndarray


@dataclass(frozen=True, repr=False)
class Prediction(Brief):
    """What the theory says of the directions v_j, the eigenvectors of X (largest x first).

    Args:
        x: eigenvalues of X, length n1.
        x_aug: v_j^T X' v_j, the eigenvalues of X' if it commutes with X.
        V: the v_j as columns.
        threshold: x^2 / (4 (x + x')).
        threshold_error: its standard error (nan when the moments have none).
        can_live: eta_s < threshold.
        p: eigenvalue of W_p of a living mode, 0 where none can live.
        s: eigenvalue of F of a living mode, 0 where none can live; inf where it grows for ever (eta_s = 0 < eta_p).
        single: the prediction that does not assume commuting, None where it was left out.
        bound: eigenvalues of X (X + X')^(-1) X / 4, largest first.
        largest_rank: no fixed point has more living modes than this.
        normal_rank: no fixed point whose W_p is normal (symmetric, say) has more living modes than this.
    """

    x: np.ndarray
    x_aug: np.ndarray
    V: np.ndarray
    threshold: np.ndarray
    threshold_error: np.ndarray
    can_live: np.ndarray
    p: np.ndarray
    s: np.ndarray
    single: SingleModes | None
    bound: np.ndarray
    largest_rank: int
    normal_rank: int


def predict(
    moments: Moments, hp: Hyperparameters, single: bool = True, threshold_error: np.ndarray | None = None
) -> Prediction:
    """Return what can live; how many of the modes that can do live is up to the start (its basin) and n2.

    Args:
        moments: X and X'.
        hp: the rates; alpha_p > 0. With eta_p = 0 < eta_s nothing can live; with eta_s = 0 everything can.
        single: also solve the quadratic eigenproblem (a dense one of size 2 n1).
        threshold_error: standard errors of the thresholds; default a cautious bound from the errors of X and X'.

    Returns:
        The `Prediction`.

    Raises:
        ValueError: alpha_p = 0.
    """
    _checks.as_scalar("alpha_p", hp.alpha_p, minimum=0.0, exclusive=True, fix="Without it W_p only decays.")
    x, x_aug, V = moments.joint_spectrum()
    x, x_aug = np.maximum(x, 0.0), np.maximum(x_aug, 0.0)
    threshold = survival_threshold(x, x_aug)
    if threshold_error is None:
        threshold_error = cautious_error(moments, x, x_aug)
    can_live = (threshold > hp.eta_s) & ((hp.eta_p > 0) | (hp.eta_s == 0))
    v = np.where(can_live, x + x_aug, 1.0)
    p = np.where(can_live, (x + np.sqrt(np.maximum(x * x - 4 * hp.eta_s * v, 0.0))) / (2 * v), 0.0)
    bound = collapse_bounds(moments)
    return Prediction(
        x=x,
        x_aug=x_aug,
        V=V,
        threshold=threshold,
        threshold_error=threshold_error,
        can_live=can_live,
        p=p,
        s=living_correlation(p, hp),
        single=single_modes(moments, hp) if single else None,
        bound=bound,
        largest_rank=largest_rank(bound, hp),
        normal_rank=largest_rank(bound, hp, normal=True),
    )


def living_correlation(p: np.ndarray, hp: Hyperparameters) -> np.ndarray:
    """Return s = (eta_p / eta_s) p^2 / alpha_p, from dp/dt = ds/dt = 0 (Eqs. 11-12) and 0 for p = 0.

    Without any decay s - p^2/alpha_p never changes (Eq. 14): p^2/alpha_p is then the value for starts on the parabola.
    With decay of the predictor alone s grows without end.
    """
    if hp.eta_s > 0:
        return hp.eta_p / hp.eta_s * p * p / hp.alpha_p
    return p * p / hp.alpha_p if hp.eta_p == 0 else np.where(p > 0, np.inf, 0.0)


def single_modes(moments: Moments, hp: Hyperparameters) -> SingleModes:
    """Return the exact one-mode fixed points of the full flow for any X, X'.

    (p X - p^2 S) q = eta_s q, S = X + X', is linearised in mu = 1/p (eta_s mu^2 - mu X + S), and of its real roots
    those with 2 p q^T S q > q^T X q are kept: the upper branch, p+ of commuting moments. At eta_s = 0 it is
    the generalised eigenproblem X q = p S q.

    Args:
        moments: X and X', n1 x n1.
        hp: the rates, alpha_p > 0.

    Returns:
        The modes, at most n1 in the commuting case; none with eta_p = 0 < eta_s.
    """
    X, S, n1 = np.asarray(moments.X), np.asarray(moments.Sigma_s), moments.n1
    if hp.eta_s == 0:
        p, q = _generalised(X, S)
    elif hp.eta_p == 0:
        p, q = np.zeros(0), np.zeros((n1, 0))
    else:
        companion = np.block([[np.zeros((n1, n1)), np.eye(n1)], [-S / hp.eta_s, X / hp.eta_s]])
        mu, vectors = np.linalg.eig(companion)
        real = (np.abs(mu.imag) <= REAL * np.abs(mu)) & (mu.real > 0.5)  # p <= 1 for every mode, so mu >= 1
        p, q = 1 / mu[real].real, vectors[:n1, real].real
        q = q / np.linalg.norm(q, axis=0)
        upper = 2 * p * np.einsum("ij,ij->j", q, S @ q) > np.einsum("ij,ij->j", q, X @ q)
        p, q = p[upper], q[:, upper]
    order = np.argsort(-p)
    return SingleModes(p[order], living_correlation(p[order], hp), q[:, order])


def _inverse_root(S: np.ndarray) -> np.ndarray:
    """Return S^(-1/2) on the range of S, n1 x rank."""
    values, vectors = np.linalg.eigh(S)
    kept = values > 1e-12 * max(float(values[-1]), 0.0)
    return vectors[:, kept] / np.sqrt(values[kept])


def _generalised(X: np.ndarray, S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    root = _inverse_root(S)
    p, vectors = np.linalg.eigh(root.T @ X @ root)
    q = root @ vectors[:, p > 1e-12]
    return p[p > 1e-12], q / np.linalg.norm(q, axis=0)


def collapse_bounds(moments: Moments) -> np.ndarray:
    """Return the eigenvalues of X (X + X')^(-1) X / 4, largest first; eta_s above the first means certain collapse."""
    half = _inverse_root(np.asarray(moments.Sigma_s)).T @ np.asarray(moments.X)
    values = np.zeros(moments.n1)
    singular = np.linalg.svd(half, compute_uv=False)
    values[: len(singular)] = singular**2 / 4
    return values


def largest_rank(bound: np.ndarray, hp: Hyperparameters, normal: bool = False) -> int:
    """Return the largest k whose k leading bounds have a geometric mean >= eta_s: no fixed point has more modes.

    Args:
        bound: from `collapse_bounds`, descending.
        hp: the rates. With eta_p = 0 < eta_s nothing can live; with eta_s = 0 only the rank of X limits.
        normal: among fixed points with a normal W_p; the k-th bound itself must then be at least eta_s.

    Returns:
        The number.
    """
    if hp.eta_s == 0:
        return int(np.count_nonzero(bound > 1e-14 * bound[0]))
    if hp.eta_p == 0:
        return 0
    if normal:
        return int(np.count_nonzero(bound >= hp.eta_s))
    positive = bound[bound > 0]
    means = np.cumsum(np.log(positive)) / np.arange(1, len(positive) + 1)
    return int(np.count_nonzero(means >= np.log(hp.eta_s)))
