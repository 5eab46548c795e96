"""`lindyn.sweep_matrices`: small systems of matrices over their parameters and random starts.

They show what single modes cannot: alignment, asymmetry.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks, observables, statistics
from lindyn.display.brief import Brief
from lindyn.flows import choices
from lindyn.states import CorrelationState, WeightState
from lindyn.sweeps import axes as ax
from lindyn.sweeps import outcome
from lindyn.sweeps.axes import Grid
from lindyn.sweeps.execution import execute
from lindyn.sweeps.outcome import GROWN
from lindyn.sweeps.plan import Variable

STATUSES = ("reached", "max_steps", "not_finite")
CONSTANTS = ("alpha_p", "beta", "eta_p", "eta_s", "x", "x_aug")
POINTS = 2048

VARIABLES = (
    Variable("alignment", "f8", "mean cosine of u_j and W_p u_j over the living eigenvectors u_j of F (NaN: none)"),
    Variable("asymmetry", "f8", "||W_p - W_p^T|| / ||W_p|| (0 symmetric, 2 antisymmetric)"),
    Variable("commutator", "f8", "||[F, W_p]|| / (||F|| ||W_p||)"),
    Variable("collapse", "f8", "tr F(t1) / tr F(0)"),
    Variable("modes_alive", "i4", "directions above the saddle of their mode"),
    Variable("outcome", "i1", "what became of the system", flags=outcome.OUTCOMES),
    Variable("p_max", "f8", "largest eigenvalue of W_p (symmetric part)"),
    Variable("s_max", "f8", "largest eigenvalue of F"),
    Variable("tau", "f8", "target / online ratio <W_a, W> / ||W||^2"),
    Variable(
        "K_min", "f8", "smallest eigenvalue of K over the run (Eq. 17; correlation systems only)", "1 / flow time"
    ),
    Variable("steps", "i4", "steps taken"),
    Variable("status", "i1", "how the integration ended", flags=STATUSES),
)


@dataclass(frozen=True, eq=False, repr=False)
class MatrixPlan(Brief):
    """A sweep of systems of n2 x n2 matrices over parameters and seeds.

    Args:
        grid: eta (or eta_p, eta_s), beta, alpha_p, x, x_aug, tau, scale, scale_p, seed.
        settings: system, n1, n2, t1, target, predictor, rtol, max_steps, grown.
    """

    grid: Grid
    settings: dict[str, Any]
    title: str = "lindyn sweep of matrix systems, Lemma 1 of Tian, Chen, Ganguli 2021, isotropic data"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays of the result."""
        return VARIABLES

    @property
    def points(self) -> int:
        """How many points a block should have."""
        return POINTS

    def compute(self, region: tuple[slice, ...], threads: int | None = None) -> dict[str, np.ndarray]:
        """Return every variable over a region of the grid."""
        from lindyn.sweeps import matrix_kernel

        given, shape = self.grid.values(region)
        for name in ("eta_p", "eta_s"):
            given.setdefault(name, given.get("eta", np.zeros(0)))
        set_ = self.settings
        n = set_["n2"]
        online = set_["target"] == "online"
        gram = set_["system"] == "weights" and not online  # an online target is a correlation system with tau = 1
        W_p, F = self._start(given)
        y = _flat(W_p, F, given["tau"], gram)
        constants = np.stack([given[name] for name in CONSTANTS], axis=1)
        if set_["target"] == "frozen":
            constants[:, CONSTANTS.index("beta")] = 0.0
        end, K_min, steps, status = matrix_kernel.solve(
            "gram" if gram else "correlation", y, constants, n,
            t1=set_["t1"], rtol=set_["rtol"], max_steps=set_["max_steps"],
            symmetrised=set_["predictor"] == "symmetrised", fixed_tau=online,
            threads=threads or os.cpu_count() or 1,
        )  # fmt: skip
        told = self._observe(end, F, given, gram) | {"steps": steps, "status": status}
        told["K_min"] = K_min if set_["system"] == "correlation" else np.full(len(K_min), np.nan)
        told["outcome"] = np.where(status == 0, told["outcome"], outcome.FAILED)
        return {v.name: np.asarray(told[v.name]).astype(v.dtype).reshape(shape) for v in VARIABLES}

    def _start(self, given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the initial (W_p, F): one draw a seed, the same at every other parameter, then scaled."""
        n, symmetric = self.settings["n2"], self.settings["predictor"] == "symmetrised"
        seeds, where = np.unique(given["seed"], return_inverse=True)
        drawn = [WeightState.random(n, self.settings["n1"], int(seed), symmetric_predictor=symmetric) for seed in seeds]
        W_p = np.stack([state.W_p for state in drawn])[where]
        F = np.stack([state.W @ state.W.T for state in drawn])[where]
        return given["scale_p"][:, None, None] * W_p, given["scale"][:, None, None] ** 2 * F

    def _observe(self, end: np.ndarray, F0: np.ndarray, given: dict[str, np.ndarray], gram: bool) -> dict[str, Any]:
        """Return what is read off the final states."""
        n, m = self.settings["n2"], self.settings["n2"] ** 2
        good = np.isfinite(end).all(axis=1)
        end = np.where(good[:, None], end, 0.0)
        W_p, F = end[:, :m].reshape(-1, n, n), end[:, m : 2 * m].reshape(-1, n, n)
        F = (F + np.swapaxes(F, 1, 2)) / 2
        trace, trace0 = np.trace(F, axis1=1, axis2=2), np.trace(F0, axis1=1, axis2=2)
        state = CorrelationState._unchecked(W_p=W_p, F=F, tau=np.ones(len(F)))
        with np.errstate(all="ignore"):
            tau = np.trace(end[:, 2 * m : 3 * m].reshape(-1, n, n), axis1=1, axis2=2) / trace if gram else end[:, 2 * m]
            told = {
                "asymmetry": observables.asymmetry(state),
                "commutator": statistics.commutator_share(F, W_p),
                "collapse": trace / trace0,
                "p_max": observables.spectrum_W_p(state)[:, 0],
                "s_max": observables.spectrum_F(state)[:, 0],
                "tau": tau,
            }
        codes = self._codes(state, tau, trace0, given)
        living = np.isin(codes, (outcome.ALIVE, outcome.NOT_GROWING))
        count = living.sum(axis=1)
        cosines = np.where(living, observables.alignment(state), 0.0).sum(axis=1)
        told["alignment"] = np.where(count > 0, cosines / np.maximum(count, 1), np.nan)
        grown = np.where(trace >= self.settings["grown"] * trace0, outcome.ALIVE, outcome.NOT_GROWING)
        gone = np.where((codes == outcome.COLLAPSED).all(axis=1), outcome.COLLAPSED, outcome.UNDECIDED)
        told["modes_alive"], told["outcome"] = count, np.where(count > 0, grown, gone)
        told["outcome"] = np.where(good, told["outcome"], outcome.FAILED)
        return told

    def _codes(self, state: Any, tau: np.ndarray, trace0: np.ndarray, given: dict[str, np.ndarray]) -> np.ndarray:
        """Return the outcome of each direction, (systems, n2)."""
        n = self.settings["n2"]
        p, s = observables.mode_values(state)
        start = {name: np.repeat(given[name], n) for name in CONSTANTS}
        start |= {"s": np.repeat(trace0 / n, n), "tau": np.repeat(given["tau"], n), "p": p.ravel()}
        codes = outcome.label(
            start, p.ravel(), np.maximum(s.ravel(), 0.0), np.repeat(tau, n), target=self.settings["target"]
        )
        return codes.reshape(-1, n)


def _flat(W_p: np.ndarray, F: np.ndarray, tau: np.ndarray, gram: bool) -> np.ndarray:
    """Return flat states: (W_p, F, tau), or (W_p, F, H = tau F, J = tau^2 F)."""
    count = len(tau)
    parts = [W_p.reshape(count, -1), F.reshape(count, -1)]
    if gram:
        parts += [tau[:, None] * parts[1], tau[:, None] ** 2 * parts[1]]
    else:
        parts.append(tau[:, None])
    return np.concatenate(parts, axis=1)


SYSTEMS = ("weights", "correlation")
SHARED = ("eta", "eta_p", "eta_s", "beta", "alpha_p", "x", "x_aug", "tau")
SCALES = (
    ax.Parameter("scale", "scale", "size of the initial W: entries N(0, scale^2/n1)", "1", 0.5, positive=True),
    ax.Parameter("scale_p", "scale_p", "size of the initial W_p: entries N(0, scale_p^2/n2)", "1", 1.0, positive=True),
)
TABLE = {name: ax.KNOWN[name] for name in SHARED} | {parameter.name: parameter for parameter in SCALES}


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
    n1: int = 8,
    n2: int = 8,
    t1: float = 50.0,
    target: str = "ema",
    predictor: str = "trained",
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

    Data are isotropic, X = x I, X' = x_aug I. A seed draws the same W and W_p at every parameter. With no axis but the
    seeds, eta runs over 0, 0.02, ..., 0.2.

    Args:
        eta: weight decay of both networks, number or axis; default 0.04.
        eta_p: decay of the predictor, instead of `eta`.
        eta_s: decay of the online network, instead of `eta`.
        beta: EMA rate of the target; default 0.4.
        alpha_p: learning-rate ratio predictor / online; default 1.
        x: variance of the data; default 1.
        x_aug: variance of the augmentation (sigma^2); default 0.25.
        tau: W_a(0) = tau W(0): a number, "copy" (1, the default), "zero" (0) or a list of these words.
        scale: size of the initial W; default 0.5.
        scale_p: size of the initial W_p; default 1.
        seeds: how many starts (0, 1, ...), or a list of seeds.
        system: "weights": (W, W_p, W_a) of Lemma 1, solved by its exact n2 x n2 reduction; "correlation": (W_p, F, tau)
            under Assumption 1, which also gives K_min.
        n1: input dimension of the initial W.
        n2: output dimension.
        t1: the end, in flow time (learning rate x steps / (1 - momentum)).
        target: "ema", "online" or "frozen".
        predictor: "trained", or "symmetrised" (Assumption 3: a symmetric start and the symmetric part of the flow).
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
        `xarray.Dataset` over the axes and `seed`: alignment, asymmetry, commutator, collapse, modes_alive, outcome,
        p_max, s_max, tau, K_min, steps, status; labelled, with units, and the configuration in the attributes.

    Raises:
        ValueError: an unknown name, an empty or falling axis, a value out of range, a result that does not fit in
            memory, a store of another sweep.
        OSError: the store cannot be written; what was written is kept.
        SweepInterrupted: Ctrl-C; what was written is kept.
    """
    ax.check_names(unknown, (*TABLE, "seeds"))
    given = {
        "eta": eta, "eta_p": eta_p, "eta_s": eta_s, "beta": beta, "alpha_p": alpha_p, "x": x, "x_aug": x_aug,
        "tau": tau, "scale": scale, "scale_p": scale_p,
    }  # fmt: skip
    choices.check(target, True, predictor)
    if predictor == "identity":
        raise ValueError("predictor must be 'trained' or 'symmetrised'; got 'identity', under which nothing is learnt.")
    settings = {
        "system": _checks.one_of("system", system, SYSTEMS),
        "n1": _checks.as_whole("n1", n1),
        "n2": _checks.as_whole("n2", n2),
        "t1": _checks.as_scalar("t1", t1, minimum=0.0, exclusive=True),
        "target": target,
        "predictor": predictor,
        "rtol": _checks.as_scalar("rtol", rtol, minimum=0.0, exclusive=True),
        "max_steps": _checks.as_whole("max_steps", max_steps),
        "grown": _checks.as_scalar("grown", grown, minimum=0.0, exclusive=True),
    }
    parsed = _parameters(given, target)
    parsed["seed"] = ax.seed_axis(seeds)
    plan = MatrixPlan(Grid.of(parsed), settings)
    return execute(plan, store, client=client, threads=threads, points=points, progress=progress)


def _parameters(given: dict[str, Any], target: str) -> dict[str, float | ax.Axis]:
    given = {name: value for name, value in given.items() if value is not None}
    if {"eta", "eta_p", "eta_s"} <= set(given):
        raise ValueError("Give eta, or eta_p and eta_s: with both of these, eta has no meaning.")
    if target == "online" and given.get("tau", 1.0) not in (1.0, "copy"):
        raise ValueError("target='online' means tau = 1; leave tau out.")
    parsed = {name: ax.parse(name, value, TABLE[name]) for name, value in given.items()}
    if not any(isinstance(value, ax.Axis) for value in parsed.values()) and not {"eta", "eta_p", "eta_s"} & set(parsed):
        parsed["eta"] = ax.parse("eta", np.linspace(0.0, 0.2, 11))
    both = {"eta_p", "eta_s"} <= set(parsed)
    full = {name: parsed.get(name, parameter.default) for name, parameter in TABLE.items()}
    return {name: value for name, value in full.items() if value is not None and not (name == "eta" and both)}
