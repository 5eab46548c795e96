"""The ablations every flow offers, checked in one place."""

from typing import Any

from lindyn import _checks
from lindyn._options import ABLATIONS, PREDICTORS
from lindyn.predictors.definition import RULES, Rule
from lindyn.predictors.recipe import PRESETS, Recipe

TARGETS, TAUS = ABLATIONS["target"].choices, ABLATIONS["tau"].choices
DEFAULTS = {name: option.default for name, option in ABLATIONS.items() if name != "target_start"}
"""The ablations and what a flow without one amounts to."""


def of(flow: Any, name: str) -> Any:
    """Return a choice of a flow, the default where it has none of this name."""
    return getattr(flow, name, DEFAULTS[name])


def predictor_of(given: Any) -> "str | Recipe":
    """Return a choice of predictor: one of `PREDICTORS`, or the `Recipe` that a closed-form rule stands for.

    Args:
        given: "trained", "symmetrised" or "identity"; a `Rule`, a `Recipe`, or the name of a rule or of a preset.

    Returns:
        The word, or the recipe.

    Raises:
        ValueError: an unknown name; the message suggests the near one.
    """
    if isinstance(given, Rule | Recipe):
        return Recipe.of(given)
    if given in PREDICTORS:
        return str(given)
    RULES.check("predictor", given, *PRESETS, first=PREDICTORS)
    return Recipe.of(given)


def check(target: str, stop_gradient: bool = True, predictor: Any = "trained", tau: str = "dynamic") -> "str | Recipe":
    """Check a combination of choices and return the predictor as `predictor_of` does.

    Args:
        target: "ema" (BYOL), "online" (SimSiam: W_a = W at all times), "frozen" (W_a never moves).
        stop_gradient: whether the gradient is stopped at the target branch.
        predictor: "trained", "symmetrised" (its flow is replaced by its symmetric part, Assumption 3) or
            "identity" (no predictor), or a closed-form rule W_p = rule(F, H), see `predictor_of`.
        tau: "dynamic" (Assumption 1) or "constant".

    Returns:
        The predictor: a word or a `Recipe`.

    Raises:
        ValueError: an unknown name, or a combination that has no meaning.
    """
    _checks.one_of("target", target, TARGETS)
    predictor = predictor_of(predictor)
    _checks.one_of("tau", tau, TAUS)
    if not isinstance(stop_gradient, bool):
        raise ValueError(f"stop_gradient must be True or False; got {stop_gradient!r}.")
    if not stop_gradient and target != "online":
        raise ValueError(
            f"stop_gradient=False needs target='online'; got target={target!r}, "
            "whose W_a is no function of W at the instant, so there is no gradient to stop."
        )
    return predictor


def beta_of(target: str, beta: Any) -> Any:
    """Return the EMA rate of the target: beta, or 0 for a frozen one."""
    return 0.0 if target == "frozen" else beta


TARGET_WORDS = {"ema": "EMA target", "online": "target = online network", "frozen": "frozen target"}


LOSS_WORDS = {"cosine": "cosine loss (closure)", "cosine-exact": "cosine loss (exact)", "batchnorm": "BatchNorm"}


def in_words(
    target: str = "", stop_gradient: bool = True, predictor: Any = "trained", tau: str = "dynamic",
    loss: str = "squared", normalise: str = "none",
) -> str:  # fmt: skip
    """Return the choices as a caption has them: the target, where there is one, and what is ablated."""
    found = [TARGET_WORDS[target]] if target else []
    found += [LOSS_WORDS[word] for word in (loss, normalise) if word in LOSS_WORDS]
    if tau == "constant":
        found.append("tau held")
    if not stop_gradient:
        found.append("no stop-gradient")
    if isinstance(predictor, Recipe):
        changed = ", ".join(f"{name} = {value}" for name, value in predictor.rule.parameters)
        found.append(f"predictor by the rule {predictor.rule.name}" + (f" ({changed})" if changed else ""))
    elif predictor != "trained":
        found.append("no predictor" if predictor == "identity" else f"{predictor} predictor")
    return ", ".join(found)
