"""What every predictor has: groups with its own rate and decay, checks of what it is given, ways out of compile.

Each check is made before anything of a layer changes, and fails with one clear sentence.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lindyn import _checks
from lindyn.predictors import Recipe, arrays

CROSS_FROM = ("views", "target", "none")


class Predictor(nn.Module):
    """A predictor: `forward(z)` on [..., d]; optimiser groups with its own rate and decay."""

    input_dim: int

    def parameter_groups(
        self, lr: float, weight_decay: float = 0.0, alpha_p: float = 1.0, eta_p: float | None = None
    ) -> list[dict[str, Any]]:
        """Return the optimiser groups of the predictor alone; an empty list if it is parameter-free.

        See `lindyn.bridge.parameter_groups`, which takes the rest of the model too.
        """
        return predictor_groups(self, lr, weight_decay, alpha_p, eta_p)


def outside_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as one that torch.compile leaves alone; unlike torch.compiler.disable this loads nothing."""
    lazily = getattr(torch, "_disable_dynamo", None)
    return functools.wraps(function)((lazily or torch.compiler.disable)(function))


def in_backward() -> bool:
    """Return whether autograd is running: then a forward call is activation checkpointing computing it again."""
    task = getattr(torch._C, "_current_graph_task_id", None)
    return task is not None and task() != -1


def full_precision(tensor: Tensor) -> Any:
    """Return a context with autocast off and no gradient on the tensor's device."""
    return _FullPrecision(tensor.device.type)


class _FullPrecision:
    """`torch.no_grad()` and autocast off, together."""

    def __init__(self, device: str) -> None:
        self.contexts = (torch.no_grad(), torch.autocast(device, enabled=False))

    def __enter__(self) -> None:
        for context in self.contexts:
            context.__enter__()

    def __exit__(self, *error: Any) -> None:
        for context in reversed(self.contexts):
            context.__exit__(*error)


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
        ValueError: what is no module, a number out of its range, or eta_p > 0 with alpha_p = 0.

    Source: Tian, Chen, Ganguli 2021, Lemma 1, Fig. 6 (alpha_p) and Table 5 (separate decays).
    """
    for name, given in (("model", model), ("predictor", predictor)):
        if not isinstance(given, nn.Module):
            raise ValueError(f"{name} must be a torch module; got {type(given).__name__}.")
    last = predictor_groups(predictor, lr, weight_decay, alpha_p, eta_p)
    own = {id(p) for p in predictor.parameters()}
    params = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    first = {"params": params, "lr": lr, "weight_decay": weight_decay, "name": "online"}
    return ([first] if params else []) + last


def square_width(input_dim: Any, output_dim: Any) -> int:
    """Return the side of a square predictor, or raise ValueError."""
    d = _checks.as_whole("input_dim", input_dim)
    if output_dim is not None and output_dim != d:
        raise ValueError(
            f"output_dim must equal input_dim = {d}, as W_p is square; got {output_dim!r}. "
            "Leave it out, or use MLPPredictor."
        )
    return d


def check_batch(name: str, z: Any, d: int, training: bool = True) -> None:
    """Raise ValueError unless z is a real floating [..., d] tensor with samples in it."""
    if not isinstance(z, Tensor) or not z.is_floating_point():
        kind = str(z.dtype) if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(f"{name} must be a floating-point tensor [batch, {d}]; got {kind}.")
    if z.ndim < 2 or z.shape[-1] != d:
        raise ValueError(f"{name} must have shape [batch, {d}]; got {list(z.shape)}.")
    if training and z.numel() == 0:
        raise ValueError(f"{name} must hold samples; got shape {list(z.shape)}. Drop the empty batch (drop_last=True).")


def check_same_shape(name: str, value: Tensor, z: Tensor, why: str) -> None:
    """Raise ValueError unless two batches have the same shape."""
    if value.shape != z.shape:
        raise ValueError(f"{name} must have the shape of z, {list(z.shape)}; got {list(value.shape)}. {why}")


def check_practice(recipe: Recipe, d: int, cross_from: str, views: int, trainable: bool) -> None:
    """Raise ValueError if a recipe cannot be followed by a layer used in this way."""
    rule = recipe.rule
    probe = arrays.example(d)
    rule.modes(probe, probe if rule.reads_cross else None)  # parameters with one entry per mode fit d, or are refused
    if trainable and recipe.update == "call":
        raise ValueError("trainable=True needs update='step'; got update='call', which sets W_p again before each use.")
    if cross_from == "none" and rule.needs_cross:
        raise ValueError(f"cross_from must be 'views' or 'target' for {rule.name}, which reads E[z' z^T]; got 'none'.")
    if rule.reads_cross and cross_from == "views" and recipe.update == "call" and views == 1:
        raise ValueError(
            f"{rule.name} with update='call' does not know the other view yet at the first call; got "
            "cross_from='views': use update='step', or cross_from='target', or give both views in one call (views=2)."
        )
