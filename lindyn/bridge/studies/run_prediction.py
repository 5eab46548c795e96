"""A run of a study predicted before it is trained, and what came of it.

The prediction is written with a digest before the first training step; what the run measures carries that digest, so
that a prediction made, or changed, afterwards would show.
"""

from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _files, statistics
from lindyn.bridge.prediction import kind_of, training_prediction
from lindyn.bridge.prediction import prediction as one
from lindyn.bridge.prediction.past_record import LINEAR, SURROGATE
from lindyn.bridge.run import gaussian_surrogate
from lindyn.bridge.run import normalised_theory as theory
from lindyn.bridge.run.theory_error import shape_error
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.networks import PredictorKind
from lindyn.bridge.training.run_folder import Run
from lindyn.bridge.watch.trace import read_trace
from lindyn.stored import limits, sums

PREDICTED = "prediction.json"
EARLY = 64
"""Steps of the first stretch, whose error stands beside that of the whole run."""
NORMALISED, NOISY, SQUARED = LINEAR, "with batch noise", "squared"


def predict_first(config: TrainConfig, folder: Path) -> str:
    """Write what the theories say of a run that is not trained yet; return the digest of what was written.

    Where it was written before, by an attempt that was interrupted, that stands.

    Args:
        config: of the run.
        folder: of the run.
    """
    path = folder / PREDICTED
    if path.is_file() and sums.is_sound(path):
        return str(limits.read_json(path)["sha256"])
    module = one.built(config)
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    plan = theory.plan_of(config, module.steps, module.per_epoch)
    seed = config.run.seed
    start = theory.start_of(module, theory.batches_of(module), kind, seed)
    last = theory.start_of(module, theory.batches_of(module), kind, seed, most=1)
    at = np.arange(0, plan.steps + 1, max(1, config.run.diagnostics_every))
    surrogate = gaussian_surrogate.surrogate_of(module, config, plan.steps, theory.batches_of(module))
    paths = {
        SURROGATE: gaussian_surrogate.path_of(surrogate, plan, at, seed),
        NORMALISED: theory.path_of(start, plan, at),
        NOISY: theory.path_of(start, plan, at, plan.batch, seed),
        SQUARED: theory.path_of(*theory.squared(last, plan), at),
    }
    told: dict[str, Any] = {
        "kind": kind_of(kind, plan.target, float(plan.hp.eta_s)),
        **{name: _told(path) for name, path in paths.items()},
    }
    told["sha256"] = training_prediction.digest(told)
    _files.write_json(path, told, summed=True)
    return str(told["sha256"])


def _told(path: theory.TheoryPath) -> dict[str, Any]:
    kept = min(path.spectrum.shape[1], 64)
    spectrum = [[float(f"{value:.5g}") for value in row[:kept]] for row in path.spectrum]
    return {
        "step": path.steps.tolist(), "spectrum": spectrum, "finite": path.finite,
        "effective_rank": [float(f"{value:.6g}") for value in path.effective_rank],
        "collapsed": theory.collapsed(path.effective_rank[-1]),
    }  # fmt: skip


def outcome(run: Run, digest: str) -> dict[str, Any]:
    """Return what came of a run's prediction.

    Args:
        run: trained.
        digest: of its prediction as it stood when the training began.

    Returns:
        kind, predicted and measured (collapsed or not), ranks at the end, errors of the spectrum's shape (mean over the
        trace's readings, and over those of the first 64 steps) by theory, digest.

    Raises:
        ValueError: the prediction is not the one that was made before.
    """
    told = limits.read_json(run.folder / PREDICTED)
    if training_prediction.digest(told) != digest:
        raise ValueError(
            f"{run.folder / PREDICTED} is not what was predicted before the training began: its digest differs."
        )
    if run.trace is None:
        raise ValueError(f"{run.folder} has no trace to hold the prediction against; set run.diagnostics_every.")
    trace = read_trace(run.trace)
    rank = np.asarray(trace["effective_rank"].values, dtype=float)
    found: dict[str, Any] = {
        "kind": told["kind"], "sha256": digest, "measured": theory.collapsed(rank[-1]),
        "measured_rank": _number(rank[-1]), "measured_mean_rank": _number(np.mean(rank)),
    }  # fmt: skip
    for name in (SURROGATE, NORMALISED, NOISY, SQUARED):
        found[name] = _against(told[name], trace)
    return {**found, "predicted": found[SURROGATE]["collapsed"], "shape_error": found[SURROGATE]["shape_error"]}


def _against(told: dict[str, Any], trace: Any) -> dict[str, Any]:
    """Return one theory's errors and calls."""
    steps = np.asarray(trace["step"].values)
    place = {step: k for k, step in enumerate(told["step"])}
    both = np.array([int(step) in place for step in steps])
    spectrum = np.array(told["spectrum"])[[place[int(step)] for step in steps[both]]]
    errors = shape_error(trace["s"].values[both], spectrum, trace["trace_F"].values[both])
    early = steps[both] <= EARLY
    return {
        "collapsed": told["collapsed"], "rank": told["effective_rank"][-1],
        "mean_rank": _number(np.mean(statistics.entropy_rank(spectrum))),
        "shape_error": _number(np.nanmean(errors)),
        "early_error": _number(np.nanmean(errors[early])) if early.any() else None, "readings": int(both.sum()),
    }  # fmt: skip


def _number(value: Any) -> float | None:
    return float(f"{float(value):.5g}") if np.isfinite(value) else None
