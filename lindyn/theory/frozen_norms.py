"""Bao's system with the norms held: its positive fixed points, and the regimes Collapse, Acute and Stable.

    dp/dt = p (h(p) - rho),   h(p) = A p - B p^2 - C p^5,
    A = 1/(N_q N_t),  B = (1 + v) T/(N_q^3 N_t),  C = 2 (1 + v)/(N_q^3 N_t)

h rises from 0 to one maximum and falls. So with decay there is no positive fixed point while rho > max h, and there are
two while rho < max h, the larger of them stable; 0 is always stable. Named here: Collapse without any, Stable where
every mode starts above the smaller one, Acute in between. Weights c times as large have T c^3, N_q c^2 and N_t c, hence
h(c p) = h_1(p)/c^2: the borders lie at c^2 = max h_1/rho and c^2 = h_1(smallest p)/rho.
"""

from typing import Any

import numpy as np
import scipy.optimize

from lindyn import _checks
from lindyn.equations import bao, cosine

REGIMES = ("Collapse", "Acute", "Stable")
REAL = 1e-9
"""Share of a root's size below which its imaginary part is round-off."""


def norms(p: Any, v: float) -> tuple[float, float, float]:
    """Return (T, N_q, N_t) of modes on s = p^2: E[q . t] and the roots of E|q|^2 and E|t|^2, at x = 1.

    Args:
        p: one entry per mode, not all 0.
        v: variance of the augmentation over the data's, >= 0.

    Raises:
        ValueError: p = 0, for which there is no cosine.
    """
    p, v = np.asarray(_checks.as_array("p", p, ndim=1), float), _checks.as_scalar("v", v, minimum=0.0)
    if not p.any():
        raise ValueError("p = 0 has no norm to hold, and the cosine loss no gradient; got p = 0 in every mode.")
    X, online, target = np.eye(len(p)), np.diag(p * p), np.diag(p)
    N_q, N_t = (float(cosine.mean_square(A, X, v * X)) ** 0.5 for A in (online, target))
    return float(cosine.overlap(online, target, X)), N_q, N_t


def _growth(T: float, N_q: float, N_t: float, v: float) -> np.poly1d:
    """Return h(p) of the equation that is integrated, as a polynomial."""
    return np.poly1d(bao.frozen_norm_rate(np.poly1d([1.0, 0.0]), v, T, N_q, N_t, 0.0).coeffs[:-1])


def positive_fixed_points(T: float, N_q: float, N_t: float, v: float, rho: float) -> np.ndarray:
    """Return the positive fixed points at held norms, smallest first: roots of A p - B p^2 - C p^5 - rho.

    Args:
        T: E[q . t].
        N_q: root of E|q|^2, > 0.
        N_t: root of E|t|^2, > 0.
        v: variance of the augmentation over the data's, >= 0.
        rho: weight decay, > 0.

    Raises:
        ValueError: a norm or rho that is not positive, v < 0, NaN.
    """
    N_q, N_t, rho = (
        _checks.as_scalar(name, value, minimum=0.0, exclusive=True)
        for name, value in (("N_q", N_q), ("N_t", N_t), ("rho", rho))
    )
    h = _growth(_checks.as_scalar("T", T), N_q, N_t, _checks.as_scalar("v", v, minimum=0.0))
    roots = (h - rho).roots
    real = np.abs(roots.imag) <= REAL * np.abs(roots)
    return np.sort(roots.real[real & (roots.real > 0)])


def regime(p: Any, v: float, rho: float) -> str:
    """Return which of `REGIMES` modes are in at the norms that they have.

    Args:
        p: one entry per mode.
        v: variance of the augmentation over the data's, >= 0.
        rho: weight decay, > 0.

    Raises:
        ValueError: p = 0, v < 0, rho that is not positive.
    """
    found = positive_fixed_points(*norms(p, v), v, rho)
    if len(found) < 2:
        return "Collapse"
    return "Stable" if np.min(p) > found[0] else "Acute"


def borders(p: Any, v: float, rho: float) -> tuple[float, float]:
    """Return the scales c of modes c p at which Collapse turns Acute, and Acute Stable.

    c^2 = max h_1/rho and c^2 = h_1(smallest p)/rho; one and the same where the smallest p lies past the maximum of h_1,
    since every mode is in reach as soon as there is something to reach.

    Args:
        p: one entry per mode, all > 0.
        v: variance of the augmentation over the data's.
        rho: weight decay, > 0.

    Raises:
        ValueError: a p or rho that is not positive.
    """
    T, N_q, N_t = norms(p, v)
    least = float(_checks.as_scalar("the smallest p", np.min(p), minimum=0.0, exclusive=True))
    rho = _checks.as_scalar("rho", rho, minimum=0.0, exclusive=True)
    h = _growth(T, N_q, N_t, v)
    high = (N_q**2 / (1 + v)) ** 0.25  # 10 high^4 (1 + v) > N_q^2: past the maximum
    top = scipy.optimize.brentq(h.deriv(), 0.0, high, xtol=1e-15, rtol=1e-14)
    return (h(top) / rho) ** 0.5, (h(min(least, top)) / rho) ** 0.5
