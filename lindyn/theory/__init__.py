"""Closed forms: fixed points and their stability, critical decay, and the rows under the regression predictor."""

from lindyn.theory.regression_equilibria import (
    RegressionRest,
    regression_directions,
    regression_rest,
    regression_subspace,
)
from lindyn.theory.stationary_points import FixedPoints, branches, critical_decay, fixed_points

__all__ = [
    "FixedPoints",
    "RegressionRest",
    "branches",
    "critical_decay",
    "fixed_points",
    "regression_directions",
    "regression_rest",
    "regression_subspace",
]
