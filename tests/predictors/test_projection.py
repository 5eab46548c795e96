"""Left and right: W_p acts on column vectors, Richemond's P on rows, W_p = P^T; on batches Z, Z'."""

import numpy as np
import pytest
import scipy.linalg

from lindyn.predictors import Rule, statistics
from tests.helpers import rng
from tests.predictors.cases import entrywise


def views(seed=0, samples=30, d=6):
    Z = rng(seed).normal(size=(samples, d)) @ rng(seed + 1).normal(size=(d, d))
    return Z, Z + 0.5 * rng(seed + 2).normal(size=(samples, d))


@pytest.mark.parametrize("samples", [30, 4])
def test_regression_projects_on_the_column_space(samples):
    """Claim 1: Z P is the orthogonal projection of Z' on col Z, also where the batch is smaller than d."""
    Z, Z_target = views(samples=samples)
    P = Rule.of("linear_regression")(*statistics(Z, Z_target)).T
    basis = scipy.linalg.orth(Z)
    assert entrywise(Z @ P, basis @ (basis.T @ Z_target)) < 1e-11
    assert entrywise(P, np.linalg.pinv(Z) @ Z_target) < 1e-10
    wrong = Rule.of("linear_regression")(*statistics(Z, Z_target))
    assert samples < 6 or entrywise(Z @ wrong, basis @ (basis.T @ Z_target)) > 0.01  # P is not symmetric


def test_regression_predicts_best():
    Z, Z_target = views()
    W_p = Rule.of("linear_regression")(*statistics(Z, Z_target))
    best = np.linalg.norm(Z @ W_p.T - Z_target)
    for seed in range(20):
        other = W_p + 1e-3 * rng(seed).normal(size=W_p.shape)
        assert np.linalg.norm(Z @ other.T - Z_target) > best


def test_neumann_is_the_printed_formula_transposed():
    Z, Z_target = views()
    W_p = Rule.of("neumann")(*statistics(Z, Z_target))
    Z, Z_target = Z / 30**0.5, Z_target / 30**0.5
    assert entrywise(W_p, (2 * Z.T @ Z_target - Z.T @ Z @ Z.T @ Z_target).T) < 1e-13


def test_neumann_is_the_regression_of_whitened_features():
    Z, Z_target = views()
    Z = Z @ np.linalg.inv(scipy.linalg.sqrtm(Z.T @ Z / 30).real)
    F, H = statistics(Z, Z_target)
    assert entrywise(Rule.of("neumann")(F, H), Rule.of("linear_regression")(F, H)) < 1e-12


def test_stiefel_is_procrustes():
    """The polar factor of H is the orthogonal W_p that predicts best: Z R ~ Z' with R = W_p^T of scipy."""
    Z, Z_target = views()
    F, H = statistics(Z, Z_target)
    W_p = Rule.of("stiefel", steps=25, scale="polar")(F, H)
    assert entrywise(W_p, scipy.linalg.polar(H)[0]) < 1e-9
    R, _ = scipy.linalg.orthogonal_procrustes(Z, Z_target)
    assert entrywise(W_p.T, R) < 1e-9
    printed = Rule.of("stiefel", steps=25)(F, H)
    assert entrywise(printed / np.linalg.norm(printed, 2), W_p) < 1e-9  # the same up to its size


def test_stiefel_as_printed_on_rows_is_the_transpose_of_the_best():
    """(S^T S)^(-1/2) S^T with S = Z^T Z', as a P that acts on rows, is the transpose of Procrustes' R."""
    Z, Z_target = views()
    S = Z.T @ Z_target
    printed = np.linalg.inv(scipy.linalg.sqrtm(S.T @ S).real) @ S.T
    R, _ = scipy.linalg.orthogonal_procrustes(Z, Z_target)
    assert entrywise(printed, R.T) < 1e-9 and np.abs(R - R.T).max() > 0.01


def test_symmetric_rules_are_the_same_on_both_sides():
    F, _ = statistics(*views())
    for name in ("direct_pred", "direct_copy", "visser", "newton_schulz", "newton_schulz_twice"):
        W_p = Rule.of(name)(F)
        assert entrywise(W_p.T, W_p) < 1e-12
