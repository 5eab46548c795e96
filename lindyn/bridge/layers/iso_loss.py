"""IsoLoss: the loss of a closed-form predictor whose gradient reaches every mode at one rate."""

from torch import Tensor, nn
from torch.nn import functional as fn

from lindyn import _checks

KINDS = ("cosine", "euclidean")


class IsoLoss(nn.Module):
    """The usual loss in value, IsoLoss in gradient: the predictor's eigenvalue no longer multiplies a mode's rate.

        criterion = IsoLoss()                          # in place of NegativeCosineSimilarity
        z = model.projection_head(features); p = model.prediction_head(z)
        loss = criterion(p, target.detach(), z)

    Euclidean: the gradient of |z - sg(t + z - p)|^2, which is 2 (p - t) at z: W_p^T is left out. Cosine: the gradient
    at z of -z.t/(|p| |t|) + (1/2) (p.t)/(|p|^3 |t|) z^T W_p z with every factor but z held, for a symmetric W_p. No
    gradient reaches the predictor's own parameters: IsoLoss is meant for predictors that a rule sets.

    Args:
        kind: "cosine" or "euclidean".
        eps: floor of the norms |p| and |t|, > 0.

    Raises:
        ValueError: an unknown kind, eps that is not positive; in the call: shapes that differ.

    Source: Halvagal, Laborieux, Zenke 2023, Sec. 4 (`lindyn.equations.halvagal`).
    """

    def __init__(self, kind: str = "cosine", eps: float = 1e-8) -> None:
        super().__init__()
        self.kind = _checks.one_of("kind", kind, KINDS)
        self.eps = _checks.as_scalar("eps", eps, minimum=0.0, exclusive=True)

    def forward(self, p: Tensor, target: Tensor, z: Tensor) -> Tensor:
        """Return the mean loss of a batch.

        Args:
            p: predictions W_p z, B x d.
            target: the target's projections, B x d; its gradient is stopped.
            z: the predictor's inputs, B x d, which the gradient reaches.
        """
        if not p.shape == target.shape == z.shape:
            raise ValueError(
                f"p, target and z must have one shape, B x d; got {tuple(p.shape)}, {tuple(target.shape)} and "
                f"{tuple(z.shape)}. z is what went into the predictor."
            )
        p, target = p.detach(), target.detach()
        value, slope = self._euclidean(p, target) if self.kind == "euclidean" else self._cosine(p, target)
        along = (z * slope).sum(-1)
        return (value + along - along.detach()).mean()

    def _euclidean(self, p: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return ((p - t) ** 2).sum(-1), 2 * (p - t)

    def _cosine(self, p: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return -cos and (cos p/|p| - t/|t|)/|p|."""
        size = p.norm(dim=-1, keepdim=True).clamp_min(self.eps)
        p_hat, t_hat = p / size, fn.normalize(t, dim=-1, eps=self.eps)
        cos = (p_hat * t_hat).sum(-1, keepdim=True)
        return -cos[..., 0], (cos * p_hat - t_hat) / size

    def extra_repr(self) -> str:
        """Return the kind."""
        return f"kind={self.kind!r}"
