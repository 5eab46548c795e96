"""Images and views that are already arrays, in memory or in .npy files, read in batches."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lindyn.display.brief import Brief
from lindyn.stored import archives


@dataclass(frozen=True, repr=False)
class ImageArray(Brief):
    """Images in memory (or memory-mapped).

    Args:
        images: images x height x width, whole numbers 0..255 of type uint8, or floats in [0, 1].
        name: what to call them.
        independent: whether images are independent samples (patches of one photo are not).

    Raises:
        ValueError: not three axes, or values outside [0, 1].
    """

    images: np.ndarray
    name: str = "array"
    independent: bool = True

    def __post_init__(self) -> None:
        if np.ndim(self.images) != 3:
            raise ValueError(f"images must be images x height x width; got shape {np.shape(self.images)}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width."""
        return self.images.shape[1:]

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield images x height x width in [0, 1], `size` at a time."""
        for start in range(0, len(self.images), size):
            part = np.asarray(self.images[start : start + size])
            if part.dtype == np.uint8:
                yield part / 255.0
                continue
            part = part.astype(np.float64)
            _check_range(part, start)
            yield part


def _check_range(part: np.ndarray, start: int) -> None:
    finite = np.isfinite(part).all(axis=(1, 2))
    if not finite.all():
        raise ValueError(f"images must be finite; got NaN or infinity in image {start + int(np.argmin(finite))}.")
    if part.size and (part.min() < 0 or part.max() > 1):
        raise ValueError(
            f"images must lie in [0, 1]; got values from {part.min():g} to {part.max():g}. "
            "Divide by the largest, or give them as uint8."
        )


class ViewArrays:
    """Two arrays of views of the same samples; no augmentation is applied.

    Args:
        first: path of a .npy file (memory-mapped) or an array, samples x ... .
        second: the other views, the same shape.

    Raises:
        ValueError: a file that is missing or is no .npy array, shapes that differ, or no sample axis.
    """

    independent = True

    def __init__(self, first: Any, second: Any) -> None:
        self.arrays = (_load(first), _load(second))
        shapes = [a.shape for a in self.arrays]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"The two arrays of views must have the same shape; got {shapes[0]} and {shapes[1]}. "
                "Row i of both must be views of sample i."
            )
        if len(shapes[0]) < 2:
            raise ValueError(f"Arrays of views must be samples x pixels (or more axes); got shape {shapes[0]}.")
        self.shape = shapes[0][1:]
        self.name = " and ".join(Path(v).name if isinstance(v, str | os.PathLike) else "array" for v in (first, second))

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield samples x 2 x pixels, `size` samples at a time."""
        for start in range(0, len(self.arrays[0]), size):
            pair = [np.asarray(a[start : start + size], dtype=np.float64) for a in self.arrays]
            yield np.stack([v.reshape(len(v), -1) for v in pair], axis=1)


def _load(value: Any) -> np.ndarray:
    if not isinstance(value, str | os.PathLike):
        return np.asarray(value)
    try:
        array = archives.mapped(value)
    except ValueError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise ValueError(f"views file {str(value)!r} does not exist. Check the path.") from error
        raise ValueError(f"views file {str(value)!r} is no .npy array ({error}). Save it with np.save.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        held = getattr(array, "dtype", "an archive of several")
        raise ValueError(f"views file {str(value)!r} must hold one real array; got {held}. Save it with np.save.")
    return array
