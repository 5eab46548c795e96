"""A bare backbone and nothing else, as torchvision and the trainer of byol-pytorch save it."""

from lindyn.bridge.checkpoints import backbones
from lindyn.bridge.checkpoints.assembling import BACKBONE_ONLY
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.records import Pieces

NAME, TITLE = "backbone", "a bare backbone, as byol-pytorch's trainer and torchvision save it"
_FIRST = {"conv1", "bn1", "fc", *backbones.STAGES}


def matches(content: Content) -> bool:
    """Return whether all tensors are those of one ResNet, or of lindyn's small network."""
    first = {name.split(".")[0] for name in content.weights}
    convolutional = any(value.ndim == 4 for value in content.weights.values())
    bare = first <= _FIRST and content.has(r"layer1\.") and not content.has(r"fc\.\d")
    return convolutional and (bare or (first == {"layers"} and backbones.backbone(content.weights, "") is not None))


def read(content: Content) -> Pieces:
    """Return the backbone."""
    net = backbones.backbone(content.weights, "the backbone")
    said = (BACKBONE_ONLY,) if net is None else (BACKBONE_ONLY, backbones.said(net))
    return Pieces(content.path, NAME, TITLE, backbone=net, notes=said, step=content.number("step"),
                  epoch=content.number("epoch"))  # fmt: skip


LAYOUT = Layout(NAME, TITLE, matches, read, last=True)
