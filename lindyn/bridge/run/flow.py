"""The one flow of a run's theory: Lemma 1 on matrices from weights, and the decoupled modes of a reading beside.

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
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeVar, cast

import numpy as np

from lindyn import observables, statistics
from lindyn.bridge.run.clock import FlowClock, clock
from lindyn.bridge.run.description import RunDescription
from lindyn.bridge.training.networks import UNNAMED_RULE
from lindyn.display.brief import Brief
from lindyn.flows import ModeWeightFlow, WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.predictors.recipe import Recipe
from lindyn.states import ModeWeightState, WeightState

Y = TypeVar("Y", WeightState, ModeWeightState)
FAINT = 1e-9
"""Modes with s_j below this share of the largest are round-off of float32 sums: nothing is started from them."""
RTOL = 1e-8
DEAREST = 3e11
"""Floating-point operations, about a minute, above which Lemma 1 on matrices is left out."""


@dataclass(frozen=True, eq=False, repr=False)
class WeightStart(Brief):
    """What Lemma 1 on matrices needs, whatever it was made from (`lindyn.bridge.run.start`).

    Args:
        state: W, W_p, W_a.
        data: X and X' of what W sees.
    """

    state: WeightState
    data: Moments


@dataclass(frozen=True, eq=False, repr=False)
class ModeStart(Brief):
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


@dataclass(frozen=True, eq=False, repr=False)
class Motion(Brief):
    """How the run moves: rates, target, predictor, and the times of its readings.

    Args:
        hp: rates; beta is that of `clock.betas`.
        clock: times and EMA rates.
        target: "ema", "online" or "frozen".
        predictor: "trained", "symmetrised", "identity" or a closed-form rule.
        gain: factor of the loss over J of Eq. 1 that unit vectors leave: 1 for the squared distance, 1/tr F for
            losses of normalised vectors, |q/|q| - z/|z||^2 being |q - z|^2 / tr F where lengths vary little.
        stop_gradient: as of `WeightFlow`.
        rtol: relative tolerance of the integration.
        atol: absolute tolerance; None: that of `simulate`.
        euler: Euler steps of at most so much flow time in place of the integration; None: none.
    """

    hp: Hyperparameters
    clock: FlowClock
    target: str
    predictor: str | Recipe
    gain: float = 1.0
    stop_gradient: bool = True
    rtol: float = RTOL
    atol: float | None = None
    euler: float | None = None


class NotPossible(Exception):  # noqa: N818  a plain answer, told to the user as a reason
    """The theory cannot be started; the message says why."""


class Unfinished(ArithmeticError):  # noqa: N818  what it got to is an answer
    """The flow could not be integrated to its end; the message says why.

    Args:
        why: the reason.
        last: the state it got to.
    """

    def __init__(self, why: str, last: Any):
        super().__init__(why)
        self.last = last


def motion_of(
    run: RunDescription, steps: np.ndarray, per_epoch: float | None, F: np.ndarray
) -> tuple[Motion, list[str]]:
    """Return how a run moves, and what is only approximate in it, in words.

    Args:
        run: what is known of it.
        steps: optimiser steps of the readings.
        per_epoch: optimiser steps of an epoch, where known.
        F: E[z z^T] of the first reading, for the gain of a loss of directions.

    Raises:
        NotPossible: a rate, or the target, is not known, or F is zero.
    """
    rates = run.rates
    if run.predictor.name == UNNAMED_RULE:
        raise NotPossible("W_p is set by a closed-form rule that the file does not name (model.predictor=NAME)")
    if run.predictor.rule:  # alpha_p and eta_p have no part in its flow
        rates = replace(rates, alpha_p=1.0, eta_p=rates.eta_s)
    needed = {name: getattr(rates, name) for name in ("alpha_p", "eta_s", "eta_p", "step_time")}
    if rates.target == "ema":
        needed["beta"] = rates.beta
    unknown = [name for name, value in needed.items() if value is None]
    if unknown or not rates.target:
        why = f"needed: {', '.join(rates.missing)}" if rates.missing else "; ".join(rates.assumed)
        what = ", ".join(unknown + ["the target"] * (not rates.target))
        raise NotPossible(f"{what} of the run are not known ({why})")
    time = clock(steps, rates, run.settings, per_epoch, between=True)
    hp = Hyperparameters(rates.alpha_p, rates.beta or 0.0, eta_p=rates.eta_p, eta_s=rates.eta_s)
    notes, gain = list(time.notes), run.loss.gain(F)
    if not math.isfinite(gain):
        raise NotPossible("tr F of the first reading is zero")
    if run.loss.compares_directions:
        notes.append(
            f"the run's loss ({run.settings.get('method.loss')}) compares directions: taken as the squared distance "
            "over the first reading's tr F"
        )
    if run.predictor.rule:
        notes.append("W_p is set by its rule at every instant, averages and pauses left out")
    return Motion(hp, time, rates.target, run.predictor.of_flow, gain), notes


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


def flow_of(data: Moments, motion: Motion, hp: Hyperparameters | None = None) -> WeightFlow:
    """Return Lemma 1 with a run's target, predictor and rates (or others)."""
    return WeightFlow(
        motion.hp if hp is None else hp, data, target=motion.target, stop_gradient=motion.stop_gradient,
        predictor=motion.predictor,
    )  # fmt: skip


def lemma_1(start: WeightStart, motion: Motion) -> WeightState:
    """Return W, W_p, W_a at every reading, stacked, from Lemma 1 on matrices.

    Raises:
        ArithmeticError: the flow cannot be integrated; the message says why.
    """
    first, online = start.state, motion.target == "online"
    if online:
        first = first._replace(W_a=first.W)
    found = _along(lambda hp: flow_of(start.data, motion, hp), first, motion)
    parts = {name: np.stack([np.asarray(getattr(y, name)) for y in found]) for name in ("W", "W_p", "W_a")}
    return WeightState._unchecked(**parts)


def refuse_dear(start: WeightStart, motion: Motion) -> None:
    """Raise ArithmeticError if explicit steps would take too long: their number is that of the stiffest rate."""
    W, Sigma = start.state.W, start.data.Sigma_s
    d = len(W)
    k, largest = np.linalg.eigvalsh(Sigma)[-1], float(np.linalg.eigvalsh(_symmetric(W @ Sigma @ W.T))[-1])
    size = max(1.0, float(np.linalg.norm(start.state.W_p, 2)) ** 2)
    fastest = max(motion.hp.alpha_p * largest, k * size)
    steps = max(100.0, fastest * motion.gain * motion.clock.ts[-1] / 2)
    work = steps * 7 * 10 * d**2 * len(Sigma)
    if not math.isfinite(work) or work > DEAREST:
        raise ArithmeticError(f"Lemma 1 on matrices of width {d} would take too long for this run's length")


def modes_along(states: WeightState, Sigma: np.ndarray, target: str) -> dict[str, np.ndarray]:
    """Return s, p, tau of F = W (X + X') W^T (..., modes) of weights; tau_j = u_j^T W_a (X + X') W^T u_j / s_j.

    Args:
        states: one state, or stacked ones.
        Sigma: X + X'.
        target: "ema", "online" (W_a is W) or "frozen".
    """
    seen = Sigma @ states.W.swapaxes(-1, -2)
    s, U = statistics.eigen(_symmetric(states.W @ seen))
    p = statistics.along(states.W_p, U)
    cross = statistics.along((states.W if target == "online" else states.W_a) @ seen, U)
    good = s > FAINT * s[..., :1]  # eigenvectors of the others are arbitrary
    tau = np.divide(cross, s, out=np.full_like(s, np.nan), where=good)
    return {"s": np.maximum(s, 0.0), "p": np.where(good, p, np.nan), "tau": tau}


def _along(flow: Callable[[Hyperparameters], WeightFlow | ModeWeightFlow], first: Y, motion: Motion) -> list[Y]:
    """Return the states at all readings; stretches of equal beta are integrated in one go.

    A loss that is `gain` times J moves the gradient `gain` times as fast, decay and EMA not.
    """
    g, ts, states, at = motion.gain, motion.clock.ts * motion.gain, [first], 0
    for beta, stretch in groupby(map(float, motion.clock.betas)):
        count = len(list(stretch))
        hp = Hyperparameters(motion.hp.alpha_p, beta / g, eta_p=motion.hp.eta_p / g, eta_s=motion.hp.eta_s / g)
        times = ts[at : at + count + 1]
        moving = np.concatenate([[True], np.diff(times) > 0])
        kept = [states[-1]]
        if moving[1:].any():
            kept = _integrated(flow(hp), states[-1], times[moving], motion)
        states += [kept[n] for n in np.cumsum(moving)[1:] - 1]
        at += count
    return [states[n] for n in motion.clock.readings]


def _integrated(flow: WeightFlow | ModeWeightFlow, first: Y, times: np.ndarray, motion: Motion) -> list[Y]:
    """Return the states at the times, by the ODE solver or by Euler steps."""
    from lindyn.solve.ode import simulate

    if motion.euler is not None and isinstance(flow, WeightFlow) and isinstance(first, WeightState):
        return cast(list[Y], _euler(flow, first, times, motion.euler))
    run = simulate(flow, first, times, rtol=motion.rtol, atol=motion.atol, engine="scipy", throw=False)
    if not run.succeeded:
        raise Unfinished(f"the flow {run.status}", run[len(run) - 1])
    return [run[n] for n in range(len(run))]


def _euler(flow: WeightFlow, y: WeightState, times: np.ndarray, longest: float) -> list[WeightState]:
    """Return the states at the times by Euler steps of W and W_a, W_p the slave of its rule."""
    found = [y]
    for span in np.diff(times):
        count = max(1, math.ceil(span / longest))
        for _ in range(count):
            rate = flow(0.0, y)
            W = y.W + span / count * rate.W
            y = y._replace(W=W, W_a=W if flow.target == "online" else y.W_a + span / count * rate.W_a)
            if not np.isfinite(W).all():
                raise ArithmeticError(
                    "the theory's W left the numbers: the rule's W_p grows faster than the step allows"
                )
        found.append(y)
    return found


def _of_modes(predictor: str | Recipe) -> str | Recipe:
    return "trained" if isinstance(predictor, str) and predictor == "symmetrised" else predictor


def _wide(rows: np.ndarray, d: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, d - rows.shape[1])), constant_values=np.nan)


def _symmetric(M: np.ndarray) -> np.ndarray:
    return np.asarray((M + M.swapaxes(-1, -2)) / 2)
