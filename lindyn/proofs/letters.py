"""The letters of the papers as sympy symbols, and the library's own flows read on them: `from ... import *` in a sheet.

The rates are made by calling the flow objects that `simulate` integrates, on symbols in place of arrays.
"""

from typing import Any

import sympy

from lindyn.flows import CorrelationFlow, ModeFlow, ModeWeightFlow, ParabolaFlow, WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.proofs.algebra import Algebra, WordRates
from lindyn.states import CorrelationState, ModeState, ModeWeightState, ParabolaState, WeightState

# What a sheet of proofs takes with one star: the letters, what is assumed of them, the flows read on them.
__all__ = [  # noqa: RUF022
    "n1", "n2", "W", "W_a", "W_p", "F", "X", "X_aug", "I1", "I2", "alpha_p", "beta", "eta",
    "eta_p", "eta_s", "x", "x_aug", "tau", "t", "p", "w", "a", "s", "HALF", "THREE_HALVES",
    "MOMENTS_SYMMETRIC", "ISOTROPIC", "PROPORTIONAL", "GRAM", "SYMMETRIC_PREDICTOR", "BOTH_SYMMETRIC", "COMMUTING",
    "hyperparameters", "weight_rates", "correlation_rates", "mode_rates", "mode_weight_rates", "parabola_rates",
    "inner", "rate_of",
]  # fmt: skip

n1, n2 = sympy.symbols("n1 n2", integer=True, positive=True)
W, W_a = sympy.MatrixSymbol("W", n2, n1), sympy.MatrixSymbol("W_a", n2, n1)
W_p, F = sympy.MatrixSymbol("W_p", n2, n2), sympy.MatrixSymbol("F", n2, n2)
X, X_aug = sympy.MatrixSymbol("X", n1, n1), sympy.MatrixSymbol("X'", n1, n1)
I1, I2 = sympy.Identity(n1), sympy.Identity(n2)
alpha_p = sympy.Symbol("alpha_p", positive=True)
beta, eta, eta_p, eta_s = sympy.symbols("beta eta eta_p eta_s", nonnegative=True)
x, x_aug, tau = sympy.symbols("x x' tau", nonnegative=True)
t = sympy.Symbol("t", nonnegative=True)
p, w, a = sympy.symbols("p w a", real=True)
s = sympy.Symbol("s", nonnegative=True)

HALF, THREE_HALVES = sympy.Rational(1, 2), sympy.Rational(3, 2)

MOMENTS_SYMMETRIC = Algebra(symmetric=(X, X_aug))
ISOTROPIC = Algebra(rules=((X, x * I1), (X_aug, x_aug * I1)))
PROPORTIONAL = Algebra(rules=((W_a, tau * W),))
GRAM = Algebra(symmetric=(F,), rules=((W * W.T, F),))
SYMMETRIC_PREDICTOR = Algebra(symmetric=(W_p,))
BOTH_SYMMETRIC = SYMMETRIC_PREDICTOR + Algebra(symmetric=(F,))
COMMUTING = BOTH_SYMMETRIC + Algebra(rules=((W_p * F, F * W_p),))


def inner(A: Any, B: Any) -> Any:
    """Return tr(A B^T) as a word, for the equations that are handed one."""
    return sympy.Trace(A * B.T)


def hyperparameters(decay_p: Any = eta, decay_s: Any = eta) -> Hyperparameters:
    """Return symbolic rates; equal decays unless told."""
    return Hyperparameters._unchecked(alpha_p=alpha_p, beta=beta, eta_p=decay_p, eta_s=decay_s)


def weight_rates(decay_p: Any = eta, decay_s: Any = eta, **choices: Any) -> WordRates:
    """Return the rates of `WeightFlow` (Lemma 1 and its ablations) in the letters W, W_p, W_a, X, X'.

    Args:
        decay_p: eta_p.
        decay_s: eta_s.
        **choices: target, stop_gradient, predictor, as in `WeightFlow`.

    Returns:
        The rates of W, W_p, W_a.
    """
    defaults = {"target": "ema", "stop_gradient": True, "predictor": "trained"}
    data = Moments._unchecked(X=X, X_aug=X_aug, sampling=None)
    flow = WeightFlow._unchecked(hp=hyperparameters(decay_p, decay_s), data=data, **{**defaults, **choices})
    rate = flow(0, WeightState._unchecked(W=W, W_p=W_p, W_a=W_a))
    return WordRates({"W": rate.W, "W_p": rate.W_p, "W_a": rate.W_a})


def correlation_rates(
    decay_p: Any = eta, decay_s: Any = eta, moments: tuple[Any, Any] = (x, x_aug), **choices: Any
) -> WordRates:
    """Return the rates of `CorrelationFlow` in the letters W_p, F; tau is held, its rate is the caller's affair."""
    defaults = {"symmetrised": False, "target": "ema", "stop_gradient": True, "predictor": "trained", "tau": "constant"}
    flow = CorrelationFlow._unchecked(
        hp=hyperparameters(decay_p, decay_s), x=moments[0], sigma2=moments[1], **{**defaults, **choices}
    )
    rate = flow(0, CorrelationState._unchecked(W_p=W_p, F=F, tau=tau))
    return WordRates({"W_p": rate.W_p, "F": rate.F})


def mode_rates(
    decay_p: Any = eta, decay_s: Any = eta, moments: tuple[Any, Any] = (x, x_aug), **choices: Any
) -> WordRates:
    """Return the rates of `ModeFlow` in the symbols p, s, tau."""
    defaults = {"target": "ema", "stop_gradient": True, "predictor": "trained", "tau": "dynamic"}
    flow = ModeFlow._unchecked(
        hp=hyperparameters(decay_p, decay_s), x=moments[0], x_aug=moments[1], **{**defaults, **choices}
    )
    rate = flow(0, ModeState._unchecked(p=p, s=s, tau=tau))
    return WordRates(scalars={p: rate.p, s: rate.s, tau: rate.tau})


def mode_weight_rates(decay_p: Any = eta, decay_s: Any = eta, **choices: Any) -> WordRates:
    """Return the rates of `ModeWeightFlow` in the symbols p, w, a."""
    defaults = {"target": "ema", "stop_gradient": True, "predictor": "trained"}
    flow = ModeWeightFlow._unchecked(hp=hyperparameters(decay_p, decay_s), x=x, x_aug=x_aug, **{**defaults, **choices})
    rate = flow(0, ModeWeightState._unchecked(p=p, w=w, a=a))
    return WordRates(scalars={p: rate.p, w: rate.w, a: rate.a})


def parabola_rates(**choices: Any) -> WordRates:
    """Return the rates of `ParabolaFlow` in the symbols p, tau."""
    defaults = {"target": "ema", "tau": "dynamic"}
    flow = ParabolaFlow._unchecked(hp=hyperparameters(), x=x, x_aug=x_aug, **{**defaults, **choices})
    rate = flow(0, ParabolaState._unchecked(p=p, tau=tau))
    return WordRates(scalars={p: rate.p, tau: rate.tau})


def rate_of(expr: Any, rates: WordRates) -> Any:
    """Return d/dt of a scalar expression along scalar rates (and explicit time t)."""
    return sympy.diff(expr, t) + sum(sympy.diff(expr, symbol) * rate for symbol, rate in rates.scalars.items())
