"""What to make of the findings, in plain words: is it collapsing, does the theory describe it, what would have helped.

How sure each sentence is, and by what: `sureness`; what only says that something is missing claims nothing.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from lindyn.bridge.along_run import NORMALISED, NextSteps
from lindyn.bridge.assumptions import EVERYTHING, LAWS_ONLY, Assumption
from lindyn.bridge.readings import PARTIAL, Collapse, Diagnosis
from lindyn.bridge.records import FAILS, NOT_TESTABLE, Advice, Curves, Finding, ModeReading, PredictorMap, TheoryBeside
from lindyn.bridge.report.sureness import (
    DESCRIBED,
    WEAK,
    WeakPoint,
    because,
    how_sure,
    of_assumptions,
    of_collapse,
    weak_points,
)
from lindyn.bridge.report.wording import (
    HARDLY,
    NEAR,
    PREDICTION,
    UNCLAIMED,
    alarm_of,
    listed,
    theory_state,
    told,
)
from lindyn.bridge.run import counterfactuals
from lindyn.bridge.run.counterfactuals import Counterfactual
from lindyn.bridge.run.description import TrainingLoss
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training.networks import rule_words

_SENTENCE = {
    "healthy": "It is not collapsing",
    NEAR: "It is near the limit of the collapse alarm",
    PARTIAL: "It has collapsed in part",
    "at risk": "It is at risk of collapse",
    "collapsed": "It has collapsed",
}


def advise(
    findings: Sequence[Finding],
    rates: Rates,
    diagnosis: Diagnosis | None,
    maps: Sequence[PredictorMap] = (),
    settings: Settings | None = None,
    start: ModeReading | None = None,
    samples: int = 0,
    over: Curves | None = None,
    assumptions: Sequence[Assumption] = (),
    collapse: Collapse | None = None,
    predictions: Sequence[TheoryBeside] = (),
    ahead: NextSteps | None = None,
) -> tuple[Advice, ...]:
    """Return what the theory says of a run and would change in it, in order of weight.

    Args:
        findings: all laws.
        rates: of the run.
        diagnosis: the reading; None without features or predictor.
        maps: of the predictor, main one first.
        settings: what is known of the training.
        start: where the modes stand; None where s, tau or x are not known.
        samples: of the reading.
        over: curves with the simulator beside them.
        assumptions: what was taken and not read, with what second readings gave.
        collapse: the word on collapse; None takes that of the diagnosis.
        predictions: the theories beside the run.
        ahead: what comes next by the normalised theory, of a single checkpoint.

    Returns:
        The advice, on collapse and on the laws first; never empty.
    """
    kind, theory = maps[0].kind if maps else "", theory_of(settings)
    by = "squared theory" if theory == NORMALISED else "theory"
    notes = start.notes if start is not None else ()
    weak = weak_points(findings, rates, diagnosis, maps, settings or Settings(), samples, notes, assumptions)
    found = [
        _collapse(findings, diagnosis, samples, assumptions, collapse),
        _description(findings, kind, maps, over, assumptions, predictions, theory),
        *([] if ahead is None else [_next(ahead, diagnosis)]),
        *_fate(findings, kind, weak, by),
    ]
    if start is None or len(start) == 0:
        found.append(_no_modes())
    elif rule := counterfactuals.rule_of(settings or Settings()):
        found += [*_critical(start, rates, weak, by), _no_trained_predictor(rule)]
    elif absent := counterfactuals.missing(rates):
        found.append(_no_rates(absent, rates))
    else:
        outcomes = counterfactuals.simulate_changes(start, rates)
        found += [*_critical(start, rates, weak, by), *_alternatives(outcomes, start, weak, by)]
    return tuple(_without_repeats(found))


def theory_of(settings: Settings | None) -> str:
    """Return which theory speaks of a run's loss, "" where the loss is not known.

    Args:
        settings: what is known of the training.
    """
    return TrainingLoss(str((settings or Settings()).get("method.loss", ""))).theory


def _without_repeats(found: Sequence[Advice]) -> Iterator[Advice]:
    """Yield the advice; weak points that stood under an earlier one are not listed again."""
    last = ""
    for advice in found:
        basis, mark, points = advice.because.partition(WEAK)
        if mark and points == last:
            yield replace(advice, because=f"{basis}; weak points as above.")
        else:
            last = points if mark else last
            yield advice


def _collapse(
    findings: Sequence[Finding],
    diagnosis: Diagnosis | None,
    samples: int,
    assumptions: Sequence[Assumption],
    collapse: Collapse | None,
) -> Advice:
    alarm, reason = alarm_of(findings, diagnosis, collapse)
    if alarm not in _SENTENCE:
        return Advice(
            "Without features nobody can tell whether it is collapsing: give --features FILE or --images DIR.",
            UNCLAIMED, "Weights alone do not show the spectrum of F.",
        )  # fmt: skip
    text = f"{_SENTENCE[alarm]}: {_lower(reason)}"
    word = collapse or (diagnosis.collapse if diagnosis is not None else Collapse(""))
    weak = of_collapse(word, diagnosis, samples, assumptions)
    rank = "" if diagnosis is None else f": effective rank {diagnosis.effective_rank:.1f} of {len(diagnosis.s)}"
    basis = f"Measured on {samples:,} samples{rank}" if samples else "Read off F"
    if alarm == NEAR:
        return Advice(text, how_sure([*weak, WeakPoint("the limit lies inside")]), f"{basis}; more would tell.")
    return Advice(text, how_sure(weak), because(basis, weak) if weak else f"{basis}.")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _description(
    findings: Sequence[Finding],
    kind: str,
    maps: Sequence[PredictorMap],
    over: Curves | None,
    assumptions: Sequence[Assumption],
    predictions: Sequence[TheoryBeside],
    theory: str,
) -> Advice:
    state, held, failed = theory_state(findings, kind)
    if state == "cannot be tested":
        return Advice("No law of the theory could be tested on this input.", UNCLAIMED, _reasons(findings))
    words = told(state, held, failed, over, predictions, theory)
    text = f"{words[0].upper()}{words[1:]}."
    if failed:
        text += " It fails in: " + ", ".join(listed(failed)) + "."
    broken = [f for f in findings if f.group == "assumption" and f.verdict == FAILS]
    if broken:
        text += " Its assumptions do not hold: " + ", ".join(listed(broken)) + "."
    main = maps[0] if maps else None
    exact = main is None or main.kind == "exact" or main.explained >= DESCRIBED
    weak = (
        []
        if exact
        else [WeakPoint("the linear map explains little of the predictor's output, or how much is not known")]
    )
    weak += [] if state != HARDLY else [WeakPoint("few laws")]
    weak += of_assumptions(assumptions, (EVERYTHING, LAWS_ONLY))
    whole = main is None or main.kind == "exact" or math.isnan(main.explained)
    share = "" if whole or main is None else f"; the map explains {main.explained:.2f} of the output"
    basis = f"Laws tested with the {kind or 'weights'} map of the predictor{share}"
    return Advice(text, how_sure(weak), because(basis, weak) if weak else f"{basis}.")


def _fate(findings: Sequence[Finding], kind: str, weak: Sequence[WeakPoint], by: str) -> list[Advice]:
    """Return what the collapse boundary predicts, where a mode is below it."""
    found = [f for f in findings if f.role == PREDICTION and f.map_kind in ("", kind) and f.verdict == FAILS]
    expects = {True: "By the normalised theory what was lost stays lost", False: f"The {by} expects modes to collapse"}
    return [
        Advice(f"{expects['trapped' in f.details]}: {_lower(f.reason)}", how_sure(weak), because(f.source, weak))
        for f in found
    ]


def _next(ahead: NextSteps, diagnosis: Diagnosis | None) -> Advice:
    """Return what comes next from a single checkpoint by the normalised theory, and whether it is at rest."""
    turn = "stay at" if abs(ahead.rank_then - ahead.rank_now) < 0.05 else (
        f"{'rise' if ahead.rank_then > ahead.rank_now else 'fall'} from {ahead.rank_now:.1f} to")  # fmt: skip
    rests = "its state is one of rest" if ahead.at_rest else "it is not at rest"
    text = (
        f"By the normalised theory {rests}: in the next {ahead.steps} steps at the peak learning rate the effective "
        f"rank would {turn} {ahead.rank_then:.1f}, and the spectrum's shape move by {100 * ahead.change:.2g} %."
    )
    basis = f"The projector's linear layers have effective rank {ahead.rank_now:.1f} now"
    basis += "" if diagnosis is None else f", the network's outputs {diagnosis.effective_rank:.1f}"
    weak = [WeakPoint(f"left out: {note}") for note in ahead.notes]
    return Advice(text, how_sure(weak), because(basis, weak))


def _reasons(findings: Sequence[Finding]) -> str:
    reasons = list(dict.fromkeys(f.reason for f in findings if f.verdict == NOT_TESTABLE and f.reason))
    return " ".join(reasons[:2]) or "There were no findings."


def _no_modes() -> Advice:
    return Advice(
        "What other rates would have done cannot be computed here: needed are a predictor and features of two views, "
        "and the projector's last layer.", UNCLAIMED, "They give p, s, tau and x per mode.",
    )  # fmt: skip


def _no_rates(absent: Sequence[str], rates: Rates) -> Advice:
    keys = ", ".join(f"{key}=..." for key in rates.missing)
    why = f"The file does not say how it was trained; give {keys} as you ran it." if keys else ""
    return Advice(
        f"What other rates would have done cannot be computed: {', '.join(absent)} of the run not known.", UNCLAIMED,
        why or "; ".join(rates.assumed) + ".",
    )  # fmt: skip


def _no_trained_predictor(rule: str) -> Advice:
    return Advice(
        f"W_p is set by {rule_words(rule)}, not trained: there is no alpha_p or eta_p to change, and what another "
        "decay or EMA would have done is not simulated.", UNCLAIMED, "Eq. 11 is that of a trained predictor.",
    )  # fmt: skip


def _critical(start: ModeReading, rates: Rates, weak: Sequence[WeakPoint], by: str) -> list[Advice]:
    """Return the statement on the decay past which only collapse remains, where the run is past it or near."""
    from lindyn.theory import critical_decay

    if rates.target == "frozen" or not rates.eta_s:
        return []
    edge = np.asarray(critical_decay(1.0, start.x, start.x_aug))
    over = rates.eta_s > edge
    past = int(np.sum(over))
    if not past:
        return []
    numbers = f"(theirs: {edge[over].max():.3g} or less, the run has eta_s = {rates.eta_s:.3g})"
    text = (
        f"In {past} of the {len(start)} modes of {start.words} the decay is past the critical one, x^2/(4(x + x')): by "
        f"the {by} they can only fade {numbers}. Less decay keeps more of them."
    )
    return [Advice(text, how_sure(weak), because("Fixed points of Eqs. 11-12", weak))]


def _alternatives(
    outcomes: Sequence[Counterfactual], start: ModeReading, weak: Sequence[WeakPoint], by: str
) -> list[Advice]:
    """Return what the simulated changes say: which of them would have kept more modes alive."""
    if not outcomes:
        return []
    base, others = outcomes[0], outcomes[1:]
    basis = f"{len(start)} modes simulated from {start.words} for {base.duration:,.0f} of flow time (Eqs. 11-13)"
    sure = how_sure(weak)
    if base.alive == len(start):
        every = f"all {len(start)} modes that stand" if len(start) > 1 else "the one mode that stands"
        live = "live" if len(start) > 1 else "lives"
        text = f"By the {by} no rate needs to change: {every} out of noise in {start.words} {live} under the run's own."
        behind = int(np.sum(np.asarray(start.p) <= 0))
        text += f" {behind} of them start with p <= 0, but W_p grows there before s has faded." if behind else ""
        harm = [o for o in others if o.alive < base.alive]
        if harm:
            text += f" Fewer would live with: {', '.join(f'{o.name} ({o.alive})' for o in harm)}."
        return [Advice(text, sure, because(basis, weak))]
    found = []
    for words, names in KINDS:
        chosen = [o for o in others if o.name in names]
        if chosen:
            helps = max(o.alive for o in chosen) > base.alive
            rates = "; ".join(f"{o.name}: {o.words}" for o in chosen)
            rests = because(f"{basis}; {rates}", weak)
            found.append((helps, Advice(_compared(_said_by(by, words), helps, chosen, base, start), sure, rests)))
    return [advice for _, advice in sorted(found, key=lambda pair: not pair[0])]


KINDS = (
    ("Less weight decay", ("half the decay", "no decay")),
    ("A faster predictor", ("alpha_p x 2", "alpha_p x 5", "alpha_p x 5, eta_p kept")),
    ("Another EMA", ("a slower EMA", "a faster EMA")),
)


def _said_by(by: str, words: str) -> str:
    """Return a change in words, with the theory that speaks where it is not the run's own."""
    return words if by == "theory" else f"By the {by} {words[0].lower()}{words[1:]}"


def _compared(
    words: str, helps: bool, tried: Sequence[Counterfactual], base: Counterfactual, start: ModeReading
) -> str:
    counted = ", ".join(f"{o.alive} with {o.name}" for o in tried)
    verb = "would have helped" if helps else "would not have helped"
    unclear = f" ({base.undecided} undecided)" if base.undecided else ""
    modes = f"{base.alive} of the {len(start)} modes of {start.words} live as it was{unclear}"
    return f"{words} {verb}: {modes}; {counted}."
