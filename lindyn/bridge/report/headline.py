"""The answer in one sentence: is it collapsing, does the theory describe it; and the words for both."""

import math
from collections.abc import Sequence

import numpy as np

from lindyn.bridge.readings import Diagnosis
from lindyn.bridge.records import NOT_TESTABLE, Curves, Finding
from lindyn.bridge.report.confidence import theory_state
from lindyn.bridge.report.wording import listed
from lindyn.bridge.watch import diagnosis as alarms

FOLLOWS = 0.1
"""Relative error of s and of p up to which the simulator is said to follow a run."""
ALARM = "alarm"  # role of the finding
NEAR = "near"
"""The alarm's word where it cannot be told from "at risk" with these samples."""
_HEADLINE = {
    "healthy": "Not collapsing",
    NEAR: "Near the limit of the collapse alarm",
    "at risk": "At risk of collapse",
    "collapsed": "Collapsed",
}


def headline(
    findings: Sequence[Finding], diagnosis: Diagnosis | None, kind: str = "", over: Curves | None = None
) -> str:
    """Return one sentence: is it collapsing, does the theory describe it.

    Args:
        findings: all laws.
        diagnosis: the reading; None without features or predictor.
        kind: the main predictor map.
        over: curves with the simulator beside them; where it follows the run to its end, that is said.
    """
    collapse = _HEADLINE.get(alarm_of(findings, diagnosis)[0], "Whether it collapses cannot be told without features")
    state, held, failed = theory_state(findings, kind)
    if state == "cannot be tested":
        return f"{collapse}; no law of the theory could be tested."
    missed = f" (not: {', '.join(listed(failed, short=True))})" if failed else ""
    return f"{collapse}; {told(state, held, failed, over)}{missed}."


def told(state: str, held: Sequence[Finding], failed: Sequence[Finding], over: Curves | None) -> str:
    """Return what the laws and the simulator say together: laws of a trained end fail in a run that is on its way."""
    share = f"{len(held)} of {len(held) + len(failed)}"
    close = _closeness(over)
    if close and failed:
        return f"the simulator follows the run ({close}), of the laws that training ends in {share} hold"
    return f"the linear theory {state}: {share} testable laws hold"


def _closeness(over: Curves | None) -> str:
    """Return the simulator's errors at the end in words where both are small, else nothing."""
    if over is None or not {"s", "p"} <= set(over.error):
        return ""
    last = {name: float(np.asarray(over.error[name])[-1]) for name in ("s", "p")}
    if not all(error <= FOLLOWS for error in last.values()):
        return ""
    return f"relative error s {last['s']:.2g}, p {last['p']:.2g}"


def alarm_of(findings: Sequence[Finding], diagnosis: Diagnosis | None) -> tuple[str, str]:
    """Return the collapse alarm and its reason: of the diagnosis, without a predictor of the finding on collapse.

    A network that is healthy by its numbers, with a limit of the alarm inside an interval, is "near".
    """
    found = next((f for f in findings if f.role == ALARM and math.isfinite(f.value)), None)
    if diagnosis is not None:
        alarm, reason = diagnosis.alarm, diagnosis.reason
    elif found is not None:
        alarm, reason = alarms.collapse_alarm(float(found.details["concentration"]), found.value)
        reason = found.reason if alarm == "healthy" else reason
    else:
        return alarms.UNKNOWN, ""
    if alarm == "healthy" and found is not None and found.verdict == NOT_TESTABLE:
        return NEAR, found.reason
    return alarm, reason
