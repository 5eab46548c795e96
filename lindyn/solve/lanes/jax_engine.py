"""The same sweep in JAX: for GPUs, and for d outcome / d hyper-parameter.

Steps, equations and tolerance are those of the lane kernel (`methods`, `lindyn.equations`); see `jax_block`. On a CPU
the kernel of `api` is an order of magnitude faster. Lanes with beta t1 > `STIFF_REACH` take the L-stable method; others
are not reviewed on the way, so a lane that is stiff for another reason is slow, and right.

Derivatives are those of the computed map at its accepted steps (step sizes are not differentiated), carried forward
beside the states, so memory does not grow with time; reverse mode (`jax.grad`) contracts them.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lindyn.solve.lanes import layout as at
from lindyn.solve.lanes import problem, sign_change
from lindyn.solve.lanes.jax_block import crossing, march
from lindyn.solve.lanes.problem import LaneProblem, LaneResult
from lindyn.solve.lanes.thresholds import STIFF_REACH

ARGUMENTS = (*problem.CONSTANTS, *problem.STATE)
CPU_BLOCK, GPU_BLOCK = 64, 1 << 16  # lanes that wait for each other


def solve_lanes(
    alpha_p: Any,
    beta: Any,
    eta_p: Any,
    eta_s: Any,
    x: Any,
    x_aug: Any,
    p: Any,
    s: Any,
    tau: Any,
    *,
    t1: float,
    target: str = "ema",
    tau_mode: str = "dynamic",
    predictor: str = "trained",
    rtol: float = problem.RTOL,
    max_steps: int = problem.MAX_STEPS,
    threads: int | None = None,
    block: int | None = None,
) -> LaneResult:
    """Integrate Eqs. 11-13 in every lane with JAX; arguments and result as in `api.solve_lanes`.

    Args:
        alpha_p: see `api.solve_lanes`, as for all that follow.
        beta: ditto.
        eta_p: ditto.
        eta_s: ditto.
        x: ditto.
        x_aug: ditto.
        p: ditto.
        s: ditto.
        tau: ditto.
        t1: ditto.
        target: ditto.
        tau_mode: ditto.
        predictor: ditto.
        rtol: ditto.
        max_steps: ditto.
        threads: taken for the sake of the signature; JAX chooses.
        block: lanes that run in lockstep, default 64 on a CPU and 65536 on a GPU.

    Returns:
        A `LaneResult` of numpy arrays.

    Raises:
        ValueError: see `api.solve_lanes`.
    """
    given = (alpha_p, beta, eta_p, eta_s, x, x_aug, p, s, tau)
    task = problem.check(dict(zip(ARGUMENTS, given, strict=True)), t1, target, tau_mode, predictor, rtol, max_steps)
    result = LaneResult.empty(task.n)
    with jax.enable_x64(True):
        for lanes, stiff in _groups(task):
            _run_group(task, result, lanes, stiff, block)
    sign_change.run_through(task, result, slice(0, task.n))  # on the CPU, as in the lane kernel
    return result


def lane_gradients(
    values: dict[str, Any],
    *,
    t1: float,
    target: str = "ema",
    tau_mode: str = "dynamic",
    predictor: str = "trained",
    rtol: float = problem.RTOL,
    max_steps: int = problem.MAX_STEPS,
    block: int | None = None,
) -> dict[str, np.ndarray]:
    """Return d(p, s, tau at t1) / d(each argument) for every lane.

    Args:
        values: the nine arguments of `solve_lanes` by name, each a number or one per lane.
        t1: the end.
        target: as in `api.solve_lanes`.
        tau_mode: likewise.
        predictor: likewise.
        rtol: likewise.
        max_steps: likewise; past it a lane's derivatives are those of where it stopped.
        block: lanes that run in lockstep.

    Returns:
        {argument: array (3, lanes)}, rows p, s, tau.

    Raises:
        ValueError: an argument missing or unknown, or see `api.solve_lanes`.
    """
    if set(values) != set(ARGUMENTS):
        odd = sorted(set(values) ^ set(ARGUMENTS))
        raise ValueError(f"values must hold exactly {', '.join(ARGUMENTS)}; missing or unknown: {', '.join(odd)}.")
    ordered = {name: values[name] for name in ARGUMENTS}
    task = problem.check(ordered, t1, target, tau_mode, predictor, rtol, max_steps)
    out = np.empty((3, len(ARGUMENTS), task.n))
    with jax.enable_x64(True):
        for lanes, stiff in _groups(task):
            method = (task.fixed_p, task.fixed_tau, stiff)
            blocks, _ = _padded(task, lanes, block)
            jacobian = _jacobians(blocks, task.t1, task.rtol, task.max_steps, method)
            flat = np.moveaxis(np.asarray(jacobian), 0, 2).reshape(3, len(ARGUMENTS), -1)
            out[:, :, lanes] = flat[:, :, : len(lanes)]
    return {name: out[:, row] for row, name in enumerate(ARGUMENTS)}


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3, 4))
def final_states(values: Any, t1: float, rtol: float, max_steps: int, method: tuple) -> Any:
    """Return (p, s, tau) at t1, (3, lanes), from the nine arguments, (9, lanes): for jax.grad, jvp, jit, vmap.

    All lanes run in lockstep; nothing is checked. x64 must be on. Jacobians are diagonal in the lanes and are carried
    forward, so that forward and reverse mode cost about ten times the states.

    Args:
        values: alpha_p, beta, eta_p, eta_s, x, x_aug, p, s, tau.
        t1: the end.
        rtol: relative tolerance.
        max_steps: limit on steps.
        method: (p stays, tau stays, L-stable method).

    Returns:
        The states.
    """
    return jnp.stack(march(values, None, t1, rtol, max_steps, method)["y"])


@final_states.defjvp
def _final_states_jvp(t1: float, rtol: float, max_steps: int, method: tuple, primals: tuple, tangents: tuple) -> tuple:
    states, jacobian = _states_and_jacobian(primals[0], t1, rtol, max_steps, method)
    return states, jnp.einsum("ijl,jl->il", jacobian, tangents[0])


def _states_and_jacobian(values: Any, t1: Any, rtol: Any, max_steps: int, method: tuple) -> tuple:
    """Return the states (3, lanes) and their derivatives (3, 9, lanes)."""

    def states(v: Any) -> Any:
        return jnp.stack(march(v, None, t1, rtol, max_steps, method)["y"])

    basis = jnp.broadcast_to(jnp.eye(len(ARGUMENTS))[:, :, None], (len(ARGUMENTS), *values.shape))
    push = jax.vmap(lambda direction: jax.jvp(states, (values,), (direction,)), out_axes=(None, 1))
    return push(basis)


@functools.partial(jax.jit, static_argnames=("max_steps", "method"))
def _jacobians(blocks: Any, t1: float, rtol: float, max_steps: int, method: tuple) -> Any:
    return lax.map(lambda values: _states_and_jacobian(values, t1, rtol, max_steps, method)[1], blocks)


@functools.partial(jax.jit, static_argnames=("max_steps", "method"))
def _results(blocks: Any, levels: Any, t1: float, rtol: float, max_steps: int, method: tuple) -> dict[str, Any]:
    """Run blocks (blocks, 9, lanes) one after another."""

    def one(block: tuple) -> dict[str, Any]:
        values, escape = block
        end = march(values, escape, t1, rtol, max_steps, method)
        return {
            "y": jnp.stack(end["y"]),
            "status": jnp.where(end["status"] == at.RUNNING, at.REACHED, end["status"]),
            "steps": end["steps"],
            "K_min": end["K_min"],
            "t_escape": crossing(end["p_bracket"]),
            "t_collapse": crossing(end["s_bracket"]),
        }

    return lax.map(one, (blocks, levels))


def _groups(task: LaneProblem) -> list[tuple[np.ndarray, bool]]:
    """Return (lanes, stiff) for both methods, lanes sorted by beta so that neighbours take like numbers of steps."""
    beta = task.part("beta", slice(0, task.n))
    order = np.argsort(beta, kind="stable")
    stiff = beta[order] * task.t1 > STIFF_REACH
    return [(lanes, flag) for lanes, flag in ((order[~stiff], False), (order[stiff], True)) if len(lanes)]


def _padded(task: LaneProblem, lanes: np.ndarray, block: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return arguments (blocks, 9, lanes) and escape levels (blocks, lanes); the last block repeats its last lane."""
    block = block or (CPU_BLOCK if jax.default_backend() == "cpu" else GPU_BLOCK)
    block = min(block, len(lanes))
    lanes = np.pad(lanes, (0, -len(lanes) % block), mode="edge")
    whole = slice(0, task.n)
    values = np.stack([task.part(name, whole)[lanes] for name in ARGUMENTS])
    blocks = np.ascontiguousarray(values.reshape(len(ARGUMENTS), -1, block).swapaxes(0, 1))
    return blocks, task.escape_levels(whole)[lanes].reshape(-1, block)


def _run_group(task: LaneProblem, result: LaneResult, lanes: np.ndarray, stiff: bool, block: int | None) -> None:
    method = (task.fixed_p, task.fixed_tau, stiff)
    blocks, levels = _padded(task, lanes, block)
    out = {k: np.asarray(v) for k, v in _results(blocks, levels, task.t1, task.rtol, task.max_steps, method).items()}
    n = len(lanes)
    p, s, tau = out.pop("y").swapaxes(0, 1).reshape(3, -1)[:, :n]
    flat = {name: array.reshape(-1)[:n] for name, array in out.items()}
    result.p[lanes], result.s[lanes], result.tau[lanes] = p, s, tau
    for name in ("status", "steps", "K_min"):
        getattr(result, name)[lanes] = flat[name]
    start = task.part("s", slice(0, task.n))[lanes]
    result.set_events(lanes, start, levels.reshape(-1)[:n], flat["t_escape"], flat["t_collapse"])
