"""The bootstrap: sums over blocks of samples, draws of blocks, and every statistic of them.

Every sample falls into one of BLOCKS blocks, drawn at random and equally often, so that neither the order of the source
nor the size of its batches matters; of each block only sums of products in m directions are kept, m <= `MODES`. A mean
over samples is then a weighted mean over blocks, and a bootstrap sample a draw of blocks. Samples count as independent:
views of one image, or frames of one film, are not. The statistics are `lindyn.statistics`, draws as first axis.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lindyn import statistics
from lindyn.bridge.layers import batch_sums
from lindyn.bridge.measure.sampled import Sampled
from lindyn.bridge.records import FEWEST, FeatureBatch, FeatureSource
from lindyn.bridge.watch import collapse_words
from lindyn.display.brief import Brief

BLOCKS = FEWEST // 2
"""40: of 39 degrees of freedom an interval of 99 % is 2.71 standard errors, beside 2.58 with all that exist."""
CHUNK = 1024
"""Rows that are summed at once, whatever the source's batches: results do not depend on these."""
PARTS = ("z1", "z2", "target1")
LARGEST = 1e15
"""Features of a million samples up to this have sums of squares that single precision holds."""
DRAWS = 200
_AT_ONCE = 20
Means = dict[str, np.ndarray]


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
            waiting.setdefault(name, []).append(batch_sums.wide(part))
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
        unit = blocks(batch_sums.unit_rows(chunk.z1).double())
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


@dataclass(frozen=True, eq=False, repr=False)
class Frame(Brief):
    """What stays fixed while samples are drawn; matrices in the coordinates of a basis U, d x m.

    Args:
        W_p: U^T W_p U, m x m; None without a predictor, or where `estimated`.
        estimated: whether W_p is fitted to the features anew in each draw.
        outside: U^T W_p^T (I - U U^T) W_p U, what W_p sends out of the basis; 0 where m = d.
        VV: U^T [V b][V b]^T U of the projector's last layer, m x m, or None.
        tail: eigenvalues of F outside the basis, taken as fixed.
        window: the modes that a slope is fitted to and a spread is taken over, largest s first.
        shape_modes: modes to which an estimated W_p is restricted where its shape is looked at.
        directions: D, how many directions could live.
    """

    W_p: np.ndarray | None
    estimated: bool
    outside: np.ndarray
    VV: np.ndarray | None
    tail: np.ndarray
    window: int
    shape_modes: int
    directions: int = 1


def all_readings(sums: Means, frame: Frame, draws: int = DRAWS, seed: int = 0) -> dict[str, Sampled]:
    """Return every statistic of all samples with its bootstrap draws.

    Args:
        sums: by block, as `BlockSums.arrays` gives them.
        frame: what is fixed.
        draws: B, how many draws of blocks with replacement.
        seed: of the draws.

    Returns:
        By name, see `readings`.
    """
    counts = np.random.default_rng([seed, 0xB007]).multinomial(BLOCKS, np.full(BLOCKS, 1 / BLOCKS), size=draws)
    full = readings(_means(sums, np.ones((1, BLOCKS))), frame)
    parts = [
        readings(_means(sums, counts[start : start + _AT_ONCE].astype(float)), frame)
        for start in range(0, draws, _AT_ONCE)
    ]
    none = {name: np.empty((0, *value.shape[1:])) for name, value in full.items()}
    return {
        name: Sampled(full[name][0], np.concatenate([none[name], *(part[name] for part in parts)]), BLOCKS)
        for name in full
    }


def _means(sums: Means, weights: np.ndarray) -> Means:
    count = weights @ sums["count"]
    found = {"count": count}
    for name, value in sums.items():
        if name != "count":
            total = np.tensordot(weights, value, axes=1)
            found[name] = total / count.reshape(-1, *[1] * (total.ndim - 1))
    return found


def readings(means: Means, frame: Frame) -> Means:
    """Return statistics of means, each with the draws as first axis; m modes, largest s first.

    s, p, cosine, rho = u^T X u / s, tau = u^T E[t z^T] u / s and s_V = u^T V V^T u per mode; commutator_sq relative to
    random rotations; slope; inputs_sq and views_sq, the squared spreads of `spread_sq`; target_cosine and tau_all;
    concentration, effective_rank, rankme, std, live, live_uncentred, concentration_centred; the shape of an estimated
    W_p. What cannot be made is left out.

    Args:
        means: zz = E[y y^T] and, where known, z, zx, tz, t.z, tt, qz, q, size, u, uu.
        frame: what is fixed.

    Returns:
        Arrays by name.
    """
    s, U = statistics.eigen(means["zz"])
    found = {"s": s, **_collapse(means, s, U, frame)}
    if "zx" in means:
        found["rho"] = statistics.tau_per_mode(means["zx"], s, U)
        found["views_sq"] = statistics.spread_sq(statistics.turned(means["zx"], U), s, frame.window)
    if "tz" in means:
        found["tau"] = statistics.tau_per_mode(means["tz"], s, U)
        found["tau_all"] = statistics.ratio(means["t.z"], means["size"])
        found["target_cosine"] = statistics.cosine(means["t.z"], means["tt"], means["size"])
    if frame.VV is not None:
        found["s_V"] = statistics.along(frame.VV, U)
        found["inputs_sq"] = statistics.spread_sq(statistics.turned(frame.VV, U), s, frame.window)
    W_p = _nearest(means) if frame.estimated else frame.W_p
    if W_p is not None:
        found |= _predictor(np.broadcast_to(W_p, U.shape), s, U, frame)
    return found


def _predictor(W_p: np.ndarray, s: np.ndarray, U: np.ndarray, frame: Frame) -> Means:
    WU = W_p @ U
    p, cosine = statistics.alignment(WU, U, frame.outside)
    turned = statistics.transposed(U) @ WU
    found = {"p": p, "cosine": cosine}
    if s.shape[-1] > 1:
        null = statistics.random_commutator_sq(s, turned)
        found["commutator_sq"] = statistics.ratio(statistics.commutator_sq(s, turned), null)
    found["slope"] = statistics.slope(p[..., : frame.window], s[..., : frame.window])[0]
    if frame.estimated:
        k = frame.shape_modes
        found |= statistics.shape_of(turned[..., :k, :k])
    return found


def _nearest(means: Means) -> np.ndarray:
    z, q = means["z"], means["q"]
    C = means["zz"] - z[..., :, None] * z[..., None, :]
    C_qz = means["qz"] - q[..., :, None] * z[..., None, :]
    return statistics.nearest_map(C, C_qz, statistics.trace(means["zz"]) / C.shape[-1])


def _collapse(means: Means, s: np.ndarray, U: np.ndarray, frame: Frame) -> Means:
    positive = np.maximum(s, 0.0)
    whole = np.concatenate([positive, np.broadcast_to(frame.tail, (*s.shape[:-1], len(frame.tail)))], axis=-1)
    found = {
        "concentration": statistics.concentration(whole),
        "effective_rank": statistics.entropy_rank(whole),
        "rankme": statistics.rankme(whole),
    }
    D = frame.directions
    found["live_uncentred"] = collapse_words.living(whole, whole.sum(axis=-1), D).astype(float)
    if "z" in means:
        m = (statistics.transposed(U) @ means["z"][..., None])[..., 0]
        total = np.maximum(whole.sum(axis=-1) - np.sum(m**2, axis=-1), 0.0)
        edge = collapse_words.DEAD * total / D
        beyond = np.sum(frame.tail >= edge[..., None], axis=-1)
        found["live"] = (collapse_words.count_above(positive, m, edge) + beyond).astype(float)
        found["concentration_centred"] = statistics.ratio(collapse_words.largest_without(positive, m), total)
    if "u" in means:
        found["std"] = statistics.std_of_unit(means["u"], means["uu"], means["count"])
    return found
