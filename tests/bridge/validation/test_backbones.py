"""Backbones come back from their tensors: torchvision's own ResNets, in every form they are saved in, and lindyn's."""

import pytest
import torch
from lightly.models import ResNetGenerator
from torch import nn
from torchvision import models

from lindyn.bridge.checkpoints import Form, backbones, single_layers
from lindyn.bridge.training import LinearNet, SmallNet


def lived(net, size=32, channels=3):
    """Return the net in eval mode with moments of random images."""
    with torch.no_grad():
        net(torch.randn(4, channels, size, size, generator=torch.Generator().manual_seed(1)))
    return net.eval()


def assert_same(built, net, size=32, channels=3, features=512):
    images = torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.equal(built(images), net(images).flatten(1))
    assert built.features == features and not built.training
    assert not any(parameter.requires_grad for parameter in built.parameters())


def without_fc(net):
    net.fc = nn.Identity()
    return net


def cifar(net, padding=1):
    net.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=padding, bias=False)
    net.maxpool = nn.Identity()
    return net


@pytest.fixture(scope="module")
def resnet18():
    torch.manual_seed(0)
    return lived(models.resnet18(weights=None), 64)


@pytest.mark.parametrize(("name", "features"), [("resnet18", 512), ("resnet50", 2048), ("wide_resnet50_2", 2048),
                                                ("resnext50_32x4d", 2048)])  # fmt: skip
def test_torchvisions_resnets_with_and_without_fc(name, features):
    torch.manual_seed(0)
    net = lived(getattr(models, name)(weights=None), 64)
    whole = net.state_dict()
    bare = without_fc(net)
    for found in (whole, bare.state_dict()):
        built = backbones.backbone(found, "backbone")
        assert_same(built, bare, 64, features=features)
    titles = {"resnet18": "ResNet-18", "resnext50_32x4d": "ResNet-50 of 32 groups (ResNeXt)"}
    assert backbones.title(built) == titles.get(name, "ResNet-50")


def test_a_resnet_with_the_fc_that_belongs_to_it(resnet18):
    built = backbones.backbone(resnet18.state_dict(), "net", Form(keep_fc=True))
    assert_same(built, resnet18, 64, features=1000)


@pytest.mark.parametrize("padding", [1, 2])
def test_the_cifar_stem_with_both_paddings(padding):
    torch.manual_seed(0)
    net = lived(without_fc(cifar(models.resnet18(weights=None), padding)))
    built = backbones.backbone(net.state_dict(), "backbone", Form(stem_padding=padding))
    assert_same(built, net)
    assert backbones.title(built) == "ResNet-18 with a 3 x 3 first layer"
    other = backbones.backbone(net.state_dict(), "backbone", Form(stem_padding=3 - padding))
    images = torch.randn(1, 3, 8, 8)
    assert not torch.equal(other(images), built(images))


def test_a_numbered_sequential_of_torchvisions_children(resnet18):
    children = nn.Sequential(*list(resnet18.children())[:-1]).eval()
    built = backbones.backbone(children.state_dict(), "backbone")
    assert_same(built, children, 64)


def test_lightlys_cifar_network_whose_relu_is_lost_in_its_sequential():
    torch.manual_seed(0)
    net = ResNetGenerator("resnet-18")
    numbered = lived(nn.Sequential(*list(net.children())[:-1], nn.AdaptiveAvgPool2d(1)))
    assert_same(backbones.backbone(numbered.state_dict(), "backbone"), numbered)
    whole = net.state_dict()
    assert not torch.equal(  # the class itself has the ReLU
        backbones.backbone({k: v for k, v in whole.items() if "linear" not in k}, "backbone")(torch.ones(1, 3, 32, 32)),
        numbered(torch.ones(1, 3, 32, 32)).flatten(1),
    )


def test_blocks_whose_batchnorm_has_neither_scale_nor_shift():
    torch.manual_seed(0)
    net = models.resnet18(weights=None)
    for module in net.modules():
        if isinstance(module, models.resnet.BasicBlock):
            module.bn1, module.bn2 = (nn.BatchNorm2d(module.bn1.num_features, affine=False) for _ in range(2))
    lived(without_fc(net))
    assert_same(backbones.backbone(net.state_dict(), "encoder"), net)


@pytest.mark.parametrize("name", ["resnet18", "resnet18d", "resnet26d"])
def test_timms_resnets_with_plain_and_deep_stems(name):
    import timm

    torch.manual_seed(0)
    net = lived(timm.create_model(name, num_classes=0), 40)
    built = backbones.backbone(net.state_dict(), "backbone")
    assert_same(built, net, 40, features=2048 if name == "resnet26d" else 512)
    assert ("deep stem" in backbones.title(built)) == name.endswith("d")
    if name == "resnet18d":  # mmpretrain's names for the same
        found = {key.replace("conv1.", "stem.") if key.startswith("conv1.") else key.replace("bn1.", "stem.7.")
                 if key.startswith("bn1.") else key: value for key, value in net.state_dict().items()}  # fmt: skip
        assert_same(backbones.backbone(found, "backbone"), net, 40)


def test_a_resnet_without_running_statistics_is_not_built_and_said():
    net = models.resnet18(weights=None, norm_layer=lambda width: nn.GroupNorm(4, width))
    with pytest.raises(single_layers.NotBuiltError, match="normalisation has no running statistics"):
        backbones.backbone(net.state_dict(), "backbone")


def test_one_channel_and_double_precision():
    torch.manual_seed(0)
    net = models.resnet18(weights=None)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    lived(without_fc(net), channels=1)
    assert_same(backbones.backbone(net.state_dict(), "backbone"), net, channels=1)
    built = backbones.backbone(net.double().state_dict(), "backbone")
    assert next(built.parameters()).dtype == torch.float64


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_the_small_network(norm):
    torch.manual_seed(0)
    net = lived(SmallNet(2, 3, norm), 16, 2)
    assert_same(backbones.backbone(net.state_dict(), "backbone"), net, 16, 2, 12)


def test_the_linear_network():
    net = LinearNet(27, 5).eval()
    assert_same(backbones.backbone(net.state_dict(), "backbone"), net, 3, 3, 5)


@pytest.mark.parametrize(
    "key", ["conv1.weight", "bn1.bias", "layer2.0.downsample.1.running_mean", "layer4.1.conv2.weight"]
)
def test_the_missing_tensor_of_a_resnet_is_named(resnet18, key):
    found = {name: value for name, value in resnet18.state_dict().items() if name != key}
    with pytest.raises(ValueError, match=f"backbone.{key} is missing"):
        backbones.backbone(found, "backbone")


@pytest.mark.parametrize("key", list(SmallNet(1, 2).state_dict()))
def test_the_missing_tensor_of_the_small_network_is_named(key):
    found = {name: value for name, value in SmallNet(1, 2).state_dict().items() if name != key}
    if key.endswith("tracked"):
        assert backbones.backbone(found, "backbone") is not None
        return
    with pytest.raises(ValueError, match=f"backbone.{key} is missing"):
        backbones.backbone(found, "backbone")


def test_a_wrong_shape_is_named(resnet18):
    found = resnet18.state_dict() | {"layer1.0.conv2.weight": torch.zeros(64, 32, 3, 3)}
    with pytest.raises(
        ValueError, match=r"backbone.layer1.0.conv2.weight must have shape \(64, 64, 3, 3\); got \(64, 32"
    ):
        backbones.backbone(found, "backbone")


def test_other_networks_are_not_taken_for_one_of_these(resnet18):
    assert backbones.backbone(models.mobilenet_v3_small(weights=None).state_dict(), "backbone") is None
    assert backbones.backbone(resnet18.state_dict() | {"attention.weight": torch.zeros(3)}, "backbone") is None
    assert backbones.backbone(nn.Sequential(nn.Linear(3, 3)).state_dict(), "backbone") is None


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("conv1.weight", torch.zeros(64), r"backbone.conv1.weight must have 4 axes; got shape \(64,\)"),
        ("layer1.0.conv1.weight", torch.zeros(64, 64), "backbone.layer1.0.conv1.weight must have 4 axes"),
        ("layer2.0.conv2.weight", torch.zeros(128, 9, 3, 3), "backbone.layer2.0.conv2.weight must have shape"),
        ("bn1.weight", torch.full((64,), torch.nan), "backbone.bn1.weight must be finite; it holds NaN"),
    ],
)
def test_tensors_that_cannot_be_those_of_a_resnet_are_named(key, value, text):
    torch.manual_seed(0)
    for net in (models.resnet18(weights=None), models.resnet50(weights=None)):
        with pytest.raises(ValueError, match=text):
            backbones.backbone(net.state_dict() | {key: value}, "backbone")
