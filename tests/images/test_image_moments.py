"""`image_moments`: known answers of the augmentations, scaling, centring, seeds."""

import subprocess
import sys

import numpy as np
import pytest

from lindyn.images import Augmentation, image_moments, open_source


@pytest.fixture(scope="module")
def pixels():
    return np.concatenate(list(open_source("digits").batches(2000))).reshape(1797, 64)


def test_without_augmentation_X_is_the_covariance_and_X_aug_nothing(pixels):
    found = image_moments("digits", Augmentation.none(), normalise=False)
    assert np.allclose(found.moments.X, np.cov(pixels.T), atol=1e-12)
    assert np.max(np.abs(found.moments.X_aug)) < 1e-15
    assert found.moments.sampling.X_aug < 1e-15 and found.factor == 1.0
    assert np.allclose(found.mean.ravel(), pixels.mean(axis=0)) and found.image_shape == (8, 8)


def test_noise_adds_its_variance_to_X_aug_and_nothing_to_X(pixels):
    found = image_moments("digits", Augmentation(crop=0, flip=0, noise=0.3, blur=0), normalise=False, views=6)
    sampling = found.moments.sampling
    assert np.linalg.norm(found.moments.X_aug - 0.09 * np.eye(64)) < 3 * sampling.X_aug
    assert np.linalg.norm(found.moments.X - np.cov(pixels.T)) < 2 * sampling.X  # the images themselves are the same
    # sample covariances of 6 Gaussian views of 64 pixels (Wishart): E ||x' - X'||^2 = sigma^4 (64^2 + 64) / 5
    assert np.isclose(sampling.X_aug, 0.09 * np.sqrt(64 * 65 / 5 / 1797), rtol=0.02)


def test_fair_flips_move_the_odd_part_of_the_images_from_X_to_X_aug(pixels):
    views = 16
    found = image_moments("digits", Augmentation(crop=0, flip=0.5, noise=0, blur=0), normalise=False, views=views)
    mirror = np.eye(64).reshape(8, 8, 64)[:, ::-1].reshape(64, 64)
    even, odd = (np.eye(64) + mirror) / 2, (np.eye(64) - mirror) / 2
    covariance, second = np.cov(pixels.T), pixels.T @ pixels / 1797
    error = found.moments.sampling
    assert np.linalg.norm(found.moments.X - even @ covariance @ even) < 2 * error.X
    assert np.linalg.norm(found.moments.X_aug - odd @ second @ odd) < 2 * error.X_aug
    assert np.linalg.norm(odd @ second @ odd) > 10 * error.X_aug


def test_normalising_makes_the_largest_eigenvalue_one_and_states_the_factor():
    plain, scaled = (image_moments("digits", normalise=choice) for choice in (False, True))
    assert np.isclose(np.linalg.eigvalsh(scaled.moments.X)[-1], 1.0, rtol=1e-12)
    assert np.isclose(scaled.factor, 1 / np.linalg.eigvalsh(plain.moments.X)[-1])
    for name in ("X", "X_aug"):
        assert np.allclose(getattr(scaled.moments, name), scaled.factor * getattr(plain.moments, name))
        assert np.isclose(getattr(scaled.moments.sampling, name), scaled.factor * getattr(plain.moments.sampling, name))
    assert np.allclose(scaled.errors.threshold, scaled.factor * plain.errors.threshold)


def test_centring_takes_the_mean_image_out_of_X_only(pixels):
    centred, raw = (image_moments("digits", centre=choice, normalise=False) for choice in (True, False))
    mean = centred.mean.ravel()
    assert np.linalg.norm(raw.moments.X - centred.moments.X - np.outer(mean, mean)) < 0.01 * mean @ mean
    assert np.array_equal(raw.moments.X_aug, centred.moments.X_aug)
    assert np.linalg.eigvalsh(raw.moments.X)[-1] > 10 * np.linalg.eigvalsh(centred.moments.X)[-1]


def test_removing_the_grey_kills_the_constant_direction():
    found = image_moments("photos", size=8, patches=400, remove_grey=True)
    flat = np.ones(64) / 8
    assert abs(flat @ found.moments.X @ flat) < 1e-12 and abs(flat @ found.moments.X_aug @ flat) < 1e-12
    kept = image_moments("photos", size=8, patches=400)
    assert flat @ kept.moments.X @ flat > 0.9  # brightness is nearly all of X otherwise


def test_the_seed_decides(pixels):
    one, same, other = (image_moments("digits", seed=seed).moments for seed in (3, 3, 4))
    assert np.array_equal(one.X, same.X) and np.array_equal(one.X_aug, same.X_aug)
    gap = np.linalg.norm(one.X_aug - other.X_aug)
    assert 0 < gap < 2 * one.sampling.X_aug  # the same images, other views


def test_batches_do_not_matter(monkeypatch):
    from lindyn.images import estimate

    whole = image_moments("digits")
    monkeypatch.setattr(estimate, "BATCH_BYTES", 100_000)  # 48 images at a time
    parts = image_moments("digits")
    assert np.max(np.abs(whole.moments.X - parts.moments.X)) < 1e-12
    assert np.max(np.abs(whole.moments.X_aug - parts.moments.X_aug)) < 1e-12
    assert np.allclose(whole.errors.threshold, parts.errors.threshold, rtol=1e-9)


def test_given_views_take_no_augmentation():
    views = np.random.default_rng(0).normal(size=(2, 40, 5))
    assert image_moments(list(views)).augmentation is None
    with pytest.raises(ValueError, match="augmentation must be left out with arrays of views"):
        image_moments(list(views), Augmentation())


def test_summary_tells_size_views_and_errors():
    text = image_moments("digits").summary()
    assert text.startswith("1797 images of 8 x 8 (digits), 4 views each; X known to ")
    assert "not independent" not in text
    assert "not independent" in image_moments("photos", size=8, patches=50).summary()


def test_importing_lindyn_loads_no_image_package():
    code = "import sys, lindyn.images; print([m for m in ('sklearn', 'PIL', 'matplotlib', 'jax') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("centre", [True, False])
def test_error_of_each_eigenvalue_is_that_of_a_mean_of_squares(pixels, centre):
    found = image_moments("digits", Augmentation.none(), centre=centre)
    V = found.moments.joint_spectrum()[2]
    squares = ((pixels - centre * pixels.mean(axis=0)) @ V) ** 2 * found.factor
    assert np.allclose(found.errors.x, squares.std(axis=0) / np.sqrt(1796), rtol=1e-6, atol=1e-12)
