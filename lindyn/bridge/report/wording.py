"""Numbers and texts of an answer as people read them, in the terminal and on the page alike."""

import math
from collections.abc import Iterable
from typing import Any

from lindyn.bridge.records import Finding, Validation
from lindyn.bridge.settings import Rates

GROUPS = {
    "theory": "Laws of the theory",
    "assumption": "Assumptions of the theory",
    "richemond": "Richemond et al.: orthogonality",
    "collapse": "Collapse measures",
}
"""Groups of findings in the order in which they are shown; others follow under their own name."""


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
