"""A ResNet of few channels as DeepMind's code builds it, in the place of a run's backbone."""

from contextlib import contextmanager
from unittest import mock

from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from lindyn.bridge.checkpoints import pad_same
from lindyn.bridge.training import networks

WIDTHS = (4, 4, 8, 8)


def narrow_resnet(channels):
    """Return one basic block a stage, each with a shortcut that is projected, padded as haiku pads."""
    net = ResNet(BasicBlock, [1, 1, 1, 1])
    inner = WIDTHS[0]
    net.conv1, net.bn1 = nn.Conv2d(channels, inner, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(inner)
    for k, outer in enumerate(WIDTHS):
        stride = 2 if k else 1
        shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride=stride, bias=False), nn.BatchNorm2d(outer))
        setattr(net, f"layer{k + 1}", nn.Sequential(BasicBlock(inner, outer, stride, shortcut)))
        inner = outer
    net.fc, net.features = nn.Identity(), inner
    pad_same(net)
    return net


@contextmanager
def as_backbone():
    """Let `lindyn train` take this network."""
    with mock.patch.object(networks, "backbone", lambda config, shape: narrow_resnet(shape[0])):
        yield
