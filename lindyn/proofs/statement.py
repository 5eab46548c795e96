"""A statement of a paper as an object, and its proof."""

import difflib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lindyn.proofs.steps import Step, StepOutcome


@dataclass(frozen=True)
class Damage:
    """A way to make a statement false: the proof has to reject it.

    Args:
        text: what is wrong in it (a sign, a factor, an order of products, a dropped assumption).
        changes: arguments of the statement's steps that it replaces.
    """

    text: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """One statement: what it says, what it needs, where it stands, and how it is proved.

    Args:
        name: "paper.statement".
        text: one sentence.
        source: paper and equation number.
        assumptions: what it needs, in words.
        steps: (**changes) -> the steps; without changes the true ones.
        damages: false versions that the proof must reject.
        beyond: whether it goes beyond what is printed.
    """

    name: str
    text: str
    source: str
    assumptions: tuple[str, ...]
    steps: Callable[..., Iterable[Step]]
    damages: tuple[Damage, ...] = field(default=())
    beyond: bool = False

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


@dataclass(frozen=True)
class Proof:
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
) -> Callable[[Callable[..., Iterable[Step]]], Statement]:
    """Return a decorator that makes the function of steps below it a `Statement`."""

    def make(steps: Callable[..., Iterable[Step]]) -> Statement:
        wrong = tuple(Damage(what, changes) for what, changes in (damages or {}).items())
        return Statement(name, text, source, assumptions, steps, wrong, beyond)

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
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "`lindyn prove` lists them."
        raise ValueError(f"statement must be one of the {len(known)} names; got {name!r}. {hint}")
    return known[name]
