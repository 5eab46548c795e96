"""Pieces that the user names, and what is said of a file whose layout is not known."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from lindyn import _checks
from lindyn.bridge.checkpoints import backbones, heads, prefixes
from lindyn.bridge.checkpoints.layouts.assembling import second_moment, with_notes
from lindyn.bridge.checkpoints.layouts.content import Content
from lindyn.bridge.records import Pieces

NAME, TITLE = "by hand", "pieces named by hand"
PIECES = ("predictor", "projector", "backbone", "target_backbone", "target_projector")
SHOWN = 14  # groups of tensors in an answer


def named(content: Content, pieces: Pieces, names: Mapping[str, str]) -> Pieces:
    """Return the pieces with those that were named put in their places.

    Args:
        content: of the file.
        pieces: what the layout gave.
        names: prefix of the tensors, or the name of one matrix, by piece.

    Raises:
        ValueError: an unknown piece, no tensors under a prefix, tensors that lindyn can make nothing of.
    """
    built: dict[str, Any] = {}
    for piece, prefix in names.items():
        _checks.one_of("a piece", piece, PIECES)
        found = _tensors(content, piece, prefix)
        if "backbone" not in piece:
            built[piece] = heads.head(found, prefix)
            continue
        built[piece] = backbones.backbone(found, prefix)
        if built[piece] is None:
            raise ValueError(
                f"{prefix} is no backbone that lindyn builds (ResNet-18 to -152, small, linear); give the projections "
                "of two views as features instead."
            )
    if "predictor" in names:
        F = second_moment(_tensors(content, "predictor", names["predictor"]))
        built |= {} if F is None else {"F": F}
    told = ", ".join(f"{piece} {prefix}" for piece, prefix in names.items())
    return with_notes(
        replace(pieces, **built),
        f"Named by hand: {told}; numbers left out between layers were taken to be ReLUs.",
    )


def _tensors(content: Content, piece: str, prefix: str) -> dict[str, Tensor]:
    short = prefixes.stripped(prefix.rstrip("."))
    found = content.under(prefix.rstrip(".")) or content.under(short)
    if not found:
        groups = sorted({name.rsplit(".", k)[0] for name in content.weights for k in (1, 2, 3)})
        near = difflib.get_close_matches(short, groups, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(groups[:6])}, ..."
        raise ValueError(f"No tensor of {content.path} lies under {prefix!r} (--{piece.replace('_', '-')}).{hint}")
    return found


def empty(content: Content) -> Pieces:
    """Return the pieces of a file of which nothing is known."""
    return Pieces(content.path, NAME, TITLE, step=content.number("global_step", "step"),
                  epoch=content.number("epoch"))  # fmt: skip


def unknown(content: Content) -> str:
    """Return what is said of a file of an unknown layout: its groups of tensors, and how to name pieces."""
    groups: dict[str, list[str]] = {}
    for name, value in content.weights.items():
        groups.setdefault(_group(name), []).append(f"{_rest(name)} {' x '.join(map(str, value.shape)) or 'number'}")
    lines = [f"  {group or '(top)'}: {', '.join(held[:4])}{f', ... {len(held)} in all' if len(held) > 4 else ''}"
             for group, held in groups.items()]  # fmt: skip
    more = [f"  ... {len(lines) - SHOWN} more groups"] if len(lines) > SHOWN else []
    beside = ", ".join(str(key) for key in content.tree)[:200]
    if not groups:
        return f"{content.path} holds no tensors; its entries are {beside}."
    return "\n".join((
        f"The layout of {content.path} is not known. It holds:", *lines[:SHOWN], *more,
        "Name its pieces by the start of their tensors' names: --predictor KEY --projector KEY --backbone KEY "
        "--target-backbone KEY --target-projector KEY (each may be left out).",
    ))  # fmt: skip


def _group(name: str) -> str:
    """Return what a tensor is listed under: its name up to the first number, at most two words."""
    words = re.split(r"\.\d+(?:\.|$)", name)[0].split(".")
    return ".".join(words[: min(2, name.count("."))])  # the tensor's own word is not part of it


def _rest(name: str) -> str:
    group = _group(name)
    return name[len(group) + 1 :] if group and len(name) > len(group) else name
