"""Where the normalised theory of a network starts: its untrained weights, and X and X' of what its first layer sees."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn.bridge.run import linear_layers
from lindyn.bridge.training.image_order import Order
from lindyn.bridge.training.networks import PredictorKind
from lindyn.bridge.watch.find_predictor import map_kind, weight_map
from lindyn.display.brief import Brief
from lindyn.flows.deep_states import DeepWeightState
from lindyn.moments import Moments, ViewSums

SAMPLES = 2048
"""Images that X and X' of the untrained network's features are estimated from."""


@dataclass(frozen=True, eq=False, repr=False)
class NetworkStart(Brief):
    """Where the theory of a network starts.

    Args:
        y0: the untrained projector's weights, predictor and target.
        data: X and X' of what the first layer sees.
        normalise: "batchnorm" or "none", at the end of the projector.
        left_out: what the theory leaves out of the network, in words.
        images: of an epoch, 0 where it is not known.
    """

    y0: DeepWeightState
    data: Moments
    normalise: str
    left_out: tuple[str, ...]
    images: int = 0


def start_of(
    network: Any, views: Iterable[tuple[Tensor, Tensor]], predictor: PredictorKind, seed: int = 0,
    most: int | None = None,
) -> NetworkStart:  # fmt: skip
    """Return the start of a network's theory from its weights and from views of images.

    Args:
        network: with backbone, projection_head, prediction_head and perhaps teacher_backbone, teacher_projection_head.
        views: batches of two views.
        predictor: what the predictor is.
        seed: of the linear map that stands for a predictor of two layers.
        most: linear layers at most, the last ones; None: all.

    Raises:
        ValueError: no linear end, features that are no numbers, views that do not pair, a batch of one.
    """
    layers = linear_layers.of_network(network.backbone, network.projection_head, most)
    data = moments_of(layers, network, views)
    d = len(layers.Ws[-1])
    W_as = layers.Ws
    teacher = getattr(network, "teacher_projection_head", None)
    if teacher is not None:
        W_as = linear_layers.of_network(network.teacher_backbone, teacher, most).Ws
    W_p = _predictor_map(getattr(network, "prediction_head", None), predictor, d, seed)
    return NetworkStart(DeepWeightState(layers.Ws, W_p, W_as), data, layers.normalise, layers.left_out)


def _predictor_map(head: nn.Module | None, kind: PredictorKind, d: int, seed: int) -> np.ndarray:
    """Return W_p at the start: its own, the identity, or torch's linear layer for what is not linear."""
    if kind.moves == "identity" or head is None or isinstance(head, nn.Identity):
        return np.eye(d)
    if map_kind(head) == "least squares":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            W_p = nn.Linear(d, d, bias=False).weight.detach().double().numpy()
    else:
        W_p = weight_map(head).double().cpu().numpy()
    return (W_p + W_p.T) / 2 if kind.moves == "symmetrised" else W_p.copy()


@torch.no_grad()
def moments_of(
    layers: linear_layers.LinearLayers, network: nn.Module, views: Iterable[tuple[Tensor, Tensor]]
) -> Moments:
    """Return X and X' of what the first layer sees, about the mean where a BatchNorm takes it away.

    Args:
        layers: of the network.
        network: whose BatchNorm is set to normalise by the batch, as in the first steps.
        views: batches of two views.

    Raises:
        ValueError: features that are no numbers, views that do not pair.
    """
    was = network.training
    network.train()
    sums: ViewSums | None = None
    try:
        for v1, v2 in views:
            if len(v1) != len(v2):
                raise ValueError(f"views must pair: two of the same images; got {len(v1)} and {len(v2)}.")
            if len(v1) < 2:
                raise ValueError("views must hold 2 images or more, since BatchNorm normalises by the batch; got 1.")
            pair = torch.stack([layers.before(v1), layers.before(v2)], dim=1).double().cpu().numpy()
            if not np.isfinite(pair).all():
                raise ValueError("The features of the untrained network are NaN or infinite: look at the images first.")
            sums = ViewSums(pair.shape[-1], 2) if sums is None else sums
            sums.add(pair)
    finally:
        network.train(was)
    if sums is None:
        raise ValueError("views must hold a batch at least; got none.")
    return sums.moments(centre=layers.centred)


def batches_of(module: Any, most: int = SAMPLES) -> Iterable[tuple[Tensor, Tensor]]:
    """Yield the first batches of views of a run of `lindyn train`, as its training draws them.

    Args:
        module: its network.
        most: images in all.
    """
    config, source = module.config, module.source
    order = Order(source.count, config.optim.batch, 1, config.run.seed)
    count = max(1, most // config.optim.batch)
    like = next(module.parameters(), torch.empty(0))
    for batch in itertools.islice(source.loader(order, lambda: 0), count):
        v1, v2, _ = source.views(batch, like.device, like.dtype)
        yield v1, v2
