"""Matrix expressions of symbolic size as sums of words in non-commuting letters, and what may be assumed of these.

A word is a tuple of letters (name, transposed); a matrix expression is a mapping word -> scalar coefficient
(the empty word is the identity). sympy builds the expression, by the library's own equations called on
`MatrixSymbol`s; the words make sums, products, transposes and derivatives mechanical. An `Algebra` holds the
assumptions as rewriting rules; a sum of words that it reduces to nothing is zero under them.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy
from sympy.matrices.expressions.special import GenericIdentity, GenericZeroMatrix

from lindyn.display.brief import Brief

Letter = tuple[str, bool]
Word = tuple[Letter, ...]
Terms = dict[Word, sympy.Expr]


def collect(pairs: Any) -> Terms:
    """Return the sum of (word, coefficient) pairs; vanishing coefficients are dropped."""
    total: Terms = {}
    for word, coefficient in pairs:
        total[word] = total.get(word, sympy.S.Zero) + coefficient
    expanded = {word: sympy.expand(coefficient) for word, coefficient in total.items()}
    return {word: coefficient for word, coefficient in expanded.items() if not coefficient.is_zero}


def transpose_word(word: Word) -> Word:
    """Return the word of the transposed product."""
    return tuple((name, not flipped) for name, flipped in reversed(word))


def transpose(terms: Terms) -> Terms:
    """Return the terms of the transposed matrix."""
    return {transpose_word(word): coefficient for word, coefficient in terms.items()}


def multiply(a: Terms, b: Terms) -> Terms:
    """Return the terms of the product of two expanded matrices."""
    return collect((u + v, c * d) for u, c in a.items() for v, d in b.items())


def add(*many: Terms) -> Terms:
    """Return the terms of a sum."""
    return collect(pair for terms in many for pair in terms.items())


def scale(terms: Terms, factor: Any) -> Terms:
    """Return the terms times a scalar."""
    return collect((word, factor * coefficient) for word, coefficient in terms.items())


def expand(expr: Any) -> Terms:
    """Return the words of a matrix expression, or of the argument words of a sum of traces.

    Args:
        expr: a sympy matrix expression of `+ - * @ .T`, whole powers and scalars; or scalars times `Trace`s.

    Returns:
        word -> coefficient.

    Raises:
        ValueError: a matrix function that has no words (an inverse, a Hadamard product): name it by a symbol.
    """
    if not getattr(expr, "is_Matrix", False):
        return _expand_scalar(sympy.sympify(expr))
    if isinstance(expr, sympy.MatrixSymbol):
        return {((expr.name, False),): sympy.S.One}
    if isinstance(expr, sympy.Identity | GenericIdentity):
        return {(): sympy.S.One}
    if isinstance(expr, sympy.ZeroMatrix | GenericZeroMatrix):
        return {}
    if isinstance(expr, sympy.Transpose):
        return transpose(expand(expr.arg))
    if isinstance(expr, sympy.MatAdd):
        return add(*(expand(term) for term in expr.args))
    if isinstance(expr, sympy.MatMul):
        return _product(expr.args)
    if isinstance(expr, sympy.MatPow) and expr.exp.is_Integer and expr.exp >= 0:
        return _product([expr.base] * int(expr.exp))
    raise ValueError(f"{expr} has no words; got a {type(expr).__name__}. Name it by a symbol and give its rules.")


def _product(factors: Any) -> Terms:
    terms: Terms = {(): sympy.S.One}
    for factor in factors:
        terms = multiply(terms, expand(factor)) if factor.is_Matrix else scale(terms, factor)
    return terms


def _expand_scalar(expr: sympy.Expr) -> Terms:
    """Return the words under the traces of a sum of (scalar x Trace)."""
    if expr.is_zero:
        return {}
    if isinstance(expr, sympy.Trace):
        return expand(expr.arg)
    if expr.is_Add:
        return add(*(_expand_scalar(term) for term in expr.args))
    if expr.is_Mul:
        traces = [factor for factor in expr.args if factor.has(sympy.Trace)]
        if len(traces) == 1:
            return scale(_expand_scalar(traces[0]), sympy.Mul(*(f for f in expr.args if f is not traces[0])))
    raise ValueError(f"A sum of scalars times one Trace each is needed; got {expr}.")


@dataclass(frozen=True, repr=False)
class WordRates(Brief):
    """d/dt (or a variation) of every symbol that moves; all others stand still.

    Args:
        matrices: name of a matrix symbol -> matrix expression of its rate.
        scalars: scalar symbol -> scalar expression of its rate.
    """

    matrices: Mapping[str, Any] = field(default_factory=dict)
    scalars: Mapping[sympy.Symbol, Any] = field(default_factory=dict)

    def __getitem__(self, symbol: Any) -> Any:
        return self.scalars[symbol] if symbol in self.scalars else self.matrices[symbol.name]

    def changed(self, **matrices: Any) -> "WordRates":
        """Return these rates with some matrices' rates replaced."""
        return WordRates({**self.matrices, **matrices}, self.scalars)


def derivative(terms: Terms, rates: WordRates) -> Terms:
    """Return d/dt of expanded terms by the product rule, letter by letter, coefficients included."""
    expanded = {name: expand(rate) for name, rate in rates.matrices.items()}
    pairs = []
    for word, coefficient in terms.items():
        for symbol, rate in rates.scalars.items():
            pairs.append((word, sympy.diff(coefficient, symbol) * rate))
        for k, (name, flipped) in enumerate(word):
            if name in expanded:
                moved = transpose(expanded[name]) if flipped else expanded[name]
                pairs += [(word[:k] + middle + word[k + 1 :], coefficient * c) for middle, c in moved.items()]
    return collect(pairs)


@dataclass(frozen=True, repr=False)
class Along(Brief):
    """The derivative of an expression along a flow (or its variation), as one side of an identity.

    Args:
        expr: matrix expression, or a sum of traces.
        rates: the flow, or the variation.
        sign: how the derivative is written, "d/dt" or e.g. "delta".
    """

    expr: Any
    rates: WordRates
    sign: str = "d/dt"

    @property
    def terms(self) -> Terms:
        """The words of the derivative."""
        return derivative(expand(self.expr), self.rates)

    def __str__(self) -> str:
        return f"{self.sign} [{self.expr}]"

    def latex(self) -> str:
        """Return LaTeX of the derivative sign and its argument."""
        mark = r"\frac{d}{dt}" if self.sign == "d/dt" else rf"\{self.sign}" if self.sign.isalpha() else self.sign
        return rf"{mark}\left[{sympy.latex(self.expr)}\right]"


def evaluate(
    terms: Terms, matrices: Mapping[str, np.ndarray], scalars: Mapping[Any, float], rows: int, cyclic: bool = False
) -> tuple[np.ndarray, float]:
    """Return the numeric value of expanded terms, and the sum of the sizes of its words.

    Args:
        terms: words.
        matrices: name -> array.
        scalars: symbol -> number.
        rows: size of the identity of the empty word.
        cyclic: the value is that of traces.

    Returns:
        (value, sum of the norms of its words: what round-off is measured against).
    """
    total, size = np.zeros((1, 1)), 0.0
    for word, coefficient in terms.items():
        factors = [matrices[name].T if flipped else matrices[name] for name, flipped in word]
        value = functools.reduce(np.matmul, factors) if factors else np.eye(rows)
        value = np.full((1, 1), np.trace(value)) if cyclic else value
        part = float(coefficient.xreplace(dict(scalars))) * value
        total, size = total + part, size + float(np.linalg.norm(part))
    return total, size


def show(terms: Terms) -> str:
    """Return expanded terms in words, e.g. `2*eta F W_p^T - W`."""
    if not terms:
        return "0"
    parts = []
    for word, coefficient in sorted(terms.items(), key=lambda item: (len(item[0]), item[0])):
        letters = " ".join(name + ("^T" if flipped else "") for name, flipped in word) or "I"
        parts.append(letters if coefficient == 1 else f"({coefficient}) {letters}")
    return " + ".join(parts)


MOST_REWRITES = 20_000
LONGEST_WORD = 100
SIZES = {"n1": 5, "n2": 3, "b": 7, "f": 4, "k": 2, "m": 6}


@dataclass(frozen=True, repr=False)
class Algebra(Brief):
    """Assumptions on the letters; a reduction uses nothing else.

    Args:
        symmetric: matrix symbols that equal their transpose.
        rules: pairs (product, expression): the product may be replaced by the expression; the transposed rule
            comes with it. A product of one letter substitutes it (W_a = tau W); of two, it says that letters
            commute (B A -> A B), are inverse (A R -> I) or make a named matrix (W W^T -> F).
        scalars: scalar symbol -> expression, substituted in every coefficient.
        samples: name of a matrix, or scalar symbol -> function of the values drawn so far, for letters whose rules do
            not say how to draw them.
    """

    symmetric: tuple[Any, ...] = ()
    rules: tuple[tuple[Any, Any], ...] = ()
    scalars: Mapping[Any, Any] = field(default_factory=dict)
    samples: Mapping[Any, Callable[[dict[str, np.ndarray], dict[Any, float]], Any]] = field(default_factory=dict)

    def __add__(self, other: "Algebra") -> "Algebra":
        return Algebra(
            self.symmetric + other.symmetric,
            self.rules + other.rules,
            {**self.scalars, **other.scalars},
            {**self.samples, **other.samples},
        )

    def _symmetric_names(self) -> frozenset[str]:
        return frozenset(symbol.name for symbol in self.symmetric)

    def _rewriting(self) -> list[tuple[Word, Terms]]:
        names = self._symmetric_names()
        found: dict[Word, Terms] = {}
        for product, value in self.rules:
            (word,) = expand(product)
            for side, terms in ((word, expand(value)), (transpose_word(word), transpose(expand(value)))):
                plain, right = _straighten(side, names), collect((_straighten(w, names), c) for w, c in terms.items())
                if plain not in right and not any(known in right and plain in value for known, value in found.items()):
                    found.setdefault(plain, right)  # else: A B -> B A, transposed, would undo itself
        return list(found.items())

    def reduce(self, terms: Terms, cyclic: bool = False) -> Terms:
        """Return the normal form of a sum of words; it is empty exactly when the sum reduces to zero.

        Args:
            terms: expanded words.
            cyclic: the words stand under a trace: they may be rotated and transposed.

        Returns:
            Words to which no rule applies, coefficients in lowest terms.

        Raises:
            ValueError: the rules do not come to an end.
        """
        names, rules, done, steps = self._symmetric_names(), self._rewriting(), [], 0
        todo = list(terms.items())
        while todo:
            word, coefficient = todo.pop()
            word = _straighten(word, names)
            rewritten = _rewrite(word, rules, cyclic)
            if rewritten is None:
                done.append((_canonical(word, names) if cyclic else word, self._scalar(coefficient)))
            else:
                todo += [(new, coefficient * c) for new, c in rewritten]
            steps += 1
            if steps > MOST_REWRITES or len(word) > LONGEST_WORD:
                raise ValueError(f"The rules do not come to an end after {steps} rewrites; orient them one way.")
        return {w: c for w, c in ((w, sympy.cancel(sympy.together(c))) for w, c in collect(done).items()) if c != 0}

    def _scalar(self, coefficient: sympy.Expr) -> sympy.Expr:
        return coefficient.subs(list(self.scalars.items())) if self.scalars else coefficient

    def sample(self, symbols: list[Any], free: Any, rng: np.random.Generator) -> tuple[dict, dict]:
        """Return random matrices and scalars that fulfil the assumptions (rules that only rename included).

        Args:
            symbols: the matrix symbols needed.
            free: the scalar symbols needed.
            rng: source of numbers.

        Returns:
            (name -> array, scalar symbol -> number).
        """
        scalars = {symbol: float(rng.uniform(0.2, 1.5)) for symbol in sorted(free, key=str)}
        for symbol, value in self.scalars.items():
            scalars[symbol] = float(sympy.sympify(value).subs(scalars))
        matrices: dict[str, np.ndarray] = {}
        for symbol in sorted(set(symbols), key=str):
            value = rng.normal(size=tuple(size_of(axis) for axis in symbol.shape)) / 2
            matrices[symbol.name] = value @ value.T if symbol in self.symmetric else value
        for product, value in self.rules:
            self._impose(product, value, matrices, scalars)
        for name, draw in self.samples.items():
            (matrices if isinstance(name, str) else scalars)[name] = draw(matrices, scalars)
        for product, value in self.rules:  # a substitution may speak of a letter drawn just now
            self._impose(product, value, matrices, scalars)
        return matrices, scalars

    def _impose(self, product: Any, value: Any, matrices: dict, scalars: dict) -> None:
        if isinstance(product, sympy.MatrixSymbol):
            rows = size_of(product.shape[0])
            matrices[product.name] = evaluate(expand(value), matrices, scalars, rows)[0]
            if matrices[product.name].shape != tuple(map(size_of, product.shape)):
                matrices[product.name] = np.zeros(tuple(map(size_of, product.shape)))
        elif isinstance(value, sympy.MatrixSymbol) and value.name not in self.samples:
            matrices[value.name] = evaluate(expand(product), matrices, scalars, size_of(value.shape[0]))[0]


def size_of(axis: Any) -> int:
    """Return the number that stands for a symbolic size in numeric checks."""
    return int(axis) if axis.is_Integer else SIZES[axis.name]


def _straighten(word: Word, symmetric: frozenset[str]) -> Word:
    return tuple((name, flipped and name not in symmetric) for name, flipped in word)


def _rewrite(word: Word, rules: list[tuple[Word, Terms]], cyclic: bool) -> list[tuple[Word, Any]] | None:
    """Return the word with one rule applied at its first place, or None when no rule fits."""
    turns = range(len(word)) if cyclic and word else (0,)
    for turn in turns:
        turned = word[turn:] + word[:turn]
        for pattern, value in rules:
            for k in range(len(turned) - len(pattern) + 1):
                if turned[k : k + len(pattern)] == pattern:
                    head, tail = turned[:k], turned[k + len(pattern) :]
                    return [(head + middle + tail, c) for middle, c in value.items()]
    return None


def _canonical(word: Word, symmetric: frozenset[str]) -> Word:
    """Return the least of the rotations of a word and of its transpose (they have one trace)."""
    if not word:
        return word
    flipped = _straighten(transpose_word(word), symmetric)
    return min(side[k:] + side[:k] for side in (word, flipped) for k in range(len(word)))
