"""mmpretrain (mmengine): neck and head of fc0, bn0, fc1; its momentum is 1 - tau."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lindyn.bridge.checkpoints.assembling import Names, assemble
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "mmpretrain", "mmpretrain (mmengine)"
NAMES = Names("backbone", "neck", "head.predictor", "target_net.0", "target_net.1")


def matches(content: Content) -> bool:
    """Return whether neck and head have mmpretrain's names."""
    return content.has(r"(neck|head\.predictor)\.(fc|bn)\d\.")


def read(content: Content) -> Pieces:
    """Return the pieces."""
    meta = content.tree.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    found = group_settings(content.groups("optimizer"), content.has(r"head\.predictor\."))
    has_target = content.has(r"target_net\.")
    found |= {"method.target": "ema" if has_target else "online", "method.ema": rate(str(meta.get("cfg", "")))}
    known = Settings.of(found, "the checkpoint").over(
        Settings.of({"method.ema_schedule": "cosine"} if has_target else {}, "mmpretrain's code (CosineEMA)")
    )
    notes: tuple[str, ...] = ("The loss is not saved: name it (method.loss, method.sides).",)
    if has_target and found["method.ema"] is None:
        notes += ("The target's rate was not found in the configuration inside: give method.ema (1 - base_momentum).",)
    if not has_target:
        notes += ("There is no target network: the target was taken to be the online network, tau = 1.",)
    pieces = assemble(content, NAME, TITLE, NAMES, settings=known, notes=notes, target_expected=False)
    step, epoch = (meta.get(name) for name in ("iter", "epoch"))
    return replace(pieces, step=_whole(step, pieces.step), epoch=_whole(epoch, pieces.epoch))


def rate(configuration: str) -> float | None:
    """Return gamma_a from the text of a configuration, or None.

    gamma_a = 1 - base_momentum; its predecessor mmselfsup wrote gamma_a itself there (0.996), which no rate of the
    other convention comes near.
    """
    found = re.search(r"\bbase_momentum\s*=\s*([0-9.eE+-]+)", configuration)
    value = float(found[1]) if found else None
    return value if value is None or value > 0.5 else 1.0 - value


def _whole(value: Any, other: int | None) -> int | None:
    return value if isinstance(value, int) else other


LAYOUT = Layout(NAME, TITLE, matches, read)
