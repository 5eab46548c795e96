"""A sweep of single modes (p, s, tau): the lane kernel or the JAX engine, then the outcome by theory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.sweeps import outcome
from lindyn.sweeps.grid import POINTS, Grid
from lindyn.sweeps.plan import Variable

ENGINES = ("lanes", "jax")
LANES = ("alpha_p", "beta", "eta_p", "eta_s", "x", "x_aug", "p", "s", "tau")  # arguments of an engine, in its order
UNFINISHED = ("not_finite", "max_steps", "running")  # statuses of a lane that make its outcome "failed"


def variables(statuses: tuple[str, ...], events: tuple[str, ...]) -> tuple[Variable, ...]:
    """Return the arrays of a sweep of modes."""
    return (
        Variable("p", "f8", "final predictor eigenvalue p(t1)"),
        Variable("s", "f8", "final eigenvalue s(t1) of F = W W^T"),
        Variable("tau", "f8", "final target / online ratio tau(t1)"),
        Variable("outcome", "i1", "what became of the mode", flags=outcome.OUTCOMES),
        Variable("t_event", "f8", "since when it has escaped (p past 0.9 p_+) or collapsed (s under 1e-6 of its start)",
                 "flow time"),
        Variable("event", "i1", "which of the two it did", flags=events),
        Variable("K_min", "f8", "smallest eigenvalue of K over the run (Eq. 17: alignment at risk where < 0)",
                 "1 / flow time"),
        Variable("steps", "i4", "steps taken"),
        Variable("status", "i1", "how the integration ended", flags=statuses),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ModePlan:
    """A sweep of modes over a grid.

    Args:
        grid: alpha_p, beta, eta_p, eta_s (or eta for both), x, x_aug, p, s, tau.
        settings: t1, target, tau_mode, predictor, rtol, max_steps, engine, grown.
    """

    grid: Grid
    settings: dict[str, Any]
    title: str = "lindyn sweep of modes (p, s, tau), Eqs. 11-13 of Tian, Chen, Ganguli 2021"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays of the result."""
        from lindyn.solve import lanes

        return variables(tuple(lanes.STATUSES), tuple(lanes.EVENTS))

    @property
    def points(self) -> int:
        """How many points a block should have."""
        return POINTS

    def compute(self, region: tuple[slice, ...], threads: int | None = None) -> dict[str, np.ndarray]:
        """Return every variable over a region of the grid."""
        given, shape = self.grid.values(region)
        start = self.lanes(given)
        result = self._run(start, threads)
        from lindyn.solve import lanes

        code = outcome.label(
            start,
            result.p,
            result.s,
            result.tau,
            target=self.settings["target"],
            tau_mode=self.settings["tau_mode"],
            predictor=self.settings["predictor"],
            grown=self.settings["grown"],
        )
        words = np.array(lanes.STATUSES)
        status = np.asarray(result.status)
        code[words[status] == "underflow"] = outcome.COLLAPSED
        code[np.isin(words[status], UNFINISHED)] = outcome.FAILED
        flat = {name: getattr(result, name) for name in ("p", "s", "tau", "t_event", "event", "K_min", "steps")}
        flat |= {"outcome": code, "status": status}
        return {v.name: np.asarray(flat[v.name]).astype(v.dtype, copy=False).reshape(shape) for v in self.variables}

    def lanes(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the nine arrays an engine takes: eta stands for both decays, s may follow p on the parabola."""
        known = dict(given)
        eta = known.pop("eta", np.zeros(0))
        for name in ("eta_p", "eta_s"):
            if name not in known:
                known[name] = eta
        if "s" not in known:  # s = "parabola"
            known["s"] = known["p"] ** 2 / known["alpha_p"]
        return {name: known[name] for name in LANES}

    def _run(self, start: dict[str, np.ndarray], threads: int | None) -> Any:
        kept = ("t1", "target", "tau_mode", "predictor", "rtol", "max_steps")
        settings = {name: self.settings[name] for name in kept}
        if self.settings["engine"] == "jax":
            from lindyn.solve.lanes import jax_engine

            return jax_engine.solve_lanes(*(start[name] for name in LANES), **settings)
        from lindyn.solve.lanes import solve_lanes

        return solve_lanes(*(start[name] for name in LANES), threads=threads, **settings)
