"""`lindyn train` on a quiet machine and beside foreign work: as it chooses its threads, and as torch would.

python benchmarks/busy_machine.py [--json FILE] [--foreign 8] [--repeats 5] [--keys run.epochs=2 ...] [--own-only]

The foreign work is processes that never rest, in this session and in one of their own (another terminal, another user):
where Linux groups processes by session (sched_autogroup_enabled), only the latter are foreign to it. A fair scheduler
gives one busy thread of n + 1 on c cores c / (n + 1) of a core: 4.5 times as long beside 8 on two, whatever the program
does. The load of the machine before each run stands beside the numbers: on one that is busy already the quiet times are
not quiet.
"""

import contextlib
import os
import signal
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
def foreign_work(count: int, apart: bool = False) -> Iterator[None]:
    """Keep so many processes busy, in this session or in one of their own."""
    if count == 0:
        yield
        return
    idle = f"import os\nfor _ in range({count - 1}):\n    if os.fork() == 0: break\nwhile True: pass"
    group: dict[str, bool] = {"start_new_session": True} if apart else {"process_group": 0}  # type: ignore[dict-item]
    busy = subprocess.Popen([sys.executable, "-c", idle], **group)
    try:
        yield
    finally:
        os.killpg(busy.pid, signal.SIGKILL)
        busy.wait()


def seconds(keys: list[str], as_torch: bool) -> float:
    """Train once; return the seconds of the whole command."""
    clean = {name: value for name, value in os.environ.items() if name not in SAID}
    more = [f"run.threads={os.cpu_count()}"] if as_torch else []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lindyn", "train", *keys, *more, f"run.folder={folder}/run"]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=clean | (SPINS if as_torch else {}))
        return time.perf_counter() - start


QUIET, BESIDE, APART = "quiet", "beside foreign work in this session", "beside foreign work in other sessions"


def rows(keys: list[str], foreign: int, repeats: int, own_only: bool) -> list[dict[str, Any]]:
    """Return the medians, taken in turns."""
    ways = (False,) if own_only else (False, True)
    times: dict[tuple[str, bool], list[float]] = {(where, how): [] for where in (QUIET, BESIDE, APART) for how in ways}
    loads = []
    for _ in range(repeats):
        for (where, as_torch), taken in times.items():
            if where == QUIET:
                loads.append(float(Path("/proc/loadavg").read_text().split()[0]))
            with foreign_work(0 if where == QUIET else foreign, where == APART):
                taken.append(seconds(keys, as_torch))
    median = {case: statistics.median(taken) for case, taken in times.items()}
    grouped = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return [
        {
            "threads": "as torch would" if as_torch else "as lindyn chooses", "where": where,
            "quiet_seconds": median[QUIET, as_torch], "busy_seconds": median[where, as_torch],
            "busy_over_quiet": median[where, as_torch] / median[QUIET, as_torch], "foreign_processes": foreign,
            "load_before_quiet_runs_at_most": max(loads),
            "sessions_are_grouped": grouped.is_file() and grouped.read_text().strip() == "1",
        }
        for where in (BESIDE, APART) for as_torch in ways
    ]  # fmt: skip


if __name__ == "__main__":
    parser = arguments("lindyn train beside foreign work")
    parser.add_argument("--foreign", type=int, default=8, help="busy processes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keys", nargs="*", default=list(KEYS), help="of lindyn train")
    parser.add_argument("--own-only", action="store_true", help="leave out torch's own way with threads")
    given = parser.parse_args()
    found = rows(given.keys, given.foreign, given.repeats, given.own_only)
    report("lindyn train beside foreign work", found, "whole commands", given)
