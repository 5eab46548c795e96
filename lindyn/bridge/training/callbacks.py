"""What runs beside training: evaluation, history, diagnostics, and the ways a run may have to stop."""

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import TQDMProgressBar

from lindyn import _files
from lindyn._progress import Progress
from lindyn.bridge.training import evaluation, method
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import Source
from lindyn.bridge.training.run_folder import NAME, latest, read_history, step_of
from lindyn.bridge.watch.lightning import DiagnosticsCallback
from lindyn.stored import lines


class TrainingStopped(Exception):  # noqa: N818  a stop is no error
    """The run was asked to stop and has written a checkpoint."""


class LossError(ValueError):
    """The loss became NaN or infinite."""


class Evaluator(pl.Callback):
    """k-NN and probe on held-out images at the end of an epoch, every process its share of the images."""

    def __init__(self, config: TrainConfig, source: Source):
        self.config, self.source = config, source

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Evaluate, if it is this epoch's turn."""
        run, epoch = self.config.run, trainer.current_epoch + 1
        if not self.source.classes or not run.evaluate_every:
            return
        if epoch % run.evaluate_every and epoch != run.epochs:
            return
        for name, value in self.measure(trainer, pl_module).items():
            pl_module.log(name, value, prog_bar=True)

    @torch.no_grad()
    def measure(self, trainer: Any, module: Any) -> dict[str, float]:
        """Return the accuracies."""
        run, share = self.config.run, (trainer.global_rank, trainer.world_size)
        device, dtype = module.device, module.dtype
        module.eval()
        with trainer.precision_plugin.forward_context():
            test, truth = evaluation.features(module, self.source, "test", device, dtype, None, *share)
            hits: dict[str, int] = {}
            if run.knn:
                bank, labels = evaluation.features(module, self.source, "train", device, dtype, run.bank, *share)
                if trainer.world_size > 1:
                    bank, labels = (module.all_gather(part).flatten(0, 1) for part in (bank, labels))
                hits["knn"] = evaluation.knn_hits(bank, labels, test, truth, run.knn, run.knn_temperature)
            if module.probe is not None:
                hits["probe"] = int((module.probe(test.to(dtype)).argmax(1) == truth).sum())
        module.train()
        told = torch.tensor([*hits.values(), len(truth)], dtype=torch.float64, device=device)
        if trainer.world_size > 1:
            told = trainer.strategy.reduce(told, reduce_op="sum")
        return {name: float(told[k] / told[-1]) for k, name in enumerate(hits)}


class History(pl.Callback):
    """Appends one JSON line per epoch to metrics.jsonl; lines of steps that are trained again are dropped."""

    def __init__(self, path: Path, config: TrainConfig):
        self.path, self.config = path, config
        self.total = self.steps = 0.0

    def state_dict(self) -> dict[str, float]:
        """Return the sums over the epoch so far, for the checkpoint."""
        return {"total": float(self.total), "steps": float(self.steps)}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on with the sums of a checkpoint."""
        self.total, self.steps = state["total"], state["steps"]

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Drop what lies ahead of where training starts."""
        if trainer.is_global_zero:
            kept = [row for row in read_history(self.path) if row["step"] <= trainer.global_step]
            _files.write(self.path, "".join(map(lines.sealed, kept)))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add up the loss on the device."""
        self.total = self.total + pl_module._extra["loss"]
        self.steps += 1

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Write the line."""
        step, told = trainer.global_step, trainer.callback_metrics
        row = {"epoch": trainer.current_epoch + 1, "step": step, "loss": float(self.total / max(self.steps, 1))}
        row |= {name: float(told[name]) for name in ("train_probe", "probe", "knn") if name in told}
        rates = {group.get("name", "lr"): group["lr"] for group in trainer.optimizers[0].param_groups}
        row["lr"] = rates.get("backbone", next(iter(rates.values())))
        if self.config.method.target == "ema":
            row["ema"] = method.ema_rate(self.config, step, pl_module.steps)
        self.total = self.steps = 0.0
        if trainer.is_global_zero:
            lines.append(self.path, row)


class Guard(pl.Callback):
    """Stops a run whose loss is no longer a number, before that gets into a checkpoint."""

    def __init__(self, config: TrainConfig, folder: Path):
        self.config, self.folder, self.every = config, folder, config.run.check_nan_every

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Choose how often to look: on an accelerator every look waits for it."""
        self.every = self.every or (1 if pl_module.device.type == "cpu" else 50)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look, if it is this batch's turn."""
        if (batch_idx + 1) % self.every == 0:
            self.look(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Look, ahead of the checkpoint."""
        self.look(trainer, pl_module)

    def look(self, trainer: Any, module: Any) -> None:
        """Raise `LossError` if any process had a loss that is none."""
        bad = int(module.bad_step)
        if trainer.world_size > 1:
            told = torch.tensor(float(bad), device=module.device)
            bad = int(trainer.strategy.reduce(told, reduce_op="max"))
        if bad >= 0:
            kept = latest(self.folder)
            raise LossError(
                f"The loss became NaN or infinite at step {bad + 1} (epoch {bad // module.per_epoch + 1}); stopped. "
                + (f"The last good checkpoint is {kept}. " if kept else "There is no checkpoint yet. ")
                + "Lower optim.lr, or set optim.clip."
            )


class Ends(pl.Callback):
    """Checkpoints of the untrained network and of the last epoch, whatever the rhythm of the others."""

    def __init__(self, config: TrainConfig, folder: Path):
        self.config, self.folder = config, folder

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Keep the untrained network."""
        if trainer.global_step == 0:
            trainer.save_checkpoint(self.folder / f"{NAME.format(step=0)}.ckpt")

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep the last weights, if no other checkpoint has them.

        The first process decides for all: another that looked later would find the file just written and not wait
        for it, and the first would wait for ever.
        """
        kept = latest(self.folder)
        if trainer.strategy.broadcast(kept is None or step_of(kept) < trainer.global_step):
            trainer.save_checkpoint(self.folder / f"{NAME.format(step=trainer.global_step)}.ckpt")


class Interrupts(pl.Callback):
    """On Ctrl-C or SIGTERM: finish the optimiser step, write a checkpoint, stop. A second signal stops at once."""

    def __init__(self, config: TrainConfig, folder: Path):
        self.config, self.folder, self.asked = config, folder, False
        self._old: dict[int, Any] = {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Listen (in the main thread only: Python allows no other)."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            kept = latest(self.folder)
            raise TrainingStopped(
                f"Stopped at once, within a step; the last checkpoint is {kept}. Add --resume to go on from it."
            )
        self.asked = True

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop at the end of an optimiser step; at the end of an epoch, after what comes then."""
        if (batch_idx + 1) % self.config.optim.accumulate == 0 and batch_idx + 1 < trainer.num_training_batches:
            self._stop_if_asked(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Stop after the epoch's evaluation."""
        self._stop_if_asked(trainer, pl_module)

    def _stop_if_asked(self, trainer: Any, module: Any) -> None:
        """Write a checkpoint and raise, all processes together."""
        asked = self.asked
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked and trainer.global_step < module.steps:
            trainer.save_checkpoint(self.folder / f"{NAME.format(step=trainer.global_step)}.ckpt")
            raise TrainingStopped(
                f"Interrupted at step {trainer.global_step} of {module.steps}; everything is kept. Add --resume to "
                "the same command to go on."
            )

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Give the signals back."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Give the signals back."""
        for number, old in self._old.items():
            signal.signal(number, old)
        self._old = {}


class Watch(DiagnosticsCallback):
    """The theory's diagnostics; effective rank and alarm also stand behind the progress bar."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin, or go on, and say which readings were damaged and are left out."""
        super().on_train_start(trainer, pl_module)
        for number in self.watch.dropped if self.watch is not None else ():
            print(f"lindyn: line {number} of {self.path} was damaged and is left out.", file=sys.stderr)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Read, if it is this step's turn."""
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        record = self.watch.record if self.watch is not None else None
        if record and record["step"] == trainer.global_step:
            pl_module.alarm = record["alarm"]
            if record.get("effective_rank") is not None:
                pl_module.log("rank", float(record["effective_rank"]), prog_bar=True)


class TrainingBar(TQDMProgressBar):
    """Lightning's bar, without its version number."""

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        """Return what stands behind the bar."""
        shown = {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}
        return shown | ({"alarm": pl_module.alarm} if pl_module.alarm else {})


class Outlook(pl.Callback):
    """Says how long the run will take, once, if that is minutes."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to look at the clock."""
        self.progress = Progress("training", pl_module.steps, before=trainer.global_step, hint="; --resume goes on")
        self.progress.shown = False

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Look at the clock."""
        if trainer.is_global_zero:
            self.progress(trainer.global_step)


class Lines(pl.Callback):
    """One line per evaluated epoch, where no terminal shows a bar."""

    def __init__(self, config: TrainConfig):
        self.config = config

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Print the line."""
        run, epoch, told = self.config.run, trainer.current_epoch + 1, trainer.callback_metrics
        if not trainer.is_global_zero or (epoch % max(run.evaluate_every, 1) and epoch != run.epochs):
            return
        shown = [f"{name} {float(told[name]):.3f}" for name in ("loss", "probe", "knn", "rank") if name in told]
        print(
            f"epoch {epoch}/{run.epochs}  " + "  ".join([*shown, pl_module.alarm]).rstrip(), file=sys.stderr, flush=True
        )
