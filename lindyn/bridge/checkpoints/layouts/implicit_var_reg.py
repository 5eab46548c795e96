"""implicit-var-reg (DirectPred and IsoLoss in a fork of solo-learn): F in the buffer C, the predictor made from it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.checkpoints import heads, layer_rules
from lindyn.bridge.checkpoints.assembling import WITHOUT_PREDICTOR, with_notes
from lindyn.bridge.checkpoints.content import Content, Layout
from lindyn.bridge.checkpoints.layouts import solo_learn
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings
from lindyn.predictors import Recipe

NAME, TITLE = "implicit-var-reg", "implicit-var-reg (DirectPred in solo-learn)"


def matches(content: Content) -> bool:
    """Return whether the parts have solo-learn's names and the running F is there."""
    return solo_learn.is_solo(content) and "C" in content.weights


def read(content: Content) -> Pieces:
    """Return the pieces; the predictor is made from C by the rule that args.json names."""
    pieces = solo_learn.pieces_of(content, NAME, TITLE, predictor_saved=False)
    F = content.weights["C"]
    if F.ndim != 2 or F.shape[0] != F.shape[1]:
        raise ValueError(f"C of {content.path} must be square; got shape {tuple(F.shape)}.")
    notes = tuple(note for note in pieces.notes if "never saves the predictor" not in note)
    options = content.beside(solo_learn.ARGS)[0].get("method_kwargs")
    rule = options if isinstance(options, Mapping) and "dp_alpha" in options else None
    empty = not bool(F.any())
    known = Settings.of(_loss(options), solo_learn.ARGS).over(pieces.settings)
    known = layer_rules.of_rule(known, None if rule is None else recipe_of(rule), solo_learn.ARGS)
    pieces = replace(pieces, F=None if empty else F, notes=notes, settings=known)
    if empty or rule is None:
        why = (
            "C is still zero" if empty else "the rule's parameters (method_kwargs.dp_alpha in args.json) are not there"
        )
        return with_notes(pieces, f"The predictor is made from C as it runs and {why}: {WITHOUT_PREDICTOR}")
    return with_notes(
        replace(pieces, predictor=predictor(F, rule)),
        "The predictor was made from C by the rule in args.json, as this code does: that it shares F's eigenvectors "
        "holds by construction.",
    )


def _loss(options: Any) -> dict[str, Any]:
    """Return the loss that the options choose, where it is one of lindyn's: the cosine one, summed both ways."""
    plain = isinstance(options, Mapping) and options.get("iso") is False and options.get("use_l2") is False
    return {"method.loss": "cosine", "method.sides": "symmetrised"} if plain else {}


def recipe_of(rule: Mapping[str, Any]) -> Recipe:
    """Return the recipe that the options name: p = (s / max s + eps)^alpha, or s^alpha not normalised."""
    plain = rule.get("dp_normalize", True)
    eps = float(rule.get("eps_iso") or 0.0) if plain else 0.0
    power = float(rule["dp_alpha"])
    return Recipe.of("implicit_var_reg", power=power, eps=eps, normalise="max" if plain else "none")


def predictor(C: Tensor, rule: Mapping[str, Any]) -> nn.Sequential:
    """Return W_p = U diag(p) U^T with p = (max(s, 0) / max s + eps)^alpha, or p = max(s, 0)^alpha not normalised.

    Args:
        C: the running F, d x d.
        rule: dp_alpha, dp_normalize, eps_iso.
    """
    s, U = torch.linalg.eigh(((C + C.T) / 2).double())
    s = s.clamp(0.0, None if rule.get("dp_normalize", True) else 1e6)
    if rule.get("dp_normalize", True):
        s = s / s.max() + float(rule.get("eps_iso") or 0.0)
    W_p = (U * s ** float(rule["dp_alpha"])) @ U.T
    made = heads.head({"weight": W_p.to(C.dtype)}, "predictor")
    assert made is not None
    return made


LAYOUT = Layout(NAME, TITLE, matches, read)
