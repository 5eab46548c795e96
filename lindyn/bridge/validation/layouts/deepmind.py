"""DeepMind's BYOL (haiku): projector and predictor of online and target network, from a pickle through stand-ins."""

from collections.abc import Mapping

from torch import Tensor, nn

from lindyn.bridge.validation import heads
from lindyn.bridge.validation.layouts.assembling import WITHOUT_BACKBONE, WITHOUT_PREDICTOR
from lindyn.bridge.validation.layouts.content import Content, Layout
from lindyn.bridge.validation.records import Pieces
from lindyn.bridge.validation.settings import Settings

NAME, TITLE = "deepmind", "DeepMind's BYOL (haiku)"
CODE = {
    "method.loss": "cosine",
    "method.sides": "symmetrised",
    "method.target": "ema",
    "method.ema_schedule": "cosine",
    "optim.name": "lars",
    "optim.schedule": "cosine",
    "optim.alpha_p": 1.0,
}
LAYERS = {
    "fc0": ("linear", {"w": "weight"}, {"b": "bias"}),
    "bn0": ("batch_norm", {"scale": "weight", "offset": "bias"}, {}),
    "fc1": ("linear_1", {"w": "weight"}, {"b": "bias"}),
}
MOMENTS = {"running_mean": "~/mean_ema", "running_var": "~/var_ema"}


def matches(content: Content) -> bool:
    """Return whether there is an online network in haiku's form."""
    return content.has(r"online_params\.")


def read(content: Content) -> Pieces:
    """Return the heads; the backbone is not rebuilt.

    Raises:
        ValueError: a tensor is missing or of the wrong shape.
    """
    predictor = head(content.weights, "online", "predictor")
    notes = [
        "The file holds no settings: give optim.lr, optim.weight_decay, optim.momentum and method.ema.",
        f"The backbone is not rebuilt, as haiku pads its strided convolutions otherwise than torch: {WITHOUT_BACKBONE}",
        "The target tree's own predictor plays no part in the method and is left out.",
    ]
    if predictor is None:
        notes.append(f"This file holds no predictor: {WITHOUT_PREDICTOR}")
    return Pieces(
        content.path, NAME, TITLE, projector=head(content.weights, "online", "projector"), predictor=predictor,
        target_projector=head(content.weights, "target", "projector"), step=content.number("step"),
        settings=Settings.of(CODE, "DeepMind's code"), notes=tuple(notes),
    )  # fmt: skip


def head(found: Mapping[str, Tensor], side: str, name: str) -> nn.Sequential | None:
    """Return one of the heads; haiku's kernels are [in, out] and its BatchNorm keeps its moments in the state tree.

    Args:
        found: all tensors.
        side: "online" or "target".
        name: "projector" or "predictor".

    Raises:
        ValueError: a tensor is missing or of the wrong shape.
    """
    params, state = f"{side}_params.{name}/", f"{side}_state.{name}/"
    if not any(key.startswith(params) for key in found):
        return None
    torch_names: dict[str, Tensor] = {}
    for layer, (module, mine, optional) in LAYERS.items():
        for its, here in mine.items():
            torch_names[f"{layer}.{here}"] = _need(found, f"{params}{module}.{its}")
        for its, here in optional.items():
            if f"{params}{module}.{its}" in found:
                torch_names[f"{layer}.{here}"] = found[f"{params}{module}.{its}"]
    for key, place in MOMENTS.items():
        torch_names[f"bn0.{key}"] = _need(found, f"{state}batch_norm/{place}.average")
    torch_names = {key: value.T if "fc" in key and value.ndim == 2 else value.flatten()
                   for key, value in torch_names.items()}  # fmt: skip
    return heads.head(torch_names, f"{side} {name}")


def _need(found: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in found:
        raise ValueError(f"{key} is missing.")
    return found[key]


LAYOUT = Layout(NAME, TITLE, matches, read)
