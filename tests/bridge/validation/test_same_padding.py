"""Networks that pad as haiku and TensorFlow do: against haiku's own network, TensorFlow's outputs and JAX."""

import re

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as fn

from lindyn.bridge.checkpoints import Content, SameConv2d, SameMaxPool2d, backbones, read_checkpoint, same_padding
from lindyn.bridge.checkpoints.layouts import deepmind, miszkur
from tests.bridge.validation.originals import FIXTURES, images

ENCODER = FIXTURES / "miszkur/pre_trained_encoder.h5"


@given(n=st.integers(1, 40), kernel=st.integers(1, 7), stride=st.integers(1, 4))
def test_the_padding_is_that_of_xla(n, kernel, stride):
    (low, high), _ = jax.lax.padtype_to_pads((n, 5), (kernel, 1), (stride, 1), "SAME")
    assert same_padding((n, 5), (kernel, 1), (stride, 1))[2:] == [low, high]


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(3, 17), st.integers(3, 17)), kernel=st.sampled_from([1, 3, 7]), seed=st.integers(0, 9)
)
def test_strided_convolution_and_pooling_are_those_of_xla(size, kernel, seed):
    draw = np.random.default_rng(seed)
    x, w = draw.normal(size=(2, 3, *size)), draw.normal(size=(4, 3, kernel, kernel))
    layer = SameConv2d(3, 4, kernel, stride=2, bias=False).double()
    layer.weight.data = torch.as_tensor(w)
    with jax.enable_x64(True):
        conv = np.asarray(jax.lax.conv_general_dilated(x, w, (2, 2), "SAME"))
        pool = np.asarray(hk.max_pool(x, (1, 1, kernel, kernel), (1, 1, 2, 2), "SAME"))
    np.testing.assert_allclose(layer(torch.as_tensor(x)).detach(), conv, rtol=1e-12, atol=1e-12)
    assert np.array_equal(SameMaxPool2d(kernel, 2)(torch.as_tensor(x)), pool)


def haikus(blocks, channels, bottleneck):
    """Return DeepMind's torso, haiku's ResNet without its last layer, in eval mode, and trees of random numbers."""

    class ResNet50(hk.nets.ResNet):
        def __call__(self, inputs, is_training):
            out = jax.nn.relu(self.initial_batchnorm(self.initial_conv(inputs), is_training))
            out = hk.max_pool(out, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
            for group in self.block_groups:
                out = group(out, is_training, False)
            return out.mean(axis=(1, 2))

    def apply(inputs, is_training):
        return ResNet50(blocks, 10, bottleneck=bottleneck, channels_per_group=channels)(inputs, is_training)

    net = hk.transform_with_state(apply)
    shapes = jax.eval_shape(lambda key: net.init(key, jnp.ones((2, 32, 32, 3)), True), jax.random.PRNGKey(0))
    draw = np.random.default_rng(0)

    def filled(path, leaf):
        names = {getattr(part, "key", None) for part in path}
        if leaf.ndim == 4 and "w" in names:
            return (draw.normal(size=leaf.shape) * (2 / np.prod(leaf.shape[:3])) ** 0.5).astype(leaf.dtype)
        return draw.uniform(0.5, 1.5, size=leaf.shape).astype(leaf.dtype)

    params, state = jax.tree_util.tree_map_with_path(filled, shapes)
    return jax.jit(lambda params, state, x: net.apply(params, state, None, x, False)[0]), params, state


def named(side, params, state):
    trees = {f"{side}_params": params, f"{side}_state": state}
    return {f"{tree}.{module}.{leaf}": torch.tensor(np.asarray(value))
            for tree, modules in trees.items() for module, leaves in modules.items()
            for leaf, value in leaves.items()}  # fmt: skip


@pytest.mark.parametrize(
    ("blocks", "channels", "bottleneck", "words"),
    [
        ((1, 1, 1, 1), (8, 8, 8, 8), False, "a ResNet of 1 + 1 + 1 + 1 basic blocks"),
        ((1, 2, 1, 1), (8, 16, 24, 32), True, "a ResNet of 1 + 2 + 1 + 1 bottleneck blocks"),
        pytest.param((2, 2, 2, 2), (8, 16, 24, 32), False, "ResNet-18", marks=pytest.mark.slow),
        pytest.param((3, 4, 6, 3), (16, 24, 32, 48), True, "ResNet-50", marks=pytest.mark.slow),
    ],
)
def test_haikus_own_resnet_comes_back(blocks, channels, bottleneck, words):
    net, params, state = haikus(blocks, channels, bottleneck)
    found = named("target", params, state)
    built = deepmind.backbone(found, "target")
    assert backbones.title(built) == words and built.features == channels[-1]
    assert deepmind.backbone(found, "online") is None
    draw = np.random.default_rng(1)
    for size in (32, 33):
        x = draw.normal(size=(3, size, size, 3)).astype("float32")
        expected = np.asarray(net(params, state, x))
        got = built(torch.as_tensor(x).permute(0, 3, 1, 2)).numpy()
        np.testing.assert_allclose(got, expected, atol=2e-5 * np.abs(expected).max())


def test_tensorflows_own_encoder_comes_back():
    pieces = read_checkpoint(ENCODER)
    outputs = np.load(ENCODER.parent / "outputs_of_tensorflow.npz")
    x = images(16)
    for name, batch in (("even", x), ("odd", x[:, :, :7, :7])):
        got = pieces.backbone(batch).numpy()
        np.testing.assert_allclose(got, outputs[name], atol=2e-6 * np.abs(outputs[name]).max())
    assert pieces.layout == "miszkur" and pieces.projector is None and pieces.predictor is None
    assert any("holds a backbone only" in note for note in pieces.notes)
    assert any("ResNet-18 of width 4 with a 3 x 3 first layer" in note for note in pieces.notes)


def test_torchs_own_padding_is_another_network():
    """The reference tells the two apart: with torch's padding the outputs are off."""
    net = read_checkpoint(ENCODER).backbone
    expected = np.load(ENCODER.parent / "outputs_of_tensorflow.npz")["even"]
    for module in net.modules():
        if isinstance(module, SameConv2d) and module.kernel_size == (3, 3):
            module.forward = lambda x, own=module: fn.conv2d(x, own.weight, own.bias, own.stride, padding=1)
    assert np.abs(net(images(16)).numpy() - expected).max() > 0.05 * np.abs(expected).max()


def test_every_missing_tensor_of_the_encoder_is_named():
    whole = Content.of(ENCODER).weights
    for key in whole:
        with pytest.raises(ValueError, match="is missing") as caught:
            miszkur.encoder({name: value for name, value in whole.items() if name != key})
        assert key in str(caught.value)


def test_every_missing_tensor_of_haikus_network_is_named():
    _, params, state = haikus((1, 1, 1, 1), (8, 8, 8, 8), False)
    whole = named("online", params, state)
    for key in whole:
        part = {name: value for name, value in whole.items() if name != key}
        if "logits" in key or key.endswith((".hidden", ".counter")):
            assert deepmind.backbone(part, "online") is not None
            continue
        with pytest.raises(ValueError, match="is missing") as caught:
            deepmind.backbone(part, "online")
        assert key in str(caught.value)


def test_version_two_of_haikus_resnet_is_not_taken_for_version_one():
    found = {"online_params.res_net50/~/final_batchnorm.scale": torch.ones(8),
             "online_params.res_net50/~/initial_conv.w": torch.ones(7, 7, 3, 8)}  # fmt: skip
    assert deepmind.backbone(found, "online") is None


WRONG = {
    "kernel": (torch.zeros(5), r"{} must be height x width x in x out; got shape \(5,\)"),
    "NaN": (torch.tensor(torch.nan), "{} must be finite; it holds NaN or infinity"),
    "shape": (torch.zeros(3), r"{} must have shape \(\d+,\); got \(3,\)"),
}


@pytest.mark.parametrize(
    ("kind", "haikus_name", "keras_name"),
    [
        ("kernel", "initial_conv.w", "conv2d/kernel:0"),
        ("kernel", "block_group_1/~/block_0/~/conv_1.w", "basic_block_3/conv2d_9/kernel:0"),
        ("NaN", "block_group_2/~/block_0/~/batchnorm_0.scale", "basic_block_5/batch_normalization_14/gamma:0"),
        ("NaN", "block_group_3/~/block_0/~/shortcut_conv.w", "basic_block_5/conv2d_14/bias:0"),
        ("shape", "block_group_3/~/block_0/~/shortcut_batchnorm.offset", "basic_block/conv2d_1/bias:0"),
    ],
)
def test_a_wrong_tensor_is_named_as_in_its_file(kind, haikus_name, keras_name):
    value, text = WRONG[kind]
    _, params, state = haikus((1, 1, 1, 1), (8, 8, 8, 8), False)
    for read, found, end in (
        (lambda tensors: deepmind.backbone(tensors, "online"), named("online", params, state), haikus_name),
        (miszkur.encoder, Content.of(ENCODER).weights, keras_name),
    ):
        key = next(name for name in found if name.endswith(end))
        wrong = torch.full_like(found[key], torch.nan) if kind == "NaN" else value
        with pytest.raises(ValueError, match=r"\S+ must") as caught:
            read({**found, key: wrong})
        named_as = str(caught.value).split(" ")[0]
        assert named_as == key or (kind == "NaN" and end.endswith("bias:0") and "batch_normalization_14" in named_as)
        assert re.search(text.format(re.escape(named_as)), str(caught.value)) and "\n" not in str(caught.value)
