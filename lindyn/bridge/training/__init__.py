"""The trainer: BYOL and SimSiam with any predictor, on embedded images or the user's; it needs no theory.

TrainConfig                     everything that decides a run, in five sections (`lindyn.bridge.sections`)
train                           a configuration in, a folder out
Run, CHECKPOINTS, RESULT        that folder: checkpoints, history, picture, summary
build, SelfSupervised           the network, its loss and its step
PredictorKind, predictor        what a predictor's name means, and its layer
SmallNet, LinearNet             small backbones for a CPU; LinearNet is the paper's W
OVER_J, SIDES_OVER_J            each loss over J of Eq. 1
open_source, Source, Order      images, and which of them a step sees
LossError, TrainingStopped      the two ways in which a run ends early
"""

from lindyn._faces import lazy

_FILES = {
    ".config": ("TrainConfig",),
    ".trainer": ("train",),
    ".run_folder": ("CHECKPOINTS", "RESULT", "Run"),
    ".module": ("SelfSupervised", "build"),
    ".networks": ("LinearNet", "PredictorKind", "SmallNet", "predictor"),
    ".method": ("OVER_J", "SIDES_OVER_J"),
    ".image_batches": ("Source", "open_source"),
    ".image_order": ("Order",),
    ".callbacks": ("LossError", "TrainingStopped"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME)
