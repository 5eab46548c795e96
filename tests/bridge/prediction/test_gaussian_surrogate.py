"""The Gaussian surrogate: its inputs have the recorded moments, its steps are those of training."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge import TrainConfig
from lindyn.bridge.prediction import prediction as one
from lindyn.bridge.run import gaussian_surrogate as surrogate
from lindyn.bridge.run import normalised_theory as theory
from lindyn.bridge.run.gaussian_surrogate import GaussianInputs
from lindyn.bridge.training.networks import PredictorKind
from tests.bridge.prediction.networks import Named, linear_stack, trained, views

KEYS = {"method.loss": "l2", "optim.lr": 0.02, "optim.momentum": 0.8, "optim.weight_decay": 0.03, "optim.alpha_p": 2.0,
        "optim.batch": 96, "method.ema": 0.9, "optim.schedule": "cosine"}  # fmt: skip
DIGITS = {"data.name": "digits", "data.size": 8, "model.width": 4, "model.hidden": 16, "model.dim": 8, "run.epochs": 2,
          "optim.batch": 256}  # fmt: skip


def plan_of(config, steps):
    return theory.plan_of(config, steps, 10)


def test_gaussian_views_have_the_recorded_moments():
    torch.manual_seed(3)
    clean = torch.randn(60, 2, 3) * torch.tensor([2.0, 1.0, 0.5]) + 4.0
    first, second = (clean + 0.7 * torch.randn(clean.shape) for _ in range(2))
    drawn = GaussianInputs.of(first, second, torch.Generator().manual_seed(0), pool=200_000)
    v1, v2 = (view.flatten(1).double() for view in drawn.batch(200_000, torch.Generator().manual_seed(1)))
    a, b = first.flatten(1).double(), second.flatten(1).double()
    mean = (a.mean(0) + b.mean(0)) / 2
    assert torch.allclose(v1.mean(0), mean, atol=0.02) and torch.allclose(v2.mean(0), mean, atol=0.02)
    v1, v2, a, b = v1 - mean, v2 - mean, a - mean, b - mean
    X, Sigma = (a.T @ b + b.T @ a) / (2 * len(a)), (a.T @ a + b.T @ b) / (2 * len(a))
    size = float(Sigma.diagonal().max())
    assert torch.allclose(v1.T @ v2 / len(v1), X, atol=0.02 * size)
    assert torch.allclose(v1.T @ v1 / len(v1), Sigma, atol=0.02 * size)
    kurtosis = (v1**4).mean(0) / (v1**2).mean(0) ** 2
    assert torch.allclose(kurtosis, torch.full_like(kurtosis, 3.0), atol=0.1)


def test_the_end_of_a_network_is_that_network():
    module = one.built(TrainConfig.of(DIGITS))
    pairs = list(theory.batches_of(module, 256))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    found = surrogate.surrogate_of(module, module.config, 4, pairs)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert type(found.end.backbone[0]).__name__ == "Conv2d" and found.first.shape == (256, 8, 2, 2)
    module.train()
    with torch.no_grad():
        ours = found.end.projection_head(found.end.forward(found.first))
        theirs = module.projection_head(module(pairs[0][0]))
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert found.end.teacher_backbone is not found.end.backbone and found.end.teacher_projection_head is not None


@pytest.mark.parametrize("keys", [{}, {"method.target": "online"}, {"method.sides": "averaged"}])
def test_its_steps_are_those_of_training(monkeypatch, keys):
    """On the recorded views themselves, in whole batches, it is the training of torch."""
    monkeypatch.setattr(GaussianInputs, "batch", lambda self, size, _: (self.common, self.apart))
    monkeypatch.setattr(GaussianInputs, "of", classmethod(lambda cls, first, second, *_: cls(first, second)))
    pair, config = views(), TrainConfig.of({**KEYS, **keys})
    module = Named(linear_stack(), linear_stack((4, 4), seed=2))
    steps, at = 40, [0, 1, 10, 40]
    start = surrogate.surrogate_of(module, config, steps, [pair])
    told = surrogate.path_of(start, plan_of(config, steps), at)
    real = trained(copy.deepcopy(module), pair, {**KEYS, **keys}, steps, set(at))
    with torch.no_grad():  # `trained` reads both views, the surrogate the first
        assert told.spectrum[0] == pytest.approx(first_view(module, pair), rel=1e-4)
    for k, step in enumerate(at):
        s = np.linalg.eigvalsh(real[step])[::-1]
        assert told.effective_rank[k] == pytest.approx(float(np.exp(entropy(s))), rel=0.1)
    assert told.trace[-1] / told.trace[0] == pytest.approx(np.trace(real[40]) / np.trace(real[0]), rel=0.02)
    assert math.isnan(told.angle[-1]) and np.all(told.angle[:-1] > 0) and told.norm[-1] != told.norm[0]


def first_view(module, pair):
    z = module.projection_head(pair[0].flatten(1))
    return np.linalg.eigvalsh((z.T @ z / len(z)).numpy())[::-1]


def entropy(s):
    p = np.maximum(s, 0) / np.maximum(s, 0).sum()
    return -np.sum(p[p > 0] * np.log(p[p > 0]))


def test_on_large_batches_of_a_linear_network_it_is_the_linear_theory():
    config = TrainConfig.of({**KEYS, "optim.batch": 4096, "optim.schedule": "constant"})
    module, pair, steps, at = Named(linear_stack(), linear_stack((4, 4), seed=2)), views(count=400), 60, [0, 20, 60]
    plan = plan_of(config, steps)
    start = theory.start_of(module, [pair], PredictorKind.of("linear"), 0)
    exact = theory.path_of(start, plan, np.array(at))
    told = surrogate.path_of(surrogate.surrogate_of(module, config, steps, [pair]), plan, at, seed=1)
    np.testing.assert_allclose(told.norm, exact.norm, rtol=5e-3)
    np.testing.assert_allclose(told.norm_p, exact.norm_p, rtol=2e-2)
    np.testing.assert_allclose(told.spectrum[-1], exact.spectrum[-1], rtol=0.25, atol=0.02 * exact.spectrum[-1, 0])


class Doubled(nn.Module):
    """More than its only child: where the surrogate began inside, it would train another network."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(9, 6), nn.ReLU(), nn.Linear(6, 9))

    def forward(self, images):
        return 2 * self.layers(images)


def blocks(width=4):
    return nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 9, 3, padding=1),
                         nn.BatchNorm2d(9), nn.AdaptiveAvgPool2d(1), nn.Flatten())  # fmt: skip


@pytest.mark.parametrize(
    ("backbone", "begins", "words"),
    [
        (blocks(), "Conv2d", "the training of what stands before the last convolution"),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 9), nn.ReLU()), "Linear", "before the last linear layer"),
        (nn.Sequential(blocks()[:1], nn.Sequential(nn.ReLU(), blocks()[2:])), "Conv2d", "last convolution"),
        (nn.Flatten(), None, "the training of the backbone"),
        (Doubled(), None, "the training of the backbone"),
    ],
)  # fmt: skip
def test_where_it_begins(backbone, begins, words):
    module = Named(nn.Sequential(nn.Linear(9, 6), nn.ReLU(), nn.Linear(6, 4)), nn.Linear(4, 4), backbone)
    pair = [view.float() for view in views()]
    found = surrogate.surrogate_of(module, TrainConfig.of({"method.target": "online"}), 2, [pair])
    assert (type(found.end.backbone[0]).__name__ if len(found.end.backbone) else None) == begins
    assert words in found.left_out[0]


def test_inputs_that_are_too_large_leave_the_backbone_as_it_is(monkeypatch):
    monkeypatch.setattr(surrogate, "LARGEST", 4 * 9 - 1)
    module = Named(nn.Sequential(nn.Linear(9, 4)), nn.Linear(4, 4), blocks())
    found = surrogate.surrogate_of(module, TrainConfig.of({}), 2, [[view.float() for view in views()]])
    assert not len(found.end.backbone) and found.first.shape == (96, 9)
    assert found.end.teacher_projection_head is not found.end.projection_head


KINDS = [
    {"model.predictor": "direct_pred"}, {"model.predictor": "mlp"}, {"model.projector": "byol"},
    {"method.target_start": "independent"}, {"optim.accumulate": 2, "optim.clip": 0.5},
    {"model.projector": "none", "model.backbone": "linear", "model.width": 8},
]  # fmt: skip


@pytest.mark.parametrize("keys", KINDS)
def test_every_kind_of_run_has_a_surrogate(keys):
    config = TrainConfig.of({**DIGITS, **keys})
    start, plan, module = one.started(config)
    found = one.paths(start, plan, np.array([0, 2, plan.steps]), config, module, theory.batches_of(module), both=False)
    path = found.answer
    assert path.finite and path.steps[-1] == plan.steps and np.isfinite(path.spectrum).all()
    assert not np.allclose(path.spectrum[0], path.spectrum[-1], rtol=1e-3)
    assert np.isnan(path.p).all() == (config.model.predictor == "mlp")


def test_the_same_seed_gives_the_same_path_and_another_one_another():
    module = one.built(TrainConfig.of(DIGITS))
    start = surrogate.surrogate_of(module, module.config, module.steps, theory.batches_of(module))
    plan = plan_of(module.config, module.steps)
    first, again, other = (surrogate.path_of(start, plan, [0, module.steps], seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.spectrum, again.spectrum)
    assert not np.allclose(first.spectrum, other.spectrum, rtol=1e-3)


def test_where_nothing_is_left_the_rank_is_0():
    s = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [np.nan, 1.0, 0.0]])
    assert theory.effective_rank(s)[:2] == pytest.approx([2.0, 0.0]) and np.isnan(theory.effective_rank(s)[2])
    assert theory.collapsed(0.0)


def test_a_run_that_leaves_the_numbers_ends_there():
    config = TrainConfig.of({**KEYS, "optim.lr": 1e6, "optim.schedule": "constant"})
    module, pair = Named(linear_stack(), linear_stack((4, 4), seed=2)), views()
    start = surrogate.surrogate_of(module, config, 30, [pair])
    told = surrogate.path_of(start, plan_of(config, 30), np.arange(31))
    assert not told.finite and 0 < told.steps[-1] < 30 and np.isfinite(told.spectrum).all()
    with pytest.raises(ValueError, match="NaN or infinite"):
        surrogate.surrogate_of(module, config, 2, [(pair[0] * math.nan, pair[1])])
    with pytest.raises(ValueError, match="views must hold a batch at least; got none"):
        surrogate.surrogate_of(module, config, 2, [])
