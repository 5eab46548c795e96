"""Seconds of the maps of `lindyn phase`: refined against every point of the same grid, and the whole commands.

python benchmarks/phase_maps.py [--json FILE]
"""

import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from common import interleaved, report

from lindyn import phase

MOVING, HELD = phase.ema(0.05), phase.plane(0.05)
P, S = np.linspace(-0.64, 1.12, 121), np.linspace(0.0, 0.64, 101)
SURFACE_P, SURFACE_TAU = np.linspace(0.02, 1.4, 47) * MOVING.p_star, np.linspace(0.0, 1.5, 31)
BOX = [(SURFACE_P[0], SURFACE_P[-1]), (0.0, 6.4), (0.0, 1.5)]


def maps() -> list[dict[str, Any]]:
    """Return the time of each map in this process, once all is compiled."""
    grid_p, grid_s = np.meshgrid(P, S, indexing="ij")
    runs = {
        "basin, moving target, refined with its edge": lambda: phase.basin_map(MOVING, {"p": P, "s": S}),
        "basin, moving target, every point, no edge": lambda: phase.follow_fates(MOVING, grid_p, grid_s),
        "basin, held tau, refined with its edge": lambda: phase.basin_map(HELD, {"p": P, "s": S}),
        "basin, held tau, every point, no edge": lambda: phase.follow_fates(HELD, grid_p, grid_s),
        "surface, refined": lambda: phase.edge_by_bisection(MOVING, SURFACE_P, SURFACE_TAU),
        "surface, runs on it": lambda: phase.separatrix_surface(MOVING, BOX, curves=16, far=12),
    }
    return [{"case": name, "seconds": seconds} for name, seconds in interleaved(runs, 5).items()]


def commands() -> list[dict[str, Any]]:
    """Return the time of each command from the shell to its picture, and of a first picture without any map."""
    with tempfile.TemporaryDirectory() as folder:
        begin = [sys.executable, "-m", "lindyn.cli", "phase", "--out", folder, "--overwrite", "--kind"]
        bare = (
            "from matplotlib.figure import Figure; import sys, numba; from lindyn.solve.lanes.api import solve_lanes\n"
        )
        bare += "solve_lanes(1, 0.4, 0.05, 0.05, 1, 0.25, 0.1, 0.05, 0.5, t1=1.0)\n"
        bare += "f = Figure(); f.subplots().plot([0, 1]); f.savefig(sys.argv[1])"
        calls = {
            "lindyn phase --kind basin": [*begin, "basin"],
            "lindyn phase --kind basin --hold-tau": [*begin, "basin", "--hold-tau"],
            "lindyn phase --kind surface": [*begin, "surface"],
            "matplotlib, numba, one lane, an empty picture": [sys.executable, "-c", bare, f"{folder}/bare.png"],
        }
        times = interleaved({name: _runner(call) for name, call in calls.items()}, 5)
    return [{"case": name, "seconds": seconds} for name, seconds in times.items()]


def _runner(command: list[str]) -> Any:
    return lambda: subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    report("Maps of `lindyn phase`", [*maps(), *commands()], "121 x 101 starts; 47 x 31 columns; caches warm")
