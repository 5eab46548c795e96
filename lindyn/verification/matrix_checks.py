"""Theorems 2 and 3 and the no-predictor remark along a run."""

import numpy as np

from lindyn import observables
from lindyn.equations import matrices
from lindyn.flows import CorrelationFlow, WeightFlow, choices
from lindyn.solve.trajectory import Trajectory
from lindyn.verification import record
from lindyn.verification.critical import against_bound
from lindyn.verification.record import VerificationRow


def theorem_2_applies(traj: Trajectory) -> str:
    """Return why Theorem 2 does not apply, or an empty string."""
    flow = traj.flow
    return record.first(
        (not isinstance(flow, WeightFlow), "it speaks of the full flow"),
        (record.stopped(flow), "it needs the gradient through both branches"),
    )


def theorem_2(traj: Trajectory) -> VerificationRow:
    """Measure Theorem 2's bound."""
    flow = traj.flow
    lowest = np.asarray(observables.lambda_min_H(traj, flow.data.X, flow.data.X_aug, flow.hp.eta_s))
    size = np.linalg.norm(np.asarray(traj.states.W), axis=(-2, -1))
    return against_bound("tian.theorem_2", "||W|| against exp(-lambda_min(H) t)", traj.ts, size, lowest, lowest > 0)


def no_predictor_applies(traj: Trajectory) -> str:
    """Return why the no-predictor remark does not apply, or an empty string."""
    flow = traj.flow
    return record.first(
        (not isinstance(flow, WeightFlow), "it speaks of the full flow"),
        (record.predictor(flow) != "identity", f"the predictor is {record.predictor(flow)}"),
        (choices.of(flow, "target") != "online", f"the target is {choices.of(flow, 'target')}"),
    )


def no_predictor(traj: Trajectory) -> VerificationRow:
    """Measure the remark's bound."""
    flow = traj.flow
    lowest = np.linalg.eigvalsh(np.asarray(flow.data.X_aug))[0] * (1 if flow.stop_gradient else 2) + flow.hp.eta_s
    size = np.linalg.norm(np.asarray(traj.states.W), axis=(-2, -1))
    rate = np.full(len(traj), lowest)
    return against_bound(
        "tian.no_predictor", "||W|| against exp(-(c lambda_min(X') + eta) t)", traj.ts, size, rate, rate > 1e-12
    )


def theorem_3_applies(traj: Trajectory) -> str:
    """Return why Theorem 3 does not apply, or an empty string."""
    flow = traj.flow
    return record.first(
        (not isinstance(flow, CorrelationFlow), "it speaks of the (W_p, F) flow under Assumptions 1 + 2 + 3"),
        (record.predictor(flow) != "symmetrised", f"the predictor is {record.predictor(flow)}, not symmetrised"),
        (not record.stopped(flow), "it needs stop-gradient"),
    )


def commutator_rows(traj: Trajectory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (eigenvalues of K, size of [F, W_p], K) over time."""
    K = observables.K_matrix(traj)
    values = np.linalg.eigvalsh((K + np.swapaxes(K, -1, -2)) / 2)
    size = observables.commutator_norm(traj)
    floor = (
        1e-13
        * np.linalg.norm(observables.correlation(traj), axis=(-2, -1))
        * np.linalg.norm(observables.predictor(traj), axis=(-2, -1))
    )
    return values, np.where(size > floor, size, 0.0), K


def theorem_3(traj: Trajectory) -> VerificationRow:
    """Measure Theorem 3's bound."""
    values, size, _ = commutator_rows(traj)
    lowest = values[:, 0]
    return against_bound(
        "tian.theorem_3", "||[F, W_p]|| against exp(-2 lambda_min(K) t)", traj.ts, size, 2 * lowest, lowest > 0
    )


def theorem_3_sharp(traj: Trajectory) -> VerificationRow:
    """Measure the bound with the sum of K's two smallest eigenvalues."""
    values, size, _ = commutator_rows(traj)
    if values.shape[1] < 2:
        return VerificationRow("tian.theorem_3_sharp", "pair sum of K", "not applicable", "one mode has no commutator")
    pair = values[:, 0] + values[:, 1]
    return against_bound(
        "tian.theorem_3_sharp",
        "||[F, W_p]|| against exp(-(k_1 + k_2) t)",
        traj.ts,
        size,
        pair,
        np.ones(len(pair), bool),
    )


def commutator_identity(traj: Trajectory) -> VerificationRow:
    """Measure the commutator's own equation at every state."""
    _, _, K = commutator_rows(traj)
    F, W_p = observables.correlation(traj), observables.predictor(traj)
    rates = [traj.flow(t, traj[k]) for k, t in enumerate(traj.ts)]
    dF, dW_p = (np.stack([np.asarray(getattr(rate, name)) for rate in rates]) for name in ("F", "W_p"))
    L = matrices.commutator(F, W_p)
    moved = matrices.commutator(dF, W_p) + matrices.commutator(F, dW_p)
    right = -(L @ K + K @ L)
    norm = lambda M: np.linalg.norm(M, axis=(-2, -1))  # noqa: E731
    scale = norm(dF) * norm(W_p) + norm(F) * norm(dW_p) + norm(L) * norm(K)
    return record.identity(
        "tian.theorem_3 (identity)",
        "d[F, W_p]/dt = -(L K + K L)",
        norm(moved - right) / np.maximum(scale, 1e-300),
        1e-10,
    )
