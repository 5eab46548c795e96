"""The theory started from one reading of a network: decoupled modes, and Lemma 1 on matrices where W can be read.

Of projections z = W h the moments E sym(z1 z2^T) = W X W^T and E (z1 - z2)(z1 - z2)^T / 2 = W X' W^T are measured.
Decoupled (W = U diag(w) V^T, V eigenvectors of X and X'), s_j = k_j w_j^2 with k_j = x_j + x'_j, and
r_j = u_j^T W X W^T u_j / s_j = x_j / k_j is measured from projections alone. In what is measured, Lemma 1 reads

    dp/dt = alpha_p s (r tau - p) - eta_p p
    ds/dt = 2 s [k p (r tau - p) - eta_s]
    dtau/dt = beta (1 - tau) - tau [k p (r tau - p) - eta_s]

so that p needs r alone, but s and tau need k_j besides, the gain of the inputs: it is not absorbed into w, since the
gradient step is one of W, not of z. k_j = s_j / |W^T u_j|^2 takes it from the last layer's weights. This is
`ModeWeightFlow` with x = k r, x_aug = k (1 - r), started from w = sqrt(s / k) and a = tau w: the same as (p, s, tau),
but for the pole of tau where w passes through zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from lindyn import observables
from lindyn._linalg import clip_negative
from lindyn.bridge.run.clock import FlowClock
from lindyn.flows import ModeWeightFlow, WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.states import CorrelationState, ModeWeightState, WeightState

FAINT = 1e-9
"""Modes with s_j below this share of the largest are round-off of float32 sums: nothing is started from them."""
RTOL = 1e-8
DEAREST = 3e11
"""Floating-point operations, about a minute, above which Lemma 1 on matrices is left out."""


@dataclass(frozen=True, eq=False)
class Start:
    """One reading that the theory starts from; modes by the eigenvectors u_j of F, largest s first.

    Args:
        F: E[z z^T], d x d.
        W_p: predictor, d x d.
        X: E sym(z1 z2^T), d x d.
        X_aug: E (z1 - z2)(z1 - z2)^T / 2, d x d.
        W: last linear layer, d x m.
        tau: target / online per mode, length d.
        W_a: the target's last linear layer, d x m; None: W_a = U diag(tau) U^T W (Assumption 1 per mode).
    """

    F: np.ndarray
    W_p: np.ndarray
    X: np.ndarray
    X_aug: np.ndarray
    W: np.ndarray
    tau: np.ndarray
    W_a: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ModeStart:
    """What decoupled modes need: measured values and the constants of each mode.

    Args:
        p: u_j^T W_p u_j.
        s: eigenvalues of F.
        tau: target / online.
        r: x_j / (x_j + x'_j), 0 to 1.
        k: x_j + x'_j.
    """

    p: np.ndarray
    s: np.ndarray
    tau: np.ndarray
    r: np.ndarray
    k: np.ndarray


@dataclass(frozen=True, eq=False)
class Motion:
    """How the run moves: rates, target, predictor, and the times of its readings.

    Args:
        hp: rates; beta is that of `clock.betas`.
        clock: times and EMA rates.
        target: "ema", "online" or "frozen".
        predictor: "trained", "symmetrised", "identity" or a closed-form rule.
        gain: factor of the loss over J of Eq. 1 that unit vectors leave: 1 for the squared distance, 1/tr F for
            losses of normalised vectors, |q/|q| - z/|z||^2 being |q - z|^2 / tr F where lengths vary little.
    """

    hp: Hyperparameters
    clock: FlowClock
    target: str
    predictor: Any
    gain: float = 1.0


def modes_of(start: Start) -> ModeStart:
    """Return the measured modes of a reading, and the constants r_j and k_j; NaN in r and k where s_j is round-off."""
    state = CorrelationState._unchecked(W_p=start.W_p, F=start.F, tau=1.0)
    s, U = observables.eigen_F(state)
    p, _ = observables.mode_values(state, (s, U))
    s = np.maximum(s, 0.0)
    seen, noise = (np.sum(U * (M @ U), axis=0) for M in (start.X, start.X_aug))
    w2 = np.sum((start.W.T @ U) ** 2, axis=0)
    good = (s > FAINT * s[0]) & (seen + noise > 0) & (w2 > 0)
    r, k = np.full_like(s, np.nan), np.full_like(s, np.nan)
    r[good] = np.clip(seen[good] / (seen[good] + noise[good]), 0.0, 1.0)
    k[good] = s[good] / w2[good]
    return ModeStart(p, s, start.tau, r, k)


def decoupled(start: ModeStart, motion: Motion) -> dict[str, np.ndarray]:
    """Return s, p, tau at every reading (K x modes) from Eqs. 11-13, largest s first; NaN where unknown.

    Raises:
        ArithmeticError: the flow cannot be integrated; the message says why.
    """
    good = np.isfinite(start.k)
    if not good.any():
        raise ArithmeticError("no mode of the first reading stands out of round-off")
    r, k = start.r[good], start.k[good]

    def flow(hp: Hyperparameters) -> ModeWeightFlow:
        return ModeWeightFlow(hp, k * r, k * (1 - r), target=motion.target, predictor=_of_modes(motion.predictor))

    p = np.ones(good.sum()) if motion.predictor == "identity" else start.p[good]
    w = np.sqrt(start.s[good] / k)
    found = _along(flow, ModeWeightState(p, w, w if motion.target == "online" else start.tau[good] * w), motion)
    path = ModeWeightState._unchecked(
        p=np.stack([y.p for y in found]),
        w=np.stack([y.w for y in found]),
        a=np.stack([y.w if motion.target == "online" else y.a for y in found]),
    )
    parts = {"s": k * path.w**2, "p": path.p, "tau": observables.tau(path)}
    order = np.argsort(-parts["s"], axis=1, kind="stable")
    return {name: _wide(np.take_along_axis(part, order, axis=1), len(start.s)) for name, part in parts.items()}


def lemma_1(start: Start, motion: Motion) -> dict[str, np.ndarray]:
    """Return s, p, tau at every reading (K x modes) from Lemma 1 on matrices.

    W is taken in the basis of its own rows, W = L Q^T: X of h is L^+ (W X W^T) L^{+T}, exact for what W sees; input
    directions that the first W does not see are left out.

    Raises:
        ArithmeticError: too dear, or the flow cannot be integrated; the message says why.
    """
    U, sigma, Qt = np.linalg.svd(start.W, full_matrices=False)
    kept = sigma > 1e-6 * sigma[0]
    L, inverse = U[:, kept] * sigma[kept], U[:, kept].T / sigma[kept][:, None]
    X = clip_negative(_symmetric(inverse @ start.X @ inverse.T))[0]
    X_aug = clip_negative(_symmetric(inverse @ start.X_aug @ inverse.T))[0]
    data = Moments(X, X_aug)
    _refuse_dear(start, data, motion)
    if start.W_a is None:
        modes = observables.eigen_F(CorrelationState._unchecked(W_p=start.W_p, F=start.F, tau=1.0))[1]
        W_a = (modes * start.tau) @ modes.T @ L
    else:
        W_a = start.W_a @ Qt[kept].T
    W_p = np.eye(len(L)) if motion.predictor == "identity" else start.W_p
    first = WeightState(L, W_p, L if motion.target == "online" else W_a)
    found = _along(lambda hp: WeightFlow(hp, data, target=motion.target, predictor=motion.predictor), first, motion)
    rows = [modes_in(state, data.Sigma_s, motion.target) for state in found]
    return {name: np.stack([row[name] for row in rows]) for name in ("s", "p", "tau")}


def modes_in(state: WeightState, Sigma: np.ndarray, target: str) -> dict[str, np.ndarray]:
    """Return s, p, tau of F = W (X + X') W^T; tau_j = u_j^T W_a (X + X') W^T u_j / s_j."""
    W, W_a = np.asarray(state.W), np.asarray(state.W_a)
    correlation = CorrelationState._unchecked(W_p=np.asarray(state.W_p), F=_symmetric(W @ Sigma @ W.T), tau=1.0)
    s, U = observables.eigen_F(correlation)
    p, _ = observables.mode_values(correlation, (s, U))
    cross = np.sum(U * ((W if target == "online" else W_a) @ Sigma @ W.T @ U), axis=0)
    good = s > FAINT * s[0]  # eigenvectors of the others are arbitrary
    tau = np.divide(cross, s, out=np.full_like(s, np.nan), where=good)
    return {"s": np.maximum(s, 0.0), "p": np.where(good, p, np.nan), "tau": tau}


def _along(flow: Callable[[Hyperparameters], Any], first: Any, motion: Motion) -> list[Any]:
    """Return the states at all readings; stretches of equal beta are integrated in one go.

    A loss that is `gain` times J moves the gradient `gain` times as fast, decay and EMA not.
    """
    from lindyn.solve.ode import simulate

    g, ts, states, at = motion.gain, motion.clock.ts * motion.gain, [first], 0
    for beta, stretch in groupby(float(f"{beta:.9g}") for beta in motion.clock.betas):
        count = len(list(stretch))
        hp = Hyperparameters(motion.hp.alpha_p, beta / g, eta_p=motion.hp.eta_p / g, eta_s=motion.hp.eta_s / g)
        times = ts[at : at + count + 1]
        moving = np.concatenate([[True], np.diff(times) > 0])
        if moving[1:].any():
            run = simulate(flow(hp), states[-1], times[moving], rtol=RTOL, engine="scipy", throw=False)
            if not run.succeeded:
                raise ArithmeticError(f"the flow {run.status}")
            kept = [run[n] for n in range(len(run))]
        else:
            kept = [states[-1]]
        states += [kept[n] for n in np.cumsum(moving)[1:] - 1]
        at += count
    return [states[n] for n in motion.clock.readings]


def _of_modes(predictor: Any) -> Any:
    return "trained" if isinstance(predictor, str) and predictor == "symmetrised" else predictor


def _wide(rows: np.ndarray, d: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, d - rows.shape[1])), constant_values=np.nan)


def _symmetric(M: np.ndarray) -> np.ndarray:
    return (M + M.T) / 2


def _refuse_dear(start: Start, data: Moments, motion: Motion) -> None:
    """Raise ArithmeticError if explicit steps would take too long: their number is that of the stiffest rate."""
    k = np.linalg.eigvalsh(data.Sigma_s)[-1]
    size = max(1.0, float(np.linalg.norm(start.W_p, 2)) ** 2)
    fastest = max(motion.hp.alpha_p * float(np.linalg.eigvalsh(start.F)[-1]), k * size)
    steps = max(100.0, fastest * motion.gain * motion.clock.ts[-1] / 2)
    work = steps * 7 * 10 * len(start.F) ** 2 * len(data.X)
    if not math.isfinite(work) or work > DEAREST:
        raise ArithmeticError(f"Lemma 1 on matrices of width {len(start.F)} would take too long for this run's length")
