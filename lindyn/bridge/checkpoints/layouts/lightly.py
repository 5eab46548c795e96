"""lightly's methods, in the naming of its benchmarks (teacher_*) and of its examples (*_momentum).

BYOL and SimSiam have a predictor; of the others it is said what they may be.
"""

from lindyn.bridge.checkpoints import other_methods
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.checkpoints.layouts import lindyn, predictive
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "lightly", "lightly (PyTorch Lightning)"
TARGETS = (
    ("teacher_backbone", "teacher_projection_head"),
    ("backbone_momentum", "projection_head_momentum"),
    ("momentum_backbone", "momentum_projection_head"),
)
CLASSES = "lightly's classes of heads"


def matches(content: Content) -> bool:
    """Return whether there is a projection head under lightly's name, and no configuration of lindyn's."""
    heads = content.has(r"projection_head\.") or content.has(r"(student|anchor)_(head|projection_head)\.")
    masked = content.has(r"backbone\.") and content.has(r"decoder\.|mask_token")
    others = (lindyn.matches, *(layout.matches for layout in predictive.LAYOUTS))
    return (heads or masked) and not any(other(content) for other in others)


def read(content: Content) -> Pieces:
    """Return the pieces."""
    target = next((pair for pair in TARGETS if content.has(rf"({pair[0]}|{pair[1]})\.")), TARGETS[0])
    has_target, has_predictor = (content.has(rf"({names})\.") for names in ("|".join(target), "prediction_head"))
    found = group_settings(content.groups("optimizer_states", "optimizer"), has_predictor)
    method = other_methods.stored(content) or other_methods.by_signs(content) * (not has_predictor)
    other = other_methods.told_of(method)
    known = Settings.of(_of_classes(content), CLASSES).over(Settings.of(found, "the checkpoint"))
    known = other_methods.target_of(has_target).over(known)
    notes: tuple[str, ...] = ()
    if has_predictor and not other:
        notes = (
            "lightly saves neither the target's rate nor the loss: name them (method.ema, method.loss, method.sides).",
        )
    names = Names("backbone", "projection_head", "" if other else "prediction_head", *target)
    pieces = assemble(content, NAME, TITLE, names, settings=known, notes=notes, target_expected=False)
    if other or not has_predictor:
        return with_notes(pieces, other or other_methods.may_be(content, has_target))
    return other_methods.with_guess(content, pieces, has_target)


def _of_classes(content: Content) -> dict[str, str]:
    """Return what is known of the heads that are lightly's own classes, whose layers lie in `layers`: ReLUs."""
    projector, predictor = (content.has(rf"{head}\.layers\.") for head in ("projection_head", "prediction_head"))
    found = {"model.predictor_activation": "relu"} if predictor else {}
    if projector and (predictor or not content.has(r"prediction_head\.")):
        found["model.activation"] = "relu"
    return found


LAYOUT = Layout(NAME, TITLE, matches, read)
