"""What the normalised theory of a run starts from and steps by, as far as it is known: of a folder, of checkpoints.

A folder of `lindyn train` holds everything. Of other checkpoints the first one's networks, images that were given and
the optimiser's settings stand for it; what is missing is one sentence.
"""

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lindyn.bridge.records import Pieces
from lindyn.bridge.run import network_start, normalised_theory, rates
from lindyn.bridge.run.description import RunDescription
from lindyn.bridge.run.network_start import NetworkStart
from lindyn.bridge.run.normalised_theory import StepPlan
from lindyn.bridge.sections import OPTIONS
from lindyn.bridge.training import run_folder
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.networks import NO_PREDICTOR, UNNAMED_RULE, PredictorKind
from lindyn.bridge.training.run_folder import Run
from lindyn.bridge.watch.find_predictor import map_kind
from lindyn.display.brief import Brief

DEAREST = 5e11
"""Steps x weights x widest layer above which the descent is left out: some minutes."""
A_MINUTE = 1.2e11
NEARLY = 0.01
"""Share of a run up to which its first checkpoint stands for the untrained network."""
Views = Callable[[], Iterable[tuple[Tensor, Tensor]]]


@dataclass(frozen=True, eq=False, repr=False)
class KnownTraining(Brief):
    """Start and steps of a run's normalised theory.

    Args:
        start: of the network.
        plan: of the steps from `begin` on.
        begin: optimiser step of the start.
        notes: what is only approximate, in words.
    """

    start: NetworkStart
    plan: StepPlan
    begin: int
    notes: tuple[str, ...] = ()

    def until(self, last: int) -> "KnownTraining":
        """Return the same up to an optimiser step.

        Args:
            last: the step.

        Raises:
            ValueError: nothing is left, or the steps would take too long.
        """
        plan = of_steps(self.plan, 0, last - self.begin)
        _refuse_dear(self.start, plan)
        return replace(self, plan=plan)


def of_steps(plan: StepPlan, first: int, last: int) -> StepPlan:
    """Return a part of a plan.

    Args:
        plan: of the whole run.
        first: step that becomes step 0.
        last: step after the last one.

    Raises:
        ValueError: there is no such step.
    """
    if not 0 <= first < last <= plan.steps:
        raise ValueError(f"the run is planned for {plan.steps} optimiser steps; asked for those from {first} to {last}")
    gammas = None if plan.gammas is None else plan.gammas[first:last]
    return replace(plan, learning_rates=plan.learning_rates[first:last], gammas=gammas)


def of_folder(folder: Path) -> KnownTraining:
    """Return what a folder of `lindyn train` holds: its first checkpoint, its own images, its own settings.

    Args:
        folder: of the run.

    Raises:
        ValueError: no such run, images that cannot be had, a run that is no gradient descent, a network without a
            linear end.
    """
    run = Run.load(folder)
    normalised_theory.plan_of(run.config, 1, 1)  # what has no theory is said before images are opened
    if not run.checkpoints:
        raise ValueError(f"{folder} holds no checkpoint to start from.")
    begin = max(0, run_folder.step_of(run.checkpoints[0]))
    module = run.module(0)
    kind = PredictorKind.of(run.config.model.predictor, dict(run.config.model.predictor_options))
    plan = normalised_theory.plan_of(run.config, module.steps, module.per_epoch)
    start = network_start.start_of(module, network_start.batches_of(module), kind, run.config.run.seed)
    return KnownTraining(start, of_steps(plan, begin, plan.steps), begin, _late(begin, plan.steps))


def of_pieces(
    pieces: Pieces, run: RunDescription, views: Views, last: int, per_epoch: float | None = None
) -> KnownTraining:
    """Return what a checkpoint holds, with views of images that were given and settings that were read or given.

    Args:
        pieces: of the first checkpoint, with its networks.
        run: what is known of the run.
        views: gives batches of two views.
        last: optimiser step of the last reading.
        per_epoch: optimiser steps of an epoch, where known.

    Raises:
        ValueError: settings, networks, a step or images are missing.
    """
    if pieces.step is None:
        raise ValueError("the checkpoints do not say at which optimiser step they were written")
    if pieces.projector is None and pieces.backbone is None:
        raise ValueError("the checkpoint that it starts from holds no projector")
    config, notes = _configuration(pieces, run)
    total = last
    if per_epoch and "run.epochs" in run.settings.values:
        total = max(last, round(per_epoch * config.run.epochs))
    elif config.optim.schedule != "constant" or config.method.ema_schedule != "constant":
        notes.append("the last reading is taken for the end of the run")
    plan = normalised_theory.plan_of(config, total, max(1, round(per_epoch or total / config.run.epochs)))
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    start = network_start.start_of(_network(pieces), views(), kind, config.run.seed)
    notes += _late(pieces.step, total)
    return KnownTraining(start, of_steps(plan, pieces.step, total), pieces.step, tuple(notes))


def _configuration(pieces: Pieces, run: RunDescription) -> tuple[TrainConfig, list[str]]:
    """Return the keys that decide how the run steps, what is not known at its usual value, and these in words."""
    known, notes = rates.completed(run.settings)
    if known.get("optim.name", rates.FLOWING) != rates.FLOWING:
        name = str(known["optim.name"]).upper()
        raise ValueError(f"{name} is no gradient descent: it rescales every layer's step; the theory has that of sgd")
    if absent := rates.missing_of_steps(run.settings):
        raise ValueError(f"{', '.join(absent)} of the run not known; give {absent[0]}=... as you ran it")
    if "optim.schedule" not in known:
        notes.append("the learning rate is taken as constant (optim.schedule is not known)")
    name, told = _predictor_name(pieces, run)
    kept = {key: value for key, value in known.items() if key.startswith(("optim.", "method.", "run.epochs"))}
    given = {"optim.schedule": "constant", **kept, "optim.scale_lr": False}
    return TrainConfig.of(given | {"model.predictor": name, OPTIONS: run.predictor.options}), notes + told


def _predictor_name(pieces: Pieces, run: RunDescription) -> tuple[str, list[str]]:
    """Return what the predictor is, by the settings, else by its layers, and the latter in words."""
    name = run.predictor.name
    if name == UNNAMED_RULE:
        raise ValueError("W_p is set by a closed-form rule that the file does not name (model.predictor=NAME)")
    if name == NO_PREDICTOR or pieces.predictor is None:
        raise ValueError("the checkpoint that it starts from holds no predictor")
    if run.predictor.moves:
        return name, []
    found = "mlp" if map_kind(pieces.predictor) == "least squares" else "linear"
    return found, [f"the predictor is taken as trained ({found}, by its layers)"]


def _network(pieces: Pieces) -> nn.Module:
    """Return copies of the networks under the names that the theory reads; the pieces stay as they are."""
    parts: dict[str, Any] = {
        "backbone": pieces.backbone, "projection_head": pieces.projector, "prediction_head": pieces.predictor,
        "teacher_backbone": pieces.target_backbone, "teacher_projection_head": pieces.target_projector,
    }  # fmt: skip
    found = nn.Module()
    for name, part in copy.deepcopy(parts).items():
        setattr(found, name, part)
    return found.eval()


def _late(begin: int, steps: int) -> tuple[str, ...]:
    """Return in words that a start is not the untrained network, where it is not."""
    if begin <= NEARLY * steps:
        return ()
    return (f"the start is the network at step {begin}, not the untrained one",)


def _refuse_dear(start: NetworkStart, plan: StepPlan) -> None:
    """Raise ValueError if the descent would take too long."""
    weights, widest = sum(W.size for W in start.y0.Ws), max(max(W.shape) for W in start.y0.Ws)
    work = float(plan.steps) * weights * widest
    if not math.isfinite(work) or work > DEAREST:
        raise ValueError(
            f"{plan.steps:,} steps of layers up to {widest} wide would take about {work / A_MINUTE:,.0f} minutes, "
            f"more than the {DEAREST / A_MINUTE:.0f} that are spent"
        )
