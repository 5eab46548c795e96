"""Flows of decoupled modes: (p, s, tau), (p, w, a) and the parabola (p, tau)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn import _checks
from lindyn._records import static
from lindyn.equations import modes, parabola, target
from lindyn.equations import view_correlations as statistics
from lindyn.flows import choices, losses, rules
from lindyn.flows import from_settings as settings
from lindyn.flows.correlations import check_online_tau
from lindyn.hyperparameters import Hyperparameters
from lindyn.states import ModeState, ModeWeightState, ParabolaState

_POLE = "tau = a / w runs away there (w changes sign or dies faster than a): use ModeWeightFlow"


class ModalFlow(settings.Flow):
    """A flow of modes with the eigenvalues x of X and x_aug of X'."""

    takes = settings.MODE_SETTINGS
    x: Any
    x_aug: Any

    def spectrum(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return x and x_aug, an entry each or one per mode."""
        return np.atleast_1d(np.asarray(self.x, float)), np.atleast_1d(np.asarray(self.x_aug, float))

    @classmethod
    def _of(cls, given: settings.Settings) -> Self:
        spectrum, chosen = settings.spectrum(given), settings.ablations(cls, given)
        return cls(settings.hyperparameters(given), **spectrum, **chosen)  # type: ignore[call-arg]


def _check_spectrum(flow: Any) -> None:
    if not isinstance(flow.hp, Hyperparameters):
        raise ValueError(f"hp must be Hyperparameters; got {type(flow.hp).__name__}.")
    for name in ("x", "x_aug"):
        value = _checks.as_array(name, getattr(flow, name))
        if not _checks.is_traced(value) and np.any(_checks.to_numpy(value) < 0):
            raise ValueError(
                f"{name} must be >= 0; got {_checks.to_numpy(value).min():g}. It is an eigenvalue of a moment."
            )
        flow._set(**{name: value})


def _check_modes(flow: Any, first: Any) -> None:
    for name in ("x", "x_aug"):
        value = getattr(flow, name)
        if value.shape not in ((), first.shape):
            raise ValueError(
                f"{name} must be one number or one per mode; got shape {value.shape} for {first.shape} modes."
            )


def _check_ones(predictor: str, p: Any) -> None:
    if predictor == "identity" and not _checks.is_traced(p) and bool((p != 1).any()):
        raise ValueError("predictor='identity' means p = 1; got another p. Start from p = 1.")


@dataclass(frozen=True, eq=False, repr=False)
class ModeFlow(ModalFlow):
    """(p, s, tau) of Eqs. 11-13, one entry per mode; D = x tau - (x + x_aug) p.

        dp/dt   = alpha_p s D - eta_p p
        ds/dt   = 2 p s D - 2 eta_s s
        dtau/dt = beta (1 - tau) - tau (p D - eta_s)

    Exact for commuting X, X' and decoupled initial values. The default x_aug = 0.25 is this library's choice
    (the paper prints no sigma^2 for its mode figures).

    Args:
        hp: the rates.
        x: eigenvalues of X, one number or one per mode, >= 0 (1 in the paper).
        x_aug: eigenvalues of X', likewise (sigma^2 in the paper).
        target: "ema", "online" (tau = 1) or "frozen" (the target's weight a = tau sqrt(s) stays).
        stop_gradient: False adds the gradient through the target branch; needs target="online".
        predictor: "trained" or "identity" (p = 1), "symmetrised" is "trained" here; or a closed-form rule, see
            `WeightFlow`: then p = rule((x + x_aug) s, x tau s) of all modes together, coupled by the rule's norms.
        tau: "dynamic", or "constant" to hold it at its initial value.
        statistics: what a rule sees, "views", or "weights": s and tau s.

    Raises:
        ValueError: a negative eigenvalue, an unknown choice or a combination without meaning.
    """

    hp: Hyperparameters
    x: Any = 1.0
    x_aug: Any = 0.25
    target: str = static(default="ema")
    stop_gradient: bool = static(default=True)
    predictor: Any = static(default="trained")
    tau: str = static(default="dynamic")
    statistics: str = static(default="views")

    state_type = ModeState
    title = "(p, s, tau) of Eqs. 11-13, mode by mode"
    cure = _POLE

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, ModeState]:
        """Return the flow and its modes."""
        return cls._of(given), ModeState(*settings.mode_start(given))

    def alignment_rate(self, y: ModeState) -> Any:
        """Return the eigenvalue of K of each mode at the state y (Eq. 17)."""
        D = modes.drive(y.p, y.tau, self.x, self.x_aug)
        return modes.alignment_rate(y.p, y.s, D, self.hp.alpha_p, self.hp.eta_p, self.hp.eta_s, self.x, self.x_aug)

    def _check(self) -> None:
        _check_spectrum(self)
        self._set(predictor=choices.check(self.target, self.stop_gradient, self.predictor, self.tau))
        rules.check_statistics(self)

    def __call__(self, t: Any, y: ModeState, args: Any = None) -> ModeState:
        """Return (dp, ds, dtau)/dt at the state y."""
        y, hp = rules.complete(self, y), self.hp
        D = modes.drive(y.p, y.tau, self.x, self.x_aug)
        g = modes.growth(y.p, D, hp.eta_s)
        if not self.stop_gradient:
            g = g + modes.target_branch(y.p, self.x, self.x_aug)
        fixed_p = self.predictor == "identity" or rules.is_rule(self.predictor)
        fixed_tau = self.tau == "constant" or self.target == "online"
        return ModeState._unchecked(
            p=0.0 * y.p if fixed_p else modes.dp(y.p, y.s, D, hp.alpha_p, hp.eta_p),
            s=modes.ds(y.s, g),
            tau=0.0 * y.tau if fixed_tau else target.dtau(y.tau, g, choices.beta_of(self.target, hp.beta)),
        )

    def output_statistics(self, y: ModeState) -> tuple[Any, Any]:
        """Return the eigenvalues of (F, H) as a rule sees them, one per mode."""
        x, x_aug = rules.seen(self, self.x, self.x_aug)
        return statistics.isotropic_correlation(y.s, x, x_aug), statistics.isotropic_cross(y.tau * y.s, x)

    def check_state(self, y: ModeState) -> None:
        """Raise ValueError if y cannot start this flow."""
        _check_modes(self, y.p)
        rules.check_axes(self.predictor, y.p)
        _check_ones(self.predictor, y.p)
        check_online_tau(self, y.tau)


@dataclass(frozen=True, eq=False, repr=False)
class ModeWeightFlow(ModalFlow):
    """(p, w, a): Lemma 1 for one singular direction at a time, r = x a - (x + x_aug) p w.

        dp/dt = alpha_p r w - eta_p p
        dw/dt = p r - eta_s w
        da/dt = beta (w - a)

    Args:
        hp: the rates.
        x: eigenvalues of X, one number or one per mode, >= 0.
        x_aug: eigenvalues of X', likewise.
        target: "ema", "online" (a = w) or "frozen".
        stop_gradient: False adds the gradient through the target branch; needs target="online".
        predictor: "trained" or "identity" (p = 1), or a closed-form rule, see `ModeFlow`.
        statistics: what a rule sees, "views": (x + x_aug) w^2 and x a w, or "weights": w^2 and a w.
        loss: "squared"; "cosine", by the closure; "cosine-exact" for Gaussian data: dp = alpha_p w g - eta_p p, dw = p
            g - eta_s w, where g couples the modes of one network through |q| and |t| (`lindyn.equations.cosine`).
        nodes: of the exact drive's integrals, a side, >= 4.

    Raises:
        ValueError: a negative eigenvalue, an unknown choice or a combination without meaning.
    """

    hp: Hyperparameters
    x: Any = 1.0
    x_aug: Any = 0.25
    target: str = static(default="ema")
    stop_gradient: bool = static(default=True)
    predictor: Any = static(default="trained")
    statistics: str = static(default="views")
    loss: str = static(default="squared")
    nodes: int = static(default=losses.NODES)

    state_type = ModeWeightState
    title = "(p, w, a), the same in the weights (Appendix D)"

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, ModeWeightState]:
        """Return the flow and its modes: w = sqrt(s), a = tau w."""
        flow, (p, s, tau) = cls._of(given), settings.mode_start(given)
        return flow, ModeWeightState(p, np.sqrt(s), tau * np.sqrt(s))

    def _check(self) -> None:
        _check_spectrum(self)
        self._set(predictor=choices.check(self.target, self.stop_gradient, self.predictor))
        rules.check_statistics(self)
        losses.check(self, losses.LOSSES)
        _checks.as_whole("nodes", self.nodes, minimum=4)

    def spectrum(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return x and x_aug; None with another loss, where the modes are coupled."""
        return super().spectrum() if losses.is_squared(self) else None

    @classmethod
    def appendix_d(
        cls, l_s: float = 1.0, l_d: float = 0.5, alpha_p: float = 1.0, beta: float = 1.0, **flow: Any
    ) -> Self:
        """Return Appendix D's scalar system in its own symbols: l_d = x, l_s = x + x_aug, eta = 0 (Fig. 10).

        Args:
            l_s: eigenvalue of Sigma^s = X + X'.
            l_d: eigenvalue of Sigma^d = X, 0 <= l_d <= l_s.
            alpha_p: learning-rate ratio of the predictor.
            beta: EMA rate.
            **flow: target and predictor, as in `ModeWeightFlow`.

        Returns:
            The flow.

        Raises:
            ValueError: l_d above l_s (X' would be negative), or a negative rate.
        """
        l_s, l_d = _checks.as_scalar("l_s", l_s, minimum=0.0), _checks.as_scalar("l_d", l_d, minimum=0.0)
        if l_d > l_s:
            raise ValueError(
                f"l_d must be at most l_s (l_s - l_d is an eigenvalue of X'); got l_d={l_d:g}, l_s={l_s:g}."
            )
        return cls(Hyperparameters(alpha_p, beta, eta=0.0), x=l_d, x_aug=l_s - l_d, **flow)

    def __call__(self, t: Any, y: ModeWeightState, args: Any = None) -> ModeWeightState:
        """Return (dp, dw, da)/dt at the state y; with target="online" a is read as w."""
        y, hp, online = rules.complete(self, y), self.hp, self.target == "online"
        a = y.w if online else y.a
        r, branch = losses.mode_drives(self, y.p, y.w, a)
        dw = modes.dw(y.p, y.w, r, hp.eta_s)
        dw = dw if branch is None else dw + branch
        fixed_p = self.predictor == "identity" or rules.is_rule(self.predictor)
        return ModeWeightState._unchecked(
            p=0.0 * y.p if fixed_p else modes.dp_weights(y.p, y.w, r, hp.alpha_p, hp.eta_p),
            w=dw,
            a=dw if online else modes.da(y.w, a, choices.beta_of(self.target, hp.beta)),
        )

    def output_statistics(self, y: ModeWeightState) -> tuple[Any, Any]:
        """Return the eigenvalues of (F, H) as a rule sees them, one per mode."""
        x, x_aug = rules.seen(self, self.x, self.x_aug)
        a = y.w if self.target == "online" else y.a
        return statistics.isotropic_correlation(y.w * y.w, x, x_aug), statistics.isotropic_cross(a * y.w, x)

    def check_state(self, y: ModeWeightState) -> None:
        """Raise ValueError if y cannot start this flow."""
        _check_modes(self, y.p)
        rules.check_axes(self.predictor, y.p)
        _check_ones(self.predictor, y.p)
        if self.target == "online" and not _checks.is_traced(y.a) and bool((y.a != y.w).any()):
            raise ValueError("target='online' means a = w; got an a that differs. Leave a out, or use target='ema'.")
        if self.loss != losses.SQUARED:
            rules.check_one_axis("The cosine loss", y.p)
            losses.check_modes(self, y)
            losses.warn_of_nodes(self, y)


@dataclass(frozen=True, eq=False, repr=False)
class ParabolaFlow(ModalFlow):
    """(p, tau) on the invariant parabola s = p^2 / alpha_p (Eq. 16); D = x tau - (x + x_aug) p.

        dp/dt   = p^2 D - eta p
        dtau/dt = beta (1 - tau) - tau (p D - eta)

    Args:
        hp: the rates, with equal decays (the parabola is invariant only then).
        x: eigenvalues of X, one number or one per mode, >= 0.
        x_aug: eigenvalues of X', likewise.
        target: "ema", "online" (tau = 1) or "frozen".
        tau: "dynamic", or "constant" to hold it at its initial value.

    Raises:
        ValueError: eta_p != eta_s, a negative eigenvalue or an unknown choice.
    """

    hp: Hyperparameters
    x: Any = 1.0
    x_aug: Any = 0.25
    target: str = static(default="ema")
    tau: str = static(default="dynamic")

    state_type = ParabolaState
    title = "(p, tau) on the invariant parabola (Eq. 16)"
    takes = settings.MODE_SETTINGS - {"s"}
    cure = _POLE

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, ParabolaState]:
        """Return the flow and its modes."""
        p, _, tau = settings.mode_start({**given, "s": None})
        return cls._of(given), ParabolaState(p, tau)

    def _check(self) -> None:
        _check_spectrum(self)
        choices.check(self.target, tau=self.tau)
        self.hp.eta  # noqa: B018  raises when the decays differ

    def __call__(self, t: Any, y: ParabolaState, args: Any = None) -> ParabolaState:
        """Return (dp, dtau)/dt at the state y."""
        g = modes.growth(y.p, modes.drive(y.p, y.tau, self.x, self.x_aug), self.hp.eta)
        fixed = self.tau == "constant" or self.target == "online"
        dtau = 0.0 * y.tau if fixed else target.dtau(y.tau, g, choices.beta_of(self.target, self.hp.beta))
        return ParabolaState._unchecked(p=parabola.dp(y.p, g), tau=dtau)

    def check_state(self, y: ParabolaState) -> None:
        """Raise ValueError if y cannot start this flow."""
        _check_modes(self, y.p)
        check_online_tau(self, y.tau)
