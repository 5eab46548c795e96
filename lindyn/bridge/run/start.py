"""The three starts of a run's theory: its own weights, the features of its untrained network, measured projections.

All end in W, W_p, W_a and the moments of what W sees (`flow.WeightStart`); projections give decoupled modes besides.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from lindyn import _checks, statistics
from lindyn._linalg import clip_negative, parts_of
from lindyn.bridge.layers import stacks
from lindyn.bridge.readings import Diagnosis
from lindyn.bridge.records import Pieces, PredictorMap
from lindyn.bridge.run.description import RunDescription
from lindyn.bridge.run.flow import FAINT, ModeStart, Motion, NotPossible, WeightStart, refuse_dear
from lindyn.bridge.training import batch_augmentation, run_folder
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import CHUNK, Gaussian, Source, Tensors, open_source
from lindyn.bridge.training.image_order import Order, generator
from lindyn.bridge.training.networks import PredictorKind
from lindyn.bridge.training.run_folder import Run
from lindyn.bridge.watch.find_predictor import map_kind, weight_map
from lindyn.display.brief import Brief
from lindyn.moments import Moments, ViewSums
from lindyn.states import WeightState

if TYPE_CHECKING:
    from lindyn.bridge.training.two_view_network import TwoViewNetwork

IMAGES = 5000  # at most so many images for the moments of features
SAMPLES = 2048  # images that the moments of an untrained network's projections are estimated from


# Weights: a run of `lindyn train` from one of its checkpoints


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
    source = open_source(run.config)
    if isinstance(source, Gaussian) and run.config.model.projector == "none":
        x = source.x.numpy()
        return Moments(np.diag(x), run.config.data.noise**2 * np.eye(len(x)))
    if not isinstance(source, Gaussian | Tensors):
        raise ValueError(f"Moments are measured on embedded images; got data.name={run.config.data.name!r}.")
    module = run.module(checkpoint).train()  # BatchNorm by the batch, as in training; an untrained network has no other
    net, layer = split(module)
    most = IMAGES if isinstance(source, Gaussian) else min(len(source.images), IMAGES)
    sums: ViewSums | None = None
    with torch.no_grad():
        for start in range(0, most, CHUNK):
            seen = _views(source, start, min(start + CHUNK, most), views, layer.weight.dtype)
            batch = torch.stack([net(view) for view in seen], dim=1)
            sums = ViewSums(batch.shape[-1], views) if sums is None else sums
            sums.add(batch.double().numpy())
    assert sums is not None
    return sums.moments()


def _views(source: Gaussian | Tensors, start: int, stop: int, views: int, dtype: torch.dtype) -> list[Tensor]:
    """Return independent views of a chunk of images or new vectors, of numbers that no training step has used."""
    if isinstance(source, Gaussian):
        return source.drawn(stop - start, views, generator(source.seed, 0x7E0, start), dtype)
    images = source.images[start:stop].to(dtype)
    found: list[Tensor] = []
    for pair in range(views // 2):
        numbers = generator(source.seed, 0x7E0, start, pair)
        found += batch_augmentation.two_views(images, source.data, len(images), 0, numbers)
    return found if source.mean is None else [view - source.mean.to(view) for view in found]


def split(module: "TwoViewNetwork") -> tuple[Callable[[Tensor], Tensor], nn.Linear]:
    """Return (what comes before, the last linear layer) of an online network; a bias becomes a feature that is 1.

    Raises:
        ValueError: the online network does not end in a linear layer.
    """
    config = module.config
    layers = stacks.last_layers(module.backbone, module.projection_head)
    if not layers or not isinstance(layers[-1], nn.Linear):
        raise ValueError(
            f"The theory needs a linear last layer: model.projector=linear or byol, or backbone linear with projector "
            f"none; got {config.model.backbone} and {config.model.projector}."
        )
    earlier, last = layers[:-1], layers[-1]
    whole = not stacks.flat(module.projection_head, wrapped=True)

    def before(images: Tensor) -> Tensor:
        """Return what the last linear layer sees of images."""
        features = images.flatten(1) if whole else module(images)
        for layer in earlier:
            features = layer(features)
        return features if last.bias is None else torch.cat([features, torch.ones_like(features[:, :1])], dim=1)

    return before, last


def weights_along(run: Run) -> tuple[np.ndarray, WeightState]:
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


def _weights(module: "TwoViewNetwork") -> dict[str, np.ndarray]:
    W = stacks.weight_and_bias(split(module)[1]).numpy()
    W_a = W
    if module.teacher_backbone is not None:
        last: Any = stacks.last_layers(module.teacher_backbone, module.teacher_projection_head)[-1]
        W_a = stacks.weight_and_bias(last).numpy()
    identity = isinstance(module.prediction_head, nn.Identity)
    W_p = np.eye(len(W)) if identity else weight_map(module.prediction_head).double().numpy()
    return {"W": W, "W_p": W_p.copy(), "W_a": W_a}


# Features: unit projections of an untrained network, W the identity on them


def of_features(config: TrainConfig, module: "TwoViewNetwork", source: Source) -> WeightStart:
    """Return the start of a run before its training: W = I on the unit projections of two views.

    W_p is the predictor's own matrix (for two layers a linear one with torch's initial weights), W_a the linear map
    nearest to the target's projections.

    Args:
        config: the run.
        module: its untrained network.
        source: where its views come from.

    Raises:
        ValueError: features that are no numbers.
    """
    z1, z2, W_a = unit_projections(config, module, source)
    data = Moments.from_views(z1, z2)
    kind, d = PredictorKind.of(config.model.predictor), len(data.X)
    if kind.moves == "identity":
        W_p = np.eye(d)
    elif kind.two_layers:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.run.seed)
            W_p = nn.Linear(d, d, bias=False).weight.detach().double().numpy()
    else:
        head: Any = module.prediction_head
        W_p = head.W_p.detach().double().cpu().numpy()
    if kind.moves == "symmetrised":
        W_p = (W_p + W_p.T) / 2
    return WeightStart(WeightState(W=np.eye(d), W_p=W_p, W_a=W_a), data)


@torch.no_grad()
def unit_projections(
    config: TrainConfig, module: "TwoViewNetwork", source: Source
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit projections of two views, N x d each, and the linear map from them to the target's."""
    module.train()  # BatchNorm by the batch, as in the first steps
    order = Order(source.count, config.optim.batch, 1, config.run.seed)
    batches = itertools.islice(source.loader(order, lambda: 0), max(1, SAMPLES // config.optim.batch))
    parts: list[list[Tensor]] = [[], [], []]
    for batch in batches:
        v1, v2, _ = source.views(batch, module.device, module.dtype)
        for part, view in zip(parts, (v1, v2), strict=False):
            part.append(module.projection_head(module.forward(view)))
        parts[2].append(module._aim(v1))
    z1, z2, aim = (nn.functional.normalize(torch.cat(part).double(), dim=1).cpu().numpy() for part in parts)
    _checks.as_array("projections of the untrained network", z1)
    if config.method.target == "online" or config.method.target_start == "copy":
        return z1, z2, np.eye(z1.shape[1])
    return z1, z2, np.linalg.lstsq(z1, aim, rcond=None)[0].T


# Projections: what is measured on a checkpoint of any layout


class Reading(Protocol):
    """What is measured on one checkpoint, as far as the theory of its run needs it."""

    @property
    def F(self) -> np.ndarray | None: ...
    @property
    def X(self) -> np.ndarray | None: ...
    @property
    def X_aug(self) -> np.ndarray | None: ...
    @property
    def tau(self) -> np.ndarray | None: ...
    @property
    def samples(self) -> int: ...
    @property
    def leading(self) -> int: ...
    @property
    def maps(self) -> tuple[PredictorMap, ...]: ...
    @property
    def diagnosis(self) -> Diagnosis | None: ...


@dataclass(frozen=True, eq=False, repr=False)
class Projections(Brief):
    """One reading that the theory starts from; modes by the eigenvectors u_j of F, largest s first.

    Args:
        F: E[z z^T], d x d.
        W_p: predictor, d x d.
        X: E sym(z1 z2^T), d x d.
        X_aug: E (z1 - z2)(z1 - z2)^T / 2, d x d.
        W: last linear layer, d x m.
        tau: target / online per mode, length d.
        W_a: the target's last linear layer, d x m; None: W_a = U diag(tau) U^T W (Assumption 1 per mode).
        is_all: whether W is the whole online network, as in the paper.
    """

    F: np.ndarray
    W_p: np.ndarray
    X: np.ndarray
    X_aug: np.ndarray
    W: np.ndarray
    tau: np.ndarray
    W_a: np.ndarray | None = None
    is_all: bool = False

    def modes(self) -> ModeStart:
        """Return the measured modes, and the constants r_j and k_j; NaN in r and k where s_j is round-off."""
        s, U = statistics.eigen(self.F)
        p, seen, noise = (statistics.along(M, U) for M in (self.W_p, self.X, self.X_aug))
        s = np.maximum(s, 0.0)
        w2 = np.sum((self.W.T @ U) ** 2, axis=0)
        good = (s > FAINT * s[0]) & (seen + noise > 0) & (w2 > 0)
        r, k = np.full_like(s, np.nan), np.full_like(s, np.nan)
        r[good] = np.clip(seen[good] / (seen[good] + noise[good]), 0.0, 1.0)
        k[good] = s[good] / w2[good]
        return ModeStart(p, s, self.tau, r, k)

    def weights(self, motion: Motion) -> WeightStart:
        """Return the weights in the basis of W's own rows, W = L Q^T.

        X of h is L^+ (W X W^T) L^{+T}, exact for what W sees; input directions that the first W does not see are left
        out.

        Raises:
            ArithmeticError: Lemma 1 on these matrices would take too long.
        """
        U, sigma, Qt = np.linalg.svd(self.W, full_matrices=False)
        kept = sigma > 1e-6 * sigma[0]
        L, inverse = U[:, kept] * sigma[kept], U[:, kept].T / sigma[kept][:, None]
        X, X_aug = (_moment(inverse @ M @ inverse.T) for M in (self.X, self.X_aug))
        data = Moments(X, X_aug)
        if self.W_a is None:
            modes = statistics.eigen(self.F)[1]
            W_a = (modes * self.tau) @ modes.T @ L
        else:
            W_a = self.W_a @ Qt[kept].T
        W_p = np.eye(len(L)) if motion.predictor == "identity" else self.W_p
        start = WeightStart(WeightState(L, W_p, L if motion.target == "online" else W_a), data)
        refuse_dear(start, motion)
        return start


def _moment(M: np.ndarray) -> np.ndarray:
    return clip_negative((M + M.T) / 2)[0]


def of_projections(pieces: Pieces, measured: Reading, run: RunDescription) -> tuple[Projections, list[str]]:
    """Return what is measured on a checkpoint, and what was taken for granted, in words.

    Args:
        pieces: of the checkpoint.
        measured: on it.
        run: what is known of its run.

    Raises:
        NotPossible: something that the theory needs was not measured.
    """
    if not measured.maps:
        raise NotPossible("the first checkpoint has no predictor")
    if measured.X is None or measured.X_aug is None:
        raise NotPossible("X and X' need two views of every sample, the features have one")
    layer = stacks.last_layer(pieces.backbone, pieces.projector)
    F = measured.F
    if F is None or layer.W is None:
        raise NotPossible(layer.note)
    if len(layer.W) != len(F):
        raise NotPossible(f"the features have {len(F)} dimensions, the network's last linear layer {len(layer.W)}")
    notes = [layer.note] if layer.note else []
    if layer.W.shape[1] > len(F):
        notes.append("input directions that the first W does not see are left out")
    tau, more = _tau_taken(measured, len(F), run.target)
    W_a = None
    if layer.is_all and pieces.target_backbone is not None and run.target != "online":
        W_a = stacks.last_layer(pieces.target_backbone, pieces.target_projector).W
    W_p = measured.maps[0].W_p
    X, X_aug = parts_of(F, measured.X, measured.X_aug)
    return Projections(F, W_p, X, X_aug, layer.W, tau, W_a, layer.is_all), notes + more


def _tau_taken(measured: Reading, d: int, target: str) -> tuple[np.ndarray, list[str]]:
    """Return tau of every mode, what was not measured by Assumption 1, and that in words."""
    tau = tau_of(measured, d)
    known, notes = np.isfinite(tau), []
    if target == "online":
        tau = np.ones(d)
    elif not known.any():
        tau = np.ones(d)
        notes.append("tau was not measured on the first checkpoint and is taken as 1")
    elif measured.tau is not None and len(measured.tau) < d:
        notes.append(f"tau of all but {known.sum()} leading modes is taken as the mean of these")
    return np.where(np.isfinite(tau), tau, np.nanmean(tau)), notes  # hardly anything depends on that of faint modes


def tau_of(measured: Reading, d: int) -> np.ndarray:
    """Return tau of every mode, length d; NaN where it is not known (it is measured on the leading modes)."""
    tau = np.full(d, np.nan)
    if measured.tau is not None:
        tau[: len(measured.tau)] = measured.tau[:d]
    return tau
