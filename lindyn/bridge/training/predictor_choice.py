"""The predictor that a configuration names: trained by gradient, or set by a closed-form rule."""

import inspect
from typing import Any

from torch import nn

from lindyn import _checks
from lindyn.bridge.training.config import TrainConfig
from lindyn.predictors.definition import RULES
from lindyn.predictors.presets import PRESETS

LAYERS = {
    "mlp": "MLPPredictor",
    "mlp_symmetric": "SymmetricMLPPredictor",
    "linear": "LinearPredictor",
    "linear_symmetric": "SymmetricLinearPredictor",
}
TRAINED = (*LAYERS, "identity")


def predictor(config: TrainConfig, dim: int) -> nn.Module:
    """Return the predictor of width `dim`.

    Raises:
        ValueError: an unknown name or parameter; the message suggests the near one.
    """
    name, options = config.model.predictor, dict(config.model.predictor_options)
    _checks.one_of("model.predictor", name, [*TRAINED, *PRESETS, *RULES])
    if name in TRAINED:
        return _trained(name, dim, options)
    from lindyn.bridge import ClosedFormPredictor
    from lindyn.predictors import Recipe

    if "cross_from" not in options and Recipe.of(name, **_recipe(options)).rule.reads_cross:
        options["cross_from"] = "target"  # z' is the target's output, as the papers have it
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    return ClosedFormPredictor(dim, rule=name, accumulate=config.optim.accumulate, **options)


def _recipe(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are not the layer's own."""
    return {name: value for name, value in options.items() if name not in ("cross_from", "views", "trainable")}


def _trained(name: str, dim: int, options: dict[str, Any]) -> nn.Module:
    if name == "identity":
        _known(name, options, ())
        return nn.Identity()
    from lindyn import bridge

    layer = getattr(bridge, LAYERS[name])
    known = [p for p in inspect.signature(layer).parameters if p not in ("input_dim", "output_dim")]
    _known(name, options, known if name.startswith("mlp") else [p for p in known if p != "hidden_dim"])
    return layer(dim, **options)


def _known(name: str, options: dict[str, Any], known: Any) -> None:
    for option in options:
        if not known:
            raise ValueError(f"model.predictor={name} has no parameters; got {option!r}.")
        _checks.one_of(f"a parameter of model.predictor={name}", option, known)
