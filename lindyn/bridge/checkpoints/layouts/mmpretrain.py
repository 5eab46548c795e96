"""mmpretrain (mmengine): neck and head of fc0, bn0, fc1; its momentum is 1 - tau."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lindyn.bridge.checkpoints import other_methods, unsaid
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
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
    found |= {"method.ema": rate(str(meta.get("cfg", "")))}
    known = (
        other_methods.target_of(has_target)
        .over(Settings.of(found, "the checkpoint"))
        .over(Settings.of({"method.ema_schedule": "cosine"} if has_target else {}, "mmpretrain's code (CosineEMA)"))
    )
    known = unsaid.by_code(content.under("backbone"), "mmpretrain's code").over(known)
    notes: tuple[str, ...] = ("The loss is not saved: name it (method.loss, method.sides).",)
    if has_target and found["method.ema"] is None:
        notes += ("The target's rate was not found in the configuration inside: give method.ema (1 - base_momentum).",)
    method = re.search(r"\btype\s*=\s*'(\w+)'", str(meta.get("cfg", "")).partition("model")[2])
    other = other_methods.told_of(method[1]) if method else ""
    has_predictor = content.has(r"head\.predictor\.") and not other
    names = NAMES if not other else replace(NAMES, predictor="")
    pieces = assemble(content, NAME, TITLE, names, settings=known, notes=notes if has_predictor else (),
                      target_expected=False)  # fmt: skip
    if not has_predictor:
        pieces = with_notes(pieces, other or other_methods.may_be(content, has_target))
    elif method and method[1].lower() == "simsiam":
        pieces = with_notes(pieces, "SimSiam has no target network: tau = 1.")
    else:
        pieces = other_methods.with_guess(content, pieces, has_target)
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
