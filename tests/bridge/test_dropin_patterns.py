"""The ways other libraries call a predictor: per crop and in validation, both views at once, lists and tuples."""

import copy

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lindyn.bridge import (
    ClosedFormPredictor,
    Diagnostics,
    DiagnosticsCallback,
    LinearRegressionPredictor,
    StiefelPredictor,
    parameter_groups,
    read_trace,
)
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
    snapshot,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:The .*_dataloader.* does not have many workers"),
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning"),
]


def projector():
    return nn.Sequential(nn.Linear(WIDTH, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, D))


def cosine_loss(p, z):
    return 2 - 2 * torch.cosine_similarity(p, z.detach(), dim=-1).mean()


def target_of(*modules):
    return [copy.deepcopy(module).requires_grad_(False) for module in modules]


def follow(pairs, m=0.99):
    with torch.no_grad():
        for online, target in pairs:
            for w, w_a in zip(online.parameters(), target.parameters(), strict=True):
                w_a.lerp_(w, 1 - m)


class SoloBYOL(pl.LightningModule):
    """As in solo-learn: forward runs the predictor on every crop, in training and in validation; one optimiser group
    per part, momentum pairs without the predictor, a classifier on detached features."""

    def __init__(self, predictor, calls_it_twice=False):
        super().__init__()
        self.backbone, self.projector, self.predictor = nn.Sequential(backbone(), nn.Flatten()), projector(), predictor
        self.momentum_backbone, self.momentum_projector = target_of(self.backbone, self.projector)
        self.classifier = nn.Linear(WIDTH, 10)
        self.calls_it_twice, self.losses = calls_it_twice, []

    @property
    def learnable_params(self):
        parts = (self.backbone, self.classifier, self.projector, self.predictor)
        return [{"params": part.parameters()} for part in parts]

    @property
    def momentum_pairs(self):
        return [(self.backbone, self.momentum_backbone), (self.projector, self.momentum_projector)]

    def configure_optimizers(self):
        return torch.optim.SGD(self.learnable_params, lr=0.05, momentum=0.9)

    def forward(self, X):
        feats = self.backbone(X)
        z = self.projector(feats)
        return {"feats": feats, "logits": self.classifier(feats.detach()), "z": z, "p": self.predictor(z)}

    def training_step(self, batch, batch_index):
        outs = [self(X) for X in batch[:2]]
        z = [out["z"] for out in outs]
        p = [self.predictor(one) for one in z] if self.calls_it_twice else [out["p"] for out in outs]
        with torch.no_grad():
            z_a = [self.momentum_projector(self.momentum_backbone(X)) for X in batch[:2]]
        class_loss = sum(nn.functional.cross_entropy(out["logits"], batch[2]) for out in outs) / 2
        loss = cosine_loss(p[0], z_a[1]) + cosine_loss(p[1], z_a[0])
        self.losses.append(float(loss.detach()))
        return loss + class_loss

    def on_train_batch_end(self, outputs, batch, batch_index):
        follow(self.momentum_pairs)

    def on_validation_start(self):
        self.before = snapshot(self)

    def validation_step(self, batch, batch_index):
        self(batch[0])

    def on_validation_end(self):
        assert_same(snapshot(self), self.before)


def fit(module, callback, folder, steps=4):
    views = [torch.cat([batch[k] for batch in byol_batches(steps=4)]) for k in range(2)]
    data = TensorDataset(*views, torch.arange(len(views[0])) % 10)
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        default_root_dir=folder,
        val_check_interval=2,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(module, DataLoader(data, batch_size=16), DataLoader(data, batch_size=64))


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_solo_learn(name, twice, tmp_path):
    torch.manual_seed(0)
    module = SoloBYOL(LAYERS[name](D, 32, D), twice)
    recorder = Recorder(module.predictor)
    recording = pl.callbacks.LambdaCallback(on_train_batch_end=lambda *_: recorder.step())
    fit(module, recording, tmp_path)
    assert len(module.losses) == 4 and np.isfinite(module.losses).all() and max(module.losses) <= 8
    if name in CLOSED_FORM and not twice:
        module.predictor.train().update()
        expected = expected_W_p(module.predictor.recipe, recorder.steps)
        np.testing.assert_allclose(module.predictor.W_p, expected, atol=3e-4 * np.abs(expected).max())
    if name == "paper" and twice:  # the same features counted twice have the same F
        expected = expected_W_p(module.predictor.recipe, [calls[:2] for calls in recorder.steps])
        module.predictor.update()
        np.testing.assert_allclose(module.predictor.W_p, expected, atol=3e-4 * np.abs(expected).max())


def test_the_lightning_callback_in_solo_learns_pattern(tmp_path):
    torch.manual_seed(0)
    fit(SoloBYOL(ClosedFormPredictor(D)), DiagnosticsCallback(tmp_path / "trace", every=2), tmp_path)
    ds = read_trace(tmp_path / "trace")
    assert list(ds.step.values) == [2, 4] and (ds.samples == 64).all()  # two crops of 16, two steps, no validation


BOTH_AT_ONCE = {
    "paper": (ClosedFormPredictor, {}),
    "newton_schulz, per call": (ClosedFormPredictor, {"rule": "richemond"}),
    "linear_regression, per call": (LinearRegressionPredictor, {"views": 2, "update": "call"}),
    "stiefel": (StiefelPredictor, {"views": 2}),
}


@pytest.mark.parametrize("name", BOTH_AT_ONCE)
@pytest.mark.parametrize("attribute", ["online_predictor", "predictor"])  # byol-pytorch; stable-pretraining
def test_both_views_in_one_call(name, attribute):
    torch.manual_seed(0)
    make, options = BOTH_AT_ONCE[name]
    learner = nn.Module()
    learner.online_encoder = nn.Sequential(backbone(), nn.Flatten(), projector())
    setattr(learner, attribute, make(D, **options))
    layer = getattr(learner, attribute)
    (target_encoder,) = target_of(learner.online_encoder)
    optimizer = torch.optim.Adam(learner.parameters(), lr=3e-3)
    steps = []
    for views in byol_batches():
        z = learner.online_encoder(torch.cat(views))
        one, two = layer(z).chunk(2)
        with torch.no_grad():
            target_one, target_two = target_encoder(torch.cat(views)).chunk(2)
        loss = (cosine_loss(one, target_two) + cosine_loss(two, target_one)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        follow([(learner.online_encoder, target_encoder)])
        steps.append([half.numpy() for half in z.detach().double().chunk(2)])
        assert torch.isfinite(loss)
    layer.update()
    if layer.recipe.update == "call":  # one call holds both views
        steps = steps[-1:]
        assert layer.recipe.rho == 0
        expected = expected_W_p(type(layer.recipe).of(layer.recipe, update="step"), steps)
    else:
        expected = expected_W_p(layer.recipe, steps)
    np.testing.assert_allclose(layer.W_p, expected, atol=3e-4 * np.abs(expected).max())


class InAListOutATuple(nn.Module):
    """As mmpretrain's necks are called, which its heads use as predictors."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return (self.layer(x[0]),)


def test_lists_in_and_tuples_out(tmp_path):
    torch.manual_seed(0)
    model = nn.Module()
    model.backbone, model.neck, model.head = nn.Sequential(backbone(), nn.Flatten()), projector(), nn.Module()
    model.head.predictor = InAListOutATuple(ClosedFormPredictor(D))
    watch = Diagnostics(model, tmp_path / "trace", every=3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for views in byol_batches():
        z = [model.neck(model.backbone(view)) for view in views]
        p = [model.head.predictor([one])[0] for one in z]
        loss = cosine_loss(p[0], z[1]) + cosine_loss(p[1], z[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        reading = watch.step()
    assert watch.name == "head.predictor.layer" and watch.map == "W_p"
    W_p = model.head.predictor.layer.W_p.double().numpy()
    np.testing.assert_allclose(reading.spectrum_W_p, np.linalg.eigvalsh(W_p)[::-1], atol=1e-6)


def test_a_trained_predictor_with_a_rate_of_its_own_in_a_momentum_run():
    """alpha_p: after one step the predictor moved ten times as far as its gradient times the rate."""
    torch.manual_seed(0)
    model = nn.Module()
    model.encoder, model.predictor = nn.Sequential(backbone(), nn.Flatten(), projector()), LAYERS["linear"](D)
    optimizer = torch.optim.SGD(parameter_groups(model, model.predictor, lr=0.01, alpha_p=10.0))
    before = model.predictor.W_p.detach().clone()
    z = [model.encoder(view) for view in byol_batches()[0]]
    cosine_loss(model.predictor(z[0]), z[1]).backward()
    optimizer.step()
    moved = model.predictor.W_p.detach() - before
    torch.testing.assert_close(moved, -0.1 * model.predictor.W_p.grad)
