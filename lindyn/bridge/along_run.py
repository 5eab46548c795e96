"""What passes on a whole run: readings along it, each theory beside them, and what comes next of one checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lindyn.display.brief import Brief

SQUARED, NORMALISED, PREDICTED = "squared", "normalised", "predicted"
"""The two theories, of the squared loss and of a loss of directions with BatchNorm; and what `lindyn predict` said."""
RESTS = 0.05
"""Change of the spectrum's shape over the next steps below which a state is called one of rest."""


@dataclass(frozen=True, eq=False, repr=False)
class Curves(Brief):
    """Readings along a run, and the theory started from the first of them.

    Args:
        steps: optimiser steps, length K; epochs where no step is known (`unit`).
        unit: "optimiser steps" or "epochs" or "checkpoints".
        measured: arrays by name, first axis K: "s", "p", "tau" (K x modes; NaN where not known), "alignment_top",
            "asymmetry", "effective_rank", "trace_F", "balance_residual_fitted".
        theory: "s", "p", "tau" (K x modes) of the simulator from the first reading; {} where it could not run.
        error: relative error of the theory per reading, length K, by name "s" and "p"; {} without theory.
        reason: why there is no theory, or what is only approximate, in words.
        source: in words ("7 checkpoints", "the trace ...").
        path: the theory at the simulator's own times between the readings: "steps" (N) and "s", "p", "tau" (N x modes);
            {} where it could not run. A report keeps the largest modes.
    """

    steps: np.ndarray
    unit: str
    measured: Mapping[str, np.ndarray]
    theory: Mapping[str, np.ndarray]
    error: Mapping[str, np.ndarray]
    reason: str
    source: str
    path: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, repr=False)
class TheoryBeside(Brief):
    """One theory held against the readings along a run; nothing in it is fitted to them.

    Args:
        theory: "squared" (Lemma 1 of the last layer: squared loss, no BatchNorm), "normalised" (a deep linear
            projector with the run's own loss and BatchNorm, which takes the run's own steps), or "predicted" (what
            `lindyn predict` wrote before the run was trained).
        steps: optimiser steps of the readings, length K.
        measured: leading eigenvalues of F in the network, largest first, K x modes.
        predicted: the same of the theory; NaN where it says nothing.
        rank_measured: effective rank of F, exp of the entropy of its eigenvalues, length K.
        rank_predicted: the same of the theory.
        shape_error: how far the spectra's shapes are apart, length K, 0 to about 1.4 (`theory_error.shape_error`);
            NaN at the start.
        absolute_error: the same of size and shape together.
        collapsed_measured: whether the last reading's effective rank is that of a collapse.
        collapsed_predicted: the same of the theory.
        source: what was measured, in words ("11 checkpoints", "the trace ...").
        notes: what the theory leaves out, and what is only approximate, in words.
        norm_steps: steps of the checkpoints whose projector was read; empty where the theory has no norm.
        norm_measured: sqrt(sum_l |W_l|^2) of its linear layers.
        norm_predicted: the same of the theory.
        path: the theory at its own times: "steps" (N), "s" (N x modes), "effective_rank" and, where it has one, "norm"
            and "norm_by_decay", what decay alone would leave of it.
    """

    theory: str
    steps: np.ndarray
    measured: np.ndarray
    predicted: np.ndarray
    rank_measured: np.ndarray
    rank_predicted: np.ndarray
    shape_error: np.ndarray
    absolute_error: np.ndarray
    collapsed_measured: bool
    collapsed_predicted: bool
    source: str = ""
    notes: tuple[str, ...] = ()
    norm_steps: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))
    norm_measured: np.ndarray = field(default_factory=lambda: np.empty(0))
    norm_predicted: np.ndarray = field(default_factory=lambda: np.empty(0))
    path: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def readings(self) -> int:
        """Readings at which the theory could be held against the network."""
        return int(np.isfinite(self.shape_error).sum())

    @property
    def error(self) -> float:
        """Mean of `shape_error` over the readings, NaN without any."""
        return mean_known(self.shape_error)


@dataclass(frozen=True, repr=False)
class NextSteps(Brief):
    """The next steps of a checkpoint at its peak learning rate, by the normalised theory of the population.

    Args:
        steps: how many.
        rank_now: effective rank of the outputs of the projector's linear layers.
        rank_then: the same after the steps.
        change: of the spectrum's shape over them (`theory_error.shape_error`).
        notes: what the theory leaves out, in words.
    """

    steps: int
    rank_now: float
    rank_then: float
    change: float
    notes: tuple[str, ...] = ()

    @property
    def at_rest(self) -> bool:
        """Whether the spectrum hardly moves."""
        return self.change < RESTS


@dataclass(frozen=True, eq=False, repr=False)
class TheoriesTold(Brief):
    """What the theories say of a run, or of a single checkpoint.

    Args:
        predictions: the theories beside a run.
        why_not: why one is not among them, one sentence by its name.
        ahead: what comes next from a single checkpoint.
    """

    predictions: tuple[TheoryBeside, ...] = ()
    why_not: Mapping[str, str] = field(default_factory=dict)
    ahead: NextSteps | None = None


def mean_known(values: np.ndarray) -> float:
    """Return the mean of the numbers that are known, NaN without any.

    Args:
        values: numbers, NaN where not known.
    """
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
