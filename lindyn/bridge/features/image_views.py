"""Which images a network is run on, and how two views of each are made: as in its own training, or as its kind does."""

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lindyn._checks import require
from lindyn.bridge.given_paths import AUTO, EMBEDDED, images_folder
from lindyn.bridge.records import Pieces
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import Source, open_source
from lindyn.bridge.training.photos import read_rgb
from lindyn.display.brief import Brief

PHOTO_SIZE = {"imagenet": 224, "cifar": 32}
SMALL_SIZE = {"imagenet": 64, "cifar": 32}
"""Sides that embedded images are enlarged to for a ResNet of either stem."""
BYOL = "two views of each by lightly's BYOL transform"
NORMALISED = "normalised by ImageNet's mean and deviation"


@dataclass(frozen=True, eq=False, repr=False)
class Views(Brief):
    """Where views come from, and what makes them fit the network.

    Args:
        source: of `lindyn.bridge.training.image_batches`, or photos.
        repeat: how often the channel of grey images is repeated.
        normalise: whether ImageNet's mean and deviation are still to be applied.
        description: what the images and views are, to be put after their number.
        size: in pixels, where nothing said which one the network takes, else 0.
    """

    source: Source
    repeat: int
    normalise: bool
    description: str
    size: int = 0

    def fit(self, view: Tensor) -> Tensor:
        """Return the view as the network takes it, B x C x H x W."""
        if self.repeat > 1:
            view = view.repeat(1, self.repeat, 1, 1)
        if not self.normalise:
            return view
        from lightly.transforms.utils import IMAGENET_NORMALIZE

        mean, std = (torch.tensor(IMAGENET_NORMALIZE[name]).to(view)[:, None, None] for name in ("mean", "std"))
        return (view - mean) / std


class FileImages:
    """The image files of a folder, in any nesting; entry i is (RGB image, 0).

    Args:
        folder: where they are.

    Raises:
        ValueError: no such folder, or no image in it.
    """

    def __init__(self, folder: Path):
        from torchvision.datasets.folder import IMG_EXTENSIONS

        self.files = sorted(path for path in images_folder(folder).rglob("*") if path.suffix.lower() in IMG_EXTENSIONS)
        if len(self.files) < 2:
            raise ValueError(
                f"images: {folder} holds {len(self.files)} image files ({', '.join(IMG_EXTENSIONS)}), in it or below; "
                "at least 2 are needed."
            )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)

    def __getitem__(self, at: int) -> tuple[Any, int]:
        return read_rgb(self.files[at]), 0


def views_of(pieces: Pieces, images: str | Path = AUTO, limit: int | None = None, workers: int = 0) -> Views:
    """Return the source of views for a network.

    Args:
        pieces: the checkpoint.
        images: a folder, "mnist", "digits", or "auto".
        limit: at most so many images; of a run on Gaussian vectors, so many are drawn.
        workers: processes that decode photos.

    Raises:
        ValueError: no images, or images that the network cannot take.
    """
    values = {key: value for key, value in pieces.settings.values.items() if key.startswith(("data.", "run.seed"))}
    own = "data.name" in values and "data.augmentation" in values
    stem = _stem(pieces.backbone)
    if str(images) == AUTO or (own and str(images) == values["data.name"] and str(images) in EMBEDDED):
        if not own:
            raise ValueError(
                f"images='auto' means those of a run of lindyn train; {pieces.path} does not say what it was trained "
                f"on. Name a folder of images, or {' or '.join(EMBEDDED)}."
            )
        return _own(pieces, values, limit, workers)
    if str(images) in EMBEDDED:
        size = int(values.get("data.size", SMALL_SIZE.get(stem, EMBEDDED[str(images)])))
        config = TrainConfig.of({"data.name": str(images), "data.size": size})
        what = f"images of {images} at {size} pixels, two views of each by crop, contrast, blur and noise"
        return replace(_fitted(pieces, open_source(config), what, foreign=True), size=_unsaid(values, size))
    return _folder(pieces, Path(images).expanduser(), values, stem, workers)


def _own(pieces: Pieces, values: dict[str, Any], limit: int | None, workers: int) -> Views:
    """Return the views that the run itself was trained on, but for the random numbers."""
    more = {"data.count": limit} if values["data.name"] == "gaussian" and limit else {}
    config = TrainConfig.of(values | more | {"data.workers": workers})
    data = config.data
    words = {"gaussian": "samples drawn as the run drew them", "fake": "images of noise"}
    what = words.get(data.name, f"images of {data.name} at {data.size} pixels")
    return _fitted(pieces, open_source(config), f"{what}, two views of each as in training ({data.augmentation})")


def _folder(pieces: Pieces, folder: Path, values: dict[str, Any], stem: str, workers: int) -> Views:
    """Return views of the image files of a folder."""
    from lindyn.bridge.training.photos import Photos

    require("lightly", "lightly", "two views of photos")
    given = values if values.get("data.augmentation") in ("byol", "simsiam") else {}
    size = int(values.get("data.size", PHOTO_SIZE.get(stem, PHOTO_SIZE["imagenet"])))
    photos = {"data.name": "imagefolder", "data.size": size}
    kept = {key: value for key, value in given.items() if key != "data.name"}
    data = dataclasses.replace(TrainConfig.of(photos | kept).data, workers=workers)
    files: Any = FileImages(folder)
    source = Photos(data, int(values.get("run.seed", 0)), files, files, files, 0)
    views = BYOL if data.augmentation == "byol" else BYOL.replace("BYOL", "SimSiam")
    found = _fitted(pieces, source, f"images of {folder} at {size} pixels, {views}, {NORMALISED}")
    return replace(found, size=_unsaid(values, size))


def _unsaid(values: dict[str, Any], size: int) -> int:
    """Return the size of images where no setting says it, else 0."""
    return 0 if "data.size" in values else size


def _fitted(pieces: Pieces, source: Source, what: str, foreign: bool = False) -> Views:
    """Return the views with their channels as the network takes them.

    Raises:
        ValueError: another number of channels than the network takes, unless grey images go into three channels.
    """
    have, want = source.shape[0], _channels(pieces.backbone)
    if want in (None, have):
        return Views(source, 1, False, what)
    if have == 1 and want == 3:
        extra = f", grey repeated to 3 channels{', ' + NORMALISED if foreign else ''}"
        return Views(source, 3, foreign, what + extra)
    raise ValueError(
        f"The network takes images of {want} channel{'s' * (want != 1)}, these have {have}. Give images of the "
        "kind that it was trained on."
    )


def _first_conv(backbone: nn.Module | None) -> nn.Conv2d | None:
    modules = [] if backbone is None else backbone.modules()
    return next((module for module in modules if isinstance(module, nn.Conv2d)), None)


def _channels(backbone: nn.Module | None) -> int | None:
    """Return the channels of a network's images, None where no convolution says."""
    conv = _first_conv(backbone)
    return None if conv is None else conv.in_channels


def _stem(backbone: nn.Module | None) -> str:
    """Return "imagenet" (7 x 7), "cifar" (3 x 3, stride 1) or "" by the first convolution."""
    conv = _first_conv(backbone)
    if conv is None:
        return ""
    if conv.kernel_size[0] >= 7:
        return "imagenet"
    return "cifar" if conv.stride[0] == 1 else ""
