"""The three numbers of the flow (alpha_p, beta, eta), and where they come from in training."""

from dataclasses import dataclass
from typing import Any, Self

from lindyn import _checks
from lindyn._options import DEFAULTS
from lindyn._records import Record


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Hyperparameters(Record):
    """Rates of Lemma 1 in flow time (learning rate x steps / (1 - momentum)).

    Args:
        alpha_p: learning-rate ratio predictor / online, >= 0.
        beta: EMA rate of the target, >= 0 (0: frozen; to infinity: the target is the online network).
        eta: weight decay of predictor and online network, >= 0.
        eta_p: decay of the predictor alone, instead of `eta`.
        eta_s: decay of the online network alone, instead of `eta`.

    Defaults are those of Tian et al. 2021, Fig. 5 (beta 0.4 and eta 0.04 at learning rate 0.01 are the EMA
    parameter 0.996 and the training decay 4e-4).

    Raises:
        ValueError: a rate that is negative or not finite.
    """

    alpha_p: Any
    beta: Any
    eta_p: Any
    eta_s: Any

    def __init__(
        self,
        alpha_p: Any = DEFAULTS["alpha_p"],
        beta: Any = DEFAULTS["beta"],
        eta: Any = DEFAULTS["eta"],
        eta_p: Any = None,
        eta_s: Any = None,
    ) -> None:
        eta = _checks.as_scalar("eta", eta, minimum=0.0)
        self._set(alpha_p=alpha_p, beta=beta)
        self._set(eta_p=eta if eta_p is None else eta_p, eta_s=eta if eta_s is None else eta_s)
        self.__post_init__()

    def _check(self) -> None:
        for name in self._fields():
            self._set(**{name: _checks.as_scalar(name, getattr(self, name), minimum=0.0)})

    @property
    def eta(self) -> Any:
        """The common weight decay.

        Raises:
            ValueError: eta_p and eta_s differ, so there is none.
        """
        traced = _checks.is_traced(self.eta_p) or _checks.is_traced(self.eta_s)
        if traced:
            return self.eta_s
        if self.eta_p != self.eta_s:
            raise ValueError(f"eta is defined only for equal decays; got eta_p={self.eta_p:g}, eta_s={self.eta_s:g}.")
        return self.eta_s

    @property
    def equal_decays(self) -> bool:
        """Whether eta_p = eta_s, the premise of Theorem 1 and Eqs. 14-16."""
        return bool(self.eta_p == self.eta_s)

    @classmethod
    def from_training(
        cls,
        learning_rate: float,
        gamma_a: float = 0.996,
        weight_decay: float = 4e-4,
        predictor_learning_rate: float | None = None,
        momentum: float = 0.0,
        decay: str = "per_step",
    ) -> Self:
        """Return the flow's rates for a training run: alpha_p, beta = (1 - gamma_a)/alpha, eta.

        One step is alpha = learning_rate / (1 - momentum) of flow time, see `flow_step`.

        Args:
            learning_rate: step of the online network, > 0.
            gamma_a: EMA parameter of the target, 0..1 (0.996 in BYOL; W_a <- gamma_a W_a + (1 - gamma_a) W).
            weight_decay: the training decay, >= 0.
            predictor_learning_rate: step of the predictor, default the same.
            momentum: heavy-ball momentum of both, 0 <= momentum < 1.
            decay: "per_step": the paper's etabar = alpha eta (each step takes etabar of the weights away), so
                eta = weight_decay / alpha for both networks. "sgd": decay is added to the gradient, as
                torch.optim.SGD does, so eta_s = weight_decay and eta_p = alpha_p weight_decay.

        Returns:
            The `Hyperparameters`.

        Raises:
            ValueError: a number out of its range, or an unknown `decay`.
        """
        rate = _checks.as_scalar("learning_rate", learning_rate, minimum=0.0, exclusive=True)
        gamma_a = _checks.as_scalar("gamma_a", gamma_a, minimum=0.0)
        if gamma_a > 1:
            raise ValueError(f"gamma_a must be between 0 and 1; got {gamma_a:g}. It is the EMA parameter, e.g. 0.996.")
        weight_decay = _checks.as_scalar("weight_decay", weight_decay, minimum=0.0)
        alpha = flow_step(rate, momentum)
        if predictor_learning_rate is None:
            predictor_learning_rate = rate
        rate_p = _checks.as_scalar("predictor_learning_rate", predictor_learning_rate, minimum=0.0)
        _checks.one_of("decay", decay, ("per_step", "sgd"))
        alpha_p = rate_p / rate
        if decay == "per_step":
            return cls(alpha_p, (1 - gamma_a) / alpha, weight_decay / alpha)
        return cls(alpha_p, (1 - gamma_a) / alpha, eta_p=alpha_p * weight_decay, eta_s=weight_decay)


def flow_step(learning_rate: float, momentum: float = 0.0) -> float:
    """Return the flow time of one step of gradient descent, learning_rate / (1 - momentum).

    With v <- momentum v + rate and weights <- weights + learning_rate v a rate that stands still moves the
    weights, once v has settled, by learning_rate (1 + momentum + momentum^2 + ...) times the rate in every step.

    Args:
        learning_rate: > 0.
        momentum: heavy-ball momentum, 0 <= momentum < 1.

    Returns:
        The step.

    Raises:
        ValueError: a number out of its range.
    """
    rate = _checks.as_scalar("learning_rate", learning_rate, minimum=0.0, exclusive=True)
    momentum = _checks.as_scalar("momentum", momentum, minimum=0.0)
    if momentum >= 1:
        raise ValueError(f"momentum must be below 1; got {momentum:g}.")
    return float(rate / (1 - momentum))
