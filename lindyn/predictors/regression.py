"""The regression predictor of Grill et al. (LRP): W_p = H F^-1."""

from typing import Any

from lindyn import _checks
from lindyn.equations import closed_form
from lindyn.predictors import arrays
from lindyn.predictors.definition import closed_form_rule
from lindyn.predictors.mode_algebra import Modes


@closed_form_rule(products=2, eigen=True, cross="required")
def linear_regression(F: Any, cross: Any, *, damping: float = 0.0) -> Any:
    """Set W_p = H (F + damping m I)^-1, m = tr F / d: the W_p that predicts z' from z best (LRP).

    Cost: one symmetric eigendecomposition and 2 products. With damping = 0 it is the pseudo-inverse: directions of F
    below d x round-off of the largest eigenvalue are left out, so that a batch smaller than d gives the regression
    of least norm; directions just above are known to round-off / s only, which a damping of 1e-4 or so cures.

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
    size = s + damping * xp.mean(s)
    kept = size > 0
    value = closed_form.regression_eigenvalue(h, xp.where(kept, size, xp.ones_like(s)))
    value = xp.where(kept, value, xp.zeros_like(s))
    return Modes(value) if U is None else ((cross @ U) * value) @ U.T
