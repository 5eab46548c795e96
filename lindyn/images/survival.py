"""What a run of the full flow came to: which modes of F and which directions of the data are alive."""

from dataclasses import dataclass

import numpy as np

from lindyn._linalg import ratio
from lindyn.display.brief import Brief
from lindyn.flows.full import WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.images.survival_prediction import Prediction
from lindyn.solve.ode import simulate
from lindyn.solve.trajectory import Trajectory
from lindyn.states import WeightState

RTOL = 1e-8
AT_REST = 1e-7  # relative speed at which a run stops early
SAVED = 51  # states of a run that are kept
SETTLED = 1e-4  # relative speed below which the end counts as a fixed point


@dataclass(frozen=True, repr=False)
class SurvivalOutcome(Brief):
    """What a run of the full flow came to.

    Args:
        W: online weights at the end, n2 x n1.
        W_p: predictor at the end, n2 x n2.
        t: end of the run (flow time).
        speed: largest of |dW|/|W|, |dW_p|/|W_p|, |dW_a|/|W_a| and |dw|/w of the living singular values of W there.
        spectrum: eigenvalues of F = W W^T, length n2, largest first.
        rank: how many of them are alive, above half of the least that a living mode can have.
        energy: ||W v_j||^2 of each direction, length n1.
        share: how much of v_j lies in the row space of the living part of W, 0..1; the shares sum to `rank`.
        trajectory: the run itself, at times that grow geometrically (what lives is decided early).
    """

    W: np.ndarray
    W_p: np.ndarray
    t: float
    speed: float
    spectrum: np.ndarray
    rank: int
    energy: np.ndarray
    share: np.ndarray
    trajectory: Trajectory

    @property
    def living_spectrum(self) -> np.ndarray:
        """The spectrum with 0 for what is dead or dying."""
        return np.where(np.arange(len(self.spectrum)) < self.rank, self.spectrum, 0.0)

    @property
    def survived(self) -> np.ndarray:
        """Whether each direction lies for more than half in what the network kept."""
        return self.share > 0.5

    @property
    def settled(self) -> bool:
        """Whether the run came to rest, or everything died (what is left decays for ever)."""
        return self.speed <= SETTLED or self.rank == 0


def run_flow(flow: WeightFlow, start: WeightState, t1: float, engine: str, prediction: Prediction) -> SurvivalOutcome:
    """Return the outcome of the flow from `start` over the time t1, in the directions of `prediction`."""
    ts = np.concatenate([[0.0], t1 * np.geomspace(1e-3, 1.0, SAVED - 1)])
    ts[-1] = t1
    trajectory = simulate(flow, start, ts=ts, rtol=RTOL, steady_state=AT_REST, engine=engine)
    end = trajectory.final
    W, W_p = np.asarray(end.W), np.asarray(end.W_p)
    _, w, Q = np.linalg.svd(W, full_matrices=False)
    spectrum = np.zeros(len(W))
    spectrum[: len(w)] = w**2
    rank = int(np.count_nonzero(spectrum > least_alive(flow.hp, prediction.x[0], spectrum[0])))
    share = np.sum((Q[:rank] @ prediction.V) ** 2, axis=0)
    energy = np.sum((W @ prediction.V) ** 2, axis=0)
    return SurvivalOutcome(
        W, W_p, float(trajectory.ts[-1]), _speed(flow, end, rank), spectrum, rank, energy, share, trajectory
    )


def least_alive(hp: Hyperparameters, x_max: float, s_max: float) -> float:
    """Return half of the least s that a living mode can have.

    p+ >= x/(2 (x + x')) and x^2 >= 4 eta_s (x + x') give p+ >= 2 eta_s / x >= 2 eta_s / x_max, whence
    s = (eta_p/eta_s) p^2/alpha_p >= 4 eta_p eta_s / (alpha_p x_max^2); the same holds for one mode of any X, X'.
    Without decay of W nothing is damped, and a millionth of the largest is the mark.
    """
    if hp.eta_s == 0 or hp.eta_p == 0 or x_max == 0:
        return 1e-6 * s_max
    return 2 * hp.eta_p * hp.eta_s / (hp.alpha_p * x_max**2)


def _speed(flow: WeightFlow, y: WeightState, rank: int) -> float:
    """Return the largest relative rate of change of a block of the state, or of one living singular value of W."""
    rate = flow(0.0, y)
    pairs = [(getattr(rate, name), getattr(y, name)) for name in ("W", "W_p", "W_a")]
    blocks = [ratio(float(np.linalg.norm(d)), float(np.linalg.norm(v))) for d, v in pairs]
    U, w, Q = np.linalg.svd(y.W, full_matrices=False)
    modes = np.abs(np.sum(U * (rate.W @ Q.T), axis=0))[:rank] / w[:rank]
    return max([*blocks, *modes.tolist()])
