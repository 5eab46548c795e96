"""Where a run that came to rest has come to rest: the fixed points of its modes, and Appendix D's manifold."""

from typing import Any

import numpy as np

from lindyn.flows import CorrelationFlow, GramFlow, ModeFlow, WeightFlow
from lindyn.solve.trajectory import Trajectory
from lindyn.theory import fixed_points
from lindyn.verification import record
from lindyn.verification.record import VerificationRow

STILL = 1e-8  # relative change over the last tenth of the run up to which it is at rest
COUPLED = 1e-6  # relative size of the entries between modes up to which they are decoupled
NEAR = 1e-5  # relative distance to a fixed point that counts as being there
DEAD = 1e-9  # s + p^2 below which a mode has collapsed
FIXED, MANIFOLD = "tian.fixed_points", "tian.fixed_point_manifold"


def at_rest(traj: Trajectory) -> bool:
    """Return whether nothing saved over the last tenth of a run moved."""
    ts = np.asarray(traj.ts)
    late = np.flatnonzero(ts >= ts[-1] - 0.1 * (ts[-1] - ts[0]))
    first = int(late[0]) if len(late) > 1 else len(ts) - 2
    for block in traj.states.blocks().values():
        values = np.asarray(block, dtype=float)[first:]
        if np.max(np.abs(values - values[-1])) > STILL * (1e-3 + np.max(np.abs(values[-1]))):
            return False
    return True


def _at_end(
    name: str, title: str, traj: Trajectory, residual: float, premise: bool, reason: str = ""
) -> VerificationRow:
    over_time = np.full(len(traj), np.nan)
    over_time[-1] = residual
    verdict = "premise not fulfilled" if not premise else "holds" if residual <= NEAR else "fails"
    return VerificationRow(
        name, title, verdict, reason, over_time, None if premise else np.zeros(len(traj), bool), tolerance=NEAR
    )


def fixed_points_apply(traj: Trajectory) -> str:
    """Return why the fixed points of the modes do not apply, or an empty string."""
    flow: Any = traj.flow
    return record.first(
        (
            not isinstance(flow, ModeFlow | WeightFlow | GramFlow | CorrelationFlow),
            "it speaks of modes and matrix flows",
        ),
        (not record.stopped(flow), "it needs stop-gradient"),
        (record.predictor(flow) == "identity", "it needs a predictor"),
        record.by_rule(flow),
        (getattr(flow, "target", "") == "frozen", "the target is frozen"),
        (getattr(flow, "target", "") == "ema" and float(flow.hp.beta) == 0, "the target stands still (beta = 0)"),
        (float(flow.hp.eta_s) == 0 or float(flow.hp.eta_p) == 0, "it needs eta > 0"),
        (float(flow.hp.alpha_p) == 0, "it needs alpha_p > 0"),
        (isinstance(flow, WeightFlow) and not flow.data.commute, "X and X' do not commute"),
    )


def fixed_points_at_rest(traj: Trajectory) -> VerificationRow:
    """Compare every mode at the end of a run with the fixed points 0, p_-, p_+ of `lindyn.theory`."""
    title = "at rest: every mode at p = 0, p_- or p_+ with its s"
    if not at_rest(traj):
        return _at_end(FIXED, title, traj, np.nan, False, "the run did not come to rest")
    p, s, tau, x, x_aug, coupling = _modes(traj)
    if coupling > COUPLED:
        return _at_end(FIXED, title, traj, np.nan, False, f"its modes are coupled ({coupling:.1e})")
    hp, off = traj.flow.hp, 0.0
    found: list[str] = []
    for one in zip(p, s, tau, x, x_aug, strict=True):
        name, distance = _nearest(one, hp)
        found.append(name)
        off = max(off, distance)
    counts = ", ".join(f"{found.count(name)} at {name}" for name in ("0", "p_-", "p_+", "none") if name in found)
    return _at_end(FIXED, title, traj, off, True, counts)


def _nearest(mode: tuple[Any, ...], hp: Any) -> tuple[str, float]:
    """Return (name, relative distance) of the fixed point next to a mode (p, s, tau, x, x')."""
    p, s, tau, x, x_aug = map(float, mode)
    if s + p * p <= DEAD:
        return "0", 0.0
    if tau <= 0 or x <= 0:
        return "none", np.inf
    points = fixed_points(
        tau=tau, x=x, x_aug=x_aug, alpha_p=float(hp.alpha_p), eta_p=float(hp.eta_p), eta_s=float(hp.eta_s)
    )
    best = ("none", np.inf)
    for name, at_p, at_s in (("p_-", points.p_minus, points.s_minus), ("p_+", points.p_plus, points.s_plus)):
        if np.isfinite(at_p):
            best = min(best, (name, float(max(abs(p - at_p) / at_p, abs(s - at_s) / at_s))), key=lambda pair: pair[1])
    return best


def _modes(traj: Trajectory) -> tuple[Any, ...]:
    """Return (p, s, tau, x, x', coupling) of every mode at the end, coupling: what is left between modes."""
    end, flow = traj.final, traj.flow
    if isinstance(flow, ModeFlow):
        parts = (end.p, end.s, end.tau, flow.x, flow.x_aug)
        return (*np.broadcast_arrays(*(np.atleast_1d(np.asarray(part, float)) for part in parts)), 0.0)
    W_p = np.asarray(end.W_p, float)
    if isinstance(flow, WeightFlow):
        vectors, x, x_aug, mixed = _directions(np.asarray(end.W, float), flow.data)
        s = np.sum(vectors**2, axis=0)
        tau = np.ones(len(s))
    else:
        s, vectors = np.linalg.eigh(np.asarray(end.F, float))
        vectors, mixed = vectors * np.sqrt(np.maximum(s, 0.0)), 0.0
        x, x_aug = np.full(len(s), float(flow.x)), np.full(len(s), float(flow.sigma2))
        tau = np.full(len(s), float(np.asarray(end.tau)) if isinstance(flow, CorrelationFlow) else 1.0)
    p = np.sum(vectors * (W_p @ vectors), axis=0) / np.where(s > DEAD, s, 1.0)
    p = np.where(s > DEAD, p, 0.0)
    turned = np.linalg.norm(W_p @ vectors - vectors * p) / max(float(np.linalg.norm(W_p @ vectors)), DEAD)
    return p, s, tau, x, x_aug, float(max(mixed, turned if s.sum() > DEAD else 0.0))


def _directions(W: np.ndarray, data: Any) -> tuple[Any, Any, Any, float]:
    """Return (W v_j, x_j, x'_j, overlap) for joint eigenvectors v_j, chosen orthogonal where x_j and x'_j repeat."""
    x, x_aug, V = data.joint_spectrum()
    spread = 1e-9 * max(float(np.max(np.abs(x))), float(np.max(np.abs(x_aug))))
    V, todo = V.copy(), list(range(len(x)))
    while todo:
        group = [j for j in todo if abs(x[j] - x[todo[0]]) <= spread and abs(x_aug[j] - x_aug[todo[0]]) <= spread]
        todo = [j for j in todo if j not in group]
        V[:, group] = V[:, group] @ np.linalg.svd(W @ V[:, group])[2].T
    vectors = W @ V
    gram = vectors.T @ vectors
    overlap = float(np.linalg.norm(gram - np.diag(np.diag(gram))) / max(float(np.linalg.norm(gram)), DEAD))
    return vectors, x, x_aug, overlap if np.trace(gram) > DEAD else 0.0


def manifold_applies(traj: Trajectory) -> str:
    """Return why Appendix D's fixed-point condition does not apply, or an empty string."""
    flow: Any = traj.flow
    return record.first(
        (not isinstance(flow, WeightFlow), "it speaks of the full flow"),
        (float(flow.hp.eta_s) != 0 or float(flow.hp.eta_p) != 0, "it speaks of eta = 0"),
        (not record.stopped(flow), "it needs stop-gradient"),
        (record.predictor(flow) != "trained", f"the predictor is {record.predictor(flow)}"),
        (getattr(flow, "target", "") == "frozen", "the target is frozen"),
        (getattr(flow, "target", "") == "ema" and float(flow.hp.beta) == 0, "the target stands still (beta = 0)"),
    )


def manifold(traj: Trajectory) -> VerificationRow:
    """Measure W_p W Sigma^s = W Sigma^d at rest, where W_p is singular too (`tian.manifold_is_all`)."""
    title = "at rest: W_p W = W Sigma^d (Sigma^s)^-1"
    if not at_rest(traj):
        return _at_end(MANIFOLD, title, traj, np.nan, False, "the run did not come to rest")
    data, end = traj.flow.data, traj.final
    W, W_p = np.asarray(end.W, float), np.asarray(end.W_p, float)
    left, right = W_p @ W @ np.asarray(data.Sigma_s), W @ np.asarray(data.Sigma_d)
    size = float(np.linalg.norm(left) + np.linalg.norm(right))
    return _at_end(MANIFOLD, title, traj, float(np.linalg.norm(left - right)) / max(size, 1e-300), True)
