"""`descend`: the finite-step twin of the flow, with learning rate, momentum, weight decay and EMA as in training."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from lindyn import _checks
from lindyn._records import State, register_records
from lindyn.flows import Flow, choices, losses, rules
from lindyn.hyperparameters import flow_step
from lindyn.moments import Moments
from lindyn.predictors.recipe import Recipe
from lindyn.sampling import GaussianViews, RecordedViews
from lindyn.solve.forks import check_jax
from lindyn.solve.ode import SAVED, check_start
from lindyn.solve.one_step import as_seen, minibatch, move_target, move_weights
from lindyn.solve.reductions import Reduction, reduce_flow
from lindyn.solve.trajectory import SimulationError, Trajectory

Views = GaussianViews | RecordedViews
MEANS = ("samples", "closure")


def descend(
    flow: Flow,
    y0: State,
    *,
    learning_rate: Any = 0.01,
    steps: int = 10_000,
    momentum: float = 0.0,
    gamma_a: Any = None,
    batch: int | None = None,
    samples: Views | None = None,
    mean: str = "samples",
    seed: int = 0,
    save_every: int | Sequence[int] | None = None,
    throw: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Trajectory:
    """Train the linear model step by step: the discrete process whose limit the flow is.

    v <- momentum v + (dy/dt of W and W_p);  (W, W_p) <- (W, W_p) + learning_rate v;
    W_a <- gamma_a W_a + (1 - gamma_a) W, with gamma_a = 1 - alpha beta and alpha = learning_rate/(1 - momentum).

    The rates are the flow's: the predictor's step is alpha_p times larger, and decay is part of the gradient, as in
    SGD (eta_s = its weight decay; eta_p = alpha_p times the predictor's). One step is alpha of flow time.

    With a closed-form predictor each step gathers (F, H) of its forward pass into the recipe's averages, steps W, sets
    W_p where freq divides the number of the step (0 first), and then moves the target: the order of the released
    DirectPred. See `statistics_of_views` for the minibatch's (F, H). At freq > 1 W_p takes gradient steps
    at every step, with alpha_p, eta_p and its own momentum; setting it leaves its velocity as it is, as an optimiser
    would that knows nothing of the setting. At freq = 1 it takes none. W_p(0) is the rule's own, not that of y0.

    A minibatch under BatchNorm is centred and normalised by its own statistics, each view by its own, and the gradient
    goes through them, as in training.

    Args:
        flow: a `WeightFlow` or `DeepFlow`, or a `ModeWeightFlow` (population loss only).
        y0: the initial state.
        learning_rate: step of the online network, > 0; or a schedule, one number per step, >= 0.
        steps: number of steps, >= 1.
        momentum: heavy-ball momentum, 0 <= momentum < 1.
        gamma_a: EMA parameter of the target, in [0, 1], or a schedule, one number per step; default 1 - alpha beta.
        batch: minibatch size; None descends the population loss.
        samples: what minibatches are drawn from; default Gaussian views with the flow's moments.
        mean: how a minibatch takes the mean of a cosine loss: over its "samples" (the true loss), or by the "closure"
            of its moments.
        seed: of the minibatches.
        save_every: keep a state every so many steps, or at these steps, increasing; default about 200 states.
        throw: raise when the weights are no longer finite; False returns what is finite with its status.
        progress: called with the number of steps done.

    Returns:
        A `Trajectory` whose times are alpha x steps, alpha that of `lindyn.hyperparameters.flow_step`.

    Raises:
        ValueError: arguments out of range, alpha beta > 1 (gamma_a < 0), or another kind of flow.
        SimulationError: the descent blew up, and `throw` is set.
    """
    check_start(flow, y0)
    if y0.roles is None:
        raise ValueError(f"descend trains weights: give a WeightFlow or ModeWeightFlow; got {type(flow).__name__}.")
    if _checks.any_traced(flow, y0):
        raise ValueError("descend cannot be traced by JAX; inside jax.jit, grad or vmap use simulate.")
    steps = _checks.as_whole("steps", steps)
    learning_rates = _schedule("learning_rate", learning_rate, steps)
    alphas, momentum = learning_rates * flow_step(1.0, momentum), float(momentum)
    gammas = _gammas(flow, alphas) if gamma_a is None else _schedule("gamma_a", gamma_a, steps)
    _check_choices(flow, gamma_a, mean, batch)
    saved = _saved(save_every, steps)
    source = _source(flow, batch, samples)
    reduced = reduce_flow(flow, rules.complete(flow, y0), "printed" if source is not None else "auto")
    plan = (saved, (batch, mean))
    check_jax("descend before the fork")
    with jax.enable_x64(True):
        kept, states = _run(reduced, source, seed, (learning_rates, momentum, gammas), plan, progress)
    times = np.concatenate([[0.0], np.cumsum(alphas)])
    if np.ndim(learning_rate) == 0:
        times = flow_step(learning_rate, momentum) * np.arange(steps + 1)
    told: dict[str, Any] = {"learning_rate": float(learning_rates[0]), "momentum": momentum, "batch": batch}
    if batch is not None and choices.of(flow, "loss") != losses.SQUARED:
        told["mean"] = mean
    if gamma_a is not None:
        told["gamma_a"] = f"{gammas.min():g} to {gammas.max():g}"
    if np.ndim(learning_rate):
        told["schedule"] = f"{learning_rates.min():g} to {learning_rates.max():g}"
    trajectory = _trajectory(flow, reduced, kept, states, times, told)
    if throw and not trajectory.succeeded:
        raise SimulationError(trajectory)
    return trajectory


def _check_choices(flow: Flow, gamma_a: Any, mean: str, batch: int | None) -> None:
    """Raise ValueError where a choice of the descent would change nothing, or has no meaning with the flow."""
    target, loss = choices.of(flow, "target"), choices.of(flow, "loss")
    if gamma_a is not None and target != "ema":
        raise ValueError(f"gamma_a moves an EMA target; got target={target!r}. Leave it out, or use target='ema'.")
    _checks.one_of("mean", mean, MEANS)
    if mean != MEANS[0] and (batch is None or loss == losses.SQUARED):
        raise ValueError(
            f"mean={mean!r} is how a minibatch takes the mean of a cosine loss; got loss={loss!r} and batch={batch}. "
            "Give batch and loss='cosine', or leave it out."
        )
    if batch is not None and batch < 2 and choices.of(flow, "normalise") == "batchnorm":
        raise ValueError(f"batch must be at least 2 under BatchNorm, which divides by a deviation; got {batch}.")


def _saved(save_every: Any, steps: int) -> list[int]:
    """Return the steps whose states are kept, 0 and the last one among them."""
    if save_every is None or np.ndim(save_every) == 0:
        every = max(1, steps // (SAVED - 1)) if save_every is None else _checks.as_whole("save_every", save_every)
        return [*range(0, steps, every), steps]
    at = np.asarray(_checks.as_array("save_every", save_every, ndim=1))
    if len(at) == 0 or np.any(at != np.round(at)) or np.any(np.diff(at) <= 0) or at[0] < 0 or at[-1] > steps:
        raise ValueError(
            f"save_every must be one number, or whole steps that increase from 0 to at most steps = {steps}; got "
            f"{np.array2string(at, threshold=6, edgeitems=2)}."
        )
    return sorted({0, *at.astype(int).tolist(), steps})


def _schedule(name: str, given: Any, steps: int) -> np.ndarray:
    """Return one number per step: the number given, or the schedule."""
    if np.ndim(given) == 0:
        value = _checks.as_scalar(name, given, minimum=0.0, exclusive=name == "learning_rate")
        values = np.full(steps, value)
    else:
        values = np.asarray(_checks.as_array(name, given, ndim=1), float)
        if len(values) != steps:
            raise ValueError(f"{name} must be one number, or one per step ({steps}); got {len(values)}.")
        if values.min() < 0:
            raise ValueError(f"{name} must be >= 0 at every step; got {values.min():g}.")
        if name == "learning_rate" and not values.any():
            raise ValueError("learning_rate must not be 0 at every step: nothing would be learnt.")
    if name == "gamma_a" and values.max() > 1:
        raise ValueError(f"gamma_a must be at most 1; got {values.max():g}. 1 freezes the target.")
    return values


def _gammas(flow: Flow, alphas: np.ndarray) -> np.ndarray:
    beta = float(choices.beta_of(choices.of(flow, "target"), flow.hp.beta))
    if choices.of(flow, "target") == "ema" and alphas.max() * beta > 1:
        raise ValueError(
            f"learning_rate / (1 - momentum) x beta must be at most 1 (it is 1 - gamma_a); got "
            f"{alphas.max() * beta:g}. Lower the learning rate, or use target='online'."
        )
    return 1 - alphas * beta


def _source(flow: Any, batch: int | None, samples: Views | None) -> Views | None:
    """Return what minibatches are drawn from, or None for the population loss."""
    if batch is None:
        if samples is not None:
            raise ValueError("samples were given without batch; say how many samples a step takes, e.g. batch=128.")
        return None
    _checks.as_whole("batch", batch)
    if not isinstance(getattr(flow, "data", None), Moments):
        raise ValueError(f"Minibatches need a WeightFlow; got {type(flow).__name__}. Leave batch out.")
    source = GaussianViews.of(flow.data) if samples is None else samples
    width = source.v1.shape[1] if isinstance(source, RecordedViews) else source.mean_root.shape[0]
    if width != flow.data.n1:
        turned = isinstance(source, RecordedViews) and source.v1.shape[0] == flow.data.n1
        hint = " Its rows are samples: give the views transposed." if turned else ""
        raise ValueError(f"samples must have n1 = {flow.data.n1} columns, as X has; got {width}.{hint}")
    return source


def _run(
    reduced: Reduction, source: Views | None, seed: int, rates: tuple, plan: tuple, progress: Any
) -> tuple[list[int], list]:
    """Run all steps in jitted stretches; return the step numbers kept and their states (numpy)."""
    register_records()
    saved, batch = plan
    flow, y, source = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (reduced.flow, reduced.y0, source))
    trained = y.roles[0]
    v = {name: jax.tree.map(jnp.zeros_like, getattr(y, name)) for name in trained}
    averages = None
    if rules.is_rule(choices.of(flow, "predictor")):
        averages = jax.tree.map(jnp.zeros_like, flow.output_statistics(y))
    key, rates = jax.random.key(seed), tuple(jnp.asarray(rate, jnp.float64) for rate in rates)
    kept, states = [0], [jax.tree.map(np.array, y)]
    for first, last in pairwise(saved):
        count = last - first
        y, v, averages = _stretch(
            flow, (y, v, averages), source, key, jnp.asarray(first), jnp.asarray(count), rates, batch
        )
        kept.append(last)
        states.append(jax.tree.map(np.array, y))
        if progress is not None:
            progress(last)
        if not all(np.all(np.isfinite(block)) for block in jax.tree.leaves(states[-1])):
            break
    return kept, states


@eqx.filter_jit
def _stretch(
    flow: Any, carry: Any, source: Views | None, key: Any, first: Any, count: Any, rates: Any, batch: Any
) -> Any:
    learning_rates, momentum, gammas = rates
    trained, online, _ = carry[0].roles
    moved = trained if follows_gradient(flow) else (online,)

    def step(k: Any, carry: Any) -> Any:
        y, v, averages = carry
        views = None if source is None else source.draw(jax.random.fold_in(key, first + k), batch[0])
        if views is not None:
            views = as_seen(flow, views)
        if averages is not None:
            seen = statistics_of_population(flow, y) if views is None else statistics_of_views(flow, y, views)
            averages = remember(flow.predictor, averages, seen, first + k)
        rate = gradient_flow(flow if views is None else minibatch(flow, *views, mean=batch[1]))(0.0, y)
        y, v = move_weights(y, v, rate, moved, learning_rates[first + k], momentum, jax.tree.map)
        if averages is not None:
            y = set_predictor(flow, y, averages, first + k)
        return move_target(flow, y, gammas[first + k], jax.tree.map), v, averages

    return jax.lax.fori_loop(0, count, step, carry)


def gradient_flow(flow: Any) -> Any:
    """Return the flow whose rates are those of the gradient at the W_p of the state, whatever sets it."""
    return flow._replace(predictor="trained") if rules.is_rule(choices.of(flow, "predictor")) else flow


def follows_gradient(flow: Any) -> bool:
    """Return whether W_p takes gradient steps: always, unless a rule sets it at every step."""
    return not rules.is_rule(choices.of(flow, "predictor")) or flow.predictor.freq > 1


def statistics_of_views(flow: Any, y: Any, views: tuple[Any, Any]) -> list[tuple[Any, Any]]:
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
    batch, (v1, v2) = views[0].shape[1], views
    one, other = (losses.maps(minibatch(flow, *pair), y.W, y.W_a) for pair in ((v1, v2), (v2, v1)))
    if flow.statistics == "weights":
        pairs = [flow.output_statistics(y)] * 2
    else:
        outputs = (one.online @ v1, one.target @ v2), (other.online @ v2, other.target @ v1)
        reads = recipe.rule.reads_cross
        pairs = [(f @ f.T / batch, g @ f.T / batch if reads else None) for f, g in outputs]
    return pairs if recipe.update == "call" else [_mean_pair(*pairs)]


def _mean_pair(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    (F, H), (F_2, H_2) = one, other
    return (F + F_2) / 2, None if H is None else (H + H_2) / 2


def statistics_of_population(flow: Any, y: Any) -> list[tuple[Any, Any]]:
    """Return the statistics (F, H) of the population, as `statistics_of_views` does."""
    return [flow.output_statistics(y)] * (2 if flow.predictor.update == "call" else 1)


def remember(recipe: Recipe, memory: tuple[Any, Any], seen: list[tuple[Any, Any]], step: Any) -> tuple[Any, Any]:
    """Return the averages (F-hat, H-hat) after the statistics of one step."""
    for call, new in enumerate(seen):
        count = step * len(seen) + call
        memory = tuple(  # type: ignore[assignment]
            None if M is None else recipe.blend(old, M, count) for old, M in zip(memory, new, strict=True)
        )
    return memory


def set_predictor(flow: Any, y: Any, memory: tuple[Any, Any], step: Any) -> Any:
    """Return the state with W_p set from the averages where freq divides the step, untouched elsewhere."""
    recipe, name = flow.predictor, y.slave
    W_p = jax.lax.cond(
        step % recipe.freq == 0,
        lambda W_p: rules.update(recipe, W_p, *memory),
        lambda W_p: W_p,
        getattr(y, name),
    )
    return y._replace(**{name: W_p})


def _trajectory(
    flow: Flow, reduced: Reduction, kept: list[int], states: list, times: np.ndarray, told: dict[str, Any]
) -> Trajectory:
    finite = [all(np.all(np.isfinite(block)) for block in jax.tree.leaves(state)) for state in states]
    good = len(states) if all(finite) else finite.index(False)
    stacked = jax.tree.map(lambda *blocks: np.stack(blocks), *states[:good])
    return Trajectory(
        ts=times[kept[:good]],
        states=reduced.restore(stacked),
        outcome=0 if all(finite) else 3,
        stats={"steps": kept[-1]},
        flow=flow,
        t1=times[-1],
        notes={"engine": "descent", **told, "reduction": reduced.name},
    )
