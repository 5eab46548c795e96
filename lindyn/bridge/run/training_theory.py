"""Theory beside training: rates and moments of a run, the linear flow from its own start, both on one picture.

Where the network is the paper's (backbone "linear", no projector, squared distance, SGD) nothing is fitted and
nothing approximated but two things: the flow is the limit of small steps and of large batches. Elsewhere the last
linear layer of the projector stands for W and the features before it, frozen at one checkpoint, for the input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn.bridge.run.rates import hyperparameters, step_time
from lindyn.bridge.training import batch_augmentation, run_folder
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import CHUNK, Gaussian, open_source
from lindyn.bridge.training.image_order import generator
from lindyn.bridge.training.trainer import Run
from lindyn.bridge.watch.find_predictor import map_kind, weight_map
from lindyn.moments import Moments, ViewSums
from lindyn.states import WeightState

FLOWS = {"linear": "trained", "linear_symmetric": "symmetrised", "identity": "identity"}
IMAGES = 5000  # at most so many images for the moments of features


@dataclass(frozen=True, eq=False)
class Comparison:
    """A run's weights at its checkpoints beside the flow from the same start.

    Args:
        config: of the run.
        flow: `WeightFlow` with the run's rates and moments.
        ts: flow time of every checkpoint.
        steps: optimiser step of every checkpoint.
        measured: (W, W_p, W_a) of the network, stacked.
        theory: the trajectory of the flow at the same times.
        note: what is only approximate, in words; "" where nothing is but step and batch.
    """

    config: TrainConfig
    flow: Any
    ts: np.ndarray
    steps: np.ndarray
    measured: WeightState
    theory: Any
    note: str

    def error(self) -> np.ndarray:
        """Return max over (W, W_p) of |measured - theory| / |theory| (Frobenius) at every checkpoint."""
        states = self.theory.states
        pairs = [(self.measured.W, states.W)]
        if self.config.model.predictor in FLOWS:
            pairs.append((self.measured.W_p, states.W_p))
        return np.max([_relative(here, there) for here, there in pairs], axis=0)

    def readings(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (measured, theory): s_j and p_j of F = W (X + X') W^T and the alignment, checkpoints x modes."""
        Sigma = np.asarray(self.flow.data.Sigma_s)
        return _readings(self.measured, Sigma), _readings(self.theory.states, Sigma)


def moments(run: Run, checkpoint: int = 0, views: int = 8) -> Moments:
    """Return X and X' of what the linear layer of a run sees: pixels, or features frozen at a checkpoint.

    Args:
        run: the run.
        checkpoint: index into `run.checkpoints`, of the frozen features.
        views: views of each training image, even, >= 2.

    Returns:
        The moments with their sampling errors (exact for the pixels of data.name=gaussian).

    Raises:
        ValueError: photos (their views are not tensors), or a projector without a linear last layer.
    """
    source: Any = open_source(run.config)
    drawn = isinstance(source, Gaussian)
    if drawn and run.config.model.projector == "none":
        x = source.x.numpy()
        return Moments(np.diag(x), run.config.data.noise**2 * np.eye(len(x)))
    if not drawn and not hasattr(source, "images"):
        raise ValueError(f"Moments are measured on embedded images; got data.name={run.config.data.name!r}.")
    module = run.module(checkpoint).train()  # BatchNorm by the batch, as in training; an untrained network has no other
    net, layer = split(module)
    sums, most = None, IMAGES if drawn else min(len(source.images), IMAGES)
    with torch.no_grad():
        for start in range(0, most, CHUNK):
            seen = _views(source, start, min(start + CHUNK, most), views, layer.weight.dtype)
            batch = torch.stack([net(view) for view in seen], dim=1)
            sums = ViewSums(batch.shape[-1], views) if sums is None else sums
            sums.add(batch.double().numpy())
    return sums.moments()  # type: ignore[union-attr]


def _views(source: Any, start: int, stop: int, views: int, dtype: Any) -> list[Tensor]:
    """Return independent views of a chunk of images or new vectors, of numbers that no training step has used."""
    if isinstance(source, Gaussian):
        return source.drawn(stop - start, views, generator(source.seed, 0x7E0, start), dtype)
    images = source.images[start:stop].to(dtype)
    found: list[Tensor] = []
    for pair in range(views // 2):
        numbers = generator(source.seed, 0x7E0, start, pair)
        found += batch_augmentation.two_views(images, source.data, len(images), 0, numbers)
    return found if source.mean is None else [view - source.mean.to(view) for view in found]


def split(module: Any) -> tuple[Callable[[Tensor], Tensor], nn.Linear]:
    """Return (what comes before, the last linear layer) of an online network; a bias becomes a feature that is 1.

    Raises:
        ValueError: the online network does not end in a linear layer.
    """
    config = module.config
    if config.model.projector == "none" and config.model.backbone == "linear":
        return lambda images: images.flatten(1), module.backbone.linear
    head = module.projection_head
    layers = [head] if isinstance(head, nn.Linear) else list(getattr(head, "layers", []))
    if not layers or not isinstance(layers[-1], nn.Linear):
        raise ValueError(
            f"The theory needs a linear last layer: model.projector=linear or byol, or backbone linear with projector "
            f"none; got {config.model.backbone} and {config.model.projector}."
        )

    def before(images: Tensor) -> Tensor:
        """Return what the last linear layer sees of images."""
        features = module(images)
        for layer in layers[:-1]:
            features = layer(features)
        if layers[-1].bias is None:
            return features
        return torch.cat([features, torch.ones_like(features[:, :1])], dim=1)

    return before, layers[-1]


def measured(run: Run) -> tuple[np.ndarray, WeightState]:
    """Return (steps, stacked W, W_p, W_a) of a run's checkpoints, in float64.

    Raises:
        ValueError: a predictor that is not linear.
    """
    steps, states = [], []
    module = run.module(0)
    if map_kind(module.prediction_head) == "least squares" and run.config.model.predictor != "identity":
        raise ValueError(f"The theory's predictor is linear; got model.predictor={run.config.model.predictor!r}.")
    for path in run.checkpoints:
        module.load_state_dict(run_folder.read(path)["state_dict"])
        steps.append(run_folder.step_of(path))
        states.append(_weights(module))
    stacked = WeightState._unchecked(**{name: np.stack([s[name] for s in states]) for name in ("W", "W_p", "W_a")})
    return np.array(steps), stacked


def _weights(module: Any) -> dict[str, np.ndarray]:
    _, layer = split(module)
    W = _whole(layer)
    if module.teacher_backbone is None:
        W_a = W
    elif layer is getattr(module.backbone, "linear", None):
        W_a = _whole(module.teacher_backbone.linear)
    else:
        head = module.teacher_projection_head
        W_a = _whole(head if isinstance(head, nn.Linear) else head.layers[-1])
    identity = isinstance(module.prediction_head, nn.Identity)
    W_p = np.eye(len(W)) if identity else weight_map(module.prediction_head).double().numpy()
    return {"W": W, "W_p": W_p.copy(), "W_a": W_a}


def _whole(layer: Any) -> np.ndarray:
    """Return the weight of a linear layer, its bias as a last column."""
    parts = [layer.weight] if layer.bias is None else [layer.weight, layer.bias[:, None]]
    return torch.cat(parts, dim=1).detach().double().numpy().copy()


def beside(run: Run | str | Path, data: Moments | None = None, checkpoint: int = 0) -> Comparison:
    """Return a run's weights beside the flow that starts from its first checkpoint.

    Args:
        run: a run, or its folder.
        data: X and X'; default measured (`moments`).
        checkpoint: which one's features are frozen, for networks that are not linear.

    Returns:
        The `Comparison`.

    Raises:
        ValueError: a run without a counterpart in the theory.
    """
    from lindyn.flows import WeightFlow
    from lindyn.solve.ode import simulate

    run = run if isinstance(run, Run) else Run.load(run)
    config = run.config
    data = moments(run, checkpoint) if data is None else data
    steps, states = measured(run)
    flow = WeightFlow(
        hyperparameters(config), data, target=config.method.target, stop_gradient=config.method.stop_gradient,
        predictor=_flow_predictor(config),
    )  # fmt: skip
    start = {name: getattr(states, name)[0] for name in ("W", "W_p", "W_a")}
    if config.method.target == "online":
        del start["W_a"]
    ts = _times(config, steps)
    theory = simulate(flow, WeightState(**start), ts=ts, rtol=1e-9, engine="scipy")
    return Comparison(config, flow, ts, steps, states, theory, approximations(config))


def _flow_predictor(config: TrainConfig) -> Any:
    name = config.model.predictor
    if name in FLOWS:
        return FLOWS[name]
    from lindyn.predictors import Recipe

    options = {k: v for k, v in config.model.predictor_options if k not in ("cross_from", "views", "trainable")}
    return Recipe.of(name, **options).rule


def _times(config: TrainConfig, steps: np.ndarray) -> np.ndarray:
    """Return the flow time of the checkpoints: the sum of the learning rates of the steps before."""
    o, last = config.optim, int(steps[-1])
    total = round(last / max(1, config.run.epochs)) if last else 1
    return step_time(config) * shares_taken(o.schedule, round(o.warmup_epochs * total), last)[steps]


def shares_taken(schedule: str, warmup: int, total: int) -> np.ndarray:
    """Return the sum of the shares of the peak learning rate over the first 0, 1, ..., `total` steps.

    Args:
        schedule: "cosine" or "constant".
        warmup: steps of linear warm-up.
        total: steps of the whole run.
    """
    from lindyn.bridge.training.optimiser import factor

    share = factor(schedule, warmup, total)
    return np.concatenate([[0.0], np.cumsum([share(k) for k in range(total)])])


def approximations(config: TrainConfig) -> str:
    """Return what is only approximate in a comparison, in words."""
    found = []
    if config.method.loss != "l2":
        found.append(f"the run's loss is {config.method.loss}, the theory's the squared distance")
    if config.model.backbone != "linear" or config.model.projector != "none":
        found.append("features before the last linear layer are frozen in the theory, trained in the run")
    if config.optim.schedule != "constant" and config.method.target == "ema":
        found.append("beta belongs to the peak learning rate")
    if config.method.ema_schedule != "constant" and config.method.target == "ema":
        found.append("beta belongs to the first EMA rate")
    return "; ".join(found)


def _relative(here: Any, there: Any) -> np.ndarray:
    here, there = np.asarray(here), np.asarray(there)
    size = np.linalg.norm(there, axis=(-2, -1))
    return np.linalg.norm(here - there, axis=(-2, -1)) / np.where(size > 0, size, 1.0)


def _readings(states: Any, Sigma: np.ndarray) -> dict[str, np.ndarray]:
    """Return s_j, p_j = u_j^T W_p u_j and cosines, of F = W Sigma W^T, largest first."""
    from lindyn import observables
    from lindyn.states import CorrelationState

    W, W_p = np.asarray(states.W), np.asarray(states.W_p)
    F = W @ Sigma @ W.swapaxes(-1, -2)
    state = CorrelationState._unchecked(W_p=W_p, F=(F + F.swapaxes(-1, -2)) / 2, tau=1.0)
    eigen = observables.eigen_F(state)
    p, s = observables.mode_values(state, eigen)
    return {"s": s, "p": p, "alignment": observables.alignment(state, eigen)}
