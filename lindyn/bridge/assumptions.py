"""What was taken for granted of a network or its features, and what a second reading without it gave."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lindyn import _checks
from lindyn.display.brief import Brief

NOT_TRIED, SAME, OTHER = "not tried", "the same verdicts", "other verdicts"
OUTCOMES = (NOT_TRIED, SAME, OTHER)
EVERYTHING, LAWS_ONLY, RATES_ONLY = REACHES = ("everything", "laws", "rates")


@dataclass(frozen=True, eq=False, repr=False)
class Assumption(Brief):
    """What was taken for granted of a network or its features, since nothing that was read says it.

    Args:
        about: one noun, stable: "activation", "stem", "pooling", "BatchNorm", "image size", "weights", "views", ...
        taken: what it was taken to be, a clause ("a ReLU stands in each gap of the predictor").
        choose: how to say otherwise ("model.activation=gelu"), "" where nobody can.
        instead: `Pieces` to the same pieces with it changed, for a second reading; None where that cannot be had.
        changed: what `instead` changes it to, in words ("GELU").
        outcome: of the second reading, one of `OUTCOMES`.
        told: which verdicts the second reading changed, in words; without one, what follows from it.
        reach: what it touches: "everything", "laws" (not the word on collapse), "rates" (only what other rates do).

    Raises:
        ValueError: another outcome or reach.
    """

    about: str
    taken: str
    choose: str = ""
    instead: Callable[[Any], Any] | None = None
    changed: str = ""
    outcome: str = NOT_TRIED
    told: str = ""
    reach: str = EVERYTHING

    def __post_init__(self) -> None:
        _checks.one_of("outcome", self.outcome, OUTCOMES)
        _checks.one_of("reach", self.reach, REACHES)

    @property
    def words(self) -> str:
        """The assumption as a clause: what was taken, what a second reading gave, how to choose."""
        other = f"with {self.changed} " if self.changed else ""
        same = f"{other}the verdicts are the same" + (f" ({self.told})" if self.told else "")
        tried = {SAME: same, OTHER: f"{other}{self.told}", NOT_TRIED: self.told}
        parts = [f"{self.about}: {self.taken}", tried[self.outcome]]
        parts += [f"say otherwise by {self.choose}"] if self.choose else []
        return "; ".join(part for part in parts if part)

    @property
    def sentence(self) -> str:
        """The assumption as a sentence."""
        return f"{self.words[:1].upper()}{self.words[1:]}."

    @property
    def weak(self) -> str:
        """What it weakens a statement by, in words; "" where a second reading gave the same."""
        if self.outcome == SAME:
            return ""
        if self.outcome == OTHER:
            return f"{self.about}: with {self.changed} {self.told}" if self.changed else f"{self.about}: {self.taken}"
        return f"{self.about}: {self.taken} (assumed, no second reading)"
