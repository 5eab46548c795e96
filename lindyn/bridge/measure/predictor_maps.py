"""Linear maps that stand for a predictor: exact, least squares, mean Jacobian, product of weights.

A predictor without a ReLU is one linear map and an offset. An MLP has none of its own; three stand for it:
least squares      the W_p of W_p z + b nearest to the outputs on the features at hand; it alone says how much of the
                   predictor it explains at its best, so that it is the main one where there are features;
mean Jacobian      E[dq/dz] on the features. For Gaussian z it equals least squares (Stein), elsewhere their
                   difference shows how far the features are from that;
product of weights the ReLUs taken as the identity. It needs no features and is the crudest: with gates that are open
                   half of the time it is twice the mean Jacobian.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from lindyn.bridge.layers import stacks
from lindyn.bridge.layers.batch_sums import FeatureSums, to_numpy
from lindyn.bridge.records import PredictorMap
from lindyn.bridge.watch import find_predictor
from lindyn.display.brief import Brief

EXACT, LEAST_SQUARES, JACOBIAN, PRODUCT = "exact", "least squares", "mean Jacobian", "product of weights"


class JacobianSums:
    """Running mean of the Jacobian of a stack with one or two ReLUs, exact on the features given.

    With gates g = 1 where a ReLU lets pass, dq/dz = A_1 diag(g) A_0 for one ReLU and A_2 diag(g_2) A_1 diag(g_1) A_0
    for two. The mean needs E[g], or E[g_2 g_1^T] entry by entry: E[diag(g_2) A_1 diag(g_1)] = A_1 * E[g_2 g_1^T].

    Args:
        maps: the affine maps between the ReLUs, two or three.
    """

    def __init__(self, maps: list[stacks.Affine]):
        self.maps, self.samples = maps, 0
        self._gates: Tensor | None = None

    @classmethod
    def of(cls, predictor: nn.Module) -> "JacobianSums | None":
        """Return the sums of a predictor, or None where it has no ReLU, more than two, or other layers."""
        maps = stacks.folded(predictor)
        return cls(maps) if maps is not None and len(maps) in (2, 3) else None

    @torch.no_grad()
    def add(self, z: Tensor) -> None:
        """Add a batch, rows are samples."""
        h = z @ self.maps[0].A.T.to(z) + self.maps[0].b.to(z)
        gates = [(h > 0).to(torch.float32)]
        if len(self.maps) == 3:
            h = torch.relu(h) @ self.maps[1].A.T.to(z) + self.maps[1].b.to(z)
            gates.append((h > 0).to(torch.float32))
        new = (gates[1].T @ gates[0] if len(gates) == 2 else gates[0].sum(0)).double().cpu()
        self._gates = new if self._gates is None else self._gates + new
        self.samples += len(z)

    def mean(self) -> Tensor:
        """Return the mean Jacobian, d x d.

        Raises:
            ValueError: no features were given.
        """
        if self._gates is None:
            raise ValueError("The mean Jacobian is one over features; none were given.")
        g = self._gates / self.samples
        if len(self.maps) == 2:
            return (self.maps[1].A * g) @ self.maps[0].A
        return self.maps[2].A @ (self.maps[1].A * g) @ self.maps[0].A


def exact_map(predictor: nn.Module) -> np.ndarray | None:
    """Return W_p of a predictor that is linear up to an offset, or None."""
    if find_predictor.map_kind(predictor) == "W_p":
        return to_numpy(find_predictor.weight_map(predictor))
    maps = stacks.folded(predictor)
    return maps[0].A.numpy() if maps is not None and len(maps) == 1 else None


def product_map(predictor: nn.Module) -> np.ndarray | None:
    """Return the product of a stack's weights, BatchNorm folded, ReLUs taken as the identity; None for other layers."""
    maps = stacks.folded(predictor)
    if maps is None:
        return None
    whole = maps[0]
    for later in maps[1:]:
        whole = later.after(whole)
    return whole.A.numpy()


@dataclass(frozen=True, eq=False, repr=False)
class Outputs(Brief):
    """What was gathered of a predictor's inputs and outputs.

    Args:
        sums: of z and q, with `linear_map`.
        jacobian: sums of its Jacobian, or None.
    """

    sums: FeatureSums
    jacobian: JacobianSums | None


def predictor_maps(predictor: nn.Module | None, outputs: Outputs | None) -> tuple[PredictorMap, ...]:
    """Return the linear maps of a predictor, the main one first: exact, or least squares where there are features.

    Args:
        predictor: the predictor, or None.
        outputs: what was gathered, or None without features.

    Returns:
        One map for a linear predictor, up to three for an MLP, none where nothing can be read.
    """
    if predictor is None:
        return ()
    W_p = exact_map(predictor)
    if W_p is not None:
        return (PredictorMap(W_p, EXACT, 1.0),)
    found: list[PredictorMap] = []
    if outputs is not None:
        nearest, explained = outputs.sums.nearest_map()
        found.append(PredictorMap(nearest, LEAST_SQUARES, explained))
        if outputs.jacobian is not None:
            found.append(_with_share(to_numpy(outputs.jacobian.mean()), JACOBIAN, outputs.sums))
    product = product_map(predictor)
    if product is not None and product.shape[0] == product.shape[1]:
        found.append(_with_share(product, PRODUCT, None if outputs is None else outputs.sums))
    return tuple(found)


def _with_share(W_p: np.ndarray, kind: str, sums: FeatureSums | None) -> PredictorMap:
    share = float("nan") if sums is None else sums.explained_by(W_p)
    return PredictorMap(W_p, kind, share)
