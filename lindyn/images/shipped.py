"""The images that scikit-learn ships: no download, no folder."""

import numpy as np

from lindyn.images.optional_packages import require
from lindyn.images.view_arrays import ImageArray

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as pillow's "L" has it


def digits() -> ImageArray:
    """Return the 1797 digits of 8 x 8 pixels that scikit-learn ships."""
    require("sklearn", "the digits")
    from sklearn.datasets import load_digits

    return ImageArray(load_digits().images / 16.0, "digits")


def photos(size: int, patches: int | None = None, seed: int = 0) -> ImageArray:
    """Return patches of the two photos (china.jpg, flower.jpg) that scikit-learn ships, as luma.

    Args:
        size: side of a patch in pixels, 2..427.
        patches: number of patches at random places (half from each photo); default: all tiles, without overlap.
        seed: of the random places.

    Returns:
        The patches; neighbours within a photo are alike, so they are not marked as independent samples.

    Raises:
        ValueError: a size that does not fit in a photo, or fewer than two patches.
    """
    require("sklearn", "the photos")
    require("PIL", "the photos")
    from sklearn.datasets import load_sample_images

    gray = [np.asarray(photo, dtype=np.float64) @ np.array(LUMA) / 255.0 for photo in load_sample_images().images]
    limit = min(min(photo.shape) for photo in gray)
    if size > limit:
        raise ValueError(f"size must be at most {limit}, the short side of the photos; got {size}.")
    if patches is None:
        parts = [_tiles(photo, size) for photo in gray]
    else:
        rng, share = np.random.default_rng(seed), patches // 2
        parts = [_random_patches(photo, size, n, rng) for photo, n in zip(gray, (patches - share, share), strict=True)]
    return ImageArray(np.clip(np.concatenate(parts), 0.0, 1.0), "photos", independent=False)


def _tiles(photo: np.ndarray, size: int) -> np.ndarray:
    rows, columns = (n // size for n in photo.shape)
    tiles = photo[: rows * size, : columns * size].reshape(rows, size, columns, size).swapaxes(1, 2)
    return tiles.reshape(-1, size, size)


def _random_patches(photo: np.ndarray, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(photo, (size, size))
    return windows[rng.integers(0, windows.shape[0], count), rng.integers(0, windows.shape[1], count)]
