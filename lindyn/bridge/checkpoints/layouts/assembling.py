"""Builds the pieces of a checkpoint from named tensors, checks that they fit, and says what is not there."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.checkpoints import backbones, heads
from lindyn.bridge.checkpoints.backbones import TORCHVISION
from lindyn.bridge.checkpoints.layouts.content import Content
from lindyn.bridge.checkpoints.resnets import Form
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

WITHOUT_PREDICTOR = (
    "without it the laws about W_p (alignment, symmetry, p against s, balance) cannot be tested; the spectrum of F, "
    "the collapse measures and, where there is a target, tau can."
)
BACKBONE_ONLY = (
    "This file holds a backbone only, neither projector nor predictor nor target: collapse measures of its features "
    "can be tested, no law about W_p."
)
WITHOUT_BACKBONE = "give the projections of two views as features, as lindyn cannot run images through it."


@dataclass(frozen=True)
class Names:
    """Prefixes of the pieces in a layout, "" where it has none."""

    backbone: str = ""
    projector: str = ""
    predictor: str = ""
    target_backbone: str = ""
    target_projector: str = ""


def assemble(
    content: Content,
    layout: str,
    title: str,
    names: Names,
    *,
    settings: Settings | None = None,
    notes: tuple[str, ...] = (),
    form: Form = TORCHVISION,
    predictor_saved: bool = True,
    target_expected: bool = True,
) -> Pieces:
    """Return the pieces that lie under these prefixes.

    Args:
        content: of the file.
        layout: short name.
        title: in words.
        names: the prefixes.
        settings: what was read of the run.
        notes: what is to be said of this layout.
        form: of a ResNet, what its tensors do not show.
        predictor_saved: whether the layout saves the predictor at all.
        target_expected: whether a missing target is worth a note.

    Raises:
        ValueError: a tensor is missing or of the wrong shape.
    """
    same_names(content, names.backbone, names.target_backbone)
    same_names(content, names.projector, names.target_projector)
    built: dict[str, Any] = {name: heads.head(_under(content, prefix), prefix, name == "predictor") for name, prefix in
             (("projector", names.projector), ("predictor", names.predictor),
              ("target_projector", names.target_projector))}  # fmt: skip
    nets: dict[str, Any] = {name: _backbone(content, prefix, form) for name, prefix in
            (("backbone", names.backbone), ("target_backbone", names.target_backbone))}  # fmt: skip
    said = list(notes)
    if built["predictor"] is None:
        why = "This file holds no predictor" if predictor_saved else f"The layout of {title} never saves the predictor"
        said.append(f"{why}: {WITHOUT_PREDICTOR}")
    said += _said_of_backbone(content, names, nets["backbone"])
    if built["target_projector"] is None and nets["target_backbone"] is None and target_expected:
        said.append("This file holds no target network: tau and Assumption 1 (W_a = tau W) cannot be tested.")
    return Pieces(
        content.path, layout, title, **built, **nets, F=second_moment(_under(content, names.predictor)),
        step=content.number("global_step", "step"), epoch=content.number("epoch", "ep"),
        settings=settings or Settings(), notes=tuple(said),
    )  # fmt: skip


def _under(content: Content, prefix: str) -> dict[str, Tensor]:
    return content.under(prefix) if prefix else {}


def _backbone(content: Content, prefix: str, form: Form) -> nn.Module | None:
    found = _under(content, prefix)
    return backbones.backbone(found, prefix, form) if found else None


def _said_of_backbone(content: Content, names: Names, net: nn.Module | None) -> list[str]:
    found = _under(content, names.backbone)
    if net is not None:
        return [backbones.said(net)]
    if not found:
        return [f"This file holds no backbone: {WITHOUT_BACKBONE}"] if names.backbone else []
    shown = ", ".join(f"{names.backbone}.{key}" for key in list(found)[:2])
    return [f"The backbone ({shown}, ...) is none that lindyn builds (ResNet-18 to -152, small, linear): "
            f"{WITHOUT_BACKBONE}"]  # fmt: skip


def same_names(content: Content, online: str, target: str) -> None:
    """Raise ValueError, naming it, where one of online and target network lacks a tensor that the other has.

    So a missing bias is found, which the network itself could do without.
    """
    mine, its = set(_under(content, online)), set(_under(content, target))
    if not mine or not its:
        return
    counters = {key for key in mine ^ its if key.endswith("num_batches_tracked") or key.startswith("fc.")}
    for key in sorted((mine ^ its) - counters):
        has, lacks = (online, target) if key in mine else (target, online)
        raise ValueError(f"{lacks}.{key} is missing: {has}.{key} is there, and the two networks have the same form.")


def second_moment(found: Mapping[str, Tensor]) -> Tensor | None:
    """Return the F-hat that a closed-form predictor of lindyn carries, or None before its first update."""
    F = found.get("F_hat")
    return F if F is not None and bool(F.any()) else None


def check_fit(pieces: Pieces) -> None:
    """Raise ValueError, in one sentence, where one piece does not take what the one before it gives."""
    for side in ("", "target_"):
        net, projector = getattr(pieces, f"{side}backbone"), getattr(pieces, f"{side}projector")
        if net is not None and projector is not None:
            _fits(pieces, f"{side}backbone", net.features, f"{side}projector", heads.width_in(projector))
    features: Any = None if pieces.backbone is None else pieces.backbone.features
    d = features if pieces.projector is not None and not len(pieces.projector) else None
    d = heads.width_out(pieces.projector) if pieces.projector is not None and len(pieces.projector) else d
    if pieces.predictor is not None:
        _fits(pieces, "projector", d, "predictor", heads.width_in(pieces.predictor))
        _square(pieces)
    if pieces.target_projector is not None and pieces.projector is not None:
        mine, its = heads.width_out(pieces.projector), heads.width_out(pieces.target_projector)
        if mine != its:
            raise ValueError(f"The pieces of {pieces.path} do not fit: the projector gives {mine} numbers, the "
                             f"target's projector {its}.")  # fmt: skip
    if pieces.F is not None and d is not None and tuple(pieces.F.shape) != (d, d):
        raise ValueError(f"F of {pieces.path} must be {d} x {d}, as the projector gives {d} numbers; got shape "
                         f"{tuple(pieces.F.shape)}.")  # fmt: skip


def _fits(pieces: Pieces, first: str, gives: Any, second: str, takes: Any) -> None:
    if gives is not None and takes is not None and gives != takes:
        raise ValueError(
            f"The pieces of {pieces.path} do not fit: the {_words(first)} gives {gives} numbers, the {_words(second)} "
            f"takes {takes}; name the right ones with --{_option(first)} KEY and --{_option(second)} KEY."
        )


def _words(name: str) -> str:
    return name.replace("target_", "target's ")


def _option(name: str) -> str:
    return name.replace("_", "-")


def _square(pieces: Pieces) -> None:
    """Raise ValueError where the predictor's output has another width than its input."""
    predictor: Any = pieces.predictor
    takes, gives = heads.width_in(predictor), heads.width_out(predictor)
    if takes != gives:
        raise ValueError(
            f"The predictor of {pieces.path} takes {takes} numbers and gives {gives}, but it must give as many; name "
            "the right one with --predictor KEY."
        )


def with_notes(pieces: Pieces, *notes: str) -> Pieces:
    """Return the pieces with more notes, empty ones left out."""
    return replace(pieces, notes=(*pieces.notes, *(note for note in notes if note)))


def is_sum(F: Tensor, mean: Tensor | None) -> bool:
    """Return whether F and the mean must be sums over batches: then F - m m^T has a clearly negative eigenvalue.

    Averages with the same weights have F - m m^T >= 0 (Jensen); with sums over c batches it is c F - c^2 m m^T.
    """
    if mean is None:
        return False
    rest = (F - torch.outer(mean, mean)).double()
    lowest = float(torch.linalg.eigvalsh((rest + rest.T) / 2)[0])
    return math.isfinite(lowest) and lowest < -1e-4 * float(F.diagonal().sum())
