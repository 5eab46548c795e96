"""`lindyn.sweep`: single modes (p, s, tau) over any of their parameters, by the lane kernel or in JAX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.flows import choices
from lindyn.sweeps import axes as ax
from lindyn.sweeps import outcome
from lindyn.sweeps.axes import POINTS, Grid
from lindyn.sweeps.execution import execute
from lindyn.sweeps.outcome import GROWN
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


@dataclass(frozen=True, eq=False, repr=False)
class ModePlan(Brief):
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


T1, RTOL, MAX_STEPS = 200.0, 1e-8, 1_000_000
PARABOLA = "parabola"


def sweep(
    *,
    eta: Any = None,
    eta_p: Any = None,
    eta_s: Any = None,
    beta: Any = None,
    alpha_p: Any = None,
    x: Any = None,
    x_aug: Any = None,
    p: Any = None,
    s: Any = None,
    tau: Any = None,
    t1: float = T1,
    target: str = "ema",
    tau_mode: str = "dynamic",
    predictor: str = "trained",
    engine: str = "lanes",
    rtol: float = RTOL,
    max_steps: int = MAX_STEPS,
    grown: float = GROWN,
    store: Path | str | None = None,
    client: Any = None,
    threads: int | None = None,
    points: int | None = None,
    progress: bool = True,
    **unknown: Any,
) -> Any:
    """Run a mode (Eqs. 11-13) from t = 0 to t1 at every combination of parameters, and say what became of it.

        ds = ld.sweep(eta=np.linspace(0, 0.3, 500), beta=np.geomspace(0.01, 10, 400), alpha_p=2.0)
        ds["p"].isel(eta=3, beta=7); ds["outcome"].plot()

    Each parameter is a number, or a list or array of increasing numbers: an axis. With no axis at all, eta and beta
    (those not given) run over 0..0.3 and 0.01..10.

    Args:
        eta: weight decay of both networks, >= 0; default 0.04.
        eta_p: decay of the predictor, instead of `eta`.
        eta_s: decay of the online network, instead of `eta`.
        beta: EMA rate of the target, >= 0; default 0.4.
        alpha_p: learning-rate ratio predictor / online, >= 0; default 1.
        x: eigenvalue of X, >= 0; default 1.
        x_aug: eigenvalue of X' (sigma^2), >= 0; default 0.25.
        p: initial predictor eigenvalue p(0); default 0.15. Its axis is called p0.
        s: initial eigenvalue s(0) of F, > 0; default 0.03; or "parabola": s = p^2/alpha_p. Its axis is called s0.
        tau: initial target / online ratio tau(0): a number, "copy" (1, the default) or "zero" (0), or a list of these
            words. Its axis is called tau0.
        t1: the end, in flow time (learning rate x steps / (1 - momentum)), > 0.
        target: "ema", "online" (tau = 1 at all times) or "frozen" (the target never moves).
        tau_mode: "dynamic", or "constant": tau is held at its start.
        predictor: "trained", or "identity": no predictor, p = 1.
        engine: "lanes" (CPU, numba) or "jax".
        rtol: relative tolerance of a step; 1e-8 gives the final state to about 1e-6.
        max_steps: limit on steps of a lane.
        grown: a living mode has grown when s(t1) is at least this many times s(0).
        store: folder of a zarr store: blocks are written as they are finished, a killed run goes on where it stopped,
            and the result may be larger than memory.
        client: a dask.distributed Client to compute on.
        threads: threads on this machine, default all cores.
        points: points in a block (of a store), default 131072.
        progress: show progress on a terminal.
        unknown: any other name is refused, with the near one.

    Returns:
        `xarray.Dataset` over the axes: p, s, tau (final), outcome (see `sweeps.outcome`), t_event and event (time of
        escape or collapse), K_min (smallest eigenvalue of K over the run, Eq. 17), steps, status; labelled, with
        units, and the configuration in the attributes. The lane engine gives the same bits for every block
        size, number of threads and cluster; the JAX engine the same numbers to its tolerance.
        `lindyn.plotting.outcome_map.draw(ds)` draws it; for xarray's own plot, which takes codes for numbers, write
        `ds.outcome.plot(**outcome_map.categories(ds.outcome))`. A log axis has no place for eta = 0: leave it out with
        `ds.p.isel(eta=slice(1, None)).plot(yscale="log")`.

    Raises:
        ValueError: an unknown name, an empty or falling axis, a value out of range, a result that does not fit in
            memory, a store of another sweep.
        OSError: the store cannot be written; what was written is kept.
        SweepInterrupted: Ctrl-C; what was written is kept.
    """
    ax.check_names(unknown)
    given = {
        "eta": eta, "eta_p": eta_p, "eta_s": eta_s, "beta": beta, "alpha_p": alpha_p, "x": x, "x_aug": x_aug,
        "p": p, "s": s, "tau": tau,
    }  # fmt: skip
    choices.check(target, True, predictor, tau_mode)
    if predictor == "symmetrised":
        raise ValueError("predictor must be 'trained' or 'identity'; got 'symmetrised', which is 'trained' for a mode.")
    settings = {
        "t1": _checks.as_scalar("t1", t1, minimum=0.0, exclusive=True),
        "target": target,
        "tau_mode": tau_mode,
        "predictor": predictor,
        "engine": _checks.one_of("engine", engine, ENGINES),
        "rtol": _checks.as_scalar("rtol", rtol, minimum=0.0, exclusive=True),
        "max_steps": _checks.as_whole("max_steps", max_steps),
        "grown": _checks.as_scalar("grown", grown, minimum=0.0, exclusive=True),
        "start": PARABOLA if isinstance(s, str) else "given",
    }
    plan = ModePlan(Grid.of(_parameters(given, settings)), settings)
    return execute(plan, store, client=client, threads=threads, points=points, progress=progress)


def _parameters(given: dict[str, Any], settings: dict[str, Any]) -> dict[str, float | ax.Axis]:
    """Return every parameter that the engine needs, as a number or an axis, with the defaults filled in."""
    given = {name: value for name, value in given.items() if value is not None}
    if "eta_p" in given and "eta_s" in given and "eta" in given:
        raise ValueError("Give eta, or eta_p and eta_s: with both of these, eta has no meaning.")
    if settings["predictor"] == "identity":
        if "p" in given and np.any(np.asarray(given["p"]) != 1):
            raise ValueError("predictor='identity' means p = 1; leave p out.")
        given["p"] = 1.0
    parabola = isinstance(given.get("s"), str)
    if parabola and _checks.one_of("s", given.pop("s"), [PARABOLA]):
        _check_parabola(given)
    parsed = {name: ax.parse(name, value) for name, value in given.items()}
    if settings["target"] == "online" and settings["tau_mode"] == "dynamic":
        tau = parsed.get("tau", 1.0)
        if isinstance(tau, ax.Axis) or tau != 1:
            raise ValueError("target='online' means tau = 1; leave tau out, or give tau_mode='constant'.")
    if not any(isinstance(value, ax.Axis) for value in parsed.values()):
        decays = {"eta_p", "eta_s"} & set(parsed)
        wanted = {name: axis for name, axis in ax.DEFAULT_AXES.items() if name not in parsed}
        if decays:
            wanted.pop("eta", None)
        parsed |= {name: ax.parse(name, axis) for name, axis in wanted.items()}
    return _complete(parsed, parabola)


def _check_parabola(given: dict[str, Any]) -> None:
    """Raise ValueError where s = p^2/alpha_p would not be > 0 and finite."""
    for name, why in (("alpha_p", "it is divided by"), ("p", "s would be 0")):
        if name in given and np.any(np.asarray(given[name], dtype=float) == 0):
            raise ValueError(f"s='parabola' is s = p^2/alpha_p and needs {name} != 0 ({why}).")


def _complete(parsed: dict[str, float | ax.Axis], parabola: bool) -> dict[str, float | ax.Axis]:
    """Fill in the defaults, in the table's order."""
    full = {}
    for parameter in ax.PARAMETERS:
        if parameter.name in parsed:
            full[parameter.name] = parsed[parameter.name]
        elif parameter.name == "eta" and "eta_p" in parsed and "eta_s" in parsed:
            continue
        elif parameter.default is not None and not (parameter.name == "s" and parabola):
            full[parameter.name] = parameter.default
    return full
