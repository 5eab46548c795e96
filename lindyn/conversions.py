"""Weights <-> correlation <-> modes; a conversion that is not exact says by how much."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks, statistics
from lindyn._linalg import nested_eigh, ratio
from lindyn._records import Record
from lindyn.moments import Moments
from lindyn.states import CorrelationState, GramState, ModeState, ModeWeightState, WeightState

EXACT = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class Conversion(Record):
    """A converted state and what was lost.

    Args:
        state: the new state.
        defects: relative size of what the new description cannot hold, by name; all 0 for an exact one.
        U: eigenbasis of F (columns), n2 x k, when modes were formed.
        V: eigenbasis of the data (columns), n1 x k, when modes were formed from weights.
    """

    state: Any
    defects: dict[str, float]
    U: Any = None
    V: Any = None

    @property
    def defect(self) -> float:
        """The largest of the defects."""
        return max(self.defects.values())

    @property
    def exact(self) -> bool:
        """Whether nothing but round-off was lost."""
        return self.defect <= EXACT


def _norm(M: np.ndarray) -> float:
    return float(np.linalg.norm(M))


def _orthonormal(name: str, columns: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return a basis that was given, checked, or the first columns of the identity."""
    if columns is None:
        return np.eye(*shape)
    columns = _checks.to_numpy(_checks.as_array(name, columns, shape=shape))
    error = float(np.max(np.abs(columns.T @ columns - np.eye(shape[1]))))
    if error > EXACT:
        got = f"got max |{name}^T {name} - I| = {error:.3g}"
        raise ValueError(f"{name} must have orthonormal columns; {got}. Take Q of its QR factors.")
    return columns


def weights_to_gram(state: WeightState) -> Conversion:
    """Return (W_p, F, H, J) of the weights; exact (the flow closes on it for isotropic data)."""
    W, W_p, W_a = (_checks.to_numpy(M) for M in (state.W, state.W_p, state.W_a))
    return Conversion(GramState(W_p, W @ W.T, W_a @ W.T, W_a @ W_a.T), {"none": 0.0})


def weights_to_correlation(state: WeightState) -> Conversion:
    """Return (W_p, F, tau) with tau = tr(W_a W^T)/tr(F); defect ||W_a - tau W|| / ||W_a|| (Assumption 1)."""
    W, W_p, W_a = (_checks.to_numpy(M) for M in (state.W, state.W_p, state.W_a))
    tau = ratio(float(np.sum(W_a * W)), float(np.sum(W * W)))
    defects = {"proportionality": ratio(_norm(W_a - tau * W), _norm(W_a))}
    return Conversion(CorrelationState(W_p, W @ W.T, tau), defects)


def correlation_to_weights(state: CorrelationState, n1: int | None = None) -> Conversion:
    """Return weights with this W_p, F, tau: W = F^(1/2) in its first n2 columns (n1 >= n2), W_a = tau W."""
    F, W_p = _checks.to_numpy(state.F), _checks.to_numpy(state.W_p)
    n2 = len(F)
    n1 = n2 if n1 is None else n1
    if n1 < n2:
        raise ValueError(f"n1 must be at least n2 = {n2}, so that W W^T can be F; got {n1}.")
    s, U = np.linalg.eigh(F)
    W = np.zeros((n2, n1))
    W[:, :n2] = (U * np.sqrt(np.maximum(s, 0))) @ U.T
    return Conversion(WeightState(W, W_p, float(state.tau) * W), {"none": 0.0})


def correlation_to_modes(state: CorrelationState) -> Conversion:
    """Return (p, s, tau), largest s first; defects: commutator [F, W_p], asymmetry of W_p, both relative.

    p_j = u_j^T W_p u_j for the eigenvectors u_j of F. Where F has (nearly) repeated eigenvalues the basis is
    turned to diagonalise W_p inside each block, so that commuting F and W_p always convert exactly.
    """
    F, W_p = _checks.to_numpy(state.F), _checks.to_numpy(state.W_p)
    s, U = nested_eigh(F, (W_p + W_p.T) / 2)
    p = np.einsum("ij,ik,kj->j", U, W_p, U)
    defects = {
        "commutator": float(np.nan_to_num(statistics.commutator_share(F, W_p))),
        "asymmetry": float(np.nan_to_num(statistics.asymmetry(W_p))) / 2,
    }
    tau = np.broadcast_to(float(state.tau), s.shape).copy()
    return Conversion(ModeState(p, np.maximum(s, 0.0), tau), defects, U=U)


def modes_to_correlation(state: ModeState, U: Any = None) -> Conversion:
    """Return W_p = U diag(p) U^T, F = U diag(s) U^T; defect: spread of tau over modes (one tau is kept)."""
    p, s, tau = (np.atleast_1d(_checks.to_numpy(v)) for v in (state.p, state.s, state.tau))
    U = _orthonormal("U", U, (len(p), len(p)))
    mean = ratio(float(np.sum(tau * s)), float(np.sum(s)))
    defects = {"tau spread": ratio(_norm((tau - mean) * np.sqrt(s)), _norm(tau * np.sqrt(s)))}
    return Conversion(CorrelationState((U * p) @ U.T, (U * s) @ U.T, mean), defects, U=U)


def modes_to_weights(
    state: ModeState | ModeWeightState, n1: int | None = None, U: Any = None, V: Any = None
) -> Conversion:
    """Return W = U diag(w) V^T, W_p = U diag(p) U^T, W_a = U diag(a) V^T with w = sqrt(s), a = tau w.

    Args:
        state: k modes.
        n1: input dimension >= k, default k.
        U: k x k orthogonal, default the identity.
        V: n1 x k with orthonormal columns (eigenvectors of X and X'), default the first columns of the identity.

    Returns:
        An exact `Conversion` to a `WeightState`.

    Raises:
        ValueError: n1 below the number of modes, or U, V of another shape or not orthonormal.
    """
    if isinstance(state, ModeState):
        p, w = _checks.to_numpy(state.p), np.sqrt(_checks.to_numpy(state.s))
        a = _checks.to_numpy(state.tau) * w
    else:
        p, w, a = (_checks.to_numpy(v) for v in (state.p, state.w, state.a))
    p, w, a = (np.atleast_1d(v) for v in (p, w, a))
    k = len(p)
    n1 = k if n1 is None else n1
    if n1 < k:
        raise ValueError(f"n1 must be at least the number of modes, {k}; got {n1}.")
    U, V = _orthonormal("U", U, (k, k)), _orthonormal("V", V, (n1, k))
    return Conversion(WeightState((U * w) @ V.T, (U * p) @ U.T, (U * a) @ V.T), {"none": 0.0}, U=U, V=V)


def weights_to_modes(state: WeightState, data: Moments) -> Conversion:
    """Return (p, w, a) of the weights in the eigenbasis of the data, one mode per row of W.

    Each left singular vector u_j of W is paired with the data direction v_j it answers to; p_j = u_j^T W_p u_j,
    w_j = u_j^T W v_j, a_j = u_j^T W_a v_j. Exact when W = U diag(w) V^T, W_a = U diag(a) V^T and
    W_p = U diag(p) U^T with V eigenvectors of X and X' (the decoupled initial values of Appendix D).

    Args:
        state: the weights.
        data: the moments; isotropic data let every right singular vector be a data direction.

    Returns:
        The `Conversion` to a `ModeWeightState`; defects: what W, W_a, W_p hold beside the modes, and the
        commutator of X and X'.
    """
    W, W_p, W_a = (_checks.to_numpy(M) for M in (state.W, state.W_p, state.W_a))
    if data.is_isotropic:
        U, _, Vt = np.linalg.svd(W)
        V = Vt.T[:, : len(U)]
    else:
        _, _, basis = data.joint_spectrum()
        U, V = _pair_with_basis(W, basis)
    k = min(U.shape[1], V.shape[1])
    U, V = U[:, :k], V[:, :k]
    w, a = np.einsum("ij,ik,kj->j", U, W, V), np.einsum("ij,ik,kj->j", U, W_a, V)
    p = np.einsum("ij,ik,kj->j", U, W_p, U)
    defects = {
        "W": ratio(_norm(W - (U * w) @ V.T), _norm(W)),
        "W_a": ratio(_norm(W_a - (U * a) @ V.T), _norm(W_a)),
        "W_p": ratio(_norm(W_p - (U * p) @ U.T), _norm(W_p)),
        "[X, X']": data.commutation_defect,
    }
    return Conversion(ModeWeightState(p, w, a), defects, U=U, V=V)


def _pair_with_basis(W: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return orthonormal u_j and data directions v_j: the n2 strongest responses W v, orthonormalised."""
    response = W @ basis
    strongest = np.argsort(-np.linalg.norm(response, axis=0), kind="stable")[: len(W)]
    Q, R = np.linalg.qr(response[:, strongest])
    return Q * np.where(np.diag(R) < 0, -1.0, 1.0), basis[:, strongest]
