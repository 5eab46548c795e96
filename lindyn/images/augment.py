"""Random views of images: crop, flip, blur and noise, each with a strength (0 switches it off)."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn, idctn

from lindyn import _checks
from lindyn.display.brief import Brief


@dataclass(frozen=True, repr=False)
class Augmentation(Brief):
    """How strongly views of one image differ; applied in the order crop, flip, blur, noise.

    The defaults suit 8 x 8 digits. `flip` is off among them: a mirrored digit is not the same digit.

    Args:
        crop: largest share of the side that a crop leaves out, 0 <= crop < 1. A square crop of relative side
            uniform in [1 - crop, 1], at a uniform place, is stretched back bilinearly.
        flip: probability of a left-right mirror image, 0..1.
        noise: standard deviation of Gaussian noise per pixel, in units of the range of the image (black 0,
            white 1), >= 0. It is not clipped, so that it adds noise^2 I to X' and nothing to X.
        blur: largest width of a Gaussian blur in pixels, >= 0. The standard deviation is uniform in [0, blur].

    Raises:
        ValueError: a strength out of its range.
    """

    crop: float = 0.25
    flip: float = 0.0
    noise: float = 0.1
    blur: float = 0.7

    def __post_init__(self) -> None:
        for name in ("crop", "flip", "noise", "blur"):
            object.__setattr__(self, name, _checks.as_scalar(name, getattr(self, name), 0.0, fix="0 switches it off."))
        if self.crop >= 1:
            raise ValueError(f"crop must be below 1; got {self.crop:g}. It is a share of the side.")
        if self.flip > 1:
            raise ValueError(f"flip must be between 0 and 1; got {self.flip:g}. It is a probability.")

    @classmethod
    def none(cls) -> "Augmentation":
        """Return the augmentation that changes nothing (X' = 0)."""
        return cls(crop=0.0, flip=0.0, noise=0.0, blur=0.0)

    def views(self, images: np.ndarray, count: int = 2, seed: int | np.random.Generator = 0) -> np.ndarray:
        """Return independent views of each image.

        Args:
            images: images x height x width, in [0, 1].
            count: views of each image, >= 1.
            seed: seed or numpy Generator.

        Returns:
            Array of images x count x height x width.
        """
        return Augmenter(self, seed)(images, count)


class Augmenter:
    """An augmentation with its random numbers, called batch after batch.

    Every stage draws from a generator of its own, image by image, so that the views of an image depend on its place in
    the stream only, not on how the stream is cut into batches.

    Args:
        augmentation: the strengths.
        seed: seed or numpy Generator.
    """

    def __init__(self, augmentation: Augmentation, seed: int | np.random.Generator = 0) -> None:
        self.augmentation = augmentation
        self._crop, self._flip, self._blur, self._noise = np.random.default_rng(seed).spawn(4)

    def __call__(self, images: np.ndarray, count: int = 2) -> np.ndarray:
        """Return `count` independent views of each image, images x count x height x width."""
        strengths, shape = self.augmentation, images.shape
        views = np.repeat(np.asarray(images, dtype=np.float64), count, axis=0)
        if strengths.crop > 0:
            views = crop(views, strengths.crop, self._crop)
        if strengths.flip > 0:
            views = flip(views, strengths.flip, self._flip)
        if strengths.blur > 0:
            views = blur(views, strengths.blur, self._blur)
        if strengths.noise > 0:
            views = views + strengths.noise * self._noise.standard_normal(views.shape)
        return views.reshape(shape[0], count, *shape[1:])


def crop(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random square crop of each image, stretched back bilinearly; the range of values is kept."""
    draws = rng.random((len(images), 3))
    side = 1 - strength * draws[:, 0]
    images = _stretch(images, side, draws[:, 1], axis=1)
    return _stretch(images, side, draws[:, 2], axis=2)


def _stretch(images: np.ndarray, side: np.ndarray, place: np.ndarray, axis: int) -> np.ndarray:
    """Return the window of relative length `side` of one axis, resampled to the whole length."""
    n = images.shape[axis]
    start = place * (1 - side) * n
    # pixel centres lie at half-integers, hence the two halves
    at = np.clip(start[:, None] + (np.arange(n) + 0.5) * side[:, None] - 0.5, 0, n - 1)
    low = np.minimum(at.astype(int), max(n - 2, 0))
    high = np.minimum(low + 1, n - 1)
    lift = (slice(None), slice(None), None) if axis == 1 else (slice(None), None, slice(None))
    weight = (at - low)[lift]
    below, above = (np.take_along_axis(images, index[lift], axis=axis) for index in (low, high))
    return below * (1 - weight) + above * weight


def flip(images: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    """Return each image, mirrored left to right with the given probability."""
    mirrored = rng.random(len(images)) < probability
    return np.where(mirrored[:, None, None], images[:, :, ::-1], images)


def blur(images: np.ndarray, widest: float, rng: np.random.Generator) -> np.ndarray:
    """Return each image under a Gaussian blur of standard deviation uniform in [0, widest] pixels.

    The kernel is the lattice's own heat kernel exp(sigma^2 Laplacian / 2) with reflecting edges: its entries are
    positive and its rows and columns sum to 1, so that it keeps the range and the mean of every image.
    """
    time = (widest * rng.random(len(images))) ** 2 / 2
    rows, columns = (2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in images.shape[1:])
    damping = np.exp(-time[:, None, None] * (rows[:, None] + columns))
    return idctn(dctn(images, axes=(1, 2), norm="ortho") * damping, axes=(1, 2), norm="ortho")
