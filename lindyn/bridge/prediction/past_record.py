"""How predictions came out before: counted from the recorded study, by kind of run; nothing here is typed by hand."""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lindyn import papers
from lindyn.bridge.training.networks import PredictorKind
from lindyn.display.brief import Brief
from lindyn.papers import study_files

PAPER = "normalised"
LIKELY, POSSIBLE, GUESS = "likely", "possible", "a guess"
SURROGATE, LINEAR = "surrogate", "normalised"
"""What a prediction is made by, as the record of a run names it."""
FEW = 4
"""Runs of a kind below which their record says nothing."""
COMPARED = ("data.name", "data.size", "model.backbone", "model.projector", "model.hidden", "model.dim", "optim.lr",
            "optim.batch", "optim.weight_decay", "optim.alpha_p", "method.ema", "run.epochs")  # fmt: skip
"""Keys in which a run may lie outside of those that were recorded."""
WIDER = 2.0
"""A number is outside of the recorded ones where it is off their range by more than this factor."""
HITS_LIKELY, HITS_POSSIBLE = 0.9, 0.7
"""Shares of right calls from which a prediction of this kind is called so."""


@dataclass(frozen=True, repr=False)
class PastRecord(Brief):
    """What came of predictions of one kind.

    Args:
        kind: in words.
        runs: how many were predicted before they were trained.
        right: of these, collapsed or living as predicted.
        shape_error: mean error of the spectrum's shape, NaN without runs.
        outside: in which keys the run that is asked about lies outside of them, in words.
    """

    kind: str
    runs: int
    right: int
    shape_error: float
    outside: tuple[str, ...] = ()

    @property
    def sure(self) -> str:
        """How sure a prediction of this kind is; a run outside of those that were recorded is a grade less sure."""
        if self.runs < FEW:
            return GUESS
        share, grades = self.right / self.runs, (LIKELY, POSSIBLE, GUESS)
        grade = 0 if share >= HITS_LIKELY else 1 if share >= HITS_POSSIBLE else 2
        return grades[min(grade + bool(self.outside), 2)]

    @property
    def text(self) -> str:
        """The record in one sentence."""
        if not self.runs:
            return f"No run of this kind ({self.kind}) has been predicted before."
        out = f" This one lies outside of them in {', '.join(self.outside)}: less sure." if self.outside else ""
        few = f", too few to go by (fewer than {FEW})" if self.runs < FEW else ""
        return (
            f"Of {self.runs} recorded runs of this kind ({self.kind}) {self.right} lived or collapsed as predicted"
            f"{few}; error of the spectrum's shape {self.shape_error:.2f}.{out}"
        )


def kind_of(predictor: PredictorKind, target: str, eta_s: float) -> str:
    """Return the kind of a run, in words: what it was seen to depend on whether the theory is right.

    Args:
        predictor: of the run.
        target: "ema", "online" or "frozen".
        eta_s: decay.
    """
    head = "two-layer predictor" if predictor.two_layers else "a rule sets W_p" if predictor.rule else {
        "identity": "no predictor"}.get(predictor.moves, "linear predictor")  # fmt: skip
    return f"{head}, {'EMA' if target == 'ema' else 'no EMA'}, {'decay' if eta_s > 0 else 'no decay'}"


def record_of(kind: str, config: Mapping[str, Any] | None = None, by: str = SURROGATE) -> PastRecord:
    """Return what the recorded study says of a kind of run.

    Args:
        kind: of `kind_of`.
        config: every key of the run that is asked about; None: nothing is said of it.
        by: what the prediction is made by.
    """
    rows = [row for row in recorded() if row["kind"] == kind and by in row]
    errors = [row[by]["shape_error"] for row in rows if row[by]["shape_error"] is not None]
    mean = math.fsum(errors) / len(errors) if errors else math.nan
    right = sum(row[by]["collapsed"] == row["measured"] for row in rows)
    return PastRecord(kind, len(rows), right, mean, _outside(config or {}, rows))


def _outside(config: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the keys in which a run lies outside of the recorded ones, with its value and theirs."""
    told = []
    for key in COMPARED:
        known = [row["config"][key] for row in rows if key in row.get("config", {})]
        if key not in config or not known:
            continue
        value = config[key]
        if isinstance(value, str):
            if value not in known:
                told.append(f"{key} = {value} ({', '.join(sorted(set(known)))})")
        elif not min(known) / WIDER <= value <= max(known) * WIDER:
            told.append(f"{key} = {value:g} ({min(known):g} to {max(known):g})")
    return tuple(told)


@functools.cache
def recorded() -> tuple[dict[str, Any], ...]:
    """Return every recorded run with its prediction: kind, predicted and measured collapse, error of the shape."""
    found = []
    for study in study_files.committed(papers.folder(PAPER)):
        for row in study_files.rows(study):
            for run in row["runs"]:
                told = run.get("prediction")
                if told is not None:
                    config = {**study["protocol"], **row["config"]}
                    found.append({"id": row["id"], "seed": run["seed"], "config": config, **told})
    return tuple(found)
