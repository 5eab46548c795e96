"""The bridge to torch, the only room that imports it: predictors as layers for real training runs.

    ClosedFormPredictor      any rule of `lindyn.predictors` as a drop-in `prediction_head`
    DirectPredPredictor, DirectSetPredictor, DirectCopyPredictor, LinearRegressionPredictor, NeumannPredictor,
    VisserPredictor, NewtonSchulzPredictor, NewtonSchulzTwicePredictor, StiefelPredictor
    LinearPredictor, SymmetricLinearPredictor, MLPPredictor, SymmetricMLPPredictor      trained by gradient
    IsoLoss                  Halvagal's loss for closed-form predictors, Euclidean and cosine
    parameter_groups         optimiser groups with the predictor's own rate (alpha_p) and decay (eta_p)
    Diagnostics, DiagnosticsCallback      readings of a network in training, every k steps, into a trace
    read_trace                            the trace as an xarray.Dataset
    diagnose, fit_slope, collapse_alarm, std_of_normalised      the numbers themselves, pure functions
    train, Run, TrainConfig  BYOL and SimSiam on real images, with checkpoints, probes and diagnostics (`lindyn train`)
    predict, TrainingPrediction, predict_map    what the normalised theory says of a network before it is trained
    validate, compare, read_report      hold a checkpoint or a run against the theory (`lindyn validate`)

Convention: torch's `Linear.weight` is [out, in] and z holds samples as rows, so that the output z W_p^T is W_p acting
on every sample as a column: the W_p of the papers and of `lindyn.predictors`.
"""

import importlib.util

from lindyn._faces import lazy
from lindyn._linalg import wait_quietly

if importlib.util.find_spec("torch") is None:
    raise ImportError('lindyn.bridge needs PyTorch; install it with pip install "lindyn[torch]".')

wait_quietly()  # before torch is there: its OpenMP reads this once

_HOME = {
    "predict": "lindyn.bridge.prediction",
    "TrainingPrediction": "lindyn.bridge.prediction",
    "predict_map": "lindyn.bridge.prediction",
    "validate": "lindyn.bridge.validation",
    "read_report": "lindyn.bridge.report.schema",
    "compare": "lindyn.bridge.validation",
    "train": "lindyn.bridge.run.training_theory",
    "Run": "lindyn.bridge.training.run_folder",
    "TrainConfig": "lindyn.bridge.training.config",
    "ClosedFormPredictor": "lindyn.bridge.layers",
    "Health": "lindyn.bridge.layers",
    "DirectPredPredictor": "lindyn.bridge.layers",
    "DirectSetPredictor": "lindyn.bridge.layers",
    "DirectCopyPredictor": "lindyn.bridge.layers",
    "LinearRegressionPredictor": "lindyn.bridge.layers",
    "NeumannPredictor": "lindyn.bridge.layers",
    "VisserPredictor": "lindyn.bridge.layers",
    "NewtonSchulzPredictor": "lindyn.bridge.layers",
    "NewtonSchulzTwicePredictor": "lindyn.bridge.layers",
    "StiefelPredictor": "lindyn.bridge.layers",
    "LinearPredictor": "lindyn.bridge.layers",
    "SymmetricLinearPredictor": "lindyn.bridge.layers",
    "MLPPredictor": "lindyn.bridge.layers",
    "SymmetricMLPPredictor": "lindyn.bridge.layers",
    "IsoLoss": "lindyn.bridge.layers",
    "parameter_groups": "lindyn.bridge.layers",
    "Diagnosis": "lindyn.bridge.readings",
    "Diagnostics": "lindyn.bridge.watch.diagnostics",
    "DiagnosticsCallback": "lindyn.bridge.watch.lightning",
    "SlopeFit": "lindyn.bridge.readings",
    "collapse_alarm": "lindyn.bridge.watch.collapse_words",
    "diagnose": "lindyn.bridge.watch.diagnosis",
    "fit_slope": "lindyn.bridge.watch.diagnosis",
    "read_trace": "lindyn.bridge.watch.trace",
    "std_of_normalised": "lindyn.bridge.layers.batch_sums",
}

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME)
