"""Cost of a lane by its EMA rate, on one thread: stiff lanes over those that are not.

python benchmarks/stiff_lanes.py [--json FILE]
"""

from typing import Any

import numpy as np
from common import interleaved_clocks, report

from lindyn.solve.lanes import solve_lanes

RANGES = {"0.01 .. 10": (0.01, 10), "10 .. 150": (10, 150), "150 .. 1e3": (150, 1e3), "1e3 .. 1e4": (1e3, 1e4)}
SIDE = 50


def rows() -> list[dict[str, Any]]:
    """Return microseconds of processor time per lane of Problem S, t = 200, for ranges of beta."""

    def run(low: float, high: float) -> Any:
        beta, eta = (a.ravel() for a in np.meshgrid(np.geomspace(low, high, SIDE), np.linspace(0, 0.3, SIDE)))
        return solve_lanes(1.0, beta, eta, eta, 1.0, 0.25, 0.1, 0.05, 0.5, t1=200.0, threads=1)

    times = interleaved_clocks({name: lambda ends=ends: run(*ends) for name, ends in RANGES.items()}, 5)
    first = next(iter(times.values()))[1]
    return [
        {
            "beta": name,
            "us_per_lane": 1e6 * cpu / SIDE**2,
            "over_not_stiff": cpu / first,
            "steps": run(*RANGES[name]).steps.mean(),
        }
        for name, (_, cpu) in times.items()
    ]


if __name__ == "__main__":
    report("Stiff lanes", rows(), "medians of 5 in turns, processor time of one thread")
