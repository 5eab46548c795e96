"""Cost of setting each predictor beside a ResNet-50 step, and of diagnostics beside a ResNet-18 step.

python benchmarks/predictor_cost.py [--device cuda] [--json FILE]

Setting: d = 256, batch 256, freq 1: gathering F (and E[z' z^T]) from both views and setting W_p, which is the time of
two training calls, a backward pass and an update, less the same with a plain Linear layer of the same size.
Step: forward and backward of `torchvision`'s network, float32, one view of 256 images. On a CPU fewer images are
passed and the time is scaled by their number, at 64 x 64 and at 224 x 224 pixels. All runs take turns in one process;
processor time (of all threads) stands beside wall time, which other work on the machine lengthens.
Diagnostics: what 50 steps of two calls each cost with every=50 (gathering, one reading, one line of the trace).
"""

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import arguments, interleaved_clocks, report
from torch import nn
from torchvision import models

from lindyn import bridge

D, BATCH, EVERY, INNER = 256, 256, 50, 5
IMAGES_ON_CPU = {"resnet50 64": 32, "resnet50 224": 2, "resnet18 32": 64, "resnet18 224": 2}
LAYERS: dict[str, Callable[..., nn.Module]] = {
    "direct_pred": bridge.DirectPredPredictor,
    "direct_set": bridge.DirectSetPredictor,
    "direct_copy": bridge.DirectCopyPredictor,
    "linear_regression": bridge.LinearRegressionPredictor,
    "neumann": functools.partial(bridge.NeumannPredictor, normalise="fro"),
    "visser": bridge.VisserPredictor,
    "newton_schulz": bridge.NewtonSchulzPredictor,
    "newton_schulz_twice": bridge.NewtonSchulzTwicePredictor,
    "stiefel": bridge.StiefelPredictor,
}


def network_step(name: str, device: str) -> tuple[Callable[[], None], int]:
    """Return a forward and backward pass of a network named "resnet50 64", and its number of images."""
    kind, size = name.split()
    images = IMAGES_ON_CPU[name] if device == "cpu" else BATCH
    network = getattr(models, kind)().to(device)
    x = torch.randn(images, 3, int(size), int(size), device=device)

    def step() -> None:
        network.zero_grad()
        network(x).square().mean().backward()
        settle(device)

    return step, images


def predictor_step(layer: nn.Module, device: str) -> Callable[[], None]:
    """Return INNER times: both views, backward, update."""
    layer = layer.to(device)
    z = [torch.randn(BATCH, D, device=device).requires_grad_() for _ in range(2)]

    def steps() -> None:
        for _ in range(INNER):
            sum(layer(one).sum() for one in z).backward()  # type: ignore[union-attr]
            if isinstance(layer, bridge.ClosedFormPredictor):
                layer.update()
        settle(device)

    return steps


def watched_steps(predictor: nn.Module, device: str, folder: str) -> Callable[[], None]:
    """Return the watching alone of EVERY steps of two calls each, with one reading."""
    watch = bridge.Diagnostics(predictor.to(device), Path(folder) / type(predictor).__name__, every=EVERY)
    z = [torch.randn(BATCH, D, device=device) for _ in range(2)]
    q = [predictor(one).detach() for one in z]

    def steps() -> None:
        for _ in range(EVERY):
            for one, other in zip(z, q, strict=True):
                watch.see(one, other)
            watch.step()
        settle(device)

    return steps


def settle(device: str) -> None:
    """Wait until an accelerator has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def rows(device: str) -> list[dict[str, Any]]:
    networks = {name: network_step(name, device) for name in IMAGES_ON_CPU}
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: step for name, (step, _) in networks.items()}
        runs |= {name: predictor_step(make(D), device) for name, make in LAYERS.items()}
        runs["plain"] = predictor_step(nn.Linear(D, D, bias=False), device)
        watched = {"closed form": bridge.ClosedFormPredictor(D), "MLP, 256-4096-256": bridge.MLPPredictor(D)}
        runs |= {name: watched_steps(predictor, device, folder) for name, predictor in watched.items()}
        times = interleaved_clocks(runs, 5)
    found = []
    for clock, seconds in enumerate(("seconds", "processor seconds")):
        if clock == 1 and device != "cpu":
            break
        taken = {name: both[clock] for name, both in times.items()}
        found += table({name: images for name, (_, images) in networks.items()}, taken, list(watched), seconds)
    return [*found, {"case": "GPU", "status": torch.cuda.get_device_name() if device != "cpu" else "not run"}]


def table(images: dict[str, int], taken: dict[str, float], watched: list[str], unit: str) -> list[dict[str, Any]]:
    """Return the rows of one clock: steps scaled to 256 images, and shares of them."""
    full = {name: taken[name] * BATCH / count for name, count in images.items()}
    found: list[dict[str, Any]] = [
        {"case": name, "images measured": count, unit: taken[name], f"{unit} of 256 images": full[name]}
        for name, count in images.items()
    ]
    for name in LAYERS:
        setting = max(taken[name] - taken["plain"], 0.0) / INNER
        shares = {f"share of {step}": setting / full[step] for step in full if step.startswith("resnet50")}
        found.append({"case": f"set {name}", unit: setting, **shares})
    for name in watched:
        shares = {
            f"share of {step}": taken[name] / (EVERY * full[step]) for step in full if step.startswith("resnet18")
        }
        found.append({"case": f"diagnostics every {EVERY}, {name}", f"{unit} of {EVERY} steps": taken[name], **shares})
    return found


if __name__ == "__main__":
    parser = arguments("Cost of predictors and diagnostics")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    found = rows(args.device)
    found.append({"case": "load of the machine", "before": load, "after": os.getloadavg()[0]})
    note = f"d = {D}, batch {BATCH}, float32, {torch.get_num_threads()} threads; 256 images scaled from those measured"
    report("Cost of predictors and diagnostics", found, note, args)
