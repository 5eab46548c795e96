"""`simulate`: a flow from an initial state, adaptively, in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._records import State
from lindyn.flows import Flow, registry, rules
from lindyn.solve import forks
from lindyn.solve.reductions import Reduction, reduce_flow
from lindyn.solve.trajectory import SimulationError, SolverSettings, Trajectory

ENGINES = ("auto", "scipy", "diffrax")
SOLVERS = ("auto", "tsit5", "dopri8", "stiff")
RTOL = 1e-10
MAX_RTOL = 0.01
SAVED = 201


def simulate(
    flow: Flow,
    y0: State,
    ts: Any = None,
    *,
    t1: float | None = None,
    rtol: float = RTOL,
    atol: float | None = None,
    solver: str = "auto",
    engine: str = "auto",
    reduction: str = "auto",
    dense: bool = False,
    steady_state: bool | float = False,
    max_steps: int = 1_000_000,
    throw: bool = True,
    progress: Callable[[float], None] | None = None,
) -> Trajectory:
    """Integrate a flow: dy/dt = flow(t, y), y(ts[0]) = y0.

    Differentiable and mappable (jax.grad, jax.vmap, jax.jit around it) once
    `jax.config.update("jax_enable_x64", True)` is set; called plainly it needs no setting and returns numpy arrays.

    Args:
        flow: a flow of `lindyn.flows`.
        y0: its initial state (a record of `flow.state_type`).
        ts: increasing times to keep, the first is the start (flow time = learning rate x steps / (1 - momentum));
            default 201 times from 0 to `t1`.
        t1: the end, when `ts` is not given; default 100.
        rtol: relative tolerance of a step, > 0; errors are measured per mode, or per matrix against its root mean
            square.
        atol: absolute tolerance of a step, >= 0; default 0 in effect, so that small values keep their relative
            accuracy.
        solver: "tsit5", "dopri8", "stiff" (Radau, scipy engine only) or "auto": by tolerance, and in the scipy
            engine stiff for a small system with a large beta x duration. Explicit steps number about
            beta x duration / 5.
        engine: "scipy" starts at once; "diffrax" compiles first (seconds), which pays for many steps, and can be
            traced; "auto" takes diffrax where JAX arrays or tracers come in, or so many explicit steps are ahead that
            compiling pays, scipy elsewhere. Both keep to the tolerance; `trajectory.notes["engine"]` says which ran.
        reduction: which exact reduction of a weight flow, see `lindyn.solve.reductions`.
        dense: keep the interpolant, so that `trajectory(t)` answers between the times.
        steady_state: stop where |dy/dt| <= 1e-9 |y| in every block (or the given tolerance instead of 1e-9).
        max_steps: limit on steps, >= 1.
        throw: raise on a run that does not reach its end; False returns it with its status in words.
        progress: called now and then with the time reached (scipy engine).

    Returns:
        A `Trajectory`. A run that ended early holds every state up to there, the last one included; inside a JAX
        transformation it always holds as many as `ts`, the last one repeated past an early end.

    Raises:
        ValueError: arguments out of range, or a state that cannot start this flow.
        SimulationError: the run blew up or ended early, and `throw` is set; its `trajectory` holds what was computed.
        RuntimeError: engine="diffrax" in a process that was forked after JAX had run, where it would hang.
    """
    check_start(flow, y0)
    ts = _times(ts, t1)
    settings = SolverSettings(
        ts=ts,
        rtol=_tolerance(rtol),
        atol=0.0 if atol is None else _checks.as_scalar("atol", atol, minimum=0.0),
        solver=_checks.one_of("solver", solver, SOLVERS),
        dense=bool(dense),
        steady_state=_steady_tolerance(steady_state),
        max_steps=_checks.as_whole("max_steps", max_steps),
        elementwise=y0.elementwise,
        progress=progress,
    )
    if _checks.one_of("engine", engine, ENGINES) == "auto":
        engine = choose_engine(flow, y0, settings)
    if engine == "scipy" and _checks.any_traced(flow, y0, ts):
        raise ValueError("engine='scipy' cannot be traced by JAX; inside jax.jit, grad or vmap use engine='diffrax'.")
    reduced = reduce_flow(flow, rules.complete(flow, y0), reduction)
    if engine == "scipy":
        from lindyn.solve import engine_scipy as chosen
    else:
        from lindyn.solve import engine_diffrax as chosen  # type: ignore[no-redef]
    solution = chosen.solve(reduced.flow, reduced.y0, settings)
    interpolate = solution.interpolation
    trajectory = Trajectory(
        ts=solution.ts,
        states=reduced.restore(rules.complete_path(reduced.flow, solution.states)),
        outcome=solution.outcome,
        stats=solution.stats,
        flow=flow,
        t1=ts[-1],
        interpolation=None if interpolate is None else lambda t: _between(reduced, interpolate, t),
        notes={
            "engine": engine,
            "solver": solution.solver,
            "reduction": reduced.name,
            "rtol": rtol,
            "atol": settings.atol,
        },
    )
    if throw and not _checks.is_traced(trajectory.outcome) and not trajectory.succeeded:
        raise SimulationError(trajectory)
    return trajectory


def choose_engine(flow: Flow, y0: State, settings: SolverSettings) -> str:
    """Return the engine of engine="auto".

    Args:
        flow: what is integrated.
        y0: its start.
        settings: how.
    """
    if _checks.any_jax(flow, y0, settings.ts):
        return "diffrax"
    if settings.solver == "stiff" or forks.jax_is_lost():
        return "scipy"
    if not registry.is_own(type(flow)) and _checks.any_jax(flow(settings.ts[0], y0)):
        return "diffrax"  # its rates are JAX's, in single precision unless the engine says otherwise
    from lindyn.solve.engine_scipy import LARGE_RATIO, LARGE_UNKNOWNS, STIFF_RATIO, STIFF_UNKNOWNS

    size = sum(np.size(block) for block in y0.blocks().values())
    duration = float(settings.ts[-1]) - float(settings.ts[0])
    ratio = float(flow.hp.beta) * duration
    if size <= LARGE_UNKNOWNS and ratio > LARGE_RATIO and settings.solver == "auto":
        return "scipy"  # implicit steps, of which there are fewer
    # of a larger system implicit steps cost more, and so many explicit ones in Python lose to compiled ones
    return "diffrax" if size > STIFF_UNKNOWNS and ratio > STIFF_RATIO else "scipy"


def _between(reduced: Reduction, interpolate: Callable[[Any], Any], t: Any) -> Any:
    """Return the state (or stacked states) of the original flow at times between the steps."""
    states = interpolate(t)
    complete = rules.complete_path if np.ndim(t) else rules.complete
    return reduced.restore(complete(reduced.flow, states))


def check_start(flow: Flow, y0: State) -> None:
    """Raise ValueError unless y0 can start this flow."""
    wanted = getattr(flow, "state_type", None)
    if wanted is None or isinstance(flow, type):
        got = f"the class {flow.__name__} itself" if isinstance(flow, type) else type(flow).__name__
        raise ValueError(f"flow must be a flow, e.g. WeightFlow(hp, data); got {got}.")
    if not isinstance(y0, wanted):
        raise ValueError(f"{type(flow).__name__} starts from a {wanted.__name__}; got {type(y0).__name__}.")
    flow.check_state(y0)


def _tolerance(rtol: Any) -> float:
    rtol = _checks.as_scalar("rtol", rtol, minimum=0.0, exclusive=True)
    if rtol > MAX_RTOL:
        raise ValueError(f"rtol must be at most {MAX_RTOL:g}; got {rtol:g}. It is the relative error of a step.")
    return rtol


def _times(ts: Any, t1: Any) -> Any:
    if ts is not None and t1 is not None:
        raise ValueError("Give ts or t1, not both: ts holds its own end.")
    if ts is None:
        end = _checks.as_scalar("t1", 100.0 if t1 is None else t1, minimum=0.0, exclusive=True)
        return np.linspace(0.0, end, SAVED)
    return _checks.as_times("ts", ts)


def _steady_tolerance(steady_state: bool | float) -> float | None:
    if steady_state is False:
        return None
    return 1e-9 if steady_state is True else _checks.as_scalar("steady_state", steady_state, 0.0, exclusive=True)
