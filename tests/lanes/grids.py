"""Problems shared by the lane tests."""

from typing import Any

import numpy as np

import lindyn as ld

FIELDS = ("p", "s", "tau", "status", "steps", "t_event", "event", "K_min")


def problem_s(n_beta: int, n_eta: int, beta: tuple = (0.01, 10.0)) -> dict[str, Any]:
    """Problem S: alpha_p = 1, sigma^2 = 0.25, p = 0.1, s = 0.05, tau = 0.5; eta 0..0.3 x beta, collapse included."""
    grid = np.meshgrid(np.geomspace(*beta, n_beta), np.linspace(0, 0.3, n_eta), indexing="ij")
    b, eta = (axis.ravel() for axis in grid)
    return {"alpha_p": 1, "beta": b, "eta_p": eta, "eta_s": eta, "x": 1, "x_aug": 0.25, "p": 0.1, "s": 0.05, "tau": 0.5}


def random_lanes(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random lanes over wide ranges, stiff ones and collapsing ones among them."""
    rng = np.random.default_rng(seed)
    return {
        "alpha_p": rng.uniform(0.3, 5, n), "beta": 10 ** rng.uniform(-4, 4, n), "eta_p": rng.uniform(0, 0.3, n),
        "eta_s": rng.uniform(0, 0.3, n), "x": rng.uniform(0.2, 1.5, n), "x_aug": rng.uniform(0, 1, n),
        "p": rng.uniform(0.01, 1.2, n), "s": rng.uniform(0.01, 1, n), "tau": rng.uniform(0, 1, n),
    }  # fmt: skip


def reference(
    lanes: dict[str, Any],
    i: int,
    t1: float,
    rtol: float = 1e-12,
    solver: str = "auto",
    dense: bool = False,
    **choices: str,
) -> Any:
    """Run lane i with `lindyn.simulate`, the independent route; a tight tolerance."""
    one = {name: float(np.broadcast_to(value, len(lanes["beta"]))[i]) for name, value in lanes.items()}
    hp = ld.Hyperparameters(one["alpha_p"], one["beta"], eta_p=one["eta_p"], eta_s=one["eta_s"])
    flow = ld.ModeFlow(hp, x=one["x"], x_aug=one["x_aug"], **choices)
    start = ld.ModeState(p=[one["p"]], s=[one["s"]], tau=[one["tau"]])
    return ld.simulate(flow, start, ts=[0.0, t1], rtol=rtol, solver=solver, dense=dense, engine="scipy")
