"""facebookresearch/simsiam: the projector is the last layer `fc` of the encoder; there is no target."""

from dataclasses import replace
from typing import Any

from lindyn.bridge.checkpoints import unsaid
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "simsiam", "facebookresearch/simsiam"
_TRUNK = "the encoder"  # without its last layer, the projector
CODE = {
    "method.loss": "negative-cosine",
    "method.sides": "averaged",
    "method.target": "online",
    "optim.schedule": "cosine",
}


def matches(content: Content) -> bool:
    """Return whether a numbered projector lies inside the encoder's `fc`."""
    return content.has(r"encoder\.fc\.\d")


def read(content: Content) -> Pieces:
    """Return the pieces."""
    found, note = _rates(content)
    known = Settings.of(found, "the checkpoint")
    known = known.over(Settings.of(CODE, f"the code of {TITLE}"))
    inner = {key: value for key, value in content.under("encoder").items() if not key.startswith("fc.")}
    known = unsaid.by_code(inner, f"the code of {TITLE}", small=False).over(known)
    pieces = assemble(
        replace(content, weights={key: value for key, value in content.weights.items() if not _of_encoder(key)}
                | {f"{_TRUNK}.{key}": value for key, value in inner.items()}),
        NAME, TITLE, Names(_TRUNK, "encoder.fc", "predictor"), settings=known, target_expected=False,
    )  # fmt: skip
    return with_notes(pieces, "SimSiam has no target network: tau = 1.", note)


def _of_encoder(key: str) -> bool:
    return key.startswith("encoder.") and not key.startswith("encoder.fc.")


def _rates(content: Content) -> tuple[dict[str, Any], str]:
    """Return the optimiser's settings; the peak learning rate is known only of a group whose rate is fixed."""
    groups = content.groups("optimizer")
    if not groups:
        return {}, "The file holds no optimiser: give optim.lr, optim.momentum and optim.weight_decay yourself."
    fixed = next((group for group in groups if group.get("fix_lr") is True), None)
    found = group_settings([{**group, "fix_lr": False} for group in groups])
    if fixed is not None:
        return found | {"optim.lr": fixed["lr"], "optim.alpha_p": 1.0, "optim.predictor_schedule": "constant"}, ""
    current = found.pop("optim.lr", None)
    note = f"Only the learning rate of this epoch is stored ({current:g}), not the peak of its cosine: give optim.lr."
    return found | {"optim.alpha_p": 1.0}, note if current is not None else ""


LAYOUT = Layout(NAME, TITLE, matches, read)
