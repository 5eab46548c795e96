"""The saddle p_-, on the edge of the basin of collapse; and why there is none, where there is none."""

import numpy as np

from lindyn import theory
from lindyn.phase.equilibria import FixedPoint, classify, closed_forms, newton
from lindyn.phase.system import PhaseSystem


def p_minus_of(system: PhaseSystem) -> FixedPoint:
    """Return the saddle p_-, found on the flow.

    Raises:
        ValueError: there is none: the decay is 0, or at or above the critical one.
    """
    critical = float(theory.critical_decay(system.rest_tau, system.x, system.x_aug))
    if system.eta_p == 0 or system.eta_s == 0:
        raise ValueError(
            f"There is no isolated saddle without decay (got eta_p = {system.eta_p:g}, eta_s = {system.eta_s:g}); "
            f"choose a decay between 0 and the critical {critical:.6g}."
        )
    if system.eta_s >= critical:
        raise ValueError(
            f"There is no saddle, hence no separatrix: eta = {system.eta_s:g} is not below the critical decay "
            f"tau^2 x^2/(4 (x + x')) = {critical:.6g}, where p_- meets p_+; every start collapses. Lower eta."
        )
    closed = closed_forms(system)
    start = np.array([[closed.p_minus, closed.s_minus, 1.0][: len(system.names)]], dtype=float)
    found = [classify(system, y) for y in newton(system, start)]
    if not found or found[0].stability != "saddle":
        raise ValueError(
            f"The saddle cannot be told from p_+ in double precision: eta = {system.eta_s:.17g} is too close to the "
            f"critical decay {critical:.17g}. Lower eta."
        )
    return found[0]
