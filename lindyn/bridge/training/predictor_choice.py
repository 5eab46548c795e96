"""The predictor that a configuration names: what its name means, and the layer that is trained."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from lindyn import _checks
from lindyn.bridge.layers import trained_predictors
from lindyn.bridge.layers.closed_form_predictor import ClosedFormPredictor
from lindyn.bridge.training.config import TrainConfig
from lindyn.predictors.definition import RULES
from lindyn.predictors.recipe import PRESETS

LAYERS = {
    "mlp": "MLPPredictor",
    "mlp_symmetric": "SymmetricMLPPredictor",
    "linear": "LinearPredictor",
    "linear_symmetric": "SymmetricLinearPredictor",
}
TRAINED = (*LAYERS, "identity")
OF_THE_LAYER = ("cross_from", "views", "trainable")
"""Options of a closed-form predictor's layer; the others are its recipe's."""


@dataclass(frozen=True)
class PredictorKind:
    """What the name of a predictor stands for; the one place where it is decided.

    Args:
        name: `model.predictor`, "" where it is not known.
        moves: "trained", "symmetrised" (the symmetric part of its flow alone), "identity" (there is no predictor),
            "rule" (W_p is set from the features' statistics), "" where it is not known.
        two_layers: whether it is a stack of two layers, which the linear theory has no place for.
        options: parameters of the rule by name, without those of the layer.
    """

    name: str = ""
    moves: str = ""
    two_layers: bool = False
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, name: str | None, options: Mapping[str, Any] | None = None) -> "PredictorKind":
        """Return the kind of a predictor by its name; that of an unknown name has `moves` "".

        Args:
            name: `model.predictor`, None where it is not known.
            options: `model.predictor_options`.
        """
        name = str(name or "")
        if name == "identity":
            return cls(name, "identity")
        if name in LAYERS:
            return cls(name, "symmetrised" if name.endswith("_symmetric") else "trained", name.startswith("mlp"))
        if name in RULES or name in PRESETS:
            kept = {key: value for key, value in (options or {}).items() if key not in OF_THE_LAYER}
            return cls(name, "rule", options=tuple(sorted(kept.items())))
        return cls(name)

    @property
    def rule(self) -> str:
        """Name of the closed-form rule that sets W_p, "" where the predictor is trained or not known."""
        return self.name if self.moves == "rule" else ""

    @property
    def of_flow(self) -> Any:
        """What a flow takes for `predictor`: a word, or the `Recipe`; without a name it is "trained".

        Raises:
            ValueError: a name that nothing is known of; the message suggests the near one.
        """
        if not self.name or self.moves not in ("", "rule"):
            return self.moves or "trained"
        from lindyn.predictors import Recipe

        return Recipe.of(self.name, **dict(self.options))


def predictor(config: TrainConfig, dim: int) -> nn.Module:
    """Return the predictor of width `dim`.

    Raises:
        ValueError: an unknown name or parameter; the message suggests the near one.
    """
    name, options = config.model.predictor, dict(config.model.predictor_options)
    _checks.one_of("model.predictor", name, [*TRAINED, *PRESETS, *RULES])
    if name in TRAINED:
        return _trained(name, dim, options)
    if "cross_from" not in options and PredictorKind.of(name, options).of_flow.rule.reads_cross:
        options["cross_from"] = "target"  # z' is the target's output, as the papers have it
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    return ClosedFormPredictor(dim, rule=name, accumulate=config.optim.accumulate, **options)


def _trained(name: str, dim: int, options: dict[str, Any]) -> nn.Module:
    if name == "identity":
        _known(name, options, ())
        return nn.Identity()
    layer = getattr(trained_predictors, LAYERS[name])
    known = [p for p in inspect.signature(layer).parameters if p not in ("input_dim", "output_dim")]
    _known(name, options, known if name.startswith("mlp") else [p for p in known if p != "hidden_dim"])
    return layer(dim, **options)


def _known(name: str, options: dict[str, Any], known: Any) -> None:
    for option in options:
        if not known:
            raise ValueError(f"model.predictor={name} has no parameters; got {option!r}.")
        _checks.one_of(f"a parameter of model.predictor={name}", option, known)
