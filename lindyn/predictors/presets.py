"""The values of the sources, by name."""

from typing import Any

from lindyn import _checks
from lindyn.predictors import iterative, regression, spectral  # noqa: F401  the rules enter their table
from lindyn.predictors.definition import Rule
from lindyn.predictors.recipe import Recipe

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"rule": Rule.of("direct_pred", eps=0.1), "rho": 0.3},
    "luckmatters": {"rule": Rule.of("direct_pred", eps=0.01, normalise="max", floor=1e-4), "rho": 0.3},
    "directcopy": {"rule": Rule.of("direct_copy", eps=0.3, normalise="fro"), "rho": 0.5},
    "implicit_var_reg": {
        "rule": Rule.of("direct_set", power=0.5, eps=0.0, eps_mode="inside", normalise="max"),
        "rho": 0.998,
        "start": "zero",
        "update": "call",
    },
    "richemond": {"rule": Rule.of("newton_schulz", steps=9), "rho": 0.0, "update": "call"},
}
"""Values of the sources: Tian 2021, Eq. 18 and Table 6; its released code; the independent reproduction (Hoeppe et al.
2022); the code of "implicit variance regularization"; Richemond 2023 (batchwise; give rule= for its other rules)."""


def preset(name: str = "paper", **changes: Any) -> Recipe:
    """Return the recipe of a source.

        ld.predictors.preset("paper", freq=5)
        ld.predictors.preset("richemond", rule="stiefel", ridge=0.3)

    Args:
        name: "paper", "luckmatters", "directcopy", "implicit_var_reg" or "richemond".
        **changes: fields of the `Recipe`, ridge, or parameters of its rule.

    Returns:
        The recipe.

    Raises:
        ValueError: an unknown preset or parameter; the message suggests the near one.
    """
    return Recipe.of(_checks.one_of("preset", name, PRESETS), **changes)
