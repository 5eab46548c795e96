"""The two-layer linear model trained by torch's own loop, on views whose moments are known."""

import numpy as np
import torch
from torch import nn


class LinearModel(nn.Module):
    """Online W, predictor, and an EMA target; features z = W x."""

    def __init__(self, predictor, n1=12, d=6, seed=0, ema=0.99):
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = nn.Linear(n1, d, bias=False)
        self.target_encoder = nn.Linear(n1, d, bias=False)
        self.target_encoder.load_state_dict(self.encoder.state_dict())
        self.target_encoder.requires_grad_(False)
        self.predictor, self.ema = predictor, ema

    def loss(self, v1, v2, stop_gradient=True):
        f2 = self.target_encoder(v2) if stop_gradient else self.encoder(v2)
        return 0.5 * (self.predictor(self.encoder(v1)) - f2).square().sum(1).mean()

    @torch.no_grad()
    def follow(self):
        self.target_encoder.weight.lerp_(self.encoder.weight, 1 - self.ema)


def near_identity(d=6):
    """Return a linear predictor that starts inside the basin that lives."""
    layer = nn.Linear(d, d, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(d) + 0.1 * layer.weight)
    return layer


def views(generator, x, samples=128):
    """Return two views with X = diag(x), X' = I - X, so that E[v v^T] = I and F = W W^T exactly."""
    x = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    base, *noise = (torch.randn(samples, len(x), generator=generator) for _ in range(3))
    return [x.sqrt() * base + (1 - x).sqrt() * part for part in noise]


def train(model, watch, steps, x, decay, lr=0.05, alpha_p=1.0, stop_gradient=True, seed=1):
    """Train as any user would; return the readings."""
    groups = [
        {"params": list(model.encoder.parameters()), "lr": lr},
        {"params": list(model.predictor.parameters()), "lr": alpha_p * lr, "weight_decay": decay / alpha_p},
    ]
    optimizer = torch.optim.SGD([group for group in groups if group["params"]], lr=lr, weight_decay=decay)
    generator = torch.Generator().manual_seed(seed)
    readings = []
    for _ in range(steps):
        loss = model.loss(*views(generator, x), stop_gradient)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.follow()
        readings.append(watch.step(loss=loss.detach()))
    return [reading for reading in readings if reading is not None]
