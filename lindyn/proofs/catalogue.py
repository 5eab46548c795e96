"""All statements, in the order of the papers, and how to run them."""

from collections.abc import Iterable

from lindyn.proofs import (
    beyond,
    grill,
    grill_predictor,
    richemond,
    rule_modes,
    rule_regression,
    tian_alignment,
    tian_appendix_d,
    tian_critical,
    tian_fixed_points,
    tian_modes,
    tian_observations,
    tian_reductions,
    tian_scrambling,
    tian_weights,
)
from lindyn.proofs.statement import Proof, Statement, find

STATEMENTS: tuple[Statement, ...] = (
    *tian_weights.STATEMENTS,
    *tian_reductions.STATEMENTS,
    *tian_alignment.STATEMENTS,
    *tian_modes.STATEMENTS,
    *tian_fixed_points.STATEMENTS,
    *tian_critical.STATEMENTS,
    *tian_observations.STATEMENTS,
    *tian_appendix_d.STATEMENTS,
    *tian_scrambling.STATEMENTS,
    *richemond.STATEMENTS,
    *grill.STATEMENTS,
    *grill_predictor.STATEMENTS,
    *rule_modes.STATEMENTS,
    *rule_regression.STATEMENTS,
    *beyond.STATEMENTS,
)


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
