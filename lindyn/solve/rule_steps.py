"""Closed-form predictors in a run: W_p along a finished path, and its setting from step to step of a descent.

A step of descent gathers the statistics in its forward pass, steps the weights, sets W_p, and then moves the target,
as the released DirectPred does.
"""

from typing import Any

import numpy as np

from lindyn.flows import rules


def complete_path(flow: Any, states: Any) -> Any:
    """Return stacked states with W_p as the flow's rule sets it at each of them."""
    if not rules.is_rule(getattr(flow, "predictor", None)):
        return states
    from lindyn.solve.ode import any_traced

    if any_traced(flow, states):
        import jax

        return jax.vmap(lambda y: rules.complete(flow, y))(states)
    name, times = rules.slave(states), range(len(getattr(states, states._fields()[0])))
    each = (states._unchecked(**{field: getattr(states, field)[k] for field in states._fields()}) for k in times)
    return states._replace(**{name: np.stack([np.asarray(getattr(rules.complete(flow, y), name)) for y in each])})


def gradient_flow(flow: Any) -> Any:
    """Return the flow whose rates are those of the gradient at the W_p of the state, whatever sets it."""
    return flow._replace(predictor="trained") if rules.is_rule(flow.predictor) else flow


def follows_gradient(flow: Any) -> bool:
    """Return whether W_p takes gradient steps: always, unless a rule sets it at every step."""
    return not rules.is_rule(flow.predictor) or flow.predictor.freq > 1


def of_views(flow: Any, y: Any, views: tuple[Any, Any]) -> list[tuple[Any, Any]]:
    """Return the statistics (F, H) of a minibatch, in the order in which they enter the averages.

    Both views pass the online network, as in a layer that is called on each: F = (f1 f1^T + f2 f2^T)/(2 B) and
    H = (f2a f1^T + f1a f2^T)/(2 B) once a step, so that H F^-1 is the regression of the batch; with update="call" the
    first view's pair and then the second's. The loss of `descend` itself is one-sided.

    Args:
        flow: a weight flow whose predictor is a recipe.
        y: the weights of the forward pass.
        views: the two views, each n1 x batch.

    Returns:
        One pair, or two.
    """
    recipe = flow.predictor
    if recipe.centre:
        views = tuple(v - v.mean(1, keepdims=True) for v in views)  # type: ignore[assignment]
    W_a = y.W if flow.target == "online" else y.W_a
    batch, (v1, v2) = views[0].shape[1], views
    if flow.statistics == "weights":
        pairs = [flow.output_statistics(y)] * 2
    else:
        outputs = (y.W @ v1, W_a @ v2), (y.W @ v2, W_a @ v1)
        reads = recipe.rule.reads_cross
        pairs = [(f @ f.T / batch, g @ f.T / batch if reads else None) for f, g in outputs]
    return pairs if recipe.update == "call" else [_mean(*pairs)]


def _mean(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    (F, H), (F_2, H_2) = one, other
    return (F + F_2) / 2, None if H is None else (H + H_2) / 2


def of_population(flow: Any, y: Any) -> list[tuple[Any, Any]]:
    """Return the statistics (F, H) of the population, as `of_views` does."""
    return [flow.output_statistics(y)] * (2 if flow.predictor.update == "call" else 1)


def remember(recipe: Any, memory: tuple[Any, Any], seen: list[tuple[Any, Any]], step: Any) -> tuple[Any, Any]:
    """Return the averages (F-hat, H-hat) after the statistics of one step."""
    for call, new in enumerate(seen):
        count = step * len(seen) + call
        memory = tuple(  # type: ignore[assignment]
            None if M is None else recipe.blend(old, M, count) for old, M in zip(memory, new, strict=True)
        )
    return memory


def set_predictor(flow: Any, y: Any, memory: tuple[Any, Any], step: Any) -> Any:
    """Return the state with W_p set from the averages where freq divides the step, untouched elsewhere."""
    import jax

    recipe, name = flow.predictor, rules.slave(y)
    W_p = jax.lax.cond(
        step % recipe.freq == 0,
        lambda W_p: rules.update(recipe, W_p, *memory),
        lambda W_p: W_p,
        getattr(y, name),
    )
    return y._replace(**{name: W_p})
