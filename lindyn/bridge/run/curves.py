"""Curves along a run from its checkpoints or its trace, and the theory started from the first reading beside them."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from lindyn import observables
from lindyn.bridge.records import Curves, Pieces, PredictorMap
from lindyn.bridge.run import start
from lindyn.bridge.run.start import NotPossible
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.watch.diagnosis import WINDOW, Diagnosis, diagnose
from lindyn.bridge.watch.trace import read_trace

PER_MODE = ("s", "p", "tau")
SCALARS = ("alignment_top", "asymmetry", "effective_rank", "trace_F", "balance_residual")


class Reading(Protocol):
    """What is measured on one checkpoint, as far as curves need it."""

    F: Any
    X: Any
    X_aug: Any
    tau: Any
    samples: int
    maps: tuple[PredictorMap, ...]
    diagnosis: Diagnosis | None


def from_checkpoints(readings: Sequence[tuple[Pieces, Any]], rates: Rates) -> Curves:
    """Return the curves of a run's checkpoints, and the theory from the first of them.

    Modes are paired by u_j^T W_p u_j with the eigenvectors u_j of each reading's F, and stand largest s first at each
    reading, in the network as in the theory. The theory is Lemma 1 on matrices where the last linear layer can be
    read, else the decoupled modes, which are given as s_modes, p_modes besides (`started`).

    Args:
        readings: (pieces, measured) of two checkpoints or more; sorted here by step, else by epoch.
        rates: of the run.

    Returns:
        The curves; `error` is |network - theory| / max(|network|, |theory|) over the modes with s_j >= 0.01 max s at
        each reading, `reason` says what is only approximate or why there is no theory.

    Raises:
        ValueError: fewer than two readings, widths that differ, two readings of one step.
    """
    if len(readings) < 2:
        raise ValueError(f"readings must be of 2 checkpoints or more; got {len(readings)}. One alone has no curve.")
    if any(measured.F is None for _, measured in readings):
        raise ValueError(
            "Curves over training need features of every checkpoint; got one without. Give images to run on."
        )
    readings, steps, unit = _sorted(readings)
    widths = {len(measured.F) for _, measured in readings}
    if len(widths) > 1:
        raise ValueError(f"All checkpoints must have the same width d; got {sorted(widths)}. Give those of one run.")
    curves = _stacked([_row(measured) for _, measured in readings])
    source = f"{len(readings)} checkpoints"
    try:
        if unit != "optimiser steps":
            raise NotPossible("the checkpoints do not say at which optimiser step they were written")
        theory, reason = start.from_reading(*readings[0], rates, steps, _per_epoch(readings))
    except NotPossible as why:
        return Curves(steps, unit, curves, {}, {}, f"not possible: {why}", source)
    return Curves(steps, unit, curves, theory, relative_errors(curves, theory), reason, source)


def from_trace(
    path: str | os.PathLike, rates: Rates, settings: Settings, first: tuple[Pieces, Any] | None = None
) -> Curves:
    """Return the curves of a trace file, and the theory from its first reading.

    A trace holds s and p, but neither the moments of the views nor weights: r_j and k_j (`started`) are known where
    the data are (lindyn's isotropic Gaussian vectors), or from a checkpoint.

    Args:
        path: what `lindyn.bridge.Diagnostics` or `lindyn train` wrote.
        rates: of the run.
        settings: of the run.
        first: (pieces, measured) of a checkpoint at or before the second reading, to start the theory from.

    Returns:
        The curves; tau is not recorded and NaN.

    Raises:
        ValueError: no trace, a damaged one, one with fewer than two readings.
    """
    trace = read_trace(path)
    steps = np.asarray(trace["step"].values)
    if len(steps) < 2 or "s" not in trace:
        raise ValueError(f"{path} must hold 2 readings of s or more; got {len(steps)}. A curve needs a longer trace.")
    curves = {name: np.asarray(trace[name].values, dtype=float) for name in (*PER_MODE, *SCALARS) if name in trace}
    modes = curves["s"].shape[1]
    curves = {name: np.full((len(steps), modes), np.nan) for name in PER_MODE} | curves
    curves = {name: np.full(len(steps), np.nan) for name in SCALARS} | curves
    source = f"the trace {os.path.basename(path)} with {len(steps)} readings"
    try:
        if first is None:
            theory, reason = start.from_values(curves, rates, settings, steps)
        else:
            theory, reason = _from_first(first, rates, settings, steps, modes)
    except NotPossible as why:
        return Curves(steps, "optimiser steps", curves, {}, {}, f"not possible: {why}", source)
    return Curves(steps, "optimiser steps", curves, theory, relative_errors(curves, theory), reason, source)


def _from_first(
    first: tuple[Pieces, Any], rates: Rates, settings: Settings, steps: np.ndarray, modes: int
) -> tuple[dict[str, np.ndarray], str]:
    """Return the theory from a checkpoint at a trace's readings, NaN at those before it; and what is approximate."""
    pieces, measured = first
    begin = pieces.step
    if begin is None or begin > steps[1]:
        raise NotPossible("the checkpoint to start from does not say its step, or is later than the second reading")
    later = steps > begin
    pieces = replace(pieces, settings=pieces.settings.over(settings))
    theory, reason = start.from_reading(pieces, measured, rates, np.concatenate([[begin], steps[later]]), None)
    placed = {}
    for name, values in theory.items():
        rows = np.full((len(steps), modes), np.nan)
        width = min(modes, values.shape[1])
        rows[later, :width] = values[1:, :width]
        if begin in steps:
            rows[steps == begin, :width] = values[0, :width]
        placed[name] = rows
    mode = "the trace was read in training mode, on single batches"
    return placed, f"{reason}; {mode}"


def _sorted(readings: Sequence[tuple[Pieces, Any]]) -> tuple[list[tuple[Pieces, Any]], np.ndarray, str]:
    """Return the readings in the order of training, where they stand, and in which unit."""
    for name, unit in (("step", "optimiser steps"), ("epoch", "epochs")):
        places = [getattr(pieces, name) for pieces, _ in readings]
        if any(place is None for place in places):
            continue
        order = sorted(range(len(places)), key=places.__getitem__)
        steps = np.array([places[k] for k in order])
        if (np.diff(steps) == 0).any():
            twice = steps[:-1][np.diff(steps) == 0][0]
            files = " and ".join(p.path.name for p, _ in readings if getattr(p, name) == twice)
            raise ValueError(f"Every checkpoint counts once; got {files}, both of {name} {twice}. Give one of them.")
        return [readings[k] for k in order], steps, unit
    return list(readings), np.arange(len(readings)), "checkpoints"


def _per_epoch(readings: list[tuple[Pieces, Any]]) -> float | None:
    """Return the optimiser steps of an epoch, from two checkpoints that say both."""
    (a, _), (b, _) = readings[0], readings[-1]
    if None in (a.epoch, b.epoch, a.step, b.step) or a.epoch == b.epoch:
        return None
    return (b.step - a.step) / (b.epoch - a.epoch)  # type: ignore[operator]


def _row(measured: Any) -> dict[str, Any]:
    """Return the numbers of one reading; NaN where there is no predictor, or no target."""
    F = start.matrix(measured.F)
    d = len(F)
    tau = start.tau_of(measured, d)
    if measured.maps:
        reading = measured.diagnosis or diagnose(F, measured.maps[0].W_p, samples=measured.samples)
        return {"s": reading.s, "p": reading.p, "tau": tau} | {name: getattr(reading, name) for name in SCALARS}
    s = np.linalg.eigvalsh(F)[::-1]
    known = {"trace_F": float(s.sum()), "effective_rank": float(observables.entropy_rank(np.maximum(s, 0.0)))}
    return {"s": s, "p": np.full(d, np.nan), "tau": tau} | dict.fromkeys(SCALARS, np.nan) | known


def _stacked(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.stack([np.asarray(row[name], dtype=float) for row in rows]) for name in rows[0]}


def relative_errors(curves: dict[str, np.ndarray], theory: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the relative error per reading, by the names of the theory's s and p."""
    s = np.nan_to_num(curves["s"], nan=-1.0)
    counted = (s > 0) & (s >= WINDOW * s.max(axis=1, keepdims=True))
    return {
        name: _relative(curves[name[0]], values, counted)
        for name, values in theory.items()
        if not name.startswith("tau")
    }


def _relative(here: np.ndarray, there: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return |here - there| / max(|here|, |there|) over the modes that count and both know; NaN without any."""
    both = counted & np.isfinite(here) & np.isfinite(there)
    sizes = [np.linalg.norm(np.where(both, values, 0.0), axis=1) for values in (here - there, here, there)]
    size = np.maximum(sizes[1], sizes[2])
    error = np.divide(sizes[0], size, out=np.zeros(len(size)), where=size > 0)
    return np.where(both.any(axis=1), error, np.nan)
