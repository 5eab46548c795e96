"""Steps in commuting scalars, and lemmas with a check of their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy

from lindyn.proofs.step_results import StepOutcome


def vanishes(expr: Any) -> bool:
    """Return whether a scalar expression simplifies to zero."""
    expr = sympy.sympify(expr)
    if expr.is_zero or _vanishes_with_one_root(expr):
        return True
    return bool(sympy.simplify(sympy.cancel(sympy.together(sympy.expand(expr)))) == 0)


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


@dataclass(frozen=True)
class ScalarIdentity:
    """lhs = rhs for commuting symbols, simplified to zero.

    Args:
        text: what it says.
        lhs: sympy scalar.
        rhs: sympy scalar.
    """

    text: str
    lhs: Any
    rhs: Any

    def run(self) -> StepOutcome:
        """Simplify lhs - rhs."""
        start = time.perf_counter()
        difference = sympy.sympify(self.lhs) - sympy.sympify(self.rhs)
        passed = vanishes(difference)
        left = "0" if passed else str(sympy.simplify(difference))
        return StepOutcome(self.text, "scalar identity", passed, left, None, time.perf_counter() - start)

    def latex(self) -> str:
        """Return `lhs = rhs` in LaTeX."""
        return f"{sympy.latex(self.lhs)} = {sympy.latex(self.rhs)}"


@dataclass(frozen=True)
class ScalarSign:
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


@dataclass(frozen=True)
class Lemma:
    """A step that is no identity of matrix words: a check that computes and answers with what is left.

    Args:
        text: what it says.
        check: () -> (passed, remainder in words, numeric residual or None).
        formula: LaTeX of the statement.
    """

    text: str
    check: Callable[[], tuple[bool, str, float | None]]
    formula: str = field(default="")

    def run(self) -> StepOutcome:
        """Run the check."""
        start = time.perf_counter()
        passed, left, number = self.check()
        return StepOutcome(self.text, "lemma", passed, left, number, time.perf_counter() - start)

    def latex(self) -> str:
        """Return the lemma's formula."""
        return self.formula or rf"\text{{{self.text}}}"
