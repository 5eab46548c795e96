"""Exact, cheaper forms of the weight flow, chosen by what the data allow.

    isotropic   X = x I, X' = x_aug I: the rows of W and W_a never leave the span they start in, so W -> W Q with Q
                an orthonormal basis of that span (n2 columns where W_a starts as a copy, at zero or is W itself;
                at most 2 n2 otherwise)
    commuting   X and X' diagonal in one basis: W -> W V, and products with X, X' are column scalings
    rotated     X diagonal, or X + X' where the loss or BatchNorm meets it most: one product, or all but one, with
                n1 x n1 matrices is a column scaling
    printed     nothing is changed

In each the very equations of `lindyn.equations.weights` run, on smaller or rotated weights and on structured
moments; the way back is W = W_reduced Q^T. Of a deep projector the first layer is what the data meet. Cosine loss and
BatchNorm see W through W S W^T, W X W_a^T and the like alone, which no Q changes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._records import Record, State
from lindyn.flows import Flow, losses, rules
from lindyn.flows.deep import DeepFlow
from lindyn.flows.deep_states import DeepWeightState
from lindyn.flows.full import WeightFlow
from lindyn.moments import Moments
from lindyn.operators import Diagonal, InSumBasis, OnlyInSum, Scaled

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
        return _rotate(states, np.swapaxes(self.Q, 0, 1))


def reduce_flow(flow: Flow, y0: State, reduction: str = "auto") -> Reduction:
    """Return the cheapest exact form of a flow, or the one asked for.

    Args:
        flow: any flow; only a `WeightFlow` and a `DeepFlow` have reductions.
        y0: its initial state.
        reduction: "auto", or the name of one (see the module's table).

    Returns:
        The `Reduction`.

    Raises:
        ValueError: an unknown name, or one that the data do not allow.
    """
    _checks.one_of("reduction", reduction, REDUCTIONS)
    if not (isinstance(flow, WeightFlow | DeepFlow) and isinstance(flow.data, Moments)):
        return Reduction("printed", flow, y0)
    if _checks.is_traced(flow.data.X) or _checks.is_traced(flow.data.X_aug):
        return Reduction("printed", flow, y0)
    allowed = ["printed", "rotated"]
    allowed += ["commuting"] * flow.data.commute + ["isotropic"] * flow.data.is_isotropic
    if reduction not in ("auto", *allowed):
        raise ValueError(f"reduction={reduction!r} needs other data: these X, X' allow {', '.join(allowed)}.")
    name = allowed[-1] if reduction == "auto" else reduction
    return _MAKERS[name](flow, y0)


def _inputs(y: Any) -> tuple[Any, Any]:
    """Return the online and the target matrix that the data meet: W, W_a, or the first layers."""
    return (y.Ws[0], y.W_as[0]) if isinstance(y, DeepWeightState) else (y.W, y.W_a)


def _printed(flow: Any, y0: Any) -> Reduction:
    return Reduction("printed", flow, y0)


def _isotropic(flow: Any, y0: Any) -> Reduction:
    X, X_aug = (_checks.to_numpy(M) for M in (flow.data.X, flow.data.X_aug))
    data = StructuredMoments(Scaled(float(X[0, 0])), Scaled(float(X_aug[0, 0])))
    if any(_checks.is_traced(W) for W in _inputs(y0)):
        return Reduction("isotropic", flow._replace(data=data), y0)
    W, W_a = (_checks.to_numpy(each) for each in _inputs(y0))
    in_span = flow.target == "online" or not W_a.any() or np.array_equal(W_a, W)
    rows = W if in_span else np.concatenate([W, W_a])
    if len(rows) >= W.shape[1]:
        return Reduction("isotropic", flow._replace(data=data), y0)
    Q = np.linalg.qr(rows.T)[0]
    return Reduction("isotropic", flow._replace(data=data), _rotate(y0, Q), Q)


def _commuting(flow: Any, y0: Any) -> Reduction:
    x, x_aug, V = flow.data.joint_spectrum()
    data = StructuredMoments(Diagonal(x), Diagonal(x_aug))
    return Reduction("commuting", flow._replace(data=data), _rotate(y0, V), V)


def _rotated(flow: Any, y0: Any) -> Reduction:
    X, X_aug = (_checks.to_numpy(M) for M in (flow.data.X, flow.data.X_aug))
    if losses.is_squared(flow) or rules.is_rule(flow.predictor):
        x, V = np.linalg.eigh(X)
        data = StructuredMoments(Diagonal(x), _turned(X_aug, V))
    else:
        total, V = np.linalg.eigh(X + X_aug)
        data = StructuredMoments(InSumBasis(_turned(X, V), total), OnlyInSum())
    return Reduction("rotated", flow._replace(data=data), _rotate(y0, V), V)


def _turned(M: np.ndarray, V: np.ndarray) -> np.ndarray:
    M = V.T @ M @ V
    return np.asarray((M + M.T) / 2)


def _rotate(y: Any, Q: np.ndarray) -> Any:
    W, W_a = _inputs(y)
    rotated = W @ Q
    target = rotated if W_a is W else W_a @ Q
    if isinstance(y, DeepWeightState):
        return y._replace(Ws=(rotated, *y.Ws[1:]), W_as=(target, *y.W_as[1:]))
    return y._replace(W=rotated, W_a=target)


_MAKERS = {"printed": _printed, "isotropic": _isotropic, "commuting": _commuting, "rotated": _rotated}
