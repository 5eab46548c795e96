"""The features of a checkpoint: those that were given, or its own network's on images; or why there are none.

BatchNorm of an early checkpoint gets its running statistics from a pass over the images, as its own say little yet:
they start at mean 0 and variance 1 and forget that by a tenth per forward pass. At step 10 a third of it is left in
every layer, features then are all but constant, and a healthy network looks collapsed.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from lindyn.bridge.features.feature_arrays import given
from lindyn.bridge.features.image_features import BY_RUNNING, ImageFeatures, batchnorms, from_images
from lindyn.bridge.given_paths import AUTO
from lindyn.bridge.records import FEWEST, FeatureSource, Pieces
from lindyn.bridge.settings import Settings
from lindyn.bridge.training.networks import has_batchnorm
from lindyn.display.brief import Brief

EARLY = 100
"""Steps before which running statistics are not trusted: 0.9^100 of their start is left then, 3e-5."""
NOTE = (
    "BatchNorm's running statistics say little before step {early}: those of the checkpoint at step {step} were taken "
    "from one pass over the images."
)
OWN_IMAGES = ("lindyn",)
"""Layouts whose checkpoints say which images they were trained on."""
WEIGHTS_ONLY = "No features: what weights alone permit was tested; give features, or images for the backbone."


@dataclass(frozen=True, repr=False)
class Request(Brief):
    """How to read and measure, as a call of `validate` has it; what no checkpoint can do is refused at once.

    Raises:
        ValueError: features and images, samples, seed or device that cannot be meant.
    """

    features: Any = None
    images: str | Path = AUTO
    settings: Settings = field(default_factory=Settings)
    names: Mapping[str, str] | None = None
    layout: str | None = None
    unsafe: bool = False
    samples: int | None = None
    device: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.features is not None and self.images != AUTO:
            raise ValueError(f"features and images={str(self.images)!r} were both given; give one of them.")
        for name, value, least in (("samples", self.samples, FEWEST), ("seed", self.seed, 0)):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and (not whole or value < least):
                raise ValueError(f"{name} must be a whole number of {least} or more; got {value!r}.")
        try:
            torch.empty(1, device="cpu" if self.device is None else self.device).item()  # "meta" holds no numbers
        except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:  # as each backend has it
            reason = str(error).splitlines()[0].split(". ")[0][:120]
            raise ValueError(
                f"device must name one that this machine has, cpu or cuda; got {self.device!r} ({reason})."
            ) from error

    def of_each(self, count: int) -> list[Any]:
        """Return the features of every checkpoint, None where there are none."""
        if self.features is None:
            return [None] * count
        found = list(self.features) if isinstance(self.features, list) else [self.features]
        if len(found) != count:
            raise ValueError(
                "features must be one of each checkpoint, since they are a network's own; "
                f"got {len(found)} for {count}."
            )
        return found


def of_checkpoint(pieces: Pieces, features: Any, request: Request) -> tuple[Pieces, FeatureSource | None, str]:
    """Return the pieces, their features, or None with the reason why there are none, and a note."""
    if features is not None:
        return _not_run(pieces), given(features), ""
    if request.images != AUTO:
        return _by_network(pieces, request)
    if pieces.layout not in OWN_IMAGES or pieces.backbone is None:
        return _not_run(pieces), None, WEIGHTS_ONLY
    try:
        return _by_network(pieces, request)
    except (ValueError, ImportError, OSError) as error:
        return _not_run(pieces), None, f"{WEIGHTS_ONLY} The run's own images cannot be had: {error}"


def _not_run(pieces: Pieces) -> Pieces:
    """Return the pieces of a checkpoint without what was taken of backbone and projector, as neither of them is run."""
    of_them = re.compile(r"\b(of|in) the (backbone|projector)\b")
    return replace(pieces, assumptions=tuple(each for each in pieces.assumptions if not of_them.search(each.taken)))


def _by_network(pieces: Pieces, request: Request) -> tuple[Pieces, FeatureSource, str]:
    def source(mode: str) -> ImageFeatures:
        return from_images(
            pieces, request.images, device=request.device, limit=request.samples, seed=request.seed, batchnorm=mode
        )

    if not needs_calibration(pieces):
        return pieces, source("eval"), ""
    pieces = calibrated(pieces, source("batch"))
    return pieces, _described(source("eval")), NOTE.format(early=EARLY, step=pieces.step)


def check_something(pieces: Pieces, source: FeatureSource | None) -> None:
    """Refuse a checkpoint of which nothing can be tested."""
    if source is None and all(part is None for part in (pieces.F, pieces.predictor, pieces.projector)):
        backbone = "--images DIR for its backbone, or " if pieces.backbone is not None else ""
        raise ValueError(
            f"{pieces.path} ({pieces.title}) holds no predictor, no projector and no F: without features no law can be "
            f"tested. Give {backbone}--features FILE."
        )


def needs_calibration(pieces: Pieces) -> bool:
    """Return whether a checkpoint has BatchNorm and is known to be too early for its running statistics."""
    modules = [part for part in (pieces.backbone, pieces.projector, pieces.predictor) if part is not None]
    return pieces.step is not None and pieces.step < EARLY and has_batchnorm(*modules)


def _described(source: ImageFeatures) -> ImageFeatures:
    """Return the features of calibrated pieces, with words on their BatchNorm that say so."""
    words = source.description.replace(BY_RUNNING, "BatchNorm by statistics of one pass over these images")
    return replace(source, description=words)


@torch.no_grad()
def calibrated(pieces: Pieces, source: ImageFeatures) -> Pieces:
    """Return the pieces with the running statistics that the images give.

    Args:
        pieces: of an early checkpoint.
        source: its features with BatchNorm by the batch.

    Returns:
        Copies of the pieces; statistics are means over all batches.
    """
    predictor = copy.deepcopy(pieces.predictor)
    norms = [norm for net in (source.online, source.target, predictor) for norm in batchnorms(net)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None  # the plain mean of all batches
    for batch in source.batches():
        if predictor is not None:
            parameter = next(predictor.parameters(), None)
            predictor(batch.z1 if parameter is None else batch.z1.to(parameter))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
    changed: dict[str, Any] = {"predictor": predictor}
    for net, backbone, projector in (
        (source.online, "backbone", "projector"),
        (source.target, "target_backbone", "target_projector"),
    ):
        if net is not None:
            changed[backbone] = net[0]  # type: ignore[index]
            if getattr(pieces, projector) is not None:
                changed[projector] = net[2]  # type: ignore[index]
    return replace(pieces, **changed)
