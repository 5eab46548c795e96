"""Augmentations: identity at 0, what each keeps, seeds."""

import numpy as np
import pytest

from lindyn.images import Augmentation, Augmenter
from lindyn.images.augment import blur, crop, flip


class Constant:
    """A generator whose draws are all the same, so that a strength is used to the full."""

    def __init__(self, value):
        self.value = value

    def random(self, shape):
        return np.full(shape, self.value)


@pytest.fixture
def images():
    return np.random.default_rng(1).random((40, 9, 7))


def test_strength_zero_is_the_identity(images):
    views = Augmentation.none().views(images, 3)
    assert views.shape == (40, 3, 9, 7)
    assert all(np.array_equal(views[:, k], images) for k in range(3))


@pytest.mark.parametrize("name", ["crop", "flip", "noise", "blur"])
def test_each_strength_alone_changes_the_images_and_views_differ(images, name):
    views = Augmentation(**{"crop": 0, "flip": 0, "noise": 0, "blur": 0, name: 0.5}).views(images, 2, seed=3)
    assert not np.allclose(views[:, 0], views[:, 1])
    assert not np.allclose(views[:, 0], images)


@pytest.mark.parametrize(("name", "strength"), [("crop", 0.6), ("flip", 0.5), ("blur", 3.0)])
def test_all_but_noise_keep_the_range(images, name, strength):
    images[0], images[1] = 0.0, 1.0
    views = Augmentation(**{"crop": 0, "flip": 0, "noise": 0, "blur": 0, name: strength}).views(images, 4)
    assert views.min() >= -1e-14 and views.max() <= 1 + 1e-14
    assert np.allclose(views[0], 0.0, atol=1e-14) and np.allclose(views[1], 1.0, atol=1e-14)


def test_blur_and_flip_keep_the_mean_of_every_image(images):
    views = Augmentation(crop=0, flip=0.5, noise=0, blur=2.0).views(images, 3)
    assert np.allclose(views.mean(axis=(2, 3)), images.mean(axis=(1, 2))[:, None], atol=1e-13)


def test_blur_spreads_a_point_by_its_variance():
    image = np.zeros((1, 41, 41))
    image[0, 20, 20] = 1.0
    spread = blur(image, 2.5, Constant(1.0))[0]
    at = np.arange(41) - 20.0
    assert spread.min() > -1e-15
    assert np.isclose(np.sum(spread.sum(axis=1) * at**2), 2.5**2, rtol=1e-9)
    assert np.isclose(np.sum(spread.sum(axis=0) * at**2), 2.5**2, rtol=1e-9)


def test_crop_of_a_ramp_is_a_ramp_with_the_slope_of_the_window():
    ramp = np.broadcast_to(np.arange(12.0), (300, 12, 12)) / 12
    views = crop(ramp, 0.5, np.random.default_rng(0))
    slopes = (views[:, 0, 7] - views[:, 0, 5]) * 12 / 2
    assert slopes.min() >= 0.5 - 1e-12 and slopes.max() <= 1 + 1e-12
    assert slopes.min() < 0.52 and slopes.max() > 0.98 and abs(slopes.mean() - 0.75) < 0.03
    smallest = crop(ramp[:1], 0.5, Constant(1.0))  # side 1/2, at the far end: [6, 12) at half a pixel a step
    assert np.allclose(smallest[0, 0] * 12, np.clip(5.75 + 0.5 * np.arange(12), 0, 11))


def test_crop_moves_rows_and_columns_alike():
    image = np.random.default_rng(2).random((5, 8, 8))
    across = crop(image, 0.4, Constant(0.3))
    down = crop(image.swapaxes(1, 2), 0.4, Constant(0.3)).swapaxes(1, 2)
    assert np.allclose(across, down)


def test_flip_mirrors_with_its_probability():
    images = np.random.default_rng(0).random((2000, 3, 4))
    assert np.array_equal(flip(images, 1.0, np.random.default_rng(0)), images[:, :, ::-1])
    turned = (flip(images, 0.3, np.random.default_rng(0)) != images).any(axis=(1, 2))
    assert abs(turned.mean() - 0.3) < 4 * np.sqrt(0.21 / 2000)


def test_noise_has_its_size_no_mean_and_is_independent_between_views():
    images = np.zeros((4000, 4, 4))
    views = Augmentation(crop=0, flip=0, noise=0.2, blur=0).views(images, 2).reshape(4000, 2, 16)
    n = 4000 * 16
    assert abs(views[:, 0].mean()) < 4 * 0.2 / np.sqrt(n)
    assert abs(views.var() - 0.04) < 4 * 0.04 / np.sqrt(n)
    assert abs(np.mean(views[:, 0] * views[:, 1])) < 4 * 0.04 / np.sqrt(n)


def test_views_depend_on_the_seed_only_not_on_the_batches(images):
    augmentation = Augmentation(crop=0.3, flip=0.5, noise=0.1, blur=1.0)
    whole = Augmenter(augmentation, 5)(images, 3)
    pieces = Augmenter(augmentation, 5)
    parts = [pieces(images[k : k + 7], 3) for k in range(0, 40, 7)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-14, rtol=0)
    assert np.array_equal(augmentation.views(images, 3, seed=5), whole)
    assert not np.allclose(augmentation.views(images, 3, seed=6), whole)


@pytest.mark.parametrize("shape", [(3, 1, 5), (3, 5, 1), (3, 1, 1)])
def test_images_one_pixel_wide_or_high(shape):
    images = np.random.default_rng(0).random(shape)
    views = Augmentation(crop=0.5, flip=0.5, noise=0.0, blur=1.0).views(images, 2)
    assert views.shape == (3, 2, *shape[1:]) and np.isfinite(views).all()


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        ({"crop": 1.0}, "crop must be below 1; got 1. It is a share of the side."),
        ({"flip": 1.5}, "flip must be between 0 and 1; got 1.5. It is a probability."),
        ({"noise": -0.1}, "noise must be finite and >= 0; got -0.1. 0 switches it off."),
        ({"blur": np.nan}, "blur must be finite and >= 0; got nan. 0 switches it off."),
        ({"crop": "much"}, "crop must be a number; got 'much'."),
    ],
)
def test_bad_strengths(strengths, message):
    with pytest.raises(ValueError) as error:
        Augmentation(**strengths)
    assert str(error.value) == message
