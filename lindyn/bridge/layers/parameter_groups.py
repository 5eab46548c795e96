"""Optimiser groups with the predictor's own learning rate (alpha_p) and weight decay (eta_p)."""

from typing import Any

from torch import nn

from lindyn import _checks


def predictor_groups(
    predictor: nn.Module, lr: float, weight_decay: float = 0.0, alpha_p: float = 1.0, eta_p: float | None = None
) -> list[dict[str, Any]]:
    """Return the predictor's group as `parameter_groups` makes it; an empty list if it is parameter-free."""
    lr = _checks.as_scalar("lr", lr, minimum=0.0)
    decay = _checks.as_scalar("weight_decay", weight_decay, minimum=0.0)
    alpha_p = _checks.as_scalar("alpha_p", alpha_p, minimum=0.0)
    if eta_p is not None:
        eta_p = _checks.as_scalar("eta_p", eta_p, minimum=0.0)
        if alpha_p == 0 and eta_p > 0:
            raise ValueError(
                f"eta_p must be 0 where alpha_p = 0, as optimisers multiply the decay by the learning rate; "
                f"got {eta_p:g}."
            )
        decay = eta_p / alpha_p if alpha_p else 0.0
    params = [p for p in predictor.parameters() if p.requires_grad]
    return [{"params": params, "lr": alpha_p * lr, "weight_decay": decay, "name": "predictor"}] if params else []


def parameter_groups(
    model: nn.Module,
    predictor: nn.Module,
    *,
    lr: float,
    weight_decay: float = 0.0,
    alpha_p: float = 1.0,
    eta_p: float | None = None,
) -> list[dict[str, Any]]:
    """Return the optimiser groups of a model whose predictor has its own rate and decay.

        optimiser = torch.optim.SGD(parameter_groups(model, model.prediction_head, lr=0.03, alpha_p=10), momentum=0.9)

    SGD (and AdamW) subtract lr_p weight_decay_p W_p in a step; with lr_p = alpha_p lr and flow time in units of lr
    that is the decay eta_p = alpha_p weight_decay_p of Lemma 1. So the predictor's group gets eta_p / alpha_p.

    Args:
        model: all that is trained; it may or may not contain the predictor.
        predictor: any predictor, also a plain module.
        lr: learning rate of the online network, >= 0.
        weight_decay: of the online network, per unit of lr: eta_s, >= 0.
        alpha_p: the predictor's learning rate over lr, >= 0.
        eta_p: the predictor's decay in flow time; None keeps the optimiser's `weight_decay` for it, whence
            eta_p = alpha_p weight_decay, as `Hyperparameters.from_training(decay="sgd")` reads it.

    Returns:
        The groups "online" and "predictor"; without the second if the predictor is parameter-free.

    Raises:
        ValueError: a number out of its range, or eta_p > 0 with alpha_p = 0.

    Source: Tian, Chen, Ganguli 2021, Lemma 1, Fig. 6 (alpha_p) and Table 5 (separate decays).
    """
    last = predictor_groups(predictor, lr, weight_decay, alpha_p, eta_p)
    own = {id(p) for p in predictor.parameters()}
    params = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    first = {"params": params, "lr": lr, "weight_decay": weight_decay, "name": "online"}
    return ([first] if params else []) + last
