"""Small untrained networks by the names of lightly's examples, and the plain torch loop that trains them."""

import copy
import itertools

import torch
from torch import nn

from lindyn.bridge.training import method
from lindyn.bridge.training.config import TrainConfig

IMAGES, SIDE = 96, 3


class Named(nn.Module):
    """What a user brings: backbone, projection_head, prediction_head."""

    def __init__(self, projector, predictor=None, backbone=None):
        super().__init__()
        self.backbone = nn.Flatten() if backbone is None else backbone
        self.projection_head, self.prediction_head = projector, predictor


def views(seed=0, count=IMAGES, noise=0.4):
    """Two views of random images, count x 1 x SIDE x SIDE, in double precision."""
    numbers = torch.Generator().manual_seed(seed)
    scale = torch.linspace(1.5, 0.3, SIDE * SIDE).reshape(1, 1, SIDE, SIDE)
    clean = scale * torch.randn(count, 1, SIDE, SIDE, generator=numbers)
    return tuple((clean + noise * torch.randn(clean.shape, generator=numbers)).double() for _ in range(2))


def linear_stack(widths=(9, 6, 5, 4), seed=1):
    """Linear layers without biases, in double precision."""
    torch.manual_seed(seed)
    layers = [nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(widths)]
    return nn.Sequential(*layers).double()


def trained(module, pair, keys, steps, at):
    """Train on the whole batch as `lindyn train` would by these keys; return F of the projections at some steps.

    Full batches of the squared distance see the moments of the views alone, so the theory must be exact.
    """
    config = TrainConfig.of(keys)
    online, head = module.projection_head, module.prediction_head
    target = copy.deepcopy(online)
    lr = config.learning_rate
    groups = [
        {"params": list(online.parameters()), "lr": lr, "weight_decay": config.optim.weight_decay},
        {"params": list(head.parameters()), "lr": lr * config.optim.alpha_p, "weight_decay": config.predictor_decay},
    ]
    optimiser = torch.optim.SGD(groups, lr=lr, momentum=config.optim.momentum)
    share = method.factor(config.optim.schedule, 0, steps)
    loss, found = method.LOSSES[config.method.loss], {}
    v1, v2 = (v.flatten(1) for v in pair)
    for step in range(steps + 1):
        if step in at:
            with torch.no_grad():
                z = torch.cat([online(v1), online(v2)])
                found[step] = (z.T @ z / len(z)).numpy()
        for group, peak in zip(optimiser.param_groups, (lr, lr * config.optim.alpha_p), strict=True):
            group["lr"] = peak * share(step)
        aims = [target(v).detach() for v in (v2, v1)]
        if config.method.target == "online":
            aims = [online(v).detach() for v in (v2, v1)]
        total = method.both_sides(loss, config.method.sides, [head(online(v)) for v in (v1, v2)], aims)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        if config.method.target == "ema":
            rate = method.ema_rate(config, step, steps)
            with torch.no_grad():
                for mine, theirs in zip(target.parameters(), online.parameters(), strict=True):
                    mine.mul_(rate).add_((1 - rate) * theirs)
    return found
