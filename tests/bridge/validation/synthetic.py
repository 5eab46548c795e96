"""Features whose laws are known: drawn from a model in which everything is aligned, or nothing is."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lindyn.bridge.records import FeatureBatch
from lindyn.bridge.settings import Rates

RATES = Rates(alpha_p=2.0, beta=0.3, eta_s=0.01, eta_p=0.01, step_time=0.1, target="ema")


@dataclass(frozen=True)
class Arrays:
    """Features that lie in memory, given in batches of a size."""

    z1: object
    z2: object = None
    target1: object = None
    batch: int = 700
    description: str = "arrays"

    @property
    def count(self):
        return len(self.z1)

    @property
    def dim(self):
        return self.z1.shape[1]

    def batches(self):
        parts = [None if a is None else torch.as_tensor(a) for a in (self.z1, self.z2, self.target1)]
        for start in range(0, self.count, self.batch):
            yield FeatureBatch(*(None if a is None else a[start : start + self.batch] for a in parts))


def linear(M, bias=None):
    """Return a Linear layer with these weights, float64."""
    M = torch.as_tensor(np.asarray(M))
    layer = nn.Linear(M.shape[1], M.shape[0], bias=bias is not None).double()
    with torch.no_grad():
        layer.weight.copy_(M)
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(bias))
    return layer


def rotation(d, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


@dataclass(frozen=True, eq=False)
class Aligned:
    """z = V h with V = U diag(sqrt s), h isotropic: F = U diag(s) U^T; W_p = U diag(sqrt(alpha_p s)) U^T; t = tau z."""

    U: np.ndarray
    s: np.ndarray
    alpha_p: float = 2.0
    rho: float = 0.7
    tau: float = 0.8

    @classmethod
    def of(cls, d=8, seed=0, ratio=0.6):
        return cls(rotation(d, [seed, 1]), ratio ** np.arange(d))

    @property
    def p(self):
        return np.sqrt(self.alpha_p * self.s)

    @property
    def V(self):
        return self.U * np.sqrt(self.s)

    @property
    def W_p(self):
        return (self.U * self.p) @ self.U.T

    def draw(self, n, seed, noise=0.0, batch=700):
        """Return features of two views and of the target, x = rho and x' = 1 - rho."""
        rng = np.random.default_rng([seed, 2])
        base, *own = rng.standard_normal((3, n, len(self.s)))
        z1, z2 = ((np.sqrt(self.rho) * base + np.sqrt(1 - self.rho) * each) @ self.V.T for each in own)
        target = self.tau * z1 + noise * rng.standard_normal(z1.shape) @ self.V.T
        return Arrays(z1, z2, target, batch)

    def mlp(self, bend):
        """Return an MLP whose best linear map on these features is W_p: U (p y + bend |y|), y = U^T z.

        |y| is uncorrelated with y for symmetric y, so it is noise to the map. U^T z = relu(y) - relu(-y).
        """
        first = np.concatenate([self.U.T, -self.U.T])
        up, down = self.p + bend * self.p, -self.p + bend * self.p
        return nn.Sequential(linear(first), nn.ReLU(), linear(np.concatenate([self.U * up, self.U * down], axis=1)))


def of(found, law):
    """Return the finding of a law."""
    return next(finding for finding in found if finding.law == law)
