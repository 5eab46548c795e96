"""Statements about integrals over time, measured by splines through the saved states, with the splines' own error."""

from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from lindyn import observables
from lindyn.flows import CorrelationFlow, DeepFlow, GramFlow, ModeFlow, ParabolaFlow, WeightFlow, rules
from lindyn.solve.trajectory import Trajectory
from lindyn.states import CorrelationState, GramState
from lindyn.verification import record
from lindyn.verification.record import VerificationRow

FEWEST = 9  # saved times below which the spline says nothing
TOO_FEW = f"it needs {FEWEST} times or more"


def cumulative(ts: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the running integral of values over time and an estimate of its error.

    Args:
        ts: times.
        values: samples, times first.

    Returns:
        (integral, error per time), the error from the spline through every second sample.
    """
    whole = CubicSpline(ts, values).antiderivative()(ts)
    coarse_ts = np.append(ts[:-1:2], ts[-1])
    coarse_values = np.concatenate([values[:-1:2], values[-1:]])
    coarse = CubicSpline(coarse_ts, coarse_values).antiderivative()(ts)
    return whole, np.abs(whole - coarse)


def row_of(
    name: str, title: str, left: np.ndarray, size: float, error: np.ndarray, lag: float = 0.0
) -> VerificationRow:
    """Return the row of an integral identity: it holds where it is off by no more than the spline is.

    Args:
        name: the statement.
        title: a few words.
        left: how far it is off, over time.
        size: of what it speaks of.
        error: of the spline, over time.
        lag: what finite steps may be off, relative to the size.
    """
    limit = max(1e-6, float(np.max(error)) / size + lag)
    residual = left / size
    verdict = "holds" if np.max(residual) <= limit else "fails"
    reason = f"the saved times resolve it to {limit:.0e}"
    if limit > 1e-2:
        verdict = record.COULD_NOT_TELL
        why = record.TOO_LONG if lag > limit / 2 else "the saved times are too coarse to tell"
        reason = f"{why} (they resolve it to {limit:.0e})"
    return VerificationRow(name, title, verdict, reason, residual, tolerance=limit)


def lemma_1_applies(traj: Trajectory) -> str:
    """Return why Lemma 1 cannot be measured on a run, or ""."""
    if not isinstance(traj.flow, WeightFlow | DeepFlow):
        return "it speaks of the full flow"
    if traj.notes.get("batch"):
        return "the run took minibatches"
    return "" if len(traj) >= FEWEST else TOO_FEW


def lemma_1(traj: Trajectory) -> VerificationRow:
    """Compare the states with the integral of the flow's rates at the states (W_p only where it has a rate)."""
    rates = [traj.flow(t, traj[k]).blocks() for k, t in enumerate(traj.ts)]
    left = error = np.zeros(len(traj))
    size = 1e-300
    for name, block in traj.states.blocks().items():
        if name == "W_p" and rules.is_rule(traj.flow.predictor):
            continue
        state = np.asarray(block)
        moved, off = cumulative(np.asarray(traj.ts), np.stack([np.asarray(rate[name]) for rate in rates]))
        left = np.maximum(left, np.linalg.norm(state - state[0] - moved, axis=(-2, -1)))
        error = np.maximum(error, np.linalg.norm(off, axis=(-2, -1)))
        size = max(size, float(np.linalg.norm(state, axis=(-2, -1)).max()))
    title = "the states follow Lemma 1 (integral of the rates)"
    return row_of("tian.lemma_1", title, left, size, error, 2 * record.memory(traj))


def rule_applies(traj: Trajectory) -> str:
    """Return why no rule sets W_p on a run, or ""."""
    return record.first(
        (not record.by_rule(traj.flow)[0], f"the predictor is {record.predictor(traj.flow)}"),
        (bool(traj.notes.get("engine") == "descent"), "finite steps set W_p from averages of earlier steps"),
    )


def rule(traj: Trajectory) -> VerificationRow:
    """Compare W_p (or p) with the rule of the other variables, state by state."""
    name = traj.states.slave
    wanted = rules.complete_path(traj.flow, traj.states)
    size = lambda run: np.linalg.norm(np.asarray(run).reshape(len(traj), -1), axis=1)  # noqa: E731
    off = size(np.asarray(getattr(wanted, name)) - np.asarray(getattr(traj.states, name)))
    return record.identity(
        "closed_form.rule", "W_p is what its rule says", off / np.maximum(size(getattr(wanted, name)), 1e-300), 1e-7
    )


def eq_15_applies(traj: Trajectory) -> str:
    """Return why Eq. 15 cannot be measured on a run, or ""."""
    flow: Any = traj.flow
    if not isinstance(flow, ModeFlow | ParabolaFlow):
        return "it speaks of modes with tau"
    if flow.tau != "dynamic" or flow.target != "ema":
        return "tau does not follow W"
    return "" if len(traj) >= FEWEST else TOO_FEW


def eq_15(traj: Trajectory) -> VerificationRow:
    """Compare tau sqrt(s) (p on the parabola) with its integral, start included."""
    states, beta = traj.states, float(traj.flow.hp.beta)
    size = np.sqrt(np.asarray(states.s)) if isinstance(traj.flow, ModeFlow) else np.asarray(states.p)
    target = (np.asarray(states.tau) * size).reshape(len(traj), -1)
    moved, error = cumulative(np.asarray(traj.ts), beta * (size.reshape(len(traj), -1) - target))
    left = np.abs(target - target[0] - moved).max(axis=1)
    scale = max(float(np.abs(target).max()), float(np.abs(size).max()), 1e-300)
    return row_of("tian.eq_15", "tau sqrt(s) follows sqrt(s) at the rate beta (Eq. 15)", left, scale, error.max(axis=1))


GRAM, PAIR = "tian.reduction_gram", "tian.reduction_12"
PROPORTIONAL = 1e-8  # 1 - <W_a, W>/(||W_a|| ||W||) up to which W_a = tau W


def gram_applies(traj: Trajectory) -> str:
    """Return why the exact isotropic reduction does not apply, or an empty string."""
    flow: Any = traj.flow
    return record.first(
        (not isinstance(flow, WeightFlow), "it speaks of runs of the full flow"),
        (bool(traj.notes.get("batch")), "the run took minibatches"),
        (isinstance(flow, WeightFlow) and not flow.data.is_isotropic, "X and X' are not multiples of I"),
        (not record.stopped(flow), "it needs stop-gradient"),
        (len(traj) < FEWEST, TOO_FEW),
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
    free = {letter: state for letter, state in states.items() if letter != "W_p" or not record.by_rule(traj.flow)[0]}
    for letter, state in free.items():
        rate = np.stack([np.asarray(getattr(one, letter)) for one in rates])
        moved, off = cumulative(np.asarray(traj.ts), rate)
        left = np.maximum(left, np.linalg.norm(state - state[0] - moved, axis=(-2, -1)))
        error = np.maximum(error, np.linalg.norm(off, axis=(-2, -1)))
        size = max(size, float(np.linalg.norm(state, axis=(-2, -1)).max()))
    return row_of(name, title, left, size, error, 4 * record.memory(traj))


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
