"""The layers are the theory's predictors: gradients are the lines of `equations.weights`, training is `descend`."""

import jax
import numpy as np
import pytest
import torch

import lindyn as ld
from lindyn import bridge
from lindyn.equations import descent, weights
from tests.bridge.helpers import RULES

N1, N2, BATCH = 6, 4, 10


def views(seed=0, n=40):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, N1))
    return x + 0.4 * rng.normal(size=x.shape), x + 0.4 * rng.normal(size=x.shape)


def one_sided(layer, W, W_a, x1, x2):
    """J = 1/2 E ||W_p W x_1 - W_a x_2||^2 of a batch, samples as rows."""
    return (layer(x1 @ W.T) - x2 @ W_a.T).square().sum(-1).mean() / 2


def batch_moments(x1, x2):
    """X and X' that the batch stands for: X = E[x_2 x_1^T], X + X' = E[x_1 x_1^T]."""
    X, S = x2.T @ x1 / len(x1), x1.T @ x1 / len(x1)
    return X, S - X


def start(seed=1):
    generator = torch.Generator().manual_seed(seed)
    W, W_a = (torch.randn(N2, N1, generator=generator, dtype=torch.float64) / 2 for _ in range(2))
    return W.requires_grad_(), W_a


def tensors(seed=0, n=BATCH):
    return tuple(torch.as_tensor(v) for v in views(seed, n))


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_gradient_through_a_layer_is_lemma_1_with_its_w_p(name, trainable):
    settings = {"update": "step"} if RULES[name](N2).recipe.update == "call" else {}
    layer = RULES[name](N2, trainable=trainable, **settings).double()
    (W, W_a), (x1, x2) = start(), tensors()
    one_sided(layer, W, W_a, x1, x2).backward()
    W_p = layer.W_p.detach()
    G = weights.residual_moment(W.detach(), W_p, W_a, *batch_moments(x1, x2))
    torch.testing.assert_close(-W.grad, weights.dW(W.detach(), W_p, G, 0.0), rtol=1e-10, atol=1e-10)
    if trainable:
        rate = weights.dW_p(W.detach(), W_p, G, 1.0, 0.0)
        torch.testing.assert_close(-layer.W_p.grad, rate, rtol=1e-10, atol=1e-10)


def test_gradient_of_the_symmetric_predictor_is_assumption_3_without_a_factor():
    layer = bridge.SymmetricLinearPredictor(N2).double()
    (W, W_a), (x1, x2) = start(), tensors()
    (V,) = layer.parameters()
    assert torch.equal(V, V.T)
    one_sided(layer, W, W_a, x1, x2).backward()
    X, X_aug = batch_moments(x1, x2)
    G = weights.residual_moment(W.detach(), V.detach(), W_a, X, X_aug)
    rate = weights.symmetric_part(weights.dW_p(W.detach(), V.detach(), G, 1.0, 0.0))
    torch.testing.assert_close(-V.grad, rate, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(-W.grad, weights.dW(W.detach(), V.detach(), G, 0.0), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW, torch.optim.Adagrad])
def test_the_symmetric_predictor_is_exactly_symmetric_after_every_step(optimizer):
    layer = bridge.SymmetricLinearPredictor(N2)
    (V,) = layer.parameters()
    stepper = optimizer(layer.parameters(), lr=0.1, weight_decay=0.01)
    for seed in range(5):
        z, t = (v.float() for v in tensors(seed))
        stepper.zero_grad()
        (layer(z[:, :N2]) - t[:, :N2]).square().sum().backward()
        stepper.step()
        assert torch.equal(V, V.T) and torch.equal(layer.W_p, V)


@pytest.mark.parametrize(("kind", "momentum"), [("trained", 0.0), ("trained", 0.9), ("symmetrised", 0.9)])
def test_sgd_on_a_trained_layer_is_descend_step_by_step(kind, momentum):
    """Same batches, alpha_p and eta_p through `parameter_groups`, EMA after the step: W, W_p, W_a to 1e-10."""
    hp, lr, steps, seed = ld.Hyperparameters(alpha_p=3.0, beta=0.5, eta_p=0.06, eta_s=0.02), 0.05, 25, 7
    v1, v2 = views()
    samples = ld.RecordedViews(v1, v2)
    layer = (bridge.LinearPredictor if kind == "trained" else bridge.SymmetricLinearPredictor)(N2).double()
    W, W_a = start()
    encoder = torch.nn.Linear(N1, N2, bias=False, dtype=torch.float64)
    encoder.weight = torch.nn.Parameter(W.detach().clone())
    model = torch.nn.ModuleDict({"encoder": encoder, "predictor": layer})
    flow = ld.WeightFlow(hp, ld.Moments.from_views(v1, v2), predictor=kind)
    y0 = ld.WeightState(W=W.detach().numpy(), W_p=layer.W_p.detach().numpy(), W_a=W_a.numpy())
    told = ld.descend(flow, y0, learning_rate=lr, momentum=momentum, steps=steps, batch=BATCH, samples=samples,
                      seed=seed, save_every=1)  # fmt: skip
    groups = bridge.parameter_groups(model, layer, lr=lr, weight_decay=hp.eta_s, alpha_p=hp.alpha_p, eta_p=hp.eta_p)
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=momentum)
    gamma_a = 1 - lr / (1 - momentum) * hp.beta
    with jax.enable_x64(True):
        key = jax.random.key(seed)
        drawn = [[np.array(v).T for v in samples.draw(jax.random.fold_in(key, k), BATCH)] for k in range(steps)]
    for k, (x1, x2) in enumerate(drawn):
        optimizer.zero_grad()
        one_sided(layer, encoder.weight, W_a, torch.as_tensor(x1), torch.as_tensor(x2)).backward()
        optimizer.step()
        W_a = descent.ema(W_a, encoder.weight.detach(), gamma_a)
        for name, got in (("W", encoder.weight), ("W_p", layer.W_p), ("W_a", W_a)):
            np.testing.assert_allclose(getattr(told.states, name)[k + 1], got.detach().numpy(), rtol=1e-10, atol=1e-10)


def test_the_mlp_has_the_shapes_and_names_of_byol():
    layer = bridge.MLPPredictor(256)
    shapes = {key: tuple(value.shape) for key, value in layer.named_parameters()}
    assert shapes == {
        "layers.0.weight": (4096, 256),
        "layers.1.weight": (4096,),
        "layers.1.bias": (4096,),
        "layers.3.weight": (256, 4096),
        "layers.3.bias": (256,),
    }
    z = torch.randn(6, 256)
    out = layer(z)
    hidden = torch.relu(torch.nn.functional.batch_norm(z @ layer.layers[0].weight.T, None, None, training=True))
    torch.testing.assert_close(out, torch.nn.functional.linear(hidden, layer.layers[3].weight, layer.layers[3].bias))
    assert bridge.MLPPredictor(256, 8, 3)(z.reshape(2, 3, 256)).shape == (2, 3, 3)


def test_a_linear_predictor_may_have_a_bias_and_another_width():
    layer = bridge.LinearPredictor(4, None, 3, bias=True)
    z = torch.randn(5, 4)
    torch.testing.assert_close(layer(z), z @ layer.W_p.T + layer.layers[0].bias)
    with pytest.raises(ValueError, match="output_dim must equal input_dim = 4"):
        bridge.SymmetricLinearPredictor(4, None, 3)
