"""Where the flow under the regression predictor (LRP, W_p = H F^-1) goes, for X and X' that need not commute.

With W_a = W and F = W S W^T, S = X + X', the exact regression has G W^T = H - W_p F = 0, so that W W^T only decays,
d(W W^T)/dt = -2 eta W W^T: what moves is the row space of W. It rests exactly where the rows span directions with
X v = lambda S v (for X > 0); W_p has their lambda = (share of the views' variance that the sample keeps) as its
eigenvalues. Near such rows, W = C (V_I + V_J Z)^T with V^T S V = I and B = C^T C,

    dZ^T/dt = B^-1 Lambda_I B (Z^T Lambda_J - Lambda_I Z^T) V_J^T S^2 V_J.

For one output the largest lambda alone attracts (lambda(w) = w X w^T / w S w^T never falls), and so do the largest
ones where B commutes with Lambda_I (white views and W W^T = c I, say). In general B decides, that is the start does:
other sets of directions can attract too.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief

MOST_SETS = 100_000


def regression_directions(X: Any, X_aug: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (lambda, V) with X V = S V diag(lambda), V^T S V = I, S = X + X', largest lambda first.

    Args:
        X: second moment of the sample means, n1 x n1, symmetric PSD.
        X_aug: X', n1 x n1, symmetric PSD.

    Returns:
        lambda, n1, in 0..1, and V, n1 x n1 with the directions as columns.

    Raises:
        ValueError: matrices that are not PSD or of one size, or X + X' singular.
    """
    from scipy.linalg import eigh

    X = _checks.to_numpy(_checks.as_psd("X", X))
    S = X + _checks.to_numpy(_checks.as_psd("X_aug", X_aug, n=X.shape[0]))
    size = np.linalg.eigvalsh(S)
    if size[0] <= 1e-12 * size[-1]:
        raise ValueError(
            f"X + X' must have full rank; got smallest eigenvalue {size[0]:.3g} of {size[-1]:.3g}. "
            "Leave out the directions in which the views do not vary."
        )
    values, V = eigh(X, S)
    return np.clip(values[::-1], 0.0, 1.0), V[:, ::-1]


def regression_subspace(X: Any, X_aug: Any, k: int) -> np.ndarray:
    """Return an orthonormal basis of the k directions of largest lambda, X v = lambda (X + X') v.

    To these the rows of W turn from every start for k = 1, and from most starts for k > 1 (see `regression_rest` for
    whether others attract too).

    Args:
        X: n1 x n1, PSD.
        X_aug: X', n1 x n1, PSD.
        k: number of outputs, 1 <= k <= n1.

    Returns:
        n1 x k with orthonormal columns.

    Raises:
        ValueError: k out of range, or as `regression_directions`.
    """
    _, V = regression_directions(X, X_aug)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= len(V):
        raise ValueError(f"k must be a whole number from 1 to n1 = {len(V)}; got {k!r}.")
    return np.linalg.qr(V[:, :k])[0]


@dataclass(frozen=True, eq=False, repr=False)
class RegressionRest(Brief):
    """The resting row space next to given weights, and whether it attracts.

    Args:
        chosen: which directions it spans, numbered from the largest lambda.
        values: lambda of all directions, largest first.
        distance: sine of the largest angle between the rows of W and that space.
        growth: growth rates of small departures, n2 (n1 - n2) complex numbers; all negative real parts: attracting.
    """

    chosen: tuple[int, ...]
    values: np.ndarray
    distance: float
    growth: np.ndarray

    @property
    def attracting(self) -> bool:
        """Whether every small departure dies out."""
        return bool(np.all(self.growth.real < 0))

    @property
    def largest(self) -> bool:
        """Whether it spans the directions of largest lambda."""
        return self.chosen == tuple(range(len(self.chosen)))


def regression_rest(W: Any, X: Any, X_aug: Any, chosen: tuple[int, ...] | None = None) -> RegressionRest:
    """Return the resting row space next to W, or a chosen one, with the growth rates of departures at eta = 0.

    Args:
        W: online weights, n2 x n1, of full row rank; C of the module's formula is W S V_I.
        X: n1 x n1, PSD.
        X_aug: X', n1 x n1, PSD.
        chosen: numbers of the directions, default those nearest to the rows of W.

    Returns:
        The `RegressionRest`.

    Raises:
        ValueError: shapes that do not fit, too many sets to look through, or as `regression_directions`.
    """
    values, V = regression_directions(X, X_aug)
    W = _checks.to_numpy(_checks.as_array("W", W, ndim=2))
    (n2, n1), S = W.shape, _checks.to_numpy(X) + _checks.to_numpy(X_aug)
    if n1 != len(V) or n2 > n1:
        raise ValueError(f"W must be n2 x n1 with n1 = {len(V)} >= n2; got shape {W.shape}.")
    if chosen is None:
        from math import comb

        if comb(n1, n2) > MOST_SETS:
            raise ValueError(f"{comb(n1, n2)} sets of directions are too many to look through; give chosen=.")
        chosen = min(combinations(range(n1), n2), key=lambda I: _angle(W, V[:, list(I)]))
    I = list(chosen)
    J = [j for j in range(n1) if j not in I]
    C, P = W @ S @ V[:, I], V[:, J].T @ S @ S @ V[:, J]
    B = C.T @ C
    units = np.eye(n2 * len(J)).reshape(-1, n2, len(J))
    moved = departure_rate(units, np.linalg.inv(B), B, np.diag(values[I]), np.diag(values[J]), P)
    growth = np.linalg.eigvals(moved.reshape(len(units), -1).T) if J else np.zeros(0)
    return RegressionRest(tuple(I), values, _angle(W, V[:, I]), growth)


def departure_rate(Zt: Any, B_inv: Any, B: Any, L_I: Any, L_J: Any, P: Any) -> Any:
    """Return dZ^T/dt = B^-1 Lambda_I B (Z^T Lambda_J - Lambda_I Z^T) P of a small departure; arrays or symbols.

    Args:
        Zt: Z^T, n2 x m, or a stack of such.
        B_inv: B^-1.
        B: C^T C, n2 x n2.
        L_I: lambda of the directions that the rows span, on a diagonal.
        L_J: of the others.
        P: V_J^T S^2 V_J.
    """
    return B_inv @ L_I @ B @ (Zt @ L_J - L_I @ Zt) @ P


def _angle(W: np.ndarray, V: np.ndarray) -> float:
    """Return the sine of the largest angle between the rows of W and the columns of V."""
    rows, basis = np.linalg.qr(W.T)[0], np.linalg.qr(V)[0]
    return float(np.linalg.norm(rows - basis @ (basis.T @ rows), 2))
