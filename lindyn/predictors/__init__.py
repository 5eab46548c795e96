"""Closed-form predictors W_p = rule(F, cross): each written once, for numpy, JAX and torch, for matrices and for modes.

    direct_pred          U diag(sqrt(s) + epsilon max s) U^T (Eq. 18) and its variants
    direct_set           U diag(s^power) U^T and all variants
    direct_copy          F / N + eps I
    linear_regression    H F^-1 (LRP)
    neumann              2 H - H F
    visser               F^(1/2) by one product a step
    newton_schulz        F^(1/2) by three products a step
    newton_schulz_twice  F^(1/4)
    stiefel              the polar factor of H

    Rule                 a rule with its parameters and ridge, on matrices and on modes
    Recipe, preset       how training uses a rule: averages, how often, the sources' values

Convention: W_p acts on column vectors, W_p z predicts z'. F = E[z z^T], H = cross = E[z' z^T]. Richemond et al. let P
act on rows of samples, Z P predicts Z'; then W_p = P^T.
"""

from typing import Any

from lindyn.predictors.definition import RULES, Rule, closed_form_rule
from lindyn.predictors.iterative import neumann, newton_schulz, newton_schulz_twice, stiefel, visser
from lindyn.predictors.recipe import PRESETS, Recipe, moving_average, preset
from lindyn.predictors.regression import linear_regression
from lindyn.predictors.spectral import direct_copy, direct_pred, direct_set

__all__ = [
    "PRESETS",
    "RULES",
    "Recipe",
    "Rule",
    "closed_form_rule",
    "direct_copy",
    "direct_pred",
    "direct_set",
    "linear_regression",
    "moving_average",
    "neumann",
    "newton_schulz",
    "newton_schulz_twice",
    "preset",
    "statistics",
    "stiefel",
    "visser",
]


def __getattr__(name: str) -> Any:
    """Return the function of a rule that another package adds."""
    if name.startswith("_") or name not in RULES:
        raise AttributeError(f"module 'lindyn.predictors' has no attribute {name!r}")
    return RULES[name].function


def statistics(z: Any, z_target: Any = None, centre: bool = False) -> tuple[Any, Any]:
    """Return (F, cross) = (Z^T Z / b, Z'^T Z / b) of a batch.

    Args:
        z: online outputs, b x d, samples as rows.
        z_target: the target's outputs of the other view, b x d; None leaves cross None.
        centre: subtract the mean over the batch.

    Returns:
        F, d x d, and cross, d x d, or None.

    Raises:
        ValueError: no samples, shapes that differ, NaN or infinity.
    """
    from lindyn import _checks

    z = _checks.as_array("z", z, ndim=2)
    z_target = None if z_target is None else _checks.as_array("z_target", z_target, shape=tuple(z.shape))
    if centre:
        z = z - z.mean(0)
        z_target = None if z_target is None else z_target - z_target.mean(0)
    return z.T @ z / z.shape[0], None if z_target is None else z_target.T @ z / z.shape[0]
