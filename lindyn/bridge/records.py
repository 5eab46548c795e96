"""What passes between the stages of a validation: pieces of a checkpoint, features, findings, the whole answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from lindyn import _checks
from lindyn.bridge.along_run import Curves as Curves
from lindyn.bridge.along_run import TheoryBeside as TheoryBeside
from lindyn.bridge.assumptions import Assumption as Assumption
from lindyn.bridge.readings import Collapse, Diagnosis, StepTaken
from lindyn.bridge.settings import Rates, Settings
from lindyn.display.brief import Brief, notebook

HOLDS, FAILS, NOT_TESTABLE = "holds", "fails", "not testable"
FEWEST = 80
"""Fewer samples than this are not measured: the bootstrap takes two in each of its blocks."""
VERDICTS = (HOLDS, FAILS, NOT_TESTABLE)
ABOVE_NOISE = 10.0
"""A mode is known where N s_j is so many times tr F: noise turns u_j by an angle of about sqrt(tr F / (N s_j))."""
MOST_MODES = 512  # modes kept of a reading, the largest s first


@dataclass(frozen=True, eq=False, repr=False)
class Pieces(Brief):
    """The parts of one checkpoint under names that are free of its layout; absent parts are None.

    Heads are plain stacks of Linear, BatchNorm1d and ReLU in eval mode, whatever module wrote them.

    Args:
        path: the file.
        layout: short name, "lightly", "simsiam", ...
        title: the layout in words.
        backbone: the online backbone (images to features), in eval mode.
        projector: the online projector.
        predictor: the predictor.
        target_backbone: the target's backbone.
        target_projector: the target's projector.
        F: E[z z^T] that the checkpoint carries, d x d.
        step: optimiser step of the checkpoint.
        epoch: epoch of the checkpoint.
        settings: hyper-parameters that were read.
        notes: one sentence each: what this layout does not save and what can still be tested.
        assumptions: what was taken for granted of the networks; each lowers how sure the answer is.
        last_step: of the optimiser, where the file holds its momentum.
    """

    path: Path
    layout: str
    title: str
    backbone: nn.Module | None = None
    projector: nn.Sequential | None = None
    predictor: nn.Sequential | None = None
    target_backbone: nn.Module | None = None
    target_projector: nn.Sequential | None = None
    F: Tensor | None = None
    step: int | None = None
    epoch: int | None = None
    settings: Settings = field(default_factory=Settings)
    notes: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    last_step: StepTaken | None = None

    @property
    def place(self) -> str:
        """Where in training it stands, in words."""
        if self.step is not None:
            return f"step {self.step}"
        return f"epoch {self.epoch}" if self.epoch is not None else "the first checkpoint"

    def without_networks(self) -> "Pieces":
        """Return what is known of the checkpoint, its networks and F forgotten."""
        gone = dict.fromkeys(("backbone", "projector", "predictor", "target_backbone", "target_projector", "F"))
        return replace(self, **gone)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False, repr=False)
class FeatureBatch(Brief):
    """Some samples' features; rows are samples.

    Args:
        z1: projections of the first view by the online network, B x d.
        z2: projections of the second view, or None where there is one view only.
        target1: the target's projections of the first view, or None.
    """

    z1: Tensor
    z2: Tensor | None = None
    target1: Tensor | None = None


class FeatureSource(Protocol):
    """Gives the features of a network batch by batch, the same ones every time it is asked."""

    @property
    def description(self) -> str:
        """In words: which images or file, how many, BatchNorm mode."""
        ...

    @property
    def count(self) -> int | None:
        """Number of samples, None if not known before the end."""
        ...

    @property
    def dim(self) -> int:
        """Width d of the projections."""
        ...

    def batches(self) -> Iterator[FeatureBatch]:
        """Yield the batches from the start."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class PredictorMap(Brief):
    """One linear map that stands for the predictor.

    Args:
        W_p: d x d, acting on column vectors.
        kind: "exact" (a linear predictor), "product of weights" (BatchNorm folded), "least squares", "mean Jacobian".
        explained: share of the variance of the predictor's output that the map with the best offset explains; 1 for
            an exact one, NaN without features.
    """

    W_p: np.ndarray
    kind: str
    explained: float


@dataclass(frozen=True, eq=False, repr=False)
class Finding(Brief):
    """One law held against the network.

    Args:
        law: short name, stable ("alignment", "slope", ...).
        title: the law in words.
        statistic: what was measured, in words, with its formula.
        value: the measured number; NaN where there is none.
        low: lower end of its interval.
        high: upper end of its interval.
        verdict: "holds", "fails" or "not testable".
        reason: one sentence: against what it was held, or why it cannot be tested.
        source: paper and equation.
        group: "theory", "assumption", "richemond" or "collapse".
        map_kind: kind of the `PredictorMap` it was tested with, "" where no predictor enters.
        details: further numbers and arrays by name (per mode, windows, references).
        short: its name in a list, as people read it; "" stands for `law`.
        scope: where it was looked at, where one statement is tested in several scopes; the end of `title`.
        role: "law"; "prediction" (holding or failing says nothing on the theory); "foundation" (without it modes have
            no meaning); "alarm" (says what the collapse alarm says); "beside" (speaks of another loss than the run's).
    """

    law: str
    title: str
    statistic: str
    value: float
    low: float
    high: float
    verdict: str
    reason: str
    source: str
    group: str = "theory"
    map_kind: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    short: str = ""
    scope: str = ""
    role: str = "law"

    @property
    def statement(self) -> str:
        """The law in words without its scope."""
        return self.title.removesuffix(f": {self.scope}")


@dataclass(frozen=True, eq=False, repr=False)
class ModeReading(Brief):
    """Where the modes of a network stand, in the mode flow's own variables, one entry per mode, largest s first.

    Args:
        p: predictor along the mode.
        s: eigenvalue of W W^T, > 0.
        tau: target over online.
        x: eigenvalue of X, >= 0.
        x_aug: eigenvalue of X', >= 0.
        words: what the reading is, for the answer ("the first checkpoint", "this checkpoint").
        notes: what is only approximate in it, in words.

    Raises:
        ValueError: arrays of different lengths.
    """

    p: np.ndarray
    s: np.ndarray
    tau: np.ndarray
    x: np.ndarray
    x_aug: np.ndarray
    words: str = "this checkpoint"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("s", "tau", "x", "x_aug"):
            _checks.as_array(name, getattr(self, name), shape=np.shape(self.p))

    @classmethod
    def of(
        cls, p: Any, s: Any, tau: Any, x: Any, x_aug: Any, words: str = "this checkpoint", notes: tuple[str, ...] = ()
    ) -> "ModeReading":
        """Return the reading of those modes in which every number is known and s > 0, at most `MOST_MODES` of them."""
        names = ("p", "s", "tau", "x", "x_aug")
        shape = np.shape(p)
        values = [np.broadcast_to(np.asarray(value, dtype=float), shape) for value in (p, s, tau, x, x_aug)]
        good = np.all(np.isfinite(values), axis=0) & (values[1] > 0) & (values[3] >= 0) & (values[4] >= 0)
        good &= values[3] + values[4] > 0
        order = np.argsort(-values[1][good], kind="stable")[:MOST_MODES]
        return cls(
            **{name: value[good][order].copy() for name, value in zip(names, values, strict=True)},
            words=words,
            notes=notes,
        )

    def __len__(self) -> int:
        return len(self.p)


@dataclass(frozen=True, repr=False)
class Advice(Brief):
    """What the theory would change.

    Args:
        text: one or two sentences in plain words.
        sure: "sure", "likely" or "a guess", by what it rests on.
        because: the findings and rates it rests on, in words.
    """

    text: str
    sure: str
    because: str


@dataclass(frozen=True, eq=False, repr=False)
class Validation(Brief):
    """The whole answer to one checkpoint or one run.

    Args:
        pieces: what was read (of the last checkpoint).
        rates: the theory's rates.
        features: what the features were, in words; "" without features.
        samples: number of samples.
        maps: the linear maps of the predictor, main one first.
        diagnosis: the reading of the last checkpoint by the main map; None without F or W_p.
        findings: all laws.
        over_training: curves, None for a single checkpoint.
        advice: in order of weight.
        headline: one sentence: does the theory describe the run, is it collapsing.
        modes: where the modes stood when the advice was computed; None where s, tau or x are not known.
        collapse: the word on collapse with its numbers; "" without features.
        predictions: the theories beside the run, reading by reading; empty for a single checkpoint.
        not_predicted: why a theory is not among them, one sentence by its name.
    """

    pieces: Pieces
    rates: Rates
    features: str
    samples: int
    maps: tuple[PredictorMap, ...]
    diagnosis: Diagnosis | None
    findings: tuple[Finding, ...]
    over_training: Curves | None
    advice: tuple[Advice, ...]
    headline: str
    modes: ModeReading | None = None
    collapse: Collapse = Collapse("")
    predictions: tuple[TheoryBeside, ...] = ()
    not_predicted: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return one line: what was read, and the headline."""
        return f"Validation({self.pieces.path}: {self.headline})"

    def _repr_html_(self) -> str:
        rows = [[one.verdict, one.title, one.value, f"{one.low:.4g} .. {one.high:.4g}", one.reason]
                for one in self.findings]  # fmt: skip
        note = " ".join(f"({one.sure}) {one.text}" for one in self.advice)
        return notebook(f"{self.pieces.path}: {self.headline}", ("verdict", "law", "value", "interval", ""), rows, note)
