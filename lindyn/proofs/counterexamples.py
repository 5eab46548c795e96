"""Numbers that break a step: random states for identities, random values for scalar claims."""

from typing import Any

import numpy as np
import sympy

from lindyn.proofs.steps import Identity, ScalarIdentity, ScalarSign, Step

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
    nonnegative = [symbol for symbol in expr.free_symbols if symbol.is_nonnegative and not symbol.is_positive]
    for attempt in range(TRIES):
        values = random_values(expr.free_symbols, rng)
        if attempt == 0:  # the edge of what is allowed
            values |= dict.fromkeys(nonnegative, 0.0)
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
