"""The steps of a proof. Each is run by the machine and can come out false; none is marked true by hand."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import sympy

from lindyn.display.brief import Brief
from lindyn.proofs.algebra import Algebra, Along, Terms, add, evaluate, expand, scale, show, size_of

SYMBOLIC, FIXED, NUMERIC_ONLY = "symbolic size", "fixed n", "numeric"
SCOPES = (SYMBOLIC, FIXED, NUMERIC_ONLY)
"""How far a step reaches: matrices of any size (or any number of modes), of the sizes named, or the numbers drawn."""


@dataclass(frozen=True, repr=False)
class StepOutcome(Brief):
    """What running one step gave.

    Args:
        text: the step in words.
        kind: "identity", "scalar identity", "positivity", "lemma", ...
        passed: whether the remainder vanished and the numbers agreed.
        remainder: what was left, in words; "0" for a true step.
        numeric: largest relative residual at random states, or None where it was not measured.
        seconds: time taken.
        scope: one of `SCOPES`.
        sizes: which sizes or draws, where it is not of symbolic size.
    """

    text: str
    kind: str
    passed: bool
    remainder: str
    numeric: float | None = None
    seconds: float = 0.0
    scope: str = SYMBOLIC
    sizes: str = ""


class Step(Protocol):
    """What a proof is made of: words, a run and a picture in LaTeX."""

    @property
    def text(self) -> str: ...

    def run(self) -> StepOutcome:
        """Run the step."""
        ...

    def latex(self) -> str:
        """Return the step's formula in LaTeX."""
        ...


MOST_SIMPLIFIED = 100  # operations of a remainder that is still put in short form


def vanishes(expr: Any) -> bool:
    """Return whether a scalar expression simplifies to zero."""
    expr = sympy.sympify(expr)
    if expr.is_zero:
        return True
    if _apart(expr):
        return False
    if _vanishes_with_one_root(expr):
        return True
    return bool(sympy.simplify(sympy.cancel(sympy.together(sympy.expand(expr)))) == 0)


def _apart(expr: sympy.Expr) -> bool:
    """Return whether a scalar is not 0 at one point, to 20 digits: then nothing need be simplified."""
    point = {
        symbol: sympy.Rational(17 + 4 * k, 23 + 3 * k) for k, symbol in enumerate(sorted(expr.free_symbols, key=str))
    }
    value = expr.evalf(20, subs=point, chop=True)
    return bool(value.is_number and value.is_finite and abs(value) > sympy.Float("1e-12"))


def _vanishes_with_one_root(expr: sympy.Expr) -> bool:
    """Return whether an expression in one square root sqrt(q) is zero, as a polynomial in it modulo root^2 = q."""
    powers = {power for power in expr.atoms(sympy.Pow) if power.exp.is_Rational and not power.exp.is_Integer}
    bases = {power.base for power in powers}
    if len(bases) != 1 or any(power.exp.q != 2 for power in powers):
        return False
    (square,), root = bases, sympy.Dummy("root")
    numerator = sympy.fraction(sympy.together(expr.xreplace({power: root**power.exp.p for power in powers})))[0]
    if not numerator.is_polynomial(root):
        return False
    rest = sympy.rem(sympy.Poly(numerator, root), sympy.Poly(root**2 - square, root))
    return bool(sympy.expand(sympy.fraction(sympy.together(rest.as_expr()))[0]) == 0)


@dataclass(frozen=True, repr=False)
class ScalarIdentity(Brief):
    """lhs = rhs for commuting symbols, simplified to zero.

    Args:
        text: what it says.
        lhs: sympy scalar.
        rhs: sympy scalar.
        sizes: "2 x 2" and the like, where it was read off matrices of that size; "" for any.
    """

    text: str
    lhs: Any
    rhs: Any
    sizes: str = ""

    def run(self) -> StepOutcome:
        """Simplify lhs - rhs."""
        start = time.perf_counter()
        difference = sympy.sympify(self.lhs) - sympy.sympify(self.rhs)
        passed = vanishes(difference)
        left = (
            "0"
            if passed
            else str(difference if difference.count_ops() > MOST_SIMPLIFIED else sympy.simplify(difference))
        )
        took, scope = time.perf_counter() - start, FIXED if self.sizes else SYMBOLIC
        return StepOutcome(self.text, "scalar identity", passed, left, None, took, scope, self.sizes)

    def latex(self) -> str:
        """Return `lhs = rhs` in LaTeX."""
        return f"{sympy.latex(self.lhs)} = {sympy.latex(self.rhs)}"


@dataclass(frozen=True, repr=False)
class ScalarSign(Brief):
    """A scalar has one sign for all values of its symbols (sympy decides it from their assumptions).

    Args:
        text: what it says.
        expr: the scalar, written so that its sign shows (a product or sum of parts of one sign).
        equals: the scalar as the equations give it; `expr` must be identically this.
        sign: "positive", "negative", "nonnegative" or "nonpositive".
    """

    text: str
    expr: Any
    equals: Any
    sign: str = "nonnegative"

    def run(self) -> StepOutcome:
        """Check that the rewritten scalar is the given one, and its sign."""
        start = time.perf_counter()
        same = vanishes(sympy.sympify(self.expr) - sympy.sympify(self.equals))
        signed = bool(getattr(sympy.sympify(self.expr), f"is_{self.sign}"))
        left = (
            "0" if same and signed else f"{self.expr} is not seen to be {self.sign}" if same else "not the given scalar"
        )
        return StepOutcome(self.text, "sign", same and signed, left, None, time.perf_counter() - start)

    def latex(self) -> str:
        """Return the scalar and its sign in LaTeX."""
        mark = {"positive": "> 0", "negative": "< 0", "nonnegative": r"\geq 0", "nonpositive": r"\leq 0"}[self.sign]
        return f"{sympy.latex(self.equals)} = {sympy.latex(self.expr)} {mark}"


@dataclass(frozen=True, repr=False)
class Lemma(Brief):
    """A step that is no identity of matrix words: a check that computes and answers with what is left.

    Args:
        text: what it says.
        check: () -> (passed, remainder in words, numeric residual or None).
        formula: LaTeX of the statement.
        scope: one of `SCOPES`.
        sizes: which sizes or draws, where it is not of symbolic size.
    """

    text: str
    check: Callable[[], tuple[bool, str, float | None]]
    formula: str = field(default="")
    scope: str = SYMBOLIC
    sizes: str = ""

    def run(self) -> StepOutcome:
        """Run the check."""
        start = time.perf_counter()
        passed, left, number = self.check()
        took = time.perf_counter() - start
        return StepOutcome(self.text, "lemma", passed, left, number, took, self.scope, self.sizes)

    def latex(self) -> str:
        """Return the lemma's formula."""
        return self.formula or rf"\text{{{self.text}}}"


NUMERIC = 1e-10  # relative residual at random states up to which an identity holds in numbers


def words_of(side: Any) -> Terms:
    """Return the words of one side of an identity (an expression or a derivative)."""
    return side.terms if isinstance(side, Along) else expand(side)


def latex_of(side: Any) -> str:
    """Return LaTeX of one side of an identity."""
    return side.latex() if isinstance(side, Along) else sympy.latex(side)


def _inner(side: Any) -> Any:
    return side.expr if isinstance(side, Along) else side


@dataclass(frozen=True, repr=False)
class Identity(Brief):
    """lhs = rhs for non-commuting matrices of symbolic size, reduced to zero under an `Algebra`.

    Args:
        text: what it says.
        lhs: matrix expression, sum of traces, or a derivative `Along` a flow.
        rhs: the same without derivative.
        algebra: what may be assumed.
        numeric: also evaluate both sides at random states that fulfil the assumptions.
    """

    text: str
    lhs: Any
    rhs: Any
    algebra: Algebra = Algebra()
    numeric: bool = True

    @property
    def cyclic(self) -> bool:
        """Whether the two sides are traces."""
        sides = (self.lhs, self.rhs)
        return any(not getattr(_inner(side), "is_Matrix", False) and _inner(side) != 0 for side in sides)

    def remainder(self) -> Terms:
        """Return the normal form of lhs - rhs."""
        return self.algebra.reduce(add(words_of(self.lhs), scale(words_of(self.rhs), -1)), self.cyclic)

    def residual(self, seed: int = 0) -> float:
        """Return |lhs - rhs| over the sum of the sizes of their words at a random state, computed without rewriting."""
        return self.sides(seed)[0]

    def sides(self, seed: int = 0) -> tuple[float, float, float, float]:
        """Return (residual, |lhs - rhs|, |lhs|, |rhs|) at a random state that fulfils the assumptions."""
        left, right = words_of(self.lhs), words_of(self.rhs)
        rng = np.random.default_rng(seed)
        matrices, scalars = self.algebra.sample(*self._letters(left, right), rng)
        rows = self._rows()
        values = [evaluate(terms, matrices, scalars, rows, self.cyclic) for terms in (left, right)]
        (a, size_a), (b, size_b) = values
        size, apart = size_a + size_b, float(np.linalg.norm(a - b))
        return apart / size if size > 0 else 0.0, apart, float(np.linalg.norm(a)), float(np.linalg.norm(b))

    def _letters(self, *sides: Terms) -> tuple[list, set]:
        exprs = [_inner(self.lhs), _inner(self.rhs), *(part for rule in self.algebra.rules for part in rule)]
        for side in (self.lhs, self.rhs):
            exprs += list(side.rates.matrices.values()) if isinstance(side, Along) else []
        symbols = {s for expr in exprs for s in sympy.sympify(expr).atoms(sympy.MatrixSymbol)}
        free = {s for terms in sides for c in terms.values() for s in c.free_symbols}
        values = [expr for _, expr in self.algebra.rules] + list(self.algebra.scalars.values())
        free |= {s for expr in values for s in sympy.sympify(expr).free_symbols}
        return list(symbols), {s for s in free if isinstance(s, sympy.Symbol)}

    def _rows(self) -> int:
        inner = _inner(self.lhs)
        return size_of(inner.shape[0]) if getattr(inner, "is_Matrix", False) else 1

    def run(self) -> StepOutcome:
        """Reduce lhs - rhs and evaluate both sides at a random state."""
        start = time.perf_counter()
        left = self.remainder()
        number = self.residual() if self.numeric else None
        passed = not left and (number is None or number <= NUMERIC)
        return StepOutcome(self.text, "identity", passed, show(left), number, time.perf_counter() - start)

    def latex(self) -> str:
        """Return `lhs = rhs` in LaTeX."""
        return f"{latex_of(self.lhs)} = {latex_of(self.rhs)}"


@dataclass(frozen=True, repr=False)
class Positivity(Brief):
    """A trace is a sum of c tr(M^T M) with c >= 0, hence non-negative (Gram form).

    Args:
        text: what it says.
        trace: the trace that is to be non-negative.
        grams: pairs (c, M), every c a scalar that sympy knows to be non-negative.
        algebra: what may be assumed.
    """

    text: str
    trace: Any
    grams: tuple[tuple[Any, Any], ...]
    algebra: Algebra = Algebra()

    def _identity(self) -> Identity:
        total = sum((sympy.sympify(c) * sympy.Trace(M.T * M) for c, M in self.grams), sympy.S.Zero)
        return Identity(self.text, self.trace, total, self.algebra)

    def run(self) -> StepOutcome:
        """Reduce trace - sum of Gram traces, and look at the signs of the coefficients."""
        inner = self._identity().run()
        bad = [c for c, _ in self.grams if not sympy.sympify(c).is_nonnegative]
        left = inner.remainder if not bad else f"{inner.remainder}; coefficients not known >= 0: {bad}"
        return StepOutcome(self.text, "positivity", inner.passed and not bad, left, inner.numeric, inner.seconds)

    def latex(self) -> str:
        """Return the Gram form in LaTeX."""
        return self._identity().latex() + r" \geq 0"


@dataclass(frozen=True, repr=False)
class CommutingValue(Brief):
    """A matrix of commuting, jointly diagonal letters acts on each eigen-direction as a given scalar.

    Args:
        text: what it says.
        matrix: matrix expression, or derivative along a flow, in letters that all are diagonal in one basis.
        values: letter -> its eigenvalue.
        scalar: the claimed eigenvalue of `matrix`.
        algebra: what may be assumed; what is left after it must be in the letters of `values` only.
    """

    text: str
    matrix: Any
    values: Mapping[Any, Any]
    scalar: Any
    algebra: Algebra = Algebra()

    def value(self) -> sympy.Expr | None:
        """Return the eigenvalue, or None where a letter has none."""
        names = {symbol.name: value for symbol, value in self.values.items()}
        total = sympy.S.Zero
        for word, coefficient in self.algebra.reduce(words_of(self.matrix)).items():
            if any(name not in names for name, _ in word):
                return None
            total += coefficient * sympy.Mul(*(names[name] for name, _ in word))
        return total

    def run(self) -> StepOutcome:
        """Compare the eigenvalue with the claimed scalar."""
        start = time.perf_counter()
        value = self.value()
        passed = value is not None and vanishes(value - self.scalar)
        left = "0" if passed else "letters remain" if value is None else str(sympy.factor(value - self.scalar))
        return StepOutcome(self.text, "eigenvalue", passed, left, None, time.perf_counter() - start)

    def latex(self) -> str:
        """Return matrix -> scalar in LaTeX."""
        return rf"{latex_of(self.matrix)} \;\mapsto\; {sympy.latex(self.scalar)}"
