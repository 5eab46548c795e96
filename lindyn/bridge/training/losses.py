"""The loss between a prediction and the target's output, and its two directions."""

from collections.abc import Callable

from torch import Tensor
from torch.nn.functional import cosine_similarity


def cosine(q: Tensor, z: Tensor) -> Tensor:
    """Return 2 - 2 cos(q, z), the squared distance of the normalised vectors (Grill et al. 2020, Eq. 2)."""
    return 2 - 2 * cosine_similarity(q, z, dim=-1).mean()


def negative_cosine(q: Tensor, z: Tensor) -> Tensor:
    """Return -cos(q, z) (Chen and He 2021, Eq. 1; lightly's NegativeCosineSimilarity)."""
    return -cosine_similarity(q, z, dim=-1).mean()


def l2(q: Tensor, z: Tensor) -> Tensor:
    """Return |q - z|^2 / 2, summed over the outputs, averaged over samples (Tian et al. 2021, Eq. 1)."""
    return 0.5 * (q - z).square().sum(-1).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine,
    "negative-cosine": negative_cosine,
    "l2": l2,
}
OVER_J = {"cosine": 2.0, "negative-cosine": 1.0, "l2": 1.0}
"""Each loss over J of Eq. 1, for unit vectors: 2 - 2 cos = |q - z|^2."""
SIDES_OVER_J = {"one-sided": 1.0, "symmetrised": 2.0, "averaged": 1.0}
"""The loss of both directions over that of one."""
COMPARES_SIZES = ("l2",)
"""Losses of q and z themselves; the others compare directions: the gradient is 1/tr F times that of unit vectors."""


def both_sides(loss: Callable[[Tensor, Tensor], Tensor], sides: str, q: list[Tensor], z: list[Tensor]) -> Tensor:
    """Return the loss of the predictions q[k] of target outputs z[k], one or two directions.

    "symmetrised" sums the directions, as BYOL does; "averaged" takes their mean, as SimSiam does: half the gradient.
    """
    total = loss(q[0], z[0])
    if sides == "one-sided":
        return total
    total = total + loss(q[1], z[1])
    return total / 2 if sides == "averaged" else total
