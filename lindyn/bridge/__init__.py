"""The bridge to torch, the only room that imports it: predictors as layers for real training runs.

    ClosedFormPredictor      any rule of `lindyn.predictors` as a drop-in `prediction_head`
    DirectPredPredictor, DirectSetPredictor, DirectCopyPredictor, LinearRegressionPredictor, NeumannPredictor,
    VisserPredictor, NewtonSchulzPredictor, NewtonSchulzTwicePredictor, StiefelPredictor
    LinearPredictor, SymmetricLinearPredictor, MLPPredictor, SymmetricMLPPredictor      trained by gradient
    parameter_groups         optimiser groups with the predictor's own rate (alpha_p) and decay (eta_p)
    Diagnostics, DiagnosticsCallback      readings of a network in training, every k steps, into a trace
    read_trace                            the trace as an xarray.Dataset
    diagnose, fit_slope, collapse_alarm, std_of_normalised      the numbers themselves, pure functions
    train, Run, TrainConfig  BYOL and SimSiam on real images, with checkpoints, probes and diagnostics (`lindyn train`)
    validate, compare, read_report      hold a checkpoint or a run against the theory (`lindyn validate`)

Convention: torch's `Linear.weight` is [out, in] and z holds samples as rows, so that the output z W_p^T is W_p acting
on every sample as a column: the W_p of the papers and of `lindyn.predictors`.
"""

import importlib
import importlib.util
from typing import Any

if importlib.util.find_spec("torch") is None:
    raise ImportError('lindyn.bridge needs PyTorch; install it with pip install "lindyn[torch]".')

_HOME = {
    "validate": "lindyn.bridge.validation.validate",
    "read_report": "lindyn.bridge.validation.schema",
    "compare": "lindyn.bridge.validation.compare",
    "train": "lindyn.bridge.training.run",
    "Run": "lindyn.bridge.training.run",
    "TrainConfig": "lindyn.bridge.training.config",
    "ClosedFormPredictor": "lindyn.bridge.closed_form",
    "Health": "lindyn.bridge.closed_form",
    "DirectPredPredictor": "lindyn.bridge.named",
    "DirectSetPredictor": "lindyn.bridge.named",
    "DirectCopyPredictor": "lindyn.bridge.named",
    "LinearRegressionPredictor": "lindyn.bridge.named",
    "NeumannPredictor": "lindyn.bridge.named",
    "VisserPredictor": "lindyn.bridge.named",
    "NewtonSchulzPredictor": "lindyn.bridge.named",
    "NewtonSchulzTwicePredictor": "lindyn.bridge.named",
    "StiefelPredictor": "lindyn.bridge.named",
    "LinearPredictor": "lindyn.bridge.trained",
    "SymmetricLinearPredictor": "lindyn.bridge.trained",
    "MLPPredictor": "lindyn.bridge.trained",
    "SymmetricMLPPredictor": "lindyn.bridge.trained",
    "parameter_groups": "lindyn.bridge.groups",
    "Diagnosis": "lindyn.bridge.diagnosis",
    "Diagnostics": "lindyn.bridge.diagnostics",
    "DiagnosticsCallback": "lindyn.bridge.lightning",
    "SlopeFit": "lindyn.bridge.slopes",
    "collapse_alarm": "lindyn.bridge.alarms",
    "diagnose": "lindyn.bridge.diagnosis",
    "fit_slope": "lindyn.bridge.slopes",
    "read_trace": "lindyn.bridge.traces",
    "std_of_normalised": "lindyn.bridge.feature_sums",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lindyn.bridge' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
