"""How sure a statement is, by what it rests on.

Every weak point counts: a rate that had to be assumed, a loss that is not the theory's, a linear map that explains
little, few samples, a law that fails. None: "sure"; one: "likely"; more, or a law fails without which modes have no
meaning (alignment): "a guess".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lindyn.bridge.readings import Diagnosis
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding, PredictorMap
from lindyn.bridge.report.wording import law
from lindyn.bridge.settings import Rates, Settings

SURE, LIKELY, GUESS = "sure", "likely", "a guess"
DESCRIBED = 0.9
"""A linear map that explains less of the predictor's output than this is a weak point."""
ENOUGH = 10  # samples per dimension from which sampling is no weak point
WEAK = "; weak points: "
FEWEST_LAWS = 3
"""Fewer laws than this that could be tested do not say whether the theory describes a run."""
HARDLY = "can hardly be tested"
PREDICTION, FOUNDATION = "prediction", "foundation"


@dataclass(frozen=True)
class WeakPoint:
    """What weakens a statement, in words; one that is `fatal` leaves a guess."""

    words: str
    fatal: bool = False


def weak_points(
    findings: Sequence[Finding],
    rates: Rates,
    diagnosis: Diagnosis | None,
    maps: Sequence[PredictorMap],
    settings: Settings,
    samples: int,
    notes: Sequence[str] = (),
) -> list[WeakPoint]:
    """Return what weakens any statement on what other rates would have done."""
    kind = maps[0].kind if maps else ""
    weak = [f"assumed: {words}" for words in (*rates.assumed, *notes)]
    loss = settings.get("method.loss")
    if loss != "l2":
        known = "not known" if loss is None else f"the {loss} loss"
        weak.append(f"the theory's loss is the squared distance, the run's is {known}")
    if maps and not maps[0].explained >= DESCRIBED and kind != "exact":
        share = maps[0].explained
        weak.append(
            "how much of the predictor's output the linear map explains is not known"
            if math.isnan(share)
            else f"the linear map explains {100 * share:.0f} % of the predictor's output"
        )
    if diagnosis is not None and samples < ENOUGH * len(diagnosis.s):
        few = f"{samples:,} samples for {len(diagnosis.s)} dimensions are few"
        weak.append(few if samples else "how many samples F was gathered from is not known")
    failed = [WeakPoint(f"{law(f)} fails", f.role == FOUNDATION) for f in theory_state(findings, kind)[2]]
    return [*map(WeakPoint, weak), *failed]


def how_sure(weak: Sequence[WeakPoint]) -> str:
    """Return "sure", "likely" or "a guess" for something with these weak points."""
    if any(point.fatal for point in weak) or len(weak) > 1:
        return GUESS
    return LIKELY if weak else SURE


def because(basis: str, weak: Sequence[WeakPoint]) -> str:
    """Return what a statement rests on and what weakens it, in one sentence."""
    return basis + (WEAK + "; ".join(point.words for point in weak) if weak else "; no weak point") + "."


def theory_state(findings: Sequence[Finding], kind: str = "") -> tuple[str, list[Finding], list[Finding]]:
    """Return (state, held, failed).

    The state is "describes it", "describes it in part", "does not describe it", or, with fewer than `FEWEST_LAWS` laws,
    "can hardly be tested", with none "cannot be tested".

    Args:
        findings: all laws.
        kind: the predictor map whose findings count; laws without a predictor count always.
    """
    laws = [f for f in findings if f.group == "theory" and f.map_kind in ("", kind) and f.role != PREDICTION]
    laws = [f for f in laws if f.verdict != NOT_TESTABLE]
    held, failed = ([f for f in laws if f.verdict == verdict] for verdict in (HOLDS, FAILS))
    if not laws:
        return "cannot be tested", held, failed
    if len(laws) < FEWEST_LAWS:
        return HARDLY, held, failed
    if not failed:
        return "describes it", held, failed
    return ("describes it in part" if len(held) >= len(failed) else "does not describe it"), held, failed
