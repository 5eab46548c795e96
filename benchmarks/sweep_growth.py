"""How the time of a sweep grows with N, t, tolerance and beta: measured, and drawn in one picture."""

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from sweep_engines import ALPHA_P, P0, S0, T1, TAU0, X_AUG, X, grid

from lindyn.solve.lanes import api, solve_lanes

REPEATS = 5


def seconds(eta: Any, beta: Any, t1: float = T1, rtol: float = 1e-8, repeats: int = REPEATS) -> tuple[float, float]:
    """Return the median processor time (all threads; others may use the machine) and the mean number of steps."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        result = solve_lanes(ALPHA_P, beta, eta, eta, X, X_AUG, P0, S0, TAU0, t1=t1, rtol=rtol, max_steps=10**8)
        times.append(time.process_time() - start)
    return statistics.median(times), float(result.steps.mean())


def growth() -> dict[str, Any]:
    """Return microseconds per lane along each axis, the others as in Problem S."""
    few = grid(2500)
    out: dict[str, Any] = {"N": [], "t": [], "rtol": [], "beta": [], "beta_explicit": [], "beta_stiff": []}
    seconds(*few)
    for n in (100, 1000, 10_000, 100_000, 1_000_000):
        points = grid(n)
        time_s, steps = seconds(*points, repeats=REPEATS if n < 1_000_000 else 1)
        out["N"].append((len(points[0]), 1e6 * time_s / len(points[0]), steps))
    for t1 in (10.0, 30.0, 100.0, 300.0, 1000.0):
        time_s, steps = seconds(*few, t1=t1)
        out["t"].append((t1, 1e6 * time_s / len(few[0]), steps))
    for rtol in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12):
        time_s, steps = seconds(*few, rtol=rtol)
        out["rtol"].append((rtol, 1e6 * time_s / len(few[0]), steps))
    eta = np.linspace(0, 0.3, 512)
    for beta in np.geomspace(1e-4, 1e4, 17):
        time_s, steps = seconds(eta, beta)
        out["beta"].append((beta, 1e6 * time_s / 512, steps))
    for name, reach, betas in (
        ("beta_explicit", 1e300, np.geomspace(1, 100, 9)),
        ("beta_stiff", -1.0, np.geomspace(1, 1e4, 9)),
    ):
        usual, api.STIFF_REACH = api.STIFF_REACH, reach
        for beta in betas:
            time_s, steps = seconds(eta, beta, repeats=3)
            out[name].append((beta, 1e6 * time_s / 512, steps))
        api.STIFF_REACH = usual
    return out


def draw(measured: dict[str, Any], path: Path) -> None:
    """Draw one panel per axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(13, 3.2), layout="constrained")
    labels = {"N": "lanes N", "t": "end time t", "rtol": "relative tolerance", "beta": "EMA rate beta"}
    for axis, (name, label) in zip(axes, labels.items(), strict=True):
        x, y, _ = np.array(measured[name]).T
        axis.loglog(x, y, "o-", color="#22577a", label="as chosen", zorder=3)
        axis.set_xlabel(label)
        axis.grid(alpha=0.3, which="major")
    for name, style, label in (("beta_explicit", "--", "explicit first"), ("beta_stiff", ":", "L-stable only")):
        x, y, _ = np.array(measured[name]).T
        axes[3].loglog(x, y, style, color="#c8553d", label=label)
    axes[3].legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("processor microseconds per lane")
    figure.suptitle("Problem S (t = 200, tolerance 1e-8 unless on the axis): cost of a lane", fontsize=10)
    figure.savefig(path, dpi=130)
    plt.close(figure)
