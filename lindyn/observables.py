"""What is read off a state or along a trajectory: spectra, alignment, balance, ratios, ranks, the matrices H and K.

Every function takes a state or a `Trajectory` (whose states have time as first axis) and returns one value per
state. `F`, `W_p` and `tau` are read from whatever the state holds: weights, Gram matrices, correlations or modes.
"""

from typing import Any

import numpy as np

from lindyn import _checks, statistics
from lindyn.equations import matrices
from lindyn.flows import choices, rules
from lindyn.flows.deep_states import DeepWeightState
from lindyn.solve.trajectory import Trajectory
from lindyn.states import CorrelationState, GramState, MatrixState, ModalState, ModeState, WeightState

GONE = 1e-40
"""Size below which a mode is gone: so small that no ratio to it is told."""


def _state(run: Any) -> Any:
    return run.states if isinstance(run, Trajectory) else run


def _array(value: Any) -> np.ndarray:
    return np.asarray(_checks.to_numpy(value))


def _needs(name: str, run: Any, *kinds: type) -> Any:
    state = _state(run)
    if not isinstance(state, kinds):
        known = (WeightState, GramState, CorrelationState) if kinds == (MatrixState,) else kinds
        wanted = " or ".join(kind.__name__ for kind in known)
        raise ValueError(f"{name} needs a {wanted} (or a trajectory of them); got {type(state).__name__}.")
    return state


def correlation(run: Any) -> np.ndarray:
    """Return F = W W^T, (..., n2, n2)."""
    return _needs("correlation", run, MatrixState).correlation()


def predictor(run: Any) -> np.ndarray:
    """Return W_p, (..., n2, n2)."""
    return _array(_needs("predictor", run, MatrixState).W_p)


def eigen_F(run: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (s, U): eigenvalues of F, largest first, (..., n2), and eigenvectors u_j as columns, (..., n2, n2).

    Of weights by the singular values of W, which keeps the relative accuracy of collapsing modes.
    """
    return _needs("eigen_F", run, MatrixState).eigen()


def resolved(run: Any, s: Any = None) -> np.ndarray:
    """Return which modes have a size that numbers can tell: s_j >= 1e-40, and above round-off of the largest.

    Of the others the eigenvector, and whatever is divided by their size, means nothing. `s` are sizes at hand.
    """
    state = _needs("resolved", run, MatrixState, ModalState) if s is None else _state(run)
    s = _array(state.sizes(1.0) if s is None else s)
    with np.errstate(invalid="ignore"):
        return (s >= GONE) & (s > state.round_off * np.max(s, axis=-1, keepdims=True, initial=0.0))


def spectrum_F(run: Any) -> np.ndarray:
    """Return the eigenvalues of F, largest first, (..., n2)."""
    return eigen_F(run)[0]


def spectrum_W_p(run: Any) -> np.ndarray:
    """Return the eigenvalues of the symmetric part of W_p, largest first, (..., n2)."""
    return statistics.symmetric_spectrum(predictor(run))


def alignment(run: Any, eigen: tuple[np.ndarray, np.ndarray] | None = None) -> np.ndarray:
    """Return the cosine between u_j and W_p u_j for the eigenvectors u_j of F, largest eigenvalue first, (..., n2).

    The sign is kept; NaN where W_p u_j = 0. Fig. 2 of Tian et al. 2021, third column. `eigen` is what `eigen_F`
    returned for the same run, to spare a second decomposition.
    """
    U = (eigen_F(run) if eigen is None else eigen)[1]
    return statistics.alignment(predictor(run) @ U, U)[1]


def mode_values(run: Any, eigen: tuple[np.ndarray, np.ndarray] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (p, s): p_j = u_j^T W_p u_j and s_j for the eigenvectors u_j of F, largest s first, each (..., n2).

    `eigen` is what `eigen_F` returned for the same run, to spare a second decomposition.
    """
    s, U = eigen_F(run) if eigen is None else eigen
    return statistics.along(predictor(run), U), s


def asymmetry(run: Any) -> np.ndarray:
    """Return ||W_p - W_p^T|| / ||W_p|| in Frobenius norm: 0 symmetric, 2 antisymmetric (NaN at W_p = 0)."""
    return statistics.asymmetry(predictor(run))


def commutator_norm(run: Any) -> np.ndarray:
    """Return ||[F, W_p]|| in Frobenius norm (the L of Theorem 3)."""
    return statistics.commutator_norm(correlation(run), predictor(run))


def balance(run: Any, alpha_p: float) -> np.ndarray:
    """Return F - W_p^T W_p / alpha_p, (..., n2, n2), which is exp(-2 eta t) C in Theorem 1 (Eq. 5).

    Of a deep projector W_L W_L^T of its last layer stands for F.
    """
    state = _needs("balance", run, MatrixState)
    return statistics.balance(state.beside_predictor(), predictor(run), alpha_p)


def unbalanced(flow: Any, allowed: tuple[str, ...] = ("trained",)) -> str:
    """Return why a flow does not keep the balance of Theorem 1, or an empty string; `allowed` are its predictors."""
    hp = flow.hp
    reasons = (
        (not hp.equal_decays, "it needs eta_p = eta_s"),
        (hp.alpha_p == 0, "it needs alpha_p > 0"),
        (choices.of(flow, "predictor") not in allowed, f"the predictor is {rules.named(flow)}"),
        (not choices.of(flow, "stop_gradient"), "it needs stop-gradient"),
        (choices.of(flow, "normalise") != "none", "BatchNorm breaks it: W_p sees rows that are normalised"),
    )
    return next((reason for bad, reason in reasons if bad), "")


def balance_residual(traj: Trajectory) -> np.ndarray:
    """Return how far Theorem 1 is from holding along a run, per time (`statistics.balance_residual`).

    With M = exp(-2 eta t) B(0), B = F - W_p^T W_p/alpha_p, for the matrix systems; with the integral of motion s -
    p^2/alpha_p (Eq. 14) of each mode, the worst counting, for modes.

    Raises:
        ValueError: eta_p != eta_s or alpha_p = 0, where Theorem 1 does not apply; no trajectory.
    """
    if not isinstance(traj, Trajectory):
        raise ValueError(f"balance_residual needs a Trajectory; got {type(traj).__name__}.")
    hp = traj.flow.hp
    if not hp.equal_decays or hp.alpha_p == 0:
        raise ValueError(
            f"Theorem 1 needs eta_p = eta_s and alpha_p > 0; got eta_p={hp.eta_p:g}, eta_s={hp.eta_s:g}, "
            f"alpha_p={hp.alpha_p:g}."
        )
    state = traj.states
    if isinstance(state, ModalState) and state.balanced:  # each mode is a 1 x 1 system
        F, G = (_array(values)[..., None, None] for values in (state.sizes(hp.alpha_p), state.p**2))
    else:
        F, G = _needs("balance_residual", traj, MatrixState).beside_predictor(), statistics.gram(predictor(traj))
    decay = np.exp(-2 * hp.eta * (_array(traj.ts) - _array(traj.ts)[0])).reshape((-1,) + (1,) * (F.ndim - 1))
    residual = statistics.balance_residual(F, G, hp.alpha_p, decay * (F[0] - G[0] / hp.alpha_p))
    gone = (F == 0).all(axis=(-2, -1)) & (G == 0).all(axis=(-2, -1))  # nothing is left that could be off
    return np.where(gone, 0.0, residual).reshape(len(residual), -1).max(axis=1)


def target_correlation(run: Any) -> np.ndarray:
    """Return <W_a, W> / (||W_a|| ||W||), 1 where Assumption 1 (W_a = tau W, tau > 0) holds (Fig. 7); NaN at 0."""
    state = _needs("target_correlation", run, WeightState, GramState, DeepWeightState)
    if isinstance(state, GramState):
        F, H, J = (statistics.trace(_array(M)) for M in (state.F, state.H, state.J))
        return statistics.cosine(H, F, J)
    W, W_a = _array(state.W), _array(state.W_a)
    return statistics.cosine(*(statistics.inner(A, B) for A, B in ((W, W_a), (W, W), (W_a, W_a))))


def tau(run: Any) -> np.ndarray:
    """Return the best scalar tau = <W_a, W> / ||W||^2 (matrix states), or tau per mode (mode states)."""
    return _needs("tau", run, MatrixState, ModalState).ratio()


def tau_per_mode(run: Any) -> np.ndarray:
    """Return u_j^T W_a W^T u_j / s_j for the eigenvectors u_j of F, largest s first, (..., n2); NaN at s_j = 0."""
    state = _needs("tau_per_mode", run, WeightState, GramState, DeepWeightState)
    s, U = eigen_F(state)
    return statistics.tau_per_mode(state.cross(), s, U)


def K_matrix(traj: Trajectory) -> np.ndarray:
    """Return K of Theorem 3 (Eq. 9) along a run of a correlation flow, (times, n2, n2)."""
    state = _needs("K_matrix", traj, CorrelationState)
    flow, hp = traj.flow, traj.flow.hp
    I = np.eye(_array(state.F).shape[-1])
    tau_t = np.asarray(_array(state.tau))[..., None, None]
    return matrices.K(_array(state.W_p), _array(state.F), tau_t, hp.alpha_p, hp.eta_p, hp.eta_s, flow.x, flow.sigma2, I)


def lambda_min_K(traj: Trajectory) -> np.ndarray:
    """Return the smallest eigenvalue of K over time (modes: one eigenvalue per mode, Eq. 17)."""
    state = _needs("lambda_min_K", traj, CorrelationState, ModeState)
    if isinstance(state, CorrelationState):
        K = K_matrix(traj)
        return statistics.symmetric_spectrum(K)[..., -1]
    return traj.flow.alignment_rate(state)


def lambda_min_H(run: Any, X: Any, X_aug: Any, eta_s: float) -> np.ndarray:
    """Return the smallest eigenvalue of H (Theorem 2, Eq. 6) per state.

    H = X' (x) (W_p^T W_p + I) + X (x) (W_p - I)^T (W_p - I) + eta_s I is n1 n2 x n1 n2; where X and X' commute it
    falls apart into n1 blocks of n2 x n2, which is how it is computed then.

    Args:
        run: a state or trajectory with W_p.
        X: n1 x n1, PSD.
        X_aug: X', n1 x n1, PSD.
        eta_s: weight decay of the online network.

    Returns:
        One number per state.
    """
    from lindyn.moments import Moments

    W_p = predictor(run)
    I = np.eye(W_p.shape[-1])
    on_aug, on_mean = statistics.gram(W_p) + I, statistics.gram(W_p - I)
    data = Moments(X, X_aug)
    if data.commute:
        x, x_aug, _ = data.joint_spectrum()
        lowest = [np.linalg.eigvalsh(a * on_aug + b * on_mean)[..., 0] for a, b in zip(x_aug, x, strict=True)]
        return np.min(lowest, axis=0) + eta_s
    flat = [(a, b) for a, b in zip(on_aug.reshape(-1, *I.shape), on_mean.reshape(-1, *I.shape), strict=True)]
    values = [np.linalg.eigvalsh(np.kron(data.X_aug, a) + np.kron(data.X, b))[0] for a, b in flat]
    return np.reshape(values, W_p.shape[:-2])[()] + eta_s


def collapse(run: Any) -> np.ndarray:
    """Return tr F(t) / tr F(0) along a trajectory: 0 is collapse, 1 is where it started."""
    if not isinstance(run, Trajectory):
        raise ValueError(f"collapse needs a Trajectory; got {type(run).__name__}.")
    state = run.states
    if not isinstance(state, MatrixState) and (s := state.sizes(run.flow.hp.alpha_p)) is not None:
        size = s.reshape(len(s), -1).sum(axis=1)
    else:
        size = statistics.trace(correlation(run))
    return statistics.ratio(size, size[:1])


def stable_rank(M: Any) -> np.ndarray:
    """Return ||M||_F^2 / ||M||_2^2 of matrices (..., m, n); NaN at 0."""
    return statistics.stable_rank(np.linalg.svd(_array(M), compute_uv=False))


def effective_rank(M: Any) -> np.ndarray:
    """Return exp of the entropy of the singular values normalised to sum 1 (Roy and Vetterli 2007); NaN at 0."""
    return entropy_rank(np.linalg.svd(_array(M), compute_uv=False))


def entropy_rank(sigma: Any) -> np.ndarray:
    """Return exp of the entropy of non-negative numbers (..., n) normalised to sum 1: n if all equal; NaN at 0."""
    return statistics.entropy_rank(_array(sigma))
