"""X and X' of images under augmentation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from lindyn._linalg import one_thread
from lindyn.display.brief import Brief
from lindyn.images.augment import Augmentation, Augmenter
from lindyn.images.image_sources import open_source
from lindyn.images.survival_prediction import threshold_slopes
from lindyn.images.view_arrays import ViewArrays
from lindyn.moments import Moments, SamplingError, ViewSums

BATCH_BYTES = 4 * 2**20  # of views at a time; small enough to stay in the cache
ROUND_OFF = 1e-13


@dataclass(frozen=True, repr=False)
class DirectionErrors(Brief):
    """Standard errors per direction of `Moments.joint_spectrum` (largest x first), length n1.

    Args:
        x: of the eigenvalues of X.
        x_aug: of v_j^T X' v_j, the turning of v_j with X counted in.
        threshold: of x^2 / (4 (x + x')), their correlation counted in.
    """

    x: np.ndarray
    x_aug: np.ndarray
    threshold: np.ndarray


class DirectionSums:
    """Running sums over images of what each image adds to x_j, x'_j and the threshold, to first order.

        dx_j  = v_j^T dX v_j
        dx'_j = v_j^T dX' v_j + 2 sum_{k != j} (v_j^T X' v_k) (v_k^T dX v_j) / (x_j - x_k)

    so that the variance over images, divided by their number, is the squared standard error. Directions whose x lie
    closer together than their error are not well told apart, and their x' error is large accordingly.

    Args:
        moments: the estimated X and X'.
        mean: mean image in pixel units that was subtracted, length n1 (0 if none was).
        factor: what X in pixel units was multiplied by.
        views: R, views of each image.
    """

    def __init__(self, moments: Moments, mean: np.ndarray, factor: float, views: int) -> None:
        x, x_aug, V = moments.joint_spectrum()
        self.mean, self.project, self.views, self.count = mean, V * np.sqrt(factor), views, 0
        gaps = x[:, None] - x[None, :]
        distinct = np.abs(gaps) > 1e-12 * max(float(x[0]), np.finfo(float).tiny)
        self.turn = np.divide(V.T @ moments.X_aug @ V, gaps, out=np.zeros_like(gaps), where=distinct)
        self.slopes = threshold_slopes(np.maximum(x, 0.0), np.maximum(x_aug, 0.0))
        self._sums = np.zeros((2, 3, len(x)))  # (first, second power) x (x, x', threshold) x direction

    def add(self, views: Any) -> Self:
        """Add a batch of views, images x R x n1 (further axes are flattened)."""
        R = self.views
        v = np.asarray(views, dtype=np.float64).reshape(len(views), R, -1)
        z = (v - self.mean) @ self.project
        turned = z @ self.turn.T
        m, turned_m = z.mean(axis=1), turned.mean(axis=1)
        dx = (R**2 * m * m - np.sum(z * z, axis=1)) / (R * (R - 1))
        rotation = (R**2 * turned_m * m - np.sum(turned * z, axis=1)) / (R * (R - 1))
        dx_aug = np.sum((z - m[:, None, :]) ** 2, axis=1) / (R - 1) + 2 * rotation
        parts = np.stack([dx, dx_aug, self.slopes[0] * dx + self.slopes[1] * dx_aug])
        self.count += len(v)
        self._sums += np.stack([parts.sum(axis=1), (parts**2).sum(axis=1)])
        return self

    def errors(self) -> DirectionErrors:
        """Return the standard errors."""
        first, second = self._sums / self.count
        return DirectionErrors(*np.sqrt(np.maximum(second - first**2, 0.0) / (self.count - 1)))


@dataclass(frozen=True, repr=False)
class ImageMoments(Brief):
    """X and X' estimated from images, and how.

    Args:
        moments: X and X' with their sampling error, in the scale named by `factor`.
        source: what the images were.
        image_shape: height and width (or the axes of one row of the arrays of views).
        n_images: number of images.
        views: views of each image.
        centred: whether the mean image was subtracted.
        factor: what X and X' in pixel units were multiplied by; 1 / lambda_max(X) when normalised.
        mean: mean image (pixel units), of shape `image_shape`.
        augmentation: what was applied, None for given views.
        errors: standard errors of each direction's x, x' and threshold, None where they were not asked for.
        independent: whether the images are independent samples; if not (patches of the same photo) the sampling
            error is too small.
    """

    moments: Moments
    source: str
    image_shape: tuple[int, ...]
    n_images: int
    views: int
    centred: bool
    factor: float
    mean: np.ndarray
    augmentation: Augmentation | None
    errors: DirectionErrors | None
    independent: bool

    def summary(self) -> str:
        """Return one or two sentences: what was measured and how well."""
        shape, sampling = " x ".join(map(str, self.image_shape)), self.moments.sampling
        parts = [f"{self.n_images} images of {shape} ({self.source}), {self.views} views each"]
        if sampling is not None:
            shares = [_percent(e, M) for e, M in ((sampling.X, self.moments.X), (sampling.X_aug, self.moments.X_aug))]
            parts.append(f"X known to {shares[0]}, X' to {shares[1]} (one standard error, Frobenius)")
        text = "; ".join(parts) + "."
        if not self.independent:
            text += " Patches of one photo are not independent: the true error is larger."
        return text


def _percent(error: float, M: Any) -> str:
    size = float(np.linalg.norm(M))
    return f"{100 * error / size:.2g} %" if size > 0 else "0 %"


def image_moments(
    images: Any,
    augmentation: Augmentation | None = None,
    *,
    seed: int = 0,
    views: int = 4,
    centre: bool = True,
    normalise: bool = True,
    size: int | None = None,
    patches: int | None = None,
    remove_grey: bool = False,
    errors: bool = True,
) -> ImageMoments:
    """Estimate X = E[xbar xbar^T] and X' = E_x Var[x'|x] from images, batch by batch.

    Args:
        images: "digits", "photos", a folder, two .npy files (or arrays) of views, or an array of images; see
            `open_source`.
        augmentation: how views are made, default `Augmentation()`; none may be given with arrays of views.
        seed: of the views (and of random patches).
        views: independent views of each image, >= 2; more lower the part of the error that the augmentation makes.
        centre: subtract the mean image. Left in, it is by far the largest direction of X and the same for all images:
            a network that answers every image alike would count as one whose mode survives.
        normalise: scale the data so that the largest eigenvalue of X is 1, as in Assumption 2; eta is then compared
            with numbers of order one. `factor` tells the scale (its own sampling error is not counted).
        size: side in pixels of a folder's resized images or of the patches of the photos, default 16.
        patches: number of random patches of the photos, default all tiles.
        remove_grey: subtract its own mean grey from every view: in patches of photos brightness is nearly all of X.
        errors: also find the standard error of every direction, which takes a second pass over the images.

    Returns:
        `ImageMoments`.

    Raises:
        ValueError: bad sources (see `open_source`), NaN inside, fewer than two images, fewer than two views, or images
            that are all the same.
    """
    source = open_source(images, size=size, patches=patches, seed=seed)
    given = isinstance(source, ViewArrays)
    if given and augmentation is not None:
        raise ValueError(
            f"augmentation must be left out with arrays of views, which stay as they are; got {augmentation}."
        )
    augmentation = None if given else augmentation or Augmentation()
    sums = ViewSums(int(np.prod(source.shape)), 2 if given else views)
    with one_thread(sums.n1):
        for batch in _view_batches(source, augmentation, sums, seed, remove_grey):
            sums.add(batch)
        moments, factor = sums.moments(centre), 1.0
        if normalise:
            moments, factor = _normalised(moments, sums)
        directions = None
        if errors:
            second = DirectionSums(moments, sums.mean if centre else np.zeros(sums.n1), factor, sums.views)
            for batch in _view_batches(source, augmentation, sums, seed, remove_grey):
                second.add(batch)
            directions = second.errors()
    return ImageMoments(
        moments=moments,
        source=source.name,
        image_shape=tuple(source.shape),
        n_images=sums.count,
        views=sums.views,
        centred=centre,
        factor=factor,
        mean=sums.mean.reshape(source.shape),
        augmentation=augmentation,
        errors=directions,
        independent=source.independent,
    )


def _view_batches(
    source: Any, augmentation: Augmentation | None, sums: ViewSums, seed: int, remove_grey: bool
) -> Iterator[np.ndarray]:
    """Yield views, images x R x pixels; the same ones each time it is called."""
    augment = None if augmentation is None else Augmenter(augmentation, seed)
    for batch in source.batches(max(1, BATCH_BYTES // (8 * sums.n1 * sums.views))):
        views = batch if augment is None else augment(batch, sums.views)
        views = views.reshape(*views.shape[:2], -1)
        yield views - views.mean(axis=2, keepdims=True) if remove_grey else views


def _normalised(moments: Moments, sums: ViewSums) -> tuple[Moments, float]:
    largest, power = float(np.linalg.eigvalsh(moments.X)[-1]), float(sums.mean @ sums.mean + np.trace(moments.X_aug))
    if largest <= ROUND_OFF * power:
        raise ValueError("The images must differ from each other; got X = 0 to round-off. Check what the source holds.")
    factor, old = 1 / largest, moments.sampling
    sampling = None
    if old is not None:
        sampling = SamplingError(old.n_samples, old.X * factor, old.X_aug * factor, old.clipped * factor)
    return Moments(moments.X * factor, moments.X_aug * factor, sampling), factor
