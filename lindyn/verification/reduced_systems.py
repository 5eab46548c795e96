"""The smaller systems that isotropic data reduce the full flow to, held against a run of the full flow."""

from typing import Any

import numpy as np

from lindyn import observables
from lindyn.flows import CorrelationFlow, GramFlow, WeightFlow
from lindyn.solve.trajectory import Trajectory
from lindyn.states import CorrelationState, GramState
from lindyn.verification import common, integrals
from lindyn.verification.record import VerificationRow

GRAM, PAIR = "tian.reduction_gram", "tian.reduction_12"
PROPORTIONAL = 1e-8  # 1 - <W_a, W>/(||W_a|| ||W||) up to which W_a = tau W


def gram_applies(traj: Trajectory) -> str:
    """Return why the exact isotropic reduction does not apply, or an empty string."""
    flow: Any = traj.flow
    return common.first(
        (not isinstance(flow, WeightFlow), "it speaks of runs of the full flow"),
        (bool(traj.notes.get("batch")), "the run took minibatches"),
        (isinstance(flow, WeightFlow) and not flow.data.is_isotropic, "X and X' are not multiples of I"),
        (not common.stopped(flow), "it needs stop-gradient"),
        (len(traj) < integrals.FEWEST, f"it needs {integrals.FEWEST} times or more"),
    )


def _transposed(M: np.ndarray) -> np.ndarray:
    return np.swapaxes(M, -1, -2)


def _isotropic(flow: Any) -> dict[str, Any]:
    return {
        "hp": flow.hp,
        "x": float(np.asarray(flow.data.X)[0, 0]),
        "sigma2": float(np.asarray(flow.data.X_aug)[0, 0]),
        "predictor": flow.predictor,
        "statistics": flow.statistics,
    }


def _followed(
    name: str, title: str, traj: Trajectory, states: dict[str, np.ndarray], rates: list[Any]
) -> VerificationRow:
    """Compare the reduced states along the run with the integral of the reduced system's rates at them."""
    left = error = np.zeros(len(traj))
    size = 1e-300
    free = {letter: state for letter, state in states.items() if letter != "W_p" or not common.by_rule(traj.flow)[0]}
    for letter, state in free.items():
        rate = np.stack([np.asarray(getattr(one, letter)) for one in rates])
        moved, off = integrals.cumulative(np.asarray(traj.ts), rate)
        left = np.maximum(left, np.linalg.norm(state - state[0] - moved, axis=(-2, -1)))
        error = np.maximum(error, np.linalg.norm(off, axis=(-2, -1)))
        size = max(size, float(np.linalg.norm(state, axis=(-2, -1)).max()))
    if traj.notes.get("engine") == "descent":
        error = error + 4 * float(traj.notes["learning_rate"]) * size
    return integrals.row_of(name, title, left, size, error)


def gram(traj: Trajectory) -> VerificationRow:
    """Measure whether (W_p, W W^T, W_a W^T, W_a W_a^T) follow the rates of the reduced flow."""
    title = "isotropic data: (W_p, F, H, J) follow their own equations"
    if traj.flow.target == "online":
        return VerificationRow(GRAM, title, "not applicable", "W_a = W: the closure on (W_p, F) says it")
    W, W_a = np.asarray(traj.states.W), np.asarray(traj.states.W_a)
    reduced = GramFlow(target=traj.flow.target, **_isotropic(traj.flow))
    states = {
        "W_p": np.asarray(traj.states.W_p),
        "F": W @ _transposed(W),
        "H": W_a @ _transposed(W),
        "J": W_a @ _transposed(W_a),
    }
    rates = [
        reduced(t, GramState._unchecked(**{name: value[k] for name, value in states.items()}))
        for k, t in enumerate(traj.ts)
    ]
    return _followed(GRAM, title, traj, states, rates)


def pair(traj: Trajectory) -> VerificationRow:
    """Measure whether (W_p, W W^T) follow the closure of Assumptions 1 + 2, where W_a = tau W along the run."""
    title = "Assumptions 1 + 2: (W_p, F) follow their own equations"
    online = traj.flow.target == "online"
    along = np.ones(len(traj)) if online else observables.target_correlation(traj)
    off = float(np.nanmax(1 - along)) if np.any(np.isfinite(along)) else np.inf
    if not off <= PROPORTIONAL:
        reason = f"W_a is not tau W (Assumption 1): 1 - their correlation reaches {off:.1e}"
        return VerificationRow(PAIR, title, "premise not fulfilled", reason, premise=1 - along <= PROPORTIONAL)
    W = np.asarray(traj.states.W)
    reduced = CorrelationFlow(target=traj.flow.target, tau="constant", **_isotropic(traj.flow))
    states = {"W_p": np.asarray(traj.states.W_p), "F": W @ _transposed(W)}
    tau = np.ones(len(traj)) if online else np.nan_to_num(observables.tau(traj), nan=1.0)
    rates = [
        reduced(t, CorrelationState._unchecked(W_p=states["W_p"][k], F=states["F"][k], tau=tau[k]))
        for k, t in enumerate(traj.ts)
    ]
    return _followed(PAIR, title, traj, states, rates)
