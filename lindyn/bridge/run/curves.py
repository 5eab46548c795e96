"""Curves along a run from its checkpoints or its trace, and the theory started from the first reading beside them."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lindyn import statistics
from lindyn.bridge.records import Curves, Pieces
from lindyn.bridge.run import flow, start
from lindyn.bridge.run.clock import FlowClock
from lindyn.bridge.run.description import RunDescription, settings_of
from lindyn.bridge.run.flow import ModeStart, Motion, NotPossible
from lindyn.bridge.run.start import Projections, Reading
from lindyn.bridge.run.theory_error import off_at_the_start, relative_errors
from lindyn.bridge.settings import Settings
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.run_folder import Run
from lindyn.bridge.watch.diagnosis import diagnose
from lindyn.bridge.watch.trace import length, read_trace

PER_MODE = ("s", "p", "tau")
SCALARS = ("alignment_top", "asymmetry", "effective_rank", "trace_F", "balance_residual_fitted")
STEPS = "optimiser steps"
FEW = 4
"""Fewer checkpoints than this give no curve where there is a trace."""
R = TypeVar("R")
Theory = tuple[dict[str, np.ndarray], dict[str, np.ndarray], str]
"""(s, p, tau and s_modes, p_modes, tau_modes at every reading; steps, s, p, tau between; what it
is and what is only approximate)."""


def of_run(
    readings: Sequence[tuple[Pieces, Reading]], run: RunDescription, trace: Path | None, folder: Path | None,
    notes: list[str],
) -> Curves | None:  # fmt: skip
    """Return the curves: by checkpoints where there are enough with features, else by a trace that has more.

    Args:
        readings: (pieces, measured) in the order of training.
        run: what is known of the run.
        trace: beside the checkpoints, or None.
        folder: of a run of `lindyn train`, or None.
        notes: gets a sentence where the trace was left out.
    """
    whole = [(pieces, measured) for pieces, measured in readings if measured.F is not None]
    if trace is not None and len(whole) < FEW and length(trace) > len(whole):
        try:
            return from_trace(trace, run, whole[0] if whole and whole[0][0].step == 0 else None)
        except ValueError as error:
            notes.append(f"The trace beside the checkpoints was left out: {error}")
    if len(whole) < 2:
        return None
    over = from_checkpoints(whole, run)
    return over if folder is None else with_own_theory(over, folder)


def from_checkpoints(readings: Sequence[tuple[Pieces, Reading]], run: RunDescription) -> Curves:
    """Return the curves of a run's checkpoints, and the theory from the first of them.

    Modes are paired by u_j^T W_p u_j with the eigenvectors u_j of each reading's F, and stand largest s first at each
    reading, in the network as in the theory. The theory is Lemma 1 on matrices where the last linear layer can be
    read, else the decoupled modes, which are given as s_modes, p_modes besides (`flow`).

    Args:
        readings: (pieces, measured) of two checkpoints or more; sorted here by step, else by epoch.
        run: what is known of the run.

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
    widths = {len(np.asarray(measured.F)) for _, measured in readings}
    if len(widths) > 1:
        raise ValueError(f"All checkpoints must have the same width d; got {sorted(widths)}. Give those of one run.")
    curves = _stacked([_row(measured) for _, measured in readings])
    source = f"{len(readings)} checkpoints"
    try:
        if unit != STEPS:
            raise NotPossible("the checkpoints do not say at which optimiser step they were written")
        theory, path, reason = _from_reading(*readings[0], run, steps, per_epoch_of(readings))
    except NotPossible as why:
        return Curves(steps, unit, curves, {}, {}, f"not possible: {why}", source)
    error = relative_errors(curves, theory)
    return Curves(steps, unit, curves, theory, error, reason + off_at_the_start(error), source, path)


def from_trace(
    path: str | os.PathLike[str], run: RunDescription, first: tuple[Pieces, Reading] | None = None
) -> Curves:
    """Return the curves of a trace file, and the theory from its first reading.

    A trace holds s and p, but neither the moments of the views nor weights: r_j and k_j (`flow`) are known where
    the data are (lindyn's isotropic Gaussian vectors), or from a checkpoint.

    Args:
        path: what `lindyn.bridge.Diagnostics` or `lindyn train` wrote.
        run: what is known of the run.
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
            theory, between, reason = _from_values(curves, run, steps)
        else:
            theory, between, reason = _from_first(first, run, steps, modes)
    except NotPossible as why:
        return Curves(steps, STEPS, curves, {}, {}, f"not possible: {why}", source)
    error = relative_errors(curves, theory)
    return Curves(steps, STEPS, curves, theory, error, reason + off_at_the_start(error), source, between)


def with_own_theory(over: Curves, folder: Path) -> Curves:
    """Return the curves with the theory of a run of `lindyn train` whose network is the paper's own; else as they are.

    From projections alone X and X' are known only in the directions that the first W sees. Of lindyn's own linear runs
    they are known in all of them, so that Lemma 1 runs on the weights themselves: nothing left out, nothing fitted.

    Args:
        over: curves of the run's checkpoints.
        folder: of the run.

    Returns:
        The curves; theory and error are those of Lemma 1 from the first checkpoint's weights.
    """
    try:
        run = Run.load(folder)
        if run.config.model.backbone != "linear" or run.config.model.projector != "none":
            return over
        from lindyn.bridge.run import training_theory  # it trains too: Lightning takes seconds to load

        found = training_theory.beside(run)
    except ValueError:  # no counterpart in the theory, or a folder that is no longer whole
        return over
    rows = {int(step): place for place, step in enumerate(found.steps)}
    if not set(map(int, over.steps)) <= set(rows):
        return over
    Sigma, target, kept = (
        np.asarray(found.flow.data.Sigma_s),
        run.config.method.target,
        [rows[int(k)] for k in over.steps],
    )
    own, told, between = (flow.modes_along(y, Sigma, target) for y in (found.measured, found.theory, found.path))
    measured = dict(over.measured) | {name: part[kept] for name, part in own.items()}
    told = {name: part[kept] for name, part in told.items()}
    reason = "Lemma 1 on the weights from the first checkpoint with the run's own X and X', nothing fitted, and the "
    reason += f"network's modes by the same X + X'{'; ' if found.note else ''}{found.note}"
    error, path = relative_errors(measured, told), _path(found.clock, between)
    return replace(
        over, measured=measured, theory=told, error=error, reason=reason + off_at_the_start(error), path=path
    )


def _path(clock: FlowClock, parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the modes at every time of the clock, and its steps."""
    return {"steps": np.asarray(clock.steps)} | {name: parts[name] for name in PER_MODE}


def _from_reading(
    pieces: Pieces, measured: Reading, run: RunDescription, steps: np.ndarray, per_epoch: float | None
) -> Theory:
    """Return the theory from what is measured on a checkpoint."""
    begin, notes = start.of_projections(pieces, measured, run)
    motion, more = flow.motion_of(run, steps, per_epoch, begin.F)
    notes += more
    if measured.maps[0].kind != "exact":
        notes.append(f"the predictor is not linear: p is that of its map by {measured.maps[0].kind}")
    if not begin.is_all:
        notes.append("features before the last linear layer are frozen in the theory, trained in the run")
    found, which = _simulated(begin, replace(motion, clock=motion.clock.read_throughout()))
    return *_at_readings(motion.clock, found), "; ".join([which, *notes])


def _at_readings(clock: FlowClock, found: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the theory at the readings, and its path between them."""
    return {name: part[clock.readings] for name, part in found.items()}, _path(clock, found)


def _simulated(begin: Projections, motion: Motion) -> tuple[dict[str, np.ndarray], str]:
    """Return the theory by Lemma 1 where it can be run, with the decoupled modes beside; else by these alone."""
    modes: dict[str, np.ndarray] = {}
    try:
        modes = flow.decoupled(begin.modes(), motion)
        without = ""
    except ArithmeticError as why:
        without = str(why)
    try:
        weights = begin.weights(motion)
        whole = flow.modes_along(flow.lemma_1(weights, motion), weights.data.Sigma_s, motion.target)
    except (ArithmeticError, np.linalg.LinAlgError) as why:
        if not modes:
            raise NotPossible(without) from why
        return modes, f"decoupled modes (Eqs. 11-13) from the first checkpoint, since {why}"
    beside = {f"{name}_modes": values for name, values in modes.items()}
    note = f"; decoupled modes could not be run: {without}" if without else ""
    return whole | beside, f"Lemma 1 on matrices from the first checkpoint{note}"


def _from_values(curves: dict[str, np.ndarray], run: RunDescription, steps: np.ndarray) -> Theory:
    """Return the theory of decoupled modes from a trace's first reading, where the settings give the data.

    lindyn's Gaussian vectors with decay 0 have X = I and X' = noise^2 I: every mode has r = 1/(1 + noise^2) and
    k = 1 + noise^2, whatever the weights.
    """
    settings = run.settings
    isotropic = settings.get("data.name") == "gaussian" and settings.get("data.decay", 1.0) == 0
    if not isotropic or settings.get("data.noise") is None:
        raise NotPossible(
            "a trace holds neither the moments of the views nor weights, so that x and x' of its modes are not known; "
            "give checkpoints"
        )
    s, p = curves["s"][0], curves["p"][0]
    if not (np.isfinite(s).all() and np.isfinite(p).all()):
        raise NotPossible("the first reading of the trace has no p")
    notes = []
    if run.target == "ema" and settings.get("method.target_start", "copy") == "copy":
        notes.append("tau of the first reading is not recorded and taken as 1, as the target starts as a copy")
    elif run.target != "online":
        raise NotPossible("tau of the first reading is not recorded in a trace")
    k = 1 + float(settings.get("data.noise")) ** 2
    ones = np.ones_like(s)
    motion, more = flow.motion_of(run, steps, None, np.array([[curves["trace_F"][0]]]))
    try:
        begin = ModeStart(p, np.maximum(s, 0.0), ones, ones / k, k * ones)
        found = flow.decoupled(begin, replace(motion, clock=motion.clock.read_throughout()))
    except ArithmeticError as why:
        raise NotPossible(str(why)) from why
    return *_at_readings(motion.clock, found), "; ".join(
        ["decoupled modes (Eqs. 11-13) from the first reading of the trace", *notes, *more]
    )


def _from_first(first: tuple[Pieces, Reading], run: RunDescription, steps: np.ndarray, modes: int) -> Theory:
    """Return the theory from a checkpoint at a trace's readings, NaN at those before it."""
    pieces, measured = first
    begin = pieces.step
    if begin is None or begin > steps[1]:
        raise NotPossible("the checkpoint to start from does not say its step, or is later than the second reading")
    later = steps > begin
    theory, path, reason = _from_reading(pieces, measured, run, np.concatenate([[begin], steps[later]]), None)
    placed = {}
    for name, values in theory.items():
        rows = np.full((len(steps), modes), np.nan)
        width = min(modes, values.shape[1])
        rows[later, :width] = values[1:, :width]
        if begin in steps:
            rows[steps == begin, :width] = values[0, :width]
        placed[name] = rows
    return placed, path, f"{reason}; the trace was read in training mode, on single batches"


def in_order(readings: Sequence[tuple[Pieces, R]]) -> list[tuple[Pieces, R]]:
    """Return the readings of checkpoints by step, else by epoch, else as given."""
    for name in ("step", "epoch"):
        if all(getattr(pieces, name) is not None for pieces, _ in readings):
            return sorted(readings, key=lambda reading: getattr(reading[0], name))
    return list(readings)


def _sorted(readings: Sequence[tuple[Pieces, Reading]]) -> tuple[list[tuple[Pieces, Reading]], np.ndarray, str]:
    """Return the readings in the order of training, where they stand, and in which unit."""
    found = in_order(readings)
    for name, unit in (("step", STEPS), ("epoch", "epochs")):
        places = [getattr(pieces, name) for pieces, _ in found]
        if any(place is None for place in places):
            continue
        steps = np.array(places)
        if (np.diff(steps) == 0).any():
            twice = steps[:-1][np.diff(steps) == 0][0]
            files = " and ".join(p.path.name for p, _ in found if getattr(p, name) == twice)
            raise ValueError(f"Every checkpoint counts once; got {files}, both of {name} {twice}. Give one of them.")
        return found, steps, unit
    return found, np.arange(len(found)), "checkpoints"


def per_epoch_of(readings: Sequence[tuple[Pieces, R]]) -> float | None:
    """Return the optimiser steps of an epoch, from two checkpoints that say both.

    Args:
        readings: in the order of training.
    """
    (a, _), (b, _) = readings[0], readings[-1]
    if None in (a.epoch, b.epoch, a.step, b.step) or a.epoch == b.epoch:
        return None
    return (b.step - a.step) / (b.epoch - a.epoch)  # type: ignore[operator]


def _row(measured: Reading) -> dict[str, Any]:
    """Return the numbers of one reading; NaN where there is no predictor, or no target."""
    F = np.asarray(measured.F)
    d = len(F)
    tau = start.tau_of(measured, d)
    if measured.maps:
        reading = measured.diagnosis or diagnose(F, measured.maps[0].W_p, samples=measured.samples)
        return {"s": reading.s, "p": reading.p, "tau": tau} | {name: getattr(reading, name) for name in SCALARS}
    s = np.linalg.eigvalsh(F)[::-1]
    known = {"trace_F": float(s.sum()), "effective_rank": float(statistics.entropy_rank(np.maximum(s, 0.0)))}
    return {"s": s, "p": np.full(d, np.nan), "tau": tau} | dict.fromkeys(SCALARS, np.nan) | known


def _stacked(rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.stack([np.asarray(row[name], dtype=float) for row in rows]) for name in rows[0]}


# A trace without checkpoints


def pieces_of(path: Path, step: int | None, settings: Settings) -> Pieces:
    """Return the pieces of a trace: none, but its place and what is known of the run."""
    note = (
        "A trace holds spectra and readings, not the network: the laws are not tested by their intervals; what it says "
        "is the diagnosis over training."
    )
    return Pieces(path, "trace", "trace of lindyn's diagnostics", step=step, settings=settings, notes=(note,))


def settings_beside(run_file: Path) -> Settings:
    """Return the settings of the run.toml beside a trace; optim.lr is the rate that acted."""
    return settings_of(TrainConfig.read(run_file), "run.toml")
