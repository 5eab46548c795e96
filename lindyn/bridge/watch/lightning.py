"""`Diagnostics` as a pytorch_lightning callback."""

import os
from collections.abc import Callable
from typing import Any

try:
    import pytorch_lightning as pl
except ImportError as error:
    raise ImportError(
        "pytorch_lightning is needed for DiagnosticsCallback; install it with pip install pytorch-lightning."
    ) from error

from lindyn.bridge.watch.diagnostics import Diagnostics, scalars


class DiagnosticsCallback(pl.Callback):
    """Watches the predictor of a LightningModule; a reading every k optimiser steps (`Diagnostics`).

        trainer = pl.Trainer(callbacks=[lindyn.bridge.DiagnosticsCallback("runs/trace.jsonl", every=50)])

    Steps are the trainer's `global_step`, so that a run that resumes goes on where its checkpoint stands: what was
    gathered goes into the checkpoint, and the trace is then what it would have been without the interruption. Numbers
    also go to the trainer's loggers (TensorBoard and others) as lindyn/name.

    Args:
        path: of the trace.
        every: k, >= 1.
        predictor: dotted name of the predictor, where it is not found by a usual name.
        tell: called with one line when the alarm's word or the word on collapse changes.
        **options: window, modes, resume, world of `Diagnostics`.

    Raises:
        ValueError: as `Diagnostics`, when training starts.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        every: int = 50,
        *,
        predictor: str | None = None,
        tell: Callable[[str], Any] | None = None,
        **options: Any,
    ):
        self.path, self.every = path, every
        self.options = {"predictor": predictor, "tell": tell, **options}
        self.watch: Diagnostics | None = None
        self._done = 0
        self._state: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        return self._state if self.watch is None else self.watch.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._state = state_dict

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        mine = self._state if self._state.get("steps") == trainer.global_step else None
        self.watch = Diagnostics(pl_module, self.path, self.every, **self.options, state=mine)
        self._done = self.watch.steps = trainer.global_step

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.watch is None or trainer.global_step == self._done:  # gradients are being accumulated
            return
        self._done, before = trainer.global_step, self.watch.record
        self.watch.step(self._done)
        if self.watch.record is not before:
            for logger in trainer.loggers:
                logger.log_metrics(scalars(self.watch.record), self._done)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        if self.watch is not None:
            if not self.watch.world:  # other ranks may not come here
                self._state = self.watch.state_dict()
            self.watch.close()
            self.watch = None
