"""What the benchmarks share: medians, one table, one JSON file."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPEATS = 7


def median_seconds(run: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Return the median time of `run` over `repeats` calls, after one call that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def interleaved(runs: dict[str, Callable[[], Any]], repeats: int = REPEATS) -> dict[str, float]:
    """Return the median time of each run, taken in turns so that a drifting machine is fair to all."""
    return {name: wall for name, (wall, _) in interleaved_clocks(runs, repeats).items()}


def interleaved_clocks(runs: dict[str, Callable[[], Any]], repeats: int = REPEATS) -> dict[str, tuple[float, float]]:
    """Return the medians of wall time and of processor time (all threads, whatever else the machine does) likewise."""
    for run in runs.values():
        run()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            times[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {name: tuple(map(statistics.median, zip(*values, strict=True))) for name, values in times.items()}  # type: ignore[misc]


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version()}


def arguments(title: str) -> argparse.ArgumentParser:
    """Return the parser of a benchmark's command line, with `--json FILE`."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    return parser


def report(title: str, rows: list[dict[str, Any]], note: str = "", args: argparse.Namespace | None = None) -> None:
    """Print rows as a table and write them as JSON where `--json FILE` asks for it."""
    args = arguments(title).parse_args() if args is None else args
    print(f"{title}\n{machine()}")
    for row in rows:
        print("  " + "  ".join(f"{key}={_shown(value)}" for key, value in row.items()))
    if note:
        print(note)
    if args.json is not None:
        args.json.write_text(json.dumps({"title": title, "machine": machine(), "rows": rows}, indent=1) + "\n")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
