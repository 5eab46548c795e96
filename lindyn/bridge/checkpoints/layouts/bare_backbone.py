"""A bare backbone and nothing else, as torchvision and the trainer of byol-pytorch save it."""

from lindyn.bridge.checkpoints import backbones, unsaid
from lindyn.bridge.checkpoints.assembling import BACKBONE_ONLY
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.checkpoints.single_layers import NotBuiltError
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
    try:
        net, why = backbones.backbone(content.weights, "the backbone", backbones.TORCHVISION.told(content.said)), ""
    except NotBuiltError as error:
        net, why = None, str(error)
    said = (BACKBONE_ONLY, backbones.said(net) if net is not None else why)
    return Pieces(content.path, NAME, TITLE, backbone=net, notes=tuple(note for note in said if note),
                  step=content.number("step"), epoch=content.number("epoch"),
                  assumptions=(*content.assumptions, *unsaid.of_backbone(net, content.said)))  # fmt: skip


LAYOUT = Layout(NAME, TITLE, matches, read, last=True)
