"""Tian et al. 2021 on (W_p, F): the flow under Assumptions 1 + 2 (+ 3), the predictor's symmetry, Theorem 3, Eq. 17."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from lindyn.equations import correlation, matrices, modes, weights
from lindyn.flows import GramFlow
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.printed import eq_7
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import CommutingValue, Identity, Positivity, ScalarIdentity, Step
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
    return np.linalg.inv(scaled_F + decay * np.eye(len(scaled_F)))


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
    no_equation="an inequality for antisymmetric L; its equation is that of tian.theorem_3",
)
def theorem_3_sharp(lowest: str = "pair", dropped: bool = False, factor: int = 1) -> Iterator[Step]:
    """The pair sums in K's eigenbasis, the exact case n2 = 2, the bound by Groenwall."""
    yield lemmas.pair_sum(lowest, dropped)
    K = sympy.Matrix(
        2, 2, [*sympy.symbols("a b", real=True), sympy.Symbol("b", real=True), sympy.Symbol("d", real=True)]
    )
    L = sympy.Matrix([[0, 1], [-1, 0]])
    yield ScalarIdentity(
        "for n2 = 2, L K + K L = tr(K) L exactly", (L * K + K * L)[0, 1], factor * K.trace() * L[0, 1], "2 x 2"
    )
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
    "A tilt between modes i and j moves at the instantaneous rate -(k_i + k_j): at rest, stability needs every pair "
    "sum positive; along a run it is the integral of the pair sum that counts, and Eq. 17 for each mode is sufficient.",
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
    yield ScalarIdentity(
        "d/dt of the tilt L_ij", tilt_rate(pi, pj, si, sj), -rate(eigenvalue_of_K(pi, si), eigenvalue_of_K(pj, sj)),
        "2 x 2, one pair of modes",
    )  # fmt: skip


def eigenvalue_of_K(p_: Any = p, s_: Any = s, decay_p: Any = eta_p, decay_s: Any = eta_s) -> Any:
    """Return K's eigenvalue k of a mode: what Eq. 17 asks to be positive."""
    return modes.alignment_rate(p_, s_, modes.drive(p_, tau, x, x_aug), alpha_p, decay_p, decay_s, x, x_aug)


def tilt_rate(pi: Any, pj: Any, si: Any, sj: Any) -> Any:
    """Return (dL_12/dt) / L_12 to first order in the off-diagonal entries q of W_p and f of F."""
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


STATEMENTS = (
    reduction_12,
    reduction_gram,
    symmetrised_flow,
    predictor_fixed_point,
    theorem_3,
    theorem_3_sharp,
    eq_17,
    eq_17_pairs,
)
