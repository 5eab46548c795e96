"""What is printed, transcribed as it stands (fact sheets of the three papers), apart from what is derived.

These formulas are typed on purpose: they are the print, not the library's equations, and are held against them.
"""

from typing import Any

import sympy

from lindyn.proofs.symbols import F, I2, W_p, alpha_p, eta, eta_p, eta_s, tau, x, x_aug
from lindyn.proofs.words import Rates

sigma2 = sympy.Symbol("sigma^2", nonnegative=True)


def anticommutator(A: Any, B: Any) -> Any:
    """Return {A, B} = A B + B A."""
    return A * B + B * A


def eq_7(half: Any = sympy.Rational(1, 2), braces: Any = None) -> Rates:
    """Return Eq. 7 (general x, x' and separate decays; x = 1, x' = sigma^2, eta_p = eta_s in print)."""
    both = braces or anticommutator
    return Rates({
        "W_p": -half * alpha_p * (x + x_aug) * both(W_p, F) + alpha_p * x * tau * F - eta_p * W_p,
        "F": -(x + x_aug) * both(W_p * W_p, F) + x * tau * both(W_p, F) - 2 * eta_s * F,
    })


def eq_9() -> Any:
    """Return K as printed: (1+sigma^2)[(alpha_p/2) F + W_p^2 - tau/(1+sigma^2) W_p] + (3/2) eta I."""
    v = 1 + sigma2
    return v * (alpha_p / 2 * F + W_p * W_p - tau / v * W_p) + sympy.Rational(3, 2) * eta * I2
