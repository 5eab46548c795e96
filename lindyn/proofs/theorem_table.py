"""The table theorem x set of assumptions: every cell is a proof that ran, or a counter-example that was computed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy

from lindyn.display.brief import Brief
from lindyn.proofs import rows_decay as decay
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


HOW_TO_READ = (
    "Each column changes one thing in the theorem's own setting. loss = cosine: the closure, kappa and pace those of "
    "the whole network. BatchNorm: no scale and shift; what rests does so in the map behind it. depth L: what fails "
    "does so with two layers; what holds is proved with W_1 for all layers below the last."
)
_123 = Setting(level="123")
_ONLINE = Setting(target="online")
_NO_DECAY = Setting(decay_p=sympy.S.Zero, decay_s=sympy.S.Zero)
THEOREMS: tuple[Theorem, ...] = (
    Theorem("Theorem 1 (balancing)", matrices.theorem_1),
    Theorem("Theorem 1 (W_L in place of W)", matrices.theorem_1_last),
    Theorem("trace of the balance", matrices.trace_law),
    Theorem("Theorem 2 (dW = -HW)", decay.theorem_2, _ONLINE, decay.no_stop),
    Theorem("Theorem 2 (certain decay)", decay.certain_decay, _ONLINE, decay.no_stop),
    Theorem("no predictor: W -> 0 (certain rate)", decay.without_predictor, _ONLINE, decay.online_only),
    Theorem("closure on (W_p, F)", matrices.closure, Setting(level="12")),
    Theorem("Theorem 3 (printed 3 eta/2)", matrices.theorem_3(True), _123),
    Theorem("Theorem 3 (eta_s + eta_p/2)", matrices.theorem_3(False), _123),
    Theorem("Theorem 3 (kappa of the loss in K)", matrices.theorem_3(False, own=True), _123),
    Theorem("aligned stays aligned", matrices.decoupling, _123),
    Theorem("Eq. 14 (integral)", modes.integral, _123),
    Theorem("Eq. 15 (tau)", modes.eq_15, _123),
    Theorem("Eq. 16 (parabola)", modes.eq_16, _123),
    Theorem("p_+-, s = p^2/alpha_p", modes.fixed_points(True), _123),
    Theorem("p_+-, s = (eta_p/eta_s) p^2/alpha_p", modes.fixed_points(False), _123),
    Theorem("collapse above critical", modes.collapse_above, _123, modes.above_critical),
    Theorem("p_- falls with tau (Obs. #10)", modes.p_minus, _123, modes.saddle_of_eq_16),
    Theorem("p_- rises with eta (Obs. #4)", modes.p_minus_with_eta, _123, modes.saddle_of_eq_16),
    Theorem("Eq. 17 (formula)", modes.eq_17_formula, _123, matrices.ungoverned),
    Theorem("Eq. 17 (if: it aligns)", modes.eq_17_if, _123, matrices.ungoverned),
    Theorem("Eq. 17 (only if)", modes.eq_17_only_if, _123, matrices.ungoverned),
    Theorem("Eq. 17 by pairs (iff k_i + k_j > 0)", modes.eq_17_pairs, _123, matrices.ungoverned),
    Theorem("Obs. #6 (at a given state)", modes.obs_6(at_rest=False), _123, matrices.ungoverned),
    Theorem("Obs. #6 (at the living point)", modes.obs_6(at_rest=True), _123, matrices.ungoverned),
    Theorem("Obs. #7 (at a given state)", modes.obs_7(at_rest=False), _123, matrices.ungoverned),
    Theorem("Obs. #7 (at the living point)", modes.obs_7(at_rest=True), _123, matrices.ungoverned),
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
    broken = []
    for step in steps:
        if step.run().passed:
            continue
        found = counter_example(step)
        if found:
            return Cell(theorem.name, column, "fails", f"{step.text}: {found}")
        broken.append(step)
    if not broken:
        return Cell(theorem.name, column, "holds", f"{len(steps)} steps proved")
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
    lines += ["", HOW_TO_READ, "Where it fails:"]
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
