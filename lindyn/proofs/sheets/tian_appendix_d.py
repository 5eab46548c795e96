"""Tian et al. 2021, Appendix D: fixed points without isotropy, the predictor's role, scrambled data."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from lindyn.equations import modes
from lindyn.proofs.algebra import Algebra, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step

one = sympy.Identity(n1)
S, R = sympy.MatrixSymbol("Sigma_s", n1, n1), sympy.MatrixSymbol("Sigma_s^-1", n1, n1)
A, A_inv = sympy.MatrixSymbol("A", n2, n2), sympy.MatrixSymbol("A^-1", n2, n2)
Lam = sympy.MatrixSymbol("Lambda", n2, n2)


DATA = Algebra(
    symmetric=(X, S, R),
    rules=((X_aug, S - X), (S * R, one), (R * S, one)),
    samples={"Sigma_s^-1": lambda m, n: np.linalg.inv(m["Sigma_s"])},
)
SOLVED = DATA + Algebra(rules=((W_p * W, W * X * R), (W_a, W)))


@statement(
    "tian.fixed_point_manifold",
    "At eta = 0, W_a = W and W_p W = W Sigma^d (Sigma^s)^-1 make a manifold of fixed points, "
    "invariant under W -> A W, W_p -> A W_p A^-1 for every invertible A.",
    "Tian 2021, Appendix D",
    ("eta = 0", "Sigma^s invertible"),
    {
        "weight decay": {"rates": weight_rates()},
        "the inverse on the left: (Sigma^s)^-1 Sigma^d": {
            "algebra": DATA + Algebra(rules=((W_p * W, W * R * X), (W_a, W)))
        },
        "W_p -> A^-1 W_p A": {"turned": (A_inv, A)},
        "W_a is not W": {"algebra": DATA + Algebra(rules=((W_p * W, W * X * R),))},
    },
)
def fixed_point_manifold(
    rates: WordRates | None = None, algebra: Algebra = SOLVED, turned: Any = (A, A_inv)
) -> Iterator[Step]:
    """All rates vanish on it; the group maps it to itself."""
    rates = rates or weight_rates(0, 0)
    for letter in (W, W_p, W_a):
        yield Identity(f"d{letter.name}/dt = 0", rates[letter], 0 * letter, algebra, numeric=False)
    inverse = Algebra(rules=((A_inv * A, I2), (A * A_inv, I2)))
    left, right = turned
    yield Identity(
        "(A W_p A^-1)(A W) = (A W) Sigma^d (Sigma^s)^-1",
        (left * W_p * right) * (A * W),
        A * W * X * R,
        algebra + inverse,
        numeric=False,
    )


Q, V1 = sympy.MatrixSymbol("Q", n2, n2), sympy.MatrixSymbol("V", n1, n1)
W0, W_p0, W_a0 = (
    sympy.MatrixSymbol("W0", n2, n1),
    sympy.MatrixSymbol("W_p0", n2, n2),
    sympy.MatrixSymbol("W_a0", n2, n1),
)
ORTHOGONAL = Algebra(symmetric=(X, X_aug), rules=((Q.T * Q, I2), (Q * Q.T, I2)))


@statement(
    "tian.symmetry_of_the_flow",
    "The flow itself is only symmetric under orthogonal A: W -> Q W, W_p -> Q W_p Q^T, W_a -> Q "
    "W_a maps solutions to solutions, a general invertible A does not.",
    "Tian 2021, Appendix D (symmetry of the manifold against that of the flow)",
    ("Q orthogonal",),
    {
        "Q invertible but not orthogonal": {"algebra": Algebra(symmetric=(X, X_aug))},
        "W_p left as it is": {"turn_predictor": False},
    },
    beyond=True,
)
def symmetry_of_the_flow(algebra: Algebra = ORTHOGONAL, turn_predictor: bool = True) -> Iterator[Step]:
    """The rates at the turned state are the turned rates."""
    rates = weight_rates(eta_p, eta_s)
    predictor = Q * W_p0 * Q.T if turn_predictor else W_p0
    turned = [(W, Q * W0), (W_p, predictor), (W_a, Q * W_a0)]
    plain = [(W, W0), (W_p, W_p0), (W_a, W_a0)]
    yield Identity("dW/dt", rates[W].subs(turned), Q * rates[W].subs(plain), algebra, numeric=False)
    right = Q * rates[W_p].subs(plain) * Q.T if turn_predictor else rates[W_p].subs(plain)
    yield Identity("dW_p/dt", rates[W_p].subs(turned), right, algebra, numeric=False)
    yield Identity("dW_a/dt", rates[W_a].subs(turned), Q * rates[W_a].subs(plain), algebra, numeric=False)


@statement(
    "tian.predictors_role",
    "At eta = 0 without predictor W rests only where W X' = 0 (eigenvalue 1 of Sigma^d "
    "(Sigma^s)^-1); with one, any W whose rows span an invariant subspace, W Sigma^d "
    "(Sigma^s)^-1 = Lambda W, rests with W_p = Lambda.",
    "Tian 2021, Appendix D",
    ("eta = 0", "W_a = W", "Sigma^s invertible for the eigenvalue form"),
    {
        "W_p = I on a general invariant subspace": {"predictor": I2},
        "weight decay": {"rates": weight_rates()},
        "the kernel of X in place of X'": {"kernel": X},
    },
)
def predictors_role(predictor: Any = Lam, rates: WordRates | None = None, kernel: Any = X_aug) -> Iterator[Step]:
    """W_p = I; the eigenvalue form; a general invariant subspace with W_p = Lambda."""
    rates = rates or weight_rates(0, 0)
    online = Algebra(rules=((W_a, W),))
    bare = online + Algebra(symmetric=(X, X_aug), rules=((W_p, I2),))
    yield Identity("without predictor dW/dt = -W X'", rates[W], -W * kernel, bare)
    yield Identity(
        "W Sigma^d (Sigma^s)^-1 - W = -W X' (Sigma^s)^-1: eigenvalue 1 means W X' = 0",
        W * X * R - W,
        -W * kernel * R,
        DATA,
    )
    invariant = DATA + online + Algebra(rules=((W_p, predictor), (W * X, Lam * W * S)))
    for letter in (W, W_p):
        yield Identity(f"with W_p = Lambda, d{letter.name}/dt = 0", rates[letter], 0 * letter, invariant, numeric=False)


l_s, l_d = sympy.symbols("l_s l_d", positive=True)


@statement(
    "tian.scalar_reduction",
    "Appendix D's scalar system is Lemma 1 for one direction at eta = 0; w_p w = w_a l_d/l_s "
    "with w = w_a rests, w^2 - w_p^2/alpha_p is conserved, and at held w_a != 0 the origin is a "
    "saddle.",
    "Tian 2021, Appendix D, Fig. 10",
    ("eta = 0", "Sigma^s, Sigma^d commute", "decoupled initial values"),
    {
        "alpha_p left out of dw_p/dt": {"factor": 1},
        "the hyperbola w_p w = w_a l_s/l_d": {"ratio": l_s / l_d},
        "w^2 - alpha_p w_p^2 conserved": {"power": 1},
        "a stable origin": {"sign": "negative"},
    },
)
def scalar_reduction(
    factor: Any = alpha_p, ratio: Any = l_d / l_s, power: int = -1, sign: str = "positive"
) -> Iterator[Step]:
    """The print against the flow; fixed points; the conserved quantity; the Jacobian at the origin."""
    to = {x: l_d, x_aug: l_s - l_d}
    rates = {name: sympy.sympify(rate).subs(to) for name, rate in mode_weight_rates(0, 0).scalars.items()}
    bracket = a * l_d - p * w * l_s
    printed = {p: factor * bracket * w, w: p * bracket, a: beta * (w - a)}
    for name, rate in rates.items():
        yield ScalarIdentity(f"d{name}/dt as printed", rate, printed[name])
    resting = {p: ratio * a / w}
    yield ScalarIdentity(
        "the bracket vanishes on the hyperbola", modes.residual(p, w, a, l_d, l_s - l_d).subs(resting), 0
    )
    yield ScalarIdentity(
        "w^2 - w_p^2/alpha_p is conserved", rate_of(w**2 - alpha_p**power * p**2, WordRates(scalars=rates)), 0
    )
    field = sympy.Matrix([rates[w], rates[p]]).subs(a, 1)
    J = field.jacobian([w, p]).subs({w: 0, p: 0})
    yield ScalarSign(
        "at w_a = 1 the Jacobian at the origin has determinant -alpha_p l_d^2 < 0 and trace 0: a saddle",
        alpha_p * l_d**2,
        -J.det(),
        sign,
    )
    yield ScalarIdentity("its trace", J.trace(), 0)


STATEMENTS = (fixed_point_manifold, symmetry_of_the_flow, predictors_role, scalar_reduction)
