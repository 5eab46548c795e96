"""The system whose phase space is looked at: Eqs. 11-12 at held tau, or Eqs. 11-13 with the moving target."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._options import DEFAULTS
from lindyn.display.brief import Brief
from lindyn.equations import modes, target

STEP = 1e-30  # of the complex step: the derivative is exact to round-off
RATES = ("alpha_p", "eta_p", "eta_s", "x", "x_aug")
PARAMETERS = ("alpha_p", "beta", "eta", "eta_p", "eta_s", "x", "x_aug", "tau")


def rates(y: Any, values: Mapping[str, Any]) -> np.ndarray:
    """Return dy/dt of y = (p, s) at held tau, or of y = (p, s, tau) (Eqs. 11-13), on the library's equations.

    Args:
        y: states along the first axis, 2 or 3 of them; real or complex.
        values: alpha_p, eta_p, eta_s, x, x_aug, and tau (2 states) or beta (3 states); numbers or arrays that
            broadcast with the states, negative and complex ones included.

    Returns:
        The rates, shaped like y.
    """
    p, s = y[0], y[1]
    tau = y[2] if len(y) == 3 else values["tau"]
    D = modes.drive(p, tau, values["x"], values["x_aug"])
    growth = modes.growth(p, D, values["eta_s"])
    out = [modes.dp(p, s, D, values["alpha_p"], values["eta_p"]), modes.ds(s, growth)]
    if len(y) == 3:
        out.append(target.dtau(tau, growth, values["beta"]))
    return np.stack(np.broadcast_arrays(*out))


@dataclass(frozen=True, repr=False)
class PhaseSystem(Brief):
    """One mode as a dynamical system; make it with `plane` (tau held) or `ema` (tau moves).

    Args:
        alpha_p: learning-rate ratio of the predictor, > 0.
        eta_p: weight decay of the predictor, >= 0.
        eta_s: weight decay of the online network, >= 0.
        x: eigenvalue of X, > 0.
        x_aug: eigenvalue of X' (sigma^2), >= 0.
        tau: the held target / online ratio, > 0; None when tau moves.
        beta: EMA rate, > 0; None when tau is held.

    Raises:
        ValueError: a value out of its range, or neither or both of tau and beta.
    """

    alpha_p: float
    eta_p: float
    eta_s: float
    x: float
    x_aug: float
    tau: float | None = None
    beta: float | None = None

    def __post_init__(self) -> None:
        if (self.tau is None) == (self.beta is None):
            raise ValueError(
                "Give tau (held, a plane) or beta (the target moves, three dimensions), not both or neither."
            )
        for name in (*RATES, "tau", "beta"):
            value = getattr(self, name)
            if value is not None:
                strict = name in ("alpha_p", "x", "tau", "beta")
                fix = "To hold tau, use phase.plane(tau=...)." if name == "beta" else ""
                object.__setattr__(self, name, _checks.as_scalar(name, value, 0.0, exclusive=strict, fix=fix))

    @property
    def names(self) -> tuple[str, ...]:
        """The variables: ("p", "s") or ("p", "s", "tau")."""
        return ("p", "s") if self.beta is None else ("p", "s", "tau")

    @property
    def values(self) -> dict[str, Any]:
        """The parameters by name, without the one that is not given."""
        every = ((name, getattr(self, name)) for name in (*RATES, "tau", "beta"))
        return {name: value for name, value in every if value is not None}

    @property
    def rest_tau(self) -> float:
        """The tau of an alive fixed point: the held one, or 1 (there growth = 0, so that beta (1 - tau) = 0)."""
        return 1.0 if self.tau is None else self.tau

    @property
    def p_star(self) -> float:
        """The p, x tau / (x + x_aug), where the bracket D of Eqs. 11-12 is 0; p_+ is below it."""
        return self.x * self.rest_tau / (self.x + self.x_aug)

    @property
    def scale(self) -> np.ndarray:
        """The size of each variable: p*, p*^2 / alpha_p (on the parabola) and tau."""
        size = [self.p_star, max(self.eta_p, self.eta_s) / (self.eta_s or 1.0) * self.p_star**2 / self.alpha_p]
        size[1] = size[1] or self.p_star**2 / self.alpha_p
        return np.array(size if self.beta is None else [*size, 1.0])

    def __call__(self, y: Any) -> np.ndarray:
        """Return dy/dt; the states lie along the first axis of y."""
        return rates(y, self.values)

    def jacobian(self, y: Any) -> np.ndarray:
        """Return the Jacobian by complex steps, (..., d, d) for y of shape (d, ...)."""
        y = np.asarray(y, dtype=complex)
        columns = []
        for k in range(len(y)):
            moved = y.copy()
            moved[k] += 1j * STEP
            columns.append(rates(moved, self.values).imag / STEP)
        return np.moveaxis(np.stack(columns, axis=-1), 0, -2)

    def slope(self, y: Any, name: str) -> np.ndarray:
        """Return the derivative of dy/dt by a parameter ("eta": both decays), by a complex step."""
        moved = dict(self.values)
        for each in parts(name):
            moved[each] = moved[each] + 1j * STEP
        return rates(np.asarray(y, dtype=complex), moved).imag / STEP

    def at(self, **changes: float) -> "PhaseSystem":
        """Return the system at other parameter values ("eta" sets both decays)."""
        named = {each: value for name, value in changes.items() for each in parts(name)}
        return dataclasses.replace(self, **named)

    def section(self, tau: float = 1.0) -> "PhaseSystem":
        """Return the (p, s) plane of this system at held tau."""
        return dataclasses.replace(self, tau=tau, beta=None)


def parts(name: str) -> tuple[str, ...]:
    """Return the fields a parameter's name stands for: eta is eta_p and eta_s.

    Raises:
        ValueError: an unknown parameter (the near one is suggested).
    """
    _checks.one_of("parameter", name, PARAMETERS)
    return ("eta_p", "eta_s") if name == "eta" else (name,)


def check_system(system: Any) -> None:
    """Raise ValueError unless it is a `PhaseSystem`."""
    if not isinstance(system, PhaseSystem):
        raise ValueError(
            "system must be a PhaseSystem, phase.plane(eta=0.05) or phase.ema(eta=0.05, beta=0.2) say; "
            f"got {type(system).__name__}."
        )


def plane(
    eta: float | None = None,
    tau: float = 1.0,
    alpha_p: float = DEFAULTS["alpha_p"],
    x: float = DEFAULTS["x"],
    x_aug: float = DEFAULTS["x_aug"],
    *,
    eta_p: float | None = None,
    eta_s: float | None = None,
) -> PhaseSystem:
    """Return the (p, s) plane of Eqs. 11-12 at held tau (tau = 1: SimSiam, the target is the online network).

    Args:
        eta: weight decay of both networks, >= 0 (default 0.04); or give eta_p and eta_s.
        tau: target / online ratio, > 0.
        alpha_p: learning-rate ratio of the predictor, > 0.
        x: eigenvalue of X, > 0.
        x_aug: eigenvalue of X' (sigma^2), >= 0.
        eta_p: decay of the predictor alone.
        eta_s: decay of the online network alone.

    Returns:
        The `PhaseSystem`.
    """
    eta = DEFAULTS["eta"] if eta is None else eta
    return PhaseSystem(alpha_p, eta if eta_p is None else eta_p, eta if eta_s is None else eta_s, x, x_aug, tau=tau)


def ema(
    eta: float | None = None,
    beta: float = DEFAULTS["beta"],
    alpha_p: float = DEFAULTS["alpha_p"],
    x: float = DEFAULTS["x"],
    x_aug: float = DEFAULTS["x_aug"],
    *,
    eta_p: float | None = None,
    eta_s: float | None = None,
) -> PhaseSystem:
    """Return the (p, s, tau) system of Eqs. 11-13 with the moving target (BYOL).

    Args:
        eta: weight decay of both networks, >= 0 (default 0.04); or give eta_p and eta_s.
        beta: EMA rate, > 0.
        alpha_p: learning-rate ratio of the predictor, > 0.
        x: eigenvalue of X, > 0.
        x_aug: eigenvalue of X' (sigma^2), >= 0.
        eta_p: decay of the predictor alone.
        eta_s: decay of the online network alone.

    Returns:
        The `PhaseSystem`.
    """
    eta = DEFAULTS["eta"] if eta is None else eta
    return PhaseSystem(alpha_p, eta if eta_p is None else eta_p, eta if eta_s is None else eta_s, x, x_aug, beta=beta)
