"""All statements, in the order of the papers, all printed forms, and how to run them."""

import functools
import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from lindyn import equations
from lindyn.proofs.printed import Difference, Printed, compare
from lindyn.proofs.sheets import (
    beyond,
    draganov,
    grill,
    grill_training,
    normalised,
    normalised_alignment,
    normalised_projector,
    outputs_alone,
    richemond,
    rule_cores,
    rule_modes,
    rule_regression,
    tian_appendix,
    tian_appendix_d,
    tian_correlation,
    tian_critical_decay,
    tian_modes,
    tian_no_stop_gradient,
    tian_observations,
    tian_scrambling,
    tian_weights,
)
from lindyn.proofs.statement import Proof, Statement, find

_SHEETS: tuple[Any, ...] = (
    tian_weights, tian_correlation, tian_no_stop_gradient, tian_modes, tian_critical_decay, tian_observations,
    tian_appendix, tian_appendix_d, tian_scrambling, richemond, grill, grill_training, rule_modes, rule_cores,
    rule_regression, beyond, normalised, normalised_alignment, normalised_projector, draganov, outputs_alone,
)  # fmt: skip
STATEMENTS: tuple[Statement, ...] = tuple(one for sheet in _SHEETS for one in sheet.STATEMENTS)


def statement_named(name: str) -> Statement:
    """Return the statement of this name.

    Args:
        name: e.g. "tian.theorem_1".

    Returns:
        The statement.

    Raises:
        ValueError: there is none; the message suggests the near one.
    """
    return find(name, STATEMENTS)


def prove(names: str | Iterable[str] = ()) -> tuple[Proof, ...]:
    """Run the proofs of the named statements, or of all of them.

    Args:
        names: one name, several, or none for all.

    Returns:
        One proof each, in the order asked for.

    Raises:
        ValueError: an unknown name.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    chosen = [statement_named(name) for name in wanted] or list(STATEMENTS)
    return tuple(statement.prove() for statement in chosen)


def rejections(statement: Statement) -> tuple[Proof, ...]:
    """Run the proof of every damaged version of a statement; none of them may hold.

    Args:
        statement: whose damages to run.

    Returns:
        One proof per damage.
    """
    return tuple(statement.prove(damage) for damage in statement.damages)


@functools.cache
def audit() -> tuple[Difference, ...]:
    """Compare everything that is transcribed.

    Returns:
        One difference per printed statement, agreement included.
    """
    return tuple(compare(entry) for entry in entries())


@functools.cache
def entries() -> tuple[Printed, ...]:
    """Return every printed statement that the audit compares, in the order of the papers."""
    from lindyn.proofs import print_grill, print_richemond, print_tian, print_tian_appendix

    return (*print_tian.ENTRIES, *print_tian_appendix.ENTRIES, *print_grill.ENTRIES, *print_richemond.ENTRIES)


def equations_of(statement: Statement) -> tuple[CodeType, ...]:
    """Return the functions of `lindyn.equations` that are called while the steps of a statement are made.

    They are seen, not listed: a hook on every call watches the statement read the library's own equations on symbols.

    Args:
        statement: whose steps to make.

    Returns:
        The code of each function, with its file and line, in the order of files and lines.
    """
    folder = str(Path(equations.__file__).parent)
    seen: set[CodeType] = set()

    def hook(frame: FrameType, event: str, arg: Any) -> None:
        if frame.f_code.co_filename.startswith(folder):
            seen.add(frame.f_code)

    before = sys.gettrace()
    sys.settrace(hook)
    try:
        for _ in statement.steps():
            pass
    finally:
        sys.settrace(before)
    return tuple(sorted(seen, key=lambda code: (code.co_filename, code.co_firstlineno)))
