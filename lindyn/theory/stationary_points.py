"""Fixed points of a mode at fixed tau, their stability, and the decay past which only collapse remains."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._records import Record
from lindyn.display.brief import brief, notebook


@dataclass(frozen=True, eq=False, repr=False)
class FixedPoints(Record):
    """Fixed points of Eqs. 11-12 (and Eq. 16) at fixed tau; arrays broadcast over the arguments.

    Args:
        p_zero: the collapsed one, 0.
        p_minus: the unstable one (edge of the basin of collapse); NaN where it does not exist.
        p_plus: the stable one; NaN where it does not exist.
        s_minus: F's eigenvalue at p_minus.
        s_plus: F's eigenvalue at p_plus.
        eta_critical: the decay of the online network above which only p_zero is left.
        eigenvalues: of the (p, s) Jacobian, {"zero" | "minus" | "plus": array of shape (..., 2)}; complex pairs
            can occur at p_plus.
        stability: {"zero" | "minus" | "plus": array of "stable", "saddle", "marginal" or "none"}.
    """

    p_zero: Any
    p_minus: Any
    p_plus: Any
    s_minus: Any
    s_plus: Any
    eta_critical: Any
    eigenvalues: dict[str, Any]
    stability: dict[str, Any]

    def _repr_html_(self) -> str:
        points = (("p_0", "zero", self.p_zero, 0.0), ("p_-", "minus", self.p_minus, self.s_minus),
                  ("p_+", "plus", self.p_plus, self.s_plus))  # fmt: skip
        rows = [[name, p, s, self.stability[key], self.eigenvalues[key]] for name, key, p, s in points]
        note = f"Critical decay {brief(self.eta_critical)}."
        return notebook("Fixed points of a mode", ("", "p", "s", "stability", "eigenvalues"), rows, note)


def critical_of(c: Any, v: Any) -> Any:
    """Return c^2/(4 v), the critical decay by c = x tau and v = x + x'; numbers, arrays or symbols."""
    return c**2 / (4 * v)


def roots_of(eta_s: Any, c: Any, v: Any, sqrt: Any = np.sqrt) -> tuple[Any, Any]:
    """Return (p_-, p_+), the roots of p (c - v p) = eta_s; numbers, arrays or symbols.

    Args:
        eta_s: decay of the online network.
        c: x tau.
        v: x + x'.
        sqrt: where the root comes from; what it is handed is c^2 - 4 eta_s v.
    """
    p_plus = (c + sqrt(c**2 - 4 * eta_s * v)) / (2 * v)
    return eta_s / (v * p_plus), p_plus  # p_+ p_- = eta_s / v: no cancellation at small eta


def size_of(p: Any, ratio: Any, alpha_p: Any) -> Any:
    """Return s = (eta_p/eta_s) p^2/alpha_p of a living fixed point, with ratio = eta_p/eta_s."""
    return ratio * p**2 / alpha_p


def jacobian_of(p: Any, s: Any, eta_p: Any, eta_s: Any, c: Any, v: Any, alpha_p: Any) -> list[list[Any]]:
    """Return the rows of d(dp/dt, ds/dt)/d(p, s) at fixed tau, D = c - v p."""
    D = c - v * p
    return [[-alpha_p * s * v - eta_p, alpha_p * D], [2 * s * (D - v * p), 2 * (p * D - eta_s)]]


def ends_dead(p: Any, s: Any, alpha_p: Any, c: Any, v: Any) -> Any:
    """Return whether s goes to 0 at eta = 0 and fixed tau; numbers, arrays, or symbols whose signs are known."""
    q2 = p**2 - alpha_p * s
    return (s == 0) | ((p < 0) & (q2 >= 0)) | ((p > 0) & (q2 - (c / v) ** 2 >= 0))


def critical_decay(tau: Any = 1.0, x: Any = 1.0, x_aug: Any = 0.25) -> Any:
    """Return tau^2 x^2 / (4 (x + x_aug)), the largest eta_s at which a mode can live (tau^2/(4(1+sigma^2)) at x = 1).

    Args:
        tau: target / online ratio (1 at any fixed point of the EMA flow).
        x: eigenvalue of X, >= 0.
        x_aug: eigenvalue of X', >= 0.

    Returns:
        The critical decay, 0 where x = x_aug = 0.
    """
    tau, x, x_aug = (_checks.as_array(n, v) for n, v in (("tau", tau), ("x", x), ("x_aug", x_aug)))
    v = x + x_aug
    return np.where(v > 0, critical_of(tau * x, np.where(v > 0, v, 1.0)), 0.0)[()]


def fixed_points(
    eta: Any = None,
    tau: Any = 1.0,
    x: Any = 1.0,
    x_aug: Any = 0.25,
    alpha_p: Any = 1.0,
    *,
    eta_p: Any = None,
    eta_s: Any = None,
) -> FixedPoints:
    """Return the fixed points of dp/dt = alpha_p s D - eta_p p, ds/dt = 2 p s D - 2 eta_s s, D = x tau - (x + x_aug) p.

    With s > 0, D = eta_s / p, so p D = eta_s:
    p_+- = (x tau +- sqrt(x^2 tau^2 - 4 eta_s (x + x_aug))) / (2 (x + x_aug)),  s = (eta_p / eta_s) p^2 / alpha_p.
    At eta_p = eta_s = eta and x = 1 this is the paper's p_+-, on the parabola s = p^2/alpha_p. At eta = 0 the
    manifold p = x tau/(x + x_aug), s any, is represented by its point on the parabola, and p_minus = p_zero = 0.

    Args:
        eta: weight decay of both networks, >= 0; or give eta_p and eta_s.
        tau: target / online ratio, > 0.
        x: eigenvalue of X, > 0.
        x_aug: eigenvalue of X', >= 0.
        alpha_p: learning-rate ratio of the predictor, > 0.
        eta_p: decay of the predictor.
        eta_s: decay of the online network.

    Returns:
        `FixedPoints`; all arguments broadcast.

    Raises:
        ValueError: neither eta nor both of eta_p, eta_s; a value out of its range; eta_s = 0 with eta_p > 0 (then
            every non-collapsed fixed point is gone: s would be infinite).
    """
    if eta is None and (eta_p is None or eta_s is None):
        raise ValueError("Give eta, or both eta_p and eta_s.")
    if eta is not None and np.any(np.asarray(_checks.as_array("eta", eta)) < 0):
        raise ValueError(f"eta must be >= 0; got {np.min(eta):g}.")
    eta_p, eta_s = (eta if eta_p is None else eta_p), (eta if eta_s is None else eta_s)
    named = {"eta_p": eta_p, "eta_s": eta_s, "tau": tau, "x": x, "x_aug": x_aug, "alpha_p": alpha_p}
    arrays = {name: np.asarray(_checks.as_array(name, value)) for name, value in named.items()}
    for name, array in arrays.items():
        strict = name in ("tau", "x", "alpha_p")
        if np.any(array < 0) or (strict and np.any(array == 0)):
            raise ValueError(f"{name} must be {'>' if strict else '>='} 0; got {array.min():g}.")
    eta_p, eta_s, tau, x, x_aug, alpha_p = np.broadcast_arrays(*arrays.values())
    if np.any((eta_s == 0) & (eta_p > 0)):
        raise ValueError("eta_s = 0 with eta_p > 0 has no non-collapsed fixed point; give eta_s > 0.")
    return _solve(eta_p, eta_s, tau, x, x_aug, alpha_p)


def branches(eta_s: Any, tau: Any = 1.0, x: Any = 1.0, x_aug: Any = 0.25) -> tuple[Any, Any]:
    """Return (p_minus, p_plus) of `fixed_points`, nothing else: for many points at once. NaN where there are none.

    Args:
        eta_s: weight decay of the online network, >= 0.
        tau: target / online ratio, > 0.
        x: eigenvalue of X, >= 0.
        x_aug: eigenvalue of X', >= 0.

    Returns:
        p_minus and p_plus; the arguments broadcast.
    """
    eta_s, tau, x, x_aug = (np.asarray(value, dtype=np.float64) for value in (eta_s, tau, x, x_aug))
    v = x + x_aug
    alive = (eta_s <= critical_decay(tau, x, x_aug)) & (x > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_minus, p_plus = roots_of(eta_s, x * tau, v, lambda q: np.sqrt(np.where(alive, np.maximum(q, 0.0), np.nan)))
    return p_minus[()], p_plus[()]


def _solve(eta_p: Any, eta_s: Any, tau: Any, x: Any, x_aug: Any, alpha_p: Any) -> FixedPoints:
    v = x + x_aug
    critical = critical_decay(tau, x, x_aug)
    p_minus, p_plus = branches(eta_s, tau, x, x_aug)
    ratio = np.where(eta_s > 0, eta_p / np.where(eta_s > 0, eta_s, 1.0), 1.0)
    s_plus, s_minus = (size_of(p, ratio, alpha_p) for p in (p_plus, p_minus))
    zero = np.zeros_like(p_plus)
    points = {"zero": (zero, zero), "minus": (p_minus, s_minus), "plus": (p_plus, s_plus)}
    eigenvalues = {
        name: _jacobian_eigenvalues(p, s, eta_p, eta_s, tau, x, v, alpha_p) for name, (p, s) in points.items()
    }
    return FixedPoints(
        p_zero=zero[()],
        p_minus=p_minus[()],
        p_plus=p_plus[()],
        s_minus=s_minus[()],
        s_plus=s_plus[()],
        eta_critical=critical,
        eigenvalues=eigenvalues,
        stability={name: _stability(e, tau * x) for name, e in eigenvalues.items()},
    )


def _jacobian_eigenvalues(p: Any, s: Any, eta_p: Any, eta_s: Any, tau: Any, x: Any, v: Any, alpha_p: Any) -> Any:
    """Return the eigenvalues of `jacobian_of`, (..., 2)."""
    entries = jacobian_of(p, s, eta_p, eta_s, x * tau, v, alpha_p)
    rows = [np.stack(np.broadcast_arrays(*row), axis=-1) for row in entries]
    jacobian = np.stack(rows, axis=-2)
    missing = ~np.isfinite(jacobian).all(axis=(-2, -1))
    values = np.linalg.eigvals(np.where(missing[..., None, None], 0.0, jacobian)).astype(complex)
    return np.where(missing[..., None], np.nan, values)


def _stability(eigenvalues: Any, scale: Any) -> Any:
    """Return "stable", "saddle" (unstable), "marginal" (an eigenvalue 0 to round-off) or "none" per point."""
    top = eigenvalues.real.max(axis=-1)
    edge = 1e-7 * np.maximum(np.abs(eigenvalues).max(axis=-1), scale * 1e-9)
    words = np.where(top > edge, "saddle", np.where(top < -edge, "stable", "marginal"))
    return np.where(np.isnan(top), "none", words)[()]


def collapses_without_decay(p: Any, s: Any, alpha_p: Any = 1.0, tau: Any = 1.0, x: Any = 1.0, x_aug: Any = 0.25) -> Any:
    """Return whether a mode starting at (p, s) ends with s = 0 at eta = 0 and fixed tau; exact.

    alpha_p s - p^2 = -q^2 is conserved there, which leaves dp/dt = (p^2 - q^2)(x tau - (x+x') p). So a mode
    collapses when s = 0, or when alpha_p s <= p^2 and p < 0, or when alpha_p s <= p^2 - (x tau/(x+x'))^2 and p > 0.

    Args:
        p: eigenvalue of W_p.
        s: eigenvalue of F, >= 0.
        alpha_p: learning-rate ratio of the predictor, > 0.
        tau: target / online ratio, held, > 0.
        x: eigenvalue of X, > 0.
        x_aug: eigenvalue of X', >= 0.

    Returns:
        Booleans; all arguments broadcast.

    Raises:
        ValueError: a value out of its range.
    """
    arrays = [
        _checks.as_array(n, u)
        for n, u in (("p", p), ("s", s), ("alpha_p", alpha_p), ("tau", tau), ("x", x), ("x_aug", x_aug))
    ]
    p, s, alpha_p, tau, x, x_aug = np.broadcast_arrays(*arrays)
    for name, array, strict in (
        ("s", s, False),
        ("alpha_p", alpha_p, True),
        ("tau", tau, True),
        ("x", x, True),
        ("x_aug", x_aug, False),
    ):
        if np.any(array < 0) or (strict and np.any(array == 0)):
            raise ValueError(f"{name} must be {'>' if strict else '>='} 0; got {array.min():g}.")
    return ends_dead(p, s, alpha_p, x * tau, x + x_aug)[()]
