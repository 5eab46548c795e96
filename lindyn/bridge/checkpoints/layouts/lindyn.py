"""Checkpoints of `lindyn train`: the whole configuration is inside, so nothing has to be guessed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from lindyn.bridge.checkpoints import heads
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.layers.stacks import widths
from lindyn.bridge.records import Pieces
from lindyn.bridge.run.description import settings_of
from lindyn.bridge.training.config import TrainConfig
from lindyn.stored import limits

NAME, TITLE = "lindyn", "lindyn train"
NAMES = Names("backbone", "projection_head", "prediction_head", "teacher_backbone", "teacher_projection_head")


def matches(content: Content) -> bool:
    """Return whether the configuration of `lindyn train` is inside."""
    inside = content.tree.get("lindyn")
    return isinstance(inside, Mapping) and "config" in inside


def read(content: Content) -> Pieces:
    """Return the pieces."""
    config = configuration(content)
    pieces = assemble(content, NAME, TITLE, NAMES, settings=settings_of(config), target_expected=False)
    said = [note for note in pieces.notes if "holds no predictor" not in note]
    if config.model.projector == "none":
        pieces = replace(pieces, projector=heads.stack([]))
        if config.method.target != "online":
            pieces = replace(pieces, target_projector=heads.stack([]))
    predictor = _predictor(content, config, pieces)
    step = content.tree["lindyn"].get("step")
    pieces = replace(pieces, predictor=predictor, step=pieces.step if step is None else int(step), notes=tuple(said))
    return with_notes(pieces, _said_of_target(config))


def configuration(content: Content) -> TrainConfig:
    """Return the configuration inside.

    Raises:
        ValueError: it is damaged or has keys that this lindyn does not know.
    """
    try:
        tables: dict[str, Any] = limits.read_toml(content.tree["lindyn"]["config"])
        return TrainConfig.of({f"{section}.{name}": value for section, table in tables.items()
                               for name, value in table.items()})  # fmt: skip
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"The configuration inside {content.path} cannot be read: {error}") from error


def _predictor(content: Content, config: TrainConfig, pieces: Pieces) -> nn.Sequential:
    """Return the predictor's map as the configuration has it acting."""
    name, built = config.model.predictor, pieces.predictor  # activations are the configuration's, in its settings
    if name == "identity":
        width = widths(pieces.projector)[1] if pieces.projector is not None and len(pieces.projector) else (
            pieces.backbone.features if pieces.backbone is not None else config.model.dim)  # type: ignore[union-attr]  # fmt: skip
        made = nn.Linear(width, width, bias=False)  # type: ignore[arg-type]
        nn.init.eye_(made.weight)
        return heads.stack([made])
    if built is None:
        key = {"linear": "layers.0.weight", "linear_symmetric": "layers.0.weight", "mlp": "layers.0.weight",
               "mlp_symmetric": "layers.0.weight"}.get(name, "W_p")  # fmt: skip
        raise ValueError(f"{NAMES.predictor}.{key} is missing: the run in {content.path} had model.predictor={name!r}.")
    if name == "linear_symmetric":
        return heads.symmetric_linear(built)
    return heads.symmetric_mlp(built) if name == "mlp_symmetric" else built


def _said_of_target(config: TrainConfig) -> str:
    return ("The target is the online network itself (method.target=online): tau = 1."
            if config.method.target == "online" else "")  # fmt: skip


LAYOUT = Layout(NAME, TITLE, matches, read)
