"""BatchNorm of an early checkpoint: running statistics from a pass over the images, as its own say little yet.

Running statistics start at mean 0 and variance 1 and forget that by a tenth per forward pass: at step 10 a third of it
is left in every layer, features then are all but constant, and a healthy network looks collapsed.
"""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lindyn.bridge.features.image_features import BY_RUNNING, ImageFeatures
from lindyn.bridge.records import Pieces
from lindyn.bridge.training.networks import has_batchnorm

EARLY = 100
"""Steps before which running statistics are not trusted: 0.9^100 of their start is left then, 3e-5."""
NOTE = (
    "BatchNorm's running statistics say little before step {early}: those of the checkpoint at step {step} were taken "
    "from one pass over the images."
)


def needs_calibration(pieces: Pieces) -> bool:
    """Return whether a checkpoint has BatchNorm and is known to be too early for its running statistics."""
    modules = [part for part in (pieces.backbone, pieces.projector, pieces.predictor) if part is not None]
    return pieces.step is not None and pieces.step < EARLY and has_batchnorm(*modules)


def note(pieces: Pieces) -> str:
    """Return what was done, in words."""
    return NOTE.format(early=EARLY, step=pieces.step)


def described(source: ImageFeatures) -> ImageFeatures:
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
    norms = [norm for net in (source.online, source.target, predictor) for norm in _norms(net)]
    for norm in norms:
        norm.reset_running_stats()
        norm.train().momentum = None  # the plain mean of all batches
    for batch in source.batches():
        if predictor is not None:
            parameter = next(predictor.parameters(), None)
            predictor(batch.z1 if parameter is None else batch.z1.to(parameter))
    for norm in norms:
        norm.eval()
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


def _norms(net: nn.Module | None) -> list[Any]:
    if net is None:
        return []
    return [module for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
