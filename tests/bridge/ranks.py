"""What each of two gloo processes does in the distributed tests; results go into files, one a rank."""

import datetime
import warnings

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from lindyn import bridge
from tests.bridge.helpers import RULES, TRAINED, Byol, D, batches

STEPS, BATCH = 5, 12
SETTINGS = {
    "freq": {"freq": 2},
    "accumulate": {"accumulate": 2},
    "centre": {"centre": True},
    "trainable": {"freq": 2, "trainable": True},
    "call": {"rule": "implicit_var_reg", "rho": 0.5},
    "both views": {"rule": "stiefel", "rho": 0.2, "freq": 2},
}
SHARES = {"even": (6, 6), "uneven": (9, 3)}


def predictor_of(name):
    """The predictor of a scenario: a rule, a trained one, or the paper's with other settings."""
    torch.manual_seed(1)
    if name in SETTINGS:
        return bridge.ClosedFormPredictor(D, **SETTINGS[name])
    return (RULES | TRAINED)[name](D)


def run(name, dtype, share=(BATCH,), rank=0):
    """Train on this rank's share of each batch; return the W_p after each call, and the encoder at the end."""
    first = sum(share[:rank])
    rows = slice(first, first + share[rank])
    model = Byol(predictor_of(name)).to(dtype)
    weight = share[rank] * len(share) / BATCH  # DDP averages over ranks; a mean over samples weighs them by share
    return train(model, rows, weight, distributed=len(share) > 1)


def train(model, rows, weight=1.0, distributed=False):
    used = []
    predictor = model.predictor
    predictor.register_forward_hook(lambda layer, *_: used.append(layer.W_p.detach().clone()))
    wrapped = DistributedDataParallel(model, find_unused_parameters=False) if distributed else model
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    for x1, x2 in batches(STEPS, n=BATCH, dtype=model.encoder.weight.dtype):
        optimizer.zero_grad()
        (weight * wrapped(x1[rows], x2[rows])).backward()
        optimizer.step()
    return {"W_p": torch.stack(used), "W": model.encoder.weight.detach()}


def one_call_a_view(share=(BATCH,), rank=0):
    """DDP itself called once a view: it sends rank 0's buffers again before the second call."""
    rows = slice(sum(share[:rank]), sum(share[: rank + 1]))
    layer = bridge.DirectPredPredictor(D)
    byol = Byol(layer)
    model = torch.nn.Sequential(byol.encoder, layer)
    wrapped = DistributedDataParallel(model) if len(share) > 1 else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x1, x2 in batches(STEPS, n=BATCH):
        loss = sum((wrapped(x[rows]) - byol.target(y[rows])).square().sum(-1).mean() for x, y in ((x1, x2), (x2, x1)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"W_p": layer.W_p, "W": byol.encoder.weight.detach()}


def bad_rank(share, rank):
    """Rank 1 alone meets NaN in the third call."""
    layer = bridge.DirectPredPredictor(D)
    torch.manual_seed(rank)
    for call in range(4):
        z = torch.randn(6, D)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer(torch.full_like(z, float("nan")) if (rank, call) == (1, 2) else z)
    layer.update()
    return {"W_p": layer.W_p, "rejected": layer.health().rejected, "samples": 4 * 12 - 6}


def resumed(folder, rank):
    """Rank 0 alone loads a checkpoint; DDP sends it to the other."""
    model = Byol(predictor_of("freq"))
    if rank == 0:
        model.load_state_dict(torch.load(f"{folder}/state.pt"))
    return train(model, slice(6 * rank, 6 * rank + 6), distributed=True)


def work(rank, folder):
    """Run every scenario in one of two processes."""
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=60)  # a rank that waits for ever is a failure, not a hang
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=limit)
    out = {}
    for name in [*RULES, *SETTINGS, *TRAINED]:
        if name != "mlp":
            cases = [(dtype, kind) for dtype in (torch.float32, torch.float64) for kind in SHARES]
            out.update({(name, *case): run(name, case[0], SHARES[case[1]], rank) for case in cases})
    out["one call a view"] = one_call_a_view((6, 6), rank)
    out["bad rank"] = bad_rank((6, 6), rank)
    out["resumed"] = resumed(folder, rank)
    model = DistributedDataParallel(Byol(TRAINED["mlp"](D)))
    model(*next(batches(1))).backward()
    out["mlp"] = {"gradient": model.module.encoder.weight.grad}
    torch.save(out, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
