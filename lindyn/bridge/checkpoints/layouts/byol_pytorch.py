"""lucidrains' byol-pytorch: the whole BYOL module."""

from dataclasses import replace
from typing import Any

from lindyn.bridge.checkpoints import backbones
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.backbones import Form
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.layers.stacks import widths
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "byol-pytorch", "byol-pytorch"
NAMES = Names("online_encoder.net", "online_encoder.projector", "online_predictor", "target_encoder.net",
              "target_encoder.projector")  # fmt: skip


def matches(content: Content) -> bool:
    """Return whether there is an online encoder under byol-pytorch's name."""
    return content.has(r"online_encoder\.")


def read(content: Content) -> Pieces:
    """Return the pieces."""
    has_target = content.has(r"target_encoder\.")
    code = {"method.loss": "cosine", "method.sides": "symmetrised", "method.target": "ema" if has_target else "online",
            "optim.alpha_p": 1.0, "method.ema_schedule": "constant", "model.activation": "relu"}  # fmt: skip
    notes: tuple[str, ...] = (
        "byol-pytorch saves no settings: give optim.lr, optim.weight_decay and method.ema (0.99 by its default).",
    )
    if not has_target:
        notes += ("There is no target encoder (use_momentum=False): the target is the online network, tau = 1.",)
    pieces = assemble(
        content, NAME, TITLE, NAMES, settings=Settings.of(code, "byol-pytorch's code"), notes=notes,
        target_expected=False,
    )  # fmt: skip
    return _with_fc(content, pieces)


def _with_fc(content: Content, pieces: Pieces) -> Pieces:
    """Return the pieces with the backbone's `fc` in place where the projector stands behind it (hidden_layer=-1)."""
    takes = None if pieces.projector is None else widths(pieces.projector)[0]
    net: Any = pieces.backbone
    if net is None or takes in (None, net.features):
        return pieces
    places = (("backbone", NAMES.backbone), ("target_backbone", NAMES.target_backbone))
    form = Form(keep_fc=True).told(content.said)
    both: Any = {part: backbones.backbone(content.under(prefix), prefix, form)
                 for part, prefix in places if content.under(prefix)}  # fmt: skip
    if both["backbone"].features == takes:
        return replace(pieces, **both)
    return with_notes(
        replace(pieces, backbone=None, target_backbone=None),
        f"The projector takes {takes} numbers, but the network gives {net.features} before its last layer, so another "
        "hidden_layer was used: give the projections of two views as features.",
    )


LAYOUT = Layout(NAME, TITLE, matches, read)
