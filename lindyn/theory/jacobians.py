"""Characteristic polynomials of the mode flow at each of its fixed points, tau held or moving."""

from typing import Any

import numpy as np

from lindyn import _checks

POINTS = ("zero", "alive", "dead_branch", "alive_branch")


def characteristic(
    point: str,
    p: Any,
    eta_p: Any,
    eta_s: Any,
    x: Any,
    x_aug: Any,
    tau: Any = 1,
    alpha_p: Any = 1,
    s: Any = 0,
    beta: Any = None,
) -> list[Any]:
    """Return the coefficients (leading first) of det(lambda - J) at a fixed point of the mode flow.

    Args:
        point: "zero" (p = s = 0), "alive" (p = p_- or p_+, with eta_s > 0), "dead_branch" (eta = 0, s = 0, any p) or
            "alive_branch" (eta = 0, p = x tau/(x+x'), any s).
        p: p there (not used at "zero" and "alive_branch").
        eta_p: decay of the predictor.
        eta_s: decay of the online network.
        x: eigenvalue of X.
        x_aug: eigenvalue of X'.
        tau: the held tau; 1 at an alive fixed point whose tau moves.
        alpha_p: learning-rate ratio, used on the branches.
        s: s there, used on "alive_branch".
        beta: None for held tau (a quadratic); the EMA rate for a moving tau (a cubic).

    Returns:
        Three coefficients, or four with a moving tau.

    Raises:
        ValueError: an unknown point.
    """
    v = x + x_aug
    match _checks.one_of("point", point, POINTS):
        case "zero":
            factors = [eta_p, 2 * eta_s] + ([] if beta is None else [beta - eta_s])
            return _product(factors)
        case "alive":
            slow, fast = 1 + v * p**2 / eta_s, 2 * eta_p * (v * p**2 - eta_s)
            if beta is None:
                return [1, eta_p * slow, fast]
            follow = beta + x * p
            turn = x * p * eta_p * (1 - v * p**2 / eta_s)  # tau back on p
            return [1, eta_p * slow + follow, eta_p * slow * follow + fast + turn, beta * fast]
        case "dead_branch":
            D = x * tau - v * p
            return _product([0, -2 * p * D] + ([] if beta is None else [beta + p * D + tau * x * p]))
        case _:
            if beta is None:
                return _product([0, alpha_p * v * s])
            q = x / v  # tau = 1
            return [1, alpha_p * v * s + beta + x * q, alpha_p * v * s * beta, 0]


def _product(decays: list[Any]) -> list[Any]:
    """Return the coefficients of prod (lambda + decay)."""
    out: list[Any] = [1]
    for decay in decays:
        out = [a + decay * b for a, b in zip([*out, 0], [0, *out], strict=True)]
    return out


def eigenvalues(point: str, **at: Any) -> np.ndarray:
    """Return the eigenvalues of the Jacobian at a fixed point: the roots of `characteristic`, slowest decay first.

    Args:
        point: see `characteristic`.
        **at: its other arguments, as numbers.

    Returns:
        Two eigenvalues, or three with a moving tau.
    """
    values = np.roots(np.asarray(characteristic(point, **at), dtype=float))
    return values[np.argsort(-values.real)]


def resting_tau(eta_s: float, beta: float) -> float:
    """Return tau at the collapsed fixed point p = s = 0 of the moving target: beta/(beta - eta_s).

    A collapsing online network shrinks at eta_s while the target follows at beta, so tau rests above 1, and grows
    without end when beta <= eta_s.

    Args:
        eta_s: decay of the online network, >= 0.
        beta: EMA rate, >= 0.

    Returns:
        tau, or infinity.
    """
    eta_s, beta = _checks.as_scalar("eta_s", eta_s, minimum=0.0), _checks.as_scalar("beta", beta, minimum=0.0)
    return tau_at_collapse(eta_s, beta) if beta > eta_s else np.inf


def tau_at_collapse(eta_s: Any, beta: Any) -> Any:
    """Return beta/(beta - eta_s), where tau rests while the online network falls at eta_s; numbers or symbols."""
    return beta / (beta - eta_s)
