"""Exact, cheaper forms of the weight flow, chosen by what the data allow.

    isotropic   X = x I, X' = x_aug I: the rows of W and W_a never leave the span they start in, so W -> W Q with Q
                an orthonormal basis of that span (n2 columns where W_a starts as a copy, at zero or is W itself;
                at most 2 n2 otherwise)
    commuting   X and X' diagonal in one basis: W -> W V, and products with X, X' are column scalings
    rotated     X diagonal: one of the two n2 x n1^2 products is a column scaling
    printed     nothing is changed

In each the very equations of `lindyn.equations.weights` run, on smaller or rotated weights and on structured
moments; the way back is W = W_reduced Q^T.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._records import Record, State
from lindyn.flows import Flow
from lindyn.flows.full import WeightFlow
from lindyn.moments import Moments
from lindyn.operators import Diagonal, Scaled
from lindyn.states import WeightState

REDUCTIONS = ("auto", "isotropic", "commuting", "rotated", "printed")


@dataclass(frozen=True, eq=False, repr=False)
class StructuredMoments(Record):
    """X and X' as operators (see `lindyn.operators`), for a flow in reduced coordinates."""

    X: Any
    X_aug: Any


@dataclass(frozen=True, eq=False, repr=False)
class Reduction(Record):
    """A flow in reduced coordinates and the way back.

    Args:
        name: which reduction it is.
        flow: the flow to integrate.
        y0: its initial state.
        Q: n1 x r with orthonormal columns, W = W_reduced Q^T; None where nothing was changed.
    """

    name: str
    flow: Flow
    y0: State
    Q: Any = None

    def restore(self, states: Any) -> Any:
        """Return states of the original flow from (stacked) states of the reduced one."""
        if self.Q is None:
            return states
        W = states.W @ self.Q.T
        W_a = W if states.W_a is states.W else states.W_a @ self.Q.T
        return states._replace(W=W, W_a=W_a)


def reduce_flow(flow: Flow, y0: State, reduction: str = "auto") -> Reduction:
    """Return the cheapest exact form of a flow, or the one asked for.

    Args:
        flow: any flow; only a `WeightFlow` has reductions.
        y0: its initial state.
        reduction: "auto", or the name of one (see the module's table).

    Returns:
        The `Reduction`.

    Raises:
        ValueError: an unknown name, or one that the data do not allow.
    """
    _checks.one_of("reduction", reduction, REDUCTIONS)
    if not (isinstance(flow, WeightFlow) and isinstance(y0, WeightState) and isinstance(flow.data, Moments)):
        return Reduction("printed", flow, y0)
    if _checks.is_traced(flow.data.X) or _checks.is_traced(flow.data.X_aug):
        return Reduction("printed", flow, y0)
    allowed = ["printed", "rotated"]
    allowed += ["commuting"] * flow.data.commute + ["isotropic"] * flow.data.is_isotropic
    if reduction not in ("auto", *allowed):
        raise ValueError(f"reduction={reduction!r} needs other data: these X, X' allow {', '.join(allowed)}.")
    name = allowed[-1] if reduction == "auto" else reduction
    return _MAKERS[name](flow, y0)


def _printed(flow: WeightFlow, y0: WeightState) -> Reduction:
    return Reduction("printed", flow, y0)


def _isotropic(flow: WeightFlow, y0: WeightState) -> Reduction:
    X, X_aug = (_checks.to_numpy(M) for M in (flow.data.X, flow.data.X_aug))
    data = StructuredMoments(Scaled(float(X[0, 0])), Scaled(float(X_aug[0, 0])))
    if any(_checks.is_traced(W) for W in (y0.W, y0.W_a)):
        return Reduction("isotropic", flow._replace(data=data), y0)
    W, W_a = _checks.to_numpy(y0.W), _checks.to_numpy(y0.W_a)
    in_span = flow.target == "online" or not W_a.any() or np.array_equal(W_a, W)
    rows = W if in_span else np.concatenate([W, W_a])
    if len(rows) >= W.shape[1]:
        return Reduction("isotropic", flow._replace(data=data), y0)
    Q = np.linalg.qr(rows.T)[0]
    return Reduction("isotropic", flow._replace(data=data), _rotate(y0, Q), Q)


def _commuting(flow: WeightFlow, y0: WeightState) -> Reduction:
    x, x_aug, V = flow.data.joint_spectrum()
    data = StructuredMoments(Diagonal(x), Diagonal(x_aug))
    return Reduction("commuting", flow._replace(data=data), _rotate(y0, V), V)


def _rotated(flow: WeightFlow, y0: WeightState) -> Reduction:
    x, V = np.linalg.eigh(_checks.to_numpy(flow.data.X))
    X_aug = V.T @ _checks.to_numpy(flow.data.X_aug) @ V
    data = StructuredMoments(Diagonal(x), (X_aug + X_aug.T) / 2)
    return Reduction("rotated", flow._replace(data=data), _rotate(y0, V), V)


def _rotate(y: WeightState, Q: np.ndarray) -> WeightState:
    W = y.W @ Q
    return y._replace(W=W, W_a=W if y.W_a is y.W else y.W_a @ Q)


_MAKERS = {"printed": _printed, "isotropic": _isotropic, "commuting": _commuting, "rotated": _rotated}
