"""Statements and their steps as LaTeX, formulas made from the very objects that are proved."""

import re
from collections.abc import Iterable

from lindyn.proofs.statement import Statement

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
