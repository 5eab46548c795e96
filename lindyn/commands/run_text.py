"""What a run came to, in a few plain lines."""

from typing import Any

import numpy as np

from lindyn import observables, theory
from lindyn.solve.trajectory import Trajectory
from lindyn.states import CorrelationState, GramState, ModeState, ModeWeightState, WeightState

ALIVE = 1e-6  # share of the largest starting s below which a mode counts as collapsed


def describe(traj: Trajectory) -> str:
    """Return the status, the end values and what the theory says about them."""
    if traj.outcome_name == "not_finite":
        return _headline(traj)
    return "\n".join(line for line in (_headline(traj), _ends(traj), _decay(traj), _balance(traj)) if line)


def _headline(traj: Trajectory) -> str:
    flow, notes = traj.flow, traj.notes
    choices = ", ".join(f"{name}={getattr(flow, name)}" for name in flow._fields(static=True))
    steps = traj.stats.get("accepted", traj.stats.get("steps"))
    how = f"{notes['engine']} {notes.get('solver', '')}".strip()
    return f"{type(flow).__name__} ({choices}) {traj.status}: {steps} steps, {how}, reduction {notes['reduction']}."


def sizes(traj: Trajectory) -> np.ndarray:
    """Return the sizes of the modes over time, (times, modes): eigenvalues of F, s, w^2 or p^2/alpha_p."""
    states = traj.states
    if isinstance(states, WeightState | GramState | CorrelationState):
        return observables.spectrum_F(traj)
    if isinstance(states, ModeState):
        return np.asarray(states.s).reshape(len(traj), -1)
    if isinstance(states, ModeWeightState):
        return np.asarray(states.w).reshape(len(traj), -1) ** 2
    return np.asarray(states.p).reshape(len(traj), -1) ** 2 / max(traj.flow.hp.alpha_p, np.finfo(float).tiny)


def _ends(traj: Trajectory) -> str:
    s = sizes(traj)
    alive = int(np.sum(s[-1] > ALIVE * s[0].max()))
    shown = ", ".join(f"{value:.4g}" for value in s[-1][:8]) + (", ..." if s.shape[1] > 8 else "")
    verdict = "collapsed" if alive == 0 else f"{alive} of {s.shape[1]} modes above {ALIVE:g} of the largest start"
    return f"At t = {traj.ts[-1]:.6g}: {verdict}; s = {shown} (sum {s[0].sum():.4g} -> {s[-1].sum():.4g})."


def spectrum_of_data(flow: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues (x, x_aug) the flow's modes see."""
    if hasattr(flow, "data"):
        x, x_aug, _ = flow.data.joint_spectrum()
        return x, x_aug
    x_aug = flow.x_aug if hasattr(flow, "x_aug") else flow.sigma2
    return np.atleast_1d(np.asarray(flow.x, float)), np.atleast_1d(np.asarray(x_aug, float))


def _decay(traj: Trajectory) -> str:
    flow = traj.flow
    if (
        flow.target == "frozen"
        or getattr(flow, "predictor", "trained") == "identity"
        or getattr(flow, "tau", "") == "constant"
    ):
        return ""
    if not getattr(flow, "stop_gradient", True):
        if float(flow.hp.eta_s) > 0 or spectrum_of_data(flow)[1].min() > 0:
            return "Without stop-gradient, with eta_s > 0 or X' > 0, H of Theorem 2 is positive: W decays."
        return "Without stop-gradient W cannot grow (Theorem 2), but at eta_s = 0 and singular X' it need not decay."
    x, x_aug = spectrum_of_data(flow)
    critical = np.atleast_1d(theory.critical_decay(1.0, x, x_aug))
    eta_s = float(flow.hp.eta_s)
    exact = (
        "" if not hasattr(flow, "data") or flow.data.commute else " (X and X' do not commute: by the diagonal of X')"
    )
    if eta_s > critical.max():
        return (
            f"eta = {eta_s:g} is above the critical decay x^2/(4(x + x')) = {critical.max():.4g}: "
            f"collapse is certain, sooner or later{exact}."
        )
    living = int(np.sum(eta_s <= critical)) if critical.size > 1 else None
    which = "every direction" if living is None else f"{living} of {critical.size} directions"
    return (
        f"eta = {eta_s:g} is below the critical decay x^2/(4(x + x')), at most {critical.max():.4g}: "
        f"{which} of the data can live, from a start above p_-{exact}."
    )


def _balance(traj: Trajectory) -> str:
    hp, flow = traj.flow.hp, traj.flow
    plain = getattr(flow, "predictor", "trained") == "trained" and getattr(flow, "stop_gradient", True)
    known = isinstance(traj.states, WeightState | GramState | CorrelationState | ModeState | ModeWeightState)
    if not (known and plain and hp.equal_decays and hp.alpha_p > 0) or traj.notes["engine"] == "descent":
        return ""
    worst = float(np.max(observables.balance_residual(traj)))
    return f"Theorem 1 along the run: W W^T - W_p^T W_p/alpha_p = exp(-2 eta t) C to {worst:.1e} relative."
