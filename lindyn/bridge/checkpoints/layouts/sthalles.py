"""sthalles/PyTorch-BYOL: online and target network; the predictor is not saved."""

import re
from typing import Any

from lindyn.bridge.checkpoints.assembling import Names, assemble
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.checkpoints.layouts import luckmatters
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings
from lindyn.stored import limits

NAME, TITLE = "sthalles", "sthalles/PyTorch-BYOL"
ONLINE, TARGET = luckmatters.ONLINE, luckmatters.TARGET
NAMES = Names(f"{ONLINE}.encoder", f"{ONLINE}.projetion", "", f"{TARGET}.encoder", f"{TARGET}.projetion")
CODE = {
    "method.loss": "cosine",
    "method.sides": "symmetrised",
    "method.target": "ema",
    "method.ema_schedule": "constant",
    "optim.alpha_p": 1.0,
    "optim.schedule": "constant",
    "model.activation": "relu",
}
CONFIG = "config.yaml"


def matches(content: Content) -> bool:
    """Return whether there is the state dict of an online network and none of a predictor."""
    return ONLINE in content.tree and "predictor_state_dict" not in content.tree


def read(content: Content) -> Pieces:
    """Return the pieces."""
    known = Settings.of(group_settings(content.groups("optimizer_state_dict"), has_predictor=False), "the checkpoint")
    known = known.over(Settings.of(CODE, f"the code of {TITLE}"))
    known = Settings.of(_config(content), CONFIG).over(known)
    note = "" if "method.ema" in known.values else f"The target's rate stands in {CONFIG} only: give method.ema."
    return assemble(content, NAME, TITLE, NAMES, settings=known, notes=(note,) if note else (), predictor_saved=False)


def _config(content: Content) -> dict[str, Any]:
    """Return the target's rate `m` and the batch from config.yaml, which the code copies beside the checkpoint."""
    for folder in (content.path.parent, content.path.parent.parent):
        path = folder / CONFIG
        if path.is_file():
            text = limits.read_text(path, limits.TABLES, errors="replace")
            ema, batch = (
                re.search(rf"^\s*{name}:\s*([0-9.eE+-]+)", text, re.MULTILINE) for name in ("m", "batch_size")
            )
            return {"method.ema": float(ema[1]) if ema else None, "optim.batch": int(batch[1]) if batch else None}
    return {}


LAYOUT = Layout(NAME, TITLE, matches, read)
