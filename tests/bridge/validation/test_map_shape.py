"""Numbers of a matrix alone, and what random rotations give, each by a second route."""

import numpy as np
import pytest
from scipy import optimize, stats

from lindyn.statistics import random_alignment, random_commutator_sq, shape_of
from tests.bridge.validation.synthetic import rotation

RNG = np.random.default_rng(0)
MATRIX = RNG.standard_normal((6, 6)) + np.eye(6)


def test_a_scaled_projection_is_one():
    U = rotation(6, 1)[:, :4]
    found = shape_of(-0.0 + 3 * U @ U.T)
    assert found["projection_sq"] == pytest.approx(0, abs=1e-12) and found["stable_rank"] == pytest.approx(4)
    assert found["polar_sq"] == pytest.approx(1 - 16 / 24) and found["negative_share"] < 1e-12
    assert found["trace"] == pytest.approx(12) and found["asymmetry_sq"] < 1e-24


def test_a_scaled_rotation_is_its_own_polar_factor():
    found = shape_of(0.3 * rotation(6, 2))
    assert found["polar_sq"] == pytest.approx(0, abs=1e-12) and found["stable_rank"] == pytest.approx(6)


def test_minus_a_projection_is_far_from_every_projection():
    assert shape_of(-np.eye(5))["projection_sq"] == 1.0 and shape_of(-np.eye(5))["negative_share"] == 1.0


def test_an_antisymmetric_matrix_has_asymmetry_two():
    assert shape_of(MATRIX - MATRIX.T)["asymmetry_sq"] == pytest.approx(4)


def test_the_nearest_projection_beats_a_search():
    """Over many projections, ranks and best scales none is nearer than the closed form says, and one is as near."""
    found, size = shape_of(MATRIX), np.sum(MATRIX**2)
    _, U = np.linalg.eigh((MATRIX + MATRIX.T) / 2)
    best = 1.0
    for k in range(1, 7):
        for trial in range(200):
            Q = U[:, -k:] if trial == 0 else rotation(6, [k, trial])[:, :k]
            P = Q @ Q.T
            scale = max(np.sum(MATRIX * P) / k, 0)
            distance = np.sum((MATRIX - scale * P) ** 2) / size
            assert distance >= found["projection_sq"] - 1e-12
            best = min(best, distance)
    assert best == pytest.approx(float(found["projection_sq"]), abs=1e-12)


def test_the_polar_distance_is_that_of_the_best_scale():
    U, _, Vt = np.linalg.svd(MATRIX)
    size = np.sum(MATRIX**2)
    search = optimize.minimize_scalar(lambda a: np.sum((MATRIX - a * U @ Vt) ** 2) / size)
    assert shape_of(MATRIX)["polar_sq"] == pytest.approx(search.fun, abs=1e-9)


def test_a_stack_of_matrices_is_one_by_one():
    many = RNG.standard_normal((3, 5, 5))
    together = shape_of(many)
    for k in range(3):
        for name, value in shape_of(many[k]).items():
            np.testing.assert_allclose(together[name][k], value, rtol=1e-12)


def test_what_independent_entries_give_is_as_the_table_says():
    """asymmetry 1.41, negative share 0.5, projection about 0.9, polar 0.53."""
    found = shape_of(np.random.default_rng(1).standard_normal((20, 60, 60)))
    assert np.sqrt(found["asymmetry_sq"]).mean() == pytest.approx(2**0.5, rel=0.02)
    assert found["negative_share"].mean() == pytest.approx(0.5, abs=0.02)
    assert np.sqrt(found["projection_sq"]).mean() == pytest.approx(0.9, abs=0.03)
    assert np.sqrt(found["polar_sq"]).mean() == pytest.approx(0.53, abs=0.01)


@pytest.mark.parametrize(
    "W_p", [MATRIX, MATRIX + MATRIX.T, MATRIX - MATRIX.T], ids=["any", "symmetric", "antisymmetric"]
)
def test_the_commutator_of_random_rotations_is_their_mean(W_p):
    s = np.array([2.0, 1.0, 0.5, 0.3, 0.1, 0.0])
    F, draws = np.diag(s), []
    for Q in stats.ortho_group.rvs(6, size=20_000, random_state=3):
        M = Q @ W_p @ Q.T
        draws.append(np.sum((F @ M - M @ F) ** 2))
    error = np.std(draws) / np.sqrt(len(draws))
    assert random_commutator_sq(s, W_p) == pytest.approx(np.mean(draws), abs=4 * error) and error < 0.01 * np.mean(
        draws
    )


def test_a_multiple_of_the_identity_commutes_in_every_basis():
    assert random_commutator_sq(np.arange(4.0), 3 * np.eye(4)) == pytest.approx(0, abs=1e-12)
    assert np.allclose(random_alignment(3 * np.eye(6), 4), 1.0)


def test_random_directions_do_not_see_an_antisymmetric_map():
    assert np.abs(random_alignment(MATRIX - MATRIX.T, 4)).max() < 1e-12
