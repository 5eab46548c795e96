"""The normalised theory of a run: a deep linear projector with the run's loss and BatchNorm, stepped as the run is.

Where `flow` integrates Lemma 1 with the squared loss on one layer, this takes the steps of `descend` of a `DeepFlow`:
the projector's own untrained weights, X and X' of what its first layer sees, the run's learning rates, EMA rates,
momentum, decays and batch. Nothing is fitted. The features before the projector stay as they are at the start.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lindyn import statistics
from lindyn.bridge.run import rates
from lindyn.bridge.run.network_start import NetworkStart as NetworkStart
from lindyn.bridge.run.network_start import batches_of as batches_of
from lindyn.bridge.run.network_start import moments_of as moments_of
from lindyn.bridge.run.network_start import start_of as start_of
from lindyn.bridge.training import method
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.networks import PredictorKind
from lindyn.display.brief import Brief
from lindyn.equations import rest, view_correlations
from lindyn.flows import DeepFlow, losses
from lindyn.hyperparameters import Hyperparameters

READINGS = 100
"""States that are read along a run."""
SQUARED, COSINE = "squared", "cosine"
BEFORE = "the training of what stands before the projector"
"""What no path of the linear theory has."""
COLLAPSED_RANK = 2.0
"""Effective rank of F below which a run counts as collapsed, predicted or measured: fewer than two equal directions."""


@dataclass(frozen=True, eq=False, repr=False)
class StepPlan(Brief):
    """How a run steps, as `descend` takes it.

    A loss c J of J = -E cos(q, t), both directions counted, has c times J's gradient: learning rate c alpha, decay / c.

    Args:
        hp: alpha_p, eta_s and eta_p beside the gradient of J; beta is not read, gamma_a is.
        learning_rates: c alpha of every step.
        gammas: gamma_a of every step, None where the target is no average.
        momentum: of SGD.
        batch: images of a step.
        target: "ema", "online" or "frozen".
        stop_gradient: whether the target branch has no gradient.
        predictor: what a flow takes for it.
        loss: "cosine" or "squared".
        per_epoch: steps of an epoch.
        assumed: what is only approximate, in words.
    """

    hp: Hyperparameters
    learning_rates: np.ndarray
    gammas: np.ndarray | None
    momentum: float
    batch: int
    target: str
    stop_gradient: bool
    predictor: Any
    loss: str
    per_epoch: int
    assumed: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.learning_rates)

    def angle_law(self, steps: np.ndarray) -> np.ndarray:
        """Return sqrt(2 lr eta_s / (1 + momentum)) at steps: the angle at which a scale-free weight's norm rests."""
        lr = self.learning_rates[np.minimum(steps, self.steps - 1)]
        return np.asarray([rest.angle_per_step(each, float(self.hp.eta_s), self.momentum) for each in lr])


@dataclass(frozen=True, eq=False, repr=False)
class TheoryPath(Brief):
    """What the theory says along a run.

    Args:
        steps: optimiser steps of the readings, 0 first, length K.
        spectrum: eigenvalues of F = E[z z^T], largest first, K x d.
        p: u_j^T W_p u_j of the eigenvectors of F, K x d.
        effective_rank: exp of the entropy of the spectrum.
        trace: tr F.
        norm: norm of all layers together, sqrt(sum_l |W_l|^2).
        norm_p: norm of W_p.
        angle: by which the layers together turn in the step after each reading, in radians; NaN at the last one.
        angle_law: what scale-free weights settle at.
        finite: whether the descent stayed finite to the end.
    """

    steps: np.ndarray
    spectrum: np.ndarray
    p: np.ndarray
    effective_rank: np.ndarray
    trace: np.ndarray
    norm: np.ndarray
    norm_p: np.ndarray
    angle: np.ndarray
    angle_law: np.ndarray
    finite: bool = True


def plan_of(config: TrainConfig, steps: int, per_epoch: int) -> StepPlan:
    """Return how a run of `lindyn train` steps.

    Args:
        config: the run.
        steps: its optimiser steps.
        per_epoch: those of an epoch.

    Raises:
        ValueError: LARS, which is no gradient descent, or a batch of one.
    """
    o, m = config.optim, config.method
    if o.batch * o.accumulate < 2:
        raise ValueError(f"The theory of a step needs a batch of 2 or more; got optim.batch={o.batch}.")
    c = method.OVER_J[m.loss]
    hp = rates.hyperparameters(config, c)  # refuses LARS
    share = method.factor(o.schedule, round(o.warmup_epochs * per_epoch), steps)
    peak = config.learning_rate * o.projector_multiplier * c * method.SIDES_OVER_J[m.sides]
    learning_rates = peak * np.array([share(k) for k in range(steps)])
    gammas = np.array([method.ema_rate(config, k, steps) for k in range(steps)]) if m.target == "ema" else None
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    return StepPlan(
        replace(hp, beta=0.0), learning_rates, gammas, o.momentum, o.batch * o.accumulate, m.target, m.stop_gradient,
        kind.of_flow, SQUARED if m.loss in method.COMPARES_SIZES else COSINE, per_epoch, _approximate(config, kind),
    )  # fmt: skip


def _approximate(config: TrainConfig, kind: PredictorKind) -> tuple[str, ...]:
    """Return what is only approximate in the steps of a run, in words."""
    o, told = config.optim, []
    if kind.two_layers:
        told.append("the predictor of two layers: a linear one with torch's initial weights stands for it")
    if o.clip:
        told.append("the limit on the gradient's norm (optim.clip)")
    if o.predictor_schedule != "same" and o.schedule != "constant":
        told.append("the predictor's own schedule: it follows that of the others")
    if o.projector_multiplier != 1:
        told.append("the backbone's own learning rate")
    return tuple(told)


def squared(start: NetworkStart, plan: StepPlan) -> tuple[NetworkStart, StepPlan]:
    """Return the squared theory of the same run: one layer, no BatchNorm, the squared distance, the same steps.

    |q/|q| - z/|z||^2 is |q - z|^2 / tr F where lengths vary little: a loss of directions has 1/tr F times the gradient,
    with tr F as it is at the start.

    Args:
        start: of the last layer alone (`start_of` with most=1).
        plan: of the run.
    """
    gain = 1.0
    if plan.loss == COSINE:
        W, Sigma = start.y0.Ws[-1], np.asarray(start.data.Sigma_s)
        gain = 1 / float(np.trace(W @ Sigma @ W.T))
    hp = Hyperparameters(plan.hp.alpha_p, 0.0, eta_s=plan.hp.eta_s / gain, eta_p=plan.hp.eta_p / gain)
    scaled = replace(plan, hp=hp, learning_rates=plan.learning_rates * gain, loss=SQUARED)
    return replace(start, normalise="none"), scaled


def flow_of(start: NetworkStart, plan: StepPlan) -> DeepFlow:
    """Return the flow whose steps the run takes."""
    return DeepFlow(
        plan.hp, start.data, target=plan.target, stop_gradient=plan.stop_gradient, predictor=plan.predictor,
        loss=plan.loss, normalise=start.normalise,
    )  # fmt: skip


def path_of(
    start: NetworkStart, plan: StepPlan, at: np.ndarray | None = None, batch: int | None = None, seed: int = 0
) -> TheoryPath:
    """Return what the theory says along a run.

    Args:
        start: of the network.
        plan: of the run.
        at: steps of the readings, increasing from 0; default about `READINGS` equally far apart.
        batch: images of a step, Gaussian with the moments of the start; None: the population.
        seed: of the minibatches.

    Returns:
        The path, up to where the descent left the numbers.
    """
    from lindyn.solve.finite_step import descend  # JAX takes a second to load; a file without a training needs none

    at = readings_of(plan.steps) if at is None else np.asarray(at, dtype=int)
    flow = flow_of(start, plan)
    kept = np.unique(np.concatenate([[0, plan.steps], at, np.minimum(at + 1, plan.steps)]))
    run = descend(
        flow, start.y0, learning_rate=plan.learning_rates, steps=plan.steps, momentum=plan.momentum,
        gamma_a=plan.gammas, batch=batch, seed=seed, save_every=kept.tolist(), throw=False,
    )  # fmt: skip
    kept = kept[: len(run.ts)]
    return _read(flow, run.states, kept, at, plan, run.succeeded)


def collapsed(effective_rank: float) -> bool:
    """Return whether features of this effective rank count as collapsed, whether measured or predicted."""
    return bool(effective_rank < COLLAPSED_RANK)


def effective_rank(s: np.ndarray) -> np.ndarray:
    """Return the effective rank of spectra, exp of the entropy; 0 where nothing is left of them, NaN where unknown.

    Args:
        s: eigenvalues, K x d.
    """
    gone = np.isfinite(s).all(axis=1) & (np.nan_to_num(s).sum(axis=1) == 0)
    return np.where(gone, 0.0, np.asarray(statistics.entropy_rank(np.maximum(s, 0.0))))


def readings_of(steps: int, count: int = READINGS) -> np.ndarray:
    """Return steps that are read along a run: dense at the start, 0 and the end among them."""
    even = np.linspace(0, steps, min(steps, count) + 1)
    early = np.geomspace(1, max(steps, 1), 12)
    return np.unique(np.concatenate([even, early]).round().astype(int))


def _read(flow: DeepFlow, states: Any, kept: np.ndarray, at: np.ndarray, plan: StepPlan, finite: bool) -> TheoryPath:
    """Return the readings of kept states; angles from each to the one a step later."""
    place = {int(step): k for k, step in enumerate(kept)}
    at = np.array([step for step in at if int(step) in place])
    rows = np.array([place[int(step)] for step in at])
    spectra, along = zip(*(_outputs(flow, states, k) for k in rows), strict=True)
    spectrum = np.stack(spectra)
    vectors = np.concatenate([W.reshape(len(kept), -1) for W in states.Ws], axis=1)
    norm = np.linalg.norm(vectors, axis=1)
    after = np.array([place.get(int(step) + 1, -1) for step in at])
    angle = np.array(
        [math.nan if k < 0 else _angle(vectors[row], vectors[k]) for row, k in zip(rows, after, strict=True)]
    )
    return TheoryPath(
        at, spectrum, np.stack(along), effective_rank(spectrum),
        spectrum.sum(axis=1), norm[rows], np.linalg.norm(states.W_p, axis=(-2, -1))[rows], angle, plan.angle_law(at),
        finite,
    )  # fmt: skip


def _outputs(flow: DeepFlow, states: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues of F and W_p along its eigenvectors, of one state."""
    W = states._replace(Ws=tuple(W[k] for W in states.Ws), W_p=states.W_p[k], W_as=tuple(W[k] for W in states.W_as))
    at = losses.maps(flow, W.W, W.W_a)
    s, U = statistics.eigen(view_correlations.correlation(at.online, flow.data.X, flow.data.X_aug))
    return np.maximum(s, 0.0), np.asarray(statistics.along(W.W_p, U))


def _angle(here: np.ndarray, there: np.ndarray) -> float:
    """Return the angle between two vectors, exact where it is small."""
    a, b = here / np.linalg.norm(here), there / np.linalg.norm(there)
    return float(2 * math.asin(min(1.0, float(np.linalg.norm(a - b)) / 2)))
