"""Losses that compare directions: how much faster or slower than J of Eq. 1 they move the weights.

|q/|q| - z/|z||^2 is |q - z|^2 / tr F where lengths vary little: the gradient is 1/tr F times that of J, decay and EMA
are not. In flow time t / tr F everything reads as in the theory, with eta and beta times tr F.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from lindyn.bridge.laws import findings
from lindyn.bridge.records import NOT_TESTABLE, Finding
from lindyn.bridge.settings import Rates, Settings

SCALED = ("eq17", "eq17_pairs", "boundary")
"""Laws in which decay stands beside the gradient."""


def gain(settings: Settings, F: Any) -> float:
    """Return the run's gradient over that of J: 1 for the squared distance, else 1/tr F; NaN where F = 0."""
    if settings.get("method.loss") == "l2":
        return 1.0
    trace = float(np.trace(np.asarray(F, dtype=float)))
    return 1 / trace if trace > 0 else float("nan")


def findings_of(measured: Any, rates: Rates, settings: Settings) -> tuple[Finding, ...]:
    """Return all findings, those with a decay under the rates as the run's loss makes them.

    Args:
        measured: what was gathered of the network.
        rates: of the run.
        settings: of the run, for its loss.

    Returns:
        One finding per law.
    """
    g = 1.0 if measured.F is None else gain(settings, measured.F)
    if not np.isfinite(g) or g == 1 or settings.get("method.loss") is None:
        return findings(measured, rates)
    divided = {name: value / g for name in ("eta_s", "eta_p", "beta") if (value := getattr(rates, name)) is not None}
    return tuple(_noted(found, g) for found in findings(measured, replace(rates, **divided)))


def _noted(found: Finding, g: float) -> Finding:
    if found.law not in SCALED or found.verdict == NOT_TESTABLE:
        return found
    scale = f"decays are times tr F = {1 / g:.3g} (what x and x' over it would be)"
    words = f"{found.reason.rstrip('.')}; {scale}, as the run's loss compares directions."
    return replace(found, reason=words)
