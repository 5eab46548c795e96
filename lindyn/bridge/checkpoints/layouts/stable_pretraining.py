"""stable-pretraining (Lightning): backbone and projector as pairs of student and teacher, or plain."""

from collections.abc import Mapping

from lindyn.bridge.checkpoints import other_methods
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "stable-pretraining", "stable-pretraining (PyTorch Lightning)"
PAIRED = Names("backbone.student", "projector.student", "predictor", "backbone.teacher", "projector.teacher")
PLAIN = Names("backbone", "projector", "predictor")
RATES = ("base_ema_coefficient", "ema_coefficient")  # gamma_a at the start, and as it is now


def is_marked(content: Content) -> bool:
    """Return whether the file says that it is of this library, whose plain names are also solo-learn's."""
    hyper = content.tree.get("hyper_parameters")
    told = isinstance(hyper, Mapping) and any(str(key).startswith("system.working_dir") for key in hyper)
    return told or "spt_run_dir" in content.tree or content.has(r"(callbacks_modules|sigreg)\.")


def is_paired(content: Content) -> bool:
    """Return whether there are a student's projector or backbone."""
    return content.has(r"(projector|backbone)\.student\.")


def matches(content: Content) -> bool:
    """Return whether there are a student's projector or backbone, or its marks beside plain ones."""
    return is_paired(content) or (is_marked(content) and content.has(r"(projector|backbone)\."))


def read(content: Content) -> Pieces:
    """Return the pieces."""
    paired, has_predictor = is_paired(content), content.has(r"predictor\.")
    found = group_settings(content.groups("optimizer_states"), has_predictor)
    stored = (content.weights.get(f"{part}.{key}") for key in RATES for part in ("projector", "backbone"))
    ema = next((value for value in stored if value is not None and value.numel() == 1), None)
    if ema is not None:
        found |= {"method.ema": float(ema)}
    method = "LeJEPA" if content.has(r"sigreg\.") else other_methods.stored(content)
    other = other_methods.told_of(method)
    known = other_methods.target_of(paired).over(Settings.of(found, "the checkpoint"))
    note = "The loss was not read: name it (method.loss, method.sides)."
    if ema is None:
        note = "The teacher's rate and the loss were not read: name them (method.ema, method.loss, method.sides)."
    notes = (note,) if has_predictor and not other else ()
    names = PAIRED if paired else PLAIN
    if other:
        names = Names(*(names.backbone, names.projector, ""), names.target_backbone, names.target_projector)
    pieces = assemble(content, NAME, TITLE, names, settings=known, notes=notes, target_expected=False)
    if other or not has_predictor:
        return with_notes(pieces, other or other_methods.may_be(content, paired))
    return other_methods.with_guess(content, pieces, paired)


LAYOUT = Layout(NAME, TITLE, matches, read)
