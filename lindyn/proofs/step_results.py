"""What a step of a proof is, and what running one gave."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StepOutcome:
    """What running one step gave.

    Args:
        text: the step in words.
        kind: "identity", "scalar identity", "positivity", "lemma", ...
        passed: whether the remainder vanished and the numbers agreed.
        remainder: what was left, in words; "0" for a true step.
        numeric: largest relative residual at random states, or None where it was not measured.
        seconds: time taken.
    """

    text: str
    kind: str
    passed: bool
    remainder: str
    numeric: float | None = None
    seconds: float = 0.0


class Step(Protocol):
    """What a proof is made of: words, a run and a picture in LaTeX."""

    @property
    def text(self) -> str: ...

    def run(self) -> StepOutcome:
        """Run the step."""
        ...

    def latex(self) -> str:
        """Return the step's formula in LaTeX."""
        ...
