"""Flow time of a run's readings, and the EMA rate between them, under whatever schedules the run had."""

from dataclasses import dataclass, replace

import numpy as np

from lindyn.bridge.run.rates import hyperparameters, step_time
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training import method
from lindyn.bridge.training.config import TrainConfig
from lindyn.display.brief import Brief

PIECES = 64
"""Stretches of constant beta that a run under schedules is cut into."""


@dataclass(frozen=True, eq=False, repr=False)
class FlowClock(Brief):
    """The time of every reading as the flow counts it.

    Args:
        ts: flow time since the first reading, length T, not decreasing; finer than the readings where beta changes.
        betas: EMA rate of the target in flow time between neighbouring times, length T - 1.
        readings: which of the times are readings, length K.
        notes: what was taken for granted, in words.
        steps: optimiser steps of the times, length T; None where they do not matter.
    """

    ts: np.ndarray
    betas: np.ndarray
    readings: np.ndarray
    notes: tuple[str, ...] = ()
    steps: np.ndarray | None = None

    def read_throughout(self) -> "FlowClock":
        """Return the same clock with every time a reading."""
        return replace(self, readings=np.arange(len(self.ts)))


def clock(
    steps: np.ndarray, rates: Rates, settings: Settings, per_epoch: float | None = None, between: bool = False
) -> FlowClock:
    """Return the flow time of readings: between them the sum of c x learning rate / (1 - momentum) over the steps.

    The EMA parameter belongs to a step, not to flow time: where the learning rate falls, beta rises, so that
    beta = sum (1 - gamma_a) / (flow time) over a stretch of steps.

    Args:
        steps: optimiser steps of the readings, increasing, length K >= 2.
        rates: with `step_time` known.
        settings: schedules, warm-up, length.
        per_epoch: optimiser steps of an epoch; None: not known, the last reading is taken for the end of the run.
        between: whether the clock has times between the readings even where beta does not change.

    Returns:
        The clock.

    Raises:
        ValueError: unknown schedule.
    """
    schedule = str(settings.get("optim.schedule", "constant"))
    warmup, epochs = float(settings.get("optim.warmup_epochs", 0.0)), settings.get("run.epochs")
    last = int(steps[-1])
    total, notes = last, []
    if "optim.schedule" not in settings.values:
        notes.append("the learning rate is taken as constant (optim.schedule is not known)")
    if per_epoch and epochs:
        total = max(last, round(per_epoch * epochs))
    elif schedule != "constant" or warmup:
        per_epoch = last / epochs if epochs else None
        notes.append("the last reading is taken for the end of the run")
    if warmup and not per_epoch:
        notes.append("the warm-up is left out, since steps per epoch are not known")
    taken = shares_taken(schedule, round(warmup * (per_epoch or 0)), total)
    moving = schedule != "constant" or warmup or settings.get("method.ema_schedule", "constant") != "constant"
    grid = _finer(steps) if between or (moving and rates.beta) else steps
    ts = (rates.step_time or 0.0) * taken[grid]
    betas = _betas(grid, np.diff(ts), rates, settings, total)
    return FlowClock(ts - ts[0], betas, np.searchsorted(grid, steps), tuple(notes), grid)


def _finer(steps: np.ndarray) -> np.ndarray:
    """Return the steps with others between, so close that the schedules hardly move from one to the next."""
    between = np.linspace(steps[0], steps[-1], PIECES + 1).round().astype(int)
    return np.unique(np.concatenate([steps, between]))


def _betas(steps: np.ndarray, spans: np.ndarray, rates: Rates, settings: Settings, total: int) -> np.ndarray:
    """Return sum (1 - gamma_a) over the steps between, per flow time; 0 where no EMA is told."""
    if not rates.beta or not rates.step_time:
        return np.zeros(len(spans))
    first = rates.beta * rates.step_time
    parts = np.full(total, first)
    if settings.get("method.ema_schedule", "constant") != "constant":
        config = TrainConfig.of({"method.ema": 1 - first, "method.ema_schedule": settings.get("method.ema_schedule")})
        parts = np.array([1 - method.ema_rate(config, step, total) for step in range(total)])
    sums = np.diff(np.concatenate([[0.0], np.cumsum(parts)])[steps])
    betas = np.divide(sums, spans, out=np.zeros(len(spans)), where=spans > 0)
    return np.array([float(f"{beta:.9g}") for beta in betas])  # so that equal ones are integrated in one go


def at_the_peak(config: TrainConfig, steps: np.ndarray) -> FlowClock:
    """Return the flow time of a configuration's checkpoints, beta that of the peak learning rate and the first EMA.

    Args:
        config: the run.
        steps: optimiser steps of its checkpoints from 0; the last one is taken for the end of the run.
    """
    o, last, grid = config.optim, int(steps[-1]), _finer(steps)
    per_epoch = round(last / max(1, config.run.epochs)) if last else 1
    ts = step_time(config) * shares_taken(o.schedule, round(o.warmup_epochs * per_epoch), last)[grid]
    betas = np.full(len(grid) - 1, float(hyperparameters(config).beta))
    return FlowClock(ts, betas, np.searchsorted(grid, steps), steps=grid)


def shares_taken(schedule: str, warmup: int, total: int) -> np.ndarray:
    """Return the sum of the shares of the peak learning rate over the first 0, 1, ..., `total` steps.

    Args:
        schedule: "cosine" or "constant".
        warmup: steps of linear warm-up.
        total: steps of the whole run.
    """
    share = method.factor(schedule, warmup, total)
    return np.concatenate([[0.0], np.cumsum([share(k) for k in range(total)])])
