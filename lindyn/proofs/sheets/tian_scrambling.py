"""Tian et al. 2021, Appendix D.2: data scrambled by a Gaussian matrix or by noise; beside them, by resampling."""

from collections.abc import Iterator
from typing import Any

import sympy

from lindyn.proofs import lemmas
from lindyn.proofs.algebra import Algebra
from lindyn.proofs.letters import *
from lindyn.proofs.statement import statement
from lindyn.proofs.steps import FIXED, Identity, ScalarIdentity, Step, vanishes

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
    "tian.resampled_subspace",
    "A subspace taken from another sample, P x + (I-P) x': Sigma^d = P Sigma^x P and Sigma^s = P Sigma^x P + "
    "(I-P) Sigma^x (I-P), which is Sigma^x exactly when P and Sigma^x commute; Sigma^d (Sigma^s)^-1 = P in any case.",
    "a model beside Tian 2021, Appendix D.2",
    ("zero mean", "P an orthogonal projection", "Sigma^x > 0"),
    {
        "P and Sigma^x do not commute": {"commutes": Algebra()},
        "data with a mean": {"views": WITH_MEAN},
        "P no projection": {"views": Algebra(SCRAMBLED.symmetric, SCRAMBLED.rules[1:])},
    },
    beyond=True,
    no_equation="expectations over views; no rate enters",
)
def resampled_subspace(views: Algebra = SCRAMBLED, commutes: Algebra = COMMUTES) -> Iterator[Step]:
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
    kept, lost = sympy.MatrixSymbol("(P Sigma_x P)^+", n1, n1), sympy.MatrixSymbol("((I-P) Sigma_x (I-P))^+", n1, n1)
    blocks = Algebra(
        symmetric=(P, Sx, kept, lost),
        rules=(
            (P * P, P), (P * kept, kept), (P * lost, _none), (kept * P, kept), (lost * P, _none),
            (kept * Sx * P, P), (lost * Sx * lost, lost), (kept * Sx * kept, kept), (P * Sx * kept, P),
        ),
    )  # fmt: skip
    yield Identity(
        "Sigma^d times P Sigma^x P's inverse + (I-P) Sigma^x (I-P)'s inverse is P, commuting or not",
        P * Sx * P * (kept + lost), P, blocks, numeric=False,
    )  # fmt: skip


k = sympy.Symbol("k", integer=True, positive=True)
U, Bg1, Bg2 = sympy.MatrixSymbol("U", n1, k), sympy.MatrixSymbol("B_1", k, k), sympy.MatrixSymbol("B_2", k, k)
c = sympy.Symbol("c", positive=True)  # tr U^T Sigma^x U
_zero = sympy.ZeroMatrix(k, k)
FRAME = ((U.T * U, sympy.Identity(k)), (P * U, sympy.ZeroMatrix(n1, k)), (P * P, P), (U * U.T, one - P))
GAUSSIAN = Algebra(
    symmetric=(P, Sx),
    rules=(
        (x0 * x0.T, Sx), (Bg1 * U.T * Sx * U * Bg1.T, c * sympy.Identity(k)), (Bg1, _zero), (Bg2, _zero), *FRAME,
    ),
)  # fmt: skip


def gaussian_square(rows: bool = True) -> lemmas.Lemma:
    """Return the step E[B M B^T] = tr(M) I for independent standard normal entries, from E[B_ia B_jb].

    Args:
        rows: False claims tr(M) M.
    """

    def check() -> tuple[bool, str, float | None]:
        for n in (1, 2, 3):
            M = lemmas.entries("m", n, n)
            moment = lambda i, a, j, b: int(i == j and a == b)  # noqa: E731
            found = sympy.Matrix(
                n, n,
                lambda i, j: sum(moment(i, a, j, b) * M[a, b] for a in range(n) for b in range(n)),  # noqa: B023
            )  # fmt: skip
            wanted = M.trace() * (sympy.eye(n) if rows else M)
            if any(not vanishes(entry) for entry in found - wanted):
                return False, f"for k = {n} it is {found}", None
        return True, "0", None

    return lemmas.Lemma(
        "E[B M B^T] = tr(M) I for a Gaussian k x k matrix B", check, r"\mathrm{E}[B M B^T] = \mathrm{tr}(M)\, I",
        FIXED, "k = 1, 2, 3",
    )  # fmt: skip


@statement(
    "tian.multiplicative_scrambling",
    "The paper's model x' = (P + U B U^T) x, B Gaussian: Sigma^d = P Sigma^x P, Sigma^s = P Sigma^x P + tr(U^T Sigma^x "
    "U) U U^T, and Sigma^d (Sigma^s)^-1 = P whether or not P and Sigma^x commute; Sigma^s = Sigma^x only for k = 1 "
    "where they do.",
    "Tian 2021, Appendix D.2",
    ("B of independent standard normal entries, drawn anew for each view", "P = I - U U^T, U^T U = I", "Sigma^x > 0"),
    {
        "one B for both views": {"shared": True},
        "the printed Sigma^s = Sigma^x": {"claimed": Sx},
        "E[B M B^T] = tr(M) M": {"rows": False},
        "U not orthogonal to P": {"views": Algebra(GAUSSIAN.symmetric, GAUSSIAN.rules[:4])},
        "Sigma^s = Sigma^x for commuting P and every k": {"one_dimension": False},
    },
    no_equation="expectations over views; no rate enters",
)
def multiplicative_scrambling(
    shared: bool = False, claimed: Any = None, rows: bool = True, views: Algebra = GAUSSIAN, one_dimension: bool = True
) -> Iterator[Step]:
    """Expectations over one view and over two, the inverse by blocks, and where the printed form is true."""
    first, second = P + U * Bg1 * U.T, P + U * (Bg1 if shared else Bg2) * U.T
    yield gaussian_square(rows)
    yield Identity(
        "Sigma^d = P Sigma^x P", (first * x0) * (second * x0).T, P * Sx * P, views, numeric=False
    )  # fmt: skip
    Ss = P * Sx * P + c * (one - P)
    yield Identity(
        "Sigma^s = P Sigma^x P + tr(U^T Sigma^x U) U U^T",
        (first * x0) * (first * x0).T, Ss if claimed is None else claimed, views, numeric=False,
    )  # fmt: skip
    G = sympy.MatrixSymbol("(P Sigma_x P)^+", n1, n1)
    blocks = Algebra(symmetric=(P, Sx, G), rules=((P * P, P), (P * G, G), (G * P, G), (P * Sx * G, P), (G * Sx * P, P)))
    inverse = G + (one - P) / c
    yield Identity("the inverse of Sigma^s by its blocks", Ss * inverse, one, blocks, numeric=False)
    yield Identity("Sigma^d (Sigma^s)^-1 = P", P * Sx * P * inverse, P, blocks, numeric=False)
    yield from _printed_scrambling(one_dimension)


def _printed_scrambling(one_dimension: bool) -> Iterator[Step]:
    """Where Sigma^s = Sigma^x: P commutes, and the scrambled block is c I; by its trace k c = c."""
    block = Algebra(symmetric=(P, Sx), rules=(*FRAME[:3], (Sx * P, P * Sx)))
    yield Identity(
        "Sigma^s = Sigma^x needs U^T Sigma^x U = c I: U^T Sigma^s U",
        U.T * (P * Sx * P + c * U * U.T) * U, c * sympy.Identity(k), block, numeric=False,
    )  # fmt: skip
    size = sympy.S.One if one_dimension else sympy.Symbol("k", positive=True)
    yield ScalarIdentity("and its trace k c is to be tr U^T Sigma^x U = c: k = 1", size * c, c)


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
    no_equation="expectations over views; no rate enters",
)
def additive_scrambling(shared: bool = False, views: Algebra = NOISY) -> Iterator[Step]:
    """Two expectations."""
    v1, v2 = x0 + z1, x0 + (z1 if shared else z2)
    yield Identity("Sigma^s", v1 * v1.T, Sx + Sn, views, numeric=False)
    yield Identity("Sigma^d", v1 * v2.T, Sx, views, numeric=False)


STATEMENTS = (multiplicative_scrambling, resampled_subspace, additive_scrambling)
