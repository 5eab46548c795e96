"""Images per second of BYOL training with every predictor beside lightly's own BYOL, in turns in one process.

python benchmarks/training_step.py [--device cuda] [--backbone resnet50] [--json FILE] [--picture FILE]

Both sides run under pytorch_lightning's trainer on the same fake images, with the same network widths, SGD, symmetrised
cosine loss, EMA 0.996 and precision (16-mixed on a GPU). lightly's side is made of its own heads, loss and
`update_momentum`. A turn is `STEPS` steps after `WARM` that do not count; the figure is the median of the turns. Then
`CURVE` steps of one predictor give a loss curve. On a CPU the network sees a few images of 32 x 32: that shows that the
benchmark runs, not what a GPU does.
"""

import argparse
import copy
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from common import arguments, report
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import Tensor, nn

from lindyn.bridge import TrainConfig
from lindyn.bridge.training import build, open_source
from lindyn.bridge.training.networks import backbone
from lindyn.bridge.training.trainer import make_trainer, quiet

PREDICTORS = ("mlp", "linear", "direct_pred", "direct_copy", "linear_regression", "neumann", "visser",
              "newton_schulz", "newton_schulz_twice", "stiefel")  # fmt: skip
ITERATIVE = ("neumann", "visser", "newton_schulz", "newton_schulz_twice", "stiefel")
WANTED = 0.97
WARM, STEPS, TURNS, CURVE = 5, 20, 5, 200
HIDDEN, DIM, EMA, RATE = 4096, 256, 0.996, 0.05


class LightlyBYOL(pl.LightningModule):
    """BYOL of lightly's parts.

    Args:
        network: the backbone, images to features.
        features: their number.
        source: where batches come from.
    """

    def __init__(self, network: nn.Module, features: int, source: Any):
        super().__init__()
        self.source = source
        self.backbone = network
        self.projection_head = BYOLProjectionHead(features, HIDDEN, DIM)
        self.prediction_head = BYOLPredictionHead(DIM, HIDDEN, DIM)
        self.teacher_backbone = copy.deepcopy(network)
        self.teacher_projection_head = copy.deepcopy(self.projection_head)
        for part in (self.teacher_backbone, self.teacher_projection_head):
            deactivate_requires_grad(part)
        self.criterion = NegativeCosineSimilarity()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of both directions."""
        update_momentum(self.backbone, self.teacher_backbone, m=EMA)
        update_momentum(self.projection_head, self.teacher_projection_head, m=EMA)
        views = self.source.views(batch, self.device, self.dtype)[:2]
        q = [self.prediction_head(self.projection_head(self.backbone(view).flatten(1))) for view in views]
        with torch.no_grad():
            aims = [self.teacher_projection_head(self.teacher_backbone(view).flatten(1)) for view in views]
        return self.criterion(q[0], aims[1]) + self.criterion(q[1], aims[0])

    def configure_optimizers(self) -> Any:
        """Return SGD."""
        return torch.optim.SGD(self.parameters(), lr=RATE, momentum=0.9)


class CallCounter(pl.Callback):
    """Takes the time of the steps after `WARM`, and every loss if asked."""

    def __init__(self, device: str, steps: int, curve: bool = False):
        self.device, self.steps, self.curve = device, steps, curve
        self.start = self.seconds = 0.0
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Start or stop the clock once the device has done what it was given."""
        if self.curve:
            self.losses.append(float(outputs["loss"]))
        if batch_idx + 1 in (WARM, WARM + self.steps):
            if self.device != "cpu":
                torch.cuda.synchronize()
            now = time.perf_counter()
            self.seconds, self.start = now - self.start, now


def configuration(args: argparse.Namespace, predictor: str, steps: int, folder: str) -> TrainConfig:
    gpu = args.device != "cpu"
    batch = args.batch or (256 if gpu else 16)
    return TrainConfig.of({
        "data.name": "fake", "data.size": 224 if gpu else 32, "data.channels": 3, "data.count": batch * (WARM + steps),
        "data.classes": 10, "model.backbone": args.backbone, "model.stem": "imagenet" if gpu else "cifar",
        "model.projector": "byol", "model.hidden": HIDDEN, "model.dim": DIM, "model.predictor": predictor,
        "method.ema": EMA, "optim.batch": batch, "optim.lr": RATE, "optim.weight_decay": 0.0,
        "optim.schedule": "constant", "run.epochs": 1, "run.probe": False, "run.knn": 0, "run.progress": False,
        "run.diagnostics_every": 0, "run.folder": folder, "run.accelerator": "gpu" if gpu else "cpu",
        "run.devices": 1, "run.precision": "16-mixed" if gpu else "32-true",
    })  # fmt: skip


def turn(args: argparse.Namespace, predictor: str, steps: int, curve: bool = False) -> dict[str, Any]:
    """Train WARM + steps steps and return images per second, peak memory and losses."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        config = configuration(args, "mlp" if predictor == "lightly" else predictor, steps, folder)
        source = open_source(config)
        module: Any = build(config, source)
        trainer: Any = make_trainer(config, Path(folder), source)
        clock = CallCounter(args.device, steps, curve)
        if predictor == "lightly":
            network = backbone(config, source.shape)
            module = LightlyBYOL(network, network.features, source)
            module.train_dataloader = lambda: _batches(source, config)
            trainer = pl.Trainer(accelerator=config.run.accelerator, devices=1, precision=config.run.precision,
                                 max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                                 enable_model_summary=False, use_distributed_sampler=False)  # fmt: skip
        trainer.callbacks.append(clock)
        if args.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        trainer.fit(module)
        memory = torch.cuda.max_memory_allocated() / 2**30 if args.device != "cpu" else None
    return {"speed": config.optim.batch * steps / clock.seconds, "memory": memory, "losses": clock.losses}


def _batches(source: Any, config: TrainConfig) -> Any:
    from lindyn.bridge.training import Order

    return source.loader(Order(source.count, config.optim.batch, 1, config.run.seed), lambda: 0)


def rows(args: argparse.Namespace) -> tuple[list[dict[str, Any]], list[float]]:
    names = ("lightly", *args.predictors)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(args.turns):
        for name in names:
            found[name].append(turn(args, name, args.steps))
    speed = {name: statistics.median(one["speed"] for one in turns) for name, turns in found.items()}
    table = []
    for name in names:
        row: dict[str, Any] = {"predictor": name, "images per second": speed[name],
                               "of lightly's": speed[name] / speed["lightly"]}  # fmt: skip
        if found[name][0]["memory"] is not None:
            row["peak GiB"] = max(one["memory"] for one in found[name])
        if name in ITERATIVE and args.device != "cpu":
            row |= {"wanted": WANTED, "reached": row["of lightly's"] >= WANTED}
        table.append(row)
    curve = turn(args, args.curve, args.curve_steps - WARM, curve=True)["losses"]
    return table, curve


def draw(losses: list[float], args: argparse.Namespace) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, len(losses) + 1), losses)
    axes.set(xlabel="step", ylabel="loss", title=f"{args.backbone}, {args.curve}, fake images, {args.device}")
    figure.savefig(args.picture)


if __name__ == "__main__":
    parser = arguments("BYOL training with every predictor beside lightly's BYOL")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--backbone", default="resnet18", choices=("resnet18", "resnet50"))
    parser.add_argument("--batch", type=int, help="images a step (256 on a GPU, 16 on a CPU)")
    parser.add_argument("--predictors", nargs="+", default=list(PREDICTORS), choices=PREDICTORS)
    parser.add_argument("--steps", type=int, default=STEPS, help="timed steps of a turn")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--curve", default="newton_schulz", choices=PREDICTORS, help="predictor of the loss curve")
    parser.add_argument("--curve-steps", type=int, default=CURVE)
    parser.add_argument("--picture", type=Path, help="draw the loss curve here")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    table, curve = rows(args)
    if args.picture is not None:
        draw(curve, args)
    table.append({"loss curve": args.curve, "steps": len(curve), "first": curve[0], "last": curve[-1],
                  "losses": [round(value, 5) for value in curve]})  # fmt: skip
    table.append({"load before": load, "load after": os.getloadavg()[0]})
    table.append({"GPU": torch.cuda.get_device_name() if args.device != "cpu" else "not run"})
    report("BYOL training with every predictor beside lightly's BYOL", table, __doc__ or "", args)
