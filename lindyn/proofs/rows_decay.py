"""Rows of the theorem x assumption table on certain decay: Theorem 2, and the flow without a predictor."""

from typing import Any

import sympy

from lindyn.equations import matrices
from lindyn.flows import choices
from lindyn.proofs.algebra import Algebra, Along
from lindyn.proofs.letters import *
from lindyn.proofs.network_rates import PLAIN
from lindyn.proofs.rows_matrices import Setting
from lindyn.proofs.steps import Identity, ScalarSign, Step

LOWEST = sympy.Symbol("m", nonnegative=True)  # lambda_min(X')


def no_stop(at: Setting) -> str:
    """Return why the gradient through both branches has no meaning in a setting, or ""."""
    try:
        choices.check(at.target, stop_gradient=False)
    except ValueError as error:
        return str(error).split(";")[0] + "."
    return ""


def theorem_2(at: Setting) -> list[Step]:
    """Return Theorem 2's flow in its H form."""
    rates = at.rates(stop_gradient=False)
    if at.in_weights:
        claimed = -matrices.H_action(at.W, W_p, X, X_aug, at.decay_s, I2)
        return [Identity("dW/dt = -(H vec W)", Along(at.W, rates), claimed, at.algebra + at.network.drawn(False))]
    on_aug, on_mean = matrices.H_factors(W_p, I2)
    H = x_aug * on_aug + x * on_mean + at.decay_s * I2
    return [Identity("dF/dt = -(H F + F H)", rates[F], -(H * F + F * H), at.algebra)]


def lowest(at: Setting) -> Any:
    """The certain lower bound of the decay: lambda_min(X') + eta_s, with X' positive semi-definite."""
    decay = at.decay_s.subs(
        {symbol: sympy.Symbol(symbol.name, positive=True) for symbol in sympy.sympify(at.decay_s).free_symbols}
    )
    return (0 if at.singular else LOWEST) + decay


def certain_decay(at: Setting) -> list[Step]:
    """Return how the flow through both branches lets ||W|| (or tr F) fall, and the sign of the certain rate."""
    if at.network != PLAIN:
        return _certain_of_one_mode(at, branches=True)
    rates = at.rates(stop_gradient=False)
    if at.in_weights:
        ahead, behind = W_p * W, W_p * W - W
        fallen = (
            sympy.Trace(W * X_aug * W.T) + sympy.Trace(ahead * X_aug * ahead.T) + sympy.Trace(behind * X * behind.T)
        )
        size = sympy.Trace(W * W.T)
    else:
        on_aug, on_mean = matrices.H_factors(W_p, I2)
        fallen, size = x_aug * sympy.Trace(on_aug * F) + x * sympy.Trace(on_mean * F), sympy.Trace(F)
    text = "half the rate of its square is -(sums of squares) - eta_s x it"
    return [
        Identity(text, Along(size, rates), -2 * fallen - 2 * at.decay_s * size, at.algebra + _ones(at)),
        _positive(at),
    ]


def without_predictor(at: Setting) -> list[Step]:
    """Return how W falls without a predictor, at X' and the decay, and the sign of the certain rate."""
    if at.network != PLAIN:
        return _certain_of_one_mode(at, branches=False)
    bare = Algebra(rules=((W_p, I2),))
    if at.in_weights:
        rates = weight_rates(at.decay_p, at.decay_s, target=at.target, predictor="identity")
        claimed, letter = -W * X_aug - at.decay_s * W, W
    else:
        rates = correlation_rates(at.decay_p, at.decay_s, target=at.target, predictor="identity")
        claimed, letter = -2 * (x_aug + at.decay_s) * F, F
    text = f"d{letter.name}/dt is -{letter.name} times X' and the decay"
    return [Identity(text, rates[letter], claimed, at.algebra + bare), _positive(at, " at W_p = I")]


def _ones(at: Setting) -> Algebra:
    return Algebra(scalars={tau: 1}) if not at.in_weights else Algebra()


def _positive(at: Setting, where: str = "") -> Step:
    bound = lowest(at)
    return ScalarSign(f"the decay rate lambda_min(X') + eta_s{where} is positive", bound, bound, "positive")


def _certain_of_one_mode(at: Setting, branches: bool) -> list[Step]:
    spare = at.network.decay_of_one_mode(at.decay_s, branches) - (x_aug + at.decay_s)
    how = "through both branches" if branches else "without predictor"
    text = f"a mode of p = 1 decays {how} at lambda_min(X') + eta_s at least; its rate less that"
    return [ScalarSign(text, spare, spare, "nonnegative")]


def online_only(at: Setting) -> str:
    """Return why the no-predictor remark does not apply, or ""."""
    return "" if at.target == "online" else f"its premise is W_a = W; the target is {at.target}"
