"""Where images come from: a name, a folder or arrays -> a source that is read in batches."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.images.folder import ImageFolder
from lindyn.images.shipped import digits, photos
from lindyn.images.view_arrays import ImageArray, ViewArrays

NAMES = ("digits", "photos")
SIDE = 16  # default side of a patch or of a resized image
LARGEST_N1 = 4096  # X and X' are n1 x n1


def open_source(images: Any, size: int | None = None, patches: int | None = None, seed: int = 0) -> Any:
    """Return the source that `images` names.

    Args:
        images: "digits", "photos", the path of a folder, two .npy files (or arrays) of views, or one array
            images x height x width in [0, 1]. A list of one entry is that entry.
        size: side in pixels of a photo's patch or a folder's resized image, default 16.
        patches: number of random patches of the photos, default all tiles.
        seed: of the random patches.

    Returns:
        A source: `name`, `shape` of an image, `independent`, and `batches(size)`.

    Raises:
        ValueError: an unknown name, a missing folder, arguments that do not belong to the source.
    """
    if isinstance(images, list | tuple) and len(images) == 1:
        images = images[0]
    for name, value in (("size", size), ("patches", patches)):
        if value is not None and (not isinstance(value, int | np.integer) or value < 2):
            raise ValueError(f"{name} must be a whole number >= 2; got {value!r}.")
    source = _open(images, SIDE if size is None else size, patches, seed)
    tiled = isinstance(images, str) and images == "photos"
    if size is not None and not (tiled or isinstance(source, ImageFolder)):
        shape = " x ".join(map(str, source.shape))
        raise ValueError(f"size is for photos and folders; got size={size} for {source.name} of {shape}. Leave it out.")
    if patches is not None and not tiled:
        raise ValueError(f"patches is for images='photos'; got patches={patches} for {source.name}. Leave it out.")
    n1 = int(np.prod(source.shape))
    if not 1 <= n1 <= LARGEST_N1:
        raise ValueError(
            f"An image must have 1 to {LARGEST_N1} pixels (X is n1 x n1); got {n1}. Choose a smaller size."
        )
    return source


def _open(images: Any, size: int, patches: int | None, seed: int) -> Any:
    if isinstance(images, np.ndarray):
        return ImageArray(images)
    if isinstance(images, list | tuple):
        if len(images) != 2:
            raise ValueError(f"images must be one source or two arrays of views; got {len(images)} entries.")
        return ViewArrays(*images)
    if not isinstance(images, str | os.PathLike):
        raise ValueError(f"images must be a name, a path or arrays; got {type(images).__name__}.")
    if images == "digits":
        return digits()
    if images == "photos":
        return photos(size, patches, seed)
    return ImageFolder(_folder(images), size)


def _folder(images: Any) -> Path:
    """Return the path, unless it looks like a name that was mistyped or half a pair of views."""
    path = Path(images)
    if path.suffix == ".npy":
        raise ValueError(f"Two .npy arrays of views are needed, row i of both of sample i; got one, {str(path)!r}.")
    bare = isinstance(images, str) and path.name == images and not path.suffix
    if bare and not path.exists():
        try:
            _checks.one_of("images", images, NAMES)
        except ValueError as error:
            raise ValueError(f"{error} Or give the path of a folder of images, or two .npy files of views.") from None
    return path
