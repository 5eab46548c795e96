"""A prediction on one screen."""

import math
from collections.abc import Sequence

import numpy as np

from lindyn._progress import duration
from lindyn.bridge.prediction.training_prediction import DIRECTION, NONE, SCALE, TrainingPrediction
from lindyn.bridge.run import normalised_theory as theory

SHOWN = 8
"""Readings in the table."""
MIDDLE = 0.2, 0.7
"""Shares of training between which the angle per step is told."""
HEADLINES = {
    NONE: "The theory says: this run lives",
    DIRECTION: "The theory says: this run collapses in direction",
    SCALE: "The theory says: this run collapses in scale",
}


def headline(told: TrainingPrediction) -> str:
    """Return the answer in one line: collapse or none, effective rank, directions that live."""
    rank, d = told.path.effective_rank[-1], told.path.spectrum.shape[1]
    ends = "" if told.path.finite else "; the descent left the numbers before its end"
    return f"{HEADLINES[told.collapse]} (effective rank {rank:.2f} of {d} at the end{ends}); {told.sure}."


def screen(told: TrainingPrediction, files: Sequence[str] = ()) -> str:
    """Return the whole answer.

    Args:
        told: the prediction.
        files: that were written.
    """
    lines = [headline(told), "", *_table(told), "", *_second(told), _angle(told), told.record.text]
    lines.append(f"Left out: {'; '.join(told.left_out)}.")
    lines.append(_times(told))
    lines += [f"Written: {', '.join(files)}."] if files else []
    return "\n".join(line for line in lines if line is not None) + "\n"


def _table(told: TrainingPrediction) -> list[str]:
    """Return a few readings along the training."""
    path = told.path
    rows = np.unique(np.linspace(0, len(path.steps) - 1, SHOWN).round().astype(int))
    head = f"{'epoch':>7} {'step':>7} {'effective rank':>15} {'share of s_1..3':>18} {'norm':>8} {'angle/step':>11}"
    found = [head]
    for k in rows:
        s = path.spectrum[k]
        shares = " ".join(f"{100 * each / max(s.sum(), 1e-300):.0f}" for each in s[:3]) + " %"
        angle = "" if math.isnan(path.angle[k]) else f"{path.angle[k]:.4f}"
        found.append(
            f"{path.steps[k] / told.per_epoch:7.1f} {path.steps[k]:7d} {path.effective_rank[k]:15.2f} {shares:>18} "
            f"{path.norm[k]:8.2f} {angle:>11}"
        )
    return found


def _angle(told: TrainingPrediction) -> str:
    """Return the angle per step over the middle of training beside its law."""
    path = told.path
    inside = (path.steps >= MIDDLE[0] * path.steps[-1]) & (path.steps <= MIDDLE[1] * path.steps[-1])
    known = inside & np.isfinite(path.angle) & (path.angle_law > 0)
    if not known.any():
        return "Angle per step: without decay the norm has no rest, and the angle falls as the norm grows."
    share = float(np.median(path.angle[known] / path.angle_law[known]))
    return f"Angle per step: {share:.2f} x sqrt(2 lr decay / (1 + momentum)), the law at rest (middle of training)."


def _second(told: TrainingPrediction) -> list[str]:
    """Return what the linear theory says beside a surrogate."""
    if told.linear is None:
        return []
    rank = told.linear.effective_rank[-1]
    other = theory.collapsed(rank)
    words = f"The linear theory, without activations and minibatches, says effective rank {rank:.2f} at the end"
    return [f"{words}: there it {'collapses' if other else 'lives'}." if other != told.collapsed else f"{words}."]


def _times(told: TrainingPrediction) -> str:
    made = f"Predicted in {told.seconds:.1f} s"
    if math.isnan(told.training_seconds):
        return f"{made}."
    return f"{made}; the training itself would take about {duration(told.training_seconds).strip()} on this machine."
