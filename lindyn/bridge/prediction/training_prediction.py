"""What is said of a run before it is trained: the record, its digest, and how it is read from a path."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn.bridge.prediction.past_record import PastRecord, kind_of, record_of
from lindyn.bridge.run import normalised_theory as theory
from lindyn.bridge.run.normalised_theory import NetworkStart, StepPlan, TheoryPath
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.networks import PredictorKind
from lindyn.display.brief import Brief
from lindyn.theory import living_directions

SCHEMA = 1
KEY = "lindyn_prediction"
BESIDE_IT = ("sha256", "seconds", "training_seconds", "command")
"""What a file holds beside what was said."""
NONE, DIRECTION, SCALE = "none", "direction", "scale"


@dataclass(frozen=True, eq=False, repr=False)
class Paths(Brief):
    """What is said along a run.

    Args:
        answer: the path that the answer is read from.
        by: what made it, "surrogate" or "normalised" (the deep linear theory).
        left_out: what it leaves out, in words.
        linear: the path of the linear theory beside a surrogate, or None.
    """

    answer: TheoryPath
    by: str
    left_out: tuple[str, ...]
    linear: TheoryPath | None = None


@dataclass(frozen=True, eq=False, repr=False)
class TrainingPrediction(Brief):
    """What the normalised theory says of a run before it is trained.

    Args:
        path: readings along the training: of the Gaussian surrogate, or of the linear theory where that was asked for.
        by: what made it: "surrogate", or "normalised", the deep linear theory of the population.
        linear: readings by the linear theory beside a surrogate; None where it is the answer, or was not asked for.
        collapse: "none", "direction" (effective rank below `COLLAPSED_RANK` at the end) or "scale" (the size is gone).
        word: of the last spectrum by the definition of docs/layers.md: "complete", "partial" or "none".
        live: how many directions live at the end.
        directions: how many could.
        per_epoch: steps of an epoch.
        left_out: what the theory leaves out of the network and of its steps, in words.
        record: how predictions of this kind came out in the recorded study.
        seconds: that the prediction took.
        training_seconds: estimate of the training's, NaN where it was not timed.
        config: every key of the run, or of what is known of it.
    """

    path: TheoryPath
    by: str
    linear: TheoryPath | None
    collapse: str
    word: str
    live: int
    directions: int
    per_epoch: int
    left_out: tuple[str, ...]
    record: PastRecord
    seconds: float
    training_seconds: float
    config: Mapping[str, Any]

    @property
    def collapsed(self) -> bool:
        """Whether it says that the run collapses, in scale or direction."""
        return self.collapse != NONE

    @property
    def sure(self) -> str:
        """How sure it is: "likely", "possible" or "a guess", by what came of such predictions before."""
        return self.record.sure

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values, with a digest of what was predicted."""
        path, digits = self.path, lambda values: [_number(v) for v in np.asarray(values)]
        told: dict[str, Any] = {
            KEY: SCHEMA,
            "theory": "normalised",
            "by": self.by,
            "collapse": self.collapse,
            "collapsed": self.collapsed,
            "word": self.word,
            "live": self.live,
            "directions": self.directions,
            "sure": self.sure,
            "record": self.record.text,
            "left_out": list(self.left_out),
            "steps_per_epoch": self.per_epoch,
            "finite": path.finite,
            "config": {key: list(v) if isinstance(v, tuple) else v for key, v in self.config.items()},
            "step": path.steps.tolist(),
            **{name: digits(getattr(path, name)) for name in ("effective_rank", "trace", "norm", "norm_p", "angle",
                                                              "angle_law")},
            "spectrum": [digits(row) for row in path.spectrum],
            "p": [digits(row) for row in path.p],
            "linear": None if self.linear is None else {
                "collapsed": theory.collapsed(self.linear.effective_rank[-1]), "step": self.linear.steps.tolist(),
                **{name: digits(getattr(self.linear, name)) for name in ("effective_rank", "trace", "norm", "angle")},
            },
        }  # fmt: skip
        told = json.loads(json.dumps(told, default=str))
        times = {"seconds": round(self.seconds, 2), "training_seconds": _number(self.training_seconds)}
        return {**told, "sha256": digest(told), **times}


def digest(told: Mapping[str, Any]) -> str:
    """Return the sha256 of a prediction as JSON values: of what was said, not of when, how fast or by which command."""
    kept = {key: value for key, value in told.items() if key not in BESIDE_IT}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _number(value: Any) -> float | None:
    return float(f"{float(value):.7g}") if np.isfinite(value) else None


def judged(
    start: NetworkStart, plan: StepPlan, found: Paths, config: TrainConfig, kind: PredictorKind
) -> TrainingPrediction:
    """Return the prediction of a path: which collapse, if any, and how sure.

    Args:
        start: of the network.
        plan: of the run.
        found: what the theory says along it.
        config: every key.
        kind: of the predictor.
    """
    path = found.answer
    d = path.spectrum.shape[1]
    could_live = min(d, *(W.shape[1] for W in start.y0.Ws))
    sized = plan.loss == theory.SQUARED and start.normalise == "none"  # else decay alone sets the size
    scale = path.trace[-1] / path.trace[0] if sized and path.trace[0] > 0 else 1.0
    code, live = living_directions.collapse(path.spectrum[-1], could_live, scale)
    word = {living_directions.COMPLETE: "complete", living_directions.PARTIAL: "partial"}.get(int(code), "none")
    gone = scale < living_directions.SCALE_COLLAPSED or not path.spectrum[-1].any()
    collapse = SCALE if gone else DIRECTION if theory.collapsed(path.effective_rank[-1]) else NONE
    record = record_of(kind_of(kind, plan.target, float(plan.hp.eta_s)), config.flat(), found.by)
    return TrainingPrediction(
        path, found.by, found.linear, collapse, word, int(live), could_live, plan.per_epoch, found.left_out, record,
        math.nan, math.nan, config.flat(),
    )  # fmt: skip
