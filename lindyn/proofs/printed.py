"""What is printed, transcribed as it stands (fact sheets of the three papers), apart from what is derived.

These formulas are typed on purpose: they are the print, not the library's equations, and are held against them.
"""

from typing import Any

import sympy

from lindyn.proofs.matrix_words import WordRates
from lindyn.proofs.symbols import (
    HALF,
    I2,
    F,
    W,
    W_a,
    W_p,
    X,
    X_aug,
    alpha_p,
    beta,
    eta,
    eta_p,
    eta_s,
    p,
    s,
    tau,
    x,
    x_aug,
)

sigma2 = sympy.Symbol("sigma^2", nonnegative=True)


def anticommutator(A: Any, B: Any) -> Any:
    """Return {A, B} = A B + B A."""
    return A * B + B * A


def eq_7(half: Any = HALF, braces: Any = None) -> WordRates:
    """Return Eq. 7 (general x, x' and separate decays; x = 1, x' = sigma^2, eta_p = eta_s in print)."""
    both = braces or anticommutator
    return WordRates(
        {
            "W_p": -half * alpha_p * (x + x_aug) * both(W_p, F) + alpha_p * x * tau * F - eta_p * W_p,
            "F": -(x + x_aug) * both(W_p * W_p, F) + x * tau * both(W_p, F) - 2 * eta_s * F,
        }
    )


def eq_9() -> Any:
    """Return K as printed: (1+sigma^2)[(alpha_p/2) F + W_p^2 - tau/(1+sigma^2) W_p] + (3/2) eta I."""
    v = 1 + sigma2
    return v * (alpha_p / 2 * F + W_p * W_p - tau / v * W_p) + sympy.Rational(3, 2) * eta * I2


def appendix_flow() -> WordRates:
    """Return the printed flow under Assumptions 1 + 2 (x = 1, x' = sigma^2, one eta)."""
    v = 1 + sigma2
    return WordRates(
        {
            "W_p": -alpha_p * v * W_p * F + alpha_p * tau * F - eta * W_p,
            "F": -v * (W_p.T * W_p * F + F * W_p.T * W_p) + tau * (W_p.T * F + F * W_p) - 2 * eta * F,
        }
    )


def lemma_1() -> WordRates:
    """Return Eqs. 2-4 as printed."""
    inner = -W_p * W * (X + X_aug) + W_a * X
    return WordRates({"W_p": alpha_p * inner * W.T - eta * W_p, "W": W_p.T * inner - eta * W, "W_a": beta * (W - W_a)})


def eqs_11_to_13() -> WordRates:
    """Return the printed mode equations; Eq. 13 solved for dtau/dt."""
    v = 1 + sigma2
    dp = alpha_p * s * (tau - v * p) - eta * p
    ds = 2 * p * s * (tau - v * p) - 2 * eta * s
    return WordRates(scalars={p: dp, s: ds, tau: (beta * (1 - tau) * s - tau / 2 * ds) / s})


def eq_16() -> Any:
    """Return the printed dp/dt on the parabola."""
    return p**2 * (tau - (1 + sigma2) * p) - eta * p


def p_branch(sign: int) -> Any:
    """Return the printed p_+ (sign 1) or p_- (sign -1)."""
    v = 1 + sigma2
    return (tau + sign * sympy.sqrt(tau**2 - 4 * eta * v)) / (2 * v)


def eq_17_margin() -> Any:
    """Return right side minus left side of Eq. 17 as printed."""
    Delta = p * (tau - (1 + sigma2) * p) - eta
    return HALF * (alpha_p * (1 + sigma2) * s + eta) - Delta
