"""What is printed, apart from what is derived, and how the two are compared: formulas, numbers that break one.

The formulas are typed on purpose, as they stand in Tian et al. 2021: they are the print, not the library's equations,
and are held against them. The kind of every difference follows from what ran.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from lindyn.display.brief import Brief
from lindyn.proofs.algebra import WordRates
from lindyn.proofs.letters import *
from lindyn.proofs.statement import Statement
from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step

sigma2 = sympy.Symbol("sigma^2", nonnegative=True)


def anticommutator(A: Any, B: Any) -> Any:
    """Return {A, B} = A B + B A."""
    return A * B + B * A


def eq_7(half: Any = HALF, braces: Any = None) -> WordRates:
    """Return Eq. 7 (general x, x' and separate decays; x = 1, x' = sigma^2, eta_p = eta_s in print)."""
    both = braces or anticommutator
    return WordRates(
        {
            "W_p": -half * alpha_p * (x + x_aug) * both(W_p, F) + alpha_p * x * tau * F - eta_p * W_p,
            "F": -(x + x_aug) * both(W_p * W_p, F) + x * tau * both(W_p, F) - 2 * eta_s * F,
        }
    )


def eq_9() -> Any:
    """Return K as printed: (1+sigma^2)[(alpha_p/2) F + W_p^2 - tau/(1+sigma^2) W_p] + (3/2) eta I."""
    v = 1 + sigma2
    return v * (alpha_p / 2 * F + W_p * W_p - tau / v * W_p) + sympy.Rational(3, 2) * eta * I2


def appendix_flow() -> WordRates:
    """Return the printed flow under Assumptions 1 + 2 (x = 1, x' = sigma^2, one eta)."""
    v = 1 + sigma2
    return WordRates(
        {
            "W_p": -alpha_p * v * W_p * F + alpha_p * tau * F - eta * W_p,
            "F": -v * (W_p.T * W_p * F + F * W_p.T * W_p) + tau * (W_p.T * F + F * W_p) - 2 * eta * F,
        }
    )


def lemma_1() -> WordRates:
    """Return Eqs. 2-4 as printed."""
    inner = -W_p * W * (X + X_aug) + W_a * X
    return WordRates({"W_p": alpha_p * inner * W.T - eta * W_p, "W": W_p.T * inner - eta * W, "W_a": beta * (W - W_a)})


def eqs_11_to_13() -> WordRates:
    """Return the printed mode equations; Eq. 13 solved for dtau/dt."""
    v = 1 + sigma2
    dp = alpha_p * s * (tau - v * p) - eta * p
    ds = 2 * p * s * (tau - v * p) - 2 * eta * s
    return WordRates(scalars={p: dp, s: ds, tau: (beta * (1 - tau) * s - tau / 2 * ds) / s})


def eq_16() -> Any:
    """Return the printed dp/dt on the parabola."""
    return p**2 * (tau - (1 + sigma2) * p) - eta * p


def p_branch(sign: int) -> Any:
    """Return the printed p_+ (sign 1) or p_- (sign -1)."""
    v = 1 + sigma2
    return (tau + sign * sympy.sqrt(tau**2 - 4 * eta * v)) / (2 * v)


def eq_17_margin() -> Any:
    """Return right side minus left side of Eq. 17 as printed."""
    Delta = p * (tau - (1 + sigma2) * p) - eta
    return HALF * (alpha_p * (1 + sigma2) * s + eta) - Delta


CLEAR = 1e-6  # relative difference from which two sides are taken to differ
TRIES = 60


def counter_example(step: Step) -> str:
    """Return numbers at which a step is false, in words, or "" when none were found.

    Args:
        step: an identity, a scalar identity or a sign.

    Returns:
        The numbers.
    """
    if isinstance(step, Identity):
        return _of_identity(step)
    if isinstance(step, ScalarIdentity):
        return _of_scalars(step)
    return _of_sign(step) if isinstance(step, ScalarSign) else ""


def _of_identity(step: Identity) -> str:
    for seed in range(5):
        residual, apart, left, right = step.sides(seed)
        if residual > CLEAR:
            return (
                f"|lhs| = {left:.3g}, |rhs| = {right:.3g}, |lhs - rhs| = {apart:.3g} at random matrices (seed {seed})"
            )
    return ""


def random_values(symbols: Any, rng: np.random.Generator) -> dict[Any, float]:
    """Return a random positive number for every symbol, to three digits."""
    return {symbol: round(float(rng.uniform(0.1, 2.0)), 3) for symbol in sorted(symbols, key=str)}


def _words(values: dict[Any, float]) -> str:
    return ", ".join(f"{symbol} = {value:g}" for symbol, value in values.items())


def _of_scalars(step: ScalarIdentity) -> str:
    left, right = sympy.sympify(step.lhs), sympy.sympify(step.rhs)
    rng = np.random.default_rng(0)
    for _ in range(TRIES):
        values = random_values(left.free_symbols | right.free_symbols, rng)
        a, b = complex(left.subs(values)), complex(right.subs(values))
        if max(abs(a.imag), abs(b.imag)) > 1e-12:  # beyond the critical decay: no such point
            continue
        if abs(a - b) > CLEAR * (abs(a) + abs(b)) and abs(a - b) > CLEAR:
            return f"{a.real:.4g} against {b.real:.4g}" + (f" at {_words(values)}" if values else "")
    return ""


def _of_sign(step: ScalarSign) -> str:
    expr, rng = sympy.sympify(step.equals), np.random.default_rng(0)
    symbols = sorted(expr.free_symbols, key=str)
    nonnegative = [symbol for symbol in symbols if symbol.is_nonnegative and not symbol.is_positive]
    for attempt in range(TRIES):
        values = random_values(expr.free_symbols, rng)
        if attempt == 0:  # the edge of what is allowed
            values |= dict.fromkeys(nonnegative, 0.0)
        elif nonnegative and attempt % 2:
            values[nonnegative[attempt // 2 % len(nonnegative)]] = 0.0
        value = complex(expr.subs(values))
        if value.imag:  # no such point
            continue
        number = value.real
        broken = {
            "positive": number <= 0,
            "negative": number >= 0,
            "nonnegative": number < -1e-12,
            "nonpositive": number > 1e-12,
        }
        if broken[step.sign]:
            return f"it is {number:.4g}" + (f" at {_words(values)}" if values else "")
    return ""


def small(value: float) -> str:
    """Return a number in two digits; round-off, which differs between machines, only as `below 1e-08`."""
    return f"{value:.1e}" if value >= 1e-8 else "below 1e-08"


KINDS = {
    "agrees": "agrees with the derivation",
    "misprint": "false as printed, in its own setting",
    "missing condition": "true only under a condition that is not printed",
    "other assumptions": "true under its own assumptions, false under others the paper uses",
    "not sharp": "true, but a weaker condition suffices",
    "not necessary": "the condition is sufficient, and a weaker one decides",
    "reading of ours": "true where the text says it; what differs is nowhere stated in the text",
    "undecided": "the corrected form was not proved",
}
READ, TRANSCRIBED = "read", "as transcribed"
"""Whether the words compared were read in the paper's text, or stand in our transcription of it alone."""


@dataclass(frozen=True, repr=False)
class Printed(Brief):
    """A printed statement, apart from the derivation.

    Args:
        name: short name.
        source: paper and place.
        printed: the printed form, in words or a formula.
        corrected: the corrected form; "" where the print stands.
        as_printed: () -> steps of the printed form in the setting it is printed for.
        with_condition: () -> the printed form with the condition that is missing.
        elsewhere: () -> the printed form under other assumptions that the paper uses.
        weaker: () -> steps that prove the statement under a weaker condition than the printed one.
        correct: () -> steps of the corrected form.
        statements: the statements of `lindyn.proofs` that it prints; none where it is no theorem.
        numbers: () -> a counter-example in numbers, where the steps themselves do not give one.
        text: `READ` or `TRANSCRIBED`.
        reading: whether the form that is broken is a reading of ours, not what the text states.
    """

    name: str
    source: str
    printed: str
    as_printed: Callable[[], Any]
    corrected: str = ""
    with_condition: Callable[[], Any] | None = None
    elsewhere: Callable[[], Any] | None = None
    weaker: Callable[[], Any] | None = None
    correct: Callable[[], Any] | None = None
    numbers: Callable[[], str] | None = None
    statements: tuple[Statement, ...] = ()
    text: str = TRANSCRIBED
    reading: bool = False


@dataclass(frozen=True, repr=False)
class Difference(Brief):
    """A printed statement after the audit.

    Args:
        entry: what was compared.
        kind: one of `KINDS`.
        counter_example: numbers that break the printed form; "" where it agrees.
    """

    entry: Printed
    kind: str
    counter_example: str


def passes(steps: Callable[[], Any] | None) -> bool:
    """Return whether there are steps and all of them pass."""
    outcomes = [step.run().passed for step in steps()] if steps is not None else []
    return bool(outcomes) and all(outcomes)


def _numbers(entry: Printed, steps: Callable[[], Any] | None) -> str:
    if entry.numbers is not None:
        return entry.numbers()
    for step in steps() if steps is not None else ():
        if not step.run().passed:
            found = counter_example(step)
            if found:
                return f"{step.text}: {found}"
    return ""


def compare(entry: Printed) -> Difference:
    """Run the printed form and the corrected one and name the difference.

    Args:
        entry: a printed statement.

    Returns:
        The difference, its kind decided by which of the forms were proved.
    """
    found = _compared(entry)
    own = entry.reading and found.kind not in ("agrees", "undecided")
    return Difference(entry, "reading of ours", found.counter_example) if own else found


def _compared(entry: Printed) -> Difference:
    stands = passes(entry.as_printed)
    if entry.correct is not None and not passes(entry.correct):
        return Difference(entry, "undecided", _numbers(entry, entry.correct))
    if not stands:
        kind = (
            "not necessary"
            if passes(entry.weaker)
            else "missing condition"
            if passes(entry.with_condition)
            else "misprint"
        )
        return Difference(entry, kind, _numbers(entry, entry.as_printed))
    if entry.elsewhere is not None and not passes(entry.elsewhere):
        return Difference(entry, "other assumptions", _numbers(entry, entry.elsewhere))
    if entry.weaker is not None and passes(entry.weaker):
        return Difference(entry, "not sharp", _numbers(entry, None))
    return Difference(entry, "agrees", "")


def audit_text(differences: tuple[Difference, ...]) -> str:
    """Return the differences for the terminal, then a line with the statements that agree."""
    lines = []
    for found in differences:
        if found.kind != "agrees":
            entry = found.entry
            lines += [
                f"{entry.name}  ({entry.source}; {entry.text})",
                f"  kind:      {found.kind}: {KINDS[found.kind]}",
                f"  printed:   {entry.printed}",
            ]
            lines += [f"  corrected: {entry.corrected}", f"  numbers:   {found.counter_example}", ""]
    for text in (READ, TRANSCRIBED):
        agreeing = [one.entry.name for one in differences if one.kind == "agrees" and one.entry.text == text]
        lines.append(f"Agree with the derivation, {text} ({len(agreeing)}): {', '.join(agreeing) or 'none'}.")
    return "\n".join(lines)


def first_steps(statement: Any, **changes: Any) -> Callable[[], list[Step]]:
    """Return the steps of a statement as a function, for a comparison."""
    return lambda: list(statement.steps(**changes))
