"""The features of a checkpoint: those that were given, or its own network's on images; or why there are none."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lindyn.bridge.features import calibration
from lindyn.bridge.features import feature_arrays as sources
from lindyn.bridge.features.image_features import ImageFeatures
from lindyn.bridge.records import FeatureSource, Pieces
from lindyn.bridge.settings import Settings
from lindyn.bridge.validation_request import AUTO

OWN_IMAGES = ("lindyn",)
"""Layouts whose checkpoints say which images they were trained on."""
WEIGHTS_ONLY = "No features: what weights alone permit was tested; give features, or images for the backbone."


@dataclass(frozen=True)
class Request:
    """How to read and measure."""

    images: str | Path
    settings: Settings
    names: Mapping[str, str] | None
    layout: str | None
    unsafe: bool
    samples: int | None
    device: str | None
    seed: int


def of_checkpoint(pieces: Pieces, features: Any, request: Request) -> tuple[Pieces, FeatureSource | None, str]:
    """Return the pieces, their features, or None with the reason why there are none, and a note."""
    if features is not None:
        return pieces, given(features), ""
    if request.images != AUTO:
        return _by_network(pieces, request)
    if pieces.layout not in OWN_IMAGES or pieces.backbone is None:
        return pieces, None, WEIGHTS_ONLY
    try:
        return _by_network(pieces, request)
    except (ValueError, ImportError, OSError) as error:
        return pieces, None, f"{WEIGHTS_ONLY} The run's own images cannot be had: {error}"


def _by_network(pieces: Pieces, request: Request) -> tuple[Pieces, FeatureSource, str]:
    def source(mode: str) -> ImageFeatures:
        return sources.from_images(
            pieces, request.images, device=request.device, limit=request.samples, seed=request.seed, batchnorm=mode
        )

    if not calibration.needs_calibration(pieces):
        return pieces, source("eval"), ""
    pieces = calibration.calibrated(pieces, source("batch"))
    return pieces, calibration.described(source("eval")), calibration.note(pieces)


def given(features: Any) -> FeatureSource:
    """Return features that a user gave: a file, arrays by name or in a tuple, or a source."""
    if isinstance(features, str | os.PathLike):
        return sources.from_file(features)
    if hasattr(features, "batches"):
        return features
    if isinstance(features, Mapping):
        return sources.from_arrays(**features)
    return sources.from_arrays(*features) if isinstance(features, tuple) else sources.from_arrays(features)


def check_something(pieces: Pieces, source: FeatureSource | None) -> None:
    """Refuse a checkpoint of which nothing can be tested."""
    if source is None and all(part is None for part in (pieces.F, pieces.predictor, pieces.projector)):
        backbone = "--images DIR for its backbone, or " if pieces.backbone is not None else ""
        raise ValueError(
            f"{pieces.path} ({pieces.title}) holds no predictor, no projector and no F: without features no law can be "
            f"tested. Give {backbone}--features FILE."
        )
