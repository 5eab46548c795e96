"""The right-hand sides as JavaScript: the lines of `lindyn/equations/`, fed with sympy's symbols and printed.

It is their fifth reading. Nothing of the theory is written in JavaScript by hand: fixed points are solved from the
printed lines, the Jacobian is their derivative.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy

from lindyn.equations import modes, parabola, target
from lindyn.phase import system

PRINTED = {
    "modes": (modes, ("drive", "dp", "growth", "ds", "dp_weights", "residual", "dw", "da", "integral_of_motion")),
    "parabola": (parabola, ("dp",)),
    "target": (target, ("dtau",)),
}
"""Modules of equations and the functions of each that are printed."""
VALUES = ("alpha_p", "eta_p", "eta_s", "x", "x_aug", "tau", "beta")


@functools.cache
def symbols(*names: str) -> tuple[sympy.Symbol, ...]:
    """Return real symbols of these names."""
    return tuple(sympy.Symbol(name, real=True) for name in names)


def printed(name: str, arguments: tuple[str, ...], result: Any) -> str:
    """Return a JavaScript function of numbers; one that returns an array where `result` is a list."""
    parts = list(result) if isinstance(result, list | tuple | np.ndarray) else [result]
    shared, reduced = sympy.cse(parts, symbols=sympy.numbered_symbols("c"), order="none")
    lines = [f"  const {symbol} = {sympy.jscode(part)};" for symbol, part in shared]
    values = [sympy.jscode(part) for part in reduced]
    whole = f"[{', '.join(values)}]" if isinstance(result, list | tuple | np.ndarray) else values[0]
    return "\n".join([f"function {name}({', '.join(arguments)}) {{", *lines, f"  return {whole};", "}"])


def of_function(name: str, function: Callable[..., Any]) -> str:
    """Return an equation as JavaScript, its arguments under their own names."""
    names = tuple(inspect.signature(function).parameters)
    return printed(name, names, function(*symbols(*names)))


def _values() -> Mapping[str, sympy.Symbol]:
    return dict(zip(VALUES, symbols(*VALUES), strict=True))


def rates(moving: bool) -> list[Any]:
    """Return the symbolic dy/dt of `phase.system.rates`, (p, s) at held tau or (p, s, tau)."""
    y = symbols("p", "s", "tau") if moving else symbols("p", "s")
    return list(system.rates(np.array(y, dtype=object), _values()))


@functools.cache
def stationary() -> dict[str, Any]:
    """Return p_-, p_+ and the s of dp/dt = 0, solved from the equations; and their discriminant."""
    v = _values()
    p, s = symbols("p", "s")
    bracket = modes.drive(p, v["tau"], v["x"], v["x_aug"])
    growth = sympy.Poly(sympy.expand(modes.growth(p, bracket, v["eta_s"])), p)
    a, b, _ = growth.all_coeffs()
    found = sympy.discriminant(growth)
    root = sympy.sqrt(found)
    ends = [(-b + sign * root) / (2 * a) for sign in (1, -1)]  # a < 0: p_- first
    level = sympy.solve(modes.dp(p, s, bracket, v["alpha_p"], v["eta_p"]), s)[0]
    critical = sympy.solve(found, v["eta_s"])[0]
    return {"p_minus": ends[0], "p_plus": ends[1], "s_of_p": level, "discriminant": found, "critical": critical}


def source() -> str:
    """Return every function of the page's theory as one JavaScript text."""
    parts = [
        of_function(f"{module}_{name}", getattr(where, name))
        for module, (where, names) in PRINTED.items()
        for name in names
    ]
    plane = ("p", "s", *VALUES)
    free = ("alpha_p", "eta_p", "eta_s", "x", "x_aug", "beta")
    parts.append(printed("rates_held", plane, rates(False)))
    parts.append(printed("rates_moving", ("p", "s", "tau", *free), rates(True)))
    p, s = symbols("p", "s")
    jacobian = [sympy.diff(rate, variable) for rate in rates(False) for variable in (p, s)]
    parts.append(printed("jacobian_held", plane, jacobian))
    known = stationary()
    for name in ("p_minus", "p_plus", "discriminant"):
        parts.append(printed(name, ("eta_s", "x", "x_aug", "tau"), known[name]))
    parts.append(printed("critical", ("x", "x_aug", "tau"), known["critical"]))
    parts.append(printed("s_of_p", ("p", "alpha_p", "eta_p", "x", "x_aug", "tau"), known["s_of_p"]))
    return "\n".join(parts) + "\n"
