"""The order of the images: a pure function of (seed, epoch, step), so that a resumed run goes on where it stopped."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch


class Place(NamedTuple):
    """Where a sample stands in training; data sets are indexed with it.

    Args:
        image: its number.
        epoch: pass over the images.
    """

    image: int
    epoch: int


class TrainingStep(NamedTuple):
    """One batch of one rank.

    Args:
        images: numbers of the images, this rank's part.
        epoch: pass over the images.
        step: batch within the epoch.
        first: place of this rank's part within the global batch.
        total: size of the global batch.
    """

    images: torch.Tensor
    epoch: int
    step: int
    first: int
    total: int


class Order:
    """Batches in the order of (seed, epoch), the global batch shared out over ranks in consecutive parts.

    Args:
        count: number of images.
        batch: global batch size, at most `count`; what does not fill a batch is left out of the epoch.
        accumulate: batches in an optimiser step; an epoch has a multiple of it.
        seed: of the order.
        rank: this process.
        world: number of processes; divides `batch`.

    Raises:
        ValueError: a batch larger than the images, or one that the processes cannot share evenly.
    """

    def __init__(self, count: int, batch: int, accumulate: int = 1, seed: int = 0, rank: int = 0, world: int = 1):
        if batch % world:
            near = max(world, round(batch / world) * world)
            raise ValueError(
                f"optim.batch is the batch of all devices together and must be a multiple of their number; "
                f"got {batch} for {world} devices. Use optim.batch={near}."
            )
        if batch * accumulate > count:
            raise ValueError(
                f"optim.batch x optim.accumulate must be at most the {count} training images; got "
                f"{batch} x {accumulate}. Use a smaller batch."
            )
        self.count, self.batch, self.accumulate, self.seed, self.rank, self.world = (
            count,
            batch,
            accumulate,
            seed,
            rank,
            world,
        )

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self.count // (self.batch * self.accumulate) * self.accumulate

    def epoch(self, epoch: int, start: int = 0) -> Iterator[TrainingStep]:
        """Yield the batches of one epoch from batch `start` on."""
        order = np.random.default_rng((self.seed, 0xDA7A, epoch)).permutation(self.count)
        share = self.batch // self.world
        first = self.rank * share
        for step in range(start, len(self)):
            begin = step * self.batch + first
            yield TrainingStep(torch.from_numpy(order[begin : begin + share]), epoch, step, first, self.batch)


class Batches:
    """An `Order` read from where training stands; it is the loader of tensors and the batch sampler of photos.

    Args:
        order: the order.
        position: returns the number of batches that went before, over all epochs.
    """

    def __init__(self, order: Order, position: Callable[[], int]):
        self.order, self.position = order, position

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return len(self.order)

    def __iter__(self) -> Iterator[TrainingStep]:
        """Yield what is left of the epoch that training stands in."""
        epoch, start = divmod(self.position(), len(self.order))
        return self.order.epoch(epoch, start)

    def state_dict(self) -> dict:
        """Nothing is kept here: the trainer's step count says where to go on."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Nothing to load."""


class Places:
    """The same batches as lists of `Place`, which torch's DataLoader hands to its workers."""

    def __init__(self, batches: Batches):
        self.batches = batches

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Place]]:
        """Yield what is left of the epoch that training stands in."""
        for step in self.batches:
            yield [Place(int(image), step.epoch) for image in step.images]


def chosen(count: int, most: int | None, rank: int, world: int) -> np.ndarray:
    """Return the images that one of `world` processes looks at, of `most` drawn once and for all; equally many each."""
    index = np.arange(count)
    if most is not None and most < count:
        index = np.sort(np.random.default_rng(0).permutation(count)[:most])
    return index[: len(index) // world * world][rank::world]


def generator(*key: int) -> torch.Generator:
    """Return a torch generator whose numbers are a function of the key alone."""
    seed = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed) >> 1)
