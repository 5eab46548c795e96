"""Builds the pieces of a checkpoint from named tensors, as a layout or the user names them; says what is not there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from lindyn import _checks
from lindyn._options import did_you_mean
from lindyn.bridge.checkpoints import backbones, heads, layer_rules, optimiser_step, other_methods, unsaid
from lindyn.bridge.checkpoints.backbones import TORCHVISION, Form
from lindyn.bridge.checkpoints.content import Content
from lindyn.bridge.checkpoints.single_layers import NotBuiltError
from lindyn.bridge.checkpoints.wrappers import stripped
from lindyn.bridge.layers.stacks import widths
from lindyn.bridge.records import Assumption, Pieces
from lindyn.bridge.settings import Settings
from lindyn.display.brief import Brief

WITHOUT_PREDICTOR = (
    "without it the laws about W_p (alignment, symmetry, p against s, balance) cannot be tested; the spectrum of F, "
    "the collapse measures and, where there is a target, tau can."
)
BACKBONE_ONLY = (
    "This file holds a backbone only, neither projector nor predictor nor target: collapse measures of its features "
    "can be tested, no law about W_p."
)
WITHOUT_BACKBONE = "give the projections of two views as features, as lindyn cannot run images through it."
PIECES = ("predictor", "projector", "backbone", "target_backbone", "target_projector")
SHOWN = 14  # groups of tensors in an answer


@dataclass(frozen=True, repr=False)
class Names(Brief):
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
    known = settings or Settings()
    said = {**known.values, **content.said}
    parts: dict[str, Any] = {}
    said_of = list(notes)
    for piece in PIECES:
        parts[piece], note = part(content, piece, getattr(names, piece), said, form)
        said_of += [note] if note and note not in said_of else []
    rule, rule_notes = layer_rules.read(content.under(names.predictor), known, content.said)
    known, said_of = rule, [*said_of, *rule_notes]
    if not content.under(names.predictor):
        why = "This file holds no predictor" if predictor_saved else f"The layout of {title} never saves the predictor"
        said_of.append(f"{why}: {WITHOUT_PREDICTOR}")
        known = other_methods.without_predictor(known) if predictor_saved else known
    said_of += _said_of_backbone(content, names, parts["backbone"])
    if parts["target_projector"] is None and parts["target_backbone"] is None and target_expected:
        said_of.append("This file holds no target network: tau and Assumption 1 (W_a = tau W) cannot be tested.")
    numbered = [head for head in ("projector", "predictor") if heads.is_numbered(content.under(getattr(names, head)))]
    of_networks = (*unsaid.of_heads(parts, said, numbered), *unsaid.of_backbone(parts["backbone"], said))
    pieces = Pieces(
        content.path, layout, title, **parts, F=second_moment(content.under(names.predictor)),
        step=content.number("global_step", "step"), epoch=content.number("epoch", "ep"),
        settings=known, notes=tuple(said_of), assumptions=(*content.assumptions, *of_networks),
        last_step=optimiser_step.of_content(content, names.projector, (names.target_backbone, names.target_projector)),
    )  # fmt: skip
    return layer_rules.from_correlation(content, pieces)


def part(
    content: Content, piece: str, prefix: str, said: Mapping[str, Any], form: Form = TORCHVISION
) -> tuple[nn.Module | None, str]:
    """Return the network or head that lies under a prefix, or None, and why it was not built, in one sentence.

    Raises:
        ValueError: a tensor is missing, not finite or of the wrong shape.
    """
    found = content.under(prefix) if prefix else {}
    try:
        if "backbone" in piece:
            return (backbones.backbone(found, prefix, form.told(said)) if found else None), ""
        words = unsaid.activation_of(piece.removeprefix("target_"), said)
        return heads.head(found, prefix, piece == "predictor", said, words), ""
    except NotBuiltError as error:
        lost = {"predictor": "the laws about W_p cannot be tested",
                "projector": WITHOUT_BACKBONE.rstrip(".")}.get(piece.removeprefix("target_"), "")  # fmt: skip
        what = piece.replace("target_", "target's ")
        return None, f"The {what} was not built: {str(error).rstrip('.')}{': ' if lost else ''}{lost}."


def _said_of_backbone(content: Content, names: Names, net: nn.Module | None) -> list[str]:
    found = content.under(names.backbone)
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
    mine, its = set(content.under(online)), set(content.under(target))
    if not mine or not its:
        return
    counters = {key for key in mine ^ its if key.endswith("num_batches_tracked") or key.startswith("fc.")}
    for key in sorted((mine ^ its) - counters):
        has, lacks = (online, target) if key in mine else (target, online)
        raise ValueError(f"{lacks}.{key} is missing: {has}.{key} is there, and the two networks have the same form.")


def second_moment(found: Mapping[str, Tensor]) -> Tensor | None:
    """Return the F-hat that a closed-form predictor of lindyn carries, or None before its first update."""
    F = (heads.by_rule(found) or found).get("F_hat")
    return F if F is not None and bool(F.any()) else None


def check_fit(pieces: Pieces) -> None:
    """Raise ValueError, in one sentence, where one piece does not take what the one before it gives."""
    gives: dict[str, int | None] = {}
    for side in ("", "target_"):
        net, projector = getattr(pieces, f"{side}backbone"), getattr(pieces, f"{side}projector")
        takes, gives[side] = (None, None) if projector is None else widths(projector)
        if net is not None and projector is not None:
            _fits(pieces, f"{side}backbone", net.features, f"{side}projector", takes)
            gives[side] = gives[side] if len(projector) else net.features
    d = gives[""]
    if pieces.predictor is not None:
        takes, given = widths(pieces.predictor)
        _fits(pieces, "projector", d, "predictor", takes)
        if takes != given:
            raise ValueError(
                f"The predictor of {pieces.path} takes {takes} numbers and gives {given}, but it must give as many; "
                "name the right one with --predictor KEY."
            )
    its = gives["target_"]
    if d is not None and its is not None and d != its:
        raise ValueError(f"The pieces of {pieces.path} do not fit: the projector gives {d} numbers, the target's "
                         f"projector {its}.")  # fmt: skip
    if pieces.F is not None and d is not None and tuple(pieces.F.shape) != (d, d):
        raise ValueError(f"F of {pieces.path} must be {d} x {d}, as the projector gives {d} numbers; got shape "
                         f"{tuple(pieces.F.shape)}.")  # fmt: skip


def _fits(pieces: Pieces, first: str, gives: int | None, second: str, takes: int | None) -> None:
    if gives is not None and takes is not None and gives != takes:
        words = [name.replace("target_", "target's ") for name in (first, second)]
        raise ValueError(
            f"The pieces of {pieces.path} do not fit: the {words[0]} gives {gives} numbers, the {words[1]} "
            f"takes {takes}; name the right ones with {_option(first)} KEY and {_option(second)} KEY."
        )


def _option(piece: str) -> str:
    return f"--{piece.replace('_', '-')}"


def with_notes(pieces: Pieces, *notes: str) -> Pieces:
    """Return the pieces with more notes, empty ones left out."""
    return replace(pieces, notes=(*pieces.notes, *(note for note in notes if note)))


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
    said = {**pieces.settings.values, **content.said}
    for piece, prefix in names.items():
        _checks.one_of("a piece", piece, PIECES)
        found = _tensors(content, piece, prefix)
        if "backbone" not in piece:
            words = unsaid.activation_of(piece.removeprefix("target_"), said)
            built[piece] = heads.head(found, prefix, said=said, activation=words)
            continue
        built[piece] = backbones.backbone(found, prefix, TORCHVISION.told(said))
        if built[piece] is None:
            raise ValueError(
                f"{prefix} is no backbone that lindyn builds (ResNet-18 to -152, small, linear); give the projections "
                "of two views as features instead."
            )
    known = pieces.settings
    if "predictor" in names:
        found = _tensors(content, "predictor", names["predictor"])
        F = second_moment(found)
        built |= {} if F is None else {"F": F}
        known, rule_notes = layer_rules.read(found, known, content.said)
        pieces = with_notes(pieces, *rule_notes)
    if "projector" in names:
        target = [names.get(piece, "") for piece in ("target_backbone", "target_projector")]
        built["last_step"] = optimiser_step.of_content(content, names["projector"], target)
    assumed = (*unsaid.of_heads(built, said), *unsaid.of_backbone(built.get("backbone"), said))
    told = ", ".join(f"{piece} {prefix}" for piece, prefix in names.items())
    pieces = replace(pieces, **built, settings=known, assumptions=_once((*pieces.assumptions, *assumed)))
    return with_notes(pieces, f"Named by hand: {told}.")


def _once(assumed: tuple[Assumption, ...]) -> tuple[Assumption, ...]:
    """Return what was assumed, each of it once."""
    return tuple({(each.about, each.taken): each for each in assumed}.values())


def _tensors(content: Content, piece: str, prefix: str) -> dict[str, Tensor]:
    short = stripped(prefix.rstrip("."))
    found = content.under(prefix.rstrip(".")) or content.under(short)
    if not found:
        groups = sorted({name.rsplit(".", k)[0] for name in content.weights for k in (1, 2, 3)})
        hint = did_you_mean(short, groups) or f" There are {', '.join(groups[:6])}, ..."
        raise ValueError(f"No tensor of {content.path} lies under {prefix!r} ({_option(piece)}).{hint}")
    return found


def empty(content: Content) -> Pieces:
    """Return the pieces of a file of which nothing is known."""
    return Pieces(content.path, "by hand", "pieces named by hand", step=content.number("global_step", "step"),
                  epoch=content.number("epoch"), assumptions=content.assumptions)  # fmt: skip


def unknown(content: Content) -> str:
    """Return what is said of a file of an unknown layout: its groups of tensors, and how to name pieces."""
    groups: dict[str, list[str]] = {}
    for name, value in content.weights.items():
        groups.setdefault(_group(name), []).append(f"{_rest(name)} {' x '.join(map(str, value.shape)) or 'number'}")
    lines = [f"  {group or '(top)'}: {', '.join(held[:4])}{f', ... {len(held)} in all' if len(held) > 4 else ''}"
             for group, held in groups.items()]  # fmt: skip
    more = [f"  ... {len(lines) - SHOWN} more groups"] if len(lines) > SHOWN else []
    beside = ", ".join(str(key) for key in content.tree)[:200]
    if any("flat_param" in name for name in content.weights):
        return (
            f"{content.path} holds parameters that FSDP has flattened; save the whole state dict "
            "(StateDictType.FULL_STATE_DICT, or torch.distributed.checkpoint.state_dict.get_model_state_dict with "
            "full_state_dict=True)."
        )
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
