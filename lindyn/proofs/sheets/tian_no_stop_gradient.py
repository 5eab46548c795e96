"""Tian et al. 2021, Theorem 2's flow on smaller systems: (W_p, F) and modes without stop-gradient."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import matrices
from lindyn.proofs.algebra import Algebra, Along
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import CommutingValue, Identity, ScalarIdentity, Step

BOTH = {"target": "online", "stop_gradient": False}
ONLINE = ISOTROPIC + GRAM + Algebra(rules=((W_a, W),), scalars={tau: 1})


@statement(
    "tian.reduction_no_stop_gradient",
    "Without stop-gradient, W_a = W: isotropic data close on (W_p, F), dF/dt = -(H F + F H) with H = x' (W_p^T W_p + "
    "I) + x (W_p - I)^T (W_p - I) + eta_s I; of a mode (dw/dt)/w = -[x' (p^2 + 1) + x (p - 1)^2 + eta_s], the same in "
    "(p, s) and in (p, w).",
    "Tian 2021, Theorem 2 under Assumption 2",
    ("W_a = W, gradient through both branches", "X = x I, X' = x' I"),
    {
        "the gradient is stopped": {"choices": {"target": "online", "stop_gradient": True}},
        "Assumption 2 dropped": {"algebra": GRAM + MOMENTS_SYMMETRIC + Algebra(rules=((W_a, W),), scalars={tau: 1})},
        "x' (p^2 - 1)": {"share": -1},
    },
)
def reduction_no_stop_gradient(choices: Any = None, algebra: Algebra = ONLINE, share: int = 1) -> Iterator[Step]:
    """The weights' rates in W_p and F; H; modes of commuting letters; both forms of a mode."""
    choices = BOTH if choices is None else choices
    rates, reduced = weight_rates(eta_p, eta_s, **BOTH), correlation_rates(eta_p, eta_s, **choices)
    yield Identity("dW_p/dt in W_p and F", rates[W_p], reduced[W_p], algebra)
    yield Identity("d(W W^T)/dt in W_p and F", Along(W * W.T, rates), reduced[F], algebra)
    on_aug, on_mean = matrices.H_factors(W_p, I2)
    H = x_aug * on_aug + x * on_mean + eta_s * I2
    yield Identity("dF/dt = -(H F + F H)", reduced[F], -(H * F + F * H), Algebra(symmetric=(F,), scalars={tau: 1}))
    mode = mode_rates(eta_p, eta_s, **choices)
    one = {tau: 1}
    commuting = COMMUTING + Algebra(scalars=one)
    for letter, symbol in ((W_p, p), (F, s)):
        wanted = sympy.sympify(mode[symbol]).subs(one)
        yield CommutingValue(f"d{symbol}/dt of a mode", reduced[letter], {W_p: p, F: s}, wanted, commuting)
    rate = -(x_aug * (p**2 + share) + x * (p - 1) ** 2 + eta_s)
    yield ScalarIdentity("(ds/dt)/(2 s)", sympy.sympify(mode[s]).subs(one) / (2 * s), rate)
    yield ScalarIdentity("(dw/dt)/w", mode_weight_rates(eta_p, eta_s, **choices)[w] / w, rate)


STATEMENTS = (reduction_no_stop_gradient,)
