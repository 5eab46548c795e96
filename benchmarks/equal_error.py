"""Sweeps of modes at equal achieved error: each engine by the loosest tolerance whose results are good enough.

python benchmarks/equal_error.py [--json FILE] [--error 1e-6] [--repeats 5]

Problem S of benchmarks/sweep.py. An engine's error is the largest relative one of (p, s, tau) at t = 200, collapsed
lanes included; its 99th percentile must be at most --error. Each engine has a process of its own; they run in turns.
heyoka and torchdiffeq are optional (`pip install heyoka torchdiffeq`), and left out, saying so, where they are missing.

The share of the machine's peak is that of the operations of the steps alone (stages, both error estimates; not the step
control nor K), over fused multiply-adds in vector registers (`fma_peak.c`) timed in the same run on as many threads.
"""

import ctypes
import importlib.util
import os
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, report
from sweep import LANES, REFERENCE, SAMPLES, Engine, exact
from sweep_engines import ALPHA_P, C_FLAGS, P0, S0, T1, TAU0, X_AUG, X, grid, sample

from lindyn._linalg import available_cores
from lindyn.solve.lanes import methods, solve_lanes
from lindyn.solve.lanes.jax_engine import EQUATIONS

LADDER = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12)
OWN_LADDER = tuple(rtol for rtol in LADDER if rtol > REFERENCE)  # the kernel is the reference: no error beside itself
PEERS = {
    "lanes": None, "C": None, "C, 512-bit": None, "numba, one lane": None, "LSODA log": None, "diffrax vmap": None,
    "diffrax vmap, Dopri8": None, "heyoka": "heyoka", "heyoka, log": "heyoka", "torchdiffeq": "torchdiffeq",
    "torchdiffeq, dopri8": "torchdiffeq",
}  # fmt: skip
FEWER = {"torchdiffeq": 2500, "torchdiffeq, dopri8": 2500}  # lanes, beside those of sweep.py
ROUNDS = 20_000_000


class Unreachable(ValueError):  # noqa: N818  it says what is the matter
    """An error that no tolerance comes to."""


class Counted:
    """A number that counts what is done with it."""

    count = 0

    def _counted(self, _: Any) -> "Counted":
        Counted.count += 1
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _counted


def operations_of_a_step() -> int:
    """Return additions and multiplications of one explicit step of one lane, a fused pair counted as two."""
    step = methods.make_dop853(methods.make_rate(EQUATIONS, False, False))
    one, Counted.count = Counted(), 0
    step((one, one, one), (one, one, one), one, (one,) * 6)
    return Counted.count


def peak(threads: int) -> float:
    """Return floating-point operations a second of fused multiply-adds, the best of five."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peak.so"
        flags = [*C_FLAGS, "-mprefer-vector-width=512", "-ffp-contract=fast"]
        source = Path(__file__).with_name("fma_peak.c")
        subprocess.run(["cc", *flags, str(source), "-o", str(library)], check=True)
        run, done = ctypes.CDLL(str(library)).peak, ctypes.c_double()
        run.restype = ctypes.c_double
        rates = []
        for _ in range(5):
            spent = run(ctypes.c_long(ROUNDS), threads, ctypes.byref(done))
            rates.append(done.value / spent)
    return max(rates)


def good_enough(name: str, error: float) -> tuple[Engine, float] | None:
    """Return the engine at the loosest tolerance of the ladder whose 99th percentile is at most `error`, and that."""
    for rtol in OWN_LADDER if name == "lanes" else LADDER:
        engine = Engine(name, rtol, FEWER.get(name))
        points = sample(engine.lanes) if name in SAMPLES else grid(engine.lanes)
        with np.errstate(all="ignore"):
            off = np.max(np.abs(engine.final() / exact(*points) - 1), axis=0)
        found = float(np.quantile(np.where(np.isfinite(off), off, np.inf), 0.99))
        if found <= error:
            return engine, found
        engine.close()
    return None


def rows(error: float, repeats: int) -> list[dict[str, Any]]:
    """Return a row per engine, and the share of the peak.

    Raises:
        Unreachable: the kernel, which the others are compared with, does not come to that error.
    """
    chosen, table = {}, []
    for name, package in PEERS.items():
        if package is not None and importlib.util.find_spec(package) is None:
            table.append({"engine": name, "left out": f"{package} is not installed"})
        elif (found := good_enough(name, error)) is None and name == "lanes":
            raise Unreachable(
                f"--error must be one that the kernel comes to at a tolerance of {OWN_LADDER[-1]:g}, that of the "
                f"reference being {REFERENCE:g}; got {error:g}. Give a larger one."
            )
        elif found is None:
            table.append({"engine": name, "left out": f"no tolerance down to {LADDER[-1]:g} is good enough"})
        else:
            chosen[name] = found
    for _ in range(repeats):
        for engine, _ in chosen.values():
            engine.run()
    ours = statistics.median(chosen["lanes"][0].seconds)
    for name, (engine, off) in chosen.items():
        seconds = statistics.median(engine.seconds)
        table.append({"engine": name, "rtol": engine.rtol, "error_p99": off, "us": 1e6 * seconds,
                      "times_ours": seconds / ours, "lanes": engine.lanes})  # fmt: skip
        engine.close()
    return [*table, share_of_peak(ours, chosen["lanes"][0].rtol), {"load": os.getloadavg()[0]}]


def share_of_peak(seconds: float, rtol: float) -> dict[str, Any]:
    """Return what share of the machine's fused multiply-adds the kernel does in the steps alone."""
    eta, beta = grid(LANES)
    steps = solve_lanes(ALPHA_P, beta, eta, eta, X, X_AUG, P0, S0, TAU0, t1=T1, rtol=rtol).steps.mean()
    done, most = operations_of_a_step() * float(steps) / seconds, peak(available_cores())
    return {"steps": float(steps), "operations_a_step": operations_of_a_step(), "GFlops": done / 1e9,
            "peak_GFlops": most / 1e9, "share": done / most}  # fmt: skip


def main(words: list[str] | None = None) -> None:
    parser = arguments(str(__doc__).partition("\n")[0])
    parser.add_argument("--error", type=float, default=1e-6, help="99th percentile of the relative error")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(words)
    try:
        table = rows(args.error, args.repeats)
    except Unreachable as error:
        parser.error(str(error))
    report("Modes at equal achieved error", table, "us: microseconds a lane, all cores", args)


if __name__ == "__main__":
    main()
