"""Rules that share F's eigenvectors and change its eigenvalues: DirectSet, DirectPred, DirectCopy."""

from typing import Any

from lindyn import _checks
from lindyn.equations import closed_form
from lindyn.predictors import arrays
from lindyn.predictors.definition import closed_form_rule

EPS_MODES = ("paper", "relative", "inside")
NORMS = ("none", "max", "fro", "trace")


@closed_form_rule(eigen=True)
def direct_set(
    F: Any,
    *,
    power: float = 0.5,
    eps: float = 0.0,
    eps_mode: str = "paper",
    normalise: str = "none",
    c: Any = 0.0,
    floor: float = 0.0,
) -> Any:
    """Set W_p = U diag(p) U^T with F = U diag(s) U^T and p_j = q_j^power + shift, q_j = max(s_j - c_j, 0) / N.

    DirectPred (Eq. 18) is power = 1/2, DirectCopy power = 1. Cost: one symmetric eigendecomposition, about 9 d^3
    multiplications (as much as 9 products), in float32 or float64. Fails to tell apart what is below d x round-off of
    the largest eigenvalue: such s_j count as 0. Differentiated (stop_gradient=False) it is undefined at repeated
    eigenvalues and at s_j = c_j.

    Args:
        F: correlation of the online outputs, E[z z^T], d x d, symmetric PSD, float32 or float64 (numpy, JAX, torch).
        power: exponent, > 0.
        eps: size of the shift, >= 0.
        eps_mode: "paper": shift = eps max_j q_j (Eq. 18); "relative": shift = eps max_j q_j^power, eps sqrt(s_max) in
            the released code; "inside": p_j = (q_j + eps max_j q_j)^power.
        normalise: N is 1 ("none"), max_j s_j ("max"), ||F||_F ("fro") or tr F ("trace").
        c: c_j of Eq. 14, a number or one per mode, largest s_j first; may be negative (Table 7).
        floor: p_j is at least this, >= 0.
        stop_gradient: whether the result is cut from the gradient, as in the papers; default True.

    Returns:
        W_p, d x d, symmetric, of F's library and precision. F = 0 gives `floor` times I.

    Raises:
        ValueError: F not square, not symmetric, NaN or infinite, in half precision; a parameter out of range.

    Source: Tian, Chen, Ganguli 2021, Eqs. 18-19 and Table 7; Wang, Chen, Du, Tian 2021 (other powers).
    """
    power = _checks.as_scalar("power", power, minimum=0.0, exclusive=True)
    eps = _checks.as_scalar("eps", eps, minimum=0.0)
    floor = _checks.as_scalar("floor", floor, minimum=0.0)
    _checks.one_of("eps_mode", eps_mode, EPS_MODES)
    xp, spectrum = arrays.namespace(F), arrays.eigen(F)
    q = _offset(spectrum.s, c) / arrays.positive(_norm(spectrum.s, normalise))
    largest = xp.max(q)
    if eps_mode == "inside":
        p = closed_form.power_of_shifted(q, power, eps * largest)
    else:
        p = closed_form.shifted_power(q, power, eps * (largest if eps_mode == "paper" else largest**power))
    return spectrum.rebuild(xp.maximum(p, xp.full_like(p, floor)))


def _offset(s: Any, c: Any) -> Any:
    """Return max(s_j - c_j, 0); c is given for the largest eigenvalue first, s stands the largest last or as given."""
    xp = arrays.namespace(s)
    if isinstance(c, int | float):
        return s if c == 0 else xp.maximum(s - c, xp.zeros_like(s))
    c = xp.asarray(c, dtype=s.dtype)
    if c.shape != s.shape:
        raise ValueError(f"c must be a number or hold one entry per mode, {s.shape[0]}; got shape {tuple(c.shape)}.")
    order = xp.argsort(xp.argsort(-s))  # the rank of each eigenvalue, 0 the largest
    return xp.maximum(s - xp.take(c, order), xp.zeros_like(s))


def _norm(s: Any, normalise: str) -> Any:
    xp = arrays.namespace(s)
    _checks.one_of("normalise", normalise, NORMS)
    if normalise == "max":
        return xp.max(s)
    if normalise == "fro":
        return xp.sqrt(xp.sum(s * s))
    return xp.sum(s) if normalise == "trace" else xp.ones_like(xp.sum(s))


@closed_form_rule(eigen=True)
def direct_pred(
    F: Any,
    *,
    eps: float = 0.1,
    eps_mode: str = "paper",
    normalise: str = "none",
    c: Any = 0.0,
    floor: float = 0.0,
) -> Any:
    """Set W_p = U diag(p) U^T with p_j = sqrt(s_j) + epsilon max_j s_j (Eq. 18): `direct_set` with power 1/2.

    Cost and failure as `direct_set`. The released code is eps_mode="relative" up to the scale of W_p: equal to Eq. 18
    only where max_j s_j = 1.

    Args:
        F: correlation of the online outputs, d x d, symmetric PSD.
        eps: epsilon, >= 0; 0.1 is the best of Table 6.
        eps_mode: "paper", "relative" or "inside", see `direct_set`.
        normalise: "none", "max", "fro" or "trace", see `direct_set`.
        c: c_j, p_j = sqrt(max(s_j - c_j, 0)) (Table 7).
        floor: p_j is at least this.
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d, symmetric.

    Raises:
        ValueError: as `direct_set`.

    Source: Tian, Chen, Ganguli 2021, Eq. 18, Tables 6-8.
    """
    return direct_set.core(F, power=0.5, eps=eps, eps_mode=eps_mode, normalise=normalise, c=c, floor=floor)


@closed_form_rule()
def direct_copy(F: Any, *, eps: float = 0.0, normalise: str = "fro") -> Any:
    """Set W_p = F / N + eps I.

    Cost: none beyond F (normalise="max" takes its eigenvalues). Without normalisation the predictor's scale is that of
    F, so that it vanishes or grows with the features.

    Args:
        F: correlation of the online outputs, d x d, symmetric PSD.
        eps: what is added on the diagonal, >= 0 (0.3 in the independent reproduction of DirectPred).
        normalise: N is ||F||_F ("fro"), the largest eigenvalue ("max"), tr F ("trace") or 1 ("none").
        stop_gradient: whether the result is cut from the gradient; default True.

    Returns:
        W_p, d x d, symmetric. F = 0 gives eps I.

    Raises:
        ValueError: F not square, not symmetric, NaN or infinite, in half precision; a parameter out of range.

    Source: Wang, Chen, Du, Tian 2021; Richemond et al. 2023 (with ridge).
    """
    eps = _checks.as_scalar("eps", eps, minimum=0.0)
    _checks.one_of("normalise", normalise, NORMS)
    if normalise == "fro":
        norm = arrays.frobenius(F)
    elif normalise == "max":
        norm = arrays.namespace(F).max(arrays.eigen(F).s)
    else:
        norm = arrays.trace(F) if normalise == "trace" else 1.0 + 0.0 * arrays.trace(F)
    return closed_form.ridge(F / arrays.positive(norm), eps, arrays.identity(F))
