"""stable-pretraining (Lightning): backbone and projector as pairs of student and teacher."""

from lindyn.bridge.checkpoints.assembling import Names, assemble
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "stable-pretraining", "stable-pretraining (PyTorch Lightning)"
NAMES = Names("backbone.student", "projector.student", "predictor", "backbone.teacher", "projector.teacher")


def matches(content: Content) -> bool:
    """Return whether there are a student's projector or backbone."""
    return content.has(r"(projector|backbone)\.student\.")


def read(content: Content) -> Pieces:
    """Return the pieces."""
    found = group_settings(content.groups("optimizer_states"), content.has(r"predictor\.")) | {"method.target": "ema"}
    notes = ("The teacher's rate and the loss were not read: name them (method.ema, method.loss, method.sides).",)
    return assemble(content, NAME, TITLE, NAMES, settings=Settings.of(found, "the checkpoint"), notes=notes)


LAYOUT = Layout(NAME, TITLE, matches, read)
