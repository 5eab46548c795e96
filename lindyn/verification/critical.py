"""Certain collapse above the critical decay, along a run: with tau, in the full flow, and with a moving target."""

from typing import Any

import numpy as np

from lindyn.flows import CorrelationFlow, GramFlow, ModeFlow, ParabolaFlow, WeightFlow
from lindyn.solve.trajectory import Trajectory
from lindyn.theory import critical_decay
from lindyn.theory.certain_collapse import moving_target_decay
from lindyn.verification import record
from lindyn.verification.record import VerificationRow

SMALL = 1e-12  # share of its largest value below which a decaying quantity is round-off


def against_bound(
    name: str,
    title: str,
    ts: np.ndarray,
    size: np.ndarray,
    rate: np.ndarray,
    premise: np.ndarray,
    tolerance: float = 1e-6,
) -> Any:
    """Return the row of a statement `d log(size)/dt <= -rate` at every time.

    The measured rate between two times is compared with the smaller of the bounds at its ends, less what the bound
    itself changes between them (it is only known at the saved times).

    Args:
        name: the statement.
        title: a few words.
        ts: times.
        size: what decays, over time.
        rate: the bound on its rate, over time.
        premise: where the premise is fulfilled, over time.
        tolerance: relative excess that still counts as holding.

    Returns:
        The `VerificationRow`.
    """
    from lindyn.verification.record import VerificationRow

    start = float(size[0])
    if start <= 0:
        return VerificationRow(
            name, title, "premise not fulfilled", "it is 0 from the start, nothing decays", premise=premise
        )
    share = size / start
    level = share > SMALL
    log = np.log(np.maximum(share, np.finfo(float).tiny))
    step = np.diff(ts)
    measured = -np.diff(log) / step
    low = np.minimum(rate[1:], rate[:-1]) - np.abs(np.diff(rate))
    excess = np.where(level[1:] & level[:-1], np.maximum(low - measured, 0.0) * step, 0.0)
    average = (rate[1:] + rate[:-1]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        sharp = np.where(level[1:] & (average > 0) & (measured > 0), average / measured, np.nan)
    residual = np.concatenate([[0.0], excess])
    with np.errstate(over="ignore"):  # a bound on growth may leave the numbers
        bound = np.exp(-np.concatenate([[0.0], np.cumsum(average * step)]))
    checked = premise[1:] & premise[:-1]
    failed = bool(np.any(residual[1:][checked] > tolerance))
    verdict = "fails" if failed else "holds" if checked.any() else "premise not fulfilled"
    return VerificationRow(
        name, title, verdict, "", residual, premise, share, bound, np.concatenate([[np.nan], sharp]), tolerance
    )  # fmt: skip


def with_tau_applies(traj: Trajectory) -> str:
    """Return why the bound with tau does not apply, or an empty string."""
    flow = traj.flow
    return record.first(
        (not isinstance(flow, CorrelationFlow | ModeFlow | ParabolaFlow), "it speaks of flows with tau"),
        (not record.stopped(flow), "it needs stop-gradient"),
        (record.predictor(flow) == "identity", "it needs a predictor"),
    )


def with_tau(traj: Trajectory) -> VerificationRow:
    """Measure s against exp(-2 (eta_s - critical) t)."""
    flow, states = traj.flow, traj.states
    x_aug = flow.sigma2 if isinstance(flow, CorrelationFlow) else flow.x_aug
    tau = np.asarray(states.tau).reshape(len(traj), -1)
    rate = 2 * (float(flow.hp.eta_s) - critical_decay(tau, np.asarray(flow.x), np.asarray(x_aug)))
    rate = np.min(np.atleast_2d(rate), axis=1)  # the slowest mode
    if isinstance(flow, CorrelationFlow):
        size = np.trace(np.asarray(states.F), axis1=-2, axis2=-1)
    else:
        entries = np.asarray(states.s) if isinstance(flow, ModeFlow) else np.asarray(states.p) ** 2
        size = entries.reshape(len(traj), -1).sum(axis=1)
    return against_bound("tian.critical_decay", "s against exp(-2 (eta_s - critical) t)", traj.ts, size, rate, rate > 0)


def top_share(flow: Any) -> float:
    """Return lambda_max(X (X+X')^-1 X), four times the critical decay of the full flow."""
    if isinstance(flow, GramFlow):
        v = float(flow.x) + float(flow.sigma2)
        return float(flow.x) ** 2 / v if v > 0 else 0.0
    X, S = np.asarray(flow.data.X), np.asarray(flow.data.Sigma_s)
    return float(np.linalg.eigvalsh(X @ np.linalg.pinv(S) @ X)[-1])


def full_applies(traj: Trajectory) -> str:
    """Return why the bound of the full flow with the online target does not apply, or an empty string."""
    flow = traj.flow
    return record.first(
        (not isinstance(flow, WeightFlow), "it speaks of the full flow"),
        (getattr(flow, "target", "") != "online", f"the target is {getattr(flow, 'target', '')}"),
        (not record.stopped(flow), "it needs stop-gradient"),
    )


def full(traj: Trajectory) -> VerificationRow:
    """Measure ||W||^2 against exp(-2 (eta_s - lambda_max/4) t)."""
    rate = np.full(len(traj), 2 * (float(traj.flow.hp.eta_s) - top_share(traj.flow) / 4))
    size = np.sum(np.asarray(traj.states.W) ** 2, axis=(-2, -1))
    return against_bound(
        "tian.critical_decay_full", "||W||^2 against exp(-2 (eta - lambda_max/4) t)", traj.ts, size, rate, rate > 0
    )


def moving_target_applies(traj: Trajectory) -> str:
    """Return why the bound with a moving target does not apply, or an empty string."""
    flow = traj.flow
    return record.first(
        (not isinstance(flow, WeightFlow | GramFlow), "it speaks of the full flow"),
        (getattr(flow, "target", "") != "ema", f"the target is {getattr(flow, 'target', '')}"),
        (not record.stopped(flow), "it needs stop-gradient"),
        (float(flow.hp.beta) == 0, "it needs beta > 0"),
    )


def moving_target(traj: Trajectory) -> VerificationRow:
    """Measure beta ||W||^2 + m ||W_a||^2 against exp(-r t), r and m of `certain_collapse.moving_target_decay`."""
    flow, states = traj.flow, traj.states
    if isinstance(flow, GramFlow):
        online, target = (np.trace(np.asarray(M), axis1=-2, axis2=-1) for M in (states.F, states.J))
    else:
        online, target = (np.sum(np.asarray(M) ** 2, axis=(-2, -1)) for M in (states.W, states.W_a))
    beta, decay = float(flow.hp.beta), float(flow.hp.eta_s)
    critical = top_share(flow) / 4
    rate, weight = moving_target_decay(decay, critical, beta)
    return against_bound(
        "tian.critical_decay_ema", "beta ||W||^2 + m ||W_a||^2 against exp(-r t)", traj.ts,
        beta * online + weight * target, np.full(len(traj), rate), np.full(len(traj), decay > critical),
    )  # fmt: skip
