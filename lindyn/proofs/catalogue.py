"""All statements, in the order of the papers, all printed forms, and how to run them."""

import functools
from collections.abc import Iterable
from typing import Any

from lindyn.proofs import (
    beyond,
    grill,
    print_grill,
    print_richemond,
    print_tian,
    richemond,
    rule_modes,
    rule_regression,
    tian_appendix_d,
    tian_correlation,
    tian_modes,
    tian_observations,
    tian_weights,
)
from lindyn.proofs.printed import Difference, Printed, compare
from lindyn.proofs.statement import Proof, Statement, find

_SHEETS: tuple[Any, ...] = (
    tian_weights, tian_correlation, tian_modes, tian_observations, tian_appendix_d, richemond, grill, rule_modes,
    rule_regression, beyond,
)  # fmt: skip
STATEMENTS: tuple[Statement, ...] = tuple(one for sheet in _SHEETS for one in sheet.STATEMENTS)
ENTRIES: tuple[Printed, ...] = (*print_tian.ENTRIES, *print_grill.ENTRIES, *print_richemond.ENTRIES)


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
    return tuple(compare(entry) for entry in ENTRIES)
