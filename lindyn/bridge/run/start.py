"""What the theory can be started from: a measured checkpoint, or the first reading of a trace whose data are known."""

from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.bridge.records import Pieces
from lindyn.bridge.run import flow, last_layer
from lindyn.bridge.run.clock import clock
from lindyn.bridge.run.description import describe
from lindyn.bridge.run.flow import ModeStart, Motion, Start
from lindyn.bridge.settings import Rates, Settings
from lindyn.hyperparameters import Hyperparameters

Found = tuple[dict[str, np.ndarray], str]


class NotPossible(Exception):  # noqa: N818  a plain answer, told to the user as a reason
    """The theory cannot be started; the message says why."""


def matrix(M: Any) -> np.ndarray:
    """Return a matrix of any array library in float64."""
    return np.asarray(_checks.to_numpy(M), dtype=float)


def tau_of(measured: Any, d: int) -> np.ndarray:
    """Return tau of every mode, length d; NaN where it is not known (it is measured on the leading modes)."""
    tau = np.full(d, np.nan)
    if measured.tau is not None:
        known = np.asarray(_checks.to_numpy(measured.tau), dtype=float)[:d]
        tau[: len(known)] = known
    return tau


def from_reading(pieces: Pieces, measured: Any, rates: Rates, steps: np.ndarray, per_epoch: float | None) -> Found:
    """Return (s, p, tau and s_modes, p_modes, tau_modes at every reading, what is only approximate).

    Args:
        pieces: of the first reading.
        measured: of the first reading.
        rates: of the run.
        steps: of all readings.
        per_epoch: optimiser steps of an epoch, where known.

    Raises:
        NotPossible: something that the theory needs is not known.
    """
    start, notes = start_of(pieces, measured, rates)
    trace_F = float(np.trace(start.F))
    motion, more = _motion(rates, pieces.settings, steps, per_epoch, trace_F)
    notes += more
    if len(measured.maps) and measured.maps[0].kind != "exact":
        notes.append(f"the predictor is not linear: p is that of its map by {measured.maps[0].kind}")
    if not last_layer.is_linear(pieces):
        notes.append("features before the last linear layer are frozen in the theory, trained in the run")
    found, which = _simulated(start, motion)
    return found, "; ".join([which, *notes])


def from_values(curves: dict[str, np.ndarray], rates: Rates, settings: Settings, steps: np.ndarray) -> Found:
    """Return the theory of decoupled modes from a trace's first reading, where the settings give the data.

    lindyn's Gaussian vectors with decay 0 have X = I and X' = noise^2 I: every mode has r = 1/(1 + noise^2) and
    k = 1 + noise^2, whatever the weights.

    Raises:
        NotPossible: the data are not known, or something else that the theory needs.
    """
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
    if rates.target == "ema" and settings.get("method.target_start", "copy") == "copy":
        notes.append("tau of the first reading is not recorded and taken as 1, as the target starts as a copy")
    elif rates.target != "online":
        raise NotPossible("tau of the first reading is not recorded in a trace")
    k = 1 + float(settings.get("data.noise")) ** 2
    ones = np.ones_like(s)
    motion, more = _motion(rates, settings, steps, None, float(curves["trace_F"][0]))
    try:
        found = flow.decoupled(ModeStart(p, np.maximum(s, 0.0), ones, ones / k, k * ones), motion)
    except ArithmeticError as why:
        raise NotPossible(str(why)) from why
    return found, "; ".join(["decoupled modes (Eqs. 11-13) from the first reading of the trace", *notes, *more])


def start_of(pieces: Pieces, measured: Any, rates: Rates) -> tuple[Start, list[str]]:
    """Return what is measured on the first checkpoint, and what was taken for granted."""
    if not measured.maps:
        raise NotPossible("the first checkpoint has no predictor")
    if measured.X is None or measured.X_aug is None:
        raise NotPossible("X and X' need two views of every sample, the features have one")
    layer = last_layer.of_online(pieces)
    W, note = layer.W, layer.note
    F = matrix(measured.F)
    if W is None:
        raise NotPossible(note)
    if len(W) != len(F):
        raise NotPossible(f"the features have {len(F)} dimensions, the network's last linear layer {len(W)}")
    notes = [note] if note else []
    if W.shape[1] > len(W):
        notes.append("input directions that the first W does not see are left out")
    tau = tau_of(measured, len(F))
    known = np.isfinite(tau)
    if rates.target == "online":
        tau = np.ones(len(F))
    elif not known.any():
        tau = np.ones(len(F))
        notes.append("tau was not measured on the first checkpoint and is taken as 1")
    elif len(measured.tau) < len(F):  # not measured on the faint modes: by Assumption 1
        notes.append(f"tau of all but {known.sum()} leading modes is taken as the mean of these")
    tau = np.where(np.isfinite(tau), tau, np.nanmean(tau))  # of faint modes, on which hardly anything depends
    W_a = None
    if layer.is_all and pieces.target_backbone is not None and rates.target != "online":
        W_a = last_layer.last_map(pieces.target_backbone, pieces.target_projector)[0]
    X, X_aug = matrix(measured.X), matrix(measured.X_aug)
    return Start(F, matrix(measured.maps[0].W_p), X, X_aug, W, tau, W_a), notes


def _motion(
    rates: Rates, settings: Settings, steps: np.ndarray, per_epoch: float | None, trace_F: float
) -> tuple[Motion, list[str]]:
    """Return rates and times of a run, and what is only approximate in them."""
    needed = {name: getattr(rates, name) for name in ("alpha_p", "eta_s", "eta_p", "step_time")}
    if rates.target == "ema":
        needed["beta"] = rates.beta
    unknown = [name for name, value in needed.items() if value is None]
    if unknown or not rates.target:
        why = f"needed: {', '.join(rates.missing)}" if rates.missing else "; ".join(rates.assumed)
        what = ", ".join(unknown + ["the target"] * (not rates.target))
        raise NotPossible(f"{what} of the run are not known ({why})")
    time = clock(steps, rates, settings, per_epoch)
    hp = Hyperparameters(rates.alpha_p, rates.beta or 0.0, eta_p=rates.eta_p, eta_s=rates.eta_s)
    notes = list(time.notes)
    gain = 1.0
    known = describe(settings)
    if known.loss.compares_directions:
        if not trace_F > 0:
            raise NotPossible("tr F of the first reading is zero")
        gain = 1 / trace_F
        notes.append(
            f"the run's loss ({settings.get('method.loss')}) compares directions: taken as the squared distance over "
            "the first reading's tr F"
        )
    if known.predictor.rule:
        notes.append("W_p is set by its rule at every instant, averages and pauses left out")
    return Motion(hp, time, rates.target, known.predictor.of_flow, gain), notes


def _simulated(start: Start, motion: Motion) -> Found:
    """Return the theory by Lemma 1 where it can be run, with the decoupled modes beside; else by these alone."""
    modes: dict[str, np.ndarray] = {}
    try:
        modes = flow.decoupled(flow.modes_of(start), motion)
        without = ""
    except ArithmeticError as why:
        without = str(why)
    try:
        whole = flow.lemma_1(start, motion)
    except (ArithmeticError, np.linalg.LinAlgError) as why:
        if not modes:
            raise NotPossible(without) from why
        return modes, f"decoupled modes (Eqs. 11-13) from the first checkpoint, since {why}"
    beside = {f"{name}_modes": values for name, values in modes.items()}
    note = f"; decoupled modes could not be run: {without}" if without else ""
    return whole | beside, f"Lemma 1 on matrices from the first checkpoint{note}"
