"""Right-hand sides against autodiff of the stated loss (Eq. 1) with stop-gradient placed, in JAX and in torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import lindyn as ld
from lindyn.equations import loss, matrices, weights
from lindyn.operators import MinibatchCross, OnlyInSum
from lindyn.solve.reductions import StructuredMoments
from tests.helpers import ABLATIONS, block_difference, moments, relative, rng, start, words

HP = ld.Hyperparameters(alpha_p=2.3, beta=0.7, eta_p=0.11, eta_s=0.05)


def jax_gradients(y, X, X_aug, online, stop):
    """Return dJ/dW, dJ/dW_p of Eq. 1 where the target is W_a, or W itself."""

    def J(W, W_p):
        W_a = W if online else jnp.asarray(y.W_a)
        return loss.loss(W, W_p, jax.lax.stop_gradient(W_a) if stop else W_a, X, X_aug)

    with jax.enable_x64(True):
        return tuple(np.array(g) for g in jax.grad(J, (0, 1))(jnp.asarray(y.W), jnp.asarray(y.W_p)))


def torch_gradients(y, X, X_aug, online, stop):
    W, W_p, W_a = (torch.tensor(M, requires_grad=True) for M in (y.W, y.W_p, y.W_a))
    branch = W if online else W_a
    loss.loss(W, W_p, branch.detach() if stop else branch, torch.tensor(X), torch.tensor(X_aug)).backward()
    return W.grad.numpy(), W_p.grad.numpy()


def rates_from(gradients, y, choices, hp=HP):
    """What Lemma 1 and its ablations say, from the gradients alone."""
    dJ_dW, dJ_dW_p = gradients
    dW = -dJ_dW - hp.eta_s * y.W
    dW_p = -hp.alpha_p * dJ_dW_p - hp.eta_p * y.W_p
    dW_p = {"trained": dW_p, "symmetrised": (dW_p + dW_p.T) / 2, "identity": 0 * dW_p}[choices["predictor"]]
    dW_a = {"ema": hp.beta * (y.W - y.W_a), "online": dW, "frozen": 0 * y.W}[choices["target"]]
    return ld.WeightState(dW, dW_p, dW_a)


@pytest.mark.parametrize("gradients", [jax_gradients, torch_gradients])
@pytest.mark.parametrize("choices", ABLATIONS, ids=words)
def test_every_ablation_is_the_gradient_of_the_loss(choices, gradients):
    for seed in range(3):
        flow = ld.WeightFlow(HP, moments(seed, n1=5), **choices)
        y = start(flow, seed)
        online = choices["target"] == "online"
        found = gradients(y, flow.data.X, flow.data.X_aug, online, choices["stop_gradient"])
        assert block_difference(flow(0.0, y), rates_from(found, y, choices)) < 1e-13


def test_loss_is_the_mean_square_over_samples():
    """Both orders of every pair of views make E[x1 x1^T] = E[x2 x2^T] and E[x1 x2^T] symmetric, exactly."""
    one, two = rng(1).normal(size=(2, 50, 4))
    v1, v2 = np.concatenate([one, two]), np.concatenate([two, one])
    S, X = v1.T @ v1 / len(v1), v1.T @ v2 / len(v1)
    W, W_p, W_a = rng(2).normal(size=(3, 4)), rng(3).normal(size=(3, 3)), rng(4).normal(size=(3, 4))
    residual = v1 @ (W_p @ W).T - v2 @ W_a.T
    direct = np.mean(np.sum(residual**2, axis=1)) / 2
    assert loss.loss(W, W_p, W_a, X, S - X) == pytest.approx(direct, rel=1e-13)
    second = residual.T @ residual / len(v1) / 2
    np.testing.assert_allclose(loss.loss_matrix(W, W_p, W_a, X, S - X), second, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("stop", [True, False])
def test_minibatch_rates_are_the_gradient_of_the_sampled_loss(stop):
    """The sample of X is not symmetric, each branch sees its own view; torch differentiates the layers themselves."""
    v1, v2 = rng(5).normal(size=(2, 4, 7))
    target = "ema" if stop else "online"
    flow = ld.WeightFlow(HP, moments(3), target=target, stop_gradient=stop)
    y = start(flow, 8)
    W, W_p, W_a = (torch.tensor(M, requires_grad=True) for M in (y.W, y.W_p, y.W_a))
    branch = W_a.detach() if stop else W
    residual = W_p @ W @ torch.tensor(v1) - branch @ torch.tensor(v2)
    (residual.square().sum(0).mean() / 2).backward()
    batch = StructuredMoments(MinibatchCross(v1, v2), OnlyInSum())
    choices = {"target": target, "predictor": "trained"}
    want = rates_from((W.grad.numpy(), W_p.grad.numpy()), y, choices)
    assert block_difference(flow._replace(data=batch)(0.0, y), want) < 1e-13


def test_H_action_is_the_flow_without_stop_gradient():
    """Theorem 2, Eq. 6: dW/dt = -H vec(W), with H also written out as Kronecker products on column-stacked W."""
    for seed in range(3):
        flow = ld.WeightFlow(HP, moments(seed), target="online", stop_gradient=False)
        y = start(flow, seed)
        X, X_aug, I = flow.data.X, flow.data.X_aug, np.eye(3)
        action = matrices.H_action(y.W, y.W_p, X, X_aug, HP.eta_s, I)
        assert relative(-action, flow(0.0, y).W) < 1e-13
        near = y.W_p - I
        H = np.kron(X_aug, y.W_p.T @ y.W_p + I) + np.kron(X, near.T @ near) + HP.eta_s * np.eye(12)
        assert relative((H @ y.W.ravel(order="F")).reshape(4, 3).T, action) < 1e-13


def test_target_branch_alone_is_the_gradient_through_the_target():
    data, y = moments(2), start(ld.WeightFlow(HP, moments(2), target="online"), 2)
    with_stop = torch_gradients(y, data.X, data.X_aug, True, True)[0]
    without = torch_gradients(y, data.X, data.X_aug, True, False)[0]
    assert relative(weights.target_branch(y.W, y.W_p, y.W, data.X, data.X_aug), with_stop - without) < 1e-13
