"""Laws on the predictor's matrix alone: symmetry, sign; Richemond's distances to a projection and to a rotation."""

from lindyn.bridge.laws.verdicts import held, main_kind, missing_map, too_few, untestable
from lindyn.bridge.measure.measuring import MeasuredNetwork
from lindyn.bridge.measure.sampled import Interval, fixed
from lindyn.bridge.records import Finding

_HELD = {
    "symmetry": ("asymmetry_sq", 4.0, True),
    "psd": ("negative_share", 1.0, False),
    "projection": ("projection_sq", 1.0, True),
    "polar": ("polar_sq", 1.0, True),
}
"""Law: name of the statistic, its largest value, whether it is a square."""
_TRENDS = ("stable_rank", "trace")


def findings(measured: MeasuredNetwork) -> tuple[Finding, ...]:
    """Return `symmetry`, `psd`, `projection`, `polar`, `stable_rank` and `trace`.

    A map fitted to features is looked at inside its leading modes; elsewhere it is noise.
    """
    kind = main_kind(measured)
    estimated = bool(measured.maps) and not measured.shape
    reason = missing_map(measured, needs_features=estimated) or (too_few(measured) if estimated else "")
    if reason:
        return tuple(untestable(law, reason, kind) for law in (*_HELD, *_TRENDS))
    modes = measured.shape_modes if estimated else measured.dim
    found = [held(law, _interval(measured, *_HELD[law]), kind, modes=modes) for law in _HELD]
    later = "One checkpoint shows no growth; compare checkpoints of one run."
    trends = [
        untestable(law, later, kind, _interval(measured, law, float("inf"), False), modes=modes) for law in _TRENDS
    ]
    return (*found, *trends)


def _interval(measured: MeasuredNetwork, name: str, most: float, square: bool) -> Interval:
    if measured.shape:
        interval = fixed(measured.shape[name])
    else:
        interval = measured.readings[name].interval(-float("inf") if name == "trace" else 0.0, most)
    return interval.root() if square else interval
