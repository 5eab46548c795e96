"""Heads whose matrix a closed-form rule sets: lindyn's own layer, found in any layout by what it keeps.

F_hat and counters beside W_p mean a rule. Its name stands beside them since the layer writes it; in older files it
does not, and cannot be told from the numbers.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from lindyn.bridge.checkpoints import heads
from lindyn.bridge.layers.closed_form_predictor import recipe_of
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
