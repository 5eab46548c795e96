"""From settings to a flow and its initial state, to a finished run, and to what it came to in plain lines."""

from collections.abc import Callable
from typing import Any

import numpy as np

import lindyn as ld
from lindyn import observables, theory
from lindyn._records import State
from lindyn.commands.simulate_options import IMAGES
from lindyn.flows import choices, registry
from lindyn.flows.from_settings import EVERY, Flow
from lindyn.hyperparameters import flow_step
from lindyn.solve.engine_scipy import STIFF_RATIO
from lindyn.solve.trajectory import Trajectory, step_of
from lindyn.stored import archives

ALIVE = 1e-6  # share of the largest starting s below which a mode counts as collapsed
_HELD = (("target", "frozen"), ("predictor", "identity"), ("tau", "constant"))  # no critical decay then


def foreign(system: str) -> frozenset[str]:
    """Return the settings of data and start that a system does not read."""
    return EVERY - registry.flow_class(system).takes


def check_relevant(settings: dict[str, Any], given: set[str]) -> None:
    """Raise ValueError for a setting that was given and that this run would ignore."""
    ignored = given & foreign(settings["system"])
    if ignored:
        raise ValueError(f"system={settings['system']!r} has no {', '.join(sorted(ignored))}. Leave it out.")
    ignored = given & IMAGES
    if ignored:
        raise ValueError(f"{', '.join(sorted(ignored))} needs --images. Leave it out, or name the images.")
    ignored = given & {"momentum", "batch"}
    if ignored and settings["learning_rate"] is None:
        raise ValueError(f"{', '.join(sorted(ignored))} needs --learning-rate: the flow has no finite steps.")
    lengths = [len(settings[name]) for name in ("x", "x_aug") if settings[name] and len(settings[name]) > 1]
    if "n1" in given and lengths and lengths[0] != settings["n1"]:
        raise ValueError(
            f"n1 must be the number of eigenvalues given, {lengths[0]}; got {settings['n1']}. Leave it out."
        )


def relevant(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with what this system ignores set to None, so that the saved file repeats the run."""
    unused = IMAGES | foreign(settings["system"])
    if settings["learning_rate"] is None:
        unused |= {"momentum", "batch"}
    if settings["X"] is not None:
        unused |= {"n1", "x", "x_aug", "sigma2"}
    elif any(len(settings[name] or []) > 1 for name in ("x", "x_aug")):
        unused |= {"n1"}
    return {name: None if name in unused else value for name, value in settings.items()}


def build(given: dict[str, Any]) -> tuple[Flow, State]:
    """Return (flow, initial state) of the settings.

    Raises:
        ValueError: values out of range or that do not fit together.
    """
    files = [given[name] for name in ("X", "X_aug_file")]
    arrays = {} if None in files else dict(zip(("X", "X_aug_file"), map(read_array, files), strict=True))
    return registry.flow_class(given["system"]).from_settings({**given, **arrays})


def read_array(path: str) -> np.ndarray:
    """Return the array of an .npy file.

    Raises:
        ValueError: no such file, or not an .npy file.
    """
    try:
        return archives.array(path)
    except ValueError as error:
        raise ValueError(f"Cannot read {path}: it must be an .npy file of numbers ({error}).") from error


def solve(flow: Flow, y0: State, given: dict[str, Any], progress: Callable[[float], None] | None = None) -> Trajectory:
    """Return the trajectory of the settings, finished or not (`throw` is off)."""
    if not np.isfinite(given["t1"]) or given["t1"] <= 0:
        raise ValueError(f"t1 must be finite and > 0; got {given['t1']:g}.")
    if given["learning_rate"] is not None:
        alpha = flow_step(given["learning_rate"], given["momentum"])
        return ld.descend(
            flow,
            y0,
            learning_rate=given["learning_rate"],
            momentum=given["momentum"],
            batch=given["batch"],
            seed=given["seed"] or 0,
            steps=max(1, round(given["t1"] / alpha)),
            throw=False,
            progress=None if progress is None else lambda done: progress(done * alpha),
        )
    if given["points"] < 2:
        raise ValueError(f"points must be at least 2; got {given['points']}.")
    ts = np.linspace(0.0, given["t1"], given["points"])
    rtol, steps = given["rtol"], given["max_steps"]
    how = {"engine": given["engine"], "solver": given["solver"]}
    return ld.simulate(flow, y0, ts, rtol=rtol, max_steps=steps, throw=False, progress=progress, **how)


def hint(flow: Flow, given: dict[str, Any]) -> str:
    """Return what makes a run long, and what would be quicker, for the line that says how long it takes."""
    ratio = float(flow.hp.beta) * given["t1"]
    if given["learning_rate"] is not None or ratio < STIFF_RATIO:
        return ""
    stiff = f" (stiff: beta x t1 = {ratio:.3g}, an explicit solver takes about a fifth as many steps"
    return stiff + ("; --solver stiff takes fewer)" if given["solver"] != "stiff" else ")")


def describe(traj: Trajectory) -> str:
    """Return the status, the end values and what the theory says about them."""
    if traj.outcome_name == "not_finite":
        return _headline(traj)
    return "\n".join(line for line in (_headline(traj), _ends(traj), _decay(traj), _balance(traj)) if line)


def _headline(traj: Trajectory) -> str:
    flow, notes = traj.flow, traj.notes
    steps = traj.stats.get("accepted", traj.stats.get("steps"))
    how = f"{notes['engine']} {notes.get('solver', '')}".strip()
    long = f" of {step_of(traj):g}" if notes["engine"] == "descent" else ""
    return f"{flow.words} {traj.status}: {steps} steps{long}, {how}, reduction {notes['reduction']}."


def sizes(traj: Trajectory) -> np.ndarray | None:
    """Return the sizes of the modes over time, (times, modes), e.g. eigenvalues of F; None where there are none."""
    s = traj.states.sizes(traj.flow.hp.alpha_p)
    return None if s is None else np.asarray(s).reshape(len(traj), -1)


def _ends(traj: Trajectory) -> str:
    s = sizes(traj)
    if s is None:
        ends = ((name, np.ravel(block)) for name, block in traj.final.blocks().items())
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
    if not traj.states.balanced or observables.unbalanced(traj.flow) or traj.notes["engine"] == "descent":
        return ""
    worst = float(np.max(observables.balance_residual(traj)))
    name = "W_L W_L^T" if isinstance(traj.states, ld.DeepWeightState) else "W W^T"
    return f"Theorem 1 along the run: {name} - W_p^T W_p/alpha_p = exp(-2 eta t) C to {worst:.1e} relative."
