"""Flows of n2 x n2 matrices: the exact isotropic reduction and the flow under Assumptions 1 + 2 (+ 3)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn import _checks
from lindyn._records import static
from lindyn.conversions import weights_to_gram
from lindyn.equations import correlation, gram, target, weights
from lindyn.equations import view_correlations as statistics
from lindyn.flows import choices, rules
from lindyn.flows import from_settings as settings
from lindyn.flows.full import check_predictor
from lindyn.hyperparameters import Hyperparameters
from lindyn.states import CorrelationState, GramState


def check_isotropic(flow: Any) -> None:
    """Check the rates and the two variances of a flow for isotropic data X = x I, X' = sigma2 I."""
    if not isinstance(flow.hp, Hyperparameters):
        raise ValueError(f"hp must be Hyperparameters; got {type(flow.hp).__name__}.")
    for name in ("sigma2", "x"):
        flow._set(**{name: _checks.as_scalar(name, getattr(flow, name), minimum=0.0, fix="It is a variance.")})


class IsotropicFlow(settings.Flow):
    """A flow for isotropic data, X = x I and X' = sigma2 I."""

    x: Any
    sigma2: Any

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and sigma2, an entry each."""
        return np.atleast_1d(np.asarray(self.x, float)), np.atleast_1d(np.asarray(self.sigma2, float))


@dataclass(frozen=True, eq=False, repr=False)
class CorrelationFlow(IsotropicFlow):
    """(W_p, F, tau) under Assumptions 1 (W_a = tau W) and 2 (X = x I, X' = sigma2 I); Eq. 7 when symmetrised.

        dW_p/dt = -alpha_p (x + sigma2) W_p F + alpha_p x tau F - eta_p W_p
        dF/dt   = -(x + sigma2)(W_p^T W_p F + F W_p^T W_p) + x tau (W_p^T F + F W_p) - 2 eta_s F
        dtau/dt = beta (1 - tau) - tau tr(dF/dt)/(2 tr F)

    Args:
        hp: the rates.
        sigma2: variance of the augmentation, >= 0.
        x: variance of the data, >= 0 (1 in the paper).
        symmetrised: shorthand for predictor="symmetrised" (Assumption 3).
        target: "ema", "online" (tau = 1) or "frozen" (beta = 0).
        stop_gradient: False adds the gradient through the target branch; needs target="online".
        predictor: "trained", "symmetrised", "identity" or a closed-form rule, see `WeightFlow`.
        tau: "dynamic", or "constant" to hold it at its initial value.
        statistics: what a rule sees, "views": (x + sigma2) F and x tau F, or "weights": F and tau F.

    Raises:
        ValueError: a negative variance, an unknown choice or a combination without meaning.
    """

    hp: Hyperparameters
    sigma2: Any = 0.25
    x: Any = 1.0
    symmetrised: bool = static(default=False)
    target: str = static(default="ema")
    stop_gradient: bool = static(default=True)
    predictor: Any = static(default="trained")
    tau: str = static(default="dynamic")
    statistics: str = static(default="views")

    state_type = CorrelationState
    title = "(W_p, F, tau) under Assumptions 1 + 2"
    takes = settings.WEIGHT_SETTINGS - {"target_start"} | {"tau0"}

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, CorrelationState]:
        """Return the flow and F = W W^T of random weights."""
        flow = cls(settings.hyperparameters(given), **settings.isotropic(given), **settings.ablations(cls, given))
        start, tau = settings.weight_start(given, settings.moments(given).n1), settings.tau_start(given)
        if len(tau) != 1:
            raise ValueError(f"tau0 must be one number for system='correlation'; got {len(tau)}.")
        return flow, CorrelationState(start.W_p, start.W @ start.W.T, tau[0])

    def _check(self) -> None:
        check_isotropic(self)
        self._set(predictor=choices.check(self.target, self.stop_gradient, self.predictor, self.tau))
        rules.check_statistics(self)
        if self.symmetrised:
            if self.predictor not in ("trained", "symmetrised"):
                raise ValueError(f"symmetrised=True needs a trained predictor; got predictor={self.predictor!r}.")
            self._set(predictor="symmetrised")
        self._set(symmetrised=self.predictor == "symmetrised")

    def __call__(self, t: Any, y: CorrelationState, args: Any = None) -> CorrelationState:
        """Return (dW_p, dF, dtau)/dt at the state y; two n2 x n2 products with stop-gradient."""
        y, hp = rules.complete(self, y), self.hp
        Y = correlation.drive(y.W_p, y.F, y.tau, self.x, self.sigma2)
        dF = correlation.dF(y.W_p, y.F, Y, hp.eta_s)
        if not self.stop_gradient:
            E = correlation.target_branch(y.W_p, y.F, self.x, self.sigma2)
            dF = dF + (E + E.T)  # in this order the sum stays exactly symmetric
        if self.predictor == "identity" or rules.is_rule(self.predictor):
            dW_p = 0.0 * y.W_p
        else:
            drive = weights.symmetric_part(Y) if self.predictor == "symmetrised" else Y
            dW_p = correlation.dW_p(y.W_p, drive, hp.alpha_p, hp.eta_p)
        return CorrelationState._unchecked(W_p=dW_p, F=dF, tau=self._tau_rate(y, dF))

    def _tau_rate(self, y: CorrelationState, dF: Any) -> Any:
        if self.tau == "constant" or self.target == "online":
            return 0.0 * y.tau
        return target.dtau(y.tau, dF.trace() / (2 * y.F.trace()), choices.beta_of(self.target, self.hp.beta))

    def output_statistics(self, y: CorrelationState) -> tuple[Any, Any]:
        """Return (F, H) as a rule sees them, each n2 x n2."""
        x, x_aug = rules.seen(self, self.x, self.sigma2)
        return statistics.isotropic_correlation(y.F, x, x_aug), statistics.isotropic_cross(y.tau * y.F, x)

    def check_state(self, y: CorrelationState) -> None:
        """Raise ValueError if y cannot start this flow."""
        check_predictor(self.predictor, y.W_p)
        check_online_tau(self, y.tau)
        if not _checks.is_traced(y.F) and float(y.F.trace()) <= 0:
            raise ValueError(
                f"F must not be 0 at the start (tau = tr(W_a W^T)/tr(F)); got trace {float(y.F.trace()):g}."
            )


def check_online_tau(flow: Any, tau: Any) -> None:
    """Raise ValueError if tau is not 1 where the target is the online network."""
    if flow.target == "online" and flow.tau == "dynamic" and not _checks.is_traced(tau) and bool((tau != 1).any()):
        raise ValueError("target='online' means tau = 1; got another tau. Leave tau out, or use tau='constant'.")


@dataclass(frozen=True, eq=False, repr=False)
class GramFlow(IsotropicFlow):
    """(W_p, F, H, J): Lemma 1 for X = x I, X' = sigma2 I, exact and without Assumption 1, n2 x n2.

        dW_p/dt = alpha_p R - eta_p W_p,               R = x H - (x + sigma2) W_p F
        dF/dt   = W_p^T R + R^T W_p - 2 eta_s F
        dH/dt   = beta (F - H) + (x J - (x + sigma2) H W_p^T) W_p - eta_s H
        dJ/dt   = beta (H + H^T - 2 J)

    Args:
        hp: the rates.
        sigma2: variance of the augmentation, >= 0.
        x: variance of the data, >= 0.
        target: "ema" or "frozen" (for "online" use `CorrelationFlow`, exact at tau = 1).
        predictor: "trained", "symmetrised", "identity" or a closed-form rule, see `WeightFlow`.
        statistics: what a rule sees, "views": (x + sigma2) F and x H, or "weights": F and H.

    Raises:
        ValueError: a negative variance or an unknown choice.
    """

    hp: Hyperparameters
    sigma2: Any = 0.25
    x: Any = 1.0
    target: str = static(default="ema")
    predictor: Any = static(default="trained")
    statistics: str = static(default="views")

    state_type = GramState
    title = "(W_p, F, H, J), exact for isotropic data"
    takes = settings.WEIGHT_SETTINGS

    @classmethod
    def from_settings(cls, given: settings.Settings) -> tuple[Self, GramState]:
        """Return the flow and the Gram matrices of random weights."""
        flow = cls(settings.hyperparameters(given), **settings.isotropic(given), **settings.ablations(cls, given))
        start = settings.weight_start(given, settings.moments(given).n1, given["target_start"])
        return flow, weights_to_gram(start).state

    def _check(self) -> None:
        check_isotropic(self)
        self._set(predictor=choices.check(self.target, predictor=self.predictor))
        rules.check_statistics(self)
        if self.target == "online":
            raise ValueError(
                "target='online' needs no (H, J); use CorrelationFlow(target='online'), which is exact then."
            )

    def __call__(self, t: Any, y: GramState, args: Any = None) -> GramState:
        """Return (dW_p, dF, dH, dJ)/dt at the state y; four n2 x n2 products."""
        y, hp, x, sigma2 = rules.complete(self, y), self.hp, self.x, self.sigma2
        beta = choices.beta_of(self.target, hp.beta)
        R = gram.residual(y.W_p, y.F, y.H, x, sigma2)
        if self.predictor == "identity" or rules.is_rule(self.predictor):
            dW_p = 0.0 * y.W_p
        else:
            dW_p = gram.dW_p(y.W_p, R, hp.alpha_p, hp.eta_p)
            dW_p = weights.symmetric_part(dW_p) if self.predictor == "symmetrised" else dW_p
        return GramState._unchecked(
            W_p=dW_p,
            F=gram.dF(y.W_p, y.F, R, hp.eta_s),
            H=gram.dH(y.W_p, y.F, y.H, y.J, x, sigma2, beta, hp.eta_s),
            J=gram.dJ(y.H, y.J, beta),
        )

    def output_statistics(self, y: GramState) -> tuple[Any, Any]:
        """Return (F, H) as a rule sees them, each n2 x n2."""
        x, x_aug = rules.seen(self, self.x, self.sigma2)
        return statistics.isotropic_correlation(y.F, x, x_aug), statistics.isotropic_cross(y.H, x)

    def check_state(self, y: GramState) -> None:
        """Raise ValueError if y cannot start this flow."""
        check_predictor(self.predictor, y.W_p)
