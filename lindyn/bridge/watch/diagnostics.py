"""Diagnostics of a running training: watches the predictor, reads the theory's numbers every k steps into a trace."""

import math
import os
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lindyn import _checks
from lindyn._linalg import one_thread
from lindyn.bridge.layers.batch_sums import FeatureSums
from lindyn.bridge.readings import Diagnosis
from lindyn.bridge.watch.collapse_words import UNKNOWN, WORDS
from lindyn.bridge.watch.diagnosis import diagnose
from lindyn.bridge.watch.find_predictor import find_predictor, map_kind, weight_map, width_before
from lindyn.bridge.watch.trace import QUANTITIES
from lindyn.bridge.watch.trace_writer import TraceWriter

OVERSAMPLING = 8
"""Features per dimension that F is gathered from: its eigenvalues are then known to some sqrt(1/8)."""


class Diagnostics:
    """Watches the predictor of a network in training and writes a reading every k steps.

        watch = lindyn.bridge.Diagnostics(model, "runs/trace.jsonl", every=50)
        for batch in loader:
            ...
            optimizer.step()
            watch.step(loss=loss)
        lindyn.bridge.read_trace("runs/trace.jsonl")          # an xarray.Dataset

    F = E[z z^T] is gathered from the very features that pass the predictor in training mode, over the last steps
    before a reading: as many as give 8 features per dimension (one batch says too little of d x d numbers, all k
    steps would mix features that drifted apart). In eval mode nothing is gathered. W_p is the predictor's own
    `W_p`, or the product of its Linear layers' weights, both as they stand at the reading; of any other module, the
    linear part of the affine map nearest to it on the same features. Nothing of the network is changed, and its
    copies and pickles hold no trace of the watch.

    Args:
        module: the network, whose predictor is found by name (prediction_head, predictor, online_predictor), or the
            predictor itself.
        path: of the trace, a JSON-lines file; appended to where it is a trace already.
        every: k, a reading every k optimiser steps, >= 1.
        predictor: the predictor inside `module`, or its dotted name, where it has another name.
        window: gather over the last so many steps before a reading, 1 to k; default as above.
        modes: write at most so many of the largest modes, >= 1.
        writer: with `add_scalar(name, value, step)`, such as TensorBoard's SummaryWriter.
        tell: called with one line when the alarm's word or the word on collapse changes, for instance `print`.
        resume: False refuses an existing file.
        world: gather over all ranks of torch.distributed (every rank must then call `step`); else rank 0's features.
        state: of `state_dict`, out of the checkpoint that an interrupted run goes on from: the trace becomes what it
            would have been without the interruption.

    Raises:
        ValueError: k, window or modes below 1, no predictor found, a path that cannot be written.
    """

    def __init__(
        self,
        module: nn.Module,
        path: str | os.PathLike,
        every: int = 50,
        *,
        predictor: str | nn.Module | None = None,
        window: int | None = None,
        modes: int = 256,
        writer: Any = None,
        tell: Callable[[str], Any] | None = None,
        resume: bool = True,
        world: bool = False,
        state: Mapping[str, Any] | None = None,
    ):
        self.every = _checks.as_whole("every", every)
        self.window = None if window is None else min(_checks.as_whole("window", window), self.every)
        self.modes, self.writer, self.tell, self.world = _checks.as_whole("modes", modes), writer, tell, world
        self.name, self.predictor = find_predictor(module, predictor)
        self.map, self.width = map_kind(self.predictor), width_before(module, self.name)
        after = None if state is None else int(state["steps"])
        self._trace = TraceWriter(path, self._configuration(), resume, after) if _rank() == 0 else None
        self.dropped = self._trace.dropped if self._trace else []  # numbers of damaged lines
        last = (self._trace.last if self._trace else None) or {}
        self.steps: int = _from_rank_0(last.get("step", 0)) if world else last.get("step", 0)
        self._start: float | None = last.get("start")
        self._word = (last.get("alarm"), last.get("collapse", ""))
        self.record = last  # the last reading as it was written
        self._sums = self._no_sums()
        if state is not None:
            self._load(state)
        self._handle = self.predictor.register_forward_hook(_Hook(self), with_kwargs=True)

    def step(self, step: int | None = None, **numbers: Any) -> Diagnosis | None:
        """Count one optimiser step; take a reading if it is the k-th.

        Args:
            step: number of steps done, where the caller counts (1 after the first); else they are counted here, going
                on from the trace's last reading. A caller that resumes from a checkpoint should give it.
            **numbers: further numbers to write beside the reading, such as the loss.

        Returns:
            The reading, or None between readings, on ranks above 0, and where nothing could be read.
        """
        clash = set(numbers) & set(QUANTITIES)
        if clash:
            raise ValueError(f"{min(clash)} is a number of the reading itself; give yours another name.")
        self.steps = self.steps + 1 if step is None else int(step)
        self._after_first_step()
        reading = self._read(numbers) if self.steps % self.every == 0 else None
        if self._left() >= (self.window or 0):  # nothing gathered so far belongs to the next reading
            self._sums = self._no_sums()
        return reading

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold for the trace to go on as if nothing had been; every rank calls it."""
        own = self._sums.state_dict()
        return {
            "steps": self.steps,
            "start": self._start,
            "window": self.window,
            "word": self._word,
            "sums": _of_every_rank(own) if self.world else [own],
        }

    def _load(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of a checkpoint."""
        self.steps, self._start, self.window = int(state["steps"]), state["start"], state["window"]
        self._word = state["word"]
        place = _rank() if self.world else 0
        if place < len(state["sums"]) and (self.world or _rank() == 0):
            self._sums.load_state_dict(state["sums"][place])

    def close(self) -> None:
        """Stop watching; the trace is complete at any time."""
        self._handle.remove()

    def __enter__(self) -> "Diagnostics":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def see(self, z: Tensor, q: Tensor) -> None:
        """Take in one batch that passed the predictor (called by the hook, in training mode only).

        Args:
            z: inputs, ... x d.
            q: outputs, ... x d.

        Raises:
            ValueError: outputs of another dimension than the inputs.
        """
        if z.ndim < 2 or q.shape != z.shape:
            raise ValueError(
                f"Diagnostics needs a predictor from batch x d to batch x d; {self._shown()} maps {tuple(z.shape)} to "
                f"{tuple(q.shape)}. Name another module with predictor=."
            )
        if self.window is None or self._start is None or self._left() <= self.window:
            self._sums.add(z, q)

    def _left(self) -> int:
        """Return how many steps are to be done until the next reading, 1 to k."""
        return self.every - self.steps % self.every

    def _after_first_step(self) -> None:
        """Note tr F at the start and how many steps give enough features."""
        rows = self._sums.samples
        if not rows:
            return
        if self._start is None:
            start = self._sums.trace()
            self._start = start if math.isfinite(start) and start > 0 else None
        if self.window is None:
            self.window = min(math.ceil(OVERSAMPLING * self._sums.dim / rows), self.every)

    def _no_sums(self) -> FeatureSums:
        return FeatureSums(linear_map=self.map == "least squares")

    def _read(self, numbers: dict[str, Any]) -> Diagnosis | None:
        """Take a reading, write it, tell it."""
        if self.world and self._sums.samples:  # the ranks call the network alike, so all of them or none
            self._sums.add_other_ranks()
        if self._trace is None:
            return None
        record: dict[str, Any] = {"step": self.steps, "samples": self._sums.samples, "start": self._start}
        try:
            with one_thread(self._sums.dim if self._sums.samples else 0):
                reading, linear_share = self._diagnosis()
            flat = reading.flat()
            record |= {name: value[: self.modes] if np.ndim(value) else value for name, value in flat.items()}
            record |= {"d": len(reading.s), "linear_share": linear_share}
        except ValueError as error:  # NaN features must not end the training
            reading, record = None, record | {"alarm": UNKNOWN, "reason": str(error)}
        record |= {name: float(_checks.to_numpy(value)) for name, value in numbers.items()}
        self._trace.write(record)
        self.record = record
        self._tell(record, "" if reading is None else reading.collapse.told)
        return reading

    def _diagnosis(self) -> tuple[Diagnosis, float]:
        sums = self._sums
        if sums.samples < 2:
            raise ValueError(
                f"{sums.samples} features passed {self._shown()} in training mode since the last reading; "
                "is it in eval mode, or not the module that runs?"
            )
        F = sums.F().cpu()
        _checks.as_array("F", F)  # before anything is solved with it
        if self.map == "least squares":
            W_p, share = sums.nearest_map()
        else:
            weight = weight_map(self.predictor).cpu()
            W_p, share = weight.to(torch.promote_types(weight.dtype, torch.float32)).numpy(), 1.0
        mean = sums.mean().double().cpu()
        reading = diagnose(F, W_p, std=sums.std(), samples=sums.samples, start=self._start, mean=mean, width=self.width)
        return reading, share

    def _tell(self, record: dict[str, Any], told: str) -> None:
        word = (record["alarm"], record.get("collapse", ""))
        if self.tell is not None and word != self._word:
            shown = f" (collapse: {told})" if told else ""
            self.tell(f"step {self.steps}: {word[0]}{shown}. {record['reason']}")
        self._word = word
        if self.writer is not None:
            for name, value in scalars(record).items():
                self.writer.add_scalar(name, value, self.steps)

    def _shown(self) -> str:
        return self.name or type(self.predictor).__name__

    def _configuration(self) -> dict[str, Any]:
        kind = type(self.predictor)
        return {
            "predictor": self.name,
            "class": f"{kind.__module__}.{kind.__qualname__}",
            "W_p": self.map,
            "every": self.every,
            "window": self.window,
            "modes": self.modes,
            "world": self.world,
        }


def scalars(record: dict[str, Any]) -> dict[str, float]:
    """Return the finite numbers of a record as lindyn/name, the alarm as 0, 1 or 2 (for loggers)."""
    found = {name: value for name, value in record.items() if name != "step" and isinstance(value, int | float)}
    if record["alarm"] in WORDS:
        found["alarm"] = WORDS.index(record["alarm"])
    return {f"lindyn/{name}": float(value) for name, value in found.items() if math.isfinite(value)}


class _Hook:
    """A forward hook that does not keep its watch alive and does not follow the module into copies and pickles."""

    def __init__(self, watch: Diagnostics | None):
        self.watch = (lambda: None) if watch is None else weakref.ref(watch)

    def __call__(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        watch = self.watch()
        if watch is not None and module.training:
            watch.see(_first_tensor((*args, *kwargs.values())), _first_tensor(output))

    def __reduce__(self) -> tuple:
        return _Hook, (None,)


def _first_tensor(value: Any) -> Tensor:
    """Return a tensor, or the first one of a list or tuple (some heads take lists and return tuples)."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    if not isinstance(value, Tensor):
        raise ValueError(f"Diagnostics needs a predictor from tensor to tensor; got {type(value).__name__}.")
    return value


def _rank() -> int:
    dist = torch.distributed
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def _of_every_rank(own: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every rank's sums on every rank."""
    dist = torch.distributed
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, own)
    return found


def _from_rank_0(number: int) -> int:
    """Return rank 0's number on every rank."""
    found = [number]
    torch.distributed.broadcast_object_list(found, src=0)
    return found[0]
