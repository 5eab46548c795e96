"""A statement of a paper as an object, its proof, and both as text and as LaTeX (made from what is proved)."""

import re
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lindyn._options import did_you_mean
from lindyn.display.brief import Brief, notebook
from lindyn.proofs.steps import FIXED, SCOPES, SYMBOLIC, Step, StepOutcome


@dataclass(frozen=True, repr=False)
class Damage(Brief):
    """A way to make a statement false: the proof has to reject it.

    Args:
        text: what is wrong in it (a sign, a factor, an order of products, a dropped assumption).
        changes: arguments of the statement's steps that it replaces.
    """

    text: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Statement(Brief):
    """One statement: what it says, what it needs, where it stands, and how it is proved.

    Args:
        name: "paper.statement".
        text: one sentence.
        source: paper and equation number.
        assumptions: what it needs, in words.
        steps: (**changes) -> the steps; without changes the true ones.
        damages: false versions that the proof must reject.
        beyond: whether it goes beyond what is printed.
        no_equation: why no function of `lindyn.equations` enters its proof; "" where one does.
        sizes: "2 outputs" and the like, where all of it is written out for these sizes; "" for any.
    """

    name: str
    text: str
    source: str
    assumptions: tuple[str, ...]
    steps: Callable[..., Iterable[Step]]
    damages: tuple[Damage, ...] = field(default=())
    beyond: bool = False
    no_equation: str = ""
    sizes: str = ""

    def prove(self, damage: Damage | None = None) -> "Proof":
        """Run every step, of the statement itself or of a damaged version.

        Args:
            damage: which of `damages` to apply, or None.

        Returns:
            The proof with the outcome of each step.
        """
        start = time.perf_counter()
        changes = {} if damage is None else dict(damage.changes)
        outcomes = tuple(step.run() for step in self.steps(**changes))
        return Proof(self, outcomes, damage, time.perf_counter() - start)


@dataclass(frozen=True, repr=False)
class Proof(Brief):
    """A proof that was run.

    Args:
        statement: what was to be proved.
        outcomes: one per step.
        damage: the damage that was applied, if any.
        seconds: time taken.
    """

    statement: Statement
    outcomes: tuple[StepOutcome, ...]
    damage: Damage | None
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether there are steps and every one of them passed."""
        return bool(self.outcomes) and all(outcome.passed for outcome in self.outcomes)

    def __repr__(self) -> str:
        """Return one line: the statement, whether it is proved, and in how many steps."""
        return f"Proof({self.statement.name!r}, {self._verdict()}, {len(self.outcomes)} steps{self._damaged()})"

    def _repr_html_(self) -> str:
        rows = [[each.text, "ok" if each.passed else f"fails, left over: {each.remainder}"] for each in self.outcomes]
        title = f"{self.statement.name}: {self._verdict()}{self._damaged()}"
        assumed = "; ".join(self.statement.assumptions)
        note = self.statement.text + (f" Assumes: {assumed}." if assumed else "")
        return notebook(title, ("step", ""), rows, note)

    def _verdict(self) -> str:
        return "proved" if self.holds else "not proved"

    def _damaged(self) -> str:
        return "" if self.damage is None else f", damaged on purpose: {self.damage.text}"

    @property
    def scope(self) -> str:
        """How far it reaches: that of the step that reaches least, one of `steps.SCOPES`."""
        own = FIXED if self.statement.sizes else SYMBOLIC
        return max((own, *(outcome.scope for outcome in self.outcomes)), key=SCOPES.index)

    @property
    def limits(self) -> str:
        """What it is restricted to, in words: the assumptions, and the sizes of steps that are not of any size."""
        named = (self.statement.sizes, *(outcome.sizes for outcome in self.outcomes))
        return "; ".join([*self.statement.assumptions, *dict.fromkeys(sizes for sizes in named if sizes)])

    @property
    def failed(self) -> tuple[StepOutcome, ...]:
        """The steps that did not pass."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)


def statement(
    name: str,
    text: str,
    source: str,
    assumptions: tuple[str, ...] = (),
    damages: Mapping[str, Mapping[str, Any]] | None = None,
    beyond: bool = False,
    no_equation: str = "",
    sizes: str = "",
) -> Callable[[Callable[..., Iterable[Step]]], Statement]:
    """Return a decorator that makes the function of steps below it a `Statement`."""

    def make(steps: Callable[..., Iterable[Step]]) -> Statement:
        wrong = tuple(Damage(what, changes) for what, changes in (damages or {}).items())
        return Statement(name, text, source, assumptions, steps, wrong, beyond, no_equation, sizes)

    return make


def find(name: str, statements: Iterable[Statement]) -> Statement:
    """Return the statement of this name.

    Args:
        name: full name.
        statements: where to look.

    Returns:
        The statement.

    Raises:
        ValueError: there is none; the message suggests the near one.
    """
    known = {one.name: one for one in statements}
    if name not in known:
        hint = did_you_mean(name, known) or " `lindyn prove` lists them."
        raise ValueError(f"statement must be one of the {len(known)} names; got {name!r}.{hint}")
    return known[name]


WIDTH = 110


def as_text(proof: Proof, steps: bool = True) -> str:
    """Return a proof for the terminal: verdict, statement, assumptions, and each step with what was left of it."""
    statement = proof.statement
    verdict = "proved" if proof.holds else "NOT PROVED"
    lines = [
        f"{verdict:10s} {statement.name}  [{len(proof.outcomes)} steps, {proof.scope}, {proof.seconds:.2f} s]  "
        f"{statement.source}"
    ]
    if not steps and proof.holds:
        return lines[0]
    lines += _wrapped(statement.text, "    ")
    if statement.assumptions:
        lines += _wrapped("assumes: " + "; ".join(statement.assumptions), "    ")
    if proof.damage is not None:
        lines += _wrapped("damaged on purpose: " + proof.damage.text, "    ")
    for number, outcome in enumerate(proof.outcomes, 1):
        numeric = "" if outcome.numeric is None else f" (numbers: {outcome.numeric:.1e})"
        scope = "" if outcome.scope == SCOPES[0] else f" [{outcome.scope}: {outcome.sizes}]"
        lines += _wrapped(f"{number}. {outcome.text}: {'ok' if outcome.passed else 'FAILS'}{numeric}{scope}", "      ")
        if not outcome.passed:
            lines += _wrapped("left over: " + outcome.remainder, "         ")
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_long_words=False)


def as_table(proofs: Iterable[Proof]) -> str:
    """Return one line per proof and a closing line with the totals."""
    proofs = tuple(proofs)
    lines = [as_text(proof, steps=False) for proof in proofs]
    held = sum(proof.holds for proof in proofs)
    steps = sum(len(proof.outcomes) for proof in proofs)
    seconds = sum(proof.seconds for proof in proofs)
    reach = ", ".join(f"{sum(proof.scope == scope for proof in proofs)} {scope}" for scope in SCOPES)
    return "\n".join([*lines, f"{held} of {len(proofs)} statements proved ({reach}), {steps} steps, {seconds:.1f} s."])


WIDEST = 80  # letters of a displayed line, by the estimate of `_width`
_PREAMBLE = r"""\documentclass{article}
\usepackage{amsmath,amssymb,graphicx}
\usepackage[margin=2.2cm]{geometry}
\allowdisplaybreaks
\newlength{\formula}
\newcommand{\fitted}[1]{% a line of a formula, shrunk where it is wider than the page
  \settowidth{\formula}{$\displaystyle #1$}%
  \ifdim\formula>\linewidth\resizebox{\linewidth}{!}{$\displaystyle #1$}\else\hbox{$\displaystyle #1$}\fi}
\begin{document}
"""
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "^": r"\^{}",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "{": r"\{",
    "}": r"\}",
    "<": r"$<$",
    ">": r"$>$",
    "~": r"\~{}",
    "|": r"\textbar{}",
}


def as_latex(statement: Statement) -> str:
    """Return a statement and its steps as LaTeX, formulas made from the objects that are proved."""
    parts = [f"\\subsection*{{{_escape(statement.name)}}}", _escape(statement.text), ""]
    if statement.assumptions:
        parts += [
            f"\\emph{{Assumptions:}} {_escape('; '.join(statement.assumptions))}. "
            f"\\emph{{Source:}} {_escape(statement.source)}.",
            "",
        ]
    for step in statement.steps():
        parts += [_escape(step.text) + ":", displayed(step.latex())]
    return "\n".join(parts)


def as_latex_document(statements: Iterable[Statement]) -> str:
    """Return a LaTeX document of several statements."""
    return _PREAMBLE + "\n\n".join(as_latex(statement) for statement in statements) + "\n\\end{document}\n"


def displayed(formula: str) -> str:
    """Return a formula as a display, broken before signs and relations where it is wider than a page.

    Args:
        formula: LaTeX without display; breaks are only made outside its braces.

    Returns:
        A `gather*` of as many lines as it needs.
    """
    formula = re.sub(r"\+ *- *", "- ", formula)
    if _width(formula) > WIDEST:  # paired brackets must end in the line they start in
        formula = re.sub(r"\\left *([(\[|])", r"\\bigl\1", formula)
        formula = re.sub(r"\\right *([)\]|])", r"\\bigr\1", formula)
    lines = [""]
    for piece in _pieces(formula):
        if lines[-1] and _width(lines[-1] + piece) > WIDEST:
            lines.append("")
        lines[-1] += piece
    shown = [f"\\fitted{{{'' if k == 0 else '{} '}{line.strip()}}}" for k, line in enumerate(lines)]
    return "\\begin{gather*}\n" + " \\\\\n".join(shown) + "\n\\end{gather*}"


def _pieces(formula: str) -> list[str]:
    r"""Split before every sign and relation that stands in no braces and in no \\left ... \\right."""
    pieces, depth, start = [], 0, 0
    for match in re.finditer(
        r"\\left\b|\\right\b|\\[{}]|[{}]|(?<=[ )}\]]) ?(?:[+=-]|\\geq|\\leq|\\mapsto)(?= )", formula
    ):
        sign = match.group()
        if sign in ("{", "\\left"):
            depth += 1
        elif sign in ("}", "\\right"):
            depth -= 1
        elif depth == 0 and sign not in (r"\{", r"\}") and match.start() > start:
            pieces.append(formula[start : match.start()])
            start = match.start()
    return [*pieces, formula[start:]]


def _width(formula: str) -> float:
    """Estimate how many letters wide a formula is set: a fraction as wide as its wider part, indices half as wide."""
    while match := re.search(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", formula):
        wider = max(match.groups(), key=_width)
        formula = formula[: match.start()] + wider + formula[match.end() :]
    formula = re.sub(r"\\(left|right|bigl|bigr|operatorname|mathrm|text|sqrt|displaystyle)\b", "", formula)
    formula = re.sub(r"\\[a-zA-Z]+", "a", formula)
    indices = sum(len(part) for part in re.findall(r"[_^]\{([^{}]*)\}", formula))
    return len(re.sub(r"[{}_^\\ ]", "", formula)) + 1.2 * len(re.findall(r" [+=-] ", formula)) - 0.4 * indices


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(letter, letter) for letter in text)
