"""What every check needs: the tolerance of a run, reasons, the row of an identity."""

from typing import Any

import numpy as np

from lindyn.flows import rules
from lindyn.solve.trajectory import Trajectory
from lindyn.verification.record import VerificationRow


def tolerance(traj: Trajectory) -> float:
    """Return the residual an identity may show on this run: its integration error, or its learning rate."""
    notes = traj.notes
    if notes.get("engine") == "descent":
        return 20.0 * float(notes["learning_rate"]) / (1 - float(notes.get("momentum", 0.0)))
    return max(1e-7, 1e4 * float(notes.get("rtol", 1e-9)))


def first(*reasons: tuple[bool, str]) -> str:
    """Return the first reason that holds, or an empty string."""
    return next((reason for bad, reason in reasons if bad), "")


def stopped(flow: Any) -> bool:
    """Return whether the flow stops the gradient."""
    return bool(getattr(flow, "stop_gradient", True))


def predictor(flow: Any) -> str:
    """Return the flow's choice of predictor; of a closed-form one the rule in words."""
    chosen: Any = getattr(flow, "predictor", "trained")
    return f"the closed-form rule {chosen.rule!r}" if rules.is_rule(chosen) else str(chosen)


def by_rule(flow: Any) -> tuple[bool, str]:
    """Return whether W_p is set by a rule, and the reason that gives where a statement needs it trained."""
    return rules.is_rule(getattr(flow, "predictor", None)), f"the predictor is {predictor(flow)}"


def identity(name: str, title: str, residual: np.ndarray, limit: float, premise: Any = None) -> VerificationRow:
    """Return the row of an identity from its residual over time."""
    used = residual if premise is None else residual[premise]
    verdict = "premise not fulfilled" if used.size == 0 else "holds" if np.nanmax(used) <= limit else "fails"
    return VerificationRow(name, title, verdict, "", residual, premise, tolerance=limit)
