"""A small BYOL to try the layers in: linear encoder without batch normalisation, two views, symmetric loss."""

import copy

import torch

from lindyn import bridge, predictors

D = 5
RULES = {
    "direct_pred": bridge.DirectPredPredictor,
    "direct_set": bridge.DirectSetPredictor,
    "direct_copy": bridge.DirectCopyPredictor,
    "linear_regression": bridge.LinearRegressionPredictor,
    "neumann": bridge.NeumannPredictor,
    "visser": bridge.VisserPredictor,
    "newton_schulz": bridge.NewtonSchulzPredictor,
    "newton_schulz_twice": bridge.NewtonSchulzTwicePredictor,
    "stiefel": bridge.StiefelPredictor,
}
TRAINED = {
    "linear": bridge.LinearPredictor,
    "symmetric": bridge.SymmetricLinearPredictor,
    "mlp": lambda d: bridge.MLPPredictor(d, 7),
}


def batches(steps, n=12, width=6, seed=0, dtype=torch.float32):
    """Pairs of views of random samples."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(n, width, generator=generator, dtype=dtype)
        noise = torch.randn(2, n, width, generator=generator, dtype=dtype)
        yield x + 0.3 * noise[0], x + 0.3 * noise[1]


class Byol(torch.nn.Module):
    """Online encoder, predictor, target; called as the libraries do, once per view."""

    def __init__(self, predictor, width=6, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = torch.nn.Linear(width, D, bias=False)
        self.target = copy.deepcopy(self.encoder).requires_grad_(False)
        self.predictor = predictor

    def forward(self, x1, x2):
        p1, p2 = self.predictor(self.encoder(x1)), self.predictor(self.encoder(x2))
        t1, t2 = self.target(x1), self.target(x2)
        return ((p1 - t2) ** 2).sum(-1).mean() / 2 + ((p2 - t1) ** 2).sum(-1).mean() / 2


def optimiser(model, momentum=0.9):
    params = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(params, lr=0.05, momentum=momentum)


def train(model, data, optimizer=None):
    """A few steps; returns what W_p was used in each."""
    optimizer = optimizer or optimiser(model)
    used = []
    for x1, x2 in data:
        loss = model(x1, x2)
        used.append(W_p_of(model.predictor))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return used


def W_p_of(predictor):
    return predictor.W_p.detach().clone() if hasattr(predictor, "W_p") else None


def correlation(*z):
    """F of pooled batches, by the checked function of the core."""
    return torch.as_tensor(predictors.statistics(torch.cat(z).detach())[0])
