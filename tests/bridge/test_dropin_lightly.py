"""lightly's BYOL and SimSiam, as its users write them, with the prediction head replaced and nothing else."""

import copy

import numpy as np
import pytest
import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead, SimSiamProjectionHead
from lightly.models.utils import deactivate_requires_grad, get_weight_decay_parameters, update_momentum
from lightly.utils.lars import LARS
from lightly.utils.scheduler import cosine_schedule
from torch import nn

from lindyn.bridge import Diagnostics, read_trace
from tests.bridge.real_images import (
    CLOSED_FORM,
    LAYERS,
    WIDTH,
    D,
    Recorder,
    assert_same,
    backbone,
    byol_batches,
    expected_W_p,
    simsiam_batches,
    snapshot,
)


class BYOL(nn.Module):
    """Online and momentum networks; lightly's names."""

    def __init__(self, encoder, width=WIDTH, d=D, hidden=32):
        super().__init__()
        self.backbone = encoder
        self.projection_head = BYOLProjectionHead(width, hidden, d)
        self.prediction_head = BYOLPredictionHead(d, hidden, d)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)

    def forward(self, images):
        return self.prediction_head(self.projection_head(self.backbone(images).flatten(start_dim=1)))

    def forward_momentum(self, images):
        return self.projection_head_momentum(self.backbone_momentum(images).flatten(start_dim=1)).detach()


class SimSiam(nn.Module):
    """One network, lightly's names."""

    def __init__(self):
        super().__init__()
        self.backbone = backbone()
        self.projection_head = SimSiamProjectionHead(WIDTH, 32, D)
        self.prediction_head = BYOLPredictionHead(D, 32, D)

    def forward(self, images):
        z = self.projection_head(self.backbone(images).flatten(start_dim=1))
        return z.detach(), self.prediction_head(z)


def train_byol(model, batches, optimizer=None, after_step=lambda: None):
    criterion = NegativeCosineSimilarity()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.06)
    losses = []
    for step, (x0, x1) in enumerate(batches):
        momentum = cosine_schedule(step, len(batches), 0.996, 1)
        update_momentum(model.backbone, model.backbone_momentum, m=momentum)
        update_momentum(model.projection_head, model.projection_head_momentum, m=momentum)
        p0, z0 = model(x0), model.forward_momentum(x0)
        p1, z1 = model(x1), model.forward_momentum(x1)
        loss = 0.5 * (criterion(p0, z1) + criterion(p1, z0))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        after_step()
    return losses


def train_simsiam(model, batches, after_step):
    criterion = NegativeCosineSimilarity()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06, momentum=0.9, weight_decay=5e-4)
    losses = []
    for x0, x1 in batches:
        (z0, p0), (z1, p1) = model(x0), model(x1)
        loss = 0.5 * (criterion(z0, p1) + criterion(z1, p0))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        after_step()
    return losses


def check(name, model, recorder, before, losses, validate):
    """The loss is a cosine, the network learns, W_p follows F, validation leaves no mark."""
    assert np.isfinite(losses).all() and all(-1 <= loss <= 1 for loss in losses)
    assert not torch.equal(model.backbone[0].weight, before["backbone.0.weight"])
    layer = model.prediction_head
    if name in CLOSED_FORM:
        layer.update()  # what the last step gathered; the next training call would do it
        expected = expected_W_p(layer.recipe, recorder.steps)
        np.testing.assert_allclose(layer.W_p, expected, atol=3e-4 * np.abs(expected).max())
        assert layer.health().healthy and not list(layer.parameters())
    else:
        assert any(not torch.equal(value, before[key]) for key, value in snapshot(model).items() if "prediction" in key)
    model.eval()
    after = snapshot(model)
    with torch.no_grad():
        once, again = validate(), validate()
    assert_same(snapshot(model), after)
    assert torch.equal(once, again)


@pytest.mark.parametrize("name", LAYERS)
def test_byol_with_its_prediction_head_replaced(name):
    torch.manual_seed(0)
    model = BYOL(backbone())
    model.prediction_head = LAYERS[name](D, 32, D)
    recorder, before = Recorder(model.prediction_head), snapshot(model)
    losses = train_byol(model, byol_batches(), after_step=recorder.step)
    check(name, model, recorder, before, losses, lambda: model(byol_batches()[0][0]))


@pytest.mark.parametrize("name", LAYERS)
def test_simsiam_with_its_prediction_head_replaced(name):
    torch.manual_seed(0)
    model = SimSiam()
    model.prediction_head = LAYERS[name](D, 32, D)
    recorder, before = Recorder(model.prediction_head), snapshot(model)
    losses = train_simsiam(model, simsiam_batches(), recorder.step)
    check(name, model, recorder, before, losses, lambda: model(simsiam_batches()[0][0])[1])


@pytest.mark.parametrize("name", ["paper", "linear"])
def test_lightlys_lars_and_its_split_of_the_parameters(name):
    torch.manual_seed(0)
    model = BYOL(backbone())
    model.prediction_head = LAYERS[name](D, 32, D)
    decayed, others = get_weight_decay_parameters([model.backbone, model.projection_head, model.prediction_head])
    groups = [{"name": "byol", "params": decayed}, {"name": "others", "params": others, "weight_decay": 0.0}]
    optimizer = LARS(groups, lr=0.2, momentum=0.9, weight_decay=1.5e-6)
    assert np.isfinite(train_byol(model, byol_batches(), optimizer)).all()


def test_a_run_watched_with_lightlys_own_head_and_with_the_closed_form(tmp_path):
    for name, kind in (("mlp of lightly", "least squares"), ("paper", "W_p")):
        torch.manual_seed(0)
        model = BYOL(backbone())
        if name in LAYERS:
            model.prediction_head = LAYERS[name](D, 32, D)
        watch = Diagnostics(model, tmp_path / name, every=3)
        train_byol(model, byol_batches(), after_step=watch.step)
        ds = read_trace(tmp_path / name)
        assert watch.name == "prediction_head" and watch.map == kind
        assert list(ds.step.values) == [3] and ds.alarm.values[0] in ("healthy", "at risk") and ds.samples[0] == 96
        assert (abs(ds.alignment) <= 1 + 1e-9).all()
    assert ds.asymmetry[0] < 1e-5  # DirectPred's W_p is symmetric


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "newton_schulz", "linear_regression", "mlp"])
def test_byol_on_a_resnet_18(name, tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    encoder = nn.Sequential(*list(resnet18().children())[:-1])
    model = BYOL(encoder, width=512, d=64, hidden=128)
    model.prediction_head = LAYERS[name](64, 128, 64)
    watch = Diagnostics(model, tmp_path / "trace", every=4)
    before = snapshot(model)
    losses = train_byol(model, byol_batches(32, 8), after_step=watch.step)
    assert np.isfinite(losses).all() and not torch.equal(encoder[0].weight, before["backbone.0.weight"])
    ds = read_trace(tmp_path / "trace")
    assert list(ds.step.values) == [4, 8] and set(ds.alarm.values) <= {"healthy", "at risk"}
