"""Sums over the features of a source, batch by batch: of all samples at full width, of blocks of them in a basis.

The bootstrap resamples blocks. Every sample falls into one of BLOCKS blocks, drawn at random and equally often, so
that neither the order of the source nor the size of its batches matters; of each block only sums of products in m
directions are kept, m <= `MODES`. A mean over samples is then a weighted mean over blocks, and a bootstrap sample a
draw of blocks. Samples count as independent: views of one image, or frames of one film, are not.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from lindyn.bridge.layers import batch_sums
from lindyn.bridge.records import FeatureBatch, FeatureSource

BLOCKS = 40
"""They leave 39 degrees of freedom: an interval of 99 % is 2.71 standard errors, beside 2.58 with all that exist."""
FEWEST = 2 * BLOCKS
CHUNK = 1024
"""Rows that are summed at once, whatever the source's batches: results do not depend on these."""
PARTS = ("z1", "z2", "target1")
LARGEST = 1e15
"""Features of a million samples up to this have sums of squares that single precision holds."""


def chunks(source: FeatureSource) -> Iterator[FeatureBatch]:
    """Yield the features of a source in chunks of `CHUNK` rows, in float32 or better, checked.

    Args:
        source: gives batches of z1 and, in all of them or in none, z2 and target1.

    Yields:
        Chunks; the last one may be shorter.

    Raises:
        ValueError: NaN or infinity, a width other than the source says, parts of different length or not in all
            batches.
    """
    waiting: dict[str, list[Tensor]] = {}
    have: tuple[str, ...] | None = None
    rows = seen = 0
    for batch in source.batches():
        parts = {name: getattr(batch, name) for name in PARTS if getattr(batch, name) is not None}
        if have is not None and tuple(parts) != have:
            raise ValueError(f"Every batch must have the same parts; got {', '.join(parts)} after {', '.join(have)}.")
        have = tuple(parts)
        for name, part in parts.items():
            _check(name, part, len(batch.z1), source.dim, seen)
            waiting.setdefault(name, []).append(batch_sums.rows(part))
        seen, rows = seen + len(batch.z1), rows + len(batch.z1)
        if rows >= CHUNK:
            joined = {name: torch.cat(part) for name, part in waiting.items()}
            for start in range(0, rows - CHUNK + 1, CHUNK):
                yield FeatureBatch(**{name: part[start : start + CHUNK] for name, part in joined.items()})
            rest = rows % CHUNK
            waiting = {name: [part[rows - rest :]] for name, part in joined.items()} if rest else {}
            rows = rest
    if rows:
        yield FeatureBatch(**{name: torch.cat(part) for name, part in waiting.items()})


def _check(name: str, part: Tensor, rows: int, dim: int, seen: int) -> None:
    if part.ndim != 2 or part.shape[1] != dim:
        raise ValueError(f"{name} must be samples x {dim}; got shape {tuple(part.shape)}.")
    if len(part) != rows:
        raise ValueError(f"{name} must have as many rows as z1, {rows}; got {len(part)}.")
    if bool(part.abs().amax() <= LARGEST):  # False for NaN too
        return
    finite = torch.isfinite(part).all(dim=1)
    if bool(finite.all()):
        raise ValueError(
            f"{name} must be at most {LARGEST:g}, so that sums of squares stay numbers; got "
            f"{float(part.abs().max()):.3g}. Divide all features by one number."
        )
    first = seen + int(torch.nonzero(~finite)[0])
    raise ValueError(
        f"{name} must be finite; got NaN or infinity in {int((~finite).sum())} of {rows} samples, the first in "
        f"sample {first}. Remove it, or look for what made it."
    )


class BlockSums:
    """Sums per block of samples, in the coordinates y = U^T z of a basis.

    Args:
        U: basis, d x m, orthonormal columns; None for all d coordinates.
        seed: of the draw of blocks.
    """

    def __init__(self, U: Tensor | None = None, seed: int = 0):
        self.U = U
        self._rng = np.random.default_rng([seed, 0xB10C])
        self._left = np.empty(0, dtype=np.int64)
        self._sums: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, chunk: FeatureBatch, q: Tensor | None) -> None:
        """Add a chunk.

        Args:
            chunk: the features.
            q: the predictor's outputs for z1, or None.
        """
        blocks, ones = self._blocks(chunk.z1)
        z = blocks(self._project(chunk.z1))
        new = {"count": ones.sum(1), "zz": z.mT @ z, "z": z.sum(1)}
        size = chunk.z1.double().square().sum(1, keepdim=True)
        new["size"] = blocks(size).sum((1, 2))
        unit = blocks(torch.nn.functional.normalize(chunk.z1, dim=1).double())
        new |= {"u": unit.sum(1), "uu": unit.square().sum(1)}
        if chunk.z2 is not None:
            cross = z.mT @ blocks(self._project(chunk.z2))
            new["zx"] = (cross + cross.mT) / 2
        if chunk.target1 is not None:
            t = chunk.target1
            new["tz"] = blocks(self._project(t)).mT @ z
            new["t.z"] = blocks((t * chunk.z1).double().sum(1, keepdim=True)).sum((1, 2))
            new["tt"] = blocks(t.double().square().sum(1, keepdim=True)).sum((1, 2))
        if q is not None:
            y = blocks(self._project(q))
            new |= {"qz": y.mT @ z, "q": y.sum(1)}
        for name, value in new.items():
            self._sums[name] = value.cpu() + self._sums[name] if name in self._sums else value.cpu()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the sums by name, the blocks as first axis."""
        return {name: value.numpy() for name, value in self._sums.items()}

    def _project(self, z: Tensor) -> Tensor:
        return z.double() if self.U is None else (z @ self.U.to(z)).double()

    def _blocks(self, like: Tensor):  # type: ignore[no-untyped-def]
        """Return a function that spreads rows over blocks, blocks x rows x width, and which places are filled."""
        ids = self._next(len(like))
        order = np.argsort(ids, kind="stable")
        counts = np.bincount(ids, minlength=BLOCKS)
        place = np.arange(len(ids)) - np.repeat(np.cumsum(counts) - counts, counts)
        row = torch.from_numpy(ids[order] * counts.max() + place).to(like.device)
        source = torch.from_numpy(order).to(like.device)
        deep = int(counts.max())

        def spread(values: Tensor) -> Tensor:
            out = values.new_zeros(BLOCKS * deep, values.shape[1])
            out[row] = values[source]
            return out.reshape(BLOCKS, deep, -1)

        ones = torch.from_numpy(counts.astype(np.float64)).to(like.device)[:, None]
        return spread, ones

    def _next(self, n: int) -> np.ndarray:
        """Return the blocks of the next n samples: every run of BLOCKS samples meets each block once."""
        cycles = -(-(n - len(self._left)) // BLOCKS)
        if cycles > 0:
            drawn = [self._rng.permutation(BLOCKS) for _ in range(cycles)]
            self._left = np.concatenate([self._left, *drawn])
        ids, self._left = self._left[:n], self._left[n:]
        return ids
