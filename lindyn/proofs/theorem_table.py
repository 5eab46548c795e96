"""The table theorem x set of assumptions: every cell is a proof that ran, or a counter-example that was computed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy

from lindyn.display.brief import Brief
from lindyn.proofs import rows_matrices as matrices
from lindyn.proofs import rows_modes as modes
from lindyn.proofs.printed import counter_example
from lindyn.proofs.rows_matrices import COLUMNS, Setting
from lindyn.proofs.steps import Step


@dataclass(frozen=True, repr=False)
class Theorem(Brief):
    """A row of the table.

    Args:
        name: short name.
        steps: setting -> the steps that decide it.
        home: what the theorem itself assumes; each column changes one thing of it.
        premise: setting -> "" where the theorem's premise can be fulfilled, else why not.
    """

    name: str
    steps: Callable[[Setting], list[Step]]
    home: Setting = field(default=Setting())
    premise: Callable[[Setting], str] = field(default=lambda setting: "")


_123 = Setting(level="123")
_ONLINE = Setting(target="online")
_NO_DECAY = Setting(decay_p=sympy.S.Zero, decay_s=sympy.S.Zero)
THEOREMS: tuple[Theorem, ...] = (
    Theorem("Theorem 1 (balancing)", matrices.theorem_1),
    Theorem("trace of the balance", matrices.trace_law),
    Theorem("Theorem 2 (dW = -HW)", matrices.theorem_2, _ONLINE, matrices.no_stop),
    Theorem("Theorem 2 (certain decay)", matrices.certain_decay, _ONLINE, matrices.no_stop),
    Theorem("no predictor: W -> 0", matrices.certain_decay, _ONLINE, matrices.online_only),
    Theorem("closure on (W_p, F)", matrices.closure, Setting(level="12")),
    Theorem("Theorem 3 (printed 3 eta/2)", matrices.theorem_3(True), _123),
    Theorem("Theorem 3 (eta_s + eta_p/2)", matrices.theorem_3(False), _123),
    Theorem("aligned stays aligned", matrices.decoupling, _123),
    Theorem("Eq. 14 (integral)", modes.integral, _123),
    Theorem("Eq. 15 (tau)", modes.eq_15, _123),
    Theorem("Eq. 16 (parabola)", modes.eq_16, _123),
    Theorem("p_+-, s = p^2/alpha_p", modes.fixed_points(True), _123),
    Theorem("p_+-, s = (eta_p/eta_s) p^2/alpha_p", modes.fixed_points(False), _123),
    Theorem("collapse above critical", modes.collapse_above, _123, modes.above_critical),
    Theorem("p_- falls with tau (Obs. #10)", modes.p_minus, _123),
    Theorem("p_- rises with eta (Obs. #4)", modes.p_minus_with_eta, _123),
    Theorem("Eq. 17 (formula)", modes.eq_17_formula, _123),
    Theorem("Eq. 17 (if: it aligns)", modes.eq_17_if, _123),
    Theorem("Eq. 17 (only if)", modes.eq_17_only_if, _123),
    Theorem("Eq. 17 by pairs (iff k_i + k_j > 0)", modes.eq_17_pairs, _123),
    Theorem("Obs. #6 (at a given state)", modes.obs_6(at_rest=False), _123),
    Theorem("Obs. #6 (at the living point)", modes.obs_6(at_rest=True), _123),
    Theorem("Obs. #7 (at a given state)", modes.obs_7(at_rest=False), _123),
    Theorem("Obs. #7 (at the living point)", modes.obs_7(at_rest=True), _123),
    Theorem("Appendix D fixed points", matrices.manifold, _NO_DECAY),
    Theorem("scrambling: W_p W = W P rests", matrices.scrambled, _NO_DECAY, matrices.scrambled_applies),
)


@dataclass(frozen=True, repr=False)
class Cell(Brief):
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


def table_text(cells: tuple[Cell, ...]) -> str:
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


def table_markdown(cells: tuple[Cell, ...]) -> str:
    """Return the table in Markdown."""
    rows = list(dict.fromkeys(cell.row for cell in cells))
    columns = list(dict.fromkeys(cell.column for cell in cells))
    at = {(cell.row, cell.column): cell for cell in cells}
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(at[row, column].verdict for column in columns) + " |" for row in rows]
    return "\n".join(lines)
