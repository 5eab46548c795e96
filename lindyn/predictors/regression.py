"""The regression predictor of Grill et al. (LRP): W_p = H F^-1."""

from typing import Any

from lindyn import _checks
from lindyn.equations import closed_form
from lindyn.predictors import arrays
from lindyn.predictors.arrays import Modes
from lindyn.predictors.definition import closed_form_rule


@closed_form_rule(products=7, eigen=True, cross="required")
def linear_regression(F: Any, cross: Any, *, damping: float = 0.0) -> Any:
    """Set W_p = H (F + damping m I)^-1, m = tr F / d: the W_p that predicts z' from z best (LRP).

    Cost: one symmetric eigendecomposition and 7 products. With damping = 0 it is the pseudo-inverse: directions of F
    below d x round-off of the largest eigenvalue are left out, so that a batch smaller than d gives the regression
    of least norm. One correction by the residual H - W_p F, its leading products free of round-off, makes W_p the
    regression of the F given to about (round-off x cond)^2 instead of round-off x cond: to round-off where
    cond(F) <= 1e8 in float64. An error of F itself is still multiplied by cond(F); a damping of 1e-4 or so cures that.

    Args:
        F: correlation of the online outputs, E[z z^T], d x d, symmetric PSD.
        cross: H = E[z' z^T], target with online (Richemond's (Z^T Z')^T / b), d x d.
        damping: ridge regression, share of the mean eigenvalue of F added to all of them, >= 0.
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d. F = 0 gives 0.

    Raises:
        ValueError: a matrix not square, of another size, NaN or infinite, in half precision; F not symmetric.

    Source: Grill et al. 2020; Richemond et al. 2023 (P = (Z^T Z)^-1 Z^T Z' acts on rows; W_p = P^T).
    """
    damping = _checks.as_scalar("damping", damping, minimum=0.0)
    xp, (s, U) = arrays.namespace(F), arrays.eigen(F)
    h = cross.values if U is None else xp.ones_like(s)  # eigenvalues of H, or of I where H has other axes than F
    shift = damping * xp.mean(s)
    kept = s + shift > 0
    value = closed_form.regression_eigenvalue(h, xp.where(kept, s + shift, xp.ones_like(s)))
    value = xp.where(kept, value, xp.zeros_like(s))
    if U is None:
        return Modes(value)
    W_p = ((cross @ U) * value) @ U.T
    missing = arrays.minus_product(cross, W_p, F) - shift * W_p
    return W_p + ((missing @ U) * value) @ U.T
