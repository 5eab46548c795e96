"""What verifying a run answers: one row per statement, as text and as a picture."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief, notebook
from lindyn.flows import choices, rules
from lindyn.solve.trajectory import Trajectory, step_of

COULD_NOT_TELL = "could not tell"
"""The statement speaks of the run, but what was kept of it is too coarse to hold it against."""
VERDICTS = ("holds", "fails", COULD_NOT_TELL, "premise not fulfilled", "not applicable")
VACUOUS = 0.5  # a tolerance past which any residual would do

FLOOR = 1e-17  # residuals below are drawn there
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))


@dataclass(frozen=True, eq=False, repr=False)
class VerificationRow(Brief):
    """One statement along one run.

    Args:
        name: the statement in `lindyn.proofs`, or the assumption.
        title: a few words.
        verdict: one of `VERDICTS`.
        reason: why, in one clause.
        residual: over time: relative residual of the identity, or relative excess over the bound (0: within it).
        premise: over time: whether the statement's premise is fulfilled; None where it has none.
        actual: over time: the quantity that is bounded; None for identities.
        bound: over time: its bound.
        sharpness: over time: bound on the rate / measured rate: 1 where it is reached, below 1 where a stronger bound
            would hold too, above 1 where it fails; NaN where undefined.
        tolerance: residual up to which the statement holds on this run.
    """

    name: str
    title: str
    verdict: str
    reason: str = ""
    residual: Any = None
    premise: Any = None
    actual: Any = None
    bound: Any = None
    sharpness: Any = None
    tolerance: float = 0.0

    def at(self, index: np.ndarray) -> "VerificationRow":
        """Return the row at some of its times, its verdict as it is."""
        names = ("residual", "premise", "actual", "bound", "sharpness")
        arrays = {name: getattr(self, name) for name in names}
        kept: dict[str, Any] = {
            name: None if value is None else np.asarray(value)[index] for name, value in arrays.items()
        }
        return replace(self, **kept)

    @property
    def worst(self) -> float:
        """The largest residual, NaN where nothing was measured."""
        return (
            float(np.nanmax(self.residual))
            if self.residual is not None and np.any(np.isfinite(self.residual))
            else np.nan
        )

    @property
    def premise_share(self) -> float:
        """The share of times at which the premise is fulfilled (1 without premise)."""
        return 1.0 if self.premise is None else float(np.mean(self.premise))

    @property
    def median_sharpness(self) -> float:
        """Median over time of bound / measured rate, NaN where undefined."""
        values = np.asarray(np.nan if self.sharpness is None else self.sharpness, dtype=float)
        return float(np.median(values[np.isfinite(values)])) if np.any(np.isfinite(values)) else np.nan

    def as_text(self) -> str:
        """Return one or two lines for the terminal."""
        parts = [f"{self.verdict:22s} {self.name:32s} {self.title}"]
        facts = []
        if self.residual is not None:
            facts.append(f"residual {self.worst:.1e} (tolerance {self.tolerance:.0e})")
        if self.premise is not None:
            facts.append(f"premise at {100 * self.premise_share:.0f} % of times")
        if np.isfinite(self.median_sharpness):
            facts.append(f"bound / measured rate {self.median_sharpness:.3g}")
        if self.reason:
            facts.append(self.reason)
        return "\n".join(parts + (["    " + "; ".join(facts)] if facts else []))


@dataclass(frozen=True, eq=False, repr=False)
class Verification(Brief):
    """All statements along one run.

    Args:
        ts: times (flow time = learning rate x steps / (1 - momentum)).
        flow: what was run, in words.
        rows: one per statement.
        note: what was done to tell, "" where the saved times were enough.
    """

    ts: Any
    flow: str
    rows: tuple[VerificationRow, ...]
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether no applicable statement with its premise fulfilled fails."""
        return not any(row.verdict == "fails" for row in self.rows)

    @property
    def told(self) -> bool:
        """Whether every statement that applies could be held against the run."""
        return not any(row.verdict == COULD_NOT_TELL for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdicts and their numbers as plain data, for JSON; None where a number was not measured."""
        number = lambda value: float(value) if np.isfinite(value) else None  # noqa: E731
        rows = [
            {
                "statement": row.name, "title": row.title, "verdict": row.verdict, "reason": row.reason,
                "residual": number(row.worst), "tolerance": number(row.tolerance),
                "premise_share": row.premise_share, "sharpness": number(row.median_sharpness),
            }
            for row in self.rows
        ]  # fmt: skip
        return {"run": self.flow, "note": self.note, "holds": self.holds, "told": self.told, "statements": rows}

    def row(self, name: str) -> VerificationRow:
        """Return the row of a statement.

        Args:
            name: the statement's name.

        Returns:
            Its row.

        Raises:
            ValueError: unknown name; the near one is suggested.
        """
        known = {row.name: row for row in self.rows}
        return known[_checks.one_of("statement", name, known)]

    def __str__(self) -> str:
        first = f"{self.flow}: {self._counted()}." + (f" {self.note}." if self.note else "")
        return "\n".join([first, *(row.as_text() for row in self._sorted())])

    def __repr__(self) -> str:
        """Return one line: what was run, and how many statements came out how."""
        return f"Verification({self.flow}: {self._counted()})"

    def _repr_html_(self) -> str:
        rows = [[row.verdict, row.name, row.title, row.worst, row.reason] for row in self._sorted()]
        head = ("verdict", "statement", "", "largest residual", "")
        return notebook(f"{self.flow}: {self._counted()}", head, rows, self.note)

    def _counted(self) -> str:
        return ", ".join(f"{sum(row.verdict == verdict for row in self.rows)} {verdict}" for verdict in VERDICTS)

    def _sorted(self) -> list[VerificationRow]:
        return sorted(self.rows, key=lambda row: VERDICTS.index(row.verdict))

    def draw(self, axes: Any) -> Any:
        """Draw residuals of identities and bounds against what is bounded into two matplotlib `Axes`.

        Args:
            axes: two `Axes`: residuals, bounds.

        Returns:
            The same axes.
        """
        identities, bounds = axes
        for row in self.rows:
            label = row.title + (f" ({COULD_NOT_TELL})" if row.verdict == COULD_NOT_TELL else "")
            if row.residual is not None and row.actual is None and np.any(np.isfinite(row.residual)):
                dashes = LINES[len(identities.lines) % len(LINES)]
                identities.semilogy(self.ts, np.maximum(row.residual, FLOOR), ls=dashes, label=label, lw=1.2)
            if row.actual is not None:
                (line,) = bounds.semilogy(self.ts, np.maximum(row.actual, 1e-300), label=label, lw=1.2)
                colour = line.get_color()
                bounds.semilogy(self.ts, np.maximum(row.bound, 1e-300), "--", color=colour, lw=1.2, label="its bound")
        identities.set(xlabel="flow time $t$", ylabel="relative residual", title="identities and assumptions")
        bounds.set(xlabel="flow time $t$", ylabel="share of the start", title="decay and its bound")
        for ax in (identities, bounds):
            if ax.lines:
                ax.legend(fontsize=7.5, frameon=False, loc="upper left", bbox_to_anchor=(-0.05, -0.17), handlelength=3)
            else:
                ax.text(0.5, 0.5, "none applies", ha="center", transform=ax.transAxes)
        return axes

    def save_picture(self, path: Any, command: str = "") -> Path:
        """Write the picture of `draw` to a file.

        Args:
            path: file name with an ending matplotlib knows (.png, .pdf, .svg).
            command: line that made it, which the picture keeps.

        Returns:
            The path.
        """
        from matplotlib.figure import Figure

        from lindyn.outputs import picture_style

        rows = sum(row.residual is not None or row.actual is not None for row in self.rows)
        with picture_style.settings():
            figure = Figure(figsize=(10, 3.6 + 0.17 * rows), layout="constrained")
            self.draw(figure.subplots(1, 2))
            figure.suptitle(self.flow, fontsize=9)
        picture_style.write(figure, Path(path), command=command)
        return Path(path)


def tolerance(traj: Trajectory) -> float:
    """Return the residual an identity may show on this run: its integration error, or its learning rate."""
    notes = traj.notes
    if notes.get("engine") == "descent":
        return 20.0 * step_of(traj)
    return max(1e-7, 1e4 * float(notes.get("rtol", 1e-9)))


def first(*reasons: tuple[bool, str]) -> str:
    """Return the first reason that holds, or an empty string."""
    return next((reason for bad, reason in reasons if bad), "")


def stopped(flow: Any) -> bool:
    """Return whether the flow stops the gradient."""
    return bool(choices.of(flow, "stop_gradient"))


predictor = rules.named
"""The flow's choice of predictor in words."""


def by_rule(flow: Any) -> tuple[bool, str]:
    """Return whether W_p is set by a rule, and the reason that gives where a statement needs it trained."""
    return rules.is_rule(choices.of(flow, "predictor")), f"the predictor is {predictor(flow)}"


def identity(name: str, title: str, residual: np.ndarray, limit: float, premise: Any = None) -> VerificationRow:
    """Return the row of an identity from its residual over time."""
    used = residual if premise is None else residual[premise]
    verdict = "premise not fulfilled" if used.size == 0 else "holds" if np.nanmax(used) <= limit else "fails"
    if limit > VACUOUS and verdict == "holds":
        return VerificationRow(name, title, COULD_NOT_TELL, f"{TOO_LONG} ({limit:.0e})", residual, premise, None, None,
                               None, limit)  # fmt: skip
    return VerificationRow(name, title, verdict, "", residual, premise, tolerance=limit)


TOO_LONG = "the finite steps are too long to tell them from what the flow does"


def memory(traj: Trajectory) -> float:
    """Return the flow time that a finite step and its momentum reach back: what a descent lags behind the flow."""
    if traj.notes.get("engine") != "descent":
        return 0.0
    return step_of(traj) / (1 - float(traj.notes.get("momentum", 0.0)))
