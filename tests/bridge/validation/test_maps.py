"""Linear maps of a predictor: equal to autograd's Jacobian, to numpy's least squares, to each other where they must."""

import numpy as np
import pytest
import torch
from torch import nn

from lindyn import bridge
from lindyn.bridge.layers import stacks
from lindyn.bridge.layers.batch_sums import FeatureSums
from lindyn.bridge.measure import predictor_maps
from lindyn.bridge.measure.predictor_maps import EXACT, JACOBIAN, LEAST_SQUARES, PRODUCT, JacobianSums, Outputs

D = 5


def norm(width, seed=0):
    """Return a BatchNorm in eval mode whose statistics and weights are no trivial ones."""
    layer = nn.BatchNorm1d(width).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.running_mean.copy_(torch.randn(width, generator=generator))
        layer.running_var.copy_(torch.rand(width, generator=generator) + 0.5)
        layer.weight.copy_(torch.randn(width, generator=generator))
        layer.bias.copy_(torch.randn(width, generator=generator))
    return layer.eval()


def stack(kind):
    torch.manual_seed(3)

    def L(a, b, **more):
        return nn.Linear(a, b, **more).double()

    return {
        "linear": nn.Sequential(L(D, D)),
        "linear, norm, linear": nn.Sequential(L(D, 7), norm(7), nn.Identity(), nn.Sequential(L(7, D), norm(D, 1))),
        "norm first": nn.Sequential(norm(D), L(D, D, bias=False)),
        "one ReLU": nn.Sequential(L(D, 9, bias=False), norm(9), nn.ReLU(), L(9, D)),
        "two ReLUs": nn.Sequential(L(D, 9), norm(9), nn.ReLU(), L(9, 8), norm(8, 1), nn.ReLU(inplace=True), L(8, D)),
        "norm last": nn.Sequential(L(D, 9), nn.ReLU(), nn.Dropout(0.5), L(9, D), norm(D)),
    }[kind].eval()


LINEAR = ("linear", "linear, norm, linear", "norm first")
BENT = ("one ReLU", "two ReLUs", "norm last")


def features(n=400, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, D, generator=generator, dtype=torch.float64) @ torch.diag(torch.arange(1.0, D + 1)).double()


def outputs(net, z):
    sums, jacobian = FeatureSums(linear_map=True), JacobianSums.of(net)
    for part in z.split(130):
        sums.add(part, net(part))
        if jacobian is not None:
            jacobian.add(part)
    return Outputs(sums, jacobian)


def autograd_mean_jacobian(net, z):
    every = torch.func.vmap(torch.func.jacrev(lambda one: net(one[None])[0]))(z)
    return every.mean(0).detach().numpy()


@pytest.mark.parametrize("kind", LINEAR)
def test_the_map_of_a_linear_stack_is_its_jacobian_everywhere(kind):
    net, z = stack(kind), features(3)
    (found,) = predictor_maps.predictor_maps(net, outputs(net, z))
    assert (found.kind, found.explained) == (EXACT, 1.0)
    np.testing.assert_allclose(found.W_p, autograd_mean_jacobian(net, z), atol=1e-13)


@pytest.mark.parametrize("kind", BENT)
def test_the_mean_jacobian_is_autograds(kind):
    net, z = stack(kind), features()
    found = {each.kind: each for each in predictor_maps.predictor_maps(net, outputs(net, z))}
    np.testing.assert_allclose(found[JACOBIAN].W_p, autograd_mean_jacobian(net, z), atol=1e-12)
    assert tuple(found) == (LEAST_SQUARES, JACOBIAN, PRODUCT)


@pytest.mark.parametrize("kind", BENT)
def test_least_squares_and_shares_are_numpys(kind):
    net, z = stack(kind), features()
    q = net(z).detach().numpy()
    ones = np.concatenate([z.numpy(), np.ones((len(z), 1))], axis=1)
    solution, *_ = np.linalg.lstsq(ones, q, rcond=None)
    variance = np.sum((q - q.mean(0)) ** 2)
    for found in predictor_maps.predictor_maps(net, outputs(net, z)):
        if found.kind == LEAST_SQUARES:
            np.testing.assert_allclose(found.W_p, solution[:-1].T, rtol=1e-4, atol=1e-6)  # a ridge of 1e-6
        rest = q - z.numpy() @ found.W_p.T
        np.testing.assert_allclose(found.explained, 1 - np.sum((rest - rest.mean(0)) ** 2) / variance, atol=1e-9)


def test_the_product_takes_the_relus_away():
    net = stack("two ReLUs")
    without = nn.Sequential(*(layer for layer in net if not isinstance(layer, nn.ReLU)))
    expected = autograd_mean_jacobian(without, features(2))
    np.testing.assert_allclose(predictor_maps.product_map(net), expected, atol=1e-13)
    np.testing.assert_allclose(predictor_maps.predictor_maps(net, None)[0].W_p, expected, atol=1e-13)
    assert np.isnan(predictor_maps.predictor_maps(net, None)[0].explained)


def test_on_gaussian_features_least_squares_is_the_mean_jacobian():
    """Stein's lemma: Cov(q, z) Cov(z)^-1 = E[dq/dz] for Gaussian z; the difference falls as 1/sqrt(N)."""
    net = stack("one ReLU")
    errors = []
    for n in (1_000, 64_000):
        found = {each.kind: each.W_p for each in predictor_maps.predictor_maps(net, outputs(net, features(n)))}
        errors.append(np.linalg.norm(found[LEAST_SQUARES] - found[JACOBIAN]) / np.linalg.norm(found[JACOBIAN]))
    assert errors[1] < 0.02 and errors[1] < errors[0] / 3
    assert np.linalg.norm(found[PRODUCT] - found[JACOBIAN]) / np.linalg.norm(found[JACOBIAN]) > 0.3


def test_other_layers_leave_least_squares_only():
    net = nn.Sequential(nn.Linear(D, 9), nn.GELU(), nn.Linear(9, D)).double().eval()
    assert [each.kind for each in predictor_maps.predictor_maps(net, outputs(net, features()))] == [LEAST_SQUARES]
    assert predictor_maps.predictor_maps(net, None) == ()
    three = nn.Sequential(*[part for _ in range(3) for part in (nn.Linear(D, D), nn.ReLU())], nn.Linear(D, D)).double()
    assert [each.kind for each in predictor_maps.predictor_maps(three, outputs(three, features()))] == [
        LEAST_SQUARES,
        PRODUCT,
    ]


def test_a_norm_without_running_statistics_is_no_fixed_map():
    net = nn.Sequential(nn.Linear(D, D), nn.BatchNorm1d(D, track_running_stats=False)).double()
    assert stacks.folded(net) is None


def test_a_closed_form_predictor_of_the_bridge_is_exact():
    layer = bridge.DirectPredPredictor(D)
    (found,) = predictor_maps.predictor_maps(layer, None)
    assert found.kind == EXACT
    np.testing.assert_array_equal(found.W_p, layer.W_p.detach().numpy())


def test_maps_keep_their_numbers_when_the_network_trains_on():
    net = stack("linear")
    (found,) = predictor_maps.predictor_maps(net, None)
    last, first = stacks.last_weight(net), stacks.first_weight(net)
    before = found.W_p.copy(), last.clone(), first.clone()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(found.W_p, before[0])
    assert torch.equal(last, before[1]) and torch.equal(first, before[2])


def test_last_and_first_weights():
    assert stacks.last_weight(stack("one ReLU")).shape == (D, 10)  # nine weights and the bias
    assert stacks.last_weight(stack("norm last")) is None
    assert stacks.first_weight(stack("norm first")) is None
    assert stacks.first_weight(stack("one ReLU")).shape == (9, D)
    assert stacks.last_weight(None) is None and stacks.last_weight(nn.Sequential()) is None


def test_no_features_no_mean_jacobian():
    with pytest.raises(ValueError, match="mean Jacobian is one over features"):
        JacobianSums.of(stack("one ReLU")).mean()
