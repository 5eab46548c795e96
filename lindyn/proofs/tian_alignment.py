"""Tian et al. 2021, Theorem 3: the commutator of F and W_p, its bound, its sharpest condition, and Eq. 17."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.equations import matrices, modes
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.matrix_words import Along, WordRates
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import CommutingValue, Identity, Positivity, ScalarIdentity, Step
from lindyn.proofs.symbols import (
    HALF,
    I2,
    SYMMETRIC_PREDICTOR,
    F,
    W_p,
    alpha_p,
    correlation_rates,
    eta,
    eta_p,
    eta_s,
    n2,
    p,
    s,
    tau,
    x,
    x_aug,
)

BOTH_SYMMETRIC = SYMMETRIC_PREDICTOR + Algebra(symmetric=(F,))
COMMUTING = BOTH_SYMMETRIC + Algebra(rules=((W_p * F, F * W_p),))
L_ = sympy.MatrixSymbol("L", n2, n2)
M_ = sympy.MatrixSymbol("M", n2, n2)


def K_symbolic(decay_p: Any = eta_p, decay_s: Any = eta_s) -> Any:
    """Return the library's K on symbols."""
    return matrices.K(W_p, F, tau, alpha_p, decay_p, decay_s, x, x_aug, I2)


@statement(
    "tian.theorem_3",
    "Theorem 3: L = [F, W_p] obeys dL/dt = -(L K + K L), hence ||L|| <= exp(-2 lambda_0 t) "
    "||L(0)|| while K >= lambda_0.",
    "Tian 2021, Theorem 3, Eqs. 8-10",
    (
        "Assumptions 1 + 2 + 3",
        "one tau(t) for all modes, constant or not",
        "K has eta_s + eta_p/2, which is 3 eta/2 for equal decays",
    ),
    {
        "the print's (3/2) eta with unequal decays": {"K": K_symbolic(eta_p, eta_p)},
        "alpha_p F in K, not (alpha_p/2) F": {"K": K_symbolic() + alpha_p * (x + x_aug) * F / 2},
        "the sign of tau W_p in K": {"K": K_symbolic() + 2 * x * tau * W_p},
        "L K - K L in place of L K + K L": {"order": -1},
        "the predictor is not symmetrised": {"rates": correlation_rates(eta_p, eta_s)},
        "W_p not symmetric": {"algebra": Algebra(symmetric=(F,))},
        "a decay rate of 3 lambda_0": {"exponent": 6},
    },
)
def theorem_3(
    K: Any = None, order: int = 1, rates: WordRates | None = None, algebra: Algebra = BOTH_SYMMETRIC, exponent: int = 4
) -> Iterator[Step]:
    """The commutator's own equation, its squared norm, the Gram form of the decay, the bound."""
    K = K_symbolic() if K is None else K
    rates = rates or correlation_rates(eta_p, eta_s, predictor="symmetrised")
    L = matrices.commutator(F, W_p)
    yield Identity("L is antisymmetric", L.T, -L, algebra)
    yield Identity("dL/dt = -(L K + K L)", Along(L, rates), -(L * K + order * K * L), algebra)
    square = sympy.Trace(L.T * L)
    yield Identity(
        "d/dt ||L||^2 = -2 tr L^T (L K + K L)",
        Along(square, rates),
        -2 * sympy.Trace(L.T * (L * K + order * K * L)),
        algebra,
    )
    lowest = sympy.Symbol("lambda0", positive=True)
    above = lowest * I2 + M_ * M_.T
    yield Positivity(
        "with K = lambda_0 I + M M^T, tr L^T (L K + K L) - 2 lambda_0 ||L||^2 is a sum of squares",
        sympy.Trace(L_.T * (L_ * above + above * L_)) - 2 * lowest * sympy.Trace(L_.T * L_),
        ((1, L_ * M_), (1, M_.T * L_)),
    )  # fmt: skip
    yield lemmas.groenwall(
        "u = ||L||^2 with u' <= -4 lambda_0 u gives ||L|| <= exp(-2 lambda_0 t) ||L(0)||", 4, exponent
    )


@statement(
    "tian.theorem_3_sharp",
    "Sharpest form of Theorem 3: ||L|| decays at least at k_1 + k_2, the sum of K's two smallest "
    "eigenvalues, and no better constant holds; lambda_min(K) may be negative.",
    "Tian 2021, Theorem 3 (condition sharpened)",
    ("Assumptions 1 + 2 + 3", "L antisymmetric"),
    {
        "twice the second smallest eigenvalue": {"lowest": "twice"},
        "L is not antisymmetric (F or W_p not symmetric)": {"dropped": True},
        "the trace of K in place of the sum for 2 x 2 with a factor": {"factor": 2},
    },
    beyond=True,
)
def theorem_3_sharp(lowest: str = "pair", dropped: bool = False, factor: int = 1) -> Iterator[Step]:
    """The pair sums in K's eigenbasis, the exact case n2 = 2, the bound by Groenwall."""
    yield lemmas.pair_sum(lowest, dropped)
    K = sympy.Matrix(
        2, 2, [*sympy.symbols("a b", real=True), sympy.Symbol("b", real=True), sympy.Symbol("d", real=True)]
    )
    L = sympy.Matrix([[0, 1], [-1, 0]])
    yield ScalarIdentity("for n2 = 2, L K + K L = tr(K) L exactly", (L * K + K * L)[0, 1], factor * K.trace() * L[0, 1])
    yield lemmas.groenwall("u = ||L||^2 with u' <= -2 (k_1 + k_2) u", 2, 2)


@statement(
    "tian.eq_17",
    "Eq. 17: for aligned modes the condition Delta_j < [alpha_p (1+sigma^2) s_j + eta]/2 is the "
    "positivity of K's eigenvalue of mode j.",
    "Tian 2021, Eq. 17",
    ("Assumptions 1 + 2 + 3", "[F, W_p] = 0"),
    {
        "eta, not eta/2, on the right": {"share": 1},
        "F and W_p do not commute": {"algebra": BOTH_SYMMETRIC, "values": {W_p: p}},
        "the growth rate without its decay": {"decay": 0},
    },
)
def eq_17(share: Any = HALF, algebra: Algebra = COMMUTING, values: Any = None, decay: Any = eta) -> Iterator[Step]:
    """K's eigenvalue on a mode, and its form with Delta."""
    D = modes.drive(p, tau, x, x_aug)
    rate = modes.alignment_rate(p, s, D, alpha_p, eta, eta, x, x_aug)
    yield CommutingValue(
        "K's eigenvalue on mode j", K_symbolic(eta, eta), {W_p: p, F: s} if values is None else values, rate, algebra
    )
    Delta = modes.growth(p, D, decay)
    yield ScalarIdentity(
        "it is the right side of Eq. 17 minus Delta", rate, (alpha_p * (x + x_aug) * s) / 2 + share * eta - Delta
    )


@statement(
    "tian.eq_17_pairs",
    "Alignment of modes i and j is restored at the rate k_i + k_j: stability needs every pair "
    "sum positive, and Eq. 17 for each mode is sufficient, not necessary.",
    "Tian 2021, Eq. 17 (condition sharpened)",
    ("Assumptions 1 + 2 + 3", "linearised at an aligned state"),
    {
        "the rate of the slower mode twice": {"rate": lambda ki, kj: 2 * ki},
        "their difference": {"rate": lambda ki, kj: ki - kj},
    },
    beyond=True,
)
def eq_17_pairs(rate: Any = lambda ki, kj: ki + kj) -> Iterator[Step]:
    """A small tilt between two modes, by differentiating Eq. 7 at 2 x 2 diagonal states."""
    names = sympy.symbols("p_i p_j s_i s_j", real=True)
    pi, pj, si, sj = names
    yield ScalarIdentity("d/dt of the tilt L_ij", _tilt_rate(pi, pj, si, sj), -rate(_k(pi, si), _k(pj, sj)))


def _k(p_: Any, s_: Any) -> Any:
    return modes.alignment_rate(p_, s_, modes.drive(p_, tau, x, x_aug), alpha_p, eta_p, eta_s, x, x_aug)


def _tilt_rate(pi: Any, pj: Any, si: Any, sj: Any) -> Any:
    """Return (dL_12/dt) / L_12 to first order in the off-diagonal entries q of W_p and f of F."""
    from lindyn.equations import correlation, weights

    small, q, f = sympy.symbols("epsilon q f", real=True)
    P = sympy.Matrix([[pi, small * q], [small * q, pj]])
    S = sympy.Matrix([[si, small * f], [small * f, sj]])
    Y = correlation.drive(P, S, tau, x, x_aug)
    dP = correlation.dW_p(P, weights.symmetric_part(Y), alpha_p, eta_p)
    dS = correlation.dF(P, S, Y, eta_s)
    L = matrices.commutator(S, P)[0, 1]
    dL = (matrices.commutator(dS, P) + matrices.commutator(S, dP))[0, 1]
    first = [sympy.diff(sympy.expand(expr), small).subs(small, 0) for expr in (dL, L)]
    return sympy.cancel(first[0] / first[1])


STATEMENTS = (theorem_3, theorem_3_sharp, eq_17, eq_17_pairs)
