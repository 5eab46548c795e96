"""The audit: what is printed against what is derived. The kind of every difference follows from what ran."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lindyn.proofs.counterexamples import counter_example
from lindyn.proofs.steps import Step

KINDS = {
    "agrees": "agrees with the derivation",
    "misprint": "misprint: false as printed, in its own setting",
    "missing condition": "true only under a condition that is not printed",
    "other assumptions": "true under its own assumptions, false under others the paper uses",
    "not sharp": "true, but a weaker condition suffices",
    "not necessary": "the condition is sufficient, not necessary: a weaker one decides",
    "undecided": "the corrected form was not proved",
}


@dataclass(frozen=True)
class Printed:
    """A printed statement, apart from the derivation.

    Args:
        name: short name.
        source: paper and place.
        printed: the printed form, in words or a formula.
        corrected: the corrected form; "" where the print stands.
        as_printed: () -> steps of the printed form in the setting it is printed for.
        with_condition: () -> the printed form with the condition that is missing.
        elsewhere: () -> the printed form under other assumptions that the paper uses.
        weaker: () -> steps that prove the statement under a weaker condition than the printed one.
        correct: () -> steps of the corrected form.
        numbers: () -> a counter-example in numbers, where the steps themselves do not give one.
    """

    name: str
    source: str
    printed: str
    as_printed: Callable[[], Any]
    corrected: str = ""
    with_condition: Callable[[], Any] | None = None
    elsewhere: Callable[[], Any] | None = None
    weaker: Callable[[], Any] | None = None
    correct: Callable[[], Any] | None = None
    numbers: Callable[[], str] | None = None


@dataclass(frozen=True)
class Difference:
    """A printed statement after the audit.

    Args:
        entry: what was compared.
        kind: one of `KINDS`.
        counter_example: numbers that break the printed form; "" where it agrees.
    """

    entry: Printed
    kind: str
    counter_example: str


def passes(steps: Callable[[], Any] | None) -> bool:
    """Return whether there are steps and all of them pass."""
    outcomes = [step.run().passed for step in steps()] if steps is not None else []
    return bool(outcomes) and all(outcomes)


def _numbers(entry: Printed, steps: Callable[[], Any] | None) -> str:
    if entry.numbers is not None:
        return entry.numbers()
    for step in steps() if steps is not None else ():
        if not step.run().passed:
            found = counter_example(step)
            if found:
                return f"{step.text}: {found}"
    return ""


def compare(entry: Printed) -> Difference:
    """Run the printed form and the corrected one and name the difference.

    Args:
        entry: a printed statement.

    Returns:
        The difference, its kind decided by which of the forms were proved.
    """
    stands = passes(entry.as_printed)
    if entry.correct is not None and not passes(entry.correct):
        return Difference(entry, "undecided", _numbers(entry, entry.correct))
    if not stands:
        kind = (
            "not necessary"
            if passes(entry.weaker)
            else "missing condition"
            if passes(entry.with_condition)
            else "misprint"
        )
        return Difference(entry, kind, _numbers(entry, entry.as_printed))
    if entry.elsewhere is not None and not passes(entry.elsewhere):
        return Difference(entry, "other assumptions", _numbers(entry, entry.elsewhere))
    if entry.weaker is not None and passes(entry.weaker):
        return Difference(entry, "not sharp", _numbers(entry, None))
    return Difference(entry, "agrees", "")


@functools.cache
def audit() -> tuple[Difference, ...]:
    """Compare everything that is transcribed.

    Returns:
        One difference per printed statement, agreement included.
    """
    from lindyn.proofs import print_grill, print_richemond, print_tian

    printed = (*print_tian.ENTRIES, *print_grill.ENTRIES, *print_richemond.ENTRIES)
    return tuple(compare(entry) for entry in printed)


def as_text(differences: tuple[Difference, ...]) -> str:
    """Return the differences for the terminal, then a line with the statements that agree."""
    lines = []
    for found in differences:
        if found.kind != "agrees":
            entry = found.entry
            lines += [
                f"{entry.name}  ({entry.source})",
                f"  kind:      {KINDS[found.kind]}",
                f"  printed:   {entry.printed}",
            ]
            lines += [f"  corrected: {entry.corrected}", f"  numbers:   {found.counter_example}", ""]
    agreeing = [found.entry.name for found in differences if found.kind == "agrees"]
    return "\n".join([*lines, f"Agree with the derivation ({len(agreeing)}): {', '.join(agreeing)}."])


def first_steps(statement: Any, **changes: Any) -> Callable[[], list[Step]]:
    """Return the steps of a statement as a function, for a comparison."""
    return lambda: list(statement.steps(**changes))
