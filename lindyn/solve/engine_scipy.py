"""The scipy engine: the same contract without JAX, for a first picture within a second."""

import itertools
from typing import Any

import numpy as np
from scipy.integrate import DOP853, RK45, OdeSolution, Radau

from lindyn import _checks
from lindyn._linalg import one_thread
from lindyn._records import State
from lindyn.flows import Flow
from lindyn.solve.trajectory import Solution, SolverSettings

STIFF_UNKNOWNS = 64  # an implicit step solves a dense system of at most this size under solver="auto"
STIFF_RATIO = 2e4  # beta x duration past which explicit steps, limited by stability, cost more than implicit ones
LARGE_UNKNOWNS, LARGE_RATIO = 512, 1e5  # the same where an implicit step costs ten explicit ones
LOOK = 500  # explicit steps between two looks at the way ahead
LONG_WAY = {STIFF_UNKNOWNS: 10_000, LARGE_UNKNOWNS: 30_000}  # explicit steps ahead that an implicit solver is worth
_LIMITED = {"tsit5": 1.5, "dopri8": 3.0}  # step x largest rate from which on stability limits the step, not accuracy
_SOLVERS = {"tsit5": RK45, "dopri8": DOP853, "stiff": Radau}
_TINY = 1e-290


class _Packing:
    """A state as one vector and back."""

    def __init__(self, y0: State) -> None:
        self.template = y0
        self.names = list(y0.blocks())
        blocks = [np.asarray(_checks.to_numpy(block), dtype=np.float64) for block in y0.blocks().values()]
        self.shapes = [block.shape for block in blocks]
        ends = np.cumsum([0] + [block.size for block in blocks])
        self.slices = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.vector = np.concatenate([block.ravel() for block in blocks])
        # scipy takes the root mean square over all unknowns; these shares make it a bound for each block or entry
        self.dilution = np.sqrt(max(self.vector.size, 1))
        self.shares = np.concatenate([np.full(block.size, np.sqrt(block.size)) for block in blocks]) / self.dilution

    def settle(self, vector: np.ndarray) -> None:
        """Take the round-off asymmetry out of symmetric blocks: it outlives a collapsing block and feeds back."""
        for name, part, shape in zip(self.names, self.slices, self.shapes, strict=True):
            if name in self.template.symmetric:
                block = vector[part].reshape(shape)
                vector[part] = ((block + block.T) / 2).ravel()

    def state(self, vector: np.ndarray) -> Any:
        """Return the state of one vector, or stacked states of a (times x unknowns) array."""
        lead = vector.shape[:-1]
        blocks = zip(self.names, self.slices, self.shapes, strict=True)
        return self.template.of_blocks({n: vector[..., part].reshape(lead + shape) for n, part, shape in blocks})

    def rate(self, flow: Flow) -> Any:
        """Return the flow as a function of (t, vector); the state that it sees, and the rates, are views made once."""
        seen, told = np.empty_like(self.vector), np.empty_like(self.vector)
        y, rates = self.state(seen), self.state(told).blocks()

        def derivative(t: float, vector: np.ndarray) -> np.ndarray:
            seen[:] = vector
            found = flow(t, y).blocks()
            if found.keys() != rates.keys():
                raise ValueError(_wrong_names(flow, rates, found))
            for name, block in rates.items():
                rate = found[name]
                if np.shape(rate) != block.shape:  # the assignment would repeat it along the block
                    raise ValueError(_wrong_shape(flow, name, block, rate))
                block[...] = rate
            return told.copy()

        return derivative

    def levels(self, vector: np.ndarray) -> np.ndarray:
        """Return each entry's block root mean square."""
        out = np.empty_like(vector)
        for part in self.slices:
            block = vector[part]
            size = float(np.abs(block).max(initial=0.0))
            usable = 0 < size < np.inf  # scaled, so that squares neither under- nor overflow
            shares = block / size if usable else block
            out[part] = size * np.sqrt(shares.dot(shares) / block.size) if usable else size
        return out


def _wrong_names(flow: Flow, rates: dict[str, Any], found: dict[str, Any]) -> str:
    return f"{type(flow).__name__} must give the rates of {', '.join(rates)}; got those of {', '.join(found)}."


def _wrong_shape(flow: Flow, name: str, block: np.ndarray, rate: Any) -> str:
    kind = type(flow).__name__
    return f"{kind} must give d{name}/dt of the shape of {name}, {block.shape}; got {np.shape(rate)}."


def solve(flow: Flow, y0: State, settings: SolverSettings) -> Solution:
    """Integrate with scipy's stepping solvers; tolerances follow each block's size from step to step."""
    packing = _Packing(y0)
    rate = packing.rate(flow)
    name = _choose(flow, packing, settings) if settings.solver == "auto" else settings.solver
    ts, vector = np.asarray(settings.ts, dtype=np.float64), packing.vector
    side = max((max(shape, default=1) for shape in packing.shapes), default=1)
    with np.errstate(over="ignore", invalid="ignore"), one_thread(side):
        solver = _start(name, rate, ts, vector, packing, settings)
        times, states, outcome, steps, pieces, solver, words = _march(solver, rate, ts, packing, settings, name)
    interpolation = None
    if settings.dense and pieces:
        path = OdeSolution([pieces[0].t_old, *(piece.t for piece in pieces)], pieces)
        interpolation = lambda t: packing.state(np.moveaxis(path(np.asarray(t)), 0, -1))  # noqa: E731
    counts = {"accepted": steps, "right_hand_sides": solver.nfev}
    return Solution(np.array(times), packing.state(np.array(states)), outcome, counts, words, interpolation)


def _choose(flow: Flow, packing: _Packing, settings: SolverSettings) -> str:
    duration = float(settings.ts[-1] - settings.ts[0])
    ratio, size = float(flow.hp.beta) * duration, packing.vector.size
    if (size <= STIFF_UNKNOWNS and ratio > STIFF_RATIO) or (size <= LARGE_UNKNOWNS and ratio > LARGE_RATIO):
        return "stiff"
    return "dopri8" if settings.rtol < 1e-7 else "tsit5"


def _is_stiff(solver: Any, rate: Any, name: str, ahead: float) -> bool:
    """Return whether an implicit solver would end sooner: a long way ahead, in steps that only stability keeps short.

    The largest rate of decay or growth is found by a few steps of the power method on differences of the flow.
    """
    limit = next((steps for size, steps in LONG_WAY.items() if solver.n <= size), np.inf)
    if ahead < limit:
        return False
    y, f = solver.y, solver.f
    scale = 1e-7 * max(float(np.linalg.norm(y)), _TINY)
    v = f if np.any(f) else np.ones_like(y)
    largest = 0.0
    for _ in range(8):
        v = v / max(float(np.linalg.norm(v)), _TINY)
        v = (rate(solver.t, y + scale * v) - f) / scale
        largest = float(np.linalg.norm(v))
    return bool(solver.h_abs * largest > _LIMITED[name])


def _start(name: str, rate: Any, ts: np.ndarray, y: np.ndarray, packing: _Packing, settings: SolverSettings) -> Any:
    speed, level = packing.levels(rate(ts[0], y)), packing.levels(y)
    moving = (speed > 0) & (level > 0)
    first = min(0.01 * float(np.min(level[moving] / speed[moving])) if moving.any() else np.inf, ts[1] - ts[0])
    rtol = max(settings.rtol / packing.dilution, 3e-14)
    atol = settings.atol / packing.dilution + _TINY
    return _SOLVERS[name](rate, ts[0], y, ts[-1], rtol=rtol, atol=atol, first_step=first)


def _set_tolerance(solver: Any, packing: _Packing, settings: SolverSettings) -> None:
    """Give each entry all of its block's tolerance: a share of the level, or of where it goes from 0."""
    level = np.maximum(packing.levels(solver.y), solver.h_abs * packing.levels(solver.f))
    solver.rtol, solver.atol = 0.0, packing.shares * (settings.atol + max(settings.rtol, 3e-14) * level) + _TINY


def _step_to(solver: Any, t: float, last: float) -> None:
    """Take one step that ends at t at the latest; a step cut short for that does not slow down the next one."""
    proposed, cut = solver.h_abs, solver.h_abs > t - solver.t
    solver.t_bound = t
    solver.step()
    if solver.status == "finished" and t < last:
        solver.status = "running"
        solver.h_abs = max(solver.h_abs, proposed) if cut else solver.h_abs


def _march(
    solver: Any, rate: Any, ts: np.ndarray, packing: _Packing, settings: SolverSettings, name: str
) -> tuple[Any, ...]:
    """Step to the end; return times, states, outcome index, step count, interpolants, solver and its name.

    Where the choice is free, explicit steps give way to implicit ones once the run has turned out to be stiff.
    """
    free, looked = settings.solver == "auto" and name in _LIMITED, ts[0]
    pieces: list[Any] = []
    times, states = [ts[0]], [packing.vector]
    start = packing.levels(packing.vector)
    outcome, steps = 0, 0
    while solver.status == "running":
        if steps >= settings.max_steps:
            outcome = 2
            break
        if not settings.elementwise:
            _set_tolerance(solver, packing, settings)
        _step_to(solver, ts[len(times)], ts[-1])
        packing.settle(solver.y)
        steps += 1
        if solver.status == "failed" or not np.all(np.isfinite(solver.y)):
            outcome = 3 if not np.all(np.abs(solver.y) < 1e6) else 4
            break
        if settings.dense:
            pieces.append(solver.dense_output())
        if solver.t == ts[len(times)]:
            times.append(solver.t)
            states.append(solver.y.copy())
        if settings.progress is not None:
            settings.progress(solver.t)
        if free and steps % LOOK == 0 and solver.status == "running":
            ahead = LOOK * (ts[-1] - solver.t) / max(solver.t - looked, _TINY)
            looked = solver.t
            if _is_stiff(solver, rate, name, ahead):
                free, name = False, f"{name}, then stiff"
                rtol, atol = settings.rtol / packing.dilution, settings.atol / packing.dilution + _TINY
                first = min(solver.h_abs, ts[len(times)] - solver.t)
                evaluations = solver.nfev
                solver = Radau(rate, solver.t, solver.y, ts[-1], rtol=max(rtol, 3e-14), atol=atol, first_step=first)
                solver.nfev += evaluations
        if settings.steady_state is not None and _steady(rate, solver, start, packing, settings.steady_state):
            outcome = 1
            break
    if outcome and solver.t > times[-1] and np.all(np.isfinite(solver.y)):
        times.append(solver.t)
        states.append(solver.y.copy())
    return times, states, outcome, steps, pieces, solver, name


def _steady(rate: Any, solver: Any, start: np.ndarray, packing: _Packing, tolerance: float) -> bool:
    level = packing.levels(solver.y)
    speed = packing.levels(rate(solver.t, solver.y))
    return bool(np.all((speed <= tolerance * level) | (level <= 1e-12 * start)))
