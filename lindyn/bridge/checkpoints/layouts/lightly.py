"""lightly's BYOL and SimSiam, in the naming of its benchmarks (teacher_*) and of its examples (*_momentum)."""

from lindyn.bridge.checkpoints.assembling import Names, assemble
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.checkpoints.layouts import lindyn
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "lightly", "lightly (PyTorch Lightning)"
TEACHER = ("teacher_backbone", "teacher_projection_head")
MOMENTUM = ("backbone_momentum", "projection_head_momentum")


def matches(content: Content) -> bool:
    """Return whether there is a projection head under lightly's name, and no configuration of lindyn's."""
    return content.has(r"projection_head\.") and not lindyn.matches(content)


def read(content: Content) -> Pieces:
    """Return the pieces."""
    target = TEACHER if content.has(r"teacher_(backbone|projection_head)\.") else MOMENTUM
    has_target = content.has(rf"({target[0]}|{target[1]})\.")
    found = group_settings(content.groups("optimizer_states", "optimizer"), content.has(r"prediction_head\."))
    found |= {"method.target": "ema" if has_target else "online"}
    notes: tuple[str, ...] = (
        "lightly saves neither the target's rate nor the loss: name them (method.ema, method.loss, method.sides).",
    )
    if not has_target:
        notes += ("There is no target network, so the target was taken to be the online network (SimSiam): tau = 1.",)
    return assemble(
        content, NAME, TITLE, Names("backbone", "projection_head", "prediction_head", *target),
        settings=Settings.of(found, "the checkpoint"), notes=notes, target_expected=False,
    )  # fmt: skip


LAYOUT = Layout(NAME, TITLE, matches, read)
