"""The passes over the features: sums of the first, those in the leading eigenvectors, and the first samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn.bridge.layers.batch_sums import FeatureSums
from lindyn.bridge.measure import predictor_maps
from lindyn.bridge.measure.bootstrap import FEWEST, PARTS, BlockSums, chunks
from lindyn.bridge.records import FeatureBatch, FeatureSource
from lindyn.display.brief import Brief
from lindyn.moments import ViewSums

MODES = 256
"""Up to so many leading directions are kept per block of samples; with d <= MODES nothing is left out."""
HEAD, NUMBERS = 4096, 4_000_000
"""So many samples, and numbers in each of their parts, are kept as they came."""
Tell = Callable[[str, float], None]


@dataclass(frozen=True, eq=False, repr=False)
class Gathered(Brief):
    """Sums of the first pass, and some samples as they came.

    Args:
        features: sums of z1 and, for a predictor without an exact map, of its outputs.
        views: sums of both views, None with one.
        target: whether the target's features were there.
        outputs: of the predictor.
        blocks: sums per block of samples; None above `MODES` dimensions.
        head: the first samples, `HEAD` at most.
    """

    features: FeatureSums
    views: ViewSums | None
    target: bool
    outputs: predictor_maps.Outputs | None
    blocks: BlockSums | None
    head: FeatureBatch


def first_pass(source: FeatureSource, predictor: nn.Module | None, seed: int, tell: Tell) -> Gathered:
    """Return the sums of one pass over the features.

    Args:
        source: features, batch by batch.
        predictor: the predictor, or None.
        seed: of the blocks.
        tell: is told a stage and the share done.
    """
    whole = predictor is not None and predictor_maps.exact_map(predictor) is None
    features = FeatureSums(linear_map=whole)
    jacobian = predictor_maps.JacobianSums.of(predictor) if predictor is not None else None
    blocks = BlockSums(seed=seed) if source.dim <= MODES else None
    views: ViewSums | None = None
    target, head, kept = False, list[FeatureBatch](), 0
    most = max(FEWEST, min(HEAD, NUMBERS // source.dim))
    for chunk in chunks(source):
        if kept < most:
            head.append(rows_of(chunk, slice(0, most - kept)))
            kept += len(head[-1].z1)
        q = _outputs(predictor, chunk.z1) if whole else None
        features.add(chunk.z1, chunk.z1 if q is None else q)
        if jacobian is not None:
            jacobian.add(chunk.z1)
        if chunk.z2 is not None:
            views = ViewSums(source.dim, 2) if views is None else views
            views.add(torch.stack([chunk.z1, chunk.z2], dim=1).double().cpu().numpy())
        target = chunk.target1 is not None
        if blocks is not None:
            blocks.add(chunk, q)
        tell("features", features.samples / source.count if source.count else float("nan"))
    outputs = predictor_maps.Outputs(features, jacobian) if whole else None
    return Gathered(features, views, target, outputs, blocks, joined(head))


def rows_of(batch: FeatureBatch, rows: Any) -> FeatureBatch:
    """Return some rows of a batch, by a slice or an index."""
    z1, *others = (getattr(batch, name) for name in PARTS)
    return FeatureBatch(z1[rows], *(None if part is None else part[rows] for part in others))


def joined(batches: Sequence[FeatureBatch]) -> FeatureBatch:
    """Return batches that have the same parts as one, on the host."""
    z1, *others = ([getattr(batch, name) for batch in batches] for name in PARTS)
    return FeatureBatch(torch.cat(z1).cpu(), *(None if each[0] is None else torch.cat(each).cpu() for each in others))


def second_pass(source: FeatureSource, predictor: nn.Module | None, U: np.ndarray, seed: int, tell: Tell) -> BlockSums:
    """Return the sums per block in the leading eigenvectors, which only the first pass could give.

    Args:
        source: the same features.
        predictor: the predictor, or None.
        U: leading eigenvectors of F as columns.
        seed: of the blocks.
        tell: is told a stage and the share done.
    """
    estimated = predictor is not None and predictor_maps.exact_map(predictor) is None
    blocks, done = BlockSums(torch.from_numpy(U.copy()), seed), 0
    for chunk in chunks(source):
        blocks.add(chunk, _outputs(predictor, chunk.z1) if estimated else None)
        done += len(chunk.z1)
        tell("features, second pass", done / source.count if source.count else float("nan"))
    return blocks


@torch.no_grad()
def _outputs(predictor: nn.Module | None, z: Tensor) -> Tensor:
    """Return the predictor's outputs in the precision of its weights; it stays in eval mode."""
    assert predictor is not None
    predictor.eval()
    parameter = next(predictor.parameters(), None)
    given = z if parameter is None else z.to(device=parameter.device, dtype=parameter.dtype)
    return predictor(given).to(z)
