"""Sums over a batch from which F and the cross-correlation follow: additive over calls, views and ranks.

A batch is looked at once, in at least single precision and with autocast off; what is kept are d x d sums.
"""

import torch
import torch.distributed as dist
from torch import Tensor

from lindyn.equations import weights

Sums = dict[str, Tensor]


def rows(z: Tensor) -> Tensor:
    """Return [..., d] as samples x d, detached, in float32 (float64 stays)."""
    return z.detach().reshape(-1, z.shape[-1]).to(torch.promote_types(z.dtype, torch.float32))


def shapes(d: int, cross: bool, centre: bool) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the sums that a recipe asks for."""
    named: dict[str, tuple[int, ...]] = {"zz": (d, d), "samples": ()}
    named |= {"z": (d,)} if centre else {}
    named |= {"cross": (d, d), "pairs": ()} if cross else {}
    return named | ({"pair_z": (d,), "pair_target": (d,)} if cross and centre else {})


def of_batch(z: Tensor, centre: bool) -> Sums:
    """Return sum z z^T = Z^T Z, the number of samples and, where the mean is subtracted later, sum z."""
    sums = {"zz": z.T @ z, "samples": torch.full((), float(z.shape[0]), dtype=z.dtype, device=z.device)}
    return sums | ({"z": z.sum(0)} if centre else {})


def of_pairs(z: Tensor, target: Tensor, centre: bool) -> Sums:
    """Return sum z' z^T = Z'^T Z with z' the target's outputs, and what goes with it."""
    sums = {"cross": target.T @ z, "pairs": torch.full((), float(z.shape[0]), dtype=z.dtype, device=z.device)}
    return sums | ({"pair_z": z.sum(0), "pair_target": target.sum(0)} if centre else {})


def finite(sums: Sums) -> tuple[Sums, Tensor]:
    """Return the sums, all 0 if one of them is NaN or infinite, and whether they were good (on the device)."""
    good = torch.stack([torch.isfinite(block).all() for block in sums.values()]).all()
    return {name: torch.where(good, block, torch.zeros_like(block)) for name, block in sums.items()}, good


def over_ranks(sums: Sums) -> Sums:
    """Return the sums over all ranks, by one all-reduce; as they are outside distributed training."""
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return sums
    flat = torch.cat([block.reshape(-1) for block in sums.values()])
    dist.all_reduce(flat)
    blocks = flat.split([block.numel() for block in sums.values()])
    return {name: part.reshape(sums[name].shape) for name, part in zip(sums, blocks, strict=True)}


def correlation(sums: Sums) -> Tensor:
    """Return F = E[z z^T], of z minus its mean where the sum of z was kept; no samples give 0."""
    n = sums["samples"].clamp(min=1)
    F = weights.symmetric_part(sums["zz"] / n)
    return F - torch.outer(sums["z"], sums["z"]) / n**2 if "z" in sums else F


def cross_correlation(sums: Sums) -> Tensor:
    """Return H = E[z' z^T], of z and z' minus their means where their sums were kept; no pairs give 0."""
    n = sums["pairs"].clamp(min=1)
    H = sums["cross"] / n
    return H - torch.outer(sums["pair_target"], sums["pair_z"]) / n**2 if "pair_z" in sums else H


def on_host(tensor: Tensor) -> bool:
    """Return whether looking at a tensor's number costs nothing, because no accelerator has to be waited for."""
    return tensor.device.type == "cpu"
