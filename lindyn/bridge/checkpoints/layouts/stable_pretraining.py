"""stable-pretraining (Lightning): backbone and projector as pairs of student and teacher."""

from lindyn.bridge.checkpoints.layouts.assembling import Names, assemble
from lindyn.bridge.checkpoints.layouts.content import Content, Layout
from lindyn.bridge.checkpoints.layouts.optimisers import settings
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "stable-pretraining", "stable-pretraining (PyTorch Lightning)"
NAMES = Names("backbone.student", "projector.student", "predictor", "backbone.teacher", "projector.teacher")


def matches(content: Content) -> bool:
    """Return whether there are a student's projector or backbone."""
    return content.has(r"(projector|backbone)\.student\.")


def read(content: Content) -> Pieces:
    """Return the pieces.

    Raises:
        ValueError: a tensor is missing or of the wrong shape.
    """
    found = settings(content.groups("optimizer_states"), content.has(r"predictor\.")) | {"method.target": "ema"}
    notes = ("The teacher's rate and the loss were not read: name them (method.ema, method.loss, method.sides).",)
    return assemble(content, NAME, TITLE, NAMES, settings=Settings.of(found, "the checkpoint"), notes=notes)


LAYOUT = Layout(NAME, TITLE, matches, read)
