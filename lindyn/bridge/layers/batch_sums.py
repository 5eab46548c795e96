"""Sums over a batch from which F and the cross-correlation follow: additive over calls, views and ranks.

A batch is looked at once, in at least single precision and with autocast off; what is kept are d x d sums.
"""

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from lindyn import statistics
from lindyn.equations import weights

Sums = dict[str, Tensor]
SMALL = 1e-10
"""Features that are smaller throughout have sums of squares that single precision does not hold."""


def rows(z: Tensor) -> Tensor:
    """Return [..., d] as samples x d, detached, in float32 (float64 stays)."""
    return z.detach().reshape(-1, z.shape[-1]).to(torch.promote_types(z.dtype, torch.float32))


def wide(z: Tensor) -> Tensor:
    """Return `rows`, in double precision where single has no room for their squares (on the host: it is looked at)."""
    z = rows(z)
    if z.dtype == torch.float64 or not on_host(z) or not z.numel() or torch.compiler.is_compiling():
        return z
    largest = float(z.abs().amax())
    return z.double() if 0 < largest < SMALL or largest > 1 / SMALL else z


def unit_rows(z: Tensor) -> Tensor:
    """Return z / ||z||, whatever the size of z; rows of zeros stay."""
    return z / torch.linalg.vector_norm(z, dim=1, keepdim=True).clamp_min(torch.finfo(z.dtype).tiny)


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


def std_of_normalised(z: Tensor) -> float:
    """Return the mean over dimensions of the standard deviation of z / ||z||, 1/sqrt(d) for isotropic features.

    Args:
        z: features, batch x d, 2 rows or more.

    Returns:
        The number, between 0 and about 1/sqrt(d).

    Source: Chen and He 2021 (SimSiam).
    """
    gathered = FeatureSums(linear_map=False)
    gathered.add(z, z)
    return gathered.std()


class FeatureSums:
    """Sums of a predictor's inputs z and outputs q over batches, on the device of z, in float32 or better.

    Args:
        linear_map: also gather what the nearest linear map needs.
    """

    def __init__(self, linear_map: bool):
        self.linear_map = linear_map
        self.samples = 0
        self._sums: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, z: Tensor, q: Tensor) -> None:
        """Add one batch.

        Args:
            z: inputs, ... x d, samples along all axes but the last.
            q: outputs beside them.
        """
        with torch.autocast(z.device.type, enabled=False):
            z = wide(z)
            unit = unit_rows(z)
            new = {"zz": z.T @ z, "z": z.sum(0), "u": unit.sum(0), "uu": (unit * unit).sum(0)}
            if self.linear_map:
                q = rows(q).to(z.dtype)
                new |= {"q": q.sum(0), "qz": q.T @ z, "qq": (q * q).sum()}
        self.samples += len(z)
        self._sums = {name: value + self._sums[name].to(value) if self._sums else value for name, value in new.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the sums so far, for a checkpoint."""
        return {"samples": self.samples, "sums": {name: value.cpu().clone() for name, value in self._sums.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the sums of a checkpoint."""
        self.samples, self._sums = int(state["samples"]), dict(state["sums"])

    def add_other_ranks(self) -> None:
        """Add the sums of all ranks; every rank must call it."""
        count = torch.tensor([float(self.samples)], device=self._sums["zz"].device)
        for value in [count, *self._sums.values()]:
            dist.all_reduce(value)
        self.samples = int(count)

    @property
    def dim(self) -> int:
        """Dimension of the features."""
        return len(self._sums["u"])

    def F(self) -> Tensor:
        """Return E[z z^T], not centred."""
        return self._mean("zz")

    def mean(self) -> Tensor:
        """Return E[z]."""
        return self._mean("z")

    def trace(self) -> float:
        """Return tr F."""
        return float(self._mean("zz").trace())

    def std(self) -> float:
        """Return the mean over dimensions of the standard deviation of l2-normalised z (`statistics.std_of_unit`)."""
        return float(statistics.std_of_unit(to_numpy(self._mean("u")), to_numpy(self._mean("uu")), self.samples))

    def nearest_map(self) -> tuple[np.ndarray, float]:
        """Return the W_p of the affine map W_p z + b nearest to q, and the share of q's variance that it explains."""
        C_zz, C_qz, _ = self._covariances()
        exact = torch.finfo(self._sums["zz"].dtype).eps
        size = to_numpy(self._mean("zz").trace()) / self.dim
        W_p = statistics.nearest_map(C_zz, C_qz, size, exact if exact > 1e-10 else statistics.ROUND_OFF)
        return W_p, self.explained_by(W_p)

    def explained_by(self, W_p: np.ndarray) -> float:
        """Return the share of q's variance that W_p z + b explains with the best b (`statistics.explained_share`)."""
        return float(statistics.explained_share(W_p, *self._covariances()))

    def _covariances(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Return (Cov z, Cov(q, z), tr Cov q)."""
        z, q = self._mean("z"), self._mean("q")
        C_zz, C_qz = self._mean("zz") - torch.outer(z, z), self._mean("qz") - torch.outer(q, z)
        return to_numpy(C_zz), to_numpy(C_qz), float(self._mean("qq") - q @ q)

    def _mean(self, name: str) -> Tensor:
        return self._sums[name] / self.samples


def to_numpy(value: Tensor) -> np.ndarray:
    """Return a copy of a tensor as numpy, in double precision."""
    return value.detach().double().cpu().numpy().copy()
