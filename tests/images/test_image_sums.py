"""X and X' from several views: against brute force, against MomentSums, unbiased, with honest errors."""

import numpy as np
import pytest

from lindyn import Moments, MomentSums
from lindyn.images import ViewSums
from lindyn.images.estimate import DirectionSums


def brute_force(v, centre):
    """Per-image matrices by explicit loops over pairs of views, and their standard errors."""
    n, R, n1 = v.shape
    w = v - v.mean(axis=(0, 1)) if centre else v
    across, apart = np.zeros((2, n, n1, n1))
    for i in range(n):
        m = w[i].mean(axis=0)
        for a in range(R):
            apart[i] += np.outer(w[i, a] - m, w[i, a] - m) / (R - 1)
            for b in range(R):
                across[i] += (a != b) * np.outer(w[i, a], w[i, b]) / (R * (R - 1))
    errors = [np.sqrt(np.sum((M - M.mean(axis=0)) ** 2) / n / (n - 1)) for M in (across, apart)]
    return across.mean(axis=0), apart.mean(axis=0), errors


@pytest.fixture
def views():
    rng = np.random.default_rng(0)
    return 3.0 + rng.normal(size=(60, 1, 4)) * [2, 1, 1, 0.5] + rng.normal(size=(60, 3, 4))


def test_uncentred_sums_are_the_mean_over_pairs_of_views(views):
    X, X_aug, errors = brute_force(views, centre=False)
    found = ViewSums(4, 3).add(views).moments(centre=False)
    assert np.allclose(found.X, X, rtol=0, atol=1e-12) and np.allclose(found.X_aug, X_aug, rtol=0, atol=1e-12)
    assert np.allclose((found.sampling.X, found.sampling.X_aug), errors, rtol=1e-9)
    assert found.sampling.n_samples == 60


def test_centred_sums_are_the_unbiased_covariance_and_their_error_is_of_centred_products(views):
    X, X_aug, errors = brute_force(views, centre=True)
    found = ViewSums(4, 3).add(views).moments(centre=True)
    means = np.cov(views.mean(axis=1).T)  # covariance of the means of 3 views is X + X'/3
    assert np.allclose(found.X, means - X_aug / 3, rtol=0, atol=1e-12)
    assert np.allclose(found.X, X + (means / 60), rtol=0, atol=1e-12)
    assert np.allclose((found.sampling.X, found.sampling.X_aug), errors, rtol=1e-9)


def test_two_views_give_the_same_as_moment_sums(views):
    pair = views[:, :2]
    ours, theirs = ViewSums(4, 2).add(pair).moments(), MomentSums(4).add(pair[:, 0], pair[:, 1]).moments()
    assert np.allclose(ours.X, theirs.X, rtol=0, atol=1e-12)
    assert np.allclose(ours.X_aug, theirs.X_aug, rtol=0, atol=1e-12)
    assert np.isclose(ours.sampling.X, theirs.sampling.X, rtol=1e-9)
    assert np.isclose(ours.sampling.X_aug, theirs.sampling.X_aug, rtol=1e-9)


def test_in_chunks_equals_in_one_go(views):
    sums = ViewSums(4, 3)
    for start in range(0, 60, 7):
        sums.add(views[start : start + 7])
    one, many = ViewSums(4, 3).add(views).moments(True), sums.moments(True)
    assert np.max(np.abs(one.X - many.X)) < 1e-12 and np.max(np.abs(one.X_aug - many.X_aug)) < 1e-12
    assert abs(one.sampling.X - many.sampling.X) < 1e-12


N, R = 400, 3
TRUE_X = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 0.5]])
TRUE_X_AUG = np.array([[0.5, 0.3, -0.2], [0.3, 1.0, 0.1], [-0.2, 0.1, 0.3]])


def sample(seed):
    """Gaussian views with known X, X' and a mean image that dwarfs both."""
    rng = np.random.default_rng(seed)
    clean = rng.multivariate_normal(np.full(3, 10.0), TRUE_X, size=(N, 1))
    return clean + rng.multivariate_normal(np.zeros(3), TRUE_X_AUG, size=(N, R))


@pytest.fixture(scope="module")
def repeats():
    return [sample(seed) for seed in range(150)]


def test_known_moments_are_found_without_bias_and_with_an_honest_error(repeats):
    found = [ViewSums(3, R).add(v).moments(centre=True) for v in repeats]
    for name, true in (("X", TRUE_X), ("X_aug", TRUE_X_AUG)):
        gaps = np.array([getattr(m, name) - true for m in found])
        stated = np.mean([getattr(m.sampling, name) for m in found])
        rms = np.sqrt(np.mean(np.sum(gaps**2, axis=(1, 2))))
        assert 0.88 < rms / stated < 1.12  # 150 repeats of 6 entries know it to a few per cent
        assert np.linalg.norm(gaps.mean(axis=0)) < 2.5 * stated / np.sqrt(len(found))
        assert np.linalg.norm(gaps[0]) < 3 * stated


def test_errors_of_each_direction_are_honest(repeats):
    x, x_aug, _ = Moments(TRUE_X, TRUE_X_AUG).joint_spectrum()
    true = np.array([x, x_aug, x**2 / (4 * (x + x_aug))])
    gaps, stated = [], []
    for v in repeats:
        sums = ViewSums(3, R).add(v)
        moments = sums.moments(centre=True)
        y, y_aug, _ = moments.joint_spectrum()
        gaps.append(np.array([y, y_aug, y**2 / (4 * (y + y_aug))]) - true)
        second = DirectionSums(moments, sums.mean, 1.0, R)
        errors = second.add(v[:100]).add(v[100:]).errors()
        stated.append([errors.x, errors.x_aug, errors.threshold])
    ratio = np.sqrt(np.mean(np.square(gaps), axis=0)) / np.sqrt(np.mean(np.square(stated), axis=0))
    assert np.all((ratio > 0.8) & (ratio < 1.2)), ratio


def test_the_turning_of_directions_is_most_of_the_error_of_x_aug(repeats):
    sums = ViewSums(3, R).add(repeats[0])
    full = DirectionSums(sums.moments(True), sums.mean, 1.0, R).add(repeats[0])
    still = DirectionSums(sums.moments(True), sums.mean, 1.0, R)
    still.turn = np.zeros((3, 3))
    # so the calibration above would fail if the rotation were left out
    assert np.max(full.errors().x_aug / still.add(repeats[0]).errors().x_aug) > 1.3


def test_scaled_data_have_scaled_errors(views):
    sums = ViewSums(4, 3).add(views)
    plain = sums.moments(True)
    one = DirectionSums(plain, sums.mean, 1.0, 3).add(views).errors()
    scaled = DirectionSums(Moments(0.2 * plain.X, 0.2 * plain.X_aug), sums.mean, 0.2, 3).add(views).errors()
    assert np.allclose(scaled.x, 0.2 * one.x) and np.allclose(scaled.threshold, 0.2 * one.threshold)


def test_bad_views():
    with pytest.raises(ValueError, match=r"views must be a whole number >= 2; got 1. One view cannot tell X from X'."):
        ViewSums(4, 1)
    with pytest.raises(ValueError, match=r"views must be images x 2 x 4; got shape \(3, 2, 5\)."):
        ViewSums(4, 2).add(np.zeros((3, 2, 5)))
    with pytest.raises(ValueError, match=r"At least 2 images are needed to estimate X and X'; got 1."):
        ViewSums(4, 2).add(np.zeros((1, 2, 4))).moments()
    bad = np.zeros((5, 2, 4))
    bad[3, 1, 2], bad[4, 0, 0] = np.nan, np.inf
    sums = ViewSums(4, 2).add(np.zeros((10, 2, 4)))
    with pytest.raises(ValueError, match=r"got 2 NaN or infinite entries, the first in view 2 of sample 13."):
        sums.add(bad)
