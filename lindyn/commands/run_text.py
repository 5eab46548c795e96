"""What a run came to, in a few plain lines."""

import numpy as np

from lindyn import observables, theory
from lindyn.flows import choices
from lindyn.solve.trajectory import Trajectory

ALIVE = 1e-6  # share of the largest starting s below which a mode counts as collapsed
_HELD = (("target", "frozen"), ("predictor", "identity"), ("tau", "constant"))  # no critical decay then


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


def sizes(traj: Trajectory) -> np.ndarray | None:
    """Return the sizes of the modes over time, (times, modes), e.g. eigenvalues of F; None where there are none."""
    s = traj.states.sizes(traj.flow.hp.alpha_p)
    return None if s is None else np.asarray(s).reshape(len(traj), -1)


def _ends(traj: Trajectory) -> str:
    s = sizes(traj)
    if s is None:
        ends = ((name, np.ravel(getattr(traj.final, name))) for name in traj.final._fields())
        return f"At t = {traj.ts[-1]:.6g}: " + "; ".join(f"{name} = {_shown(value)}" for name, value in ends) + "."
    alive = int(np.sum(s[-1] > ALIVE * s[0].max()))
    verdict = "collapsed" if alive == 0 else f"{alive} of {s.shape[1]} modes above {ALIVE:g} of the largest start"
    return f"At t = {traj.ts[-1]:.6g}: {verdict}; s = {_shown(s[-1])} (sum {s[0].sum():.4g} -> {s[-1].sum():.4g})."


def _shown(values: np.ndarray) -> str:
    return ", ".join(f"{value:.4g}" for value in values[:8]) + (", ..." if len(values) > 8 else "")


def _decay(traj: Trajectory) -> str:
    flow = traj.flow
    data = flow.spectrum()
    held = (choices.of(flow, name) == word for name, word in _HELD)
    if data is None or any(held):
        return ""
    x, x_aug = data
    if not choices.of(flow, "stop_gradient"):
        if float(flow.hp.eta_s) > 0 or x_aug.min() > 0:
            return "Without stop-gradient, with eta_s > 0 or X' > 0, H of Theorem 2 is positive: W decays."
        return "Without stop-gradient W cannot grow (Theorem 2), but at eta_s = 0 and singular X' it need not decay."
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
    plain = choices.of(flow, "predictor") == "trained" and choices.of(flow, "stop_gradient")
    if not (traj.states.balanced and plain and hp.equal_decays and hp.alpha_p > 0) or traj.notes["engine"] == "descent":
        return ""
    worst = float(np.max(observables.balance_residual(traj)))
    return f"Theorem 1 along the run: W W^T - W_p^T W_p/alpha_p = exp(-2 eta t) C to {worst:.1e} relative."
