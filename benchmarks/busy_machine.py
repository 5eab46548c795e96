"""`lindyn train` on a quiet machine and beside foreign work: as it chooses its threads, and as torch would.

python benchmarks/busy_machine.py [--json FILE] [--foreign 8] [--repeats 5] [--keys run.epochs=2 ...]

The foreign work is processes that never rest. The load of the machine before each run stands beside the numbers: on one
that is busy already the quiet times are not quiet.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import arguments, report

KEYS = ("run.epochs=2", "run.progress=false")
SAID = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SPINS = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}  # what OpenMP does by itself


@contextlib.contextmanager
def foreign_work(count: int) -> Iterator[None]:
    """Keep so many processes busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
        for process in busy:
            process.wait()


def seconds(keys: list[str], as_torch: bool) -> float:
    """Train once; return the seconds of the whole command."""
    clean = {name: value for name, value in os.environ.items() if name not in SAID}
    more = [f"run.threads={os.cpu_count()}"] if as_torch else []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lindyn", "train", *keys, *more, f"run.folder={folder}/run"]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=clean | (SPINS if as_torch else {}))
        return time.perf_counter() - start


def rows(keys: list[str], foreign: int, repeats: int) -> list[dict[str, Any]]:
    """Return the medians, taken in turns."""
    times: dict[tuple[int, bool], list[float]] = {(n, how): [] for n in (0, foreign) for how in (False, True)}
    loads = []
    for _ in range(repeats):
        for (count, as_torch), taken in times.items():
            loads.append(float(Path("/proc/loadavg").read_text().split()[0]) if count == 0 else float("nan"))
            with foreign_work(count):
                taken.append(seconds(keys, as_torch))
    median = {case: statistics.median(taken) for case, taken in times.items()}
    quiet_load = max(load for load in loads if load == load)
    return [
        {
            "threads": "as torch would" if as_torch else "as lindyn chooses", "quiet_seconds": median[0, as_torch],
            "busy_seconds": median[foreign, as_torch],
            "busy_over_quiet": median[foreign, as_torch] / median[0, as_torch],
            "foreign_processes": foreign, "load_before_quiet_runs_at_most": quiet_load,
        }
        for as_torch in (False, True)
    ]  # fmt: skip


if __name__ == "__main__":
    parser = arguments("lindyn train beside foreign work")
    parser.add_argument("--foreign", type=int, default=8, help="busy processes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keys", nargs="*", default=list(KEYS), help="of lindyn train")
    given = parser.parse_args()
    report("lindyn train beside foreign work", rows(given.keys, given.foreign, given.repeats), "whole commands", given)
