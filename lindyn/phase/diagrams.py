"""The bifurcation diagram in eta, the fold as a curve in two parameters, and the search for oscillations (Hopf)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks, theory
from lindyn.display.brief import Brief
from lindyn.equations import modes, parabola, target
from lindyn.phase.arclength import Curve, Rates, SpecialPoint, continue_curve
from lindyn.phase.manifold import p_minus_of
from lindyn.phase.system import PhaseSystem, check_system, parts, rates

SECOND = ("tau", "x_aug", "x", "alpha_p", "beta")
START = 0.5  # of the critical decay: where continuation sets out from p_-


@dataclass(frozen=True, repr=False)
class BifurcationDiagram(Brief):
    """Fixed points over the weight decay eta = eta_p = eta_s.

    Args:
        eta: (n,) along the alive curve, from p_- near eta = 0 through the fold to p_+ near eta = 0.
        points: (n, d).
        eigenvalues: (n, d), largest real part first.
        collapsed_eta: grid for the collapsed point p = s = 0.
        collapsed_eigenvalues: largest real part there, by the Jacobian.
        fold: where p_- and p_+ meet.
        transcritical: where p_- passes through p = 0 (on the parabola), eta = 0.
        crossing: (m, 2) of (eta, p), p_- on the parabola on both sides of eta = 0.
        residual: largest |dy/dt| on the alive curve.
    """

    eta: np.ndarray
    points: np.ndarray
    eigenvalues: np.ndarray
    collapsed_eta: np.ndarray
    collapsed_eigenvalues: np.ndarray
    fold: SpecialPoint
    transcritical: SpecialPoint
    crossing: np.ndarray
    residual: float

    @property
    def stable(self) -> np.ndarray:
        """Whether each point of the alive curve is stable."""
        return self.eigenvalues.real.max(axis=1) < 0


@dataclass(frozen=True, repr=False)
class FoldCurve(Brief):
    """The fold in two parameters: above eta every start collapses.

    Args:
        name: of the second parameter.
        values: its grid.
        eta: of the fold, found by continuation.
        precision: of each.
        closed_form: tau^2 x^2 / (4 (x + x')) there.
    """

    name: str
    values: np.ndarray
    eta: np.ndarray
    precision: np.ndarray
    closed_form: np.ndarray


def bifurcation_diagram(system: PhaseSystem, step: float = 0.02) -> BifurcationDiagram:
    """Return the fixed points over eta, by continuation from p_- at half the critical decay.

    The transcritical point is sought on the invariant parabola (Eq. 16), where it is an ordinary one; in the (p, s)
    plane all of s = 0 is fixed at eta = 0, so that the whole Jacobian vanishes there.

    Args:
        system: `plane(...)` or `ema(...)`; its eta is not used.
        step: of the continuation, in units of p* and the critical decay.

    Returns:
        `BifurcationDiagram`.
    """
    check_system(system)
    critical = _critical(system)
    start = p_minus_of(system.at(eta=START * critical))
    window = (1e-4 * critical, 2 * critical)
    family = _family(system)
    out = [
        continue_curve(
            family, start.point, START * critical, window, direction=way, scale=system.scale, unit=critical, step=step
        )
        for way in (-1, 1)
    ]
    folds = [found for curve in out for found in curve.special if found.kind == "fold"]
    eta, points, values = (
        np.concatenate([getattr(out[0], name)[:0:-1], getattr(out[1], name)])
        for name in ("parameter", "points", "eigenvalues")
    )
    grid = np.linspace(-0.3 * critical, 1.5 * critical, 91)
    collapsed = np.array([_collapsed_growth(system, float(e)) for e in grid])
    cross = _through_zero(system, critical, step)
    meeting = next(found for found in cross.special if found.kind == "branch point")
    line = np.stack([cross.parameter, cross.points[:, 0]], axis=1)
    return BifurcationDiagram(
        eta, points, values, grid, collapsed, folds[0], meeting, line, max(curve.residual for curve in out)
    )


def _critical(system: PhaseSystem) -> float:
    return float(theory.critical_decay(system.rest_tau, system.x, system.x_aug))


def _family(system: PhaseSystem) -> Rates:
    def family(y: np.ndarray, eta: complex) -> np.ndarray:
        return rates(y, system.values | {"eta_p": eta, "eta_s": eta})

    return family


def _through_zero(system: PhaseSystem, critical: float, step: float) -> Curve:
    """Return p_- on the parabola, (p,) or (p, tau), from eta > 0 to eta < 0."""
    values = system.values

    def family(y: np.ndarray, eta: complex) -> np.ndarray:
        tau = y[1] if system.beta is not None else system.tau
        growth = modes.growth(y[0], modes.drive(y[0], tau, system.x, system.x_aug), eta)
        out = [parabola.dp(y[0], growth)]
        return np.array(out if system.beta is None else [*out, target.dtau(tau, growth, values["beta"])])

    p = p_minus_of(system.at(eta=0.1 * critical)).point[0]
    begin = np.array([p] if system.beta is None else [p, 1.0])
    scale = system.scale[[0] if system.beta is None else [0, 2]]
    window = (-0.3 * critical, 0.2 * critical)
    return continue_curve(
        family, begin, 0.1 * critical, window, direction=-1, scale=scale, unit=critical, step=step, branch_points=True
    )


def _collapsed_growth(system: PhaseSystem, eta: float) -> float:
    """Return the largest real part of the eigenvalues at p = s = 0 in the plane (tau held, or 1)."""
    section = system if system.beta is None else system.section(1.0)
    columns = []
    for k in range(2):
        moved = np.zeros(2, dtype=complex)
        moved[k] = 1e-30j
        columns.append(rates(moved, section.values | {"eta_p": eta, "eta_s": eta}).imag / 1e-30)
    return float(np.linalg.eigvals(np.stack(columns, axis=1)).real.max())


def find_fold(system: PhaseSystem, step: float = 0.05) -> SpecialPoint:
    """Return the fold in eta = eta_p = eta_s, by continuation from p_- at half the critical decay.

    Args:
        system: `plane(...)` or `ema(...)`; its eta is not used.
        step: of the continuation.

    Returns:
        `SpecialPoint` with parameter, bracket and precision.
    """
    critical = _critical(system)
    start = p_minus_of(system.at(eta=START * critical))
    curve = continue_curve(
        _family(system), start.point, START * critical, (0.1 * critical, 2 * critical),
        scale=system.scale, unit=critical, step=step, stop_at_fold=True,
    )  # fmt: skip
    return next(found for found in curve.special if found.kind == "fold")


def fold_curve(system: PhaseSystem, name: str, values: Any) -> FoldCurve:
    """Return the fold in eta over a second parameter.

    Args:
        system: `plane(...)` or `ema(...)`; gives the other parameters.
        name: "tau" (held), "x_aug" (sigma^2), "x", "alpha_p" or "beta" (moving target).
        values: its increasing grid.

    Returns:
        `FoldCurve`.

    Raises:
        ValueError: an unknown name, or one this system does not have; a grid that does not increase.
    """
    check_system(system)
    parts(_checks.one_of("the second parameter", name, SECOND))
    if name not in system.values:
        raise ValueError(f"{name} is no parameter of this system; it has {', '.join(system.values)}.")
    values = np.asarray(_checks.as_array(name, values, ndim=1))
    if len(values) < 2 or np.any(np.diff(values) <= 0):
        raise ValueError(f"{name} must increase over two or more values; got {values.tolist()!s:.60}.")
    systems = [system.at(**{name: float(value)}) for value in values]
    folds = [find_fold(each) for each in systems]
    return FoldCurve(
        name,
        values,
        np.array([found.parameter for found in folds]),
        np.array([found.precision for found in folds]),
        np.array([_critical(each) for each in systems]),
    )


def hopf_margin(system: PhaseSystem, point: Any) -> tuple[float, float]:
    """Return how far a fixed point of `ema` is from a Hopf point, and the largest real part of its eigenvalues.

    The margin is (a_1 a_2 - a_0) / (|a_1| a_2 + |a_0|), from the Jacobian found on the flow.

    A pair of eigenvalues lies on the imaginary axis only where lambda^3 + a_2 lambda^2 + a_1 lambda + a_0 has
    a_1 a_2 = a_0 with a_1 > 0. With u = (x + x') p^2 and x p = eta_s + u at tau = 1,
        a_2 = eta_p (1 + u/eta_s) + beta + x p,   a_0 = 2 beta eta_p (u - eta_s),
        a_1 = 2 eta_p x p + beta eta_p (1 + u/eta_s) + 2 eta_p (u - eta_s),
    without alpha_p. At p_+ (u > eta_s): a_1 > 2 eta_p (u - eta_s) and a_2 > beta, so that a_1 a_2 > a_0 > 0: always
    stable. At p_- (u < eta_s): a_1 > 4 eta_p u > 0 > a_0: one positive eigenvalue, never a pair on the axis. So no
    Hopf point exists for any alpha_p, beta, eta_p, eta_s > 0.

    Args:
        system: `ema(...)`.
        point: a fixed point (p, s, tau).

    Returns:
        The margin, between -1 and 1, and the largest real part.
    """
    J = system.jacobian(np.asarray(point, dtype=float))
    _, a2, a1, a0 = np.poly(J).real
    return float((a1 * a2 - a0) / (abs(a1) * a2 + abs(a0))), float(np.linalg.eigvals(J).real.max())
