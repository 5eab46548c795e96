"""Backbones and projectors, the papers' and small ones for a CPU; and what the name of a predictor means."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from lindyn import _checks
from lindyn.bridge.layers import trained_predictors
from lindyn.bridge.layers.closed_form_predictor import ClosedFormPredictor
from lindyn.bridge.layers.stacks import with_activation
from lindyn.bridge.training.config import TrainConfig
from lindyn.display.brief import Brief
from lindyn.predictors import Recipe
from lindyn.predictors.definition import RULES
from lindyn.predictors.recipe import PRESETS

LAYERS = {
    "mlp": "MLPPredictor",
    "mlp_symmetric": "SymmetricMLPPredictor",
    "linear": "LinearPredictor",
    "linear_symmetric": "SymmetricLinearPredictor",
}
TRAINED = (*LAYERS, "identity")
UNNAMED_RULE, NO_PREDICTOR = "unnamed-rule", "none"
"""What a checkpoint may say of its predictor that no run can ask for: a rule without its name; that there is none."""
OF_THE_LAYER = ("cross_from", "views", "trainable")
"""Options of a closed-form predictor's layer; the others are its recipe's."""


class SmallNet(nn.Module):
    """Three convolutions of stride 2 with normalisation and ReLU, then the mean over places.

    Args:
        channels: of the images.
        width: channels of the first layer; the output has 4 x width features.
        norm: "batch", "group" (four groups) or "none" (biases instead).
    """

    def __init__(self, channels: int, width: int, norm: str = "batch"):
        super().__init__()
        widths = (channels, width, 2 * width, 4 * width)
        blocks: list[nn.Module] = []
        for inner, outer in pairwise(widths):
            layer: dict[str, Any] = {"batch": nn.BatchNorm2d, "group": lambda n: nn.GroupNorm(math.gcd(4, n), n)}
            blocks.append(nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=norm == "none"))
            blocks += [layer[norm](outer)] if norm in layer else []
            blocks.append(nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.features = 4 * width

    def forward(self, images: Tensor) -> Tensor:
        """Return B x features."""
        return self.layers(images)


class LinearNet(nn.Module):
    """The paper's W: flattened images to n2 outputs, no bias; entries start as N(0, 1/n1).

    Args:
        n1: number of pixels.
        n2: number of outputs.
    """

    def __init__(self, n1: int, n2: int):
        super().__init__()
        self.linear = nn.Linear(n1, n2, bias=False)
        nn.init.normal_(self.linear.weight, std=n1**-0.5)
        self.features = n2

    def forward(self, images: Tensor) -> Tensor:
        """Return B x n2."""
        return self.linear(images.flatten(1))


def backbone(config: TrainConfig, shape: tuple[int, ...]) -> Any:
    """Return the backbone, with its number of `features`."""
    model, channels = config.model, shape[0]
    if model.backbone == "small":
        return SmallNet(channels, model.width, model.norm)
    if model.backbone == "linear":
        return LinearNet(shape[0] * shape[1] * shape[2], model.width)
    from torchvision import models

    net: Any = getattr(models, model.backbone)(weights=None)
    net.features = net.fc.in_features
    net.fc = nn.Identity()
    small = model.stem == "cifar"
    side, stride = (3, 1) if small else (7, 2)
    if small or channels != 3 or model.stem_stride not in (0, stride):
        net.conv1 = nn.Conv2d(channels, 64, side, stride=model.stem_stride or stride, padding=side // 2, bias=False)
    if model.pool == "none" or (small and model.pool == "stem"):
        net.maxpool = nn.Identity()
    return net


PROJECTOR_ENDS = {"byol": (2, False), "simsiam": (3, True)}
"""Linear layers of a projector, and whether a BatchNorm without scale and shift ends it."""


def projector(config: TrainConfig, features: int) -> tuple[nn.Module, int]:
    """Return the projector and its output width."""
    from lightly.models.modules.heads import ProjectionHead

    model = config.model
    if model.projector == "none":
        return nn.Identity(), features
    if model.projector == "linear":
        return nn.Linear(features, model.dim, bias=False), model.dim
    layers, normed = PROJECTOR_ENDS[model.projector]
    layers = model.projector_layers or layers
    normed = normed if model.projector_norm == "named" else model.projector_norm == "batch"
    widths = [features, *[model.hidden] * (layers - 1), model.dim]
    blocks: list[Any] = [(a, b, nn.BatchNorm1d(b), nn.ReLU()) for a, b in pairwise(widths[:-1])]
    blocks.append((*widths[-2:], nn.BatchNorm1d(model.dim, affine=False) if normed else None, None))
    return with_activation(ProjectionHead(blocks), model.activation), model.dim


@torch.no_grad()
def cut(module: nn.Module, by: float) -> None:
    """Divide every parameter by one number at the start of training: cut initialisation (Draganov et al. 2025).

    A loss of degree 0 in the weights has gradients of degree -1: of W = U / c, U moves as with c^2 times the learning
    rate and a decay divided by c^2 (`rest.rate_after_cut`).

    Args:
        module: network or predictor.
        by: c > 0; 1 leaves every bit as it is.
    """
    for parameter in module.parameters():
        parameter.div_(by)


def has_batchnorm(*modules: nn.Module) -> bool:
    """Return whether there is a BatchNorm in any of them."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for net in modules for m in net.modules())


@dataclass(frozen=True, repr=False)
class PredictorKind(Brief):
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
        if name == UNNAMED_RULE:
            return cls(name, "rule")
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
    def of_flow(self) -> str | Recipe:
        """What a flow takes for `predictor`: a word, or the `Recipe`; without a name it is "trained".

        Raises:
            ValueError: a name that nothing is known of; the message suggests the near one.
        """
        if not self.name or self.moves not in ("", "rule"):
            return self.moves or "trained"
        return self.recipe

    @property
    def recipe(self) -> Recipe:
        """The recipe of its rule.

        Raises:
            ValueError: a name that no rule has; the message suggests the near one.
        """
        return Recipe.of(self.name, **dict(self.options))


def rule_words(rule: str) -> str:
    """Return a closed-form rule in words: by its name, where that is known."""
    return "a closed-form rule that the file does not name" if rule == UNNAMED_RULE else f"the rule {rule}"


def predictor(config: TrainConfig, dim: int) -> nn.Module:
    """Return the predictor of width `dim`.

    Raises:
        ValueError: an unknown name or parameter; the message suggests the near one.
    """
    name, options = config.model.predictor, dict(config.model.predictor_options)
    _checks.one_of("model.predictor", name, [*TRAINED, *PRESETS, *RULES])
    if name in TRAINED:
        own = config.model.predictor_activation
        return with_activation(_trained(name, dim, options), config.model.activation if own == "same" else own)
    if "cross_from" not in options and PredictorKind.of(name, options).recipe.rule.reads_cross:
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
