"""More times of a run: integrated again between those that were saved, with the run's own settings."""

from dataclasses import replace
from typing import Any

import numpy as np

from lindyn._records import State
from lindyn.solve.ode import RTOL, simulate
from lindyn.solve.trajectory import SimulationError, Trajectory

FACTORS = (8, 64)  # times as many, one after the other, until every statement can be told
MOST = 20_000  # times that are looked at
STRETCHES = 256  # of a run that has to be integrated stretch by stretch, a few milliseconds each
SAME = 1e-6  # relative distance up to which a run that is integrated again comes by the states that were saved


def denser(traj: Trajectory, factor: int) -> Trajectory | None:
    """Return a run at `factor` times as many times, the saved states among them unchanged; None where it cannot be.

    The run is integrated again from its start. Where that does not come by the saved states, as past a saddle or in a
    run from elsewhere, each stretch is integrated from the state that was saved at its beginning: a state that does
    not follow from the one before it then stands out as a jump.

    Args:
        traj: the run; of finite steps those of the whole population.
        factor: at least 2.
    """
    ts = np.asarray(traj.ts, dtype=float)
    factor = min(factor, MOST // len(ts))
    if factor < 2 or traj.notes.get("batch"):
        return None
    try:
        if traj.notes.get("engine") == "descent":
            return _descended(traj, factor)
        fine = np.append(np.linspace(ts[:-1], ts[1:], factor, endpoint=False, axis=1).ravel(), ts[-1])
        states = _again(traj, traj[0], fine)
        if states is None or not _same(states, traj, factor):
            if len(ts) > STRETCHES:
                return None
            pieces = [_again(traj, traj[k], fine[k * factor : (k + 1) * factor + 1]) for k in range(len(ts) - 1)]
            if any(piece is None for piece in pieces):
                return None
            states = _joined(pieces)
    except (ArithmeticError, SimulationError, ValueError):  # the rates cannot be followed: the times stay as they are
        return None
    for name, block in states.items():
        block[::factor] = np.asarray(traj.states.blocks()[name])
    return replace(traj, ts=fine, states=traj.states.of_blocks(states), interpolation=None)


def _again(traj: Trajectory, start: State, ts: np.ndarray) -> dict[str, np.ndarray] | None:
    notes = traj.notes
    run = simulate(
        traj.flow, start, ts, rtol=float(notes.get("rtol", RTOL)), atol=float(notes.get("atol") or 0.0),
        solver=notes.get("solver", "auto"), engine="scipy", throw=False,
    )  # fmt: skip
    if len(run) < len(ts):
        return None
    return {name: np.array(block) for name, block in run.states.blocks().items()}


def _same(states: dict[str, np.ndarray], traj: Trajectory, factor: int) -> bool:
    """Return whether every block comes by the saved states, relative to the largest of them."""
    for name, block in states.items():
        saved = np.asarray(traj.states.blocks()[name])
        if not np.max(np.abs(block[::factor] - saved), initial=0.0) <= SAME * np.max(np.abs(saved), initial=0.0):
            return False
    return True


def _joined(pieces: list[Any]) -> dict[str, np.ndarray]:
    last = {name: block[-1:] for name, block in pieces[-1].items()}
    return {name: np.concatenate([*(piece[name][:-1] for piece in pieces), last[name]]) for name in last}


def _descended(traj: Trajectory, factor: int) -> Trajectory | None:
    """Return the same finite steps with more of them kept."""
    from lindyn.solve.finite_step import descend

    steps = int(traj.stats["steps"])
    apart = steps // max(1, len(traj) - 1)
    if apart < 2 or not traj.succeeded or {"schedule", "gamma_a"} & traj.notes.keys():
        return None
    return descend(
        traj.flow, traj[0], learning_rate=traj.notes["learning_rate"], momentum=traj.notes["momentum"], steps=steps,
        save_every=max(1, apart // factor),
    )  # fmt: skip
