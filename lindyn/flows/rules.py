"""W_p as the slave of the other variables: a closed-form rule of the outputs' statistics, at every instant."""

from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.equations import weights
from lindyn.flows import choices
from lindyn.operators import Scaled
from lindyn.predictors.arrays import Modes
from lindyn.predictors.recipe import Recipe

STATISTICS = ("views", "weights")


def is_rule(predictor: Any) -> bool:
    """Return whether the predictor is set by a closed-form rule."""
    return isinstance(predictor, Recipe)


def named(flow: Any) -> str:
    """Return the flow's choice of predictor; of a closed-form one the rule in words."""
    chosen: Any = choices.of(flow, "predictor")
    return f"the closed-form rule {chosen.rule!r}" if is_rule(chosen) else str(chosen)


def seen(flow: Any, x: Any, x_aug: Any) -> tuple[Any, Any]:
    """Return the moments under which a flow's rule sees the outputs: the data's, or 1 and 0 for statistics="weights".

    Args:
        flow: the flow.
        x: X, or its eigenvalues.
        x_aug: X', likewise.

    Returns:
        (X, X'), as operators for a weight flow that sees the weights alone.
    """
    if flow.statistics == "views":
        return x, x_aug
    return (Scaled(1.0), Scaled(0.0)) if hasattr(flow, "data") else (1.0, 0.0)


def apply(recipe: Recipe, F: Any, H: Any) -> Any:
    """Return rule(F, H) on matrices, or per mode on their eigenvalues; differentiable, since it is part of the flow.

    Args:
        recipe: whose rule is meant; its averages and freq have no meaning at an instant.
        F: correlation of the online outputs, n2 x n2, or its eigenvalues.
        H: cross-correlation, likewise; None where the rule does not read it.

    Returns:
        W_p, or p.
    """
    if len(F.shape) == 2:
        return recipe.rule.unchecked(weights.symmetric_part(F), H, stop_gradient=False)
    return recipe.rule.modes(F.reshape(-1), None if H is None else H.reshape(-1)).reshape(F.shape)


def complete(flow: Any, y: Any) -> Any:
    """Return a state with W_p (or p) as the flow's rule sets it; the state itself where W_p is no slave."""
    if not is_rule(choices.of(flow, "predictor")):
        return y
    return y._replace(**{y.slave: apply(flow.predictor, *flow.output_statistics(y))})


def complete_path(flow: Any, states: Any) -> Any:
    """Return stacked states with W_p as the flow's rule sets it at each of them."""
    if not is_rule(choices.of(flow, "predictor")):
        return states
    if _checks.any_traced(flow, states):
        import jax

        return jax.vmap(lambda y: complete(flow, y))(states)
    name, times = states.slave, range(len(next(iter(states.blocks().values()))))
    each = (states.at(k) for k in times)
    return states._replace(**{name: np.stack([np.asarray(getattr(complete(flow, y), name)) for y in each])})


def update(recipe: Recipe, old: Any, F: Any, H: Any) -> Any:
    """Return the recipe's next W_p (or p): `apply`, averaged with the old one where rho_p > 0."""
    if len(F.shape) == 2:
        return recipe.set(old, weights.symmetric_part(F), H)
    p, s, h = (None if M is None else Modes(M.reshape(-1)) for M in (old, F, H))
    return recipe.set(p, s, h).values.reshape(F.shape)


def check_axes(predictor: Any, modes: Any) -> None:
    """Raise ValueError if modes under a closed-form rule do not stand along one axis."""
    if is_rule(predictor):
        check_one_axis("A closed-form predictor", modes)


def check_one_axis(coupling: str, modes: Any) -> None:
    """Raise ValueError if modes that something couples do not stand along one axis."""
    if len(modes.shape) > 1:
        raise ValueError(
            f"{coupling} takes all modes of one network together, along one axis; got shape {tuple(modes.shape)}. Run "
            "one network at a time."
        )


def check_statistics(flow: Any) -> None:
    """Raise ValueError if the flow's `statistics` is unknown, or given without a rule that would see them."""
    _checks.one_of("statistics", flow.statistics, STATISTICS)
    if flow.statistics != "views" and not is_rule(flow.predictor):
        raise ValueError(
            f"statistics={flow.statistics!r} is what a closed-form predictor sees; got predictor={flow.predictor!r}. "
            "Leave it out, or name a rule."
        )
