"""What is known of a training run, and the theory of it, once.

describe, RunDescription     settings and their sources, predictor, loss, target, rates, last layer: one record
rates_of, hyperparameters    alpha_p, beta, eta_s, eta_p and the flow time of a step
clock.clock, FlowClock       flow time and EMA rate of readings under any schedule
start                        where the theory starts: a run's weights, an untrained network's features, projections
flow                         the one flow: Lemma 1 on matrices, the decoupled modes beside
from_checkpoints, from_trace curves of a run with the theory beside
known_training               start and steps of the normalised theory, of a folder or of checkpoints
theory_beside                both theories held against the readings, with their errors
beside, prediction           the theory of a run of `lindyn train`: along its checkpoints, and before training
train                        `training.train`, and the theory's picture where the run asks for it
counterfactuals              what would become of the modes under other rates
"""

from lindyn._faces import lazy

_FILES = {
    ".description": ("RunDescription", "TrainingLoss", "describe", "settings_of"),
    ".rates": ("hyperparameters", "rates_of", "step_time"),
    ".clock": ("FlowClock",),
    ".flow": ("ModeStart", "Motion", "NotPossible", "WeightStart"),
    ".start": ("Projections", "Reading"),
    ".curves": ("from_checkpoints", "from_trace"),
    ".training_theory": ("Comparison", "beside", "prediction", "train"),
    ".counterfactuals": ("Counterfactual", "modes_of_run", "simulate_changes"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}
_MODULES = ("clock", "counterfactuals", "curves", "flow", "start", "training_theory")

__all__ = [*_HOME, *_MODULES]

__getattr__, __dir__ = lazy(__name__, _HOME, _MODULES)
