"""The ablations every flow offers, checked in one place."""

from typing import Any

from lindyn import _checks

TARGETS = ("ema", "online", "frozen")
PREDICTORS = ("trained", "symmetrised", "identity")
TAUS = ("dynamic", "constant")


def check(target: str, stop_gradient: bool = True, predictor: str = "trained", tau: str = "dynamic") -> None:
    """Check a combination of choices.

    Args:
        target: "ema" (BYOL), "online" (SimSiam: W_a = W at all times), "frozen" (W_a never moves).
        stop_gradient: whether the gradient is stopped at the target branch.
        predictor: "trained", "symmetrised" (its flow is replaced by its symmetric part, Assumption 3) or
            "identity" (no predictor). Closed-form rules W_p = rule(F) have their place here too.
        tau: "dynamic" (Assumption 1) or "constant".

    Raises:
        ValueError: an unknown name, or a combination that has no meaning.
    """
    _checks.one_of("target", target, TARGETS)
    _checks.one_of("predictor", predictor, PREDICTORS)
    _checks.one_of("tau", tau, TAUS)
    if not isinstance(stop_gradient, bool):
        raise ValueError(f"stop_gradient must be True or False; got {stop_gradient!r}.")
    if not stop_gradient and target != "online":
        raise ValueError(
            f"stop_gradient=False needs target='online'; got target={target!r}, "
            "whose W_a is no function of W at the instant, so there is no gradient to stop."
        )


def beta_of(target: str, beta: Any) -> Any:
    """Return the EMA rate of the target: beta, or 0 for a frozen one."""
    return 0.0 if target == "frozen" else beta
