"""Pseudo-arclength continuation of zeros of a small family of vector fields, with folds and branch points located."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, root

from lindyn.display.brief import Brief

STEP = 1e-30
Rates = Callable[[np.ndarray, complex], np.ndarray]  # (state, parameter), real or complex


@dataclass(frozen=True, repr=False)
class SpecialPoint(Brief):
    """A fold or a branch point on a curve of fixed points.

    Args:
        kind: "fold" or "branch point".
        parameter: its value there.
        point: the state.
        bracket: (low, high), parameters that enclose it.
        precision: half the width of the bracket.
        eigenvalues: of the Jacobian there.
    """

    kind: str
    parameter: float
    point: np.ndarray
    bracket: tuple[float, float]
    precision: float
    eigenvalues: np.ndarray


@dataclass(frozen=True, repr=False)
class Curve(Brief):
    """A curve of fixed points.

    Args:
        parameter: (n,).
        points: (n, d).
        eigenvalues: (n, d), of the Jacobian, largest real part first.
        residual: largest |dy/dt|.
        special: folds and branch points, in order.
        ended: why it stopped: "left the window", "max_points" or "no convergence".
    """

    parameter: np.ndarray
    points: np.ndarray
    eigenvalues: np.ndarray
    residual: float
    special: tuple[SpecialPoint, ...]
    ended: str


class _Family:
    """The extended system in units of the scales: u = (y / scale, parameter / unit)."""

    def __init__(self, rates: Rates, scale: np.ndarray, unit: float) -> None:
        self.rates, self.units = rates, np.append(scale, unit)

    def value(self, u: np.ndarray) -> np.ndarray:
        z = u * self.units
        return self.rates(z[:-1], z[-1])

    def jacobian(self, u: np.ndarray) -> np.ndarray:
        """Return d rates / d u, d x (d + 1), by complex steps."""
        columns = []
        for k in range(len(u)):
            moved = u.astype(complex)
            moved[k] += 1j * STEP
            columns.append(self.value(moved).imag / STEP)
        return np.stack(columns, axis=1)

    def tangent(self, u: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Return the unit null vector of the extended Jacobian that points along `along`."""
        null = np.linalg.svd(self.jacobian(u))[2][-1]
        return null * np.sign(null @ along)

    def correct(self, guess: np.ndarray, tangent: np.ndarray) -> np.ndarray | None:
        """Return the point of the curve in the plane through `guess` across `tangent`, or None."""
        u = guess.copy()
        for _ in range(12):
            J = np.vstack([self.jacobian(u), tangent])
            left = np.append(self.value(u), tangent @ (u - guess))
            try:
                step = np.linalg.solve(J, left)
            except np.linalg.LinAlgError:
                return None
            u = u - step
            if not np.all(np.isfinite(u)) or np.max(np.abs(u - guess)) > 1.0:
                return None
            if np.max(np.abs(step)) < 1e-13 * (1 + np.max(np.abs(u))):
                return u
        return u if np.max(np.abs(step)) < 1e-9 else None

    def eigenvalues(self, u: np.ndarray) -> np.ndarray:
        values = np.linalg.eigvals(self.jacobian(u)[:, :-1] / self.units[:-1]).astype(complex)
        return values[np.lexsort((values.imag, -values.real))]


def continue_curve(
    rates: Rates,
    point: np.ndarray,
    parameter: float,
    window: tuple[float, float],
    *,
    direction: int = 1,
    scale: np.ndarray,
    unit: float,
    step: float = 0.02,
    max_points: int = 2000,
    branch_points: bool = False,
    stop_at_fold: bool = False,
) -> Curve:
    """Follow a curve of fixed points through its folds until its parameter leaves a window.

    Args:
        rates: (state, parameter) -> dy/dt, analytic in both.
        point: a fixed point.
        parameter: its parameter.
        window: (low, high) of the parameter.
        direction: +1 to start with a growing parameter, -1 with a falling one.
        scale: size of each variable.
        unit: size of the parameter.
        step: arclength of a step in those sizes.
        max_points: limit.
        branch_points: also locate points where another curve crosses.
        stop_at_fold: end there.

    Returns:
        `Curve`.
    """
    family = _Family(rates, np.asarray(scale, dtype=float), unit)
    u = np.append(point, parameter) / family.units
    up = np.zeros(len(u))
    up[-1] = direction
    tangent = family.tangent(u, up)
    path, special, ended, size = [u], [], "max_points", step
    while len(path) < max_points:
        there = family.correct(u + size * tangent, tangent)
        if there is None or np.linalg.norm(there - u) > 2 * size:
            size /= 2
            if size < 1e-9:
                ended = "no convergence"
                break
            continue
        ahead = family.tangent(there, tangent)
        special += _events(family, u, tangent, there, ahead, size, branch_points)
        u, tangent, size = there, ahead, min(step, 2 * size)
        path.append(u)
        if not window[0] <= u[-1] * unit <= window[1]:
            ended = "left the window"
            break
        if stop_at_fold and any(found.kind == "fold" for found in special):
            ended = "fold"
            break
    return _curve(family, path, special, ended)


def _curve(family: _Family, path: list[np.ndarray], special: list[SpecialPoint], ended: str) -> Curve:
    us = np.array(path)
    residual = max(float(np.max(np.abs(family.value(u)))) for u in us)
    values = np.array([family.eigenvalues(u) for u in us])
    z = us * family.units
    return Curve(z[:, -1], z[:, :-1], values, residual, tuple(special), ended)


def _events(
    family: _Family,
    u: np.ndarray,
    tangent: np.ndarray,
    there: np.ndarray,
    ahead: np.ndarray,
    size: float,
    crossing: bool,
) -> list[SpecialPoint]:
    """Return what lies between two points of the curve."""
    found = []
    if tangent[-1] * ahead[-1] < 0:
        found.append(_locate("fold", family, u, tangent, size, lambda at: family.tangent(at, tangent)[-1]))

    def bordered(at: np.ndarray) -> float:
        return float(np.linalg.det(np.vstack([family.jacobian(at), tangent])))

    if crossing and bordered(u) * bordered(there) < 0:
        found.append(_branch_point(family, u, there))
    return found


def _branch_point(family: _Family, *starts: np.ndarray) -> SpecialPoint:
    """Return the point where two curves cross, from starts on either side.

    Newton's method on the curve fails there, so the unfolded system in (u, mu, psi) is solved, regular at a simple
    crossing: f + mu psi = 0, (df/du)^T psi = 0, |psi| = 1.
    """
    d = len(family.units) - 1

    def unfolded(z: np.ndarray) -> np.ndarray:
        u, mu, psi = z[: d + 1], z[d + 1], z[d + 2 :]
        return np.concatenate([family.value(u) + mu * psi, family.jacobian(u).T @ psi, [psi @ psi - 1]])

    ends = []
    for u in starts:
        psi = np.linalg.svd(family.jacobian(u))[0][:, -1]
        ends.append(root(unfolded, np.concatenate([u, [0.0], psi]), tol=1e-14).x[: d + 1])
    parameters = [float(end[-1] * family.units[-1]) for end in ends]
    precision = abs(parameters[1] - parameters[0]) + 8 * np.finfo(float).eps * float(family.units[-1])
    at = parameters[0]
    z = ends[0] * family.units
    return SpecialPoint(
        "branch point", at, z[:-1], (at - precision, at + precision), precision, family.eigenvalues(ends[0])
    )


def _locate(
    kind: str, family: _Family, u: np.ndarray, tangent: np.ndarray, size: float, test: Callable[[np.ndarray], float]
) -> SpecialPoint:
    """Return the point between where `test` is 0, by Brent's method along the arc."""

    def at(arc: float) -> np.ndarray:
        point = family.correct(u + arc * tangent, tangent)
        return u + arc * tangent if point is None else point

    arc = brentq(lambda sigma: test(at(sigma)), 0.0, size, xtol=1e-12 * size, rtol=1e-14)
    width = max(1e-9 * size, 1e-13)  # of the arc, generous; at a fold the parameter changes with its square
    unit = family.units[-1]
    near = [float(at(arc + way * width)[-1] * unit) for way in (-1.0, 0.0, 1.0)]
    precision = max(abs(near[0] - near[1]), abs(near[2] - near[1])) + 8 * np.finfo(float).eps * (
        abs(near[1]) + float(unit)
    )
    z = at(arc) * family.units
    values = family.eigenvalues(at(arc))
    return SpecialPoint(kind, near[1], z[:-1], (near[1] - precision, near[1] + precision), precision, values)
