"""The full flow on given moments beside the prediction: which directions of the data survive?"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._linalg import one_thread, ratio
from lindyn.display.brief import Brief
from lindyn.flows.full import WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.images.augment import Augmentation
from lindyn.images.estimate import ImageMoments, image_moments
from lindyn.images.survival import SurvivalOutcome, run_flow
from lindyn.images.survival_prediction import Prediction, predict
from lindyn.moments import Moments
from lindyn.states import WeightState

SCALE, SCALE_P = 1.0, 0.5  # of the random start: small, yet above p- for most directions that can live
LARGEST_SINGLE = 600  # n1 past which the quadratic eigenproblem (dense, 2 n1) is left out


@dataclass(frozen=True, repr=False)
class SurvivalStudy(Brief):
    """Measured survival beside the prediction.

    Args:
        moments: X and X'.
        hp: the rates.
        prediction: what can live, per direction and otherwise.
        full: the run with X and X' as they are.
        commuting: the same start with X' replaced by its part that commutes with X; the same object as `full`
            if they commute.
        source: how the moments were measured, None for moments that were given.
    """

    moments: Moments
    hp: Hyperparameters
    prediction: Prediction
    full: SurvivalOutcome
    commuting: SurvivalOutcome
    source: ImageMoments | None = None

    @property
    def predicted_spectrum(self) -> np.ndarray:
        """The n2 largest s of the directions that can live, largest first, 0 where there are fewer."""
        return _leading(self.prediction.s, len(self.full.spectrum))

    @property
    def single_spectrum(self) -> np.ndarray | None:
        """The same from the one-mode fixed points, which do not assume that X and X' commute."""
        single = self.prediction.single
        return None if single is None else _leading(single.s, len(self.full.spectrum))

    @property
    def agreement(self) -> int:
        """Number of the n1 directions that survived and can live, or neither."""
        return int(np.count_nonzero(self.full.survived == self.prediction.can_live))

    @property
    def impossible(self) -> int:
        """Number of directions that survived though the prediction per direction says they cannot."""
        return int(np.count_nonzero(self.full.survived & ~self.prediction.can_live))

    @property
    def in_order(self) -> bool:
        """Whether the survivors are those of the largest p+ of all that can live, as stability demands."""
        survived = self.full.survived
        least = float(np.min(self.prediction.p[survived], initial=np.inf))
        return least >= float(np.max(self.prediction.p[~survived], initial=0.0))

    @property
    def undecided(self) -> int:
        """Number of directions whose threshold is within its standard error of eta_s (none at eta_s = 0)."""
        if self.hp.eta_s == 0:
            return 0
        near = np.abs(self.prediction.threshold - self.hp.eta_s) <= self.prediction.threshold_error
        return int(np.count_nonzero(near))

    @property
    def commutation_effect(self) -> float:
        """Relative change of the spectrum of F when X' loses the part that does not commute with X."""
        full, other = self.full.living_spectrum, self.commuting.living_spectrum
        return ratio(float(np.linalg.norm(full - other)), float(np.linalg.norm(full)))

    def summary(self) -> str:
        """Return the result in words."""
        return describe(self)


def survival_study(
    moments: Moments | ImageMoments,
    hp: Hyperparameters,
    n2: int = 32,
    *,
    seed: int = 0,
    t1: float | None = None,
    start: WeightState | None = None,
    target: str = "ema",
    engine: str = "scipy",
) -> SurvivalStudy:
    """Run the full flow of Lemma 1 and compare what survives with what can live.

    Args:
        moments: X and X', or `ImageMoments`.
        hp: the rates; alpha_p > 0 and, with target="ema", beta > 0 (a frozen target has other fixed points).
        n2: output dimension, at most this many directions live.
        seed: of the random start.
        t1: flow time; default 40 / min(eta_s, beta) within 100..4000. The run stops earlier once it rests.
        start: initial weights instead of random ones of scale 1 (W) and 0.5 (W_p).
        target: "ema" or "online" (SimSiam).
        engine: "scipy" starts at once; "diffrax" pays off for large or many runs.

    Returns:
        The `SurvivalStudy`.

    Raises:
        ValueError: rates for which there is no prediction, or a start that does not fit.
        SimulationError: the run did not reach its end.
    """
    source = moments if isinstance(moments, ImageMoments) else None
    data = moments.moments if isinstance(moments, ImageMoments) else moments
    if not isinstance(data, Moments):
        raise ValueError(f"moments must be Moments or ImageMoments; got {type(data).__name__}.")
    _checks.one_of("target", target, ("ema", "online"))
    if target == "ema":
        _checks.as_scalar("beta", hp.beta, 0.0, exclusive=True, fix="A frozen target has other fixed points.")
    if start is None:
        start = WeightState.random(n2, data.n1, seed, SCALE, SCALE_P)
    errors = None if source is None or source.errors is None else source.errors.threshold
    t1 = _duration(hp, target) if t1 is None else t1
    with one_thread(data.n1):
        prediction = predict(data, hp, data.n1 <= LARGEST_SINGLE, errors)
        full = commuting = run_flow(WeightFlow(hp, data, target=target), start, t1, engine, prediction)
        if not data.commute:
            part = Moments.commuting(prediction.x, prediction.x_aug, prediction.V)
            commuting = run_flow(WeightFlow(hp, part, target=target), start, t1, engine, prediction)
    return SurvivalStudy(data, hp, prediction, full, commuting, source)


def study_images(
    images: Any,
    hp: Hyperparameters,
    n2: int = 32,
    *,
    crop: float | None = None,
    flip: float | None = None,
    noise: float | None = None,
    blur: float | None = None,
    views: int = 4,
    size: int | None = None,
    patches: int | None = None,
    remove_grey: bool = False,
    seed: int = 0,
    t1: float | None = None,
    target: str = "ema",
    engine: str = "scipy",
) -> SurvivalStudy:
    """Measure X and X' of images and study what survives on them: `image_moments`, then `survival_study`.

    Args:
        images: "digits", "photos", a folder, or two .npy files of views (which take no strengths).
        hp: the rates.
        n2: output dimension.
        crop: strength of `Augmentation`, default its own; so are flip, noise and blur.
        flip: probability of a mirror image.
        noise: standard deviation of the noise.
        blur: widest blur in pixels.
        views: views of each image.
        size: side of the patches of the photos, or of a folder's resized images.
        patches: number of random patches of the photos.
        remove_grey: subtract its own mean grey from every view.
        seed: of the views and of the start.
        t1: flow time.
        target: "ema" or "online".
        engine: "scipy" or "diffrax".

    Returns:
        The `SurvivalStudy`, whose `source` tells how X and X' were measured.

    Raises:
        ValueError: see `image_moments` and `survival_study`.
    """
    strengths = {"crop": crop, "flip": flip, "noise": noise, "blur": blur}
    given = {name: value for name, value in strengths.items() if value is not None}
    augmentation = Augmentation(**given) if given else None
    measured = image_moments(
        images, augmentation, seed=seed, views=views, size=size, patches=patches, remove_grey=remove_grey
    )
    return survival_study(measured, hp, n2, seed=seed, t1=t1, target=target, engine=engine)


def _duration(hp: Hyperparameters, target: str) -> float:
    rates = [rate for rate in (hp.eta_s, hp.beta if target == "ema" else 0.0) if rate > 0]
    return float(np.clip(40 / min(rates), 100, 4000)) if rates else 400.0


def _leading(values: np.ndarray, count: int) -> np.ndarray:
    out = np.zeros(count)
    top = np.sort(values)[::-1][:count]
    out[: len(top)] = top
    return out


def describe(study: SurvivalStudy) -> str:
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


def _prediction(study: SurvivalStudy) -> str:
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


def _measurement(study: SurvivalStudy) -> str:
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


def _commuting(study: SurvivalStudy) -> str:
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


def _bounds(study: SurvivalStudy) -> str:
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


def _distance(study: SurvivalStudy, outcome: SurvivalOutcome) -> str:
    return _relative(outcome.spectrum, study.predicted_spectrum, outcome.rank)


def _relative(measured: np.ndarray, predicted: np.ndarray | None, rank: int) -> str:
    """Return the largest relative distance over the living modes that were also predicted, largest first."""
    if predicted is None:
        return "an unknown distance"
    both = min(rank, int(np.count_nonzero(predicted)))
    gap = np.abs(measured[:both] - predicted[:both])
    worst = max((ratio(float(g), float(m)) for g, m in zip(gap, measured[:both], strict=True)), default=0.0)
    return f"{100 * worst:.2g} %"
