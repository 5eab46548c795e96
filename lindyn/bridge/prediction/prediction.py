"""A prediction: what the theory says of a network that is not trained yet, and how sure it is."""

import copy
import math
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn.bridge.layers import stacks
from lindyn.bridge.prediction.past_record import LINEAR, SURROGATE
from lindyn.bridge.prediction.training_prediction import Paths, TrainingPrediction, judged
from lindyn.bridge.run import gaussian_surrogate, linear_layers
from lindyn.bridge.run import normalised_theory as theory
from lindyn.bridge.run.normalised_theory import NetworkStart, StepPlan
from lindyn.bridge.sections import TABLE
from lindyn.bridge.torch_defaults import under_plain_defaults
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_order import Order
from lindyn.bridge.training.networks import PredictorKind

TEACHERS = ("teacher_{}", "{}_momentum", "target_{}", "momentum_{}", "{}_ema")
"""What libraries call the target's part of a name."""
TIMED_STEPS = 3


@under_plain_defaults
def predict(
    config: TrainConfig | str | os.PathLike[str] | nn.Module | None = None,
    views: Any = None,
    settings: Mapping[str, Any] | None = None,
    *,
    surrogate: bool = True,
    readings: int = theory.READINGS,
    time_training: bool = False,
    **overrides: Any,
) -> TrainingPrediction:
    """Return what the normalised theory says of a run before it is trained.

        lindyn.bridge.predict("run.toml", optim__lr=0.05)
        lindyn.bridge.predict(model, (v1, v2), {"optim.lr": 0.1, "method.ema": 0.99, "run.epochs": 100})

    The untrained network's features give X and X' of the first layer after which all is linear, BatchNorm or an
    activation (left out); from the untrained weights a deep linear projector with the run's loss and BatchNorm takes
    the run's own steps (`lindyn.descend` of a `DeepFlow`): learning rate and its schedule, momentum, decays, alpha_p,
    EMA and its schedule. The Gaussian surrogate keeps what that leaves out: the network from its last convolution on is
    trained as it is, on Gaussian inputs with the mean, X and X' of what that layer sees. Nothing is fitted.

    Args:
        config: a `TrainConfig`, the path of a TOML file, None (the defaults of `lindyn train`), or an untrained module
            with backbone, projection_head and prediction_head.
        views: of a module: two tensors of views of the same images, or batches of such pairs.
        settings: of a module: keys of `lindyn train`, optim.* and method.*, with run.steps (or run.epochs and
            data.count); what is not given has the default there.
        surrogate: the answer is that of the Gaussian surrogate, but for a linear network, of which the linear theory
            leaves nothing out; False: of the linear theory alone, in a few seconds.
        readings: about how many along the run.
        time_training: time a few steps of the real training for an estimate of its seconds (of a configuration).
        **overrides: keys, with two underscores for the dot (optim__lr=0.05).

    Returns:
        The `TrainingPrediction`.

    Raises:
        ValueError: a network without a linear end, LARS, a batch of one, features that are no numbers, views that do
            not pair, an unknown key.
    """
    began = time.monotonic()
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    if isinstance(config, nn.Module):
        network, plan, known, kind = _of_module(config, views, {**(settings or {}), **given})
        start = theory.start_of(network, views := _checked(_batches(views), network), kind, int(known.run.seed))
        seconds = math.nan, 0.0
    else:
        if views is not None or settings is not None:
            raise ValueError(
                "views and settings belong to a module; got a configuration. Its images and keys are its own: give "
                "keys as optim__lr=0.05."
            )
        known = _configuration(config, given)
        kind = PredictorKind.of(known.model.predictor, dict(known.model.predictor_options))
        start, plan, network = started(known)
        seconds = _timed(network) if time_training else (math.nan, 0.0)
        views = theory.batches_of(network) if surrogate else ()
    at = theory.readings_of(plan.steps, readings)
    drawn = surrogate and not _is_linear(network, start, plan)
    with _threads(known, network):
        found = paths(start, plan, at, known, network if drawn else None, views)
    told = judged(start, plan, found, known, kind)
    return replace(told, seconds=time.monotonic() - began - seconds[1], training_seconds=seconds[0])


def paths(
    start: NetworkStart, plan: StepPlan, at: np.ndarray, config: TrainConfig, network: Any = None,
    views: Iterable[tuple[Tensor, Tensor]] = (), both: bool = True,
) -> Paths:  # fmt: skip
    """Return what is said along a run: by the surrogate of a network, or by the linear theory.

    Args:
        start: of the linear theory.
        plan: of the run.
        at: steps of the readings.
        config: every key.
        network: untrained, for the surrogate; None: the linear theory alone.
        views: of its images.
        both: whether the linear theory stands beside a surrogate.
    """
    if network is None:
        left_out = (*start.left_out, *plan.assumed, theory.BEFORE)
        return Paths(theory.path_of(start, plan, at), LINEAR, left_out)
    surrogate = gaussian_surrogate.surrogate_of(network, config, plan.steps, views)
    with ThreadPoolExecutor(2) as pool:  # torch and XLA work outside the interpreter's lock
        linear = pool.submit(theory.path_of, start, plan, at) if both else None
        answer = pool.submit(gaussian_surrogate.path_of, surrogate, plan, at, config.run.seed).result()
        return Paths(answer, SURROGATE, surrogate.left_out, None if linear is None else linear.result())


def _threads(config: TrainConfig, network: Any) -> Any:
    """Return what gives a prediction the threads of its run; those of a module of the user's are torch's own."""
    if not hasattr(network, "source"):
        return nullcontext()
    from lindyn.bridge.training import threads

    return threads.limited(threads.threads_of(config, network))


def _is_linear(network: Any, start: NetworkStart, plan: StepPlan) -> bool:
    """Return whether the linear theory leaves nothing of a network out; minibatches vary about its population."""
    backbone = network.backbone
    frozen = backbone is None or next(backbone.parameters(), None) is None
    whole = frozen or not stacks.flat(network.projection_head, wrapped=True)
    return whole and not start.left_out and not plan.assumed


def _configuration(config: Any, given: Mapping[str, Any]) -> TrainConfig:
    if isinstance(config, TrainConfig):
        return config.changed(given)
    if not isinstance(config, str | os.PathLike | None):
        raise ValueError(f"config must be a TrainConfig, a TOML file or a torch module; got {type(config).__name__}.")
    return TrainConfig.of(({} if config is None else TABLE.read_toml(Path(config))) | dict(given))


def _timed(network: Any) -> tuple[float, float]:
    """Return an estimate of the seconds of a training, and the seconds that it took to make; the network stays."""
    began = time.monotonic()
    estimate = _seconds_of(built(network.config, network.source))
    return estimate, time.monotonic() - began


def built(config: TrainConfig, source: Any = None) -> Any:
    """Return the untrained network of a configuration; no trainer is loaded for it.

    Args:
        config: of the run.
        source: of its images, where they are open already.
    """
    from lindyn.bridge.training.image_batches import open_source
    from lindyn.bridge.training.two_view_network import TwoViewNetwork, seeded

    return seeded(TwoViewNetwork, config, open_source(config) if source is None else source)


def started(config: TrainConfig, start: NetworkStart | None = None) -> tuple[NetworkStart, StepPlan, Any]:
    """Return start and plan of a run of `lindyn train`, and its untrained module.

    Args:
        config: the run.
        start: of a run with the same network and images, to spare a second look at them; no module is made then.

    Raises:
        ValueError: a run that cannot be predicted.
    """
    theory.plan_of(config, 1, 1)  # what cannot be predicted is said before images are opened
    if start is not None:
        order = Order(start.images, config.optim.batch, config.optim.accumulate, config.run.seed, 0, 1)
        per_epoch = len(order) // config.optim.accumulate
        return start, theory.plan_of(config, per_epoch * config.run.epochs, per_epoch), None
    module = built(config)
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    start = theory.start_of(module, theory.batches_of(module), kind, config.run.seed)
    start = replace(start, images=module.source.count)
    return start, theory.plan_of(config, module.steps, module.per_epoch), module


def _seconds_of(module: Any) -> float:
    """Return an estimate of the seconds of a training: those of a few of its steps, forward and back, times all."""
    batches = iter(theory.batches_of(module, (TIMED_STEPS + 1) * module.config.optim.batch))
    module.train()
    began, taken = time.monotonic(), 0
    for number, (v1, v2) in enumerate(batches):
        if number == 1:  # the first one warms up
            began = time.monotonic()
        module.compare(v1, v2)[0].backward()
        module.zero_grad()
        taken = number
    return (time.monotonic() - began) / max(taken, 1) * module.steps * module.config.optim.accumulate


def _of_module(
    module: nn.Module, views: Any, settings: Mapping[str, Any]
) -> tuple[Any, StepPlan, TrainConfig, PredictorKind]:
    """Return the parts of a lightly-style module, its plan, the keys known of it, and its predictor."""
    if views is None:
        raise ValueError("views must be two tensors of views of the same images, or batches of such pairs; got none.")
    keys = dict(settings)
    steps = keys.pop("run.steps", None)
    config = TrainConfig.of(keys)
    per_epoch = max(1, config.data.count // (config.optim.batch * config.optim.accumulate))
    steps = per_epoch * config.run.epochs if steps is None else int(steps)
    if steps < 1:
        raise ValueError(f"run.steps must be at least 1; got {steps}.")
    parts = _parts(module)
    kind = PredictorKind.of(config.model.predictor, dict(config.model.predictor_options))
    if "model.predictor" not in keys:
        kind = PredictorKind.of("identity" if isinstance(parts.prediction_head, nn.Identity) else "linear")
    plan = theory.plan_of(config.changed({"model.predictor": kind.name}), steps, per_epoch)
    return parts, plan, config, kind


def _parts(module: nn.Module) -> Any:
    """Return a module's parts under the names that the theory reads; the module itself is left as it is."""
    from lindyn.bridge.watch.find_predictor import NAMES, PROJECTORS

    found: Any = nn.Module()
    backbone = getattr(module, "backbone", None) or getattr(module, "encoder", None)
    projectors = [name for name in PROJECTORS if isinstance(getattr(module, name, None), nn.Module)]
    if backbone is None and not projectors:
        raise ValueError(
            f"The module needs a backbone and a projection_head, as lightly's examples have them; got "
            f"{type(module).__name__} with {', '.join(name for name, _ in module.named_children()) or 'no parts'}."
        )
    found.backbone, found.projection_head = backbone, getattr(module, projectors[0]) if projectors else nn.Identity()
    heads = [name for name in NAMES if isinstance(getattr(module, name, None), nn.Module)]
    found.prediction_head = getattr(module, heads[0]) if heads else nn.Identity()
    found.teacher_backbone = found.teacher_projection_head = None
    if projectors:
        found.teacher_backbone = _teacher(module, "backbone")
        found.teacher_projection_head = _teacher(module, projectors[0])
    return found


def _teacher(module: nn.Module, name: str) -> nn.Module | None:
    named = (getattr(module, form.format(name), None) for form in TEACHERS)
    return next((part for part in named if isinstance(part, nn.Module)), None)


def _batches(views: Any) -> Iterable[tuple[Tensor, Tensor]]:
    """Return batches of pairs: one pair of tensors or arrays is one batch."""
    pair = list(views) if isinstance(views, tuple | list) else None
    if pair is not None and len(pair) == 2 and all(hasattr(one, "shape") for one in pair):
        return [tuple(torch.as_tensor(one) for one in pair)]  # type: ignore[list-item]
    return views  # type: ignore[no-any-return]


def _checked(batches: Iterable[Any], network: nn.Module) -> list[tuple[Tensor, Tensor]]:
    """Return the batches as a list, each a pair of tensors that the network takes.

    Raises:
        ValueError: no pairs, two views of unequal images, or images that the network does not take.
    """
    found = list(batches)
    for pair in found:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(one, Tensor) for one in pair)):
            raise ValueError(f"views must be two tensors, or batches of such pairs; got one of {type(pair).__name__}.")
        if pair[0].shape[1:] != pair[1].shape[1:]:
            raise ValueError(f"views must pair: got {tuple(pair[0].shape)} and {tuple(pair[1].shape)}.")
    parts: Any = network
    linear_layers.of_network(parts.backbone, parts.projection_head)  # no linear end is told before the images are
    trial = copy.deepcopy(network).eval()
    backbone: Any = nn.Flatten() if trial.backbone is None else trial.backbone
    try:
        with torch.no_grad():
            trial.projection_head(backbone(found[0][0][:2]).flatten(1))  # type: ignore[operator]
    except RuntimeError as error:
        images = f"{tuple(found[0][0].shape)} of {found[0][0].dtype}"
        said = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"views must be images that the network takes; got {images}: {said}.") from error
    except IndexError:
        return found  # no batch at all, which is said where the moments are taken
    return found
