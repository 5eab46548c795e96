"""Equation + hyper-parameters + data -> a vector field. Ablations are arguments, not new code.

    WeightFlow      (W_p, W, W_a)   Lemma 1, any X and X'
    GramFlow        (W_p, F, H, J)  the same for isotropic data, exact, n2 x n2
    CorrelationFlow (W_p, F, tau)   Assumptions 1 + 2 (+ 3: predictor="symmetrised", Eq. 7)
    ModeFlow        (p, s, tau)     one mode at a time, Eqs. 11-13
    ModeWeightFlow  (p, w, a)       the same in the weights, Appendix D
    ParabolaFlow    (p, tau)        on the invariant parabola, Eq. 16

Each says its title and how settings build it; `registry` finds them, and those of other packages, by name.
Every flow is called as `flow(t, state, args=None)` and answers with the derivative, a record of the state's class.
"""

from lindyn.flows.correlations import CorrelationFlow, GramFlow
from lindyn.flows.deep import DeepFlow
from lindyn.flows.from_settings import Flow
from lindyn.flows.full import WeightFlow
from lindyn.flows.per_mode import ModeFlow, ModeWeightFlow, ParabolaFlow

__all__ = [
    "CorrelationFlow",
    "DeepFlow",
    "Flow",
    "GramFlow",
    "ModeFlow",
    "ModeWeightFlow",
    "ParabolaFlow",
    "WeightFlow",
]
