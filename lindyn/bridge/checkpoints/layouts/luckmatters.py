"""The DirectPred authors' code (luckmatters): three state dicts, and F-hat in a file of its own beside."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lindyn.bridge.checkpoints import layer_rules
from lindyn.bridge.checkpoints.assembling import Names, assemble, with_notes
from lindyn.bridge.checkpoints.content import Content, Layout, group_settings, peak
from lindyn.bridge.records import Pieces
from lindyn.bridge.settings import Settings

NAME, TITLE = "luckmatters", "luckmatters (the DirectPred authors' code)"
ONLINE, TARGET = "online_network_state_dict", "target_network_state_dict"
NAMES = Names(f"{ONLINE}.encoder", f"{ONLINE}.projetion", "predictor_state_dict", f"{TARGET}.encoder",
              f"{TARGET}.projetion")  # fmt: skip
CODE = {"method.sides": "symmetrised", "method.target": "ema", "method.ema_schedule": "constant",
        "model.activation": "relu"}  # fmt: skip
NOT_SAVED = (
    "luckmatters saves neither the target's rate nor the loss: name them (method.ema, 0.996 in its configuration, and "
    "method.loss, cosine unless use_l2_normalization was off).",
    "The encoder's blocks were taken to use their BatchNorms, as its configuration has it (bn_spec).",
)


def matches(content: Content) -> bool:
    """Return whether there are the state dicts of online network and predictor, or the file of F-hat."""
    return (ONLINE in content.tree and "predictor_state_dict" in content.tree) or "cumulated_corr" in content.tree


def read(content: Content) -> Pieces:
    """Return the pieces; F from the file itself or from `corr_*.pth` of the same epoch beside it."""
    if "cumulated_corr" in content.tree:
        F, note = second_moment(content.weights, content.tree)
        alone = f"{content.path.name} holds F only: the spectrum and the collapse measures of F can be tested."
        return Pieces(content.path, NAME, TITLE, F=F, epoch=_epoch(content.path), step=_step(content.path),
                      notes=(alone, *([note] if note else [])))  # fmt: skip
    known = Settings.of(_rates(content), "the checkpoint").over(Settings.of(CODE, "luckmatters' code"))
    pieces = assemble(content, NAME, TITLE, NAMES, settings=known, notes=NOT_SAVED)
    pieces = replace(pieces, epoch=_epoch(content.path))
    beside = corr_file(content.path)
    if beside is None:
        return with_notes(pieces, "There is no corr_*.pth of this epoch beside it, so F comes from features alone.")
    other = Content.of(beside)
    F, note = second_moment(other.weights, other.tree)
    pieces = layer_rules.from_correlation(content, replace(pieces, F=F, step=_step(beside)), F)
    return with_notes(pieces, f"F was read from {beside.name} beside it.", note)


def second_moment(found: dict[str, Tensor] | Any, tree: Any) -> tuple[Tensor, str]:
    """Return F-hat and a note on how it was normalised.

    The code keeps a moving average, or, where its dyn_lambda is not set, a sum over batches that the counter divides.

    Raises:
        ValueError: F is missing or not square.
    """
    F, mean = found.get("cumulated_corr"), found.get("cumulated_mean")
    if F is None or F.ndim != 2 or F.shape[0] != F.shape[1]:
        raise ValueError(f"cumulated_corr must be a square matrix; got {None if F is None else tuple(F.shape)}.")
    count = int(tree.get("cumulated_corr_counter") or 0)
    if count > 1 and _is_sum(F, mean):
        return F / count, f"cumulated_corr is a sum (it does not dominate the mean's square): divided by {count}."
    return F, "cumulated_corr was taken as a moving average; a run without dyn_lambda keeps a sum over batches there."


def _is_sum(F: Tensor, mean: Tensor | None) -> bool:
    """Return whether F and the mean must be sums over batches: then F - m m^T has a clearly negative eigenvalue.

    Averages with the same weights have F - m m^T >= 0 (Jensen); with sums over c batches it is c F - c^2 m m^T.
    """
    if mean is None:
        return False
    rest = (F - torch.outer(mean, mean)).double()
    lowest = float(torch.linalg.eigvalsh((rest + rest.T) / 2)[0])
    return math.isfinite(lowest) and lowest < -1e-4 * float(F.diagonal().sum())


def is_corr(path: Path) -> bool:
    """Return whether a file is named as those that hold F of an epoch and no network."""
    return re.fullmatch(r"corr_\d+_iter\d+\.pth", path.name) is not None


def corr_file(path: Path) -> Path | None:
    """Return the file of F-hat of the same epoch, the furthest one for model_final.pth, or None."""
    epoch = _epoch(path)
    pattern = "corr_*_iter*.pth" if epoch is None else f"corr_{epoch:03d}_iter*.pth"
    found = sorted((file for file in path.parent.glob(pattern)), key=lambda file: _step(file) or 0)
    return found[-1] if found else None


def _epoch(path: Path) -> int | None:
    found = re.match(r"(?:model|corr)_(\d+)", path.name)
    return int(found[1]) if found else None


def _step(path: Path) -> int | None:
    found = re.search(r"_iter(\d+)", path.name)
    return int(found[1]) if found else None


def _rates(content: Content) -> dict[str, Any]:
    """Return the settings of the two optimisers, that of the network and that of the predictor."""
    online, own = content.groups("optimizer_state_dict"), content.groups("predictor_optimizer_state_dict")
    found = group_settings(online, has_predictor=False)
    if online and own and peak(online[0]) and peak(own[0]) is not None:
        found["optim.alpha_p"] = peak(own[0]) / peak(online[0])  # type: ignore[operator]
        found["optim.predictor_weight_decay"] = own[0].get("weight_decay")
    return found


LAYOUT = Layout(NAME, TITLE, matches, read, aside=is_corr)
