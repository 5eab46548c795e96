"""Small matrices by the thousand: the kernel of `sweep_matrices` beside vmapped diffrax and a loop over solve_ivp.

python benchmarks/small_matrices.py [--json FILE] [--sizes 4 8 16 32]

Problem: (W, W_p, W_a) of Lemma 1, isotropic data, n1 = n2 = n, eta in {0, 0.02, 0.05, 0.1}, t = 20, rtol 1e-6. Each
engine runs in a process of its own, on all cores it can use; its error is the largest of (W, W_p, W_a) of 12 systems,
each relative to its largest entry, against scipy's DOP853 at 1e-12.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from common import arguments, median_seconds, report

ETAS, T1, BETA, X_AUG = (0.0, 0.02, 0.05, 0.1), 20.0, 0.4, 0.25
SYSTEMS = {
    "ours": {2: 4096, 4: 4096, 8: 2048, 16: 512, 32: 128, 64: 24},
    "diffrax": {2: 256, 4: 256, 8: 256, 16: 128, 32: 32, 64: 12},
    "scipy": dict.fromkeys((2, 4, 8, 16, 32, 64), 12),
}
CHECKED, MOST = 12, 4096
BLOCKS = ("W", "W_p", "W_a")
Solve = Callable[[], np.ndarray]


def problem(n: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return starts (systems, 3, n, n) and decays; the first systems are the same for every count."""
    rng = np.random.default_rng(n)
    W, W_p = np.moveaxis(rng.standard_normal((MOST, 2, n, n))[:count] / np.sqrt(n), 1, 0)
    return np.stack([0.5 * W, W_p, 0.5 * W], axis=1), np.resize(ETAS, count)


def rate(W: Any, W_p: Any, W_a: Any, eta: Any) -> tuple[Any, Any, Any]:
    """Return Lemma 1's rates on isotropic data."""
    from lindyn.equations import weights

    G = W_a - (1 + X_AUG) * (W_p @ W)
    return weights.dW(W, W_p, G, eta), weights.dW_p(W, W_p, G, 1.0, eta), weights.dW_a(W, W_a, BETA)


def ours(n: int, count: int, rtol: float) -> Solve:
    from lindyn.sweeps import matrix_kernel

    y0, eta = problem(n, count)
    start, one = {name: np.ascontiguousarray(y0[:, k]) for k, name in enumerate(BLOCKS)}, np.ones(count)
    rates = {"alpha_p": one, "beta": BETA * one, "eta_p": eta, "eta_s": eta, "x": one, "x_aug": X_AUG * one}
    given: dict[str, Any] = {"times": np.array([T1]), "max_steps": 10_000, "threads": os.cpu_count() or 1}
    form = matrix_kernel.SystemForm("weights", n, n)

    def run() -> np.ndarray:
        told = matrix_kernel.solve(form, start, rates, {}, rtol=rtol, **given)[0]
        return np.stack([told[name][:, 0] for name in BLOCKS], axis=1)

    return run


def diffrax(n: int, count: int, rtol: float) -> Solve:
    import diffrax as dfx
    import jax

    jax.config.update("jax_enable_x64", True)
    term = dfx.ODETerm(lambda t, y, eta: rate(*y, eta))
    control = dfx.PIDController(rtol=rtol, atol=1e-2 * rtol)

    def one(y: Any, eta: Any) -> Any:
        found = dfx.diffeqsolve(
            term, dfx.Tsit5(), 0.0, T1, 0.01, tuple(y), eta, stepsize_controller=control, max_steps=4096
        )
        return jax.numpy.stack(found.ys)[:, -1]

    y0, eta = problem(n, count)
    solve = jax.jit(jax.vmap(one))
    return lambda: np.asarray(solve(y0, eta))


def scipy(n: int, count: int, rtol: float, method: str = "RK45") -> Solve:
    from scipy.integrate import solve_ivp

    y0, eta = problem(n, count)

    def one(k: int) -> np.ndarray:
        def flat(t: float, y: np.ndarray) -> np.ndarray:
            return np.concatenate([each.ravel() for each in rate(*y.reshape(3, n, n), eta[k])])

        found = solve_ivp(flat, (0.0, T1), y0[k].ravel(), method, rtol=rtol, atol=1e-2 * rtol)
        return found.y[:, -1].reshape(3, n, n)

    return lambda: np.stack([one(k) for k in range(count)])


def measured(engine: str, n: int, rtol: float) -> dict[str, float]:
    """Return seconds a system, and the error, of one engine in this process."""
    count = SYSTEMS[engine][n]
    run = {"ours": ours, "diffrax": diffrax, "scipy": scipy}[engine](n, count, rtol)
    found, wanted = run()[:CHECKED], scipy(n, CHECKED, 1e-12, "DOP853")()
    off = np.abs(found - wanted).max(axis=(2, 3)) / np.abs(wanted).max(axis=(2, 3))
    return {"seconds": median_seconds(run, 5) / count, "error": float(off.max())}


def rows(n: int, rtol: float) -> list[dict[str, Any]]:
    """Return a row for each engine, each in a process of its own."""
    told = {}
    for engine in SYSTEMS:
        command = [sys.executable, __file__, "--engine", engine, "--sizes", str(n), "--rtol", str(rtol)]
        told[engine] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return [
        {"n": n, "rtol": rtol, "engine": engine, "us": 1e6 * found["seconds"], "error": found["error"],
         "times_ours": found["seconds"] / told["ours"]["seconds"], "load": os.getloadavg()[0]}
        for engine, found in told.items()
    ]  # fmt: skip


if __name__ == "__main__":
    parser = arguments("Small matrices")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--engine", choices=list(SYSTEMS), help="measure this one alone, in this process")
    parser.add_argument("--rtol", type=float, default=1e-6)
    args = parser.parse_args()
    if args.engine:
        print(json.dumps(measured(args.engine, args.sizes[0], args.rtol)))
    else:
        table = [row for n in args.sizes for row in rows(n, args.rtol)]
        report("Small matrices", table, "us: microseconds a solve on all cores, median of 5", args)
