"""Heads whose matrix a closed-form rule sets: lindyn's own layer, found in any layout by what it keeps.

F_hat and counters beside W_p mean a rule. Its name stands beside them since the layer writes it; in older files it
does not, and cannot be told from the numbers.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lindyn.bridge.checkpoints import heads
from lindyn.bridge.checkpoints.content import Content
from lindyn.bridge.layers.closed_form_predictor import recipe_of
from lindyn.bridge.records import Pieces
from lindyn.bridge.sections import OPTIONS
from lindyn.bridge.settings import Settings
from lindyn.bridge.training.networks import UNNAMED_RULE
from lindyn.predictors import Recipe

STATE = "_extra_state"
OF_TRAINING = ("optim.alpha_p", "optim.predictor_weight_decay", "optim.predictor_schedule")
NAME_IT = (
    "W_p is set by a closed-form rule (F_hat and counters stand beside it), not trained: the laws of a trained "
    "predictor cannot be tested. Which rule it is, the file does not say: name it by model.predictor=NAME (paper, "
    "directcopy, newton_schulz, ...; lindyn simulate --predictor list has all)."
)


SET_FROM_F = (
    "W_p is symmetric and shares the eigenvectors of the running F in the file to round-off: it was set from F by a "
    "rule, not trained, and the laws of a trained predictor cannot be tested. Name the rule by model.predictor=NAME."
)
ROUND_OFF = 1e-3
_CORRELATION = re.compile(r"C|F|F_hat|(\w*_)?(corr|correlation|cov|covariance)(_\w+)?", re.IGNORECASE)


def read(found: Mapping[str, Tensor], known: Settings, said: Mapping[str, Any]) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings of a run, with the rule that sets its predictor where one does, and what is to be said of it.

    Args:
        found: tensors of the predictor.
        known: settings as the layout has them; a rule that is named there stays.
        said: keys that the user gave.
    """
    inner = heads.by_rule(found)
    if inner is None or known.get("model.predictor"):
        return known, ()
    recipe = recipe_of(inner.get(STATE))
    return of_rule(known, recipe), () if recipe is not None or "model.predictor" in said else (NAME_IT,)


def looks_set(W_p: Tensor, F: Tensor | None) -> bool:
    """Return whether a matrix is symmetric and shares the eigenvectors of F to round-off, as no training leaves it."""
    if F is None or F.ndim != 2 or F.shape != W_p.shape or F.shape[0] != F.shape[1]:
        return False
    W, F = W_p.detach().double(), F.detach().double()
    size = float(W.norm() * F.norm())
    if not size or not bool(torch.isfinite(F).all()) or float((F - F.T).norm()) > ROUND_OFF * float(F.norm()):
        return False
    even = float((W - W.diagonal().mean() * torch.eye(len(W), dtype=W.dtype)).norm()) <= ROUND_OFF * float(W.norm())
    apart = float((W - W.T).norm()) / float(W.norm()), float((W @ F - F @ W).norm()) / size
    return max(apart) < ROUND_OFF and not even  # a multiple of I commutes with anything


def correlation_beside(found: Mapping[str, Tensor], W_p: Tensor) -> Tensor | None:
    """Return the running F that a file keeps beside its networks, from which W_p was set; None without it."""
    named = (value for name, value in found.items() if _CORRELATION.fullmatch(name.rpartition(".")[2]))
    return next((value for value in named if looks_set(W_p, value)), None)


def from_correlation(content: Content, pieces: Pieces, F: Tensor | None = None) -> Pieces:
    """Return the pieces of a run whose linear W_p was set from a running F, as DirectPred and its forks do it.

    Args:
        content: of the file.
        pieces: as the layout has them.
        F: that is known from elsewhere; None looks for it in the file.
    """
    layer = pieces.predictor[0] if pieces.predictor is not None and len(pieces.predictor) == 1 else None
    if not isinstance(layer, nn.Linear) or pieces.settings.get("model.predictor"):
        return pieces
    found = F if F is not None and looks_set(layer.weight, F) else correlation_beside(content.weights, layer.weight)
    if found is None:
        return pieces
    notes = () if "model.predictor" in content.said else (SET_FROM_F,)
    settings = of_rule(pieces.settings, None)
    return replace(pieces, F=found if pieces.F is None else pieces.F, settings=settings, notes=(*pieces.notes, *notes))


def of_rule(known: Settings, recipe: Recipe | None, source: str = "the predictor's own state") -> Settings:
    """Return the settings of a run whose W_p a rule sets: that of a recipe, or one that is not known (None).

    The rates of a trained predictor are dropped.
    """
    kept = {key: value for key, value in known.values.items() if key not in OF_TRAINING}
    rest = Settings(kept, {key: source for key, source in known.sources.items() if key in kept})
    if recipe is None:
        return Settings.of({"model.predictor": UNNAMED_RULE}, "the checkpoint").over(rest)
    return Settings.of({"model.predictor": recipe.rule.name, OPTIONS: options(recipe)}, source).over(rest)


def options(recipe: Recipe) -> tuple[tuple[str, Any], ...]:
    """Return what a recipe has beside the name of its rule, as `model.predictor_options`."""
    plain = recipe.as_dict()
    usual = Recipe.of(recipe.rule.name).as_dict()
    own = {key: value for key, value in plain["parameters"].items() if usual["parameters"].get(key) != value}
    rest = {key: plain[key] for key in plain if key not in ("rule", "parameters") and plain[key] != usual[key]}
    return tuple(sorted({**own, **rest}.items()))
