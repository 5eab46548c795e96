"""What was gathered of a network, and whether its parts fit together."""

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor, nn

from lindyn.bridge.checkpoints import stacks
from lindyn.bridge.measure.sampled import Sampled
from lindyn.bridge.records import FeatureSource, PredictorMap
from lindyn.bridge.watch.diagnosis import Diagnosis


@dataclass(frozen=True, eq=False)
class MeasuredNetwork:
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
        shape: numbers of the main map's matrix alone (`map_shape.shape_of`); {} for an estimated one.
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

    @property
    def main(self) -> PredictorMap | None:
        """The main map, None without a predictor."""
        return self.maps[0] if self.maps else None


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
