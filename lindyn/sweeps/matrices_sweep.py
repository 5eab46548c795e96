"""`lindyn.sweep_matrices`: small systems of matrices over their parameters and random starts.

They show what single modes cannot: alignment, asymmetry, BatchNorm and the cosine loss on any X and X'.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._linalg import available_cores
from lindyn.display.brief import Brief
from lindyn.moments import Moments
from lindyn.states import WeightState
from lindyn.sweeps import axes as ax
from lindyn.sweeps import matrix_kernel, matrix_parameters, matrix_reading
from lindyn.sweeps.axes import Grid
from lindyn.sweeps.execution import SHARE, execute, free_memory
from lindyn.sweeps.outcome import GROWN
from lindyn.sweeps.plan import Variable
from lindyn.sweeps.store import sized

POINTS = 2048
NUMBERS = 1 << 23
"""Numbers of states that a block may hold at its times."""


@dataclass(frozen=True, eq=False, repr=False)
class MatrixPlan(Brief):
    """A sweep of systems of n2 x n2 matrices over parameters and seeds.

    Args:
        grid: eta (or eta_p, eta_s), beta, alpha_p, x, x_aug, tau, scale, scale_p, seed, and time where asked for.
        settings: system, n1, n2, t1, target, predictor, loss, normalise, rtol, max_steps, grown, a digest of the data.
        data: X and X' of unit x and x_aug, None for isotropic ones.
    """

    grid: Grid
    settings: dict[str, Any]
    data: Moments | None = None
    title: str = "lindyn sweep of matrix systems, Lemma 1 of Tian, Chen, Ganguli 2021"

    @property
    def form(self) -> matrix_kernel.SystemForm:
        """What all systems share."""
        told = {name: self.settings[name] for name in ("system", "n2", "target", "predictor", "loss", "normalise")}
        kind, columns = "isotropic", min(self.settings["n1"], told["n2"])
        if self.data is not None:
            kind, columns = "commuting" if self.data.commute else "general", self.data.n1
        return matrix_kernel.SystemForm(columns=columns, data=kind, **told)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays of the result."""
        return matrix_reading.BY_THEORY if matrix_reading.has_saddle(self.form) else matrix_reading.BY_SPECTRUM

    @property
    def points(self) -> int:
        """How many points a block should have."""
        size = matrix_kernel.numbers(self.form)
        return max(1, min(POINTS, NUMBERS // size)) * (len(self.times) if "time" in self.grid.names else 1)

    @property
    def times(self) -> np.ndarray:
        """When the systems are looked at."""
        found = [axis.values for name, axis in zip(self.grid.names, self.grid.axes, strict=True) if name == "time"]
        return found[0] if found else np.array([self.settings["t1"]])

    def compute(self, region: tuple[slice, ...], threads: int | None = None) -> dict[str, np.ndarray]:
        """Return every variable over a region of the grid; whatever its times, the systems pass through all before."""
        given, shape = self.grid.values(region)
        looked_at = np.arange(len(self.times))[region[-1]] if "time" in self.grid.names else np.array([0])
        given = {name: values.reshape(-1, len(looked_at))[:, 0] for name, values in given.items()}
        for name in ("eta_p", "eta_s"):
            given.setdefault(name, given.get("eta", np.zeros(0)))
        set_, form = self.settings, self.form
        shared, basis = self._data(form)
        start = self._start(form, given, basis)
        end, K_min, steps, status = matrix_kernel.solve(
            form, start, {name: given[name] for name in matrix_kernel.CONSTANTS}, shared,
            times=self.times[: looked_at[-1] + 1], rtol=set_["rtol"], max_steps=set_["max_steps"],
            threads=threads or available_cores(),
        )  # fmt: skip
        out = {v.name: np.empty((len(steps), len(looked_at)), v.dtype) for v in self.variables}
        failed = matrix_reading.failed(form)
        for column, k in enumerate(looked_at):
            there = {name: values[:, k] for name, values in end.items()}
            told = matrix_reading.read(form, there, start, given, shared, set_["grown"])
            told["outcome"] = np.where(status[:, k] == 0, told["outcome"], failed)
            for name, values in (told | {"K_min": K_min[:, k], "steps": steps[:, k], "status": status[:, k]}).items():
                out[name][:, column] = values
        return {name: values.reshape(shape) for name, values in out.items()}

    def _data(self, form: matrix_kernel.SystemForm) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Return X and X' of the coordinates that are integrated, and their basis."""
        if self.data is None:
            return {}, None
        x, x_aug, V = self.data.joint_spectrum()
        if form.data == "commuting":
            return {"X": x[None], "X_aug": x_aug[None]}, V
        X, X_aug = (V.T @ _checks.to_numpy(M) @ V for M in (self.data.X, self.data.X_aug))
        return {"X": (X + X.T) / 2, "X_aug": (X_aug + X_aug.T) / 2}, V

    def _start(
        self, form: matrix_kernel.SystemForm, given: dict[str, np.ndarray], basis: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """Return the initial states: one draw a seed, the same at every other parameter, then scaled."""
        n2, n1, symmetric = form.n2, self.settings["n1"], form.predictor == "symmetrised"
        seeds, where = np.unique(given["seed"], return_inverse=True)
        drawn = [WeightState.random(n2, n1, int(seed), symmetric_predictor=symmetric) for seed in seeds]
        W_p = given["scale_p"][:, None, None] * np.stack([state.W_p for state in drawn])[where]
        W = np.stack([state.W for state in drawn])
        tau = given["tau"][:, None, None]
        if form.system == "correlation":
            F = W @ np.swapaxes(W, 1, 2)
            return {"W_p": W_p, "F": given["scale"][:, None, None] ** 2 * F[where], "tau": tau}
        if basis is not None:
            W = W @ basis
        elif n1 > n2:  # the rows of W and W_a never leave their span: W = W_reduced Q^T
            W = np.swapaxes(np.linalg.qr(np.swapaxes(W, 1, 2))[1], 1, 2)
        W = given["scale"][:, None, None] * W[where]
        return {"W": W, "W_p": W_p, "W_a": tau * W}


def sweep_matrices(
    *,
    eta: Any = None,
    eta_p: Any = None,
    eta_s: Any = None,
    beta: Any = None,
    alpha_p: Any = None,
    x: Any = None,
    x_aug: Any = None,
    tau: Any = None,
    scale: Any = None,
    scale_p: Any = None,
    seeds: Any = 16,
    system: str = "weights",
    data: Moments | None = None,
    n1: int | None = None,
    n2: int = 8,
    t1: float | None = None,
    times: Any = None,
    target: str = "ema",
    predictor: str = "trained",
    loss: str = "squared",
    normalise: str = "none",
    rtol: float = 1e-8,
    max_steps: int = 100_000,
    grown: float = GROWN,
    store: Path | str | None = None,
    client: Any = None,
    threads: int | None = None,
    points: int | None = None,
    progress: bool = True,
    **unknown: Any,
) -> Any:
    """Run small matrix systems from random starts at every combination of parameters and seeds.

        ds = ld.sweep_matrices(eta=[0.0, 0.02, 0.05, 0.1], predictor="trained", seeds=32)
        ds["asymmetry"].mean("seed")

    Data are isotropic, X = x I, X' = x_aug I, or x and x_aug times those of `data`. A seed draws the same W and W_p at
    every parameter. With no axis but the seeds, eta runs over 0, 0.02, ..., 0.2. Each system is integrated by Dormand
    and Prince's method of order 8 with steps of its own; eight run side by side up to n2 = 24, larger ones one by one.

    Args:
        eta: weight decay of both networks, number or axis; default 0.04.
        eta_p: decay of the predictor, instead of `eta`.
        eta_s: decay of the online network, instead of `eta`.
        beta: EMA rate of the target; default 0.4.
        alpha_p: learning-rate ratio predictor / online; default 1.
        x: variance of the data, or a factor of the X of `data`; default 1.
        x_aug: variance of the augmentation (sigma^2); default 0.25. With `data` a factor of its X', default 1.
        tau: W_a(0) = tau W(0): a number, "copy" (1, the default), "zero" (0) or a list of these words.
        scale: size of the initial W; default 0.5.
        scale_p: size of the initial W_p; default 1.
        seeds: how many starts (0, 1, ...), or a list of seeds.
        system: "weights": (W, W_p, W_a) of Lemma 1, solved by its exact n2 x n2 reduction; "correlation": (W_p, F, tau)
            under Assumption 1, which also gives K_min.
        data: X and X', any two moments; "weights" only.
        n1: input dimension of the initial W; default that of `data`, or 8.
        n2: output dimension.
        t1: the end, in flow time (learning rate x steps / (1 - momentum)); default 50.
        times: rising times > 0 at which everything is read, instead of t1 alone: an axis "time" of the result.
        target: "ema", "online" or "frozen".
        predictor: "trained", or "symmetrised" (Assumption 3: a symmetric start and the symmetric part of the flow).
        loss: "squared", or "cosine" by its closure ("weights" only), as of `WeightFlow`.
        normalise: "none", or "batchnorm" ("weights" only), as of `WeightFlow`.
        rtol: relative tolerance of a step.
        max_steps: limit on steps of a system; beta x t1 / 3 is needed at large beta.
        grown: a living system has grown when tr F(t1) is at least this many times tr F(0).
        store: folder of a zarr store, as in `sweep`.
        client: a dask.distributed Client, as in `sweep`.
        threads: threads on this machine, default all cores.
        points: systems in a block, default 2048.
        progress: show progress on a terminal.
        unknown: any other name is refused, with the near one.

    Returns:
        `xarray.Dataset` over the axes, `seed` and `time`: alignment, asymmetry, commutator, collapse, effective_rank,
        modes_alive, outcome, p_max, s_max, tau, K_min, steps, status; labelled, with units, and the configuration in
        the attributes. F is W W^T; with `data`, a cosine loss or BatchNorm the covariance of the outputs, whose
        spectrum then decides the outcome (complete, partial, healthy) in place of the saddle of a mode.

    Raises:
        ValueError: an unknown name, an empty or falling axis, a value out of range, choices that do not go together, a
            system or a result that does not fit in memory, a store of another sweep.
        OSError: the store cannot be written; what was written is kept.
        SweepInterrupted: Ctrl-C; what was written is kept.
    """
    asked = locals()
    ax.check_names(unknown, (*matrix_parameters.TABLE, "seeds"))
    given = {name: asked[name] for name in matrix_parameters.TABLE}
    plan = plan_of(given, {name: asked[name] for name in matrix_parameters.SETTINGS}, data, times, seeds)
    threads = None if threads is None else _checks.as_whole("threads", threads)
    _check_size(plan, threads)
    return execute(plan, store, client=client, threads=threads, points=points, progress=progress)


def plan_of(given: dict[str, Any], told: dict[str, Any], data: Any, times: Any, seeds: Any) -> MatrixPlan:
    """Return the plan of parameters, settings, data, times and seeds, checked; raise ValueError as `sweep_matrices`."""
    settings = matrix_parameters.settings(told, data)
    parsed = matrix_parameters.parameters(given, settings, data)
    parsed["seed"] = ax.seed_axis(seeds)
    if times is not None:
        parsed["time"] = matrix_parameters.times(times, told["t1"])
        settings["t1"] = float(parsed["time"].values[-1])
    return MatrixPlan(Grid.of(parsed), settings, data)


def _check_size(plan: MatrixPlan, threads: int | None) -> None:
    """Raise ValueError if systems that are worked on at once do not fit in memory, with the largest n2 that does."""
    workers, free = threads or available_cores(), SHARE * free_memory()
    n2 = plan.settings["n2"]
    wanted = workers * matrix_kernel.working_bytes(plan.form)
    if wanted <= free:
        return
    fits = max(1, int(n2 * math.sqrt(free / wanted)))
    raise ValueError(
        f"n2 = {n2} takes {sized(wanted)} while it is integrated and {sized(free)} of memory are free; "
        f"n2 = {fits} fits."
    )
