"""Rows of given features that are no samples of their own, or that hold all of F by themselves.

Sixty samples given ten times over (a padded sampler, epochs in a row, frames of one film) are sixty: intervals that
count six hundred are too narrow. Each distinct row is counted once, and it is said.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from lindyn.bridge.assumptions import Assumption
from lindyn.bridge.features.feature_arrays import ROWS, ArrayFeatures, rows_at
from lindyn.bridge.records import FEWEST, FeatureSource
from lindyn.bridge.watch.collapse_words import ONE_POINT
from lindyn.display.brief import Brief

NEAR = 1e-3
"""Rows are one where they are so near to each other, as a share of the distance of any two."""
OF_CHANCE = 0.5
"""A repeated row stays as near when one looks thrice as far; of rows that are near by chance there are then more."""
SOME = 0.01
"""Fewer repeated rows than this share change nothing."""
DISTINCT = FEWEST // 2
"""Fewer distinct rows than this are taken as they stand: a collapsed network gives few, too."""
LONG = 100.0
"""Rows so many times as long as the median row are left out, where they are few."""
FOLLOWING = 0.1
"""Neighbouring rows whose squared distance is below this share of that of any two are no independent samples."""
PROJECTIONS, FARTHEST = 8, 256


@dataclass(frozen=True, eq=False, repr=False)
class LookedAt(Brief):
    """Features that were looked at.

    Args:
        source: what is to be measured.
        given: what was given.
        assumptions: what was found, to be tried with `given` where that differs.
        distinct: how many rows are distinct, 0 where it was not looked at.
    """

    source: FeatureSource
    given: FeatureSource
    assumptions: tuple[Assumption, ...] = ()
    distinct: int = 0


def looked_at(source: FeatureSource) -> LookedAt:
    """Return features without repeated rows and without rows that hold all of F.

    Args:
        source: any; only arrays and files are looked at.

    Returns:
        What is to be measured, with what was found.
    """
    if not isinstance(source, ArrayFeatures) or source.count < FEWEST:
        return LookedAt(source, source)
    sketches: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for name in ("z1", "z2"):
        sketch = _sketch(name, source) if name in source.arrays else None
        if sketch is not None:
            sketches[name] = sketch
        elif name in source.arrays:
            return LookedAt(source, source)  # NaN or infinity: said where it is measured
    kept = np.ones(source.count, dtype=bool)
    found = [each for each in (_long(sketches, kept),) if each is not None]
    whole, groups = int(kept.sum()), _groups({name: sketch[kept] for name, (sketch, _) in sketches.items()})
    _, first, counts = np.unique(groups, return_index=True, return_counts=True)
    distinct = len(first)
    if whole - distinct >= SOME * whole:
        few = distinct < DISTINCT or counts.max() >= ONE_POINT * whole
        found += [_repeated(distinct, whole, few)] if distinct > 1 else []
        if not few:
            kept[np.flatnonzero(kept)[np.setdiff1d(np.arange(whole), first)]] = False
    if distinct >= DISTINCT:
        found += _following(sketches["z1"][0][kept])
    if kept.all():
        return LookedAt(source, source, tuple(found), distinct)
    words = f"{kept.sum()} rows, distinct and of usual length, of {source.description}"
    return LookedAt(replace(source, rows=np.flatnonzero(kept), description=words), source, tuple(found), distinct)


def _repeated(distinct: int, whole: int, few: bool) -> Assumption:
    shown = f"{distinct} of {whole} rows are distinct"
    if few:
        return Assumption("rows", f"{shown}; each row was counted as a sample, as a network that collapsed gives few")
    return Assumption("rows", f"{shown}; each counts once", changed=f"all {whole} rows counted as samples")


def _sketch(name: str, source: ArrayFeatures) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the rows on random directions and their lengths; None where a number is not finite."""
    directions = np.random.default_rng(0x51E7).standard_normal((source.dim, PROJECTIONS))
    sketches, lengths = [], []
    for start in range(0, source.count, ROWS):
        try:
            rows = rows_at(name, source.arrays[name], start).double().cpu()
        except ValueError:
            return None
        size = rows.abs().amax()
        rows = rows / size if size > 0 else rows  # squares of any size
        sketches.append((rows @ torch.from_numpy(directions)).numpy() * float(size))
        lengths.append(torch.linalg.vector_norm(rows, dim=1).numpy() * float(size))
    return np.concatenate(sketches), np.concatenate(lengths)


def _long(sketches: dict[str, tuple[np.ndarray, np.ndarray]], kept: np.ndarray) -> Assumption | None:
    """Return what is said of rows that are far too long, and take them out of `kept`."""
    ratio = np.zeros(len(kept))
    for _, lengths in sketches.values():
        usual = float(np.median(lengths))
        ratio = np.maximum(ratio, lengths / usual if usual > 0 else 0.0)
    long = np.flatnonzero(ratio > LONG)
    if not len(long) or len(long) > SOME * len(kept):
        return None
    kept[long] = False
    more = f" and {len(long) - 1} more" if len(long) > 1 else ""
    taken = f"row {long[0]}{more}, {ratio[long[0]]:.3g} times as long as the median row, left out"
    return Assumption("outliers", taken, changed=f"{'them' if len(long) > 1 else 'it'} among the samples")


def _groups(sketches: dict[str, np.ndarray]) -> np.ndarray:
    """Return a number per row, the same for rows that are one in a view."""
    count = len(next(iter(sketches.values())))
    groups = np.arange(count)
    found = {name: list(_links(sketch)) for name, sketch in sketches.items()}
    for name, links in found.items():
        joined = _joined(np.arange(count), links)
        alone = len(found) == 1 or name == "z1"
        if alone or len(np.unique(joined)) >= DISTINCT:  # a dead view says nothing on which samples are one
            groups = _joined(groups, links)
    return groups


def _links(sketch: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of rows that are near, beyond what chance would give."""
    scale = np.sqrt(_any_two(sketch))
    if not scale > 0:
        scale = float(np.abs(sketch).max()) or 1.0
    order = np.argsort(sketch[:, 0], kind="stable")
    held, links, wide = sketch[order] / scale, [], 0
    for shift in range(1, min(FARTHEST, len(held) - 1) + 1):
        close = held[shift:, 0] - held[:-shift, 0] <= 3 * NEAR
        if not close.any():
            break
        at = np.flatnonzero(close)
        apart = np.sqrt(np.sum((held[at + shift] - held[at]) ** 2, axis=1))
        wide += int(np.sum(apart <= 3 * NEAR))
        at = at[apart <= NEAR]
        links.append((order[at], order[at + shift]))
    if sum(len(a) for a, _ in links) >= OF_CHANCE * wide:
        yield from links


def _joined(groups: np.ndarray, links: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the groups with linked rows in one, each by its smallest number."""
    groups = groups.copy()
    while True:
        before = groups.copy()
        for a, b in links:
            least = np.minimum(groups[a], groups[b])
            np.minimum.at(groups, a, least)
            np.minimum.at(groups, b, least)
        groups = groups[groups]
        if np.array_equal(before, groups):
            return groups


def _following(sketch: np.ndarray) -> list[Assumption]:
    """Return what is said of rows that follow each other, as frames of a film do."""
    if len(sketch) < FEWEST:
        return []
    any_two = _any_two(sketch)
    share = float(np.median(np.sum(np.diff(sketch, axis=0) ** 2, axis=1))) / any_two if any_two > 0 else 1.0
    if share >= FOLLOWING:
        return []
    taken = f"neighbouring rows, {100 * share:.2g} % as far apart (squared) as any two, counted as independent samples"
    return [Assumption("rows", taken, told="frames of a film, or sorted rows? intervals may be too narrow")]


def _any_two(sketch: np.ndarray) -> float:
    """Return the median squared distance of two rows."""
    order = np.random.default_rng(0x7E0).permutation(len(sketch))
    return float(np.median(np.sum((sketch - sketch[order]) ** 2, axis=1)))
