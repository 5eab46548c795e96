"""Checks of what a layer is given, all before anything of it changes: one clear sentence each."""

from typing import Any

from torch import Tensor

from lindyn.predictors import Recipe, arrays

CROSS_FROM = ("views", "target", "none")


def width(name: str, value: Any) -> int:
    """Return a layer's width, or raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number >= 1; got {value!r}.")
    return value


def square(input_dim: Any, output_dim: Any) -> int:
    """Return the side of a square predictor, or raise ValueError."""
    d = width("input_dim", input_dim)
    if output_dim is not None and output_dim != d:
        raise ValueError(
            f"output_dim must equal input_dim = {d}, as W_p is square; got {output_dim!r}. "
            "Leave it out, or use MLPPredictor."
        )
    return d


def count(name: str, value: Any) -> int:
    """Return a whole number >= 1, or raise ValueError."""
    return width(name, value)


def features(name: str, z: Any, d: int, training: bool = True) -> None:
    """Raise ValueError unless z is a real floating [..., d] tensor with samples in it."""
    if not isinstance(z, Tensor) or not z.is_floating_point():
        kind = str(z.dtype) if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(f"{name} must be a floating-point tensor [batch, {d}]; got {kind}.")
    if z.ndim < 2 or z.shape[-1] != d:
        raise ValueError(f"{name} must have shape [batch, {d}]; got {list(z.shape)}.")
    if training and z.numel() == 0:
        raise ValueError(f"{name} must hold samples; got shape {list(z.shape)}. Drop the empty batch (drop_last=True).")


def same_shape(name: str, value: Tensor, z: Tensor, why: str) -> None:
    """Raise ValueError unless two batches have the same shape."""
    if value.shape != z.shape:
        raise ValueError(f"{name} must have the shape of z, {list(z.shape)}; got {list(value.shape)}. {why}")


def practice(recipe: Recipe, d: int, cross_from: str, views: int, trainable: bool) -> None:
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
