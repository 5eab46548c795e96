"""Where the features of a checkpoint come from: arrays, files, or the network's own images.

from_arrays, from_file      projections that are given (`NAMES`: what they may be called in an .npz file)
from_images, views_of       projections by a checkpoint's own network, of two views of images
of_checkpoint, Request      what a checkpoint is measured with: what was given, or its own images
calibrated                  an early checkpoint's BatchNorm by a pass over the images
given, pieces_of_features   features without a checkpoint
"""

from lindyn._faces import lazy

_FILES = {
    ".feature_arrays": ("NAMES", "ROWS", "ArrayFeatures", "from_arrays", "from_file", "given", "pieces_of_features"),
    ".image_features": ("FAR", "ImageFeatures", "from_images"),
    ".image_views": ("Views", "views_of"),
    "lindyn.bridge.given_paths": ("AUTO", "EMBEDDED"),
    ".checkpoint_features": ("WEIGHTS_ONLY", "Request", "calibrated", "check_something", "of_checkpoint"),
}
_HOME = {name: file for file, names in _FILES.items() for name in names}

__all__ = list(_HOME)

__getattr__, __dir__ = lazy(__name__, _HOME)
