"""Real input: X and X' of images under augmentation, and which of their directions survive the full flow.

    image_sources  digits and photos that scikit-learn ships, folders; view_arrays: arrays; read in batches
    augment      crop, flip, blur and noise, each with a strength
    direction_errors  how well each direction's threshold is known, from a second pass
    estimate     source + augmentation -> `ImageMoments`
    prediction   what can live: per direction (commuting), per single mode (not commuting), and bounds
    outcome      a run of the full flow and what is alive at its end
    study        the full flow on given moments beside the prediction

scikit-learn and pillow (extra `images`) are loaded when a source needs them.
"""

from lindyn.images.augment import Augmentation, Augmenter
from lindyn.images.direction_survival import SurvivalStudy, study_images, survival_study
from lindyn.images.estimate import DirectionErrors, ImageMoments, image_moments
from lindyn.images.image_sources import open_source
from lindyn.images.survival import SurvivalOutcome
from lindyn.images.survival_prediction import Prediction, SingleModes, predict, single_modes, survival_threshold
from lindyn.moments import ViewSums

__all__ = [
    "Augmentation",
    "Augmenter",
    "DirectionErrors",
    "ImageMoments",
    "Prediction",
    "SingleModes",
    "SurvivalOutcome",
    "SurvivalStudy",
    "ViewSums",
    "image_moments",
    "open_source",
    "predict",
    "single_modes",
    "study_images",
    "survival_study",
    "survival_threshold",
]
