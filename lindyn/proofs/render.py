"""Proofs as text for the terminal."""

import textwrap
from collections.abc import Iterable

from lindyn.proofs.statement import Proof

WIDTH = 110


def as_text(proof: Proof, steps: bool = True) -> str:
    """Return a proof for the terminal: verdict, statement, assumptions, and each step with what was left of it."""
    statement = proof.statement
    verdict = "proved" if proof.holds else "NOT PROVED"
    lines = [
        f"{verdict:10s} {statement.name}  [{len(proof.outcomes)} steps, {proof.seconds:.2f} s]  {statement.source}"
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
        lines += _wrapped(f"{number}. {outcome.text}: {'ok' if outcome.passed else 'FAILS'}{numeric}", "      ")
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
    return "\n".join([*lines, f"{held} of {len(proofs)} statements proved, {steps} steps, {seconds:.1f} s."])
