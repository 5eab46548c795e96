"""The diffrax engine: adaptive, dense, differentiable, mappable; hits every asked time exactly."""

import contextlib
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from lindyn import _checks
from lindyn._records import State, register_records
from lindyn.flows import Flow
from lindyn.solve.forks import check_jax
from lindyn.solve.trajectory import Solution, SolverSettings

INSTEAD = "use engine='scipy'"
_SOLVERS = {"tsit5": diffrax.Tsit5, "dopri8": diffrax.Dopri8}


class BlockController(diffrax.AbstractAdaptiveStepSizeController):
    """PID control that can measure each block against its own root mean square, and that ends at a singularity.

    The inner controller accepts any step of the smallest size, NaN included, and then rejects for ever.
    """

    rtol: Any
    atol: Any
    norm: Callable[[Any], Any] = eqx.field(static=True)
    inner: diffrax.PIDController
    elementwise: bool = eqx.field(static=True)

    @classmethod
    def around(cls, inner: diffrax.PIDController, elementwise: bool) -> "BlockController":
        """Return the controller around `inner`; `elementwise` leaves errors measured against each entry."""
        return cls(inner.rtol, inner.atol, inner.norm, inner, elementwise)

    def wrap(self, direction: Any) -> "BlockController":
        return self.around(self.inner.wrap(direction), self.elementwise)

    def init(self, *args: Any) -> Any:
        return self.inner.init(*args)

    def adapt_step_size(
        self, t0: Any, t1: Any, y0: Any, y1_candidate: Any, args: Any, y_error: Any, error_order: Any, state: Any
    ) -> Any:
        levels = y0, y1_candidate
        if not self.elementwise:
            level = jax.tree.map(lambda a, b: jnp.maximum(_rms(a), _rms(b)) * jnp.ones_like(a), y0, y1_candidate)
            levels = level, level
        keep, next_t0, next_t1, jump, state, result = self.inner.adapt_step_size(
            t0, t1, *levels, args, y_error, error_order, state
        )
        stuck = keep & ~jnp.all(jnp.stack([jnp.all(jnp.isfinite(block)) for block in jax.tree.leaves(y1_candidate)]))
        result = diffrax.RESULTS.where(stuck, diffrax.RESULTS.dt_min_reached, result)
        return keep & ~stuck, jnp.where(stuck, t0, next_t0), next_t1, jump, state, result


def _rms(block: Any) -> Any:
    """Root mean square of a block, differentiable at 0, no under- or overflow of squares; NaN and infinity stay."""
    size = jnp.max(jnp.abs(block))
    usable = (size > 0) & jnp.isfinite(size)
    scale = jnp.where(usable, size, 1.0)
    mean = jnp.mean((jnp.where(usable, block, 1.0) / scale) ** 2)
    return jnp.where(usable, scale * jnp.sqrt(mean), size)


def _worst_block(tree: Any) -> Any:
    """The largest root mean square among the blocks of a scaled error."""
    return jnp.max(jnp.stack([_rms(block) for block in jax.tree.leaves(tree)]))


def _worst_entry(tree: Any) -> Any:
    """The largest entry of a scaled error: every mode is held to the tolerance."""
    return jnp.max(jnp.stack([jnp.max(jnp.abs(block)) for block in jax.tree.leaves(tree)]))


def solve(flow: Flow, y0: State, settings: SolverSettings) -> Solution:
    """Integrate with diffrax; plain inputs are solved in float64 whatever JAX's setting and come back as numpy."""
    check_jax(INSTEAD)
    register_records()
    traced = any(_checks.is_traced(leaf) for leaf in jax.tree.leaves((flow, y0, settings.ts)))
    if traced and not jax.config.read("jax_enable_x64"):
        raise ValueError(
            "simulate inside a JAX transformation needs float64; "
            "call jax.config.update('jax_enable_x64', True) before making arrays."
        )
    with contextlib.nullcontext() if traced else jax.enable_x64(True):
        flow, y0, ts = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (flow, y0, settings.ts))
        name = _solver_name(settings)
        rtol, atol = jnp.asarray(settings.rtol, jnp.float64), jnp.asarray(settings.atol, jnp.float64)
        steady = None if settings.steady_state is None else jnp.asarray(settings.steady_state, jnp.float64)
        t, states, outcome, counts, interpolation = _solve(
            flow, y0, ts, rtol, atol, steady, settings.max_steps, (name, settings.elementwise, False)
        )
        if traced:
            return Solution(*_filled(t, states), outcome, counts, name, None)
        if settings.dense:  # once more with room for the steps that were counted: room for max_steps takes gigabytes
            room = min(settings.max_steps, 2 ** int(sum(counts.values())).bit_length())
            how = (name, settings.elementwise, True)
            interpolation = _solve(flow, y0, ts, rtol, atol, steady, room, how)[-1]
        return _to_numpy(settings.ts, t, states, outcome, counts, name, interpolation)


def _solver_name(settings: SolverSettings) -> str:
    if settings.solver == "stiff":
        raise ValueError("solver='stiff' needs engine='scipy'; got engine='diffrax', which steps explicitly.")
    if settings.solver == "auto":
        return "dopri8" if settings.rtol < 1e-7 else "tsit5"
    return settings.solver


@eqx.filter_jit
def _solve(flow: Any, y0: Any, ts: Any, rtol: Any, atol: Any, steady: Any, max_steps: int, how: tuple) -> tuple:
    name, elementwise, dense = how
    kept = [diffrax.SubSaveAt(ts=ts), diffrax.SubSaveAt(t1=True)]
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(flow),
        _SOLVERS[name](),
        t0=ts[0],
        t1=ts[-1],
        dt0=_first_step(flow, ts, y0),
        y0=y0,
        saveat=diffrax.SaveAt(subs=kept, dense=dense),
        stepsize_controller=diffrax.ClipStepSizeController(_controller(ts, rtol, atol, elementwise), step_ts=ts),
        event=None if steady is None else diffrax.Event(_steady_condition(flow, y0, steady)),
        max_steps=max_steps,
        throw=False,
    )
    counts = {"accepted": solution.stats["num_accepted_steps"], "rejected": solution.stats["num_rejected_steps"]}
    t = jnp.concatenate([solution.ts[0], solution.ts[1]])
    states = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), *solution.ys)
    return t, states, _outcome(solution.result, states), counts, solution.interpolation


def _controller(ts: Any, rtol: Any, atol: Any, elementwise: bool) -> Any:
    norm = _worst_entry if elementwise else _worst_block
    tiny = 1e-290  # 0 / 0 for entries that are and stay 0
    pid = diffrax.PIDController(
        rtol=rtol, atol=jnp.maximum(atol, tiny), pcoeff=0.3, icoeff=0.4, dtmin=1e-15 * ts[-1], norm=norm
    )
    return BlockController.around(pid, elementwise)


def _first_step(flow: Any, ts: Any, y0: Any) -> Any:
    """Return 1 % of the time in which the fastest block that is not 0 changes by its own size."""
    rate = flow(ts[0], y0)
    span = ts[1] - ts[0]
    steps = [span]
    for y, dy in zip(jax.tree.leaves(y0), jax.tree.leaves(rate), strict=True):
        size, speed = _rms(y), _rms(dy)
        steps.append(jnp.where((size > 0) & (speed > 0), 0.01 * size / jnp.where(speed > 0, speed, 1.0), span))
    return jax.lax.stop_gradient(jnp.minimum(jnp.min(jnp.stack(steps)), span))


def _steady_condition(flow: Any, y0: Any, tolerance: Any) -> Any:
    """Return the event |dy/dt| <= tolerance |y| in every block; a block gone to 1e-12 of its start counts as steady."""
    start = [_rms(block) for block in jax.tree.leaves(y0)]

    def steady(t: Any, y: Any, args: Any, **kwargs: Any) -> Any:
        blocks = zip(jax.tree.leaves(y), jax.tree.leaves(flow(t, y)), start, strict=True)
        still = [(_rms(dy) <= tolerance * _rms(b)) | (_rms(b) <= 1e-12 * first) for b, dy, first in blocks]
        return jnp.all(jnp.stack(still))

    return steady


def _outcome(result: Any, states: Any) -> Any:
    """Return the index into `trajectory.OUTCOMES`; a step that shrank to nothing at infinity is a blow-up."""
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(block[-1])) for block in jax.tree.leaves(states)]))
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(block[-1])) for block in jax.tree.leaves(states)]))
    results = diffrax.RESULTS
    code = jnp.where(result == results.successful, 0, 4)
    code = jnp.where(result == results.event_occurred, 1, code)
    code = jnp.where(result == results.max_steps_reached, 2, code)
    return jnp.where(~finite | ((code == 4) & (largest > 1e6)), 3, code)


def _to_numpy(asked: Any, t: Any, states: Any, outcome: Any, counts: Any, name: str, interpolation: Any) -> Solution:
    """Return the solution as numpy arrays: what was reached, and the last state where the run ended early."""
    t = np.array(t)
    reached = np.isfinite(t)
    reached[-1] &= not np.any(t[:-1] == t[-1])
    states = jax.tree.map(np.array, states)
    for block in jax.tree.leaves(states):
        reached &= np.isfinite(block).reshape(len(t), -1).all(axis=1)
    index = np.flatnonzero(reached)
    states = jax.tree.map(lambda block: block[index], states)
    counts = {key: int(value) for key, value in counts.items()}
    return Solution(t[index], states, int(outcome), counts, name, _interpolant(interpolation))


def _filled(t: Any, states: Any) -> tuple[Any, Any]:
    """Return as many times and states as were asked for; past an early end the last state stands, at its time."""
    reached = jnp.isfinite(t[:-1])

    def fill(block: Any) -> Any:
        return jnp.where(reached.reshape(-1, *[1] * (block.ndim - 1)), block[:-1], block[-1])

    return fill(t), jax.tree.map(fill, states)


def _interpolant(interpolation: Any) -> Any:
    if interpolation is None:
        return None

    def evaluate(t: Any) -> Any:
        check_jax("evaluate it before the fork")
        with jax.enable_x64(True):
            times = jnp.asarray(t, jnp.float64)
            one = interpolation.evaluate
            state = one(times) if times.ndim == 0 else jax.vmap(one)(times)
            return jax.tree.map(np.array, state)

    return evaluate
