"""The table theorem x set of assumptions: every cell is a proof that ran, or a counter-example that was computed."""

from dataclasses import dataclass
from typing import Any

from lindyn.proofs.assumptions import COLUMNS
from lindyn.proofs.counterexamples import counter_example
from lindyn.proofs.theorems import THEOREMS, Theorem


@dataclass(frozen=True)
class Cell:
    """One theorem under one set of assumptions.

    Args:
        row: the theorem.
        column: the set.
        verdict: "holds", "fails" or "n/a".
        evidence: what was proved, the counter-example, or why it does not apply.
    """

    row: str
    column: str
    verdict: str
    evidence: str


def decide(theorem: Theorem, column: str, changes: dict[str, Any]) -> Cell:
    """Return the cell: run the proof under the set; where it does not go through, find numbers that break it.

    Args:
        theorem: the row.
        column: name of the set.
        changes: what it changes in the theorem's own setting.

    Returns:
        The cell.

    Raises:
        RuntimeError: neither proved nor refuted (a gap in the machinery, never passed over).
    """
    setting = theorem.home.having(**changes)
    reason = theorem.premise(setting)
    if reason:
        return Cell(theorem.name, column, "n/a", reason)
    steps = theorem.steps(setting)
    broken = [step for step in steps if not step.run().passed]
    if not broken:
        return Cell(theorem.name, column, "holds", f"{len(steps)} steps proved")
    for step in broken:
        found = counter_example(step)
        if found:
            return Cell(theorem.name, column, "fails", f"{step.text}: {found}")
    raise RuntimeError(f"{theorem.name} under {column!r} is neither proved nor refuted; broken: {broken[0].text}.")


def table() -> tuple[Cell, ...]:
    """Return every cell of the table, row by row."""
    return tuple(decide(theorem, column, changes) for theorem in THEOREMS for column, changes in COLUMNS)


def as_text(cells: tuple[Cell, ...]) -> str:
    """Return the table for the terminal, with the counter-example of every failing cell below it."""
    rows = list(dict.fromkeys(cell.row for cell in cells))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    at = {(cell.row, cell.column): cell for cell in cells}
    width = max(map(len, rows))
    lines = [" " * width + "  " + "  ".join(columns)]
    for row in rows:
        marks = [at[row, column].verdict.ljust(len(column)) for column in columns]
        lines.append(f"{row:{width}s}  " + "  ".join(marks).rstrip())
    lines += ["", "Each column changes one thing in the theorem's own setting. Where it fails:"]
    lines += [f"  {cell.row} | {cell.column}: {cell.evidence}" for cell in cells if cell.verdict == "fails"]
    return "\n".join(lines)


def as_markdown(cells: tuple[Cell, ...]) -> str:
    """Return the table in Markdown."""
    rows = list(dict.fromkeys(cell.row for cell in cells))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    at = {(cell.row, cell.column): cell for cell in cells}
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(at[row, column].verdict for column in columns) + " |" for row in rows]
    return "\n".join(lines)
