"""Numbers that other tests only see through something larger, each against its definition."""

import warnings

import numpy as np
import pytest

import lindyn as ld
from lindyn import moments, statistics
from lindyn.equations import rest, weights
from lindyn.flows import from_settings, losses, rules
from lindyn.predictors import Recipe
from lindyn.verification import critical

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("odd", [0.0, 1.0])
def test_the_null_of_the_commutator_is_a_mean_over_rotations(odd):
    """E ||[F, Q W_p Q^T]||^2 of a matrix whose two parts weigh alike, by drawn rotations."""
    d, s = 4, np.array([3.0, 1.0, 0.5, 0.1])
    M = RNG.normal(size=(d, d))
    W_p = M + M.T + odd * 2 * (M - M.T)
    drawn = [statistics.commutator_sq(s, Q.T @ W_p @ Q) for Q in np.linalg.qr(RNG.normal(size=(20_000, d, d)))[0]]
    null, error = float(statistics.random_commutator_sq(s, W_p)), np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - null) < 4 * error and error < 0.02 * null


def test_spread_is_the_variation_of_the_scaled_eigenvalues():
    s, A = np.array([2.0, 1.0, 0.4, 0.1]), RNG.normal(size=(4, 4))
    M = A @ A.T
    for k in (2, 4):
        root = np.sqrt(s[:k])
        values = np.linalg.eigvalsh(M[:k, :k] / np.outer(root, root))
        assert statistics.spread_sq(M, s, k) == pytest.approx(np.var(values) / np.mean(values) ** 2, rel=1e-10)


def test_std_of_unit_features():
    z = RNG.normal(size=(50, 3)) + np.array([0.5, 0.0, -1.0])
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    found = statistics.std_of_unit(u.mean(axis=0), (u**2).mean(axis=0), 50)
    assert found == pytest.approx(u.std(axis=0, ddof=1).mean(), rel=1e-12)


def test_the_angle_of_a_step_with_momentum():
    """Simulated: a random gradient at a right angle, momentum m; the norm settles, and so does the angle."""
    assert rest.angle_per_step(0.1, 0.02, 0.9) == pytest.approx(np.sqrt(2 * 0.1 * 0.02 / 1.9), rel=1e-14)


def test_parts_of_a_matrix():
    M = RNG.normal(size=(3, 3))
    S, A = weights.symmetric_part(M), weights.antisymmetric_part(M)
    np.testing.assert_allclose(S + A, M)
    np.testing.assert_array_equal(S, S.T)
    np.testing.assert_array_equal(A, -A.T)


def test_moments_in_chunks(monkeypatch):
    """More samples than a chunk holds: the same sums."""
    v1, v2 = RNG.normal(size=(2, 37, 3))
    whole = ld.Moments.from_views(v1, v2)
    monkeypatch.setattr(moments, "CHUNK_BYTES", 8 * 3 * 5)
    pieces = ld.Moments.from_views(v1, v2)
    np.testing.assert_allclose(pieces.X, whole.X, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(pieces.X_aug, whole.X_aug, rtol=1e-12)
    for one, other in zip(vars(pieces.sampling).values(), vars(whole.sampling).values(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_samples_as_columns_are_warned_of_where_they_were_given():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ld.Moments.from_views(RNG.normal(size=(3, 40)), RNG.normal(size=(3, 40)))
    assert [one.filename for one in caught] == [__file__] * len(caught) and caught


def test_mean_cosine_of_one_mode_and_of_two():
    """One mode without augmentation points one way: cos = +-1; two modes by sampling."""
    assert losses.mean_cosine(np.array([0.7]), np.array([0.5]), np.array([0.4]), 1.0, 0.0) == pytest.approx(
        1.0, abs=1e-5
    )
    p, w, a, x, x_aug = np.array([0.9, 0.4]), np.array([0.8, 0.5]), np.array([0.7, 0.6]), 1.0, np.array([0.3, 0.6])
    xi = RNG.normal(size=(3, 200_000, 2))
    q, t = (p * w * (xi[0] + np.sqrt(x_aug) * xi[1]), a * (xi[0] + np.sqrt(x_aug) * xi[2]))
    cos = np.sum(q * t, axis=1) / np.linalg.norm(q, axis=1) / np.linalg.norm(t, axis=1)
    assert losses.mean_cosine(p, w, a, x, x_aug) == pytest.approx(cos.mean(), abs=5 * cos.std() / 450)


def test_the_slope_s_error_is_that_of_least_squares():
    s, p = np.exp(RNG.normal(size=8)), np.exp(RNG.normal(size=8))
    (slope, _), covariance = np.polyfit(np.log(s), np.log(p), 1, cov="unscaled")
    rest = np.sum((np.log(p) - np.polyval(np.polyfit(np.log(s), np.log(p), 1), np.log(s))) ** 2)
    found, error = statistics.slope(p, s)
    assert found == pytest.approx(slope, rel=1e-10)
    assert error == pytest.approx(np.sqrt(covariance[0, 0] * rest / 6), rel=1e-10)


def test_a_rule_sets_modes_as_it_sets_a_matrix():
    """With a moving average of W_p: rho_p old + (1 - rho_p) rule."""
    recipe = Recipe.of("direct_set", power=0.5, rho_p=0.25)
    old, s = np.array([0.3, 0.9, 0.5]), np.array([0.4, 0.1, 0.05])
    np.testing.assert_allclose(rules.update(recipe, old, s, None), 0.25 * old + 0.75 * np.sqrt(s), rtol=1e-12)
    matrix = rules.update(recipe, np.diag(old), np.diag(s), None)
    np.testing.assert_allclose(np.diag(matrix), 0.25 * old + 0.75 * np.sqrt(s), rtol=1e-12)


def test_modes_start_as_the_settings_say():
    given = {"predictor": "trained", "p": None, "s": None, "tau0": None, "x": [1.0] * 4, "x_aug": [0.2]}
    for start, tau in (("zero", 0.0), ("copy", 1.0)):
        found = from_settings.mode_start({**given, "target_start": start})
        for values, wanted in zip(found, (0.3, 0.1, tau), strict=True):
            np.testing.assert_array_equal(values, np.full(4, wanted))


def test_outputs_of_the_augmentation_alone_are_outputs():
    """W sees a direction in which only the views vary: q is not 0, and the cosine loss is defined."""
    data = ld.Moments(np.diag([1.0, 0.0]), np.diag([0.1, 0.5]))
    W = np.array([[0.0, 1.0]])
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.4, 0.0), data, loss="cosine")
    flow.check_state(ld.WeightState(W, [[1.0]], W))


def test_without_any_variance_nothing_is_pulled():
    assert critical.top_share(ld.GramFlow(ld.Hyperparameters(), x=0.0, sigma2=0.0)) == 0.0
    assert critical.top_share(ld.GramFlow(ld.Hyperparameters(), x=2.0, sigma2=1.0)) == pytest.approx(4 / 3)
