"""How cost grows with the work: lanes N, matrices n, end time t, tolerance, EMA rate, modes, depth; a picture each.

python benchmarks/growth.py [--json FILE] [--pictures FOLDER] [--axes N n t rtol beta modes depth]

Beside the best peer: heyoka in log variables for lanes of Problem S (diffrax where it is not installed), vmapped
diffrax for matrices, scipy's DOP853 for one run of many modes, a numpy loop of the same steps for depth. Each point is
a median of five in this run; engines of lanes and of matrices have processes of their own.
"""

import functools
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, interleaved, report
from sweep import Engine
from sweep_engines import BETA, T1

HERE = Path(__file__).parent
LANE_PEER = "heyoka, log" if importlib.util.find_spec("heyoka") else "diffrax vmap"
LANES, RTOL, REPEATS = 1024, 1e-8, 5
LABELS = {
    "N": ("lanes N", "microseconds a lane"), "n": ("side of the matrices n", "microseconds a system"),
    "t": ("end time t", "microseconds a lane"), "rtol": ("relative tolerance", "microseconds a lane"),
    "beta": ("EMA rate β", "microseconds a lane"), "modes": ("modes of one run", "milliseconds a run"),
    "depth": ("layers L", "microseconds a model and step"),
}  # fmt: skip
Row = dict[str, Any]


def lane_rows(axis: str) -> list[Row]:
    """Return microseconds a lane along an axis of Problem S."""
    few, settings = (LANES, RTOL, T1, BETA), []
    if axis == "N":
        settings = [(n, (n, *few[1:])) for n in (64, 256, 1024, 4096, 16384, 65536)]
    elif axis == "rtol":
        settings = [(rtol, (LANES, rtol, T1, BETA)) for rtol in (1e-4, 1e-6, 1e-8, 1e-10, 1e-12)]
    elif axis == "t":
        settings = [(t1, (LANES, RTOL, t1, BETA)) for t1 in (10.0, 30.0, 100.0, 300.0, 1000.0)]
    else:
        settings = [(b, (LANES, RTOL, T1, (b, 1.01 * b))) for b in (1e-4, 1e-2, 1.0, 10.0, 100.0, 1e3, 1e4)]
    return [row for work, setting in settings for row in _lanes(axis, work, *setting)]


def _lanes(axis: str, work: float, lanes: int, rtol: float, t1: float, beta: tuple[float, float]) -> list[Row]:
    count = {"lindyn": lanes, LANE_PEER: min(lanes, LANES if axis == "N" else 256)}
    engines = {
        name: Engine("lanes" if name == "lindyn" else name, rtol, each, (t1, *beta)) for name, each in count.items()
    }
    for _ in range(REPEATS):
        for engine in engines.values():
            engine.run()
    found = []
    for name, engine in engines.items():
        found.append({"axis": axis, "work": work, "engine": name, "cost": 1e6 * statistics.median(engine.seconds)})
        engine.close()
    return found


def matrix_rows() -> list[Row]:
    """Return microseconds a system (W, W_p, W_a) by its side."""
    found = []
    for n in (2, 4, 8, 16, 32, 64):
        for engine, name in (("ours", "lindyn"), ("diffrax", "diffrax vmap")):
            command = [sys.executable, str(HERE / "small_matrices.py"), "--engine", engine, "--sizes", str(n)]
            told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            found.append({"axis": "n", "work": n, "engine": name, "cost": 1e6 * told["seconds"]})
    return found


def _mode_runs(count: int) -> dict[str, Callable[[], Any]]:
    """Return one run of many modes, ours and scipy's on the equations written by hand."""
    from scipy.integrate import solve_ivp

    import lindyn as ld

    flow = ld.ModeFlow(ld.Hyperparameters(eta=0.02, beta=0.4), x_aug=0.25)
    p, s = np.linspace(0.1, 0.8, count), np.linspace(0.05, 0.5, count)
    start, ts = ld.ModeState(p=p, s=s, tau=np.ones(count)), np.linspace(0.0, 100.0, 201)

    def rates(t: float, y: np.ndarray) -> np.ndarray:
        p, s, tau = y.reshape(3, count)
        drive = tau - 1.25 * p
        growth = p * drive - 0.02
        return np.concatenate([s * drive - 0.02 * p, 2 * s * growth, 0.4 * (1 - tau) - tau * growth])

    y0 = np.concatenate([p, s, np.ones(count)])
    return {
        "lindyn": lambda: ld.simulate(flow, start, ts),
        "scipy DOP853": lambda: solve_ivp(rates, (0, 100), y0, "DOP853", ts, rtol=1e-10, atol=1e-14),
    }


def mode_rows() -> list[Row]:
    """Return milliseconds of one run by its modes."""
    found = []
    for count in (1, 10, 100, 1000, 10_000):
        times = interleaved(_mode_runs(count), REPEATS)
        found += [{"axis": "modes", "work": count, "engine": name, "cost": 1e3 * each} for name, each in times.items()]
    return found


def depth_rows() -> list[Row]:
    """Return microseconds a model and step of the deep normalised model by its layers."""
    from descent_sweep import sweep_row

    found = []
    for depth in (1, 2, 3, 4, 6, 8):
        row = sweep_row(16, 8, depth, 0, rows=16, seeds=16, steps=100, sample=2, few=20)
        for name, key in (("lindyn", "sweep_us"), ("numpy loop", "loop_us")):
            found.append({"axis": "depth", "work": depth, "engine": name, "cost": row[key]})
    return found


MEASURES: dict[str, Callable[[], list[Row]]] = {
    **{axis: functools.partial(lane_rows, axis) for axis in ("N", "t", "rtol", "beta")},
    "n": matrix_rows, "modes": mode_rows, "depth": depth_rows,
}  # fmt: skip


def draw(axis: str, rows: list[Row], path: Path) -> None:
    """Draw one axis: cost against work, a line per engine."""
    from matplotlib.figure import Figure

    from lindyn.plotting import style

    with style.settings():
        figure = Figure(figsize=(4.6, 3.3), layout="constrained")
        axes = figure.subplots()
        for k, engine in enumerate(dict.fromkeys(row["engine"] for row in rows)):
            points = np.array([(row["work"], row["cost"]) for row in rows if row["engine"] == engine])
            axes.loglog(*points.T, "os"[k] + "-", color=(style.FLOW, style.INK)[k], label=engine)
        axes.set(xlabel=LABELS[axis][0], ylabel=LABELS[axis][1])
        if axis in ("n", "depth"):
            works = sorted({row["work"] for row in rows})
            axes.set_xticks(works, [str(work) for work in works])
            axes.minorticks_off()
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        figure.savefig(path, dpi=130)


if __name__ == "__main__":
    parser = arguments(str(__doc__).partition("\n")[0])
    parser.add_argument("--pictures", type=Path, help="a picture each is written into this folder")
    parser.add_argument("--axes", nargs="+", choices=list(LABELS), default=list(LABELS))
    args = parser.parse_args()
    load, table = os.getloadavg()[0], []
    for axis in args.axes:
        table += MEASURES[axis]()
        print(axis, "measured", file=sys.stderr)
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
        for axis in args.axes:
            draw(axis, [row for row in table if row["axis"] == axis], args.pictures / f"growth_{axis}.png")
    report("Growth", [*table, {"load before": load, "load after": os.getloadavg()[0]}], "", args)
