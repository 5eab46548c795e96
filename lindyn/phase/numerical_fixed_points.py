"""Fixed points of a flow, found on the flow itself: the second route beside the closed forms of `lindyn.theory`.

A flow is read as a field v -> dv/dt of few variables; roots come from Newton's method started in many places, and
Jacobians from five-point differences, which are exact to round-off for fields up to fourth degree (these are cubic).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import root

Field = Callable[[np.ndarray], np.ndarray]
STEP = 0.05


def field(flow: Any, variables: tuple[str, ...], state: Callable[..., dict[str, Any]]) -> Field:
    """Return the flow as a field of some of its variables.

    Args:
        flow: any flow whose state has one number per variable.
        variables: the fields of the state whose rates are wanted.
        state: variables -> all fields of the state (held ones added, tied ones repeated).

    Returns:
        A function of an array (variables, ...) that returns the rates, the same shape.
    """

    def rates(v: np.ndarray) -> np.ndarray:
        v = np.asarray(v, dtype=np.float64)
        values = {
            name: np.broadcast_to(np.asarray(value, np.float64), v.shape[1:]) for name, value in state(*v).items()
        }
        rate = flow(0.0, flow.state_type._unchecked(**values))
        return np.stack([np.broadcast_to(getattr(rate, name), v.shape[1:]) for name in variables])

    return rates


def jacobian(rates: Field, v: np.ndarray) -> np.ndarray:
    """Return d(rates)/dv at one point v, by five-point differences."""
    v = np.asarray(v, dtype=np.float64)[:, None]
    step = STEP * np.eye(len(v))
    near, far = rates(v + step) - rates(v - step), rates(v + 2 * step) - rates(v - 2 * step)
    return (8 * near - far) / (12 * STEP)


def roots(rates: Field, starts: np.ndarray, inside: Callable[[np.ndarray], bool], apart: float = 1e-6) -> np.ndarray:
    """Return the distinct roots that Newton's method reaches.

    Args:
        rates: the field.
        starts: starting points, n x variables.
        inside: whether a root counts (it lies in the window).
        apart: roots closer than this are one.

    Returns:
        The roots, k x variables, sorted by the first variable.
    """
    found: list[np.ndarray] = []
    for start in np.atleast_2d(starts):
        solution = root(rates, start, jac=lambda v: jacobian(rates, v), method="hybr", options={"xtol": 1e-13})
        v = _polish(rates, solution.x)
        if v is None or not inside(v):
            continue
        if all(np.max(np.abs(v - other)) > apart for other in found):
            found.append(v)
    points = np.array(found).reshape(-1, np.atleast_2d(starts).shape[1])
    return points[np.lexsort(np.round(points, 9).T[::-1])]


def _polish(rates: Field, v: np.ndarray) -> np.ndarray | None:
    """Return v after a few Newton steps, or None where it is no root."""
    for _ in range(4):
        if np.max(np.abs(rates(v))) == 0:
            break
        v = v - np.linalg.lstsq(jacobian(rates, v), rates(v), rcond=1e-10)[0]
    return v if np.max(np.abs(rates(v))) <= 1e-12 else None


def stability(rates: Field, v: np.ndarray, zero: float = 1e-9) -> tuple[str, np.ndarray]:
    """Return "stable", "unstable" or "marginal" and the Jacobian's eigenvalues, largest real part first."""
    values = np.linalg.eigvals(jacobian(rates, v)).astype(complex)
    values = values[np.argsort(-values.real)]
    top = values[0].real
    return ("unstable" if top > zero else "stable" if top < -zero else "marginal"), values


def crossings(rates: Callable[[np.ndarray], np.ndarray], grid: np.ndarray) -> list[tuple[float, int, int]]:
    """Return every zero of a scalar function on a grid with its sign on either side, touches included.

    Args:
        rates: array -> array.
        grid: increasing; it must resolve the zeros.

    Returns:
        (zero, sign left, sign right), in order: (1, -1) attracts, (-1, 1) repels, equal signs are a touch.
    """
    from scipy.optimize import brentq, minimize_scalar

    value = rates(grid)
    scale, h = float(np.max(np.abs(value))), float(np.min(np.diff(grid)))
    out: list[tuple[float, int, int]] = []
    for k in range(1, len(grid) - 1):
        before, here, after = value[k - 1 : k + 2]
        zero = None
        if here == 0:
            zero = grid[k]
        elif np.sign(here) * np.sign(after) < 0:
            zero = brentq(lambda z: float(rates(np.array(z))), grid[k], grid[k + 1], xtol=1e-15, rtol=1e-15)
        elif abs(here) <= min(abs(before), abs(after)) and before * after > 0:
            low = minimize_scalar(
                lambda z: abs(float(rates(np.array(z)))), bounds=(grid[k - 1], grid[k + 1]), method="bounded",
                options={"xatol": 1e-12},
            )  # fmt: skip
            zero = low.x if low.fun <= 1e-15 * max(scale, 1.0) else None
        if zero is not None:
            sides = rates(np.array([zero - h / 2, zero + h / 2]))
            out.append((float(zero), int(np.sign(sides[0])), int(np.sign(sides[1]))))
    return out
