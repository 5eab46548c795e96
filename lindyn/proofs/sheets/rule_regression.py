"""The flow under the regression predictor (LRP), W_p = H F^-1: what is conserved, where rows rest, what attracts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from lindyn.equations import view_correlations, weights
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Positivity, ScalarIdentity, ScalarSign, Step
from lindyn.theory import regression_equilibria

m = sympy.Symbol("m", integer=True, positive=True)
S = sympy.MatrixSymbol("S", n1, n1)
R, L, C, Ci = (sympy.MatrixSymbol(name, n2, n2) for name in ("R", "Lambda_I", "C", "C^-1"))
V, VJ, Y = sympy.MatrixSymbol("V_I", n1, n2), sympy.MatrixSymbol("V_J", n1, m), sympy.MatrixSymbol("Y", n1, n1)
LJ, Z = sympy.MatrixSymbol("Lambda_J", m, m), sympy.MatrixSymbol("Z", m, n2)
Li, LiB, B = (sympy.MatrixSymbol(name, n2, n2) for name in ("Lambda_I^-1", "N", "B"))
zero = sympy.ZeroMatrix
v, c = sympy.symbols("v c", positive=True)
TOTAL = Algebra(symmetric=(S, X), rules=((X_aug, S - X),))
INVERSE = TOTAL + Algebra(
    symmetric=(R,),
    rules=((W * S * W.T * R, I2), (R * W * S * W.T, I2)),
    samples={"R": lambda found, numbers: np.linalg.inv(found["W"] @ found["S"] @ found["W"].T)},
)


def regression(H: Any = None) -> Algebra:
    """Return the substitution W_p = H R of the exact regression, R = F^-1."""
    return Algebra(rules=((W_p, (view_correlations.cross(W, W_a, X) if H is None else H) * R),))


@statement(
    "closed_form.regression_balance",
    "Under the exact regression W_p = H F^-1 the rates obey G W^T = H - W_p F = 0, so that d(W W^T)/dt = -2 eta W W^T "
    "for any X, X' and any target: without decay W W^T is conserved and with it everything collapses, at the rate of "
    "the decay alone; for modes D = 0.",
    "derived; Grill 2020 and Richemond 2023 (LRP)",
    ("F invertible", "eta = eta_s"),
    {
        "F has no inverse": {"algebra": TOTAL + Algebra(symmetric=(R,))},
        "the regression of f1 on f2a, its transpose": {"H": W * X * W_a.T},
        "F without augmentation": {
            "algebra": TOTAL + Algebra(
                symmetric=(R,),
                rules=((W * X * W.T * R, I2), (R * W * X * W.T, I2)),
                samples={"R": lambda found, numbers: np.linalg.inv(found["W"] @ found["X"] @ found["W"].T)},
            )
        },
        "W W^T does not decay": {"decay": 0},
    },
    beyond=True,
)  # fmt: skip
def balance(algebra: Algebra = INVERSE, H: Any = None, decay: Any = eta) -> Iterator[Step]:
    """The normal equations on the library's residual, then d(W W^T)/dt on the library's flow."""
    given = regression(H) + algebra
    G = weights.residual_moment(W, W_p, W_a, X, X_aug)
    yield Identity("G W^T = 0", G * W.T, zero(n2, n2), given, numeric=False)
    yield Identity(
        "d(W W^T)/dt", Along(W * W.T, WordRates({"W": weight_rates()[W]})), -2 * decay * W * W.T, given, False
    )
    yield Identity(
        "H - W_p F", W_a * X * W.T - W_p * view_correlations.correlation(W, X, X_aug), zero(n2, n2), given, False
    )


DIRECTIONS = Algebra(
    symmetric=(S, X, L, LJ),
    rules=(
        (X_aug, S - X),
        (X * V, S * V * L),
        (X * VJ, S * VJ * LJ),
        (V.T * S * V, I2),
        (VJ.T * S * VJ, sympy.Identity(m)),
        (V.T * S * VJ, zero(n2, m)),
        (C * Ci, I2),
        (Ci * C, I2),
    ),
)


@statement(
    "closed_form.regression_rest",
    "With W_a = W rows W = C V_I^T of generalised eigenvectors, X V_I = S V_I Lambda_I, S = X + X', rest under LRP: "
    "W_p = C Lambda_I C^-1 and W X = W_p W S; conversely W X = A W S says X W^T = S W^T A^T, rows of an invariant "
    "subspace of S^-1 X.",
    "derived; Tian 2021, Appendix D's W_p W = W Sigma^d (Sigma^s)^-1",
    ("W_a = W", "eta = 0", "V_I^T S V_I = I", "C invertible", "W_p invertible for the converse"),
    {
        "ordinary eigenvectors, X V = V Lambda": {"eigen": ((X * V, V * L),)},
        "W_p = C^-1 Lambda_I C": {"found": Ci * L * C},
        "V_I^T S V_I not I": {"normal": False},
    },
    beyond=True,
)
def rest(eigen: Any = None, found: Any = C * L * Ci, normal: bool = True) -> Iterator[Step]:
    """W_p of such rows, the residual, and the converse."""
    left_out = ([X * V] if eigen is not None else []) + ([] if normal else [V.T * S * V])
    kept = tuple(rule for rule in DIRECTIONS.rules if rule[0] not in left_out)
    algebra = Algebra(DIRECTIONS.symmetric, kept + (eigen or ()))
    rows = C * V.T
    F, H = view_correlations.correlation(rows, X, X_aug), view_correlations.cross(rows, rows, X)
    yield Identity("W_p F = H with W_p = C Lambda_I C^-1", found * F, H, algebra, numeric=False)
    G = weights.residual_moment(rows, found, rows, X, X_aug)
    yield Identity("G = W X - W_p W S = 0", G, zero(n2, n1), algebra, numeric=False)
    A = sympy.MatrixSymbol("A", n2, n2)
    yield Identity(
        "the transpose of W X - A W S", (W * X - A * W * S).T, X * W.T - S * W.T * A.T, Algebra(symmetric=(S, X))
    )


SMALL = Algebra(
    symmetric=(L, LJ, LiB, Li), rules=((L * Li, I2), (Li * L, I2))
)  # Lambda_I^-1; P^-1 = (V_J^T S^2 V_J)^-1 is M
P, M = sympy.MatrixSymbol("P", m, m), sympy.MatrixSymbol("M", m, m)
SMALL = SMALL + Algebra(symmetric=(P, M), rules=((P * M, sympy.Identity(m)), (M * P, sympy.Identity(m))))


@statement(
    "closed_form.regression_linear",
    "Near resting rows, W = C (V_I + V_J Z)^T, to first order dZ^T/dt = B^-1 Lambda_I B (Z^T Lambda_J - Lambda_I Z^T) "
    "V_J^T S^2 V_J with B = C^T C; where B commutes with Lambda_I, tr(Lambda_I^-1 Z^T P^-1 Z), P = V_J^T S^2 V_J, "
    "changes by -2 sum_ij (lambda_i - lambda_j) z_ji^2: the directions of largest lambda attract, all others repel.",
    "derived",
    ("W_a = W", "eta = 0", "W_p invertible"),
    {
        "B left out": {"B": (I2, I2)},
        "the order of Lambda_I and Lambda_J": {"sign": -1},
        "V_J^T S V_J": {"metric": VJ.T * S * VJ},
    },
    beyond=True,
)
def linear(B: Any = (Ci * Ci.T, C.T * C), sign: int = 1, metric: Any = VJ.T * S * S * VJ) -> Iterator[Step]:
    """W_p does not move to first order; the library's lines on the departure; the quadratic form."""
    rows, change = C * V.T, C * Z.T * VJ.T
    F_1 = change * S * rows.T + rows * S * change.T
    H_1 = change * X * rows.T + rows * X * change.T
    yield Identity("first order of F", F_1, zero(n2, n2), DIRECTIONS, numeric=False)
    yield Identity("first order of H, so that W_p stays", H_1, zero(n2, n2), DIRECTIONS, numeric=False)
    value = C * L * Ci
    G = weights.residual_moment(change, value, change, X, X_aug)
    rate = weights.dW(change, value, G, 0)
    departure = sign * regression_equilibria.departure_rate(Z.T, B[0], B[1], L, LJ, metric)
    yield Identity("W S V_J = C Z^T", (rows + change) * S * VJ, C * Z.T, DIRECTIONS, numeric=False)
    yield Identity("C^-1 dW/dt S V_J", Ci * rate * S * VJ, departure, DIRECTIONS, False)  # dC/dt: second order in Z
    # B and Lambda_I commute: B^-1 Lambda_I B = Lambda_I
    rates = WordRates({"Z": (sign * regression_equilibria.departure_rate(Z.T, I2, I2, L, LJ, P)).T})
    form = sympy.Trace(Li * Z.T * M * Z)
    yield Identity(
        "d/dt tr(Lambda_I^-1 Z^T P^-1 Z)",
        Along(form, rates),
        2 * sympy.Trace(Z.T * LJ * Z) - 2 * sympy.Trace(L * Z.T * Z),
        SMALL,
        numeric=False,
    )


w, I1 = sympy.MatrixSymbol("w", 1, n1), sympy.Identity(1)
ratio, f = sympy.symbols("lambda f", positive=True)
ONE = TOTAL + Algebra(rules=((w * X * w.T, ratio * f * I1), (w * S * w.T, f * I1)))


@statement(
    "closed_form.regression_one_output",
    "For one output lambda = w X w^T/(w S w^T) never falls under LRP: d lambda/dt = 2 lambda |w X - lambda w S|^2/(w S "
    "w^T), whatever the decay: w turns to the direction of largest lambda unless it starts without it.",
    "derived",
    ("n2 = 1", "W_a = W"),
    {
        "lambda = w X w^T/(w w^T)": {"below": sympy.Identity(n1)},
        "without W_p^T in front of G": {"front": 1},
        "the residual w X - w S": {"own": 1},
    },
    beyond=True,
)
def one_output(below: Any = S, front: Any = ratio, own: Any = ratio) -> Iterator[Step]:
    """With H = lambda f and F = f, d lambda/dt = (dH/dt - lambda dF/dt)/f on the library's lines."""
    G = weights.residual_moment(w, ratio * I1, w, X, X_aug)
    yield Identity("G w^T = 0", G * w.T, zero(1, 1), ONE, numeric=False)
    dw = weights.dW(w, front * I1, G, eta)
    residual = w * X - own * w * S
    yield Identity("G = w X - lambda w S", G, residual, ONE, numeric=False)
    yield Identity(
        "dH/dt - lambda dF/dt = 2 lambda |G|^2",
        Along(w * (X - ratio * below) * w.T, WordRates({"w": dw})),
        2 * ratio * residual * residual.T,
        ONE,
        numeric=False,
    )


WHITE = Algebra(
    rules=(
        (X_aug, v * sympy.Identity(n1) - Y * Y.T),
        (X, Y * Y.T),
        (W * W.T, c * I2),
    ),
    samples={"W": lambda found, numbers: np.sqrt(numbers[c]) * np.linalg.qr(found["W"].T)[0].T},
)


@statement(
    "closed_form.regression_white",
    "For white views X + X' = v I and W W^T = c I, W_a = W, LRP is W_p = W X W^T/(v c) and d tr(W_p)/dt = (2/(v c)) "
    "tr(G^T W_p G) >= 0: Oja's subspace flow with W_p in front, climbing to the k largest eigenvalues of X (k-PCA).",
    "derived; Richemond 2023, claims 3 and 4",
    ("X + X' = v I", "W W^T = c I", "eta = 0", "W_a = W"),
    {
        "W W^T of any shape": {"algebra": Algebra(rules=WHITE.rules[:2])},
        "views that are not white": {"algebra": Algebra(symmetric=(X_aug,), rules=WHITE.rules[1:])},
        "it falls": {"sign": -1},
    },
    beyond=True,
)
def white_views(algebra: Algebra = WHITE, sign: int = 1) -> Iterator[Step]:
    """W_p, the balance, the climb in Gram form."""
    value = view_correlations.cross(W, W, X) / (v * c)
    yield Identity(
        "W_p F = H",
        value * view_correlations.correlation(W, X, X_aug),
        view_correlations.cross(W, W, X),
        algebra,
        numeric=False,
    )
    G = weights.residual_moment(W, value, W, X, X_aug)
    rate = weights.dW(W, value, G, 0)
    climb = sign * 2 * sympy.Trace(rate * X * W.T) / (v * c)
    yield Positivity("d tr(W_p)/dt", climb, ((2 / (v * c) ** 2, Y.T * W.T * G),), algebra)


SKEW = sympy.Matrix([[1, 2], [0, 1]])
KEPT = (sympy.Rational(3, 5), sympy.Rational(1, 5), sympy.Rational(9, 10))


@statement(
    "closed_form.regression_other_attractor",
    "LRP need not find the largest lambda: for white views, X = diag(3/5, 1/5, 9/10), X' = I - X, two outputs W = "
    "[[1, 2, 0], [0, 1, 0]] rest on the two worse directions, and the linearisation there has trace -8/25 and "
    "determinant 63/2500: attracting, although 9/10 is left outside.",
    "derived (counter-example to 'the largest lambda attracts')",
    ("W_a = W", "eta = 0", "W W^T = [[5, 2], [2, 1]], far from a multiple of I"),
    {
        "W W^T = I": {"C": sympy.eye(2)},
        "the smallest one left outside": {"kept": (sympy.Rational(3, 5), sympy.Rational(9, 10), sympy.Rational(1, 5))},
        "the predictor is the identity": {"identity": True},
    },
    beyond=True,
    sizes="n2 = 2, n1 = 3, one example",
)  # fmt: skip
def other_attractor(C: Any = SKEW, kept: Any = KEPT, identity: bool = False) -> Iterator[Step]:
    """The library's lines on exact numbers and a small third column."""
    z = sympy.Matrix(sympy.symbols("z1 z2", real=True))
    A = sympy.diag(*kept)
    T = sympy.eye(3) - A
    rows = C * sympy.eye(2).row_join(z)
    F, H = view_correlations.correlation(rows, A, T), view_correlations.cross(rows, rows, A)
    value = sympy.eye(2) if identity else H * F.inv()
    dW = weights.dW(rows, value, weights.residual_moment(rows, value, rows, A, T), 0)
    dz = C.inv() * (dW[:, 2] - dW[:, :2] * z)
    at_rest = dict.fromkeys(z, 0)
    J = dz.jacobian(z).subs(at_rest).applyfunc(sympy.nsimplify)
    yield ScalarIdentity("it rests", sum(entry**2 for entry in dW.subs(at_rest)), 0)
    gap = kept[2] - max(kept[:2])
    yield ScalarSign("lambda outside less the larger one inside", gap, gap, "positive")
    yield ScalarSign("trace of the linearisation", sympy.Rational(-8, 25), J.trace(), "negative")
    yield ScalarSign("determinant", sympy.Rational(63, 2500), J.det(), "positive")


STATEMENTS = (balance, rest, linear, one_output, white_views, other_attractor)
