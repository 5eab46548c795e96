"""Where images come from: a name, a folder or arrays -> a source that is read in batches."""

import contextlib
import importlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.images.view_arrays import ImageArray, ViewArrays
from lindyn.stored import limits

NAMES = ("digits", "photos")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as pillow's "L" has it
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


@dataclass(frozen=True, repr=False)
class ImageFolder(Brief):
    """The images below a folder, sorted by path, as grayscale and resized to a square; only a batch is in memory.

    Args:
        folder: searched recursively; names that start with a dot are passed over.
        size: side in pixels after resizing (the aspect ratio is not kept).

    Raises:
        ValueError: no such folder, or no image in it.
    """

    folder: Path
    size: int
    independent = True

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            what = "is a file" if self.folder.exists() else "does not exist"
            raise ValueError(f"images must be an existing folder; {str(self.folder)!r} {what}. Check the path.")
        object.__setattr__(self, "paths", self._find())
        require("PIL", "a folder of images")

    def _find(self) -> list[Path]:
        found = (p for p in self.folder.rglob("*") if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        paths = sorted(p for p in found if p.is_file())
        if not paths:
            raise ValueError(
                f"images must be a folder with images; none of {', '.join(SUFFIXES)} below {str(self.folder)!r}."
            )
        return paths

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name or str(self.folder)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width after resizing."""
        return self.size, self.size

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield images x size x size in [0, 1], `size` at a time.

        Raises:
            ValueError: a file that cannot be read as an image; the message names it.
        """
        paths: list[Path] = vars(self)["paths"]
        for start in range(0, len(paths), size):
            yield np.stack([_read(path, self.size) for path in paths[start : start + size]])


@contextlib.contextmanager
def open_image(path: str | Path) -> Iterator[Any]:
    """Open an image file of one of the usual formats, of as many pixels as an image has; nothing is decoded yet.

    Formats that are programs (PostScript) are left out, whatever the file is called.

    Raises:
        ValueError: too many pixels.
        OSError: no image.
    """
    import warnings

    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise ValueError("it has too many pixels") from error
        with image:
            if image.width * image.height > limits.IMAGE:
                raise ValueError(f"it has {image.width} x {image.height} pixels, too many")
            yield image


def _read(path: Path, side: int) -> np.ndarray:
    from PIL import Image

    try:
        with open_image(path) as image:
            if image.mode.startswith("I"):  # 16 bit: convert("L") would cut it off at 255
                gray = Image.fromarray(np.asarray(image, dtype=np.float32) / 65535.0)
            else:
                gray = Image.fromarray(np.asarray(image.convert("L"), dtype=np.float32) / 255.0)
            pixels = np.asarray(gray.resize((side, side), Image.Resampling.BOX), dtype=np.float64)
    except (OSError, SyntaxError, ValueError, MemoryError, EOFError, struct.error) as error:
        raise ValueError(f"images: {str(path)!r} cannot be read as an image ({error}). Remove or repair it.") from error
    return np.clip(pixels, 0.0, 1.0)


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


def require(package: str, what: str) -> None:
    """Import an optional package.

    Raises:
        ImportError: it is not installed; the sentence says how to install it.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        known = {"sklearn": "scikit-learn", "PIL": "pillow"}[package]
        raise ImportError(f'{known} is needed for {what}; install it with pip install "lindyn[images]".') from error
