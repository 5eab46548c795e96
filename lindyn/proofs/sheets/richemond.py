"""Richemond et al. 2023: claims 1-7 of the fact sheet. Rows of Z are samples; P acts on the right."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from lindyn.equations import matrices
from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra, Along, WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step

b, f, k = sympy.symbols("b f k", integer=True, positive=True)
Z, Z2, G = (sympy.MatrixSymbol(name, b, f) for name in ("Z", "Z'", "G"))
P, R = sympy.MatrixSymbol("P", f, f), sympy.MatrixSymbol("R", f, f)  # R = (Z^T Z)^-1
If, Ib = sympy.Identity(f), sympy.Identity(b)
sigma = sympy.Symbol("sigma_t", positive=True)
POSITIVE_ETA = sympy.Symbol("eta", positive=True)
PROJECTION = Algebra(symmetric=(P,), rules=((P * P, P),))
REGRESSION = Algebra(
    symmetric=(R,),
    rules=((Z.T * Z * R, If), (R * Z.T * Z, If)),
    samples={"R": lambda m, n: np.linalg.inv(m["Z"].T @ m["Z"])},
)


@statement(
    "richemond.claim_1",
    "The regression predictor (Z^T Z)^-1 Z^T Z' makes Z P the orthogonal projection of Z' on the "
    "column space of Z; the residual is the projection on its complement.",
    "Richemond 2023, claim 1",
    ("Z of full column rank (at least as many samples as features)",),
    {
        "Z^T Z has no inverse": {"algebra": Algebra(symmetric=(R,))},
        "(Z^T Z)^-1 Z'^T Z": {"rule": R * Z2.T * Z},
        "Z P is a projection of Z too": {"image": Z2},
    },
    no_equation="linear algebra of a batch; no rate enters",
)
def claim_1(algebra: Algebra = REGRESSION, rule: Any = R * Z.T * Z2, image: Any = Z) -> Iterator[Step]:
    """The projector, its two properties, the normal equations."""
    Pi = Z * R * Z.T
    yield Identity("Z P = Pi Z'", Z * rule, Pi * Z2, algebra)
    yield Identity("Pi is idempotent", Pi * Pi, Pi, algebra)
    yield Identity("Pi is symmetric", Pi.T, Pi, algebra)
    yield Identity("Pi fixes the columns of Z", Pi * image, image, algebra)
    yield Identity("the residual is (I - Pi) Z'", Z2 - Z * rule, (Ib - Pi) * Z2, algebra)
    yield Identity(
        "and is orthogonal to the columns of Z", Z.T * (Z2 - Z * rule), sympy.ZeroMatrix(f, f), algebra, numeric=False
    )


@statement(
    "richemond.claim_2",
    "For Z' = Z + sigma_t G the regression predictor is I + sigma_t (Z^T Z)^-1 Z^T G, which tends to I with sigma_t.",
    "Richemond 2023, claim 2",
    ("Z of full column rank",),
    {
        "Z' = 2 Z + sigma_t G": {"scale": 2},
        "a remainder that does not vanish with sigma_t": {"power": 0},
    },
    no_equation="linear algebra of a batch; no rate enters",
)
def claim_2(scale: int = 1, power: int = 1) -> Iterator[Step]:
    """Exact in sigma_t; then the limit of the coefficient."""
    shifted = REGRESSION + Algebra(rules=((Z2, scale * Z + sigma**power * G),))
    yield Identity("(Z^T Z)^-1 Z^T Z'", R * Z.T * Z2, If + sigma * R * Z.T * G, shifted)
    yield lemmas.limit("the remainder's coefficient", sigma**power, sigma, 0, 0)


@statement(
    "richemond.claim_3",
    "Without augmentation and EMA the best rank-k orthogonal projection spans the top-k "
    "eigenvectors of Sigma: ||Z - Z P||^2 = tr(Z^T Z) - tr(P Z^T Z).",
    "Richemond 2023, claim 3",
    ("P an orthogonal projection of rank k", "Z' = Z"),
    {
        "P is not symmetric": {"algebra": Algebra(rules=((P * P, P),))},
        "P is not idempotent": {"algebra": Algebra(symmetric=(P,))},
        "the k smallest": {"largest": False},
    },
    no_equation="linear algebra of a batch; no rate enters",
)
def claim_3(algebra: Algebra = PROJECTION, largest: bool = True) -> Iterator[Step]:
    """The loss of a projection, and Ky Fan's inequality."""
    error = Z - Z * P
    yield Identity(
        "||Z - Z P||^2",
        sympy.Trace(error.T * error),
        sympy.Trace(Z.T * Z) - sympy.Trace(P * Z.T * Z),
        algebra,
        numeric=False,
    )
    yield lemmas.ky_fan(largest)


@statement(
    "richemond.claim_4",
    "For k = 1 the gradient step of the projection loss on P = w w^T/||w||^2 is Krasulina's "
    "update, up to the positive factor 2/||w||^2.",
    "Richemond 2023, claim 4",
    ("k = 1", "Z' = Z"),
    {"Oja's update, without the division by ||w||^2": {"norm": False}, "the sign": {"sign": -1}},
    no_equation="linear algebra of a batch; no rate enters",
)
def claim_4(norm: bool = True, sign: int = 1) -> Iterator[Step]:
    """Entrywise for generic w and Sigma in two and three dimensions (concrete: a scalar quotient has no words)."""
    for n in (2, 3):
        w = sympy.Matrix(sympy.symbols(f"w0:{n}", real=True))
        Sigma = sympy.Matrix(n, n, lambda i, j: sympy.Symbol(f"c{min(i, j)}{max(i, j)}", real=True))
        size = (w.T * w)[0]
        loss = Sigma.trace() - (w.T * Sigma * w)[0] / size
        krasulina = Sigma * w - (w.T * Sigma * w)[0] / (size if norm else 1) * w
        for j in range(n):
            yield ScalarIdentity(
                f"entry {j + 1} of {n}", -sympy.diff(loss, w[j]), sign * 2 / size * krasulina[j], f"{n} x {n}"
            )


@statement(
    "richemond.claim_5",
    "If ||P^2 - P|| <= eps and ||P - P^T|| <= eps then ||P P^T - P|| <= (1 + ||P||) eps with "
    "||P|| <= [1 + eps + sqrt((1 + eps)^2 + 4 eps)]/2: 2 eps to first order, and more than 2 eps "
    "exactly.",
    "Richemond 2023, claim 5",
    ("operator norm",),
    {
        "the order of products: P^T - P in front": {"split": (P * P - P) + (P - P.T) * P},
        "eps-quasi-symmetry dropped": {"algebra_symmetric": False},
        "the bound eps": {"bound": lambda e: e},
    },
    no_equation="linear algebra of P alone; no rate enters",
)
def claim_5(split: Any = None, algebra_symmetric: bool = True, bound: Any = None) -> Iterator[Step]:
    """The split, the triangle inequality, the larger root that bounds the norm, its first order."""
    split = (P * P - P) + P * (P.T - P) if split is None else split
    yield Identity("P P^T - P = (P^2 - P) + P (P^T - P)", P * P.T - P, split)
    e = sympy.Symbol("epsilon", positive=True)
    largest = (1 + e + sympy.sqrt((1 + e) ** 2 + 4 * e)) / 2
    yield ScalarIdentity(
        "||P||^2 = ||P P^T|| <= ||P|| + (1 + ||P||) eps: the largest ||P|| solves m^2 = m + (1 + m) eps",
        sympy.expand(largest**2),
        sympy.expand(largest + (1 + largest) * e),
    )
    yield lemmas.limit("the bound over eps at eps -> 0", (1 + largest), e, 0, 2)
    m, other = sympy.symbols("m d", positive=True)  # ||P||; ||P - P^T|| where nothing is known of it
    whole = e + m * (e if algebra_symmetric else other)
    claimed = (1 + m) * e if bound is None else bound(e)
    yield ScalarIdentity("||P^2 - P|| + ||P|| ||P^T - P|| is at most", whole, claimed)
    yield ScalarSign("the other root is negative", -e / largest, (1 + e) - largest, "negative")


def quasi_projection(P: np.ndarray, symmetric: bool = True) -> tuple[float, float]:
    """Return (eps, ||P P^T - P||): eps the larger of the two defects (or the first alone)."""
    defects = [np.linalg.norm(P @ P - P, 2)] + ([np.linalg.norm(P - P.T, 2)] if symmetric else [])
    return float(max(defects)), float(np.linalg.norm(P @ P.T - P, 2))


Pk, Gk, D = (sympy.MatrixSymbol(name, f, k) for name in ("P", "G", "Delta"))
Ik, Sk, Bk = sympy.Identity(k), sympy.MatrixSymbol("S", k, k), sympy.MatrixSymbol("B", f, k)
STIEFEL = Algebra(rules=((Pk.T * Pk, Ik),))


@statement(
    "richemond.claim_6",
    "On the Stiefel manifold P^T P = I the vector G - P G^T P (G = F'(P)) is the Riemannian "
    "gradient of the canonical metric; the embedded metric has G - P (P^T G + G^T P)/2.",
    "Richemond 2023, claim 6",
    ("P^T P = I", "canonical metric tr Delta^T (I - P P^T/2) Delta"),
    {
        "the embedded (Euclidean) metric": {"metric": sympy.Identity(f)},
        "P off the manifold": {"algebra": Algebra()},
        "G + P G^T P": {"sign": 1},
    },
    no_equation="linear algebra of P alone; no rate enters",
)
def claim_6(metric: Any = None, algebra: Algebra = STIEFEL, sign: int = -1) -> Iterator[Step]:
    """It is tangent, and represents the differential on every tangent vector."""
    metric = sympy.Identity(f) - Pk * Pk.T / 2 if metric is None else metric
    gradient = Gk + sign * Pk * Gk.T * Pk
    yield Identity("it is tangent", Pk.T * gradient + gradient.T * Pk, sympy.ZeroMatrix(k, k), algebra, numeric=False)
    # every tangent vector is P (S - S^T) + (I - P P^T) B: its part along P is antisymmetric, the rest is free
    vector = Pk * (Sk - Sk.T) + Bk - Pk * Pk.T * Bk
    yield Identity(
        "P (S - S^T) + (I - P P^T) B is tangent",
        Pk.T * vector + vector.T * Pk,
        sympy.ZeroMatrix(k, k),
        algebra,
        numeric=False,
    )
    tangent = algebra + Algebra(rules=((D, vector),))
    yield Identity(
        "<gradient, Delta> = tr G^T Delta for tangent Delta",
        sympy.Trace(gradient.T * metric * D),
        sympy.Trace(Gk.T * D),
        tangent,
        numeric=False,
    )
    embedded = Gk - Pk * (Pk.T * Gk + Gk.T * Pk) / 2
    yield Identity(
        "in the embedded metric it is G - P sym(P^T G)",
        sympy.Trace(embedded.T * D),
        sympy.Trace(Gk.T * D),
        tangent,
        numeric=False,
    )


Sigma = sympy.MatrixSymbol("Sigma_x", *W.shape[1:], W.shape[1])
Cmat = sympy.MatrixSymbol("C", n2, n2)
TO_IDENTITY = Algebra(rules=((W_p, sympy.Identity(n2)),))


@statement(
    "richemond.claim_7",
    "Balancing A A^T = P^T P/alpha_p + C exp(-2 eta t): with P -> I and t -> infinity A A^T -> "
    "I/alpha_p; features are decorrelated when the inputs are white, not otherwise.",
    "Richemond 2023, claim 7 (and Tian 2021, Theorem 1)",
    ("eta > 0", "P -> I", "white inputs X + X' = v I"),
    {
        "inputs that are not white": {"white": False},
        "eta = 0: C stays": {"decay": sympy.S.Zero},
        "P of any size": {"end": Algebra()},
    },
)
def claim_7(white: bool = True, decay: Any = POSITIVE_ETA, end: Algebra = TO_IDENTITY) -> Iterator[Step]:
    """Theorem 1 on the library's flow, the end point, the covariance of the features."""
    rates = weight_rates()
    balance = matrices.balance(W, W_p, alpha_p)
    yield Identity(
        "d/dt of the balance",
        Along(balance, WordRates({"W": rates[W], "W_p": rates[W_p]})),
        -2 * eta * balance,
        MOMENTS_SYMMETRIC,
    )
    yield lemmas.limit(
        "C is forgotten",
        sympy.exp(-2 * decay * sympy.Symbol("t", positive=True)),
        sympy.Symbol("t", positive=True),
        sympy.oo,
        0,
    )
    v = sympy.Symbol("v", positive=True)
    features = W * Sigma * W.T
    inputs = Algebra(rules=((Sigma, v * sympy.Identity(W.shape[1])),)) if white else Algebra(symmetric=(Sigma,))
    balanced = end + Algebra(rules=((W * W.T, W_p.T * W_p / alpha_p),)) + inputs
    yield Identity(
        "the features' covariance A (X + X') A^T is a multiple of I",
        features,
        v / alpha_p * sympy.Identity(n2),
        balanced,
        numeric=False,
    )


STATEMENTS = (claim_1, claim_2, claim_3, claim_4, claim_5, claim_6, claim_7)
