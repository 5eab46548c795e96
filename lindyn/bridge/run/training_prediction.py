"""The linear theory's prediction for a training run, from the statistics of its views before training.

The theory's input is what the untrained network's projector gives for two views of the same images, every vector
scaled to length one (the loss compares directions only): X and X' are estimated from them, W starts as the identity on
these features, W_p as the predictor's own matrix, W_a as the linear map nearest to the target's. Lemma 1 then runs for
the flow time of the whole training. An input direction (the leading ones of X + X', to 99 % of its trace) is alive if
W answers it with at least a tenth of what it did at the start.

A two-layer predictor has no place in the linear theory; a linear one with torch's initial weights stands for it.
"""

import itertools
import math
from typing import Any

import numpy as np
import torch

from lindyn import _checks, observables
from lindyn.bridge.run.rates import hyperparameters, step_time
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_order import Order
from lindyn.bridge.training.losses import OVER_J
from lindyn.flows import WeightFlow
from lindyn.hyperparameters import Hyperparameters
from lindyn.moments import Moments
from lindyn.states import WeightState

METHOD = 1  # to be raised when the prediction changes: it is then made again for runs that are finished
SAMPLES = 2048  # images that X and X' are estimated from
LEADING = 0.99  # share of tr(X + X') whose directions are counted
ALIVE = 0.1  # of |W v|^2 at the start
LIVES, COLLAPSES = 0.5, 0.1  # share of directions alive
STEP = 0.25  # of flow time, where a closed-form rule sets W_p


def rates(config: TrainConfig, steps: int) -> tuple[Hyperparameters, float]:
    """Return (alpha_p, beta, eta) of a training run and the flow time of its whole length.

    With two things more: a cosine loss of unit vectors is twice J (2 - 2 cos = |q - z|^2), so that the
    learning rate counts twice and the decay half; a cosine schedule takes its mean, half the peak.

    Args:
        config: the run.
        steps: its optimiser steps.

    Returns:
        The hyper-parameters, and the duration in flow time.

    Raises:
        ValueError: LARS, which is no gradient flow.
    """
    mean = 0.5 if config.optim.schedule == "cosine" else 1.0
    over_J = OVER_J[config.method.loss]
    return hyperparameters(config, over_J, mean), steps * step_time(config, over_J, mean)


def of_module(config: TrainConfig, module: Any, source: Any) -> dict[str, Any]:
    """Return the prediction for a run: alive share, verdict, and the numbers it rests on.

    Args:
        config: the run.
        module: its untrained network.
        source: where its views come from.

    Returns:
        verdict ("lives", "partly", "collapses"), alive (share), modes (number counted), scale (tr F at the end over
        tr F at the start), rank (effective rank of F at the end), alpha_p, beta, eta_p, eta_s, flow_time, x and x_aug
        (means over the modes), predictor.

    Raises:
        ValueError: features that are no numbers.
    """
    z1, z2, target = _projections(config, module, source)
    data = Moments.from_views(z1, z2)
    hp, duration = rates(config, module.steps)
    W_p, how, rule = _predictor(config, module, len(data.X))
    n = data.n1
    online = config.method.target == "online"
    W_a = np.eye(n) if online else target
    start = WeightState(W=np.eye(n), W_p=W_p, W_a=W_a)
    flow = WeightFlow(hp, data, target=config.method.target, predictor=how)
    F0 = data.Sigma_s
    W = _trained(flow, start, duration) if rule is None else _ruled(flow, start, duration, rule)
    values, V = np.linalg.eigh(F0)
    counted = _leading(values)
    alive = np.sum((W @ V[:, counted]) ** 2, axis=0) >= ALIVE
    share = float(np.mean(alive))
    x = np.einsum("ij,ij->j", V[:, counted], data.X @ V[:, counted])
    x_aug = np.einsum("ij,ij->j", V[:, counted], data.X_aug @ V[:, counted])
    found = {
        "alive": share, "modes": int(counted.sum()), "scale": float(np.trace(W @ F0 @ W.T) / np.trace(F0)),
        "rank": observables.entropy_rank(np.clip(np.linalg.eigvalsh(W @ F0 @ W.T), 0, None)),
        "alpha_p": float(hp.alpha_p), "beta": float(hp.beta), "eta_p": float(hp.eta_p), "eta_s": float(hp.eta_s),
        "flow_time": duration, "x": float(x.mean()), "x_aug": float(x_aug.mean()),
    }  # fmt: skip
    stands = {"predictor": "linear in place of two layers"} if config.model.predictor.startswith("mlp") else {}
    verdict = "lives" if share >= LIVES else "collapses" if share < COLLAPSES else "partly"
    return {"verdict": verdict, **{key: float(f"{value:.5g}") for key, value in found.items()}, **stands}


def _leading(values: np.ndarray) -> np.ndarray:
    """Return which eigenvalues, taken from the largest, make up `LEADING` of their sum."""
    order = np.argsort(-values)
    before = np.cumsum(values[order]) - values[order]
    kept = np.zeros(len(values), dtype=bool)
    kept[order[before < LEADING * values.sum()]] = True
    return kept


@torch.no_grad()
def _projections(config: TrainConfig, module: Any, source: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit projections of two views, N x d each, and the linear map from them to the target's."""
    module.train()  # BatchNorm by the batch, as in the first steps
    order = Order(source.count, config.optim.batch, 1, config.run.seed)
    batches = itertools.islice(source.loader(order, lambda: 0), max(1, SAMPLES // config.optim.batch))
    parts: list[list[torch.Tensor]] = [[], [], []]
    for batch in batches:
        v1, v2, _ = source.views(batch, module.device, module.dtype)
        for part, view in zip(parts, (v1, v2), strict=False):
            part.append(module.projection_head(module.forward(view)))
        parts[2].append(module._aim(v1))
    z1, z2, aim = (torch.nn.functional.normalize(torch.cat(part).double(), dim=1).cpu().numpy() for part in parts)
    _checks.as_array("projections of the untrained network", z1)
    if config.method.target == "online" or config.method.target_start == "copy":
        return z1, z2, np.eye(z1.shape[1])
    return z1, z2, np.linalg.lstsq(z1, aim, rcond=None)[0].T


def _predictor(config: TrainConfig, module: Any, d: int) -> tuple[np.ndarray, str, Any]:
    """Return W_p at the start, the flow's word for how it moves, and the closed-form rule, if any."""
    name, head = config.model.predictor, module.prediction_head
    if name == "identity":
        return np.eye(d), "identity", None
    if name.startswith("mlp"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.run.seed)
            W_p = torch.nn.Linear(d, d, bias=False).weight.detach().double().numpy()
        symmetric = name == "mlp_symmetric"
        return (W_p + W_p.T) / 2 if symmetric else W_p, "symmetrised" if symmetric else "trained", None
    W_p = head.W_p.detach().double().cpu().numpy()
    if name == "linear_symmetric":
        return (W_p + W_p.T) / 2, "symmetrised", None
    return W_p, "trained", getattr(head, "recipe", None) and head.recipe.rule


def _trained(flow: WeightFlow, start: WeightState, duration: float) -> np.ndarray:
    """Return W at the end of the flow."""
    from lindyn.solve.ode import simulate

    run = simulate(flow, start, [0.0, duration], rtol=1e-4, atol=1e-8, engine="scipy", throw=False)
    return np.asarray(run.states.W[-1])


def _ruled(flow: WeightFlow, start: WeightState, duration: float, rule: Any) -> np.ndarray:
    """Return W at the end where W_p = rule(F, H) at every step: Euler steps of the flow's own W and W_a."""
    count = max(1, math.ceil(duration / STEP))
    h, W, W_a = duration / count, start.W, start.W_a
    X, Sigma_s, online = flow.data.X, flow.data.Sigma_s, flow.target == "online"
    for _ in range(count):
        W_a = W if online else W_a
        F = W @ Sigma_s @ W.T
        cross = W_a @ X @ W.T if rule.reads_cross else None
        W_p = rule((F + F.T) / 2, cross)
        rate = flow(0.0, WeightState._unchecked(W=W, W_p=W_p, W_a=W_a))
        W, W_a = W + h * rate.W, W_a + h * rate.W_a
        if not np.isfinite(W).all():
            raise ArithmeticError("the theory's W left the numbers: the rule's W_p grows faster than the step allows")
    return W
