"""The scipy engine: the same contract without JAX, for a first picture within a second."""

import itertools
from typing import Any

import numpy as np
from scipy.integrate import DOP853, RK45, OdeSolution, Radau

from lindyn import _checks
from lindyn.solve.ode import Settings, Solution

STIFF_UNKNOWNS = 64  # an implicit step solves a dense system of at most this size under solver="auto"
STIFF_RATIO = 2e4  # beta x duration past which explicit steps, limited by stability, cost more than implicit ones
_SOLVERS = {"tsit5": RK45, "dopri8": DOP853, "stiff": Radau}
_TINY = 1e-290


class _Packing:
    """A state as one vector and back."""

    def __init__(self, y0: Any) -> None:
        self.template = y0
        self.names = y0._fields()
        blocks = [np.asarray(_checks.to_numpy(getattr(y0, name)), dtype=np.float64) for name in self.names]
        self.shapes = [block.shape for block in blocks]
        ends = np.cumsum([0] + [block.size for block in blocks])
        self.slices = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.vector = np.concatenate([block.ravel() for block in blocks])

    def state(self, vector: np.ndarray) -> Any:
        """Return the state of one vector, or stacked states of a (times x unknowns) array."""
        lead = vector.shape[:-1]
        blocks = zip(self.names, self.slices, self.shapes, strict=True)
        return self.template._unchecked(**{n: vector[..., part].reshape(lead + shape) for n, part, shape in blocks})

    def rate(self, flow: Any) -> Any:
        """Return the flow as a function of (t, vector)."""

        def derivative(t: float, vector: np.ndarray) -> np.ndarray:
            dy = flow(t, self.state(vector))
            return np.concatenate([np.ravel(getattr(dy, name)) for name in self.names])

        return derivative

    def levels(self, vector: np.ndarray) -> np.ndarray:
        """Return each entry's block root mean square."""
        out = np.empty_like(vector)
        for part in self.slices:
            out[part] = np.sqrt(np.mean(vector[part] ** 2))
        return out


def solve(flow: Any, y0: Any, settings: Settings) -> Solution:
    """Integrate with scipy's stepping solvers; tolerances follow each block's size from step to step."""
    packing = _Packing(y0)
    rate = packing.rate(flow)
    name = _choose(flow, packing, settings) if settings.solver == "auto" else settings.solver
    ts, vector = np.asarray(settings.ts, dtype=np.float64), packing.vector
    with np.errstate(over="ignore", invalid="ignore"):
        solver = _start(name, rate, ts, vector, packing, settings)
        times, states, outcome, steps, pieces = _march(solver, rate, ts, packing, settings)
    interpolation = None
    if settings.dense and pieces:
        path = OdeSolution([pieces[0].t_old, *(piece.t for piece in pieces)], pieces)
        interpolation = lambda t: packing.state(np.moveaxis(path(np.asarray(t)), 0, -1))  # noqa: E731
    counts = {"accepted": steps, "right_hand_sides": solver.nfev}
    return Solution(np.array(times), packing.state(np.array(states)), outcome, counts, name, interpolation)


def _choose(flow: Any, packing: _Packing, settings: Settings) -> str:
    duration = float(settings.ts[-1] - settings.ts[0])
    if packing.vector.size <= STIFF_UNKNOWNS and float(flow.hp.beta) * duration > STIFF_RATIO:
        return "stiff"
    return "dopri8" if settings.rtol < 1e-7 else "tsit5"


def _start(name: str, rate: Any, ts: np.ndarray, y: np.ndarray, packing: _Packing, settings: Settings) -> Any:
    speed, level = packing.levels(rate(ts[0], y)), packing.levels(y)
    moving = (speed > 0) & (level > 0)
    first = min(0.01 * float(np.min(level[moving] / speed[moving])) if moving.any() else np.inf, ts[1] - ts[0])
    return _SOLVERS[name](rate, ts[0], y, ts[-1], rtol=max(settings.rtol, 3e-14), atol=_TINY, first_step=first)


def _march(solver: Any, rate: Any, ts: np.ndarray, packing: _Packing, settings: Settings) -> tuple:
    """Step to the end; return times, states, outcome index, step count and interpolants."""
    pieces: list[Any] = []
    times, states = [ts[0]], [packing.vector]
    start = packing.levels(packing.vector)
    rtol, outcome, steps = solver.rtol, 0, 0
    while solver.status == "running":
        if steps >= settings.max_steps:
            outcome = 2
            break
        if not settings.elementwise:  # all of the tolerance from the block, none from the single entry
            solver.rtol, solver.atol = 0.0, settings.atol + rtol * packing.levels(solver.y) + _TINY
        solver.step()
        steps += 1
        if solver.status == "failed" or not np.all(np.isfinite(solver.y)):
            outcome = 3 if not np.all(np.abs(solver.y) < 1e6) else 4
            break
        wanted = settings.dense or (len(times) < len(ts) and ts[len(times)] <= solver.t)
        piece: Any = solver.dense_output() if wanted else None
        if settings.dense:
            pieces.append(piece)
        while len(times) < len(ts) and ts[len(times)] <= solver.t:
            t = ts[len(times)]
            times.append(t)
            states.append(solver.y.copy() if t == solver.t else piece(t))
        if settings.progress is not None:
            settings.progress(solver.t)
        if settings.steady_state is not None and _steady(rate, solver, start, packing, settings.steady_state):
            outcome = 1
            break
    if outcome and solver.t > times[-1] and np.all(np.isfinite(solver.y)):
        times.append(solver.t)
        states.append(solver.y.copy())
    return times, states, outcome, steps, pieces


def _steady(rate: Any, solver: Any, start: np.ndarray, packing: _Packing, tolerance: float) -> bool:
    level = packing.levels(solver.y)
    speed = packing.levels(rate(solver.t, solver.y))
    return bool(np.all((speed <= tolerance * level) | (level <= 1e-12 * start)))
