"""The engines that benchmarks/sweep.py compares, one process each: reads "run", answers with seconds per lane.

python benchmarks/sweep_engines.py ENGINE RTOL LANES [T1 LOWEST_BETA HIGHEST_BETA]
"""

import ctypes
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

P0, S0, TAU0, ALPHA_P, X, X_AUG, T1 = 0.1, 0.05, 0.5, 1.0, 1.0, 0.25, 200.0  # Problem S of performance.md
C_FLAGS = ["-O3", "-march=native", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC"]
BETA = (0.01, 10.0)
WIDE = 8  # lanes of heyoka's batches
Solve = Callable[[], np.ndarray]


def grid(lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return eta and beta of about `lanes` points: eta in [0, 0.3] x beta in log `BETA`."""
    side = round(lanes**0.5)
    eta, b = np.meshgrid(np.linspace(0, 0.3, side), np.geomspace(*BETA, side))
    return eta.ravel(), b.ravel()


def sample(lanes: int, of: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Return a seeded sample of the big grid, for routes too slow to run it."""
    eta, beta = grid(of)
    chosen = np.random.default_rng(0).choice(len(eta), lanes, replace=False)
    return eta[chosen], beta[chosen]


def kernel(rtol: float, lanes: int, **options: Any) -> Solve:
    from lindyn.solve.lanes import solve_lanes

    eta, beta = grid(lanes)

    def run() -> np.ndarray:
        r = solve_lanes(ALPHA_P, beta, eta, eta, X, X_AUG, P0, S0, TAU0, t1=T1, rtol=rtol, **options)
        return np.stack([r.p, r.s, r.tau])

    return run


def jax_engine(rtol: float, lanes: int) -> Solve:
    from lindyn.solve.lanes.jax_engine import solve_lanes

    eta, beta = grid(lanes)

    def run() -> np.ndarray:
        r = solve_lanes(ALPHA_P, beta, eta, eta, X, X_AUG, P0, S0, TAU0, t1=T1, rtol=rtol)
        return np.stack([r.p, r.s, r.tau])

    return run


class SolverSettings(ctypes.Structure):
    names = ("one", "safety", "largest", "smallest", "floor", "tolerance", "limit")
    _fields_ = [*((name, ctypes.c_int64) for name in names), ("t1", ctypes.c_double)]


def in_c(rtol: float, lanes: int, extra: tuple[str, ...] = ()) -> Solve:
    from lindyn._linalg import available_cores
    from lindyn.solve.lanes import block
    from lindyn.solve.lanes.api import split
    from lindyn.solve.lanes.problem import escape_level

    library = Path(tempfile.mkdtemp()) / "lanes.so"
    subprocess.run(["cc", *C_FLAGS, *extra, str(Path(__file__).with_name("lanes.c")), "-o", str(library)], check=True)
    solve = ctypes.CDLL(str(library)).solve
    eta, beta = grid(lanes)
    n, one = len(eta), np.ones(len(eta))
    level = escape_level(one, eta, eta, one, X_AUG * one, S0 * one, TAU0 * one, target="ema", tau_mode="dynamic")
    rows = [ALPHA_P * one, beta, eta, eta, X * one, X_AUG * one, P0 * one, S0 * one, TAU0 * one, level]
    given, out = np.ascontiguousarray(np.stack(rows)), np.empty((4, n))
    numbers = (block.ONE, block.SAFETY, block.LARGEST, block.SMALLEST, block.ERROR_FLOOR, block.log2_bits(rtol), 10**9)
    settings = SolverSettings(*numbers, T1)
    pointer = ctypes.POINTER(ctypes.c_double)
    threads = available_cores()
    chunks = split(n, threads)  # as the library does
    bounds = np.array([0, *(chunk.stop for chunk in chunks)])
    arguments = (
        given.ctypes.data_as(pointer), out.ctypes.data_as(pointer),
        bounds.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)), ctypes.c_int64(len(chunks)), ctypes.byref(settings),
    )  # fmt: skip

    def run() -> np.ndarray:
        solve(*arguments, threads)
        return out[:3].copy()

    return run


def in_c_512(rtol: float, lanes: int) -> Solve:
    return in_c(rtol, lanes, ("-mprefer-vector-width=512",))


def one_lane(rtol: float, lanes: int) -> Solve:
    from one_lane import solve_each

    eta, beta = grid(lanes)
    return lambda: solve_each(eta, beta, ALPHA_P, X, X_AUG, P0, S0, TAU0, T1, rtol)


def _rates(eta: float, beta: float) -> Callable[[float, Any], tuple]:
    from lindyn.equations import modes, target

    def rates(t: float, y: Any) -> tuple:
        p, s, tau = y
        D = modes.drive(p, tau, X, X_AUG)
        g = modes.growth(p, D, eta)
        return modes.dp(p, s, D, ALPHA_P, eta), modes.ds(s, g), target.dtau(tau, g, beta)

    return rates


def rk45(rtol: float, lanes: int) -> Solve:
    from scipy.integrate import solve_ivp

    def run() -> np.ndarray:
        runs = (solve_ivp(_rates(e, b), (0, T1), (P0, S0, TAU0), "RK45", rtol=rtol, atol=1e-300) for e, b in points)
        return np.array([r.y[:, -1] for r in runs]).T

    points = list(zip(*(axis.tolist() for axis in sample(lanes)), strict=True))
    return run


def lsoda(rtol: float, lanes: int) -> Solve:
    """The best scipy route: odeint in (log p, log s, tau), whose loop is compiled."""
    from math import exp, log

    from scipy.integrate import odeint

    def rates(y: Any, t: float, eta: float, beta: float) -> tuple:
        p, s, tau = exp(y[0]), exp(y[1]), y[2]
        D = X * tau - (X + X_AUG) * p
        g = p * D - eta
        return ALPHA_P * s * D / p - eta, 2 * g, beta * (1 - tau) - tau * g

    def run() -> np.ndarray:
        start, ts = (log(P0), log(S0), TAU0), (0.0, T1)
        ends = [odeint(rates, start, ts, (e, b), rtol=rtol, atol=rtol, mxstep=100_000)[-1] for e, b in points]
        ends = np.array(ends).T
        return np.stack([np.exp(ends[0]), np.exp(ends[1]), ends[2]])

    points = list(zip(*(axis.tolist() for axis in sample(lanes)), strict=True))
    return run


def diffrax_vmap(rtol: float, lanes: int, solver: str = "Tsit5") -> Solve:
    import diffrax
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def one(eta: Any, beta: Any) -> Any:
        term = diffrax.ODETerm(lambda t, y, args: jnp.stack(_rates(eta, beta)(t, y)))
        controller = diffrax.PIDController(rtol=rtol, atol=1e-300, pcoeff=0.3, icoeff=0.4)
        end = diffrax.diffeqsolve(
            term, getattr(diffrax, solver)(), 0.0, T1, 0.01, jnp.array([P0, S0, TAU0]),
            stepsize_controller=controller, saveat=diffrax.SaveAt(t1=True), max_steps=100_000,
        )  # fmt: skip
        return end.ys[0]

    solve = jax.jit(jax.vmap(one))
    eta, beta = grid(lanes)
    return lambda: np.asarray(solve(eta, beta)).T


def diffrax_vmap_8(rtol: float, lanes: int) -> Solve:
    return diffrax_vmap(rtol, lanes, "Dopri8")


def taylor(rtol: float, lanes: int, logarithms: bool = True) -> Solve:
    """heyoka: a Taylor method compiled by LLVM, as many lanes abreast as its vectors hold, an integrator a core.

    In (log p, log s, tau), or in (p, s, tau), where errors on lanes that collapse are as large as those are.
    """
    from concurrent.futures import ThreadPoolExecutor

    import heyoka as hy

    from lindyn._linalg import available_cores

    u, v, tau = hy.make_vars("u", "v", "tau")
    eta, beta = hy.par[0], hy.par[1]
    p, s = (hy.exp(u), hy.exp(v)) if logarithms else (u, v)
    drive = X * tau - (X + X_AUG) * p
    growth = p * drive - eta
    rates = [(u, ALPHA_P * s * drive / p - eta), (v, 2.0 * growth)]
    if not logarithms:
        rates = [(u, ALPHA_P * s * drive - eta * p), (v, 2.0 * s * growth)]
    rates.append((tau, beta * (1.0 - tau) - tau * growth))
    etas, betas = grid(lanes)
    order = np.argsort(betas, kind="stable")
    places = np.resize(order, -(-len(order) // WIDE) * WIDE).reshape(-1, WIDE)
    first = np.array([P0, S0, TAU0])
    first[:2] = np.log(first[:2]) if logarithms else first[:2]
    start = np.repeat(first[:, None], WIDE, axis=1)
    own = [
        hy.taylor_adaptive_batch(rates, start.copy(), pars=np.zeros((2, WIDE)), tol=rtol)
        for _ in range(available_cores())
    ]
    found = np.empty((3, len(etas)))

    def share(k: int) -> None:
        integrator = own[k]
        for lane in places[k :: len(own)]:
            integrator.set_time(0.0)
            integrator.state[:] = start
            integrator.pars[:] = etas[lane], betas[lane]
            integrator.propagate_until(T1)
            found[:, lane] = integrator.state

    def run() -> np.ndarray:
        with ThreadPoolExecutor(len(own)) as pool:
            list(pool.map(share, range(len(own))))
        return np.stack([np.exp(found[0]), np.exp(found[1]), found[2]]) if logarithms else found.copy()

    return run


def taylor_plain(rtol: float, lanes: int) -> Solve:
    return taylor(rtol, lanes, logarithms=False)


def torch_lanes(rtol: float, lanes: int, method: str = "dopri5") -> Solve:
    """All lanes as one state of torchdiffeq: they share each step."""
    import torch
    from torchdiffeq import odeint

    eta, beta = map(torch.as_tensor, grid(lanes))
    rates = _rates(eta, beta)  # type: ignore[arg-type]
    start = torch.tensor([P0, S0, TAU0], dtype=torch.float64)[:, None].repeat(1, len(eta))
    times = torch.tensor([0.0, T1], dtype=torch.float64)

    def run() -> np.ndarray:
        with torch.no_grad():
            path = odeint(lambda t, y: torch.stack(rates(t, y)), start, times, rtol=rtol, atol=1e-300, method=method)
        return path[-1].numpy()

    return run


def torch_lanes_8(rtol: float, lanes: int) -> Solve:
    return torch_lanes(rtol, lanes, "dopri8")


ENGINES = {
    "lanes": kernel, "C": in_c, "C, 512-bit": in_c_512, "numba, one lane": one_lane, "RK45 loop": rk45,
    "LSODA log": lsoda, "diffrax vmap": diffrax_vmap, "diffrax vmap, Dopri8": diffrax_vmap_8,
    "lanes in JAX": jax_engine, "heyoka, log": taylor, "heyoka": taylor_plain,
    "torchdiffeq": torch_lanes, "torchdiffeq, dopri8": torch_lanes_8,
}  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 4:
        T1, BETA = float(sys.argv[4]), (float(sys.argv[5]), float(sys.argv[6]))
    run = ENGINES[sys.argv[1]](float(sys.argv[2]), int(sys.argv[3]))
    final = run()  # compiles
    print(json.dumps({"lanes": final.shape[1]}), flush=True)
    for line in sys.stdin:
        if line.strip() == "final":
            np.save(sys.stdin.readline().strip(), final)
            print(json.dumps({}), flush=True)
            continue
        start, cpu = time.perf_counter(), time.process_time()
        run()
        spent = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        print(json.dumps(spent), flush=True)
