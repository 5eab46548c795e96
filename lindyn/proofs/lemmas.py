"""The analytic lemmas that several proofs lean on, each with its own check."""

from typing import Any

import numpy as np
import sympy

from lindyn.equations import matrices
from lindyn.proofs.steps import FIXED, NUMERIC_ONLY, Lemma, ScalarSign, vanishes

MODES = (2, 3, 4)


def groenwall(text: str, contraction: Any = 2, exponent: Any = 2) -> ScalarSign:
    """Return the step u' = -contraction (lambda u + d), d >= 0  =>  exp(exponent lambda t) u does not grow.

    Args:
        text: what it is used for.
        contraction: the factor in u' (2 for a squared norm).
        exponent: the claimed exponent over lambda.

    Returns:
        The sign of exp(-exponent lambda t) d/dt [exp(exponent lambda t) u], the integrating factor taken out.
    """
    u, d, rate, time = sympy.symbols("u d lambda t", nonnegative=True)
    change = -contraction * (rate * u + d)
    moved = sympy.diff(sympy.exp(exponent * rate * time), time) * u + sympy.exp(exponent * rate * time) * change
    given = sympy.expand(sympy.simplify(moved * sympy.exp(-exponent * rate * time)))
    return ScalarSign(text, given, given, "nonpositive")


def entries(name: str, rows: int, columns: int) -> sympy.Matrix:
    """Return a matrix of generic real entries."""
    return sympy.Matrix(rows, columns, lambda i, j: sympy.Symbol(f"{name}{i}{j}", real=True))


def column_stack(M: sympy.Matrix) -> sympy.Matrix:
    """Return vec(M), columns on top of each other."""
    return sympy.Matrix([M[i, j] for j in range(M.cols) for i in range(M.rows)])


def row_stack(M: sympy.Matrix) -> sympy.Matrix:
    """Return the rows of M behind each other, as numpy's reshape(-1) has them."""
    return column_stack(M.T)


def kronecker_H(stack: Any = column_stack, swap: bool = False) -> Lemma:
    """Return the step (X' (x) A + X (x) B + eta I) vec(W) = vec(H_action), entry by entry for generic entries.

    Args:
        stack: the order of vec.
        swap: put the factors of the Kronecker products the other way round.

    Returns:
        The step.
    """

    def check() -> tuple[bool, str, float | None]:
        left = []
        for rows, columns in ((2, 2), (2, 3), (3, 2)):
            W, W_p = entries("w", rows, columns), entries("p", rows, rows)
            X, X_aug = (_symmetric(name, columns) for name in ("x", "y"))
            eta = sympy.Symbol("eta")
            on_aug, on_mean = matrices.H_factors(W_p, sympy.eye(rows))
            pairs = ((X_aug, on_aug), (X, on_mean))
            H = sum(
                (sympy.kronecker_product(*(pair[::-1] if swap else pair)) for pair in pairs),
                eta * sympy.eye(rows * columns),
            )
            action = matrices.H_action(W, W_p, X, X_aug, eta, sympy.eye(rows))
            left += [value for value in (H * stack(W) - stack(action)).expand() if value != 0]
        return not left, "0" if not left else f"{len(left)} entries differ", None

    return Lemma(
        "H of Eq. 6 acts on vec(W), columns stacked, as the matrix form does",
        check,
        r"H\,\mathrm{vec}(W) = \mathrm{vec}\left[(W_p^TW_p + I) W X' + (W_p - I)^T(W_p - I) W X + \eta W\right]",
        FIXED,
        "W of 2 x 2, 2 x 3, 3 x 2",
    )


def _symmetric(name: str, n: int) -> sympy.Matrix:
    return sympy.Matrix(n, n, lambda i, j: sympy.Symbol(f"{name}{min(i, j)}{max(i, j)}", real=True))


def _antisymmetric(n: int) -> sympy.Matrix:
    return sympy.Matrix(
        n, n, lambda i, j: 0 if i == j else sympy.Symbol(f"l{min(i, j)}{max(i, j)}", real=True) * (1 if i < j else -1)
    )


def pair_sum(lowest: str = "pair", dropped: bool = False) -> Lemma:
    """Return the step tr(L^T (L K + K L)) >= lowest ||L||_F^2 in the eigenbasis of K, with equality reached.

    Args:
        lowest: "pair": k_1 + k_2; "twice": 2 k_2, a bound that is too good to be true.
        dropped: let L be any matrix, not an antisymmetric one.

    Returns:
        The step; K's eigenvalues are k_1 <= k_2 <= ..., written as k_1 + sums of gaps >= 0.
    """

    def check() -> tuple[bool, str, float | None]:
        for n in MODES:
            k1 = sympy.Symbol("k1", real=True)
            gaps = sympy.symbols(f"g1:{n}", nonnegative=True)
            k = [k1 + sum(gaps[:j]) for j in range(n)]
            K, L = sympy.diag(*k), (entries("l", n, n) if dropped else _antisymmetric(n))
            bound = k[0] + k[1] if lowest == "pair" else 2 * k[1]
            excess = sympy.expand((L.T * (L * K + K * L)).trace() - bound * (L.T * L).trace())
            if not _is_nonnegative_sum(excess):
                return False, f"for n = {n}: {excess} is no sum of non-negative parts", None
            tight = sympy.zeros(n)
            tight[0, 1], tight[1, 0] = 1, -1
            if not vanishes((tight.T * (tight * K + K * tight)).trace() - bound * 2):
                return False, f"for n = {n}: the bound is not reached", None
        return True, "0", None

    return Lemma(
        "for antisymmetric L the decay is at least the sum of the two smallest eigenvalues of K, and this is reached",
        check,
        r"\mathrm{tr}\,L^T(LK + KL) = 2\sum_{i<j}(k_i + k_j) L_{ij}^2 \geq (k_1 + k_2)\,\|L\|_F^2",
        FIXED,
        f"n = {', '.join(map(str, MODES))}",
    )


def _is_nonnegative_sum(expr: sympy.Expr) -> bool:
    """Return whether an expanded polynomial is a sum of gap x square with non-negative coefficients."""
    return all(bool(term.is_nonnegative) for term in sympy.Add.make_args(sympy.expand(expr)))


def ky_fan(k_largest: bool = True) -> Lemma:
    """Return the step sum_j lambda_j d_j <= sum of the k largest, for 0 <= d_j <= 1 with sum k.

    Args:
        k_largest: False claims it of the k smallest.

    Returns:
        The step.
    """

    def check() -> tuple[bool, str, float | None]:
        for n, k in ((2, 1), (3, 1), (3, 2), (4, 2), (5, 3)):
            gaps = sympy.symbols(f"g1:{n}", nonnegative=True)
            lowest = sympy.Symbol("l", nonnegative=True)
            eigen = [lowest + sum(gaps[j:]) for j in range(n)]  # descending
            edge, chosen = (eigen[k - 1], range(k)) if k_largest else (eigen[n - k], range(n - k, n))
            d, free = sympy.symbols(f"d0:{n}", nonnegative=True), sympy.symbols(f"c0:{n}", nonnegative=True)
            inside = sum((eigen[j] - edge) * free[j] for j in chosen)  # free = 1 - d >= 0
            outside = sum((edge - eigen[j]) * d[j] for j in range(n) if j not in chosen)
            total = sum(eigen[j] for j in chosen) - sum(eigen[j] * d[j] for j in range(n))
            slack = edge * (k - sum(d))
            if not vanishes((inside + outside + slack).subs({free[j]: 1 - d[j] for j in range(n)}) - total):
                return False, f"the split is no identity for n = {n}, k = {k}", None
            if not _is_nonnegative_sum(sympy.expand(inside + outside)):
                return False, f"for n = {n}, k = {k} a part is negative", None
        return True, "0", None

    return Lemma(
        "a rank-k orthogonal projection collects at most the k largest eigenvalues (weights d_j in [0, 1] with sum k)",
        check,
        r"\sum_j \lambda_j d_j \leq \sum_{j \leq k} \lambda_j",
        FIXED,
        "(n, k) = (2, 1), (3, 1), (3, 2), (4, 2), (5, 3)",
    )


def limit(text: str, expr: Any, symbol: Any, point: Any, value: Any) -> Lemma:
    """Return the step lim expr = value as symbol -> point, taken by sympy."""

    def check() -> tuple[bool, str, float | None]:
        found = sympy.limit(expr, symbol, point)
        passed = vanishes(found - value)
        return passed, "0" if passed else f"the limit is {found}", None

    return Lemma(
        text,
        check,
        rf"\lim_{{{sympy.latex(symbol)} \to {sympy.latex(point)}}} {sympy.latex(expr)} = {sympy.latex(value)}",
    )


def decided(text: str, decision: Any, wanted: bool) -> Lemma:
    """Return the step that a decision on symbols, made by their signs, is the wanted one.

    Args:
        text: what it says.
        decision: () -> sympy's or Python's truth value.
        wanted: what it is to be.
    """

    def check() -> tuple[bool, str, float | None]:
        found = decision()
        passed = bool(found == wanted)
        return passed, "0" if passed else f"it says {found}", None

    return Lemma(text, check)


def counted(text: str, worst: Any, limit_value: float, formula: str = "") -> Lemma:
    """Return a numeric step: `worst()` stays at or below a limit.

    Args:
        text: what it says.
        worst: () -> largest violation over seeded draws.
        limit_value: what it may reach.
        formula: LaTeX.

    Returns:
        The step.
    """

    def check() -> tuple[bool, str, float | None]:
        value = float(worst())
        passed = bool(np.isfinite(value)) and value <= limit_value
        return passed, "0" if passed else f"{value:.3g} > {limit_value:.3g}", value

    return Lemma(text, check, formula, NUMERIC_ONLY, "seeded draws")
