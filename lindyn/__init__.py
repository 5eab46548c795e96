"""lindyn: the theory bench for non-contrastive self-supervised learning (BYOL, SimSiam, DirectPred).

    import lindyn as ld
    hp = ld.Hyperparameters(alpha_p=1.0, beta=0.4, eta=0.04)
    traj = ld.simulate(ld.WeightFlow(hp, ld.Moments.isotropic(8, 0.1)), ld.WeightState.random(4, 8), t1=50.0)

Importing lindyn loads neither jax, torch nor pyplot; each name is loaded when it is first used.
"""

from lindyn._faces import lazy
from lindyn._systems import CLASSES
from lindyn.solve import forks as _forks

__version__ = "0.1.0"

_HOME = {
    "Hyperparameters": "lindyn.hyperparameters",
    "Moments": "lindyn.moments",
    "MomentSums": "lindyn.moments",
    "ViewSums": "lindyn.moments",
    "GaussianViews": "lindyn.sampling",
    "RecordedViews": "lindyn.sampling",
    "WeightState": "lindyn.states",
    "CorrelationState": "lindyn.states",
    "GramState": "lindyn.states",
    "ModeState": "lindyn.states",
    "ModeWeightState": "lindyn.states",
    "ParabolaState": "lindyn.states",
    **CLASSES,
    "simulate": "lindyn.solve.ode",
    "descend": "lindyn.solve.finite_step",
    "DeepWeightState": "lindyn.flows.deep_states",
    "Trajectory": "lindyn.solve.trajectory",
    "SimulationError": "lindyn.solve.trajectory",
    "load": "lindyn.solve.trajectory",
    "verify": "lindyn.verification",
    "sweep": "lindyn.sweeps.modes_sweep",
    "sweep_matrices": "lindyn.sweeps.matrices_sweep",
    "sweep_descent": "lindyn.sweeps.descent_sweep",
}
_MODULES = (
    "bridge",
    "papers",
    "conversions",
    "equations",
    "explore",
    "images",
    "observables",
    "phase",
    "plotting",
    "predictors",
    "proofs",
    "statistics",
    "theory",
)
_FORMER = ("claims", "reproduction")  # now papers; their names warn when they are used

__all__ = ["__version__", *_HOME, *_MODULES]

_forks.watch()
__getattr__, __dir__ = lazy(__name__, _HOME, (*_MODULES, *_FORMER))
