"""Measure a network: one pass over its features (two above `MODES` dimensions), then every statistic with its draws."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from lindyn import statistics
from lindyn._linalg import one_thread
from lindyn._progress import Progress
from lindyn.bridge.layers import stacks
from lindyn.bridge.layers.batch_sums import to_numpy
from lindyn.bridge.measure import predictor_maps, view_checks
from lindyn.bridge.measure.bootstrap import DRAWS, FEWEST, Frame, Means, all_readings, readings
from lindyn.bridge.measure.gathering import MODES, Tell, first_pass, second_pass
from lindyn.bridge.measure.sampled import Sampled
from lindyn.bridge.readings import Collapse, Diagnosis
from lindyn.bridge.records import ABOVE_NOISE, FeatureBatch, FeatureSource, PredictorMap
from lindyn.bridge.run import linear_layers
from lindyn.bridge.watch.collapse_words import could_live
from lindyn.bridge.watch.diagnosis import LEADING, WINDOW, collapse_of, diagnose
from lindyn.display.brief import Brief
from lindyn.statistics import shape_of

SHAPE_MODES = 64
"""An estimated W_p is looked at in so many leading modes at most: elsewhere it is noise."""


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredNetwork(Brief):
    """What was gathered of a network; arrays are numpy, float64, per mode with the largest s first.

    Args:
        samples: N, 0 without features.
        dim: d.
        F: E[z z^T] of the first view, not centred; None without features.
        X: E of the symmetrised z_1 z_2^T (PSD part), the theory's W X W^T; None without a second view.
        X_aug: E (z_1 - z_2)(z_1 - z_2)^T / 2, the theory's W X' W^T.
        tau: u_j^T E[t z^T] u_j / s_j, length d, NaN beyond the modes kept; None without the target's features.
        maps: of the predictor, the main one first.
        diagnosis: the reading by the main map; None without F or a map.
        s: eigenvalues of F.
        U: the leading eigenvectors of F as columns, d x m.
        leading: how many leading modes are known well enough to be tested (at most 16).
        window: how many known modes have s_j >= 0.01 max s.
        shape_modes: modes in which the shape of an estimated map is looked at.
        readings: statistics with their bootstrap draws, see `readings`.
        by_map: numbers of the other maps, by their kind.
        last: [V b] of the projector's last Linear layer, d x n; None where no such layer ends it.
        last_target: the same of the target's projector.
        first: W_1 of the predictor's first Linear layer, hidden x d, or None.
        shape: numbers of the main map's matrix alone (`lindyn.statistics.shape_of`); {} for an estimated one.
        collapse: the word on collapse; "" without F.
        head: the first samples as they came, None without features.
        norm: of the linear layers that end the projector, all together; NaN where it ends in none.
        depth: how many they are.
    """

    samples: int
    dim: int
    F: np.ndarray | None = None
    X: np.ndarray | None = None
    X_aug: np.ndarray | None = None
    tau: np.ndarray | None = None
    maps: tuple[PredictorMap, ...] = ()
    diagnosis: Diagnosis | None = None
    s: np.ndarray = field(default_factory=lambda: np.empty(0))
    U: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    leading: int = 0
    window: int = 0
    shape_modes: int = 0
    readings: dict[str, Sampled] = field(default_factory=dict)
    by_map: dict[str, dict[str, float]] = field(default_factory=dict)
    last: np.ndarray | None = None
    last_target: np.ndarray | None = None
    first: np.ndarray | None = None
    shape: dict[str, float] = field(default_factory=dict)
    collapse: Collapse = Collapse("")
    head: FeatureBatch | None = None
    norm: float = math.nan
    depth: int = 0

    def lightened(self) -> "MeasuredNetwork":
        """Return what curves need, without draws, moments and layers."""
        return replace(self, X=None, X_aug=None, readings={}, last=None, last_target=None, head=None)

    @property
    def main(self) -> PredictorMap | None:
        """The main map, None without a predictor."""
        return self.maps[0] if self.maps else None


def measure(
    source: FeatureSource | None,
    predictor: nn.Module | None = None,
    projector: nn.Module | None = None,
    target_projector: nn.Module | None = None,
    progress: Tell | None = None,
    seed: int = 0,
    F: Tensor | None = None,
    draws: int = DRAWS,
    fewest: int = FEWEST,
) -> MeasuredNetwork:
    """Return what the features of a network and its heads' weights say, with bootstrap draws over the samples.

    Args:
        source: features, batch by batch; None tests weights alone (and F, where given).
        predictor: stack of Linear, BatchNorm1d and ReLU in eval mode, or any module d -> d (least squares only).
        projector: the online projector; only its last layer is looked at.
        target_projector: the target's.
        progress: is told a stage and the share done; default a line on the terminal.
        seed: of the blocks and of the draws.
        F: E[z z^T] that a checkpoint carries, d x d, used where there is no source.
        draws: of the bootstrap; 0: no intervals, and any number of samples.
        fewest: samples that are measured.

    Returns:
        The `MeasuredNetwork`.

    Raises:
        ValueError: fewer than 80 samples, NaN, or widths that do not fit together.
    """
    last, last_target = stacks.last_weight(projector), stacks.last_weight(target_projector)
    dim = width_of(source, F, predictor, last)
    check_widths(dim, predictor, projector, target_projector)
    first, width = stacks.first_weight(predictor), stacks.rank_limit(projector)
    given = {"last": last, "last_target": last_target, "first": first}
    weights: dict[str, Any] = {name: None if weight is None else to_numpy(weight) for name, weight in given.items()}
    weights["norm"], weights["depth"] = linear_layers.norm_and_depth(projector)
    if source is None:
        found = predictor_maps.predictor_maps(predictor, None)
        return _without_samples(dim, F, found, weights, width)
    tell = _line(source) if progress is None else progress
    gathered = first_pass(source, predictor, seed, tell)
    n = gathered.features.samples
    if n < fewest and draws:
        raise ValueError(f"At least {FEWEST} samples are needed; got {n}. Give more images or features.")
    found = predictor_maps.predictor_maps(predictor, gathered.outputs)
    F = gathered.features.F()
    s, U = _eigen(F, tell)
    blocks = gathered.blocks or second_pass(source, predictor, U[:, :MODES], seed, tell)
    moments = None if gathered.views is None else gathered.views.moments()
    basis = U[:, :MODES] if gathered.blocks is None else np.eye(dim)
    whole = _known(s, n)
    frame = _frame(found, basis, s, weights["last"], whole, could_live(dim, n, width)[0])
    tell("bootstrap", 0.0)
    with one_thread(min(dim, MODES)):  # an eigenproblem of this size a draw
        drawn = all_readings(blocks.arrays(), frame, draws, seed)
    tell("bootstrap", 1.0)
    known: dict[str, Any] = {"samples": n, "mean": gathered.features.mean(), "width": width}
    diagnosis = diagnose(F, found[0].W_p, std=gathered.features.std(), **known) if found else None
    word = diagnosis.collapse if diagnosis is not None else collapse_of(F, std=gathered.features.std(), **known)
    word = view_checks.of_points(gathered.head, _with_interval(word, drawn))
    if diagnosis is not None:
        diagnosis = replace(diagnosis, collapse=word, alarm=word.alarm, reason=word.reason)
    tau = np.full(dim, np.nan)
    tau[: len(s[:MODES])] = drawn["tau"].full if gathered.target else np.nan
    return MeasuredNetwork(
        samples=n, dim=dim, F=to_numpy(F), s=s, U=U[:, :MODES], maps=found, readings=drawn,
        diagnosis=diagnosis,
        collapse=word,
        X=None if moments is None else moments.X, X_aug=None if moments is None else moments.X_aug,
        tau=tau if gathered.target else None, shape=_shape(found),
        leading=whole[0], window=whole[1], shape_modes=whole[2], head=gathered.head,
        by_map=_by_map(found, basis, whole[0], frame, blocks.arrays()), **weights,
    )  # fmt: skip


def _with_interval(word: Collapse, drawn: dict[str, Sampled]) -> Collapse:
    """Return the word with the bootstrap's interval of how many directions live, whole numbers that hold its ends."""
    if "live" not in drawn or not len(drawn["live"].draws) or not word.live:
        return word
    found = drawn["live"].interval(1.0, word.directions)
    ends = (math.floor(min(found.low, word.live)), math.ceil(max(found.high, word.live)))
    return replace(word, live_low=ends[0], live_high=ends[1])


def _eigen(F: Tensor, tell: Tell) -> tuple[np.ndarray, np.ndarray]:
    tell("spectrum", 0.0)
    s, U = statistics.eigen(to_numpy(F))
    tell("spectrum", 1.0)
    return s.copy(), U


def _known(s: np.ndarray, samples: int) -> tuple[int, int, int]:
    """Return how many modes are leading, in the window, and may carry an estimated W_p."""
    total = float(np.maximum(s, 0).sum())
    clear = s > 0 if samples == 0 else samples * s >= ABOVE_NOISE * total
    known = int(min(clear.sum() if total > 0 else 0, MODES))
    window = int(min(known, np.sum(s >= WINDOW * s[0])))
    return min(known, LEADING), window, max(1, min(window, SHAPE_MODES))


def _frame(
    found: tuple[PredictorMap, ...], basis: np.ndarray, s: np.ndarray, last: np.ndarray | None,
    known: tuple[int, int, int], directions: int,
) -> Frame:  # fmt: skip
    m = basis.shape[1]
    W_p, outside = None, np.zeros((m, m))
    if found:
        W_p, outside = _in_basis(found[0].W_p, basis)
    VV = None if last is None else statistics.gram(last.T @ basis)
    estimated = bool(found) and found[0].kind == predictor_maps.LEAST_SQUARES
    return Frame(W_p, estimated, outside, VV, np.maximum(s[m:], 0.0), known[1], known[2], directions)


def _shape(found: tuple[PredictorMap, ...]) -> dict[str, float]:
    if not found or found[0].kind == predictor_maps.LEAST_SQUARES:
        return {}
    return {name: float(value) for name, value in shape_of(found[0].W_p).items()}


def _in_basis(W_p: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    WU = W_p @ basis
    inside = basis.T @ WU
    outside = statistics.gram(WU) - statistics.gram(inside) if basis.shape[1] < len(basis) else np.zeros_like(inside)
    return inside, outside


def _by_map(
    found: tuple[PredictorMap, ...], basis: np.ndarray, leading: int, frame: Frame, sums: Means
) -> dict[str, dict[str, float]]:
    """Return alignment, commutator, slope and asymmetry of the maps after the main one."""
    n = sums["count"].sum()
    means = {name: value.sum(axis=0, keepdims=True) / n for name, value in sums.items() if name in ("zz", "z", "size")}
    other: dict[str, dict[str, float]] = {}
    for each in found[1:]:
        W_p, outside = _in_basis(each.W_p, basis)
        one = readings(means, Frame(W_p, False, outside, None, frame.tail, frame.window, frame.shape_modes))
        other[each.kind] = {
            "alignment": float(np.mean(one["cosine"][0, : max(leading, 1)])),
            "commutator": float(np.sqrt(one["commutator_sq"][0])) if "commutator_sq" in one else float("nan"),
            "slope": float(one["slope"][0]),
            "asymmetry": float(np.nan_to_num(statistics.asymmetry(each.W_p))),
            "explained": each.explained,
        }
    return other


def _without_samples(
    dim: int,
    F: Tensor | None,
    found: tuple[PredictorMap, ...],
    weights: dict[str, Any],
    width: int | None,
) -> MeasuredNetwork:
    """Return what weights, and an F of unknown samples, say; no draws, so no intervals."""
    if F is None:
        return MeasuredNetwork(0, dim, maps=found, shape=_shape(found), **weights)
    s, U = _eigen(F, lambda *_: None)
    known = _known(s, 0)
    means = {"zz": to_numpy(F)[None], "size": np.array([float(F.trace())])}
    one = readings(means, _frame(found, np.eye(dim), s, weights["last"], known, could_live(dim, width=width)[0]))
    read = {name: Sampled(value[0], np.empty((0, *value[0].shape)), 0) for name, value in one.items()}
    return MeasuredNetwork(
        0, dim, F=to_numpy(F), s=s, U=U[:, :MODES], maps=found, readings=read, leading=known[0], window=known[1],
        shape_modes=known[2],
        diagnosis=diagnose(F, found[0].W_p, width=width) if found else None, shape=_shape(found),
        collapse=collapse_of(F, width=width), **weights,
    )  # fmt: skip


def _line(source: FeatureSource) -> Tell:
    """Return a progress line on the terminal, one per stage."""
    lines: dict[str, Progress] = {}

    def tell(stage: str, share: float) -> None:
        """Show the share done of a stage; where the number of samples is not known, nothing."""
        if source.count and share == share:
            lines.setdefault(stage, Progress(stage, 1.0))(share)
        if share >= 1 and stage in lines:
            lines.pop(stage).close()

    return tell


def width_of(source: FeatureSource | None, F: Tensor | None, predictor: nn.Module | None, last: Tensor | None) -> int:
    """Return d: of the features, of F, or of what the predictor takes.

    Raises:
        ValueError: none of them is there.
    """
    if source is not None:
        return source.dim
    if F is not None:
        return len(F)
    width = stacks.widths(predictor)[0] if predictor is not None else None
    if width is None and last is None:
        raise ValueError("There is nothing to measure; got no features, no F and no head. Give features.")
    return width if width is not None else len(last)  # type: ignore[arg-type]


def check_widths(dim: int, predictor: nn.Module | None, *projectors: nn.Module | None) -> None:
    """Refuse heads that do not fit the features.

    Raises:
        ValueError: a predictor that is not d -> d, a projector that does not end in d.
    """
    inner, outer = stacks.widths(predictor) if predictor is not None else (None, None)
    for name, width in (("takes", inner), ("gives", outer)):
        if width is not None and width != dim:
            raise ValueError(f"The predictor must map {dim} features to {dim}; got one that {name} {width}.")
    for name, module in zip(("projector", "target_projector"), projectors, strict=True):
        width = stacks.widths(module)[1] if module is not None else None
        if width is not None and width != dim:
            raise ValueError(f"{name} must give the {dim} features that the predictor takes; got {width}.")
