"""Sums over the features that pass a predictor: what F, the nearest linear map and the spread are made from."""

from typing import Any

import torch
from torch import Tensor

from lindyn.bridge.layers import batch_sums
from lindyn.predictors import linear_regression

DAMPING = 1e-6
"""Ridge of the nearest linear map, share of the mean variance: what float32 sums cannot tell from zero."""


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
            z = batch_sums.rows(z)
            unit = torch.nn.functional.normalize(z, dim=1)
            new = {"zz": z.T @ z, "u": unit.sum(0), "uu": (unit * unit).sum(0)}
            if self.linear_map:
                q = batch_sums.rows(q).to(z.dtype)
                new |= {"z": z.sum(0), "q": q.sum(0), "qz": q.T @ z, "qq": (q * q).sum()}
        self.samples += len(z)
        self._sums = {name: value + self._sums[name] if self._sums else value for name, value in new.items()}

    def add_other_ranks(self) -> None:
        """Add the sums of all ranks; every rank must call it."""
        import torch.distributed as dist

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

    def trace(self) -> float:
        """Return tr F."""
        return float(self._mean("zz").trace())

    def std(self) -> float:
        """Return the mean over dimensions of the standard deviation of l2-normalised z (unbiased in the variance)."""
        variance = (self._mean("uu") - self._mean("u") ** 2).clamp(min=0)
        return float((variance * (self.samples / max(self.samples - 1, 1))).sqrt().mean())

    def cross(self) -> Tensor:
        """Return E[q z^T], not centred."""
        return self._mean("qz")

    def mean_square_q(self) -> float:
        """Return E ||q||^2."""
        return float(self._mean("qq"))

    def nearest_map(self) -> tuple[Tensor, float]:
        """Return the W_p of the affine map W_p z + b nearest to q, and the share of q's variance that it explains."""
        C_zz, C_qz, _ = self._covariances()
        W_p: Any = linear_regression((C_zz + C_zz.T) / 2, C_qz, damping=DAMPING)
        return W_p, self.explained_by(W_p)

    def explained_by(self, W_p: Tensor) -> float:
        """Return the share of q's variance that W_p z + b explains with the best b; NaN where q does not vary.

        Args:
            W_p: any map, d x d; the share is negative where it is worse than a constant.
        """
        C_zz, C_qz, total = self._covariances()
        W_p = W_p.to(C_zz)
        explained = float(2 * (W_p * C_qz).sum() - ((W_p @ C_zz) * W_p).sum())
        return explained / total if total > 0 else float("nan")

    def _covariances(self) -> tuple[Tensor, Tensor, float]:
        """Return (Cov z, Cov(q, z), tr Cov q)."""
        z, q = self._mean("z"), self._mean("q")
        C_zz = (self._mean("zz") - torch.outer(z, z)).double()
        C_qz = (self._mean("qz") - torch.outer(q, z)).double()
        return C_zz, C_qz, float(self._mean("qq") - q @ q)

    def _mean(self, name: str) -> Tensor:
        return self._sums[name] / self.samples
