"""CIFAR-10, STL-10 and ImageNet folders through torchvision, with lightly's transforms, one image at a time."""

import multiprocessing
import random
import struct
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lindyn.bridge.sections import DataConfig
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_order import Batches, Order, Place, Places, chosen

LAYOUT = {
    "imagefolder": "ROOT/train/CLASS/*.JPEG and ROOT/val/CLASS/*.JPEG",
    "cifar10": "ROOT/cifar-10-batches-py/",
    "stl10": "ROOT/stl10_binary/",
}


class Photos:
    """Photos on disk. Views are a function of (seed, epoch, image), whoever decodes them.

    Args:
        data: the section of the configuration.
        seed: of the run.
        train: images to train on (their labels may be -1: none).
        bank: labelled images, a probe's training set.
        test: labelled images, held out.
        classes: number of classes.
    """

    def __init__(self, data: DataConfig, seed: int, train: Dataset, bank: Dataset, test: Dataset, classes: int):
        self.data, self.seed, self.train, self.bank, self.test = data, seed, train, bank, test
        self.classes, self.count, self.shape = classes, len(train), (3, data.size, data.size)  # type: ignore[arg-type]

    @classmethod
    def open(cls, config: TrainConfig) -> "Photos":
        """Open the data set that the configuration names.

        Raises:
            ValueError: the folder is missing or laid out otherwise; the message says what is expected.
        """
        data = config.data
        if not data.root:
            raise ValueError(f"data.root must be the folder of {data.name}, laid out as {LAYOUT[data.name]}.")
        root = Path(data.root).expanduser()
        if not root.is_dir() and not data.download:
            raise ValueError(
                f"data.root: there is no folder {root}. {data.name} is expected as {LAYOUT[data.name]}{_offer(data)}."
            )
        from torchvision import datasets

        try:
            if data.name == "imagefolder":
                train, test = (datasets.ImageFolder(str(root / part), loader=read_rgb) for part in ("train", "val"))
                return cls(data, config.run.seed, train, train, test, len(train.classes))
            if data.name == "cifar10":
                train, test = (datasets.CIFAR10(str(root), part, download=data.download) for part in (True, False))
                return cls(data, config.run.seed, train, train, test, 10)
            parts = [datasets.STL10(str(root), part, download=data.download) for part in ("unlabeled", "train", "test")]
            return cls(data, config.run.seed, parts[0], parts[1], parts[2], 10)
        except (RuntimeError, FileNotFoundError) as error:
            raise ValueError(
                f"data.root={root} does not hold {data.name}: expected {LAYOUT[data.name]}{_offer(data)}."
            ) from error

    def loader(self, order: Order, position: Callable[[], int]) -> Any:
        """Return torch's loader; only the order is ours."""
        views = TwoViews(self.train, transform(self.data), self.seed)
        return ResumableLoader(
            views,
            batch_sampler=Places(Batches(order, position)),  # type: ignore[arg-type]
            num_workers=self.data.workers,
            persistent_workers=self.data.workers > 0,
            multiprocessing_context=start_method(self.data.workers),
            pin_memory=torch.cuda.is_available(),
        )

    def views(self, batch: Any, device: Any, dtype: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return what the workers made."""
        v1, v2, labels = batch
        labelled = None if bool((labels < 0).any()) else labels.to(device)
        return v1.to(device, dtype), v2.to(device, dtype), labelled

    def labelled(self, part: str, most: int | None = None, rank: int = 0, world: int = 1) -> Any:
        """Yield (images as for validation, labels)."""
        images = self.bank if part == "train" else self.test
        index = chosen(len(images), most, rank, world).tolist()  # type: ignore[arg-type]
        still = Still(images, still_transform(self.data), index)
        workers = self.data.workers
        return iter(
            DataLoader(still, batch_size=256, num_workers=workers, multiprocessing_context=start_method(workers))
        )

    def evaluation_sets(self) -> tuple[Dataset, Dataset]:
        """Return (augmented training images, unaugmented held-out images) for a linear evaluation on images."""
        train = Still(self.bank, evaluation_transform(self.data), range(len(self.bank)))  # type: ignore[arg-type]
        return train, Still(self.test, still_transform(self.data), range(len(self.test)))  # type: ignore[arg-type]


def read_rgb(path: str | Path) -> Any:
    """Return the image of a file, in colours.

    Raises:
        ValueError: it cannot be read as an image.
    """
    from lindyn.images.image_sources import open_image

    try:
        with open_image(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, MemoryError, EOFError, struct.error) as error:  # on damaged files
        raise ValueError(f"images: {path} cannot be read as an image. Repair or remove it.") from error


def start_method(workers: int) -> str | None:
    """Return how worker processes start: torch's own way, but no fork of a process in which JAX has threads.

    They are then forked from a server that has loaded the transforms; else every worker of every loader would.
    """
    if not workers or "jax" not in sys.modules:
        return None
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    multiprocessing.set_forkserver_preload([__name__, "lightly.transforms"])
    return "forkserver"


class ResumableLoader(DataLoader):
    """A DataLoader that goes on from the trainer's step count, so that it has no state of its own."""

    def state_dict(self) -> dict:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Nothing."""


class TwoViews(Dataset):
    """Two random views of image `index` in epoch `epoch`; indexed with a `Place`."""

    def __init__(self, images: Dataset, views: Any, seed: int):
        self.images, self.transform, self.seed = images, views, seed

    def __getitem__(self, place: Place) -> tuple[Tensor, Tensor, int]:
        image, label = self.images[place.image]
        with seeded(self.seed, place.epoch, place.image):
            v1, v2 = self.transform(image)
        return v1, v2, int(label)


class Still(Dataset):
    """Unaugmented images with labels."""

    def __init__(self, images: Dataset, still: Any, index: Any):
        self.images, self.transform, self.index = images, still, index

    def __len__(self) -> int:
        """Number of images."""
        return len(self.index)

    def __getitem__(self, at: int) -> tuple[Tensor, int]:
        image, label = self.images[self.index[at]]
        return self.transform(image), int(label)


@contextmanager
def seeded(*key: int) -> Any:
    """Seed torch, numpy and random for a moment; lightly's transforms read all three."""
    state = np.random.SeedSequence(key).generate_state(3, np.uint32)
    kept = torch.get_rng_state(), np.random.get_state(), random.getstate()
    torch.default_generator.manual_seed(int(state[0]))
    np.random.seed(int(state[1]))
    random.seed(int(state[2]))
    try:
        yield
    finally:
        torch.set_rng_state(kept[0])
        np.random.set_state(kept[1])
        random.setstate(kept[2])


def transform(data: DataConfig) -> Any:
    """Return lightly's two-view transform of BYOL or SimSiam in the asked size."""
    from lightly.transforms import BYOLTransform, SimSiamTransform
    from lightly.transforms.byol_transform import BYOLView1Transform, BYOLView2Transform

    common: dict[str, Any] = {
        "input_size": data.size,
        "min_scale": data.crop,
        "hf_prob": data.flip,
        "cj_strength": data.jitter,
    }
    if data.size < 64:
        common["gaussian_blur"] = 0.0  # small images are not blurred, as the methods' CIFAR runs have it
    if data.augmentation == "simsiam":
        return SimSiamTransform(**common)
    return BYOLTransform(BYOLView1Transform(**common), BYOLView2Transform(**common))


def still_transform(data: DataConfig) -> Any:
    """Return validation's transform: resize, centre crop, the same normalisation."""
    from torchvision import transforms

    larger = round(data.size * 256 / 224)
    crop = [transforms.Resize(larger), transforms.CenterCrop(data.size)] if data.size >= 64 else []
    return transforms.Compose([*crop, transforms.ToTensor(), _normalise()])


def evaluation_transform(data: DataConfig) -> Any:
    """Return the augmentation of a linear evaluation: random crop and mirroring."""
    from torchvision import transforms

    crop = transforms.RandomResizedCrop(data.size)
    return transforms.Compose([crop, transforms.RandomHorizontalFlip(), transforms.ToTensor(), _normalise()])


def _normalise() -> Any:
    from lightly.transforms.utils import IMAGENET_NORMALIZE
    from torchvision.transforms import Normalize

    return Normalize(mean=IMAGENET_NORMALIZE["mean"], std=IMAGENET_NORMALIZE["std"])


def _offer(data: DataConfig) -> str:
    return "" if data.name == "imagefolder" else "; or set data.download=true"
