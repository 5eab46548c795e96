"""Theorem 1 between the projector's last layer and the predictor's first.

Let z = V h + b be the projector's outputs and W_1 the predictor's first weights, q = f(W_1 z + c), whatever f and the
loss L(q, target) are, the target cut from the gradient. With g = dL/d(W_1 z),
    dL/dW_1 = E[g z^T],   dL/dV = E[W_1^T g h^T],   dL/db = E[W_1^T g],
so that W_1^T dL/dW_1 = (dL/dV) V^T + (dL/db) b^T = (dL/d[V b]) [V b]^T: a bias is one more column, with input 1. Under
gradient flow with rates 1 and alpha_p and one decay eta for V, b and W_1, B = [V b][V b]^T - W_1^T W_1 / alpha_p obeys
dB/dt = -2 eta B exactly. What must not stand between is a BatchNorm: not after V, not before W_1. Where b is left
out of the decay (some optimisers), or the decays differ, B is driven by b b^T or by W_1^T W_1 and does not vanish.

One checkpoint shows B = C exp(-2 eta t) with C not known: a small B says the balanced state is reached (p^2 = alpha_p
s); a large one contradicts the theorem only along a run.
"""

import math
from typing import Any

import numpy as np

from lindyn.bridge.laws.law_table import LAWS
from lindyn.bridge.laws.verdicts import held, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import fixed
from lindyn.bridge.records import Finding
from lindyn.bridge.settings import Rates


def findings(measured: MeasuredNetwork, rates: Rates) -> tuple[Finding, ...]:
    """Return `balance`."""
    if measured.last is None:
        reason = "The projector does not end in a Linear layer without BatchNorm, whose weights could be balanced."
        return (untestable("balance", reason),)
    if measured.first is None:
        return (untestable("balance", "The predictor does not start with a Linear layer that could be balanced."),)
    residual, alpha_p = balance_residual(measured.last, measured.first, rates.alpha_p)
    details: dict[str, Any] = {"alpha_p": alpha_p, "fitted": rates.alpha_p is None}
    limit = LAWS["balance"].limit
    assert limit is not None
    if residual > limit:
        reason = _never_balanced(rates)
        if reason:
            return (untestable("balance", reason, "", fixed(residual), **details),)
    note = f"alpha_p = {alpha_p:.3g}" + (" brings them nearest and is a fit" if rates.alpha_p is None else "")
    if residual > limit:
        note += "; the theorem itself needs a second checkpoint, as it leaves C exp(-2 eta t)"
    return (held("balance", fixed(residual), "", note, **details),)


def balance_residual(last: np.ndarray, first: np.ndarray, alpha_p: float | None = None) -> tuple[float, float]:
    """Return ||A - B / alpha_p|| / (||A|| + ||B|| / alpha_p), A = [V b][V b]^T, B = W_1^T W_1, and alpha_p.

    Args:
        last: [V b], d x n.
        first: W_1, hidden x d.
        alpha_p: learning-rate ratio; None takes the one that brings B / alpha_p nearest to A.

    Returns:
        The residual, 0 (balanced) to 1, and the alpha_p used; NaN where both are 0.

    Source: Tian, Chen, Ganguli 2021, Theorem 1 (Eq. 5).
    """
    A, B = last @ last.T, first.T @ first
    if alpha_p is None:
        overlap = float(np.sum(A * B))
        alpha_p = float(np.sum(B * B)) / overlap if overlap > 0 else float("nan")
    size = np.linalg.norm(A) + np.linalg.norm(B) / alpha_p
    return float(np.linalg.norm(A - B / alpha_p) / size) if size > 0 else float("nan"), float(alpha_p)


def _never_balanced(rates: Rates) -> str:
    """Return why the known rates would keep even an exact linear model from the balanced state, or nothing."""
    if rates.eta_s is not None and rates.eta_p is not None:
        if not math.isclose(rates.eta_s, rates.eta_p, rel_tol=1e-9):
            return f"Theorem 1 needs one decay; got eta_s = {rates.eta_s:g} and eta_p = {rates.eta_p:g}."
        if rates.eta_s == 0:
            return (
                "Without weight decay the start is never forgotten: C stays, and one checkpoint cannot tell it apart."
            )
    return ""
