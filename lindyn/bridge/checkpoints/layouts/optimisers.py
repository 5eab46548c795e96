"""Reads the settings that an optimiser's state keeps: learning rates, momentum, decays, per group."""

from collections.abc import Sequence
from typing import Any

OTHERS = ("classifier", "probe", "linear")


def settings(groups: Sequence[dict[str, Any]], has_predictor: bool = True) -> dict[str, Any]:
    """Return the keys of `lindyn train` that parameter groups tell.

    The learning rate is the one the schedule starts from (`initial_lr`), or the current one where no schedule of torch
    has written that. The online network's group is the one with the largest decay among those that are neither the
    predictor's nor a classifier's.

    Args:
        groups: the `param_groups` of a torch optimiser's state.
        has_predictor: whether the predictor is in the checkpoint, so that a single group is its group too.
    """
    mine = [group for group in groups if not any(word in str(group.get("name", "")) for word in OTHERS)]
    predictor = next((group for group in mine if group.get("name") == "predictor" or group.get("fix_lr") is True), None)
    online = [group for group in mine if group is not predictor]
    if not online:
        return {}
    main = max(online, key=lambda group: _number(group, "weight_decay") or 0.0)
    rate, decay = peak(main), _number(main, "weight_decay")
    found = {
        "optim.name": kind(main),
        "optim.lr": rate,
        "optim.momentum": _number(main, "momentum"),
        "optim.weight_decay": decay,
    }
    if predictor is not None and rate and peak(predictor) is not None:
        own = _number(predictor, "weight_decay")
        found |= {"optim.alpha_p": peak(predictor) / rate, "optim.predictor_weight_decay": own}  # type: ignore[operator]
    elif has_predictor and len({peak(group) for group in online}) == 1 and all("name" not in g for g in online):
        found |= {"optim.alpha_p": 1.0}
        found |= {"optim.predictor_weight_decay": decay} if len(online) == 1 else {}
    return found


def kind(group: dict[str, Any]) -> str | None:
    """Return what optimiser a group belongs to, by what it keeps."""
    if "betas" in group:
        return "adam"
    if "trust_coefficient" in group or "trust_coeff" in group or ("eta" in group and "momentum" in group):
        return "lars"
    return "sgd" if "momentum" in group else None


def peak(group: dict[str, Any]) -> float | None:
    """Return the learning rate that a group's schedule starts from."""
    return _number(group, "initial_lr") if "initial_lr" in group else _number(group, "lr")


def _number(group: dict[str, Any], name: str) -> float | None:
    value = group.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
