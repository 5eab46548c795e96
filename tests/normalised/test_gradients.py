"""Every rate of the normalised flows is the gradient of its loss: by autodiff, per choice of loss, BatchNorm, depth."""

import itertools

import numpy as np
import pytest
import torch

import lindyn as ld
from lindyn.equations import cosine
from lindyn.flows import losses
from tests.normalised.systems import HP, deep_state, modes, moments

CHOICES = list(itertools.product(("squared", "cosine"), ("none", "batchnorm"), (1, 2, 3)))


def torch_loss(Ws, W_p, W_as, data, loss, normalise):
    """The population loss of the maps, in torch: squared, or -M/sqrt(Q T)."""
    X, X_aug = (torch.tensor(M) for M in (data.X, data.X_aug))
    W, W_a = torch.linalg.multi_dot(Ws[::-1]) if len(Ws) > 1 else Ws[0], W_as[0]
    for layer in W_as[1:]:
        W_a = layer @ W_a
    if normalise == "batchnorm":
        W, W_a = (M / torch.sqrt(torch.diag(M @ (X + X_aug) @ M.T))[:, None] for M in (W, W_a))
    A = W_p @ W
    Q, T, M = (torch.trace(M) for M in (A @ (X + X_aug) @ A.T, W_a @ (X + X_aug) @ W_a.T, A @ X @ W_a.T))
    return (Q - 2 * M + T) / 2 if loss == "squared" else -M / torch.sqrt(Q * T)


@pytest.mark.parametrize(("loss", "normalise", "depth"), CHOICES)
@pytest.mark.parametrize("stop_gradient", [True, False])
def test_rates_are_gradients(loss, normalise, depth, stop_gradient):
    data, target = moments(), "ema" if stop_gradient else "online"
    y = deep_state(depth=depth, target="independent" if stop_gradient else "copy")
    flow = ld.DeepFlow(HP, data, target=target, stop_gradient=stop_gradient, loss=loss, normalise=normalise)
    rate = flow(0.0, y)
    Ws, W_p = [torch.tensor(W, requires_grad=True) for W in y.Ws], torch.tensor(y.W_p, requires_grad=True)
    W_as = [torch.tensor(W) for W in y.W_as] if stop_gradient else Ws
    torch_loss(Ws, W_p, W_as, data, loss, normalise).backward()
    for W, dW in zip(Ws, rate.Ws, strict=True):
        np.testing.assert_allclose(dW, -W.grad.numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(rate.W_p, -HP.alpha_p * W_p.grad.numpy(), rtol=1e-12, atol=1e-13)
    for W_a, dW_a, W in zip(y.W_as, rate.W_as, y.Ws, strict=True):
        np.testing.assert_allclose(dW_a, 0.3 * (W - W_a) if stop_gradient else dW_a, rtol=1e-14)


@pytest.mark.parametrize(("loss", "normalise"), list(itertools.product(("squared", "cosine"), ("none", "batchnorm"))))
@pytest.mark.parametrize("predictor", ["trained", "symmetrised", "linear_regression"])
def test_one_layer_is_the_weight_flow(loss, normalise, predictor):
    data, y = moments(), ld.WeightState.random(4, 6, seed=2, target="independent", symmetric_predictor=True)
    choices = dict(loss=loss, normalise=normalise, predictor=predictor)
    hp = ld.Hyperparameters(alpha_p=1.7, beta=0.3, eta_p=0.02, eta_s=0.05)
    want = ld.WeightFlow(hp, data, **choices)(0.0, y)
    got = ld.DeepFlow(hp, data, **choices)(0.0, ld.DeepWeightState(Ws=(y.W,), W_p=y.W_p, W_as=(y.W_a,)))
    np.testing.assert_allclose(got.Ws[0], want.W, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(got.W_p, want.W_p, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(got.W_as[0], want.W_a, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("loss", ["cosine", "cosine-exact"])
@pytest.mark.parametrize("stop_gradient", [True, False])
def test_mode_rates_are_gradients(loss, stop_gradient):
    x, x_aug, y = modes(5)
    y = y if stop_gradient else ld.ModeWeightState(y.p, y.w)
    flow = ld.ModeWeightFlow(HP, x, x_aug, loss=loss, target="ema" if stop_gradient else "online",
                             stop_gradient=stop_gradient)  # fmt: skip
    rate, step = flow(0.0, y), 1e-6

    def J(p, w, a):
        if loss == "cosine-exact":
            return -float(losses.mean_cosine(p, w, a, x, x_aug))
        m, c = p * w, x + x_aug
        return -(x * m * a).sum() / np.sqrt((c * m * m).sum() * (c * a * a).sum())

    for k in range(5):
        e = step * (np.arange(5) == k)
        a_plus, a_minus = (y.a, y.a) if stop_gradient else (y.w + e, y.w - e)
        slope_w = (J(y.p, y.w + e, a_plus) - J(y.p, y.w - e, a_minus)) / (2 * step)
        slope_p = (J(y.p + e, y.w, y.a) - J(y.p - e, y.w, y.a)) / (2 * step)
        assert rate.w[k] == pytest.approx(-slope_w, rel=1e-6, abs=1e-9)
        assert rate.p[k] == pytest.approx(-HP.alpha_p * slope_p, rel=1e-6, abs=1e-9)


def test_closure_on_matrices_is_the_closure_of_modes():
    x, x_aug, y = modes(4)
    U, V = (np.linalg.qr(np.random.default_rng(k).normal(size=(4, 4)))[0] for k in (1, 2))
    matrices = ld.WeightState(U * y.w @ V.T, U * y.p @ U.T, U * y.a @ V.T)
    rate = ld.WeightFlow(HP, ld.Moments.commuting(x, x_aug, V), loss="cosine")(0.0, matrices)
    want = ld.ModeWeightFlow(HP, x, x_aug, loss="cosine")(0.0, y)
    np.testing.assert_allclose(U.T @ rate.W @ V, np.diag(want.w), atol=1e-14)
    np.testing.assert_allclose(U.T @ rate.W_p @ U, np.diag(want.p), atol=1e-14)


@pytest.mark.parametrize("count", [2, 5, 16])
def test_exact_drive_against_monte_carlo(count):
    x, x_aug, y = modes(count)
    rng, n = np.random.default_rng(7), 1_000_000
    mean = np.sqrt(x)[:, None] * rng.normal(size=(count, n))
    x1, x2 = (mean + np.sqrt(x_aug)[:, None] * rng.normal(size=(count, n)) for _ in range(2))
    q, t = (y.p * y.w)[:, None] * x1, y.a[:, None] * x2
    inverse_q, inverse_t = (1 / np.linalg.norm(each, axis=0) for each in (q, t))
    cos = (q * t).sum(0) * inverse_q * inverse_t
    each = (t * inverse_t - q * inverse_q * cos) * inverse_q * x1
    g, _ = losses.mode_drives(ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact"), y.p, y.w, y.a)
    assert np.all(np.abs(each.mean(1) - g) < 4 * each.std(1) / np.sqrt(n))
    want = float(losses.mean_cosine(y.p, y.w, y.a, x, x_aug))
    assert abs(cos.mean() - want) < 4 * cos.std() / np.sqrt(n)
    sampled = cosine.sample_moment(q, t, x1, inverse_q, inverse_t, cos, n)
    np.testing.assert_allclose(np.diag(sampled), each.mean(1), rtol=1e-10)


@pytest.mark.parametrize("count", [2, 3, 8, 32, 64])
def test_nodes_reach_round_off(count):
    x, x_aug, y = modes(count)
    flow = ld.ModeWeightFlow(HP, x, x_aug, loss="cosine-exact")
    g = losses.mode_drives(flow, y.p, y.w, y.a)[0]
    twice = losses.mode_drives(flow._replace(nodes=112), y.p, y.w, y.a)[0]
    assert np.max(np.abs(g - twice)) < 1e-12 * np.max(np.abs(g))
    assert abs((y.p * y.w * g).sum()) < 1e-12 * np.abs(y.p * y.w * g).sum()
