"""Sweeps: the lane kernel against what a user would pick instead. Problem S of anchors/performance.md, t = 200.

python benchmarks/sweep.py [--json FILE] [--repeats N]

Every engine has a process of its own and they run in turns; figures are medians, ratios are from this run. The slow
routes (RK45, LSODA: Python loops) run a seeded sample of the grid. All use every core they can. `ratio` is of wall
times, `ratio_cpu` of processor times over the cores an engine can use: what the wall times would give on a machine
that nobody else uses.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import machine
from sweep_engines import ALPHA_P, P0, S0, T1, TAU0, X_AUG, X, grid, sample

HERE = Path(__file__).parent
LANES = 10_000
REFERENCE = 1e-11  # relative tolerance of the reference
SAMPLES = {"RK45 loop": 40, "LSODA log": 100}
SMALLER = {"diffrax vmap": 2500, "diffrax vmap, Dopri8": 2500, "lanes in JAX": 2500}  # coarser grid, same ranges
SETTINGS = [
    ("lanes", 1e-8), ("lanes", 1e-6), ("C", 1e-8), ("C", 1e-6), ("C, 512-bit", 1e-8), ("numba, one lane", 1e-8),
    ("RK45 loop", 1e-8), ("RK45 loop", 1e-6), ("LSODA log", 1e-8), ("diffrax vmap", 1e-8),
    ("diffrax vmap, Dopri8", 1e-8), ("lanes in JAX", 1e-8),
]  # fmt: skip
TARGETS = [
    ("RK45 loop", 1e-8, "at least", 3000.0), ("RK45 loop", 1e-6, "at least", 3000.0),
    ("LSODA log", 1e-8, "at least", 300.0), ("diffrax vmap", 1e-8, "at least", 25.0),
    ("diffrax vmap, Dopri8", 1e-8, "at least", 25.0), ("C, 512-bit", 1e-8, "at least", 1 / 1.3),
    ("numba, one lane", 1e-8, "at least", 5.0), ("C", 1e-8, "at least", 1 / 1.3), ("C", 1e-6, "at least", 1 / 1.3),
]  # fmt: skip

MEMORY = """
import resource, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from sweep_engines import kernel
import time
run = kernel(1e-8, 1_000_000)
start = time.perf_counter()
run()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, time.perf_counter() - start)
"""


class Engine:
    """One engine in its own process."""

    def __init__(self, name: str, rtol: float, lanes: int | None = None, span: tuple[float, ...] = ()) -> None:
        self.name, self.rtol = name, rtol
        lanes = (SAMPLES | SMALLER).get(name, LANES) if lanes is None else lanes
        command = [sys.executable, str(HERE / "sweep_engines.py"), name, *map(str, (rtol, lanes, *span))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lanes = self._answer()["lanes"]
        self.seconds: list[float] = []
        self.cpu: list[float] = []

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"The engine {self.name!r} ended: see its message above.")
        return json.loads(line)

    def _ask(self, text: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self._answer()

    def run(self) -> None:
        spent = self._ask("run")
        self.seconds.append(spent["seconds"] / self.lanes)
        self.cpu.append(spent["cpu"] / self.lanes)

    def final(self) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "final.npy"
            self._ask(f"final\n{path}")
            return np.load(path)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def exact(eta: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return the reference: the lane kernel at `REFERENCE`, held against DOP853 at 1e-12 in `reference_error`."""
    from lindyn.solve.lanes import solve_lanes

    r = solve_lanes(ALPHA_P, beta, eta, eta, X, X_AUG, P0, S0, TAU0, t1=T1, rtol=REFERENCE)
    return np.stack([r.p, r.s, r.tau])


def reference_error(lanes: int = 30) -> float:
    """Return the largest relative difference of the reference from scipy's DOP853 at 1e-12 on a sample."""
    from scipy.integrate import solve_ivp
    from sweep_engines import _rates

    eta, beta = sample(lanes)
    runs = [
        solve_ivp(_rates(e, b), (0, T1), (P0, S0, TAU0), "DOP853", rtol=1e-12, atol=1e-300).y[:, -1]
        for e, b in zip(eta.tolist(), beta.tolist(), strict=True)
    ]
    return float(np.max(np.abs(np.array(runs).T / exact(eta, beta) - 1)))


def measure(repeats: int) -> list[dict[str, Any]]:
    """Return one row per engine and tolerance."""
    engines = []
    for name, rtol in SETTINGS:
        print(f"starting {name}, {rtol:g}", file=sys.stderr)
        engines.append(Engine(name, rtol))
    for turn in range(repeats):
        print(f"turn {turn + 1} of {repeats}", file=sys.stderr)
        for engine in engines:
            engine.run()
    rows = []
    for engine in engines:
        points = sample(engine.lanes) if engine.name in SAMPLES else grid(engine.lanes)
        errors = np.max(np.abs(engine.final() / exact(*points) - 1), axis=0)
        engine.close()
        rows.append(
            {
                "engine": engine.name,
                "rtol": engine.rtol,
                "us_per_lane": 1e6 * statistics.median(engine.seconds),
                "cpu_us_per_lane": 1e6 * statistics.median(engine.cpu),
                "spread": [1e6 * min(engine.seconds), 1e6 * max(engine.seconds)],
                "error_median": float(np.median(errors)),
                "error_p99": float(np.quantile(errors, 0.99)),
                "lanes": engine.lanes,
                "repeats": repeats,
            }
        )
    return rows


def verdicts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each wanted ratio, what it came to, and whether it was reached."""
    speed = {(row["engine"], row["rtol"]): row["us_per_lane"] for row in rows}
    cores = os.cpu_count() or 1
    idle = {
        (row["engine"], row["rtol"]): row["cpu_us_per_lane"] / (1 if row["engine"] in SAMPLES else cores)
        for row in rows
    }
    out = []
    for name, rtol, _, wanted in TARGETS:
        ratio = speed[name, rtol] / speed["lanes", rtol]
        ratio_cpu = idle[name, rtol] / idle["lanes", rtol]
        row = {"faster_than": name, "rtol": rtol, "ratio": ratio, "ratio_cpu": ratio_cpu, "wanted": wanted}
        out.append(row | {"reached": ratio >= wanted, "reached_cpu": ratio_cpu >= wanted})
    return out


def memory() -> dict[str, float]:
    """Return peak memory and time of a million lanes in a process of its own."""
    run = subprocess.run([sys.executable, "-c", MEMORY, str(HERE)], capture_output=True, text=True, check=True)
    peak, seconds = map(float, run.stdout.split())
    return {"lanes": 1e6, "peak_GiB": peak / 2**30, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    load = [os.getloadavg()[0]]
    rows = measure(args.repeats)
    load.append(os.getloadavg()[0])
    result = {
        "machine": machine(), "load_before_and_after": load, "rows": rows, "ratios": verdicts(rows),
        "memory": memory(), "reference_against_DOP853": reference_error(), "gpu": "not run",
    }  # fmt: skip
    for name in ("machine", "load_before_and_after", "memory", "reference_against_DOP853", "gpu"):
        print(name, result[name])
    for row in (*rows, *result["ratios"]):
        print("  " + "  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
