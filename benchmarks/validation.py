"""Time and peak memory of holding features against the theory: d = 2048, 50,000 samples, all parts, bootstrap included.

python benchmarks/validation.py [--samples N] [--dim D] [--threads K] [--predictor MLP|linear] [--json FILE]

Features (two views and the target's, float32) are made batch by batch as a network would give them, so that no more
than one batch is in memory; the predictor is an MLP d - 512 - d with BatchNorm, which needs every sum there is. The
same is done for a linear predictor. Peak memory is that of the whole process.
"""

import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from common import arguments, report
from threadpoolctl import threadpool_limits
from torch import nn

from lindyn.bridge import laws
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.records import FeatureBatch
from lindyn.bridge.settings import Rates

BATCH = 512


@dataclass(frozen=True)
class Synthetic:
    """Two views of samples whose spectrum falls as a power law, the same in every pass."""

    count: int
    dim: int
    description: str = "synthetic"

    def batches(self) -> Iterator[FeatureBatch]:
        """Yield batches of 512."""
        generator = torch.Generator().manual_seed(0)
        scale = torch.arange(1, self.dim + 1) ** -0.5
        for start in range(0, self.count, BATCH):
            base, one, other = torch.randn(3, min(BATCH, self.count - start), self.dim, generator=generator)
            views = [(0.8 * base + 0.6 * own) * scale for own in (one, other)]
            yield FeatureBatch(views[0], views[1], 0.9 * views[0] + 0.1 * scale * other)


def predictors(dim: int) -> dict[str, nn.Sequential]:
    torch.manual_seed(0)
    mlp = nn.Sequential(nn.Linear(dim, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, dim))
    return {"MLP": mlp.eval(), "linear": nn.Sequential(nn.Linear(dim, dim, bias=False))}


class Stages:
    """Processor time by stage of the measurement, as its progress is told."""

    def __init__(self) -> None:
        self.last, self.spent = time.process_time(), dict[str, float]()

    def __call__(self, stage: str, share: float) -> None:
        now = time.process_time()
        self.spent[stage] = self.spent.get(stage, 0.0) + now - self.last
        self.last = now


def rows(samples: int, dim: int, threads: int, chosen: str) -> list[dict[str, Any]]:
    found = []
    projector = nn.Sequential(nn.Linear(dim, dim))
    rates = Rates(2.0, 0.4, 0.01, 0.01, 0.05, "ema")
    for name, predictor in predictors(dim).items():
        if chosen not in ("", name):
            continue
        load, wall, processor, stages = os.getloadavg()[0], time.perf_counter(), time.process_time(), Stages()
        measured = measure(Synthetic(samples, dim), predictor, projector, projector, stages)
        verdicts = laws.findings(measured, laws.KnownRun(rates))
        found.append(
            {
                "predictor": name, "dim": dim, "samples": samples, "threads": threads,
                "seconds": time.perf_counter() - wall, "processor seconds": time.process_time() - processor,
                "peak GiB so far": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
                "load before": load, "load after": os.getloadavg()[0], "findings": len(verdicts),
                **{f"processor seconds to {stage}": spent for stage, spent in stages.spent.items()},
            }
        )  # fmt: skip
    return found


if __name__ == "__main__":
    parser = arguments("Holding features against the theory")
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--predictor", choices=("", "MLP", "linear"), default="")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with threadpool_limits(args.threads):
        made = rows(args.samples, args.dim, args.threads, args.predictor)
    report("Holding features against the theory", made, "Making the features counts as well.", args)
