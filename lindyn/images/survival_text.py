"""A survival study told in a few lines."""

from typing import TYPE_CHECKING

import numpy as np

from lindyn._linalg import ratio

if TYPE_CHECKING:
    from lindyn.images.direction_survival import SurvivalStudy
    from lindyn.images.survival import SurvivalOutcome


def describe(study: "SurvivalStudy") -> str:
    """Return a paragraph: the data, what can live, what did, and what not commuting does to the prediction."""
    lines = [] if study.source is None else [study.source.summary()]
    lines += [_prediction(study), _measurement(study)]
    if min(study.hp.eta_s, study.hp.eta_p) > 0:
        lines += [_commuting(study), _bounds(study)]
    if not study.full.settled:
        lines.append(
            f"The run had not come to rest at t = {study.full.t:g} (relative speed {study.full.speed:.2g}): "
            "a longer t1 may change the counts."
        )
    return "\n".join(lines)


def _prediction(study: "SurvivalStudy") -> str:
    can, eta = int(np.count_nonzero(study.prediction.can_live)), study.hp.eta_s
    if eta > 0 and study.hp.eta_p == 0:
        return f"eta_s = {eta:g} without decay of the predictor: no direction can live."
    if eta == 0:
        return "Without decay of W no direction has to die, and F keeps the memory of its start (Eq. 14)."
    text = f"eta = {eta:g}: {can} of {study.moments.n1} directions of the data can live (eta < x^2 / (4 (x + x')))"
    n2 = len(study.full.spectrum)
    if can > n2:
        text += f", n2 = {n2} of them at once"
    if study.undecided:
        text += f"; {study.undecided} are closer to the threshold than its standard error"
    return text + "."


def _measurement(study: "SurvivalStudy") -> str:
    full, prediction = study.full, study.prediction
    survived, n1 = int(np.count_nonzero(full.survived)), study.moments.n1
    text = (
        f"In the full flow (t = {full.t:g}) {full.rank} of {len(full.spectrum)} modes of F live and "
        f"{survived} directions of the data survive"
    )
    if study.hp.eta_s == 0:
        return text + "."
    text += f"; for {study.agreement} of {n1} that is as predicted"
    missing = int(np.count_nonzero(prediction.can_live & ~full.survived))
    notes = []
    if missing:
        which = ", the ones of least p," if study.in_order else ""
        notes.append(f"{missing} that can live{which} did not: a start outside their basin, or n2 too small")
    if study.impossible:
        notes.append(f"{study.impossible} survived though their own x, x' forbid it")
    return text + (f" ({'; '.join(notes)})." if notes else ".")


def _commuting(study: "SurvivalStudy") -> str:
    if study.commuting is study.full:
        return f"X and X' commute; the spectrum of F is {_distance(study, study.full)} from the prediction."
    text = f"X and X' do not commute: ||[X, X']|| / (||X|| ||X'||) = {study.moments.commutation_defect:.2g}"
    if study.full.rank == study.commuting.rank == 0:
        return text + "."
    text += (
        f". The spectrum of F is {_distance(study, study.full)} from the prediction. Without the part of X' that does "
        f"not commute with X it changes by {100 * study.commutation_effect:.2g} % (norm): "
        f"{study.commuting.rank} modes, {_distance(study, study.commuting)} from the prediction"
    )
    single = study.prediction.single
    if single is not None:
        distance = _relative(study.full.spectrum, study.single_spectrum, study.full.rank)
        text += f". One-mode fixed points, which assume no commuting: {len(single.p)} modes, {distance} from them"
    return text + "."


def _bounds(study: "SurvivalStudy") -> str:
    prediction, largest = study.prediction, float(study.prediction.bound[0])
    if study.hp.eta_s > largest:
        return (
            f"eta exceeds {largest:.3g}, a quarter of the largest eigenvalue of X (X + X')^-1 X: "
            "collapse is certain, whatever the start and the predictor."
        )
    return (
        f"Whatever the start, no fixed point has more than {prediction.largest_rank} modes "
        f"({prediction.normal_rank} if W_p is normal; eigenvalues of X (X + X')^-1 X / 4)."
    )


def _distance(study: "SurvivalStudy", outcome: "SurvivalOutcome") -> str:
    return _relative(outcome.spectrum, study.predicted_spectrum, outcome.rank)


def _relative(measured: np.ndarray, predicted: np.ndarray | None, rank: int) -> str:
    """Return the largest relative distance over the living modes that were also predicted, largest first."""
    if predicted is None:
        return "an unknown distance"
    both = min(rank, int(np.count_nonzero(predicted)))
    gap = np.abs(measured[:both] - predicted[:both])
    worst = max((ratio(float(g), float(m)) for g, m in zip(gap, measured[:both], strict=True)), default=0.0)
    return f"{100 * worst:.2g} %"
