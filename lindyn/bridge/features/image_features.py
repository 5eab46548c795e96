"""Features that a checkpoint's own backbone and projector make of images, two augmented views of each."""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lindyn.bridge.features.image_views import Views, views_of
from lindyn.bridge.given_paths import AUTO
from lindyn.bridge.records import FeatureBatch, Pieces
from lindyn.bridge.training.image_order import Order
from lindyn.display.brief import Brief

BATCH = 256
BATCHNORM = ("eval", "batch")
FAR = 1_000_000
"""Pass over the images that the views are drawn for: no training run has come so far, so that none has seen them."""

Norms = list[nn.modules.batchnorm._BatchNorm]
BY_RUNNING = "BatchNorm by its running statistics"


@dataclass(frozen=True, eq=False, repr=False)
class ImageFeatures(Brief):
    """What a network answers to two views of images; the same views every time it is asked.

    Args:
        online: views to projections.
        target: the same of the target, or None.
        views: where the views come from.
        batch: images of a batch.
        count: number of images, a multiple of `batch`.
        dim: width d of the projections.
        seed: of order and views.
        device: where the network is.
        description: in words.
    """

    online: nn.Module
    target: nn.Module | None
    views: Views
    batch: int
    count: int
    dim: int
    seed: int
    device: torch.device
    description: str

    @torch.no_grad()
    def batches(self) -> Iterator[FeatureBatch]:
        """Yield the batches from the start.

        Raises:
            ValueError: an image that cannot be read, a network that answers with NaN.
        """
        dtype = next(self.online.parameters()).dtype
        for at, (v1, v2) in enumerate(self._pairs(dtype)):
            batch = FeatureBatch(
                self._out(self.online, v1, at),
                self._out(self.online, v2, at),
                None if self.target is None else self._out(self.target, v1, at),
            )
            yield batch

    @torch.no_grad()
    def pairs(self, images: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of two views as the network takes them, on the CPU.

        Args:
            images: at most so many, but one batch at least.
        """
        dtype = next(self.online.parameters()).dtype
        for v1, v2 in itertools.islice(self._pairs(dtype), max(1, images // self.batch)):
            yield v1.cpu(), v2.cpu()

    @property
    def has_batchnorm(self) -> bool:
        """Whether a BatchNorm that has running statistics stands in the network."""
        return any(norm.running_mean is not None and not norm.training for norm in batchnorms(self.online))

    @torch.no_grad()
    def again(
        self, backbone: nn.Module | None, projector: nn.Module | None, target_backbone: nn.Module | None = None,
        target_projector: nn.Module | None = None, *, rows: int,
    ) -> FeatureBatch:  # fmt: skip
        """Return what other networks answer to the same views of the first images.

        Args:
            backbone: of the network.
            projector: of the network.
            target_backbone: the target's; None: no target.
            target_projector: the target's.
            rows: how many images.

        Raises:
            ValueError: no backbone, or an answer that is no number.
        """
        if backbone is None:
            raise ValueError("There is no backbone to run on images.")
        online, _ = _network(backbone, projector, "eval", self.device)
        target = None
        if target_backbone is not None and self.target is not None:
            target, _ = _network(target_backbone, target_projector, "eval", self.device)
        return self._first(online, target, rows)

    @torch.no_grad()
    def by_batch(self, rows: int) -> FeatureBatch:
        """Return what the networks answer to the first images with BatchNorm by the batch, these images.

        Args:
            rows: how many images, at most those of a batch.
        """
        norms = [(norm, norm.momentum) for norm in (*batchnorms(self.online), *batchnorms(self.target))]
        try:
            for norm, _ in norms:
                norm.train().momentum = 0.0  # the running statistics stay
            return self._first(self.online, self.target, rows)
        finally:
            for norm, momentum in norms:
                norm.eval().momentum = momentum

    def _first(self, online: nn.Module, target: nn.Module | None, rows: int) -> FeatureBatch:
        """Return the answers of two networks to the first images."""
        parts: list[FeatureBatch] = []
        seen = 0
        for at, (v1, v2) in enumerate(self._pairs(next(online.parameters()).dtype)):
            views = [view[: rows - seen] for view in (v1, v2)]
            z1, z2 = (self._out(online, view, at) for view in views)
            parts.append(FeatureBatch(z1, z2, None if target is None else self._out(target, views[0], at)))
            seen += len(z1)
            if seen >= rows:
                break
        z1, z2 = (torch.cat([getattr(part, name) for part in parts]) for name in ("z1", "z2"))
        t = None if target is None else torch.cat([part.target1 for part in parts if part.target1 is not None])
        return FeatureBatch(z1, z2, t)

    def _pairs(self, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
        source = self.views.source
        order = Order(source.count, self.batch, 1, self.seed)
        loader = iter(source.loader(order, lambda: (FAR + self.seed) * len(order)))
        for _ in range(self.count // self.batch):
            try:
                step = next(loader)
            except ValueError as error:  # of a worker process it holds the whole traceback
                raise ValueError(str(error).strip().splitlines()[-1].removeprefix("ValueError: ")) from error
            v1, v2, _ = source.views(step, self.device, dtype)
            yield self.views.fit(v1), self.views.fit(v2)

    def _out(self, net: nn.Module, view: Tensor, at: int) -> Tensor:
        z = net(view)
        if not bool(torch.isfinite(z).all()):
            raise ValueError(f"The network answers batch {at + 1} of the images with NaN or infinity: its weights are "
                             "no longer numbers, or BatchNorm mode 'eval' meets statistics it never had.")  # fmt: skip
        return z


def from_images(
    pieces: Pieces,
    images: str | Path = AUTO,
    *,
    batch: int = BATCH,
    device: str | torch.device | None = None,
    batchnorm: str = "eval",
    limit: int | None = None,
    seed: int = 0,
    workers: int = 0,
) -> ImageFeatures:
    """Return the projections of two augmented views of images by a checkpoint's own network.

    Of a run of `lindyn train` the views are made as that run made them; of any other network by lightly's BYOL
    transform (photos) or the small images' own augmentation (embedded images).

    Args:
        pieces: the checkpoint, with a backbone; the target's features come with a target backbone.
        images: a folder with image files (any nesting), "mnist" or "digits" (embedded), or "auto": the images that the
            run was trained on, of lindyn's own runs.
        batch: images of a batch, >= 2.
        device: of torch; None: a GPU if there is one.
        batchnorm: "eval": BatchNorm by its running statistics; "batch": by the batch, as in training, and the only mode
            in which an untrained checkpoint, whose statistics have seen no batch, compares with later ones.
        limit: at most so many images; None: all.
        seed: of order and views.
        workers: processes that decode photos.

    Returns:
        The `FeatureSource`.

    Raises:
        ValueError: no backbone, no images, images that do not fit the network, a number out of its range.
    """
    for name, value, least in (("batch", batch, 2), ("limit", limit, 2), ("workers", workers, 0)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise ValueError(f"{name} must be a whole number of {least} or more; got {value!r}.")
    if batchnorm not in BATCHNORM:
        raise ValueError(f"batchnorm must be one of {', '.join(BATCHNORM)}; got {batchnorm!r}.")
    if pieces.backbone is None:
        raise ValueError(f"{pieces.path} ({pieces.title}) holds no backbone to run on images. Give features instead.")
    views = views_of(pieces, images, limit, workers)
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    online, norms = _network(pieces.backbone, pieces.projector, batchnorm, device)
    target = None
    if pieces.target_backbone is not None and (pieces.target_projector is not None or pieces.projector is None):
        target = _network(pieces.target_backbone, pieces.target_projector, batchnorm, device)[0]
    dim = _dim(online, views, device)
    batch, count = _shares(views.source.count if limit is None else min(limit, views.source.count), batch)
    parts = [f"{count} {views.description}", f"d = {dim}", _mode(norms, batchnorm, batch)]
    if pieces.projector is None:
        parts.append("the backbone's own features (no projector)")
    if target is None:
        parts.append("no target network")
    return ImageFeatures(online, target, views, batch, count, dim, seed, device, ", ".join(parts))


def _shares(count: int, batch: int) -> tuple[int, int]:
    """Return (batch, count): batches of equal size, at most `batch`, that leave out as few images as they can."""
    number = -(-count // batch)
    even = count // number
    return even, even * number


def _mode(norms: Norms, mode: str, batch: int) -> str:
    """Return in words how BatchNorm is run."""
    if not norms:
        return "no BatchNorm"
    if mode == "batch":
        return f"BatchNorm by the batch of {batch}"
    fresh = any(norm.running_mean is not None and not bool(norm.running_mean.any()) for norm in norms)
    return BY_RUNNING + " (which have seen no batch yet)" * fresh


def batchnorms(net: nn.Module | None) -> Norms:
    """Return the BatchNorms in a network."""
    modules = [] if net is None else net.modules()
    return [module for module in modules if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def _network(
    backbone: nn.Module, projector: nn.Module | None, mode: str, device: torch.device
) -> tuple[nn.Module, Norms]:
    """Return a copy that maps views to projections, and the BatchNorms in it; the pieces stay as they are."""
    net = nn.Sequential(backbone, nn.Flatten(1), nn.Identity() if projector is None else projector)
    net = copy.deepcopy(net).to(device).eval().requires_grad_(False)
    norms = batchnorms(net)
    if mode == "batch":
        for norm in norms:
            norm.train()  # the running statistics that move are the copy's
    return net, norms


@torch.no_grad()
def _dim(net: nn.Module, views: Views, device: torch.device) -> int:
    """Return the width of the projections, by two empty images.

    Raises:
        ValueError: images that the network cannot take.
    """
    shape = views.source.shape
    empty = torch.zeros(2, *shape, device=device, dtype=next(net.parameters()).dtype)
    modes = [(module, module.training) for module in net.modules()]
    try:
        z = net.eval()(views.fit(empty))
    except RuntimeError as error:
        size = " x ".join(str(n) for n in shape)
        raise ValueError(
            f"The network cannot take images of {size} (channels, height, width): {str(error).splitlines()[0]}. Give "
            "images of the size and kind that it was trained on."
        ) from error
    finally:
        for module, training in modes:
            module.training = training
    if z.ndim != 2:
        raise ValueError(f"The network must answer every image with a vector; got shape {tuple(z.shape)}.")
    return int(z.shape[1])
