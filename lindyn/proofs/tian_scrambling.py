"""Tian et al. 2021, Appendix D: the scrambling models of the data."""

from collections.abc import Iterator

import sympy

from lindyn.proofs.algebra import Algebra
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import Identity, Step
from lindyn.proofs.symbols import (
    n1,
)

one = sympy.Identity(n1)
P, Sx, Sn = (sympy.MatrixSymbol(name, n1, n1) for name in ("P", "Sigma_x", "Sigma_n"))
x0, z1, z2 = (sympy.MatrixSymbol(name, n1, 1) for name in ("x_0", "z_1", "z_2"))
m0 = sympy.MatrixSymbol("mean", n1, 1)
_none = sympy.ZeroMatrix(n1, n1)
SCRAMBLED = Algebra(
    symmetric=(P, Sx),
    rules=(
        (P * P, P), (x0 * x0.T, Sx), (z1 * z1.T, Sx), (z2 * z2.T, Sx),
        (x0 * z1.T, _none), (x0 * z2.T, _none), (z1 * z2.T, _none),
    ),
)  # fmt: skip
WITH_MEAN = Algebra(
    SCRAMBLED.symmetric, SCRAMBLED.rules[:4] + tuple((product, m0 * m0.T) for product, _ in SCRAMBLED.rules[4:])
)
COMMUTES = Algebra(rules=((Sx * P, P * Sx),))


@statement(
    "tian.multiplicative_scrambling",
    "Scrambled subspace: Sigma^d = P Sigma^x P and Sigma^s = P Sigma^x P + (I-P) Sigma^x (I-P), "
    "which is Sigma^x exactly when P and Sigma^x commute; then W_p W = W P.",
    "Tian 2021, Appendix D",
    ("zero mean", "P an orthogonal projection", "P Sigma^x (I-P) = 0 for Sigma^s = Sigma^x"),
    {
        "P and Sigma^x do not commute": {"commutes": Algebra()},
        "data with a mean": {"views": WITH_MEAN},
        "P no projection": {"views": Algebra(SCRAMBLED.symmetric, SCRAMBLED.rules[1:])},
    },
)
def multiplicative_scrambling(views: Algebra = SCRAMBLED, commutes: Algebra = COMMUTES) -> Iterator[Step]:
    """Expectations over one view and over two, then the printed form under its missing condition."""
    rest = one - P
    v1, v2 = P * x0 + rest * z1, P * x0 + rest * z2
    yield Identity("Sigma^d = P Sigma^x P", v1 * v2.T, P * Sx * P, views, numeric=False)
    yield Identity(
        "Sigma^s = P Sigma^x P + (I-P) Sigma^x (I-P)", v1 * v1.T, P * Sx * P + rest * Sx * rest, views, numeric=False
    )
    yield Identity(
        "Sigma^s = Sigma^x when P commutes with Sigma^x",
        P * Sx * P + rest * Sx * rest,
        Sx,
        views + commutes,
        numeric=False,
    )
    yield Identity(
        "Sigma^s - Sigma^x = -(P Sigma^x (I-P) + its transpose) in general",
        P * Sx * P + rest * Sx * rest - Sx,
        -(P * Sx * rest + rest * Sx * P),
        views,
        numeric=False,
    )
    Ri = sympy.MatrixSymbol("Sigma_x^-1", n1, n1)
    solved = views + commutes + Algebra(symmetric=(Ri,), rules=((Sx * Ri, one), (Ri * Sx, one)))
    yield Identity("then Sigma^d (Sigma^s)^-1 = P", P * Sx * P * Ri, P, solved, numeric=False)


NOISY = Algebra(
    symmetric=(Sx, Sn),
    rules=(
        (x0 * x0.T, Sx),
        (z1 * z1.T, Sn),
        (z2 * z2.T, Sn),
        (x0 * z1.T, _none),
        (x0 * z2.T, _none),
        (z1 * z2.T, _none),
    ),
)


@statement(
    "tian.additive_scrambling",
    "Additive noise of zero mean: Sigma^s = Sigma^x + Sigma^n, Sigma^d = Sigma^x, so X' = Sigma^n.",
    "Tian 2021, Appendix D",
    ("noise of zero mean, independent of the data and between views",),
    {
        "one noise for both views": {"shared": True},
        "noise that depends on the data": {
            "views": Algebra(NOISY.symmetric, tuple(rule for rule in NOISY.rules if rule[0] != x0 * z1.T))
        },
    },
)
def additive_scrambling(shared: bool = False, views: Algebra = NOISY) -> Iterator[Step]:
    """Two expectations."""
    v1, v2 = x0 + z1, x0 + (z1 if shared else z2)
    yield Identity("Sigma^s", v1 * v1.T, Sx + Sn, views, numeric=False)
    yield Identity("Sigma^d", v1 * v2.T, Sx, views, numeric=False)


STATEMENTS = (multiplicative_scrambling, additive_scrambling)
