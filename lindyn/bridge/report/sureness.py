"""How sure a statement is, and by what: every weak point lowers it.

A rate that had to be assumed, a loss that is not the theory's, a linear map that explains little, few samples, a law
that fails, and what was assumed of the network or its features: an assumption is no weak point where a second reading
with it changed gave the same verdicts, one without a second reading, and leaves a guess where it gave others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lindyn.bridge.assumptions import EVERYTHING, LAWS_ONLY, OTHER, RATES_ONLY, Assumption
from lindyn.bridge.readings import Collapse, Diagnosis
from lindyn.bridge.records import Finding, PredictorMap
from lindyn.bridge.report.wording import FOUNDATION, GUESS, LIKELY, SURE, law, theory_state
from lindyn.bridge.settings import Rates, Settings
from lindyn.display.brief import Brief

DESCRIBED = 0.9
"""A linear map that explains less of the predictor's output than this is a weak point."""
ENOUGH = 10  # samples per dimension from which sampling is no weak point
WEAK = "; weak points: "
LOSS = "loss"
UNKNOWN_SAMPLES = "how many samples F was gathered from is not known"


@dataclass(frozen=True, repr=False)
class WeakPoint(Brief):
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
    assumptions: Sequence[Assumption] = (),
) -> list[WeakPoint]:
    """Return what weakens any statement on what other rates would have done."""
    kind = maps[0].kind if maps else ""
    weak = [f"assumed: {words}" for words in (*rates.assumed, *notes)]
    loss = settings.get("method.loss")
    if loss != "l2" and not (loss is None and any(each.about == LOSS and each.weak for each in assumptions)):
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
        weak.append(few if samples else UNKNOWN_SAMPLES)
    failed = [WeakPoint(f"{law(f)} fails", f.role == FOUNDATION) for f in theory_state(findings, kind)[2]]
    return [*map(WeakPoint, weak), *of_assumptions(assumptions), *failed]


def of_assumptions(
    assumptions: Sequence[Assumption], reaches: Sequence[str] = (EVERYTHING, LAWS_ONLY, RATES_ONLY)
) -> list[WeakPoint]:
    """Return the weak points that assumptions of some reaches make: none where a second reading gave the same.

    Args:
        assumptions: what was taken and not read.
        reaches: of the assumptions that touch the statement.
    """
    touching = [each for each in assumptions if each.reach in reaches and each.weak]
    return [WeakPoint(each.weak, each.outcome == OTHER) for each in touching]


def of_collapse(
    collapse: Collapse, diagnosis: Diagnosis | None, samples: int, assumptions: Sequence[Assumption]
) -> list[WeakPoint]:
    """Return what weakens the word on collapse: few samples, what was assumed of the features."""
    weak = []
    known = 0 if math.isnan(collapse.directions) else int(collapse.directions)
    d = max(known, 0 if diagnosis is None else len(diagnosis.s))
    if not samples and d:
        weak.append(UNKNOWN_SAMPLES)
    elif samples < ENOUGH * d:
        seen = f", which show {known} directions at most" if known == samples - 1 else ""
        weak.append(f"only {samples:,} samples for {d} dimensions{seen}")
    return [*map(WeakPoint, weak), *of_assumptions(assumptions, (EVERYTHING,))]


def how_sure(weak: Sequence[WeakPoint]) -> str:
    """Return "sure", "likely" or "a guess" for something with these weak points."""
    if any(point.fatal for point in weak) or len(weak) > 1:
        return GUESS
    return LIKELY if weak else SURE


def because(basis: str, weak: Sequence[WeakPoint]) -> str:
    """Return what a statement rests on and what weakens it, in one sentence."""
    return basis + (WEAK + "; ".join(point.words for point in weak) if weak else "; no weak point") + "."
