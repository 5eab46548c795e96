"""One step of `descend` as plain arithmetic, whatever the arrays: jitted by JAX there, recorded for sweeps (`tape`).

v <- momentum v + rate;  (W, W_p) <- (W, W_p) + learning_rate v;  W_a <- gamma_a W_a + (1 - gamma_a) W
"""

from collections.abc import Callable
from typing import Any

from lindyn.equations import descent
from lindyn.flows import choices, losses
from lindyn.operators import MinibatchCosine, MinibatchCross, OnlyInSum
from lindyn.solve.reductions import StructuredMoments

Each = Callable[..., Any]


def minibatch(flow: Any, v1: Any, v2: Any, mean: str = "samples") -> Any:
    """Return the flow with its moments replaced by those of one minibatch.

    Args:
        flow: a weight flow.
        v1: the first views, n1 x batch.
        v2: the second views.
        mean: of a cosine loss: over the "samples", or by the "closure" of their moments.
    """
    sampled = mean == "samples" and flow.loss != losses.SQUARED
    cross = (MinibatchCosine if sampled else MinibatchCross)._unchecked(v1=v1, v2=v2)
    data = StructuredMoments._unchecked(X=cross, X_aug=OnlyInSum._unchecked())
    return flow._replace(data=data)


def as_seen(flow: Any, views: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the views of a minibatch as the flow's outputs see them: centred, under BatchNorm."""
    if choices.of(flow, "normalise") != "batchnorm":
        return views
    v1, v2 = (view - view.mean(1, keepdims=True) for view in views)
    return v1, v2


def move_weights(
    y: Any, v: dict[str, Any], rate: Any, names: tuple[str, ...], learning_rate: Any, momentum: Any, each: Each
) -> tuple[Any, dict[str, Any]]:
    """Return state and velocities after the gradient step of the fields of these names.

    Args:
        y: the state.
        v: velocity of each trained field.
        rate: of the state.
        names: of the fields that move.
        learning_rate: of this step.
        momentum: heavy-ball momentum.
        each: (function, *trees) -> the function's values on every array of a field, `jax.tree.map`.
    """
    v = v | {n: each(lambda v, rate: descent.velocity(v, rate, momentum), v[n], getattr(rate, n)) for n in names}
    moved = {n: each(lambda y, v: descent.step(y, v, learning_rate), getattr(y, n), v[n]) for n in names}
    return y._replace(**moved), v


def move_target(flow: Any, y: Any, gamma_a: Any, each: Each) -> Any:
    """Return the state with its target moved, after the weights: an average of them, or the weights themselves."""
    _, online, target = y.roles
    W = getattr(y, online)
    if choices.of(flow, "target") == "online":
        return y._replace(**{target: W})
    return y._replace(**{target: each(lambda W_a, W: descent.ema(W_a, W, gamma_a), getattr(y, target), W)})
