"""lightning-bolts: BYOL and SimSiam as two networks of encoder and projector, the predictor beside them."""

from collections.abc import Mapping
from typing import Any

from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "bolts", "lightning-bolts (PyTorch Lightning)"
BYOL = {
    "method.loss": "cosine",
    "method.sides": "symmetrised",
    "method.target": "ema",
    "method.ema_schedule": "cosine",
    "model.activation": "relu",
}
SIMSIAM = {
    "method.loss": "negative-cosine",
    "method.sides": "averaged",
    "method.target": "frozen",
    "optim.schedule": "cosine",
    "model.activation": "relu",
}


def matches(content: Content) -> bool:
    """Return whether there is an online network of encoder and projector, in one module with the others."""
    return content.has(r"online_network\.(encoder|projector)\.")


def read(content: Content) -> Pieces:
    """Return the pieces; a predictor inside the online network is that of its first versions."""
    hyper = content.tree.get("hyper_parameters")
    hyper = hyper if isinstance(hyper, Mapping) else {}
    simsiam = "predictor_hidden_dim" in hyper
    inside = content.has(r"online_network\.predictor\.")
    names = Names("online_network.encoder", "online_network.projector", "online_network.predictor" if inside else
                  "predictor", "target_network.encoder", "target_network.projector")  # fmt: skip
    found: dict[str, Any] = group_settings(content.groups("optimizer_states"), content.has(r"(\w+\.)?predictor\."))
    if isinstance(hyper.get("initial_tau"), float):
        found["method.ema"] = hyper["initial_tau"]
    if isinstance(hyper.get("batch_size"), int):
        found["optim.batch"] = hyper["batch_size"]
    known = Settings.of(found, "the checkpoint").over(Settings.of(SIMSIAM if simsiam else BYOL, f"the code of {TITLE}"))
    pieces = assemble(content, NAME, TITLE, names, settings=known)
    copied = "Its SimSiam compares with a copy of the network that its code never moves: the target is frozen."
    return with_notes(pieces, copied if simsiam else "")


LAYOUT = Layout(NAME, TITLE, matches, read)
