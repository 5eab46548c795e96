"""Real input: X and X' of images under augmentation, and which of their directions survive the full flow.

    sources      digits and photos that scikit-learn ships, folders, arrays; read in batches
    augment      crop, flip, blur and noise, each with a strength
    view_sums    X and X' from several views of each image, as streaming sums with their sampling error
    estimate     source + augmentation -> `ImageMoments`
    prediction   what can live: per direction (commuting), per single mode (not commuting), and bounds
    study        the full flow on given moments beside the prediction

scikit-learn and pillow (extra `images`) are loaded when a source needs them.
"""

from lindyn.images.augment import Augmentation, Augmenter
from lindyn.images.estimate import ImageMoments, image_moments
from lindyn.images.prediction import Prediction, SingleModes, predict, single_modes, survival_threshold
from lindyn.images.sources import open_source
from lindyn.images.study import Outcome, SurvivalStudy, study_images, survival_study
from lindyn.images.view_sums import ViewSums

__all__ = [
    "Augmentation",
    "Augmenter",
    "ImageMoments",
    "Outcome",
    "Prediction",
    "SingleModes",
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
