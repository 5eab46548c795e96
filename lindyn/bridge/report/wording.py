"""What an answer says in words, in the terminal and on the page alike: numbers, laws, the headline."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lindyn.bridge.along_run import NORMALISED
from lindyn.bridge.assumptions import NOT_TRIED, OTHER, SAME, Assumption
from lindyn.bridge.readings import PARTIAL, Collapse, Diagnosis
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Advice, Curves, Finding, TheoryBeside, Validation
from lindyn.bridge.report import theories_told
from lindyn.bridge.settings import Rates
from lindyn.bridge.watch import collapse_words as alarms

GROUPS = {
    "theory": "Laws of the theory",
    "assumption": "Assumptions of the theory",
    "richemond": "Richemond et al.: orthogonality",
    "collapse": "Collapse measures",
}
"""Groups of findings in the order in which they are shown; others follow under their own name."""


SURE, LIKELY, GUESS = "sure", "likely", "a guess"
UNCLAIMED = ""
"""Of what only says that the input lacks something."""
FEWEST_LAWS = 3
"""Fewer laws than this that could be tested do not say whether the theory describes a run."""
HARDLY = "can hardly be tested"
PREDICTION, FOUNDATION = "prediction", "foundation"
BESIDE = "beside"  # role of a law that speaks of another loss than the run's
FOLLOWS = 0.1
"""Relative error of s and of p up to which the simulator is said to follow a run."""
ALARM = "alarm"  # role of the finding
NEAR = "near"
"""The alarm's word where it cannot be told from "at risk" with these samples."""
_HEADLINE = {
    "healthy": "Not collapsing",
    NEAR: "Near the limit of the collapse alarm",
    "at risk": "At risk of collapse",
    PARTIAL: "Partly collapsed",
    "collapsed": "Collapsed",
}


def law(found: Finding) -> str:
    """Return the short name of a finding's law as people read it, with its scope."""
    return _scoped(_short(found), [found.scope])


def listed(findings: Iterable[Finding], short: bool = False) -> list[str]:
    """Return the laws of findings in words, each statement once, with all scopes in which it was tested."""
    scopes: dict[str, list[str]] = {}
    for found in findings:
        scopes.setdefault(_short(found) if short else found.statement, []).append(found.scope)
    return [_scoped(name, each) for name, each in scopes.items()]


def _short(found: Finding) -> str:
    return found.short or found.law.replace("_", " ")


def _scoped(name: str, scopes: Iterable[str]) -> str:
    told = ", ".join(dict.fromkeys(scope for scope in scopes if scope))
    return f"{name} ({told})" if told else name


def clean(text: Any) -> str:
    """Return a text from a file as one line that cannot steer a terminal: control characters become '?'."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in str(text))


def number(value: Any) -> str:
    """Return a number with three digits, "-" for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else clean(value)


def interval(found: Finding) -> str:
    """Return value and interval of a finding in words, "-" where nothing was measured."""
    if math.isnan(found.value):
        return "-"
    ends = {number(float(end)) for end in (found.low, found.value, found.high)}
    if math.isnan(found.low) or math.isnan(found.high) or len(ends) == 1:
        return number(float(found.value))
    return f"{number(float(found.value))} [{number(float(found.low))}, {number(float(found.high))}]"


def rates(found: Rates) -> str:
    """Return the rates in one line."""
    named = {"alpha_p": found.alpha_p, "beta": found.beta, "eta_s": found.eta_s, "eta_p": found.eta_p}
    parts = [f"{name} {number(float(value))}" for name, value in named.items() if value is not None]
    unknown = [name for name, value in named.items() if value is None and not (name == "beta" and _no_beta(found))]
    parts += [f"target {found.target}"] if found.target else []
    give = f" (give {', '.join(found.missing)})" if found.missing else ""
    return ", ".join(parts + ([f"not known: {', '.join(unknown)}{give}"] if unknown else []))


def _no_beta(found: Rates) -> bool:
    return found.target == "online"


def rated(advice: Advice) -> str:
    """Return the advice behind how sure it is; what claims nothing stands alone."""
    return f"({advice.sure}) {advice.text}" if advice.sure else advice.text


def assumed(assumptions: Sequence[Assumption]) -> str:
    """Return what was assumed in a few words, what changed verdicts first."""
    by_outcome: dict[str, list[str]] = {}
    for outcome in (OTHER, NOT_TRIED, SAME):
        for each in assumptions:
            if each.outcome == outcome:
                told = f" ({each.told})" if outcome == OTHER and each.told else ""
                by_outcome.setdefault(outcome, []).append(f"{each.about}{told}")
    words = {
        OTHER: "other verdicts for",
        NOT_TRIED: "no second reading of",
        SAME: "the same verdicts otherwise for",
    }
    return "; ".join(f"{words[outcome]} {', '.join(dict.fromkeys(about))}" for outcome, about in by_outcome.items())


def grouped(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Return the findings by group, known groups first and in order."""
    found: dict[str, list[Finding]] = {group: [] for group in GROUPS}
    for finding in findings:
        found.setdefault(finding.group, []).append(finding)
    return {group: rows for group, rows in found.items() if rows}


def place(answer: Validation) -> str:
    """Return where in training the checkpoint stands."""
    pieces = answer.pieces
    parts = [f"step {pieces.step:,}" if pieces.step is not None else ""]
    parts += [f"epoch {pieces.epoch} as the file counts" if pieces.epoch is not None else ""]
    return ", ".join(part for part in parts if part)


def theory_error(answer: Validation) -> str:
    """Return the error of the theory over training in words, or why there is none."""
    over = answer.over_training
    if over is None:
        return ""
    if not over.error:
        return over.reason or "the theory could not be run beside it"
    parts = [f"{name} {number(_last(over.error[name]))}" for name in ("s", "p") if name in over.error]
    return f"relative error of the theory at the end: {', '.join(parts)}" + (f" ({over.reason})" if over.reason else "")


def _last(values: Any) -> float:
    finite = [float(value) for value in values if math.isfinite(float(value))]
    return finite[-1] if finite else math.nan


def theory_state(findings: Sequence[Finding], kind: str = "") -> tuple[str, list[Finding], list[Finding]]:
    """Return (state, held, failed).

    The state is "describes it", "describes it in part", "does not describe it", or, with fewer than `FEWEST_LAWS` laws,
    "can hardly be tested", with none "cannot be tested".

    Args:
        findings: all laws.
        kind: the predictor map whose findings count; laws without a predictor count always.
    """
    laws = [f for f in findings if f.group == "theory" and f.map_kind in ("", kind)]
    laws = [f for f in laws if f.role not in (PREDICTION, BESIDE)]
    laws = [f for f in laws if f.verdict != NOT_TESTABLE]
    held, failed = ([f for f in laws if f.verdict == verdict] for verdict in (HOLDS, FAILS))
    if not laws:
        return "cannot be tested", held, failed
    if len(laws) < FEWEST_LAWS:
        return HARDLY, held, failed
    if not failed:
        return "describes it", held, failed
    return ("describes it in part" if len(held) >= len(failed) else "does not describe it"), held, failed


def headline(
    findings: Sequence[Finding],
    diagnosis: Diagnosis | None,
    kind: str = "",
    over: Curves | None = None,
    collapse: Collapse | None = None,
    sure: tuple[str, str] = (SURE, SURE),
    predictions: Sequence[TheoryBeside] = (),
    theory: str = "",
) -> str:
    """Return one sentence: is it collapsing, which theory describes it, each with how sure where it is not sure.

    Args:
        findings: all laws.
        diagnosis: the reading; None without features or predictor.
        kind: the main predictor map.
        over: curves with the simulator beside them; where it follows the run to its end, that is said.
        collapse: the word; None takes that of the diagnosis.
        sure: of the word on collapse, and of what is said of the theory.
        predictions: the theories beside the run.
        theory: which of them speaks of the run's loss, "" where it is not known.
    """
    word = collapse if collapse is not None and collapse.word else diagnosis.collapse if diagnosis else Collapse("")
    alarm = alarm_of(findings, diagnosis, collapse)[0]
    first = _HEADLINE.get(alarm, "Whether it collapses cannot be told without features")
    if alarm in _HEADLINE:
        first += _beside(word.told, "" if sure[0] == SURE else sure[0])
    state, held, failed = theory_state(findings, kind)
    beside = theories_told.which(predictions)
    if state == "cannot be tested":
        return f"{first}; {beside + '; ' if beside else ''}no law of the theory could be tested."
    missed = f"not: {', '.join(listed(failed, short=True))}" if failed else ""
    words = told(state, held, failed, over, predictions, theory)
    return f"{first}; {words}{_beside(missed, '' if sure[1] == SURE else sure[1])}."


def _beside(*parts: str) -> str:
    words = "; ".join(part for part in parts if part)
    return f" ({words})" if words else ""


def told(
    state: str, held: Sequence[Finding], failed: Sequence[Finding], over: Curves | None,
    predictions: Sequence[TheoryBeside] = (), theory: str = "",
) -> str:  # fmt: skip
    """Return what the laws and the theories beside the run say together.

    Laws of a trained end fail in a run that is on its way, which a theory that follows it to its end says.

    Args:
        state: of `theory_state`.
        held: laws that hold.
        failed: laws that fail.
        over: curves with the simulator beside them.
        predictions: the theories beside the run.
        theory: which of them speaks of the run's loss, "" where it is not known.
    """
    share = f"{len(held)} of {len(held) + len(failed)}"
    close = _closeness(over)
    laws = "laws that apply to its loss" if theory == NORMALISED else "testable laws"
    if beside := theories_told.which(predictions):
        end = f"of the {laws} {share} hold, all of a trained end" if close and failed else f"{share} {laws} hold"
        return f"{beside}; {end}"
    if close and failed:
        return f"the simulator follows the run ({close}), of the laws that training ends in {share} hold"
    return f"the {NORMALISED if theory == NORMALISED else 'linear'} theory {state}: {share} {laws} hold"


def _closeness(over: Curves | None) -> str:
    """Return the simulator's errors at the end in words where both are small, else nothing."""
    if over is None or not {"s", "p"} <= set(over.error):
        return ""
    last = {name: float(np.asarray(over.error[name])[-1]) for name in ("s", "p")}
    if not all(error <= FOLLOWS for error in last.values()):
        return ""
    return f"relative error s {last['s']:.2g}, p {last['p']:.2g}"


def alarm_of(
    findings: Sequence[Finding], diagnosis: Diagnosis | None, collapse: Collapse | None = None
) -> tuple[str, str]:
    """Return the collapse alarm and its reason: of the word on collapse, without one of the finding on collapse.

    A network that is healthy by its numbers, with a limit of the alarm inside an interval, is "near"; one that has
    collapsed in part is "partial".
    """
    found = next((f for f in findings if f.role == ALARM and math.isfinite(f.value)), None)
    word = collapse if collapse is not None and collapse.word else None
    if word is None and diagnosis is not None and diagnosis.collapse.word:
        word = diagnosis.collapse
    if word is not None:
        alarm, reason = (PARTIAL if word.word == PARTIAL else word.alarm), word.reason
        reason = found.reason if found is not None and diagnosis is None and alarm == "healthy" else reason
    elif diagnosis is not None:
        alarm, reason = diagnosis.alarm, diagnosis.reason
    elif found is not None:
        alarm, reason = alarms.collapse_alarm(float(found.details["concentration"]), found.value)
        reason = found.reason if alarm == "healthy" else reason
    else:
        return alarms.UNKNOWN, ""
    if alarm == "healthy" and found is not None and found.verdict == NOT_TESTABLE:
        return NEAR, found.reason
    return alarm, reason
