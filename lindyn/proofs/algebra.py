"""What may be assumed about the letters, as rewriting rules, and the reduction of words under them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from lindyn.proofs.matrix_words import Terms, Word, collect, evaluate, expand, transpose, transpose_word

MOST_REWRITES = 20_000
LONGEST_WORD = 100
SIZES = {"n1": 5, "n2": 3, "b": 7, "f": 4, "k": 2, "m": 6}


@dataclass(frozen=True)
class Algebra:
    """Assumptions on the letters; a reduction uses nothing else.

    Args:
        symmetric: matrix symbols that equal their transpose.
        rules: pairs (product, expression): the product may be replaced by the expression; the transposed rule
            comes with it. A product of one letter substitutes it (W_a = tau W); of two, it says that letters
            commute (B A -> A B), are inverse (A R -> I) or make a named matrix (W W^T -> F).
        scalars: scalar symbol -> expression, substituted in every coefficient.
        samples: name -> function of the values drawn so far, for letters whose rules do not say how to draw them.
    """

    symmetric: tuple[Any, ...] = ()
    rules: tuple[tuple[Any, Any], ...] = ()
    scalars: Mapping[Any, Any] = field(default_factory=dict)
    samples: Mapping[str, Callable[[dict[str, np.ndarray], dict[Any, float]], np.ndarray]] = field(default_factory=dict)

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
            matrices[name] = draw(matrices, scalars)
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
