"""Tian et al. 2021: the flow under Assumptions 1 + 2 (+ 3) and the symmetry of the predictor."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.flows import GramFlow
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.matrix_words import Along, WordRates
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, Step
from lindyn.proofs.symbols import (
    GRAM,
    HALF,
    I2,
    ISOTROPIC,
    MOMENTS_SYMMETRIC,
    PROPORTIONAL,
    SYMMETRIC_PREDICTOR,
    F,
    W,
    W_a,
    W_p,
    alpha_p,
    correlation_rates,
    eta_p,
    eta_s,
    hyperparameters,
    n2,
    tau,
    weight_rates,
    x,
    x_aug,
)
from lindyn.states import GramState

_REDUCED = PROPORTIONAL + ISOTROPIC + GRAM


@statement(
    "tian.reduction_12",
    "Under Assumptions 1 + 2 Lemma 1 closes on (W_p, F), F = W W^T: the flow of the appendix.",
    "Tian 2021, Assumptions 1-2 and appendix",
    ("W_a = tau W", "X = x I, X' = x' I"),
    {
        "Assumption 1 dropped": {"algebra": ISOTROPIC + GRAM},
        "Assumption 2 dropped": {"algebra": PROPORTIONAL + GRAM + MOMENTS_SYMMETRIC},
        "one decay eta_p for both": {"reduced": correlation_rates(eta_p, eta_p)},
        "the predictor symmetrised on one side only": {
            "reduced": correlation_rates(eta_p, eta_s, predictor="symmetrised")
        },
    },
)
def reduction_12(algebra: Algebra = _REDUCED, reduced: WordRates | None = None) -> Iterator[Step]:
    """d(W W^T)/dt and dW_p/dt of Lemma 1, rewritten, are those of the (W_p, F) flow."""
    rates, reduced = weight_rates(eta_p, eta_s), reduced or correlation_rates(eta_p, eta_s)
    yield Identity("dW_p/dt in the letters W_p, F", rates[W_p], reduced[W_p], algebra)
    yield Identity("d(W W^T)/dt in the letters W_p, F", Along(W * W.T, rates), reduced[F], algebra)


H, J = (sympy.MatrixSymbol(name, n2, n2) for name in ("H", "J"))
_PRODUCTS = Algebra(symmetric=(J,), rules=((W_a * W.T, H), (W_a * W_a.T, J)))
_WITHOUT_1 = ISOTROPIC + GRAM + _PRODUCTS


def gram_rates(predictor: str = "trained") -> WordRates:
    """Return the rates of `GramFlow` in the letters W_p, F, H, J."""
    flow = GramFlow._unchecked(hp=hyperparameters(eta_p, eta_s), x=x, sigma2=x_aug, target="ema", predictor=predictor)
    rate = flow(0, GramState._unchecked(W_p=W_p, F=F, H=H, J=J))
    return WordRates({"W_p": rate.W_p, "F": rate.F, "H": rate.H, "J": rate.J})


@statement(
    "tian.reduction_gram",
    "Under Assumption 2 alone Lemma 1 closes exactly on W_p, F = W W^T, H = W_a W^T, J = W_a "
    "W_a^T: no Assumption 1, any decays.",
    "Tian 2021, Assumption 2 without Assumption 1",
    ("X = x I, X' = x' I",),
    {
        "Assumption 2 dropped": {"algebra": MOMENTS_SYMMETRIC + GRAM + _PRODUCTS},
        "the predictor symmetrised on one side only": {"predictor": "symmetrised"},
        "H replaced by its transpose": {
            "algebra": ISOTROPIC + GRAM + Algebra((J,), ((W_a * W.T, H.T), (W_a * W_a.T, J)))
        },
    },
    beyond=True,
)
def reduction_gram(algebra: Algebra = _WITHOUT_1, predictor: str = "trained") -> Iterator[Step]:
    """Four rates of products of the weights, rewritten."""
    rates, reduced = weight_rates(eta_p, eta_s), gram_rates(predictor)
    yield Identity("dW_p/dt in W_p, F, H", rates[W_p], reduced[W_p], algebra)
    for letter, product in ((F, W * W.T), (H, W_a * W.T), (J, W_a * W_a.T)):
        yield Identity(f"d{letter.name}/dt in W_p, F, H, J", Along(product, rates), reduced[letter], algebra)


@statement(
    "tian.symmetrised_flow",
    "Eq. 7: with W_p symmetric and its flow symmetrised, dW_p/dt = -(alpha_p/2)(1+sigma^2){W_p, "
    "F} + alpha_p tau F - eta W_p, symmetric for all time.",
    "Tian 2021, Assumption 3, Eq. 7",
    ("Assumptions 1 + 2 + 3",),
    {
        "alpha_p, not alpha_p / 2, before the anticommutator": {"half": 1},
        "a plain product in place of the anticommutator": {"braces": lambda A, B: 2 * A * B},
        "the flow is not symmetrised": {"rates": correlation_rates(eta_p, eta_s)},
        "W_p is not symmetric": {"algebra": Algebra(symmetric=(F,))},
    },
)
def symmetrised_flow(
    half: Any = HALF, braces: Any = None, rates: WordRates | None = None, algebra: Algebra | None = None
) -> Iterator[Step]:
    """The symmetric part of the flow, that it stays symmetric, and that it is the gradient among symmetric W_p."""
    from lindyn.proofs.printed import eq_7

    rates = rates or correlation_rates(eta_p, eta_s, predictor="symmetrised")
    algebra = SYMMETRIC_PREDICTOR + Algebra(symmetric=(F,)) if algebra is None else algebra
    claimed = eq_7(half, braces)
    yield Identity("dW_p/dt of Eq. 7", rates[W_p], claimed[W_p], algebra)
    yield Identity("dF/dt of Eq. 7", rates[F], claimed[F], algebra)
    yield Identity("dW_p/dt is symmetric", rates[W_p], rates[W_p].T, algebra)
    plain, S = weight_rates(eta_p, eta_s), sympy.MatrixSymbol("S", n2, n2)
    part = weight_rates(eta_p, eta_s, predictor="symmetrised")
    yield Identity(
        "for a symmetric variation S, tr(dW_p/dt S) is that of the unsymmetrised flow: the "
            "gradient among symmetric W_p",
        sympy.Trace(part[W_p] * S), sympy.Trace(plain[W_p] * S), MOMENTS_SYMMETRIC + Algebra(symmetric=(S,)),
    )  # fmt: skip


c0, R = sympy.Symbol("c0", positive=True), sympy.MatrixSymbol("R", n2, n2)


@statement(
    "tian.predictor_fixed_point_symmetric",
    "At fixed F the predictor's only fixed point is W_p = alpha_p x tau F (alpha_p (x+x') F + "
    "eta_p I)^-1: symmetric, commuting with F; deviations decay at lambda_min.",
    "Tian 2021, appendix (symmetry of W_p), Fig. 8",
    ("Assumptions 1 + 2", "F held", "eta_p > 0 or F > 0"),
    {
        "F not symmetric": {"symmetric": False},
        "the decay left out of the inverse": {"decay": 0},
        "a factor tau left out": {"ratio": 1},
    },
)
def predictor_fixed_point(symmetric: bool = True, decay: Any = eta_p, ratio: Any = tau) -> Iterator[Step]:
    """R is the inverse of M = alpha_p (x+x') F + eta_p I, by its two rules; everything else follows."""
    from lindyn.proofs.symbols import x, x_aug

    v = alpha_p * (x + x_aug)
    inverse = Algebra(
        symmetric=(F, R) if symmetric else (),
        rules=((F * R, (I2 - decay * R) / v), (R * F, (I2 - decay * R) / v)),
        samples={
            "R": lambda m, n: _inverse(n[alpha_p] * (n[x] + n[x_aug]) * m["F"], float(decay.subs(n)) if decay else 0.0)
        },
    )
    fixed = alpha_p * x * ratio * F * R
    rates = correlation_rates(eta_p, eta_s)
    at_fixed = inverse + Algebra(rules=((W_p, fixed),))
    yield Identity("dW_p/dt vanishes there", rates[W_p], sympy.ZeroMatrix(n2, n2), at_fixed, numeric=False)
    yield Identity("it is symmetric", fixed, fixed.T, inverse)
    yield Identity("it commutes with F", fixed * F, F * fixed, inverse)
    E = sympy.MatrixSymbol("E", n2, n2)
    moved = rates[W_p].subs(W_p, fixed + E)
    M = v * F + eta_p * I2
    yield Identity("a deviation E moves by -E M, M = alpha_p (x+x') F + eta_p I", moved, -E * M, inverse)
    Q = sympy.MatrixSymbol("Q", n2, n2)
    yield Positivity(
        "d/dt ||E||^2 = -2 tr(E M E^T) is minus a sum of squares (F = Q Q^T), strict when eta_p > 0 or F > 0",
        sympy.Trace(E * M * E.T), ((v, (E * Q).T), (eta_p, E.T)), Algebra(rules=((F, Q * Q.T),)),
    )  # fmt: skip


def _inverse(scaled_F: Any, decay: float) -> Any:
    import numpy as np

    return np.linalg.inv(scaled_F + decay * np.eye(len(scaled_F)))


STATEMENTS = (reduction_12, reduction_gram, symmetrised_flow, predictor_fixed_point)
