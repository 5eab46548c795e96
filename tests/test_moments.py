"""X and X': constructors, what is derived from them, estimates from views, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lindyn as ld
from lindyn._linalg import nested_eigh
from tests.helpers import moments, orthogonal, psd, relative, rng

SEEDS = st.integers(0, 10_000)
SIZES = st.integers(1, 6)


def projection(seed, n, k):
    Q = orthogonal(seed, n)[:, :k]
    return Q @ Q.T


def lowest(M):
    return float(np.linalg.eigvalsh(M)[0])


@given(SEEDS, SIZES, st.integers(0, 6))
def test_multiplicative_scrambling(seed, n, k):
    """Sigma^d = P Sigma^x P, and Sigma^d (Sigma^s)^-1 = P whether or not P and Sigma^x commute."""
    Sigma, P = psd(seed, n) + np.eye(n), projection(seed + 1, n, min(k, n))
    data = ld.Moments.multiplicative_scrambling(Sigma, P)
    assert np.linalg.norm(data.Sigma_d - P @ Sigma @ P) < 1e-12 * np.linalg.norm(Sigma)
    assert lowest(data.X) > -1e-12 * n and lowest(data.X_aug) > -1e-12 * n
    assert np.linalg.norm(data.Sigma_d @ np.linalg.inv(data.Sigma_s) - P) < 1e-10


def test_multiplicative_scrambling_by_sampling():
    """Views (P + U B U^T) x with a Gaussian B of their own: `from_views` finds what the constructor says."""
    Sigma, P = psd(1, 4), projection(2, 4, 2)
    U = np.linalg.eigh(np.eye(4) - P)[1][:, 2:]
    x = rng(3).normal(size=(200_000, 4)) @ np.linalg.cholesky(Sigma + 1e-12 * np.eye(4)).T
    views = [x @ P + np.einsum("nij,nj->ni", rng(k).normal(size=(200_000, 2, 2)), x @ U) @ U.T for k in (4, 5)]
    found, data = ld.Moments.from_views(*views), ld.Moments.multiplicative_scrambling(Sigma, P)
    assert relative(found.X, data.X) < 0.02 and relative(found.X_aug, data.X_aug) < 0.02


@given(SEEDS, SIZES, st.integers(0, 6))
def test_resampled_subspace(seed, n, k):
    """Sigma^d = P Sigma^x P; Sigma^s = Sigma^x exactly where P commutes with Sigma^x, and PSD always."""
    Sigma, P = psd(seed, n), projection(seed + 1, n, min(k, n))
    data = ld.Moments.resampled_subspace(Sigma, P)
    assert relative(data.Sigma_d, P @ Sigma @ P) < 1e-12 or not np.any(P)
    off = P @ Sigma @ (np.eye(n) - P)
    assert np.linalg.norm(data.Sigma_s + off + off.T - Sigma) < 1e-12 * (1 + np.linalg.norm(Sigma))
    assert lowest(data.X) > -1e-12 * n and lowest(data.X_aug) > -1e-12 * n
    V = np.linalg.eigh(Sigma)[1][:, : min(k, n)]
    aligned = ld.Moments.resampled_subspace(Sigma, V @ V.T)
    assert relative(aligned.Sigma_s, Sigma) < 1e-12


def test_resampled_subspace_by_sampling():
    """Views P x + (I - P) x' with x' an independent sample: what `from_views` finds is what the constructor says."""
    Sigma, P = psd(1, 3), projection(2, 3, 2)
    root, rest = np.linalg.cholesky(Sigma + 1e-12 * np.eye(3)), np.eye(3) - P
    x, one, two = (rng(k).normal(size=(100_000, 3)) @ root.T for k in (3, 4, 5))
    found = ld.Moments.from_views(x @ P + one @ rest, x @ P + two @ rest)
    data = ld.Moments.resampled_subspace(Sigma, P)
    assert relative(found.X, data.X) < 0.02 and relative(found.X_aug, data.X_aug) < 0.02


@given(SEEDS, SIZES)
def test_additive_scrambling(seed, n):
    Sigma, noise = psd(seed, n), psd(seed + 1, n)
    data = ld.Moments.additive_scrambling(Sigma, noise)
    assert relative(data.Sigma_d, Sigma) < 1e-14 and relative(data.Sigma_s, Sigma + noise) < 1e-14


def test_isotropic_and_commuting():
    data = ld.Moments.isotropic(4, 0.3, 1.2)
    np.testing.assert_array_equal(data.X, 1.2 * np.eye(4))
    np.testing.assert_array_equal(data.X_aug, 0.3 * np.eye(4))
    assert data.is_isotropic and data.commute and data.n1 == 4 and data.commutation_defect == 0.0
    V = orthogonal(1, 3)
    other = ld.Moments.commuting([0.5, 2.0, 1.0], 0.3, V)
    assert (
        relative(other.X, V @ np.diag([0.5, 2.0, 1.0]) @ V.T) < 1e-15 and relative(other.X_aug, 0.3 * np.eye(3)) < 1e-15
    )
    assert not other.is_isotropic and other.commute and not moments(1).commute


@given(SEEDS, st.integers(2, 8), st.booleans(), st.booleans())
def test_joint_spectrum_of_commuting_moments(seed, n, repeated, wide):
    """One orthogonal basis reproduces both to round-off, repeated eigenvalues and wide spectra included."""
    random = rng(seed)
    x, x_aug = random.uniform(size=(2, n))
    if repeated:
        x, x_aug = random.integers(0, 3, size=(2, n)) * 0.5
    if wide:
        x, x_aug = x * 10.0 ** -random.integers(0, 13, size=n), x_aug * 10.0 ** -random.integers(0, 13, size=n)
    data = ld.Moments.commuting(x, x_aug, orthogonal(seed + 1, n))
    found, found_aug, V = data.joint_spectrum()
    assert data.commute
    np.testing.assert_allclose(V.T @ V, np.eye(n), atol=1e-13)
    assert np.linalg.norm((V * found) @ V.T - data.X) <= 1e-13 * np.sqrt(n) * np.linalg.norm(data.X)
    assert np.linalg.norm((V * found_aug) @ V.T - data.X_aug) <= 1e-13 * np.sqrt(n) * np.linalg.norm(data.X_aug)
    assert np.all(np.diff(found) <= 1e-15)
    np.testing.assert_allclose(np.sort(found), np.sort(x), atol=1e-14)


def test_a_small_commutator_does_not_make_moments_commute():
    """Beside an entry of 1e6 the commutator is 4e-14, yet two directions of rates near 1 are coupled by 1/2."""
    X_aug = np.zeros((3, 3))
    X_aug[0, 0], X_aug[1:, 1:] = 1e6, [[1.0, 0.5], [0.5, 1.0]]
    data = ld.Moments(np.diag([1.0, 1.0, 1.0 + 1e-7]), X_aug)
    assert data.commutation_defect < 1e-13 and not data.commute


def test_basis_of_matrices_that_do_not_commute():
    """The eigenbasis of the first, whatever the second; inside its repeated eigenvalues that of the second."""
    V, B = orthogonal(3, 4), psd(4, 4)
    A = (V * [2.0, 1.0, 1.0, 0.5]) @ V.T
    a, U = nested_eigh(A, B)
    np.testing.assert_allclose(a, [2.0, 1.0, 1.0, 0.5], atol=1e-14)
    assert relative((U * a) @ U.T, A) < 1e-14
    assert abs(U[:, 1] @ B @ U[:, 2]) < 1e-14


@pytest.mark.parametrize("centre", [False, True])
def test_from_views_in_the_large_sample_limit(centre):
    """The estimate tends to the truth as 1 / sqrt(n), by about its own sampling error."""
    data, mean = moments(5), np.array([0.5, -1.0, 0.0, 2.0])
    roots = [np.linalg.cholesky(M + 1e-14 * np.eye(4)) for M in (data.X, data.X_aug)]
    for n in (2_000, 200_000):
        x, one, two = (rng(k).normal(size=(n, 4)) for k in (6, 7, 8))
        xbar = mean + x @ roots[0].T
        found = ld.Moments.from_views(xbar + one @ roots[1].T, xbar + two @ roots[1].T, centre=centre)
        X = data.X if centre else data.X + np.outer(mean, mean)
        assert found.sampling.n_samples == n
        assert np.linalg.norm(found.X - X) < 3 * found.sampling.X < 60 / np.sqrt(n)
        assert np.linalg.norm(found.X_aug - data.X_aug) < 3 * found.sampling.X_aug < 15 / np.sqrt(n)


def test_sampling_error_is_the_spread_over_repetitions():
    """The stated error against the root mean square error of 400 repetitions: within 10 %."""
    data, off, stated = ld.Moments(np.diag([1.0, 0.4]), np.diag([0.2, 0.5])), [], []
    for k in range(400):
        x, one, two = rng(k).normal(size=(3, 50, 2))
        xbar = x * np.sqrt([1.0, 0.4])
        found = ld.Moments.from_views(xbar + one * np.sqrt([0.2, 0.5]), xbar + two * np.sqrt([0.2, 0.5]))
        off.append([np.linalg.norm(found.X - data.X) ** 2, np.linalg.norm(found.X_aug - data.X_aug) ** 2])
        stated.append([found.sampling.X**2, found.sampling.X_aug**2])
    np.testing.assert_allclose(np.sqrt(np.mean(off, 0)), np.sqrt(np.mean(stated, 0)), rtol=0.1)


def test_streaming_is_the_whole_and_clipping_is_reported():
    v1, v2 = rng(9).normal(size=(2, 40, 3))
    sums = ld.MomentSums(3)
    for part in (slice(0, 7), slice(7, 40)):
        sums.add(v1[part], v2[part])
    whole = ld.Moments.from_views(v1, v2)
    assert relative(sums.moments().X, whole.X) < 1e-13 and relative(sums.moments().X_aug, whole.X_aug) < 1e-13
    raw = (v1.T @ v2 + v2.T @ v1) / 80
    values = np.linalg.eigvalsh(raw)
    assert whole.sampling.clipped == pytest.approx(np.linalg.norm(values[values < 0]), rel=1e-12) and values[0] < 0
    assert lowest(whole.X) > -1e-15
    d = v1 - v2
    assert relative(whole.X_aug, d.T @ d / 80) < 1e-13


def test_views_from_a_memory_mapped_file(tmp_path):
    v1, v2 = rng(10).normal(size=(2, 30, 2, 3))
    np.save(tmp_path / "v1.npy", v1)
    mapped = np.load(tmp_path / "v1.npy", mmap_mode="r")
    assert relative(ld.Moments.from_views(mapped, v2).X, ld.Moments.from_views(v1, v2).X) == 0.0
    assert ld.Moments.from_views(v1, v2).n1 == 6


BAD = {
    "not square": (lambda: ld.Moments(np.ones((2, 3)), np.eye(3)), "X must be square; got shape (2, 3)"),
    "sizes": (lambda: ld.Moments(np.eye(2), np.eye(3)), "X_aug must be 2 x 2; got shape (3, 3)"),
    "axes": (lambda: ld.Moments(np.ones(3), np.eye(3)), "X must have 2 axes; got shape (3,)"),
    "text": (lambda: ld.Moments("eye", np.eye(3)), "X must be a numeric array; got 'eye'"),
    "asymmetric": (lambda: ld.Moments([[1, 2], [0, 1]], np.eye(2)), "X must be symmetric; got max |X - X^T| = 2. Use"),
    "negative": (
        lambda: ld.Moments(np.eye(2), [[1, 2], [2, 1]]),
        "X_aug must be positive semi-definite; got smallest eigenvalue -1. Clip its negative eigenvalues",
    ),
    "NaN": (lambda: ld.Moments([[1, np.nan], [np.nan, 1]], np.eye(2)), "X must be finite; got 2 NaN or infinite of 4"),
    "sigma2": (lambda: ld.Moments.isotropic(3, -0.1), "sigma2 must be finite and >= 0; got -0.1. It is a variance."),
    "n1": (lambda: ld.Moments.isotropic(0, 0.1), "n1 must be a whole number >= 1; got 0"),
    "spectrum": (lambda: ld.Moments.commuting([1.0, -1.0], 0.1), "X must be positive semi-definite; got smallest"),
    "lengths": (
        lambda: ld.Moments.commuting([1.0, 1.0], [0.1, 0.2, 0.3]),
        "x_aug must be one number or one per eigenvalue of X, 2; got shape (3,)",
    ),
    "V": (
        lambda: ld.Moments.commuting([1.0, 1.0], 0.1, [[1, 1], [0, 1]]),
        "V must be orthogonal; got max |V^T V - I| = 1",
    ),
    "P": (
        lambda: ld.Moments.multiplicative_scrambling(np.eye(2), 0.5 * np.eye(2)),
        "P must be an orthogonal projection",
    ),
    "one sample": (lambda: ld.Moments.from_views(np.ones((1, 2)), np.ones((1, 2))), "At least 2 images are needed"),
    "views": (lambda: ld.Moments.from_views(np.ones((3, 2)), np.ones((3, 4))), "v1 and v2 must have the same shape"),
    "flat views": (lambda: ld.Moments.from_views(np.ones(3), np.ones(3)), "v1 must be samples x n1; got shape (3,)"),
    "infinite view": (
        lambda: ld.Moments.from_views(np.ones((3, 2)), [[1, 1], [1, np.inf], [1, 1]]),
        "must be finite; got 1 NaN or infinite entries, the first in view 2 of sample 1",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    make, text = BAD[case]
    with pytest.raises(ValueError) as caught:
        make()
    assert text in str(caught.value)


def test_round_off_is_forgiven():
    """Asymmetry and negative eigenvalues of 1e-12 are round-off: symmetrised, kept."""
    X = psd(11, 3)
    X[0, 1] += 1e-12
    data = ld.Moments(X, np.diag([1.0, 1e-3, -1e-12]))
    np.testing.assert_array_equal(data.X, data.X.T)


def test_samples_given_as_columns_are_named():
    views = np.random.default_rng(0).normal(size=(2, 4, 30))
    with pytest.warns(UserWarning, match=r"v1 has 4 rows and 30 columns, and rows are samples.*give v1\.T"):
        ld.Moments.from_views(*views)
