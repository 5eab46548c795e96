"""Predictors as torch layers: set by a closed-form rule, or trained by gradient; networks as stacks of linear layers.

    ClosedFormPredictor, Health    any rule as a layer; a layer of each rule of the papers (DirectPredPredictor, ...)
    LinearPredictor, MLPPredictor  trained by gradient, each with a symmetric one; all are a `Predictor`
    IsoLoss                        the loss whose gradient reaches every mode at one rate
    parameter_groups               optimiser groups with the predictor's own rate and decay
    stacks, batch_sums             what a network's layers are as matrices; sums over a batch

Layers load late: whoever needs the sums alone does not wait for the rules.
"""

from lindyn._faces import lazy

_FILES = {
    ".closed_form_predictor": (
        "ClosedFormPredictor",
        "Health",
        *(f"{rule}Predictor" for rule in ("DirectPred", "DirectSet", "DirectCopy", "LinearRegression", "Neumann")),
        *(f"{rule}Predictor" for rule in ("Visser", "NewtonSchulz", "NewtonSchulzTwice", "Stiefel")),
    ),
    ".trained_predictors": ("LinearPredictor", "SymmetricLinearPredictor", "MLPPredictor", "SymmetricMLPPredictor"),
    ".iso_loss": ("IsoLoss",),
    ".predictor_base": ("Predictor", "parameter_groups", "predictor_groups"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}
_MODULES = ("batch_sums", "stacks")

__all__ = [*_HOME, *_MODULES]

__getattr__, __dir__ = lazy(__name__, _HOME, _MODULES)
