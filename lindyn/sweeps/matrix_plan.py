"""A sweep of small matrix systems with random starts: what single modes cannot show (alignment, asymmetry)."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import observables
from lindyn.states import CorrelationState, WeightState
from lindyn.sweeps import outcome
from lindyn.sweeps.grid import Grid
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


@dataclass(frozen=True, eq=False)
class MatrixPlan:
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
        size = np.linalg.norm(F, axis=(1, 2)) * np.linalg.norm(W_p, axis=(1, 2))
        with np.errstate(all="ignore"):
            tau = np.trace(end[:, 2 * m : 3 * m].reshape(-1, n, n), axis1=1, axis2=2) / trace if gram else end[:, 2 * m]
            told = {
                "asymmetry": observables.asymmetry(state),
                "commutator": observables.commutator_norm(state) / size,
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
