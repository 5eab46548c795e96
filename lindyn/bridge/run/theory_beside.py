"""Both theories beside a run: what was measured along it, and each theory at the same steps, nothing fitted."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lindyn.bridge.along_run import NORMALISED, SQUARED, Curves, TheoryBeside
from lindyn.bridge.run import normalised_theory
from lindyn.bridge.run.known_training import KnownTraining
from lindyn.bridge.run.normalised_theory import TheoryPath
from lindyn.bridge.run.theory_error import absolute_error, shape_error
from lindyn.bridge.watch.trace import read_trace
from lindyn.display.brief import Brief

KEPT = 16
"""Leading eigenvalues that are kept of every reading."""
NUMBERS = 7e7
"""Numbers that the kept states of a descent may hold."""
FEWEST, MOST = 20, 160
WHOLE = 0.99
"""Share of tr F that the modes of a start must hold to stand for all."""


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredSpectra(Brief):
    """Spectra of F along a run.

    Args:
        steps: optimiser steps, length K.
        s: leading eigenvalues, largest first, K x modes.
        size: tr F, length K.
        rank: effective rank of F, length K.
        source: in words.
    """

    steps: np.ndarray
    s: np.ndarray
    size: np.ndarray
    rank: np.ndarray
    source: str

    def at_most(self, count: int) -> "MeasuredSpectra":
        """Return an even choice of the readings, first and last among them.

        Args:
            count: readings, >= 2.
        """
        if len(self.steps) <= count:
            return self
        kept = np.unique(np.linspace(0, len(self.steps) - 1, count).round().astype(int))
        source = f"{self.source}, of which {len(kept)}"
        return MeasuredSpectra(self.steps[kept], self.s[kept], self.size[kept], self.rank[kept], source)


def measured_spectra(over: Curves, trace: Path | None) -> MeasuredSpectra:
    """Return what was measured along a run: the trace where it has more readings, else that of the curves.

    Args:
        over: the curves of the run.
        trace: beside its checkpoints, or None.

    Raises:
        ValueError: a damaged trace.
    """
    found = _spectra(over.steps, over.measured, over.source)
    if trace is None or not over.unit.endswith("steps"):
        return found
    told = read_trace(trace)
    steps = np.asarray(told["step"].values)
    if len(steps) <= len(found.steps) or not {"s", "trace_F", "effective_rank"} <= set(told):
        return found
    values = {name: np.asarray(told[name].values, float) for name in ("s", "trace_F", "effective_rank")}
    return _spectra(steps, values, f"the trace {os.path.basename(trace)} with {len(steps)} readings")


def _spectra(steps: np.ndarray, values: Mapping[str, np.ndarray], source: str) -> MeasuredSpectra:
    """Return the readings that have a spectrum."""
    known = np.isfinite(values["trace_F"]) & np.isfinite(values["s"]).any(axis=1)
    s, size = np.maximum(np.nan_to_num(values["s"][known]), 0.0), values["trace_F"][known]
    rank = np.where(size > 0, values["effective_rank"][known], 0.0)
    return MeasuredSpectra(np.asarray(steps)[known], s, size, rank, source)


def squared(over: Curves, seen: MeasuredSpectra) -> TheoryBeside:
    """Return the theory of the squared loss beside the readings: that of the curves, between its own times by lines.

    Args:
        over: curves with a theory.
        seen: what was measured.

    Raises:
        ValueError: the curves have no theory; the message is their reason.
    """
    if not over.path:
        raise ValueError(over.reason.removeprefix("not possible: ") or "it could not be run")
    at, s = np.asarray(over.path["steps"]), np.nan_to_num(over.path["s"])
    within = (seen.steps >= at[0]) & (seen.steps <= at[-1])
    spectra = np.full((len(seen.steps), s.shape[1]), np.nan)
    spectra[within] = np.stack([np.interp(seen.steps[within], at, mode) for mode in s.T], axis=1)
    notes = [over.reason] if over.reason else []
    if s.shape[1] == seen.s.shape[1] and seen.s[0].sum() < WHOLE * seen.size[0]:  # of a trace, which has no others
        notes.append(f"the theory has the {s.shape[1]} leading modes alone")
    path = {"steps": at, "s": s[:, :KEPT], "effective_rank": normalised_theory.effective_rank(s)}
    return beside(SQUARED, seen, spectra, normalised_theory.effective_rank(spectra), tuple(notes), path)


def normalised(
    known: KnownTraining, seen: MeasuredSpectra, norms: Mapping[int, float] | None = None, seed: int = 0
) -> TheoryBeside:
    """Return the normalised theory beside the readings: the deep projector takes the run's own steps.

    Args:
        known: start and steps of the run, up to the last reading.
        seen: what was measured.
        norms: of the projector's layers, by the step of the checkpoint.
        seed: of the minibatches.

    Raises:
        ValueError: the theory's start is not defined (an output that is constant on these data).
    """
    steps = known.plan.steps
    norms = {step: norm for step, norm in (norms or {}).items() if math.isfinite(norm)}
    asked = np.array([*seen.steps, *norms]) - known.begin
    drawn = normalised_theory.readings_of(steps) if len(asked) < MOST // 2 else np.empty(0)
    at = np.unique(np.concatenate([asked[(asked >= 0) & (asked <= steps)], drawn, [steps]]).astype(int))
    path = normalised_theory.path_of(known.start, known.plan, at, known.plan.batch, seed)
    place = {int(step) + known.begin: k for k, step in enumerate(path.steps)}
    rows = np.array([place.get(int(step), -1) for step in seen.steps])
    spectra = np.where((rows >= 0)[:, None], path.spectrum[rows], np.nan)
    ranks = np.where(rows >= 0, path.effective_rank[rows], np.nan)
    shown = {step: norm for step, norm in norms.items() if step in place}
    return beside(
        NORMALISED, seen, spectra, ranks, _left_out(known, path), _drawn(path, known),
        norm_steps=np.array(list(shown), dtype=int), norm_measured=np.array(list(shown.values()), dtype=float),
        norm_predicted=path.norm[[place[step] for step in shown]],
    )  # fmt: skip


def most_readings(known: KnownTraining | None) -> int:
    """Return how many readings both theories are held against: as many as a descent's states may be kept.

    Args:
        known: start of the normalised theory; None: there is none.
    """
    if known is None:
        return MOST
    y = known.start.y0
    weighed = sum(W.size for W in (*y.Ws, *y.W_as)) + y.W_p.size
    return int(np.clip(NUMBERS / (2 * weighed), FEWEST, MOST))


def _left_out(known: KnownTraining, path: TheoryPath) -> tuple[str, ...]:
    """Return what the normalised theory leaves out of this run, in words."""
    stopped = () if path.finite else (f"its weights left the numbers after step {path.steps[-1] + known.begin}",)
    return (*known.start.left_out, *known.plan.assumed, normalised_theory.BEFORE, *known.notes, *stopped)


def _drawn(path: TheoryPath, known: KnownTraining) -> dict[str, np.ndarray]:
    """Return what is drawn of a path, at steps of the run; the norm also as decay alone would have it."""
    plan, begin = known.plan, known.begin
    taken = np.concatenate([[0.0], np.cumsum(plan.learning_rates)]) / (1 - plan.momentum)
    by_decay = path.norm[0] * np.exp(-float(plan.hp.eta_s) * taken[path.steps])
    s, rank = path.spectrum[:, :KEPT], path.effective_rank
    return {"steps": path.steps + begin, "s": s, "effective_rank": rank, "norm": path.norm, "norm_by_decay": by_decay}


def beside(
    theory: str, seen: MeasuredSpectra, predicted: np.ndarray, rank: np.ndarray, notes: tuple[str, ...],
    path: dict[str, np.ndarray], **norms: np.ndarray,
) -> TheoryBeside:  # fmt: skip
    """Return a theory with its errors and both words on collapse, each by its last reading.

    A reading at the start itself is no test: the squared theory takes its spectrum from the network there.

    Args:
        theory: its name.
        seen: what was measured.
        predicted: spectra at the same steps, K x d, NaN where it says nothing.
        rank: their effective rank, length K.
        notes: what it leaves out, in words.
        path: of `TheoryBeside`.
        **norms: norm_steps, norm_measured, norm_predicted of `TheoryBeside`.
    """
    told = np.isfinite(predicted).all(axis=1)
    held, errors = told & (seen.steps > path["steps"][0]), np.full((2, len(told)), np.nan)
    if held.any():
        errors[0, held] = shape_error(seen.s[held], predicted[held], seen.size[held])
        errors[1, held] = absolute_error(seen.s[held], predicted[held])
    last = rank[told][-1] if told.any() else math.nan
    return TheoryBeside(
        theory, seen.steps, seen.s[:, :KEPT], predicted[:, :KEPT], seen.rank, rank, errors[0], errors[1],
        normalised_theory.collapsed(seen.rank[-1]), normalised_theory.collapsed(last), seen.source, notes, path=path,
        **norms,
    )  # fmt: skip
