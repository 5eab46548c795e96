"""Stacks come back from their tensors alone, compute what the module computed, and say which tensor is missing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead, SimSiamProjectionHead
from torch import nn

from lindyn import bridge
from lindyn.bridge.checkpoints import heads


def lived(module, width, seed=0):
    """Return the module in eval mode with running moments of real batches and scales that are not 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator))
        for _ in range(3):
            module(torch.randn(16, width, generator=generator))
    return module.eval()


def assert_same(built, module, width, dtype=torch.float32, tolerance=0.0):
    z = torch.randn(7, width, generator=torch.Generator().manual_seed(9), dtype=dtype)
    expected = module(z).detach()
    torch.testing.assert_close(built(z), expected, rtol=0, atol=tolerance * max(1.0, float(expected.abs().max())))
    assert not built.training and not any(p.requires_grad for p in built.parameters())


@st.composite
def stacks(draw):
    """A random stack, with or without biases, BatchNorms (affine or not) and ReLUs."""
    torch.manual_seed(draw(st.integers(0, 99)))
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    layers = [nn.BatchNorm1d(widths[0], affine=False)] if draw(st.booleans()) else []
    for k in range(len(widths) - 1):
        if k and draw(st.booleans()):
            layers.append(nn.ReLU())
        layers.append(nn.Linear(widths[k], widths[k + 1], bias=draw(st.booleans())))
        if draw(st.booleans()):
            layers.append(nn.BatchNorm1d(widths[k + 1], affine=draw(st.booleans())))
    return nn.Sequential(*layers), widths[0]


@given(stacks(), st.sampled_from(["", "layers.", "net."]))
def test_any_numbered_stack_comes_back(made, wrapper):
    module, width = made
    lived(module, width)
    built = heads.head({wrapper + key: value for key, value in module.state_dict().items()}, "head")
    assert [type(layer) for layer in built] == [type(layer) for layer in module]
    assert_same(built, module, width)


@pytest.mark.parametrize("module", [BYOLProjectionHead(6, 5, 4), SimSiamProjectionHead(6, 5, 4),
                                    BYOLPredictionHead(6, 5, 6)], ids=lambda m: type(m).__name__)  # fmt: skip
def test_lightlys_own_heads(module):
    lived(module, 6)
    assert_same(heads.head(module.state_dict(), "head"), module, 6)


def test_a_square_linear_predictor_is_one_linear():
    for module in (bridge.LinearPredictor(5), nn.Linear(5, 5, bias=False)):
        built = heads.head(module.state_dict(), "predictor")
        assert [type(layer) for layer in built] == [nn.Linear] and built[0].bias is None
        assert_same(built, module.eval(), 5)


def test_a_closed_form_predictor_is_its_matrix():
    layer = bridge.DirectPredPredictor(4)
    layer.train()
    for _ in range(3):
        layer(torch.randn(20, 4, generator=torch.Generator().manual_seed(1)))
    layer.update()
    built = heads.head(layer.state_dict(), "predictor")
    assert not torch.equal(built[0].weight, torch.eye(4))
    assert_same(built, layer.eval(), 4)


def free_parameters(layer):
    """Move the two halves of a symmetric layer apart, so that averaging them shows."""
    with torch.no_grad():
        for k, parameter in enumerate(p for p in layer.parameters() if p.ndim == 2):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(k)))
    return layer


def test_symmetric_predictors_are_their_symmetrised_maps():
    torch.manual_seed(0)
    linear = free_parameters(bridge.SymmetricLinearPredictor(5)).eval()
    plain = heads.head(linear.state_dict(), "predictor")
    z = torch.randn(3, 5)
    assert (plain(z) - linear(z)).abs().max() > 0.1
    assert_same(heads.symmetric_linear(plain), linear, 5, tolerance=1e-6)
    mlp = lived(free_parameters(bridge.SymmetricMLPPredictor(5, 7)), 5)
    plain = heads.head(mlp.state_dict(), "predictor")
    assert (plain(z) - mlp(z)).abs().max() > 0.1
    assert_same(heads.symmetric_mlp(plain), mlp, 5, tolerance=1e-6)


def test_relu_stands_before_each_named_fc_but_the_first():
    stack = lived(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 5, bias=False),
                                nn.BatchNorm1d(5, affine=False), nn.ReLU(), nn.Linear(5, 3)), 4)  # fmt: skip
    names = {"0": "fc0", "1": "bn0", "3": "fc1", "4": "bn1", "6": "fc2"}
    found = {f"{names[key.split('.')[0]]}.{key.split('.')[1]}": t for key, t in stack.state_dict().items()}
    assert_same(heads.head(found, "neck"), stack, 4)


def test_double_precision_stays_and_half_precision_becomes_float32():
    module = nn.Sequential(nn.Linear(4, 3)).double()
    assert_same(heads.head(module.state_dict(), "head"), module, 4, torch.float64)
    assert heads.head(module.half().state_dict(), "head")[0].weight.dtype == torch.float32


def test_no_tensors_are_no_head():
    assert heads.head({}, "predictor") is None


MLP = nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 4)).state_dict()


@pytest.mark.parametrize("key", [key for key in MLP if key not in ("1.num_batches_tracked", "3.bias")])
def test_the_missing_tensor_is_named(key):
    with pytest.raises(ValueError, match=rf"predictor\.{key} is missing"):
        heads.head({name: value for name, value in MLP.items() if name != key}, "predictor", square=True)


def test_the_last_linear_of_a_predictor_is_missed():
    with pytest.raises(
        ValueError, match=r"predictor\.3\.weight is missing: the predictor takes 4 numbers and ends at a"
    ):
        heads.head({key: value for key, value in MLP.items() if key[0] != "3"}, "predictor", square=True)


def test_counts_of_batches_may_be_missing():
    found = {key: value for key, value in MLP.items() if "tracked" not in key}
    assert len(heads.head(found, "head")) == 4


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"1.weight": torch.ones(2)}, r"head\.1\.weight must have shape \(3,\); got \(2,\)"),
        ({"3.weight": torch.ones(4, 5)}, "The layers of head do not fit: one gives 3 numbers, the next takes 5"),
        ({"0.weight": torch.full((3, 4), torch.nan)}, r"head\.0\.weight must be finite; .* the run had diverged"),
        ({"0.weight": torch.ones(3, 4, 1)}, r"head\.0\.weight must be a matrix \[out, in\]; got shape \(3, 4, 1\)"),
        ({"9.weight": torch.ones(4, 4)}, r"head has 5 layers without tensors before 9, or head\.5\.weight is missing"),
        ({"scale": torch.ones(4)}, "head is no stack of Linear, BatchNorm1d and ReLU that lindyn knows"),
    ],
)
def test_tensors_that_are_no_head(changed, text):
    with pytest.raises(ValueError, match=text):
        heads.head(MLP | changed, "head")
