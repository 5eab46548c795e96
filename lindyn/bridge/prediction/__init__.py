"""What is said of a network before it is trained (`lindyn predict`).

predict, TrainingPrediction      effective rank, spectrum, norm, angle, collapse over the training that is asked for
predict_map              the same over ranges of keys, resumable
record_of                how often predictions of this kind came true in the recorded study
"""

from lindyn._faces import lazy

_FILES = {
    ".prediction": ("predict",),
    ".training_prediction": ("TrainingPrediction",),
    ".prediction_map": ("predict_map",),
    ".past_record": ("PastRecord", "kind_of", "record_of"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}

__all__ = [*_HOME]

__getattr__, __dir__ = lazy(__name__, _HOME)
