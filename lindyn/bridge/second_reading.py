"""Second readings: the same network, or the same features, with one assumption changed; what the verdicts are then.

They are without bootstrap draws. A verdict counts as changed where the first reading has one (holds, fails), the first
samples alone give the same by their number, and with the assumption changed they give the other; the word on collapse
where it is another one. Only what is cheap is tried: with features that are given, or with a changed predictor, on the
samples that were kept; with a changed backbone or projector on `FEWER` images at most.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from lindyn.bridge.assumptions import LAWS_ONLY, NOT_TRIED, OTHER, SAME, Assumption
from lindyn.bridge.features.checkpoint_features import needs_calibration
from lindyn.bridge.features.feature_arrays import ArrayFeatures, from_arrays
from lindyn.bridge.features.image_features import ImageFeatures
from lindyn.bridge.features.image_views import views_of
from lindyn.bridge.features.row_checks import LookedAt, looked_at
from lindyn.bridge.layers import stacks
from lindyn.bridge.measure.measuring import MeasuredNetwork, measure
from lindyn.bridge.measure.view_checks import of_views
from lindyn.bridge.records import FAILS, HOLDS, FeatureBatch, FeatureSource, Finding, Pieces
from lindyn.bridge.run.description import describe
from lindyn.bridge.settings import Settings
from lindyn.display.brief import Brief

FEWER = 256
"""Images of a second reading whose networks differ."""
SHARE, LEAST = 16, 32
"""What every run with images is tried with costs this part of the first reading; on fewer images it says nothing."""
NAMED, SMALLEST = 3, 32
FEATURES = ("backbone", "projector", "target_backbone", "target_projector")
NETWORKS = (*FEATURES, "predictor")
EPS = "eps"
Laws = Callable[[Pieces, MeasuredNetwork], tuple[Finding, ...]]


@dataclass(frozen=True, eq=False, repr=False)
class Kept(Brief):
    """Features that lie in memory as one batch.

    Args:
        batch: the features.
        description: in words.
    """

    batch: FeatureBatch
    description: str = "the samples that were kept"

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.batch.z1)

    @property
    def dim(self) -> int:
        """Width d."""
        return int(self.batch.z1.shape[1])

    def batches(self) -> Iterator[FeatureBatch]:
        """Yield the one batch."""
        yield self.batch


@dataclass(frozen=True, eq=False, repr=False)
class FirstReading(Brief):
    """What second readings are held against.

    Args:
        pieces: the checkpoint as it was measured.
        measured: what was gathered of it.
        findings: all laws.
        laws: (pieces, measured) -> findings.
        source: its features; None: there are none.
    """

    pieces: Pieces
    measured: MeasuredNetwork
    findings: tuple[Finding, ...]
    laws: Laws
    source: FeatureSource | None = None

    def tried(self, assumptions: Sequence[Assumption]) -> tuple[Assumption, ...]:
        """Return the assumptions with what a second reading of each gave; those that have an outcome stay.

        Args:
            assumptions: what was taken for granted.
        """
        return tuple(
            self._tried(each) if each.instead is not None and each.outcome == NOT_TRIED else each
            for each in assumptions
        )

    def held_against(self, assumed: Assumption, other: MeasuredNetwork, rows: int | None = None) -> Assumption:
        """Return an assumption with its outcome, by features that were measured without it.

        Args:
            assumed: the assumption.
            other: measured without draws.
            rows: how many of the first samples it was measured on; None: all.
        """
        return self._outcome(assumed, self.pieces, other, rows)

    def _tried(self, assumed: Assumption) -> Assumption:
        assert assumed.instead is not None
        try:
            changed = self._calibrated(assumed, assumed.instead(self.pieces))
            if self._only_settings(changed):
                return self._outcome(assumed, changed, self.measured, None)
            head = self.measured.head
            if head is None:
                return self._outcome(assumed, changed, _measured(None, changed), None)
            if not isinstance(self.source, ImageFeatures) or self._same_features(changed):
                return self._outcome(assumed, changed, _measured(Kept(head), changed), len(head.z1))
            rows = min(FEWER, len(head.z1))
            batch = self.source.again(changed.backbone, changed.projector, *_target(changed), rows=rows)
            return self._outcome(assumed, changed, _measured(Kept(batch), changed), rows)
        except (ValueError, ImportError, OSError, RuntimeError) as error:  # torch has RuntimeError for shapes
            words = str(error).strip().partition("\n")[0].rstrip(".")
            return replace(assumed, told=f"with {assumed.changed} it could not be read ({words})"[:200])

    def _calibrated(self, assumed: Assumption, changed: Pieces) -> Pieces:
        """Return other pieces with BatchNorm's statistics as they were taken from the images, where they were.

        Raises:
            ValueError: networks of which these are not the statistics.
        """
        if not isinstance(self.source, ImageFeatures) or not needs_calibration(self.pieces):
            return changed
        found = {name: copy.deepcopy(getattr(changed, name)) for name in NETWORKS}
        alike = all(_same(found[name], getattr(self.pieces, name), False) for name in FEATURES)
        if not alike and assumed.about != EPS:
            raise ValueError("BatchNorm's statistics were taken from the images")
        for name, net in found.items():
            if net is not None:
                net.load_state_dict(getattr(self.pieces, name).state_dict())
        return replace(changed, **found)

    def _only_settings(self, changed: Pieces) -> bool:
        return all(getattr(changed, name) is getattr(self.pieces, name) for name in NETWORKS)

    def _same_features(self, changed: Pieces) -> bool:
        return all(_same(getattr(changed, name), getattr(self.pieces, name)) for name in FEATURES)

    def _outcome(self, assumed: Assumption, changed: Pieces, other: MeasuredNetwork, rows: int | None) -> Assumption:
        """Return the assumption with what the other reading changed."""
        head = self.measured.head
        base, word = self.findings, self.measured.collapse.word
        if rows is not None and head is not None:
            first = _measured(Kept(_rows(head, rows)), self.pieces)
            base, word = self.laws(self.pieces, first), first.collapse.word
        told = list(_differences(self.findings, base, self.laws(changed, other)))
        if word and other.collapse.word and word == self.measured.collapse.word != other.collapse.word:
            told.insert(0, f"collapse is {other.collapse.word}")
        if not told:
            whole = rows is None or rows >= self.measured.samples
            return replace(assumed, outcome=SAME, told="" if whole else f"on {rows} samples")
        more = f" and {len(told) - NAMED} more" if len(told) > NAMED else ""
        return replace(assumed, outcome=OTHER, told=", ".join(told[:NAMED]) + more)


def of_batchnorm(first: FirstReading) -> tuple[Assumption, ...]:
    """Return what BatchNorm by the batch, as in training, does to the verdicts on a few of the images.

    Args:
        first: the first reading.

    Returns:
        One assumption, none where features were given or no BatchNorm stands in the network.
    """
    source, head = first.source, first.measured.head
    if not isinstance(source, ImageFeatures) or head is None or not source.has_batchnorm:
        return ()
    how = "the statistics of one pass over the images" if needs_calibration(first.pieces) else "its running statistics"
    assumed = Assumption("BatchNorm", f"it runs by {how}", changed="statistics of the batch")
    rows = min(max(LEAST, min(FEWER, first.measured.samples // SHARE)), source.batch)
    if not LEAST <= rows <= len(head.z1):
        return (assumed,)
    return (first.held_against(assumed, _measured(Kept(source.by_batch(rows)), first.pieces), rows),)


def of_size(first: FirstReading, images: Any) -> tuple[Assumption, ...]:
    """Return what another size of the images does to the verdicts, where nobody said which size the network takes.

    Args:
        first: the first reading.
        images: as `validate` takes them.

    Returns:
        One assumption, none where the size is known or features were given.
    """
    source, head, pieces = first.source, first.measured.head, first.pieces
    if not isinstance(source, ImageFeatures) or head is None or not source.views.size:
        return ()
    size = source.views.size
    other = size // 2 if size >= 2 * SMALLEST else 2 * size
    assumed = Assumption(
        "image size", f"{size} pixels; nothing that was read says which size the network takes", f"data.size={other}",
        changed=f"{other} pixels",
    )  # fmt: skip
    rows = min(FEWER, int(first.measured.samples * (size / other) ** 2) // (2 * SHARE), len(head.z1))
    if rows < LEAST or needs_calibration(pieces):
        return (assumed,)
    try:
        told = Settings.of({"data.size": other}, "a second reading").over(pieces.settings)
        views = views_of(replace(pieces, settings=told), images)
        again = replace(source, views=views).again(pieces.backbone, pieces.projector, *_target(pieces), rows=rows)
    except (ValueError, RuntimeError) as error:
        words = str(error).strip().partition("\n")[0].rstrip(".")
        return (replace(assumed, told=f"with {other} pixels it could not be run ({words})"[:200]),)
    return (first.held_against(assumed, _measured(Kept(again), pieces), rows),)


def of_loss(first: FirstReading) -> tuple[Assumption, ...]:
    """Return what the cosine loss does to the verdicts, where the loss of the run is not known.

    Args:
        first: the first reading.
    """
    if first.pieces.settings.get("method.loss") is not None or first.measured.F is None or not first.measured.maps:
        return ()

    def cosine(pieces: Pieces) -> Pieces:
        return replace(
            pieces, settings=Settings.of({"method.loss": "cosine"}, "a second reading").over(pieces.settings)
        )

    taken = "that of the theory, the squared distance, as none was read"
    assumed = Assumption("loss", taken, "method.loss=cosine", cosine, "the cosine loss", reach=LAWS_ONLY)
    return first.tried((assumed,))


def all_assumptions(first: FirstReading, looked: LookedAt | None, images: Any) -> tuple[Assumption, ...]:
    """Return everything that was taken and not read, each with what a second reading gave.

    Args:
        first: the first reading.
        looked: the features as they were given, None where there are none.
        images: as `validate` takes them.
    """
    found = [*first.tried(first.pieces.assumptions), *of_loss(first)]
    if looked is not None and not isinstance(looked.given, ImageFeatures):
        found += of_rows(first, looked.given, looked.assumptions)
        found += _of_a_stream(first, looked.given)
        if first.measured.head is not None:
            target = describe(first.pieces.settings).target
            found += of_views(first.measured.head, first.measured.collapse, target)
    return (*found, *of_batchnorm(first), *of_size(first, images))


def _of_a_stream(first: FirstReading, given: FeatureSource) -> Iterator[Assumption]:
    """Yield that rows repeat in a source of one's own, of which only the first rows are at hand."""
    head = first.measured.head
    if head is None or isinstance(given, ArrayFeatures):
        return
    rows = looked_at(from_arrays(head.z1, head.z2))
    if rows.source is not rows.given or rows.assumptions:
        shown = f"{rows.distinct} of the first {len(head.z1)} rows are distinct"
        yield Assumption("rows", f"{shown}; each row was counted as a sample")


def of_rows(first: FirstReading, given: FeatureSource, assumptions: Sequence[Assumption]) -> tuple[Assumption, ...]:
    """Return what was found of rows, each tried with all rows as they were given, where some were left out.

    Args:
        first: the reading of the rows that were kept.
        given: all rows.
        assumptions: what was found.
    """
    if given is first.source or not any(each.changed for each in assumptions):
        return tuple(assumptions)
    other = _measured(given, first.pieces)
    return tuple(first.held_against(each, other) if each.changed else each for each in assumptions)


def _measured(source: FeatureSource | None, pieces: Pieces) -> MeasuredNetwork:
    """Return a reading without draws."""
    last = stacks.last_stack(pieces.backbone, pieces.projector)
    last_target = stacks.last_stack(pieces.target_backbone, pieces.target_projector)
    return measure(source, pieces.predictor, last, last_target, _quiet, F=pieces.F, draws=0)


def _quiet(stage: str, share: float) -> None:
    """Tell nothing."""


def _rows(head: FeatureBatch, rows: int) -> FeatureBatch:
    others = (None if part is None else part[:rows] for part in (head.z2, head.target1))
    return FeatureBatch(head.z1[:rows], *others)


def _target(pieces: Pieces) -> tuple[nn.Module | None, nn.Module | None]:
    return pieces.target_backbone, pieces.target_projector


def _same(a: nn.Module | None, b: nn.Module | None, buffers: bool = True) -> bool:
    """Return whether two networks are built alike with the same numbers in them, those of BatchNorm left out or not."""
    if a is None or b is None or a is b:
        return a is b
    one, other = ((net.state_dict() if buffers else dict(net.named_parameters())) for net in (a, b))
    return repr(a) == repr(b) and _words(a) == _words(b) and one.keys() == other.keys() and all(
        torch.equal(one[name], other[name]) for name in one
    )  # fmt: skip


def _words(net: nn.Module) -> list[Any]:
    """Return what modules hold beside tensors and modules, as far as it is plain."""
    plain = (bool, int, float, str, tuple)
    return [(k, v) for m in net.modules() for k, v in vars(m).items() if isinstance(v, plain) and k != "training"]


def _differences(first: Sequence[Finding], base: Sequence[Finding], other: Sequence[Finding]) -> Iterator[str]:
    """Yield the verdicts that differ, in words."""
    by_number = {(f.law, f.group): f.verdict for f in base}
    changed = {(f.law, f.group): f for f in other}
    for found in first:
        key = (found.law, found.group)
        again = changed.get(key)
        if again is None or found.verdict not in (HOLDS, FAILS) or by_number.get(key) != found.verdict:
            continue
        if again.verdict in (HOLDS, FAILS) and again.verdict != found.verdict:
            yield f"{(found.short or found.law).replace('_', ' ')} {again.verdict}"
