"""Whole networks as people save them, with torchvision's ResNets; and every choice of `lindyn train` read back."""

import copy

import pytest
import torch
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from torch import nn
from torchvision.models import resnet18

from lindyn.bridge.checkpoints import read_checkpoint
from tests.bridge.training.helpers import TINY


def mlp(width, hidden, out):
    return nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out))


@torch.no_grad()
def lived(module, *shapes):
    """Move running moments and scales away from their start."""
    generator = torch.Generator().manual_seed(0)
    for value in module.state_dict().values():
        if value.ndim == 1:
            value.add_(0.3 * torch.rand(value.shape, generator=generator))
    return module.eval()


class Simsiam(nn.Module):
    """Laid out as facebookresearch/simsiam lays out its model."""

    def __init__(self):
        super().__init__()
        self.encoder = resnet18(weights=None)
        self.encoder.fc = nn.Sequential(
            nn.Linear(512, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 512, bias=False),
            nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 16), nn.BatchNorm1d(16, affine=False),
        )  # fmt: skip
        self.predictor = nn.Sequential(nn.Linear(16, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 16))


@torch.no_grad()
def chained(pieces, images):
    """Return projection and prediction of images by the pieces."""
    z = pieces.projector(pieces.backbone(images))
    return z, None if pieces.predictor is None else pieces.predictor(z)


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 40, 40, generator=torch.Generator().manual_seed(5))


def test_simsiam_on_a_resnet(tmp_path, images):
    torch.manual_seed(0)
    model = lived(Simsiam())
    weights = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"epoch": 3, "arch": "resnet18", "state_dict": weights}, tmp_path / "checkpoint_0002.pth.tar")
    pieces = read_checkpoint(tmp_path / "checkpoint_0002.pth.tar")
    z, q = chained(pieces, images)
    with torch.no_grad():
        assert torch.equal(z, model.encoder(images)) and torch.equal(q, model.predictor(z))
    assert "The backbone was taken to be ResNet-18, by its tensors." in pieces.notes


def test_solo_learn_pads_its_cifar_stem_by_two(tmp_path, images):
    torch.manual_seed(0)
    net = resnet18(weights=None)
    net.conv1, net.maxpool, net.fc = nn.Conv2d(3, 64, 3, 1, 2, bias=False), nn.Identity(), nn.Identity()
    model = lived(nn.ModuleDict({"backbone": net, "projector": mlp(512, 32, 8), "predictor": mlp(8, 16, 8)}))
    torch.save({"state_dict": model.state_dict(), "epoch": 1}, tmp_path / "a.ckpt")
    z, q = chained(read_checkpoint(tmp_path / "a.ckpt"), images)
    with torch.no_grad():
        assert torch.equal(z, model["projector"](net(images))) and torch.equal(q, model["predictor"](z))


@pytest.mark.parametrize("layer", [-2, -1])
def test_byol_pytorch_takes_the_hidden_layer_that_fits_the_projector(tmp_path, images, layer):
    torch.manual_seed(0)
    net = resnet18(weights=None, num_classes=20)
    features = 512 if layer == -2 else 20
    online = nn.ModuleDict({"net": net, "projector": mlp(features, 32, 8)})
    model = lived(nn.ModuleDict({"net": net, "online_encoder": online, "target_encoder": copy.deepcopy(online),
                                 "online_predictor": mlp(8, 16, 8)}))  # fmt: skip
    torch.save(model.state_dict(), tmp_path / "a.pt")
    pieces = read_checkpoint(tmp_path / "a.pt")
    bare = nn.Sequential(*list(net.children())[:-1], nn.Flatten()).eval() if layer == -2 else net
    with torch.no_grad():
        z = online["projector"](bare(images))
    assert torch.equal(chained(pieces, images)[0], z)
    assert pieces.backbone.features == pieces.target_backbone.features == features


def test_byol_pytorch_with_another_hidden_layer(tmp_path):
    torch.manual_seed(0)
    online = nn.ModuleDict({"net": resnet18(weights=None), "projector": mlp(256, 32, 8)})
    torch.save(
        nn.ModuleDict({"online_encoder": online, "online_predictor": mlp(8, 16, 8)}).state_dict(), tmp_path / "a.pt"
    )
    pieces = read_checkpoint(tmp_path / "a.pt")
    assert pieces.backbone is None and pieces.projector is not None
    assert any("The projector takes 256 numbers, but the network gives 512" in note for note in pieces.notes)


def test_sthalles_numbers_the_children_of_its_resnet(tmp_path, images):
    torch.manual_seed(0)
    encoder = nn.Sequential(*list(resnet18(weights=None).children())[:-1])
    online = lived(nn.ModuleDict({"encoder": encoder, "projetion": nn.ModuleDict({"net": mlp(512, 32, 8)})}))
    states = {"online_network_state_dict": online.state_dict(), "encoder_state_dict": encoder.state_dict(),
              "target_network_state_dict": online.state_dict(), "optimizer_state_dict": {}}  # fmt: skip
    torch.save(states, tmp_path / "model.pth")
    z, _ = chained(read_checkpoint(tmp_path / "model.pth"), images)
    with torch.no_grad():
        assert torch.equal(z, online["projetion"]["net"](encoder(images).flatten(1)))


def test_lightly_as_its_examples_write_it(tmp_path, images):
    torch.manual_seed(0)
    backbone = nn.Sequential(*list(resnet18(weights=None).children())[:-1])
    model = lived(nn.ModuleDict({
        "backbone": backbone, "projection_head": BYOLProjectionHead(512, 32, 8),
        "prediction_head": BYOLPredictionHead(8, 16, 8),
        "backbone_momentum": copy.deepcopy(backbone), "projection_head_momentum": BYOLProjectionHead(512, 32, 8),
    }))  # fmt: skip
    torch.save({"state_dict": model.state_dict(), "epoch": 9, "global_step": 70}, tmp_path / "epoch=9.ckpt")
    pieces = read_checkpoint(tmp_path / "epoch=9.ckpt")
    z, q = chained(pieces, images)
    with torch.no_grad():
        assert torch.equal(z, model["projection_head"](backbone(images).flatten(1)))
        assert torch.equal(q, model["prediction_head"](z))
        slow = pieces.target_projector(pieces.target_backbone(images))
        assert torch.equal(slow, model["projection_head_momentum"](model["backbone_momentum"](images).flatten(1)))


CHOICES = {
    "linear_symmetric": {"model.predictor": "linear_symmetric"},
    "mlp_symmetric": {"model.predictor": "mlp_symmetric", "model.predictor_options": {"hidden_dim": 12}},
    "identity": {"model.predictor": "identity"},
    "no projector": {"model.predictor": "linear", "model.projector": "none"},
    "no projector, identity": {"model.predictor": "identity", "model.projector": "none"},
    "linear projector": {"model.predictor": "linear", "model.projector": "linear"},
    "linear backbone": {"model.backbone": "linear", "model.width": 6, "run.precision": "64-true"},
    "group": {"model.norm": "group"},
    "newton_schulz": {"model.predictor": "newton_schulz"},
    "online target": {"method.target": "online"},
}


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_of_lindyn_train_is_read_back(tmp_path, name):
    from lindyn.bridge.training import TrainConfig, build, open_source

    config = TrainConfig.of(TINY | CHOICES[name])
    module = build(config, open_source(config))
    with torch.no_grad():  # halves of symmetric layers, moments and matrices as if they had lived
        for k, value in enumerate(module.state_dict().values()):
            if value.is_floating_point():
                value.add_(0.1 * torch.rand(value.shape, generator=torch.Generator().manual_seed(k)))
    module = (module.double() if config.run.precision == "64-true" else module).eval()
    inside = {"config": config.to_toml(), "step": 12}
    torch.save(
        {"state_dict": module.state_dict(), "lindyn": inside, "epoch": 2, "global_step": 12}, tmp_path / "a.ckpt"
    )
    pieces = read_checkpoint(tmp_path / "a.ckpt")
    x = torch.rand(5, 1, 8, 8, dtype=module.dtype)
    with torch.no_grad():
        h = module(x)
        z = module.projection_head(h)
        q = module.prediction_head(z)
        for got, expected in ((pieces.backbone(x), h), (pieces.projector(h), z), (pieces.predictor(z), q)):
            assert got.dtype == expected.dtype
            torch.testing.assert_close(got, expected, rtol=0, atol=1e-6 * max(1.0, float(expected.abs().max())))
        if config.method.target != "online":
            aim = module.teacher_projection_head(module.teacher_backbone(x).flatten(1))
            torch.testing.assert_close(pieces.target_projector(pieces.target_backbone(x)), aim, rtol=0, atol=1e-6)
    assert pieces.step == 12 and pieces.settings.get("model.predictor") == config.model.predictor
    assert any("tau = 1" in note for note in pieces.notes) == (config.method.target == "online")


def test_reading_a_checkpoint_loads_no_training_package():
    import subprocess
    import sys

    from tests.bridge.validation.originals import CASES

    script = (
        "import sys; from lindyn.bridge.checkpoints import read_checkpoint\n"
        f"read_checkpoint({str(CASES['lindyn linear'].path)!r})\n"
        "print(sorted({'lightly', 'pytorch_lightning', 'torchvision', 'matplotlib', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
