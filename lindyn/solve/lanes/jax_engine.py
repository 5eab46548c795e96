"""The same sweep in JAX: for GPUs, and for d outcome / d hyper-parameter.

Steps, equations and tolerance are those of the lane kernel (`methods`, `lindyn.equations`), in a masked loop in which
each lane has its own time and step. On a CPU the kernel of `api` is an order of magnitude faster. Lanes with beta t1 >
`STIFF_REACH` take the L-stable method; others are not reviewed on the way, so a lane that is stiff for another reason
is slow, and right.

Derivatives are those of the computed map at its accepted steps (step sizes are not differentiated), carried forward
beside the states, so memory does not grow with time; reverse mode (`jax.grad`) contracts them.
"""

import functools
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from lindyn.equations import modes, target
from lindyn.solve.forks import check_jax
from lindyn.solve.lanes import layout as at
from lindyn.solve.lanes import methods, problem, sign_change
from lindyn.solve.lanes.problem import BISECTIONS, COLLAPSED_SHARE, FIRST_STEP, STIFF_REACH, LaneProblem, LaneResult

INSTEAD = "use engine='lanes'"
EQUATIONS = types.SimpleNamespace(
    drive=modes.drive,
    dp=modes.dp,
    growth=modes.growth,
    ds=modes.ds,
    alignment_rate=modes.alignment_rate,
    dtau=target.dtau,
)


@functools.cache
def method_functions(fixed_p: bool, fixed_tau: bool, stiff: bool) -> tuple[Any, Any, Any, Any]:
    """Return rate, step, K and dK/dt of one variant, on arrays."""
    rate = methods.make_rate(EQUATIONS, fixed_p, fixed_tau)
    step = methods.make_rodas5p(rate) if stiff else methods.make_dop853(rate)
    return rate, step, *methods.make_alignment(EQUATIONS)


def _where(mask: Any, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(mask, a, b), new, old)


def _first_step(y: tuple, k: tuple, t1: float) -> Any:
    h = jnp.full_like(y[0], t1)
    for size, speed in zip(map(jnp.abs, y), map(jnp.abs, k), strict=True):
        h = jnp.where((size > 0) & (speed * h > FIRST_STEP * size), FIRST_STEP * size / jnp.maximum(speed, 1e-300), h)
    return h


def _relative_error(e: tuple, d: tuple, y: tuple, z: tuple, rtol: float) -> Any:
    sizes = [jnp.maximum(jnp.maximum(jnp.abs(a), jnp.abs(b)), at.S_FLOOR) for a, b in zip(y, z, strict=True)]
    larger = [jnp.maximum(jnp.maximum(jnp.abs(a), jnp.abs(b)), 1e-300) for a, b in zip(e, d, strict=True)]
    ratios = (
        jnp.stack([jnp.abs(a) * (jnp.abs(a) / b) / size for a, b, size in zip(e, larger, sizes, strict=True)]) / rtol
    )
    return lax.stop_gradient(jnp.where(jnp.isfinite(ratios), ratios, 1e9).max(axis=0))


def _dip(a: Any, da: Any, b: Any, db: Any, h: Any) -> Any:
    """Return the smallest value in a step of the cubic through both ends."""
    c2, c3 = 3 * (b - a) - h * (2 * da + db), 2 * (a - b) + h * (da + db)
    below = c2 + jnp.sqrt(jnp.maximum(c2 * c2 - 3 * c3 * h * da, 0))
    u = jnp.clip(-h * da / jnp.where(below > 0, below, 1.0), 0, 1)
    inside = (da < 0) & (db > 0) & (below > 0)
    return jnp.where(inside, jnp.minimum(b, methods.make_cubic()(a, da, b, db, h, u)), b)


def crossing(bracket: tuple) -> Any:
    """Return the time at which the cubic of a bracket (t0, h, a, da, b, db) changes sign."""
    t0, h, a, da, b, db = bracket
    cubic, rising = methods.make_cubic(), b > a

    def halve(_: int, ends: tuple) -> tuple:
        u = (ends[0] + ends[1]) / 2
        before = (cubic(a, da, b, db, h, u) < 0) == rising
        return jnp.where(before, u, ends[0]), jnp.where(before, ends[1], u)

    low, high = lax.fori_loop(0, BISECTIONS, halve, (jnp.zeros_like(h), jnp.ones_like(h)))
    return t0 + h * (low + high) / 2


def march(values: Any, levels: Any, t1: Any, rtol: Any, max_steps: int, method: tuple) -> dict[str, Any]:
    """Run a block of lanes to the end.

    Args:
        values: constants and start, (9, lanes).
        levels: p of escape per lane, or None: K and the events are not followed.
        t1: the end.
        rtol: relative tolerance.
        max_steps: limit on steps.
        method: (fixed_p, fixed_tau, stiff).

    Returns:
        The loop's last carry: y, t, status, steps; with levels also K_min and brackets of the events.
    """
    rate, _, alignment, slope = method_functions(*method)
    c, y = tuple(values[:6]), tuple(values[6:])
    k, zero = rate(y, c), jnp.zeros_like(y[0])
    start: dict[str, Any] = {"y": y, "k": k, "t": zero, "h": lax.stop_gradient(_first_step(y, k, t1))}
    start |= {"last": zero + 1e-4, "steps": zero.astype(jnp.int32), "status": zero.astype(jnp.int8) + at.RUNNING}
    if levels is not None:
        K = alignment(y, c)
        start |= {"K": K, "dK": slope(y, k, c), "K_min": K, "p_bracket": (zero,) * 6, "s_bracket": (zero,) * 6}

    def body(now: dict[str, Any]) -> dict[str, Any]:
        new, h, ok = _try_step(now, c, t1, rtol, max_steps, method)
        return new if levels is None else new | _follow(now, new, h, ok, c, levels, COLLAPSED_SHARE * y[1], method)

    return lax.while_loop(lambda now: jnp.any(_running(now, t1)), body, start)


def _running(now: dict[str, Any], t1: Any) -> Any:
    return (now["t"] < t1) & (now["status"] != at.NOT_FINITE) & (now["status"] != at.MAX_STEPS)


def _try_step(now: dict[str, Any], c: tuple, t1: Any, rtol: Any, max_steps: int, method: tuple) -> tuple:
    """Return the next carry, the step tried and where it was accepted."""
    rate, step, _, _ = method_functions(*method)
    y, k, t, running = now["y"], now["k"], now["t"], _running(now, t1)
    final = now["h"] >= t1 - t
    h = jnp.where(running, jnp.where(final, t1 - t, now["h"]), 1.0)
    z, v, e, d = step(y, k, h, c)
    error = _relative_error(e, d, y, z, rtol)
    ok = running & (error <= 1)
    vanished = ok & (z[1] < at.S_FLOOR) & (z[1] != 0)
    z = (z[0], jnp.where(vanished, 0.0, z[1]), z[2])
    v = _where(vanished, rate(z, c), v)
    steps = now["steps"] + running.astype(jnp.int32)
    ended = jnp.where(ok, jnp.where(final, t1, t + h), t)
    status = jnp.where(vanished, at.UNDERFLOW, now["status"])
    status = jnp.where(running & (steps >= max_steps) & (ended < t1), at.MAX_STEPS, status)
    large = ok & (jnp.maximum(jnp.abs(z[0]), jnp.abs(z[2])) > at.HUGE)
    status = jnp.where(running & (t + h == t) | large, at.NOT_FINITE, status).astype(jnp.int8)
    now_exponent, last_exponent = (-0.172, 0.039) if method[2] else (-0.125, 0.0)
    factor = jnp.clip(0.95 * jnp.maximum(error, 1e-30) ** now_exponent * now["last"] ** last_exponent, 0.2, 6.0)
    new = {"y": _where(ok, z, y), "k": _where(ok, v, k), "t": ended, "h": h * factor, "steps": steps}
    return new | {"status": status, "last": jnp.where(ok, jnp.maximum(error, 1e-4), now["last"])}, h, ok


def _follow(
    now: dict[str, Any], new: dict[str, Any], h: Any, ok: Any, c: tuple, levels: Any, goal: Any, method: tuple
) -> dict[str, Any]:
    """Return the carry of K and of the events after a step."""
    _, _, alignment, slope = method_functions(*method)
    y, k, z, v, t = now["y"], now["k"], new["y"], new["k"], now["t"]
    K, dK = alignment(z, c), slope(z, v, c)
    low = jnp.minimum(now["K_min"], _dip(now["K"], now["dK"], K, dK, h))
    kept = {name: now[name] for name in ("K", "dK", "K_min")}
    rows = _where(ok, {"K": K, "dK": dK, "K_min": low}, kept)
    crossed = ok & ((y[0] >= levels) != (z[0] >= levels))
    bracket = (t, h, y[0] - levels, k[0], z[0] - levels, v[0])
    rows["p_bracket"] = _where(crossed, bracket, now["p_bracket"])
    crossed = ok & ((y[1] <= goal) != (z[1] <= goal)) & (y[1] > 0) & (z[1] > 0)
    bracket = (t, h, jnp.log(y[1] / goal), k[1] / y[1], jnp.log(z[1] / goal), v[1] / z[1])
    rows["s_bracket"] = _where(crossed, bracket, now["s_bracket"])
    return rows


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
    """Integrate Eqs. 11-13 in every lane with JAX; arguments, result and errors as in `api.solve_lanes`.

    `threads` is taken for the sake of the signature, JAX chooses; `block` lanes run in lockstep, default 64 on a CPU,
    65536 on a GPU.
    """
    given = (alpha_p, beta, eta_p, eta_s, x, x_aug, p, s, tau)
    task = problem.check(dict(zip(ARGUMENTS, given, strict=True)), t1, target, tau_mode, predictor, rtol, max_steps)
    result = LaneResult.empty(task.n)
    check_jax(INSTEAD)
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
    check_jax("take them before the fork")
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
    check_jax(INSTEAD)
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
