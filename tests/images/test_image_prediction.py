"""What can live: closed forms, the one-mode eigenproblem and the bounds, each against the flow itself."""

import numpy as np
import pytest

import lindyn as ld
from lindyn.images import predict, single_modes, survival_threshold
from lindyn.images.survival_prediction import collapse_bounds, threshold_slopes

HP = ld.Hyperparameters(alpha_p=1.7, beta=0.5, eta=0.03)


def random_psd(n, seed, decay):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (Q * decay ** np.arange(n)) @ Q.T


@pytest.fixture
def crossed():
    """Moments that are far from commuting."""
    data = ld.Moments(random_psd(6, 0, 0.8), 0.8 * random_psd(6, 1, 0.4))
    assert data.commutation_defect > 0.15
    return data


def speed(hp, data, W, W_p):
    rate = ld.WeightFlow(hp, data)(0.0, ld.WeightState(W, W_p))
    return max(np.max(np.abs(d)) for d in (rate.W, rate.W_p, rate.W_a))


def test_threshold_is_where_the_fixed_point_of_the_modes_disappears():
    x, x_aug = np.array([1.0, 0.8, 0.3]), np.array([0.5, 0.0, 2.0])
    critical = survival_threshold(x, x_aug)
    best = np.linspace(0, 1, 100_001)[:, None]
    D = ld.equations.modes.drive(best, 1.0, x, x_aug)
    assert np.allclose(ld.equations.modes.growth(best, D, critical).max(axis=0), 0.0, atol=1e-9)
    assert survival_threshold(0.0, 0.0) == 0.0


def test_threshold_slopes_are_its_derivatives():
    x, x_aug, h = np.array([1.0, 0.2]), np.array([0.3, 0.9]), 1e-6
    by_x, by_x_aug = threshold_slopes(x, x_aug)
    assert np.allclose(by_x, (survival_threshold(x + h, x_aug) - survival_threshold(x - h, x_aug)) / (2 * h))
    assert np.allclose(by_x_aug, (survival_threshold(x, x_aug + h) - survival_threshold(x, x_aug - h)) / (2 * h))


@pytest.mark.parametrize("hp", [HP, ld.Hyperparameters(2.0, 0.5, eta_p=0.01, eta_s=0.05)])
def test_commuting_prediction_is_a_fixed_point_of_the_full_flow(hp):
    V = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    data = ld.Moments.commuting([1.0, 0.7, 0.5, 0.05], [0.3, 0.1, 0.4, 0.2], V)
    found = predict(data, hp)
    assert found.can_live.tolist() == [True, True, True, False]
    U = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    W = (U * np.sqrt(found.s)) @ found.V.T
    assert speed(hp, data, W, (U * found.p) @ U.T) < 1e-14
    below = (U * (found.p - 1e-3 * found.can_live)) @ U.T
    assert speed(hp, data, W, below) > 1e-5


def test_one_mode_fixed_points_rest_in_the_full_flow_without_commuting(crossed):
    modes = single_modes(crossed, HP)
    assert len(modes.p) >= 3
    for p, s, q in zip(modes.p, modes.s, modes.q.T, strict=True):
        u = np.eye(3)[1]
        assert speed(HP, crossed, np.sqrt(s) * np.outer(u, q), p * np.outer(u, u)) < 1e-12


def nudged(hp, data, W, W_p):
    """Return where the full flow comes to rest from a state and a small random nudge to it, as W^T W."""
    nudge = 1e-3 * np.random.default_rng(0).normal(size=W.shape)
    end = ld.simulate(ld.WeightFlow(hp, data), ld.WeightState(W + nudge, W_p), t1=2000.0, engine="scipy").final
    return end.W.T @ end.W


def test_the_one_mode_fixed_point_of_largest_p_is_stable_and_only_on_the_upper_branch(crossed):
    modes = single_modes(crossed, HP)
    p, s, q = modes.p[0], modes.s[0], modes.q[:, 0]
    u = np.array([1.0, 0.0])
    end = nudged(HP, crossed, np.sqrt(s) * np.outer(u, q), p * np.outer(u, u))
    assert np.allclose(end, s * np.outer(q, q), atol=1e-8)


def test_a_mode_turns_to_a_dead_direction_of_larger_p():
    """Which modes live is no matter of the start: p_j inside (p-_k, p+_k) of a dead k is unstable."""
    data = ld.Moments.commuting([1.0, 0.7], [0.1, 0.5])
    found = predict(data, HP)
    assert found.p[0] > found.p[1] > 0
    W, W_p = (np.sqrt(found.s) * [0, 1])[None, :], found.p[1:, None]
    assert speed(HP, data, W, W_p) < 1e-14
    assert np.allclose(nudged(HP, data, W, W_p), np.diag([found.s[0], 0.0]), atol=1e-8)
    W, W_p = (np.sqrt(found.s) * [1, 0])[None, :], found.p[:1, None]
    assert np.allclose(nudged(HP, data, W, W_p), np.diag([found.s[0], 0.0]), atol=1e-8)


def test_one_mode_fixed_points_are_the_directions_when_the_moments_commute():
    x, x_aug = np.array([1.0, 0.8, 0.5, 0.1]), np.array([0.2, 0.5, 0.1, 0.1])
    found = predict(ld.Moments.commuting(x, x_aug), HP)
    alive = found.can_live
    order = np.argsort(-found.p[alive])
    assert alive.tolist() == [True, True, True, False]
    assert np.allclose(found.single.p, found.p[alive][order], rtol=1e-10)
    assert np.allclose(np.abs(found.single.q), np.eye(4)[:, alive][:, order], atol=1e-8)
    assert np.allclose(found.bound, np.sort(found.threshold)[::-1], rtol=1e-10)


def test_prediction_per_direction_errs_at_second_order_in_what_does_not_commute():
    rng = np.random.default_rng(3)
    off = rng.normal(size=(4, 4))
    off = (off + off.T) * (1 - np.eye(4))
    sizes, gaps = np.array([0.002, 0.001, 0.0005]), []
    for size in sizes:
        data = ld.Moments(np.diag([1.0, 0.8, 0.6, 0.45]), np.diag([0.4, 0.3, 0.2, 0.5]) + 0.2 * size * off)
        found = predict(data, HP)
        start = ld.WeightState(np.diag(np.sqrt(found.s)), np.diag(found.p))
        end = ld.simulate(ld.WeightFlow(HP, data), start, t1=1500.0, engine="scipy", rtol=1e-12).final
        measured = np.linalg.eigvalsh(end.W @ end.W.T)
        by_flow = np.max(np.abs(measured - np.sort(found.s)))
        by_modes = np.max(np.abs(np.sort(found.single.p) - np.sort(found.p)))
        gaps.append([by_flow, by_modes])
    slopes = np.log(np.array(gaps[:-1]) / gaps[1:]) / np.log(2)
    assert np.all(np.abs(slopes - 2) < 0.1), slopes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("target", ["online", "ema"])
def test_above_the_bound_every_path_collapses(crossed, seed, target):
    bound = collapse_bounds(crossed)[0]
    hp = ld.Hyperparameters(alpha_p=3.0, beta=0.8, eta=1.3 * bound)
    start = ld.WeightState.random(4, 6, seed, scale=3.0, scale_p=2.0)
    traj = ld.simulate(ld.WeightFlow(hp, crossed, target=target), start, t1=400.0, engine="scipy", rtol=1e-8)
    norms = np.linalg.norm(traj.states.W, axis=(1, 2))
    if target == "online":
        allowed = np.exp(-(hp.eta_s - bound) * traj.ts) * norms[0]
        assert np.all(norms <= allowed * (1 + 1e-6))
    assert norms[-1] < 1e-3 * norms[0]


def test_bound_is_tight_for_its_growth(crossed):
    """The predictor that attains it makes W grow at that rate: no smaller bound holds for all W_p."""
    X, S = crossed.X, crossed.Sigma_s
    values, vectors = np.linalg.eigh(X @ np.linalg.solve(S, X))
    W = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0][:1].T @ vectors[:, -1:].T  # in the top direction
    A, B = W @ X @ W.T, W @ S @ W.T
    W_p = A @ np.linalg.pinv(B) / 2
    hp = ld.Hyperparameters(eta=0.0)
    rate = ld.WeightFlow(hp, crossed, target="online")(0.0, ld.WeightState(W, W_p))
    growth = np.sum(rate.W * W) / np.sum(W * W)
    assert growth <= values[-1] / 4 + 1e-12
    assert growth > 0.8 * values[-1] / 4


def test_the_full_fixed_point_obeys_what_was_derived(crossed):
    hp = ld.Hyperparameters(alpha_p=1.5, beta=0.6, eta_p=0.02, eta_s=0.01)
    start = ld.WeightState(np.eye(5, 6), 0.7 * np.eye(5))
    end = ld.simulate(ld.WeightFlow(hp, crossed), start, t1=4000.0, engine="scipy").final
    W, W_p, c = end.W, end.W_p, hp.alpha_p * hp.eta_s / hp.eta_p
    assert np.allclose(W_p.T @ W_p, c * W @ W.T, atol=1e-9)  # W_p^T W_p = c F
    values, U = np.linalg.eigh(W @ W.T)
    U = U[:, values > 1e-6]
    P = U.T @ W_p @ U
    T = np.sqrt(c) * W.T @ U @ np.linalg.inv(P)
    k = P.shape[0]
    assert k >= 3 and np.allclose(T.T @ T, np.eye(k), atol=1e-8)
    left = crossed.X @ T @ P - crossed.Sigma_s @ T @ P @ P.T - hp.eta_s * T
    assert np.max(np.abs(left)) < 1e-9  # (*)
    assert np.max(np.abs(P - P.T)) > 1e-4  # and W_p is not symmetric, as it would be for commuting moments
    M = T.T @ crossed.X @ np.linalg.solve(crossed.Sigma_s, crossed.X) @ T
    twist = np.linalg.inv(P).T @ P @ P.T @ np.linalg.inv(P)
    assert np.linalg.eigvalsh(M - 4 * hp.eta_s * twist)[0] > -1e-9
    assert np.isclose(np.linalg.det(twist), 1.0, rtol=1e-9)
    found = predict(crossed, hp)
    assert k <= found.largest_rank and found.normal_rank <= found.largest_rank


def test_number_of_modes_at_most():
    data = ld.Moments.commuting([1.0, 0.4, 0.04], [0.0, 0.0, 0.0])  # bounds 0.25, 0.1, 0.01
    counts = [(e, *ranks(data, ld.Hyperparameters(eta=e))) for e in (0.005, 0.05, 0.0629, 0.07, 0.2, 0.3)]
    third = (0.25 * 0.1 * 0.01) ** (1 / 3)  # 0.06300: geometric mean of all three
    assert np.isclose(third, 0.063, atol=1e-4)
    assert counts == [(0.005, 3, 3), (0.05, 3, 2), (0.0629, 3, 2), (0.07, 2, 2), (0.2, 1, 1), (0.3, 0, 0)]


def ranks(data, hp):
    found = predict(data, hp)
    return found.largest_rank, found.normal_rank


def test_without_decay_everything_with_data_can_live():
    data = ld.Moments.commuting([1.0, 0.5, 0.0], [0.5, 0.5, 0.3])
    found = predict(data, ld.Hyperparameters(alpha_p=2.0, eta=0.0))
    assert found.can_live.tolist() == [True, True, False]
    assert np.allclose(found.p, [2 / 3, 0.5, 0.0]) and np.allclose(found.s, found.p**2 / 2.0)
    assert np.allclose(found.single.p, [2 / 3, 0.5]) and found.largest_rank == 2
    W = np.diag(np.sqrt(found.s))
    assert speed(ld.Hyperparameters(alpha_p=2.0, eta=0.0), data, W, np.diag(found.p)) < 1e-15


def test_decay_of_one_network_alone():
    data = ld.Moments.commuting([1.0, 0.5], [0.5, 0.5])
    grows = predict(data, ld.Hyperparameters(eta_p=0.01, eta_s=0.0))
    assert np.all(np.isinf(grows.s)) and grows.can_live.all()
    dies = predict(data, ld.Hyperparameters(eta_p=0.0, eta_s=0.01))
    assert not dies.can_live.any() and not dies.s.any() and len(dies.single.p) == 0 and dies.largest_rank == 0
    flow = ld.WeightFlow(ld.Hyperparameters(eta_p=0.0, eta_s=0.05), data)
    end = ld.simulate(flow, ld.WeightState(np.eye(2)), t1=300.0, engine="scipy").final
    assert np.linalg.norm(end.W) < 1e-3  # though eta_s is below x^2 / (4 (x + x'))


def test_moments_with_dead_pixels():
    data = ld.Moments(np.diag([1.0, 0.0, 0.0]), np.diag([0.2, 0.1, 0.0]))
    found = predict(data, HP)
    assert found.can_live.tolist() == [True, False, False] and len(found.single.p) == 1
    assert np.allclose(found.bound, [1 / 4.8, 0, 0])


def test_predictor_that_does_not_learn_has_no_prediction():
    with pytest.raises(ValueError, match=r"alpha_p must be finite and > 0; got 0. Without it W_p only decays."):
        predict(ld.Moments.isotropic(3, 0.1), ld.Hyperparameters(alpha_p=0.0))
