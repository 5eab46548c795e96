"""`train`: a configuration in, a folder with checkpoints, history, trace, picture and summary out."""

import os
import shutil
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint

from lindyn import _files
from lindyn.bridge.given_paths import check_run_folder
from lindyn.bridge.sections import TABLE
from lindyn.bridge.torch_defaults import under_plain_defaults
from lindyn.bridge.training import callbacks, evaluation, networks, run_folder, run_loggers, threads
from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.training.image_batches import Source, open_source
from lindyn.bridge.training.module import SelfSupervised, build
from lindyn.bridge.training.run_folder import CHECKPOINTS, METRICS, RESULT, SUMMARY, TRACE, Run
from lindyn.stored.sums import SUMS


class SafeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there when it is complete."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the checkpoint.

        Raises:
            OSError: it could not be written (a full disk, no permission); earlier checkpoints are untouched.
        """
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with _files.draft(file, summed=True) as beside, beside.open("wb") as opened:
                torch.save(checkpoint, opened)
        except (OSError, RuntimeError) as error:  # torch has errors of its own
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise OSError(f"Cannot write the checkpoint {file}: {reason}. {run_folder.go_on(file.parent)}") from error


@under_plain_defaults
def train(
    config: TrainConfig | str | os.PathLike | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    **overrides: Any,
) -> Run:
    """Train a network with BYOL or SimSiam and any predictor; write checkpoints, history, trace, picture, summary.

        run = lindyn.bridge.train(data__name="digits", model__predictor="direct_pred", run__epochs=20)
        run.result["linear"], run.result["untrained"]["linear"]

    Args:
        config: a `TrainConfig`, or the path of a TOML file; None: the defaults (embedded MNIST images, CPU).
        resume: go on from the furthest checkpoint in run.folder.
        overwrite: drop an earlier run in run.folder.
        **overrides: keys, with two underscores for the dot (optim__lr=0.05), or bare where there is only one such key.

    Returns:
        The `Run`; of several processes the first one writes its result.

    Raises:
        ValueError: a configuration that cannot run, a run in the folder already, a loss that is no number.
        OSError: the folder cannot be written, or the disk is full.
        TrainingStopped: the run was interrupted; its checkpoint is written.
    """
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    if isinstance(config, TrainConfig):
        config = config.changed(given)
    else:
        config = TrainConfig.of(({} if config is None else TABLE.read_toml(Path(config))) | given)
    folder = check_run_folder(config.run.folder, resume, overwrite)
    start = _furthest(folder, config) if resume else None
    source = open_source(config)
    with quiet():
        trainer = make_trainer(config, folder, source)
        module = build(config, source, trainer.world_size)
        _check_batchnorm(config, module, trainer.world_size)
        on_cpu = trainer.strategy.root_device.type == "cpu"
        chosen = threads.threads_of(config, module, on_cpu, trainer.world_size)
        _claim(folder, config, start)  # nothing is written, or dropped, before the run can start
        with threads.limited(chosen), _disk(folder):
            started = time.monotonic()
            trainer.fit(module, ckpt_path=None if start is None else str(start), weights_only=True)
            seconds = time.monotonic() - started
            if trainer.is_global_zero:
                module.to(trainer.strategy.root_device)  # Lightning has taken it back to the CPU
                _finish(folder, config, module, source, seconds, chosen)
    return Run(folder, config, trainer.is_global_zero)


@contextmanager
def _disk(folder: Path) -> Any:
    """Say of a full disk how to go on."""
    try:
        yield
    except OSError as error:
        full = error if isinstance(error, _files.DiskFull) else error.__cause__
        if not isinstance(full, _files.DiskFull) or "--resume" in str(error):
            raise
        raise OSError(f"The run stopped: {full.strerror}. {run_folder.go_on(folder / CHECKPOINTS)}") from error


def make_trainer(config: TrainConfig, folder: Path, source: Source) -> pl.Trainer:
    """Return Lightning's trainer for this run."""
    run, optim = config.run, config.optim
    accelerator, devices, nodes = _hardware(config)
    where = folder / CHECKPOINTS
    bar = run.progress and sys.stderr.isatty()
    synchronised = (
        run.sync_batchnorm and accelerator != "cpu" and torch.cuda.is_available()
    )  # torch has it on GPUs only
    keep = ModelCheckpoint(
        dirpath=where, filename=run_folder.NAME, auto_insert_metric_name=False, every_n_epochs=run.checkpoint_every,
        save_top_k=-1, save_on_train_epoch_end=True,
    )  # fmt: skip
    beside: list[pl.Callback] = [callbacks.Guard(config, where), callbacks.Evaluator(config, source)]
    beside += [callbacks.History(folder / METRICS, config)]
    if run.diagnostics_every:
        beside += [callbacks.Watch(folder / TRACE, run.diagnostics_every, modes=run.diagnostics_top)]
    beside += [callbacks.TrainingBar()] if bar else [callbacks.Lines(config)] if run.progress else []
    beside += [callbacks.Outlook()] if run.progress else []
    beside += [callbacks.Ends(config, where), keep, callbacks.Interrupts(config, where)]
    settings: dict[str, Any] = {
        "accelerator": accelerator,
        "devices": devices,
        "num_nodes": nodes,
        "strategy": run.strategy,
        "precision": run.precision,
        "max_epochs": run.epochs,
        "accumulate_grad_batches": optim.accumulate,
        "gradient_clip_val": optim.clip or None,
        "sync_batchnorm": synchronised,
        "callbacks": beside,
        "logger": run_loggers.of_run(config, folder) or False,
        "plugins": [SafeFiles()],
        "default_root_dir": folder,
        "enable_model_summary": False,
        "enable_progress_bar": bar,
        "use_distributed_sampler": False,
        "limit_val_batches": 0,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 10,
    }
    try:
        return pl.Trainer(**settings)
    except (MisconfigurationException, ValueError, RuntimeError, ImportError) as error:
        asked = (f"run.{name}={getattr(run, name)}" for name in ("accelerator", "devices", "strategy", "precision"))
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"This machine cannot train as asked ({', '.join(asked)}): {reason} run.accelerator=cpu runs anywhere, "
            "run.accelerator=auto takes what is there."
        ) from error


def _hardware(config: TrainConfig) -> tuple[str, Any, int]:
    """Return accelerator, devices and nodes; under torchrun they are what torchrun started."""
    run = config.run
    local = os.environ.get("LOCAL_WORLD_SIZE")
    if local and "RANK" in os.environ:
        return run.accelerator, int(local), int(os.environ.get("WORLD_SIZE", local)) // int(local)
    if run.devices:
        return run.accelerator, run.devices, run.nodes
    gpu = run.accelerator not in ("cpu",) and torch.cuda.is_available()
    return run.accelerator, "auto" if gpu else 1, run.nodes


def _furthest(folder: Path, config: TrainConfig) -> Path:
    """Return the checkpoint to go on from.

    Raises:
        ValueError: nothing to resume, or a checkpoint of another configuration.
    """
    found, damaged = run_folder.newest_sound(folder / CHECKPOINTS)
    if found is None:
        raise ValueError(f"There is nothing to resume: {folder / CHECKPOINTS} holds no checkpoint.")
    run_folder.check_same(found, config)
    if damaged and _first():
        print(f"lindyn: {' '.join(damaged)} Going on from {found.name}.", file=sys.stderr)
    return found


def _first() -> bool:
    """Return whether this is the first of the run's processes."""
    return int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", os.environ.get("LOCAL_RANK", "0")))) == 0


def _claim(folder: Path, config: TrainConfig, start: Path | None) -> None:
    """Make the folder, drop an earlier run if this one starts afresh, write the configuration; in one process only.

    Raises:
        OSError: the folder cannot be made or written.
    """
    if not _first():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if start is None:
            _clear(folder)
        for place in (folder, folder / CHECKPOINTS):
            _files.remove_dead_drafts(place)
        if start is not None:
            _set_aside(start)
        _files.write(folder / "run.toml", config.to_toml(), summed=True)
    except OSError as error:
        raise OSError(
            f"Cannot write to run.folder {folder}: {_files.why(error)}. Choose another with run.folder=..."
        ) from error


def _set_aside(start: Path) -> None:
    """Rename the damaged checkpoints after the one that the run goes on from; nothing reads them then."""
    for path in run_folder.every(start.parent):
        if run_folder.step_of(path) > run_folder.step_of(start):
            path.rename(path.with_name(f"{path.name}.damaged"))


def _clear(folder: Path) -> None:
    """Remove what an earlier run wrote, and nothing else."""
    for path in [*run_folder.every(folder / CHECKPOINTS), *(folder / CHECKPOINTS).glob("*.ckpt.damaged")]:
        path.unlink()
    (folder / CHECKPOINTS / SUMS).unlink(missing_ok=True)
    for name in (METRICS, TRACE, RESULT, SUMS, "training.png", "theory.png", SUMMARY):
        (folder / name).unlink(missing_ok=True)
    for name in (run_loggers.TENSORBOARD, run_loggers.CSV):
        shutil.rmtree(folder / name, ignore_errors=True)


def _check_batchnorm(config: TrainConfig, module: SelfSupervised, world: int) -> None:
    share = config.optim.batch // world
    parts = [module.backbone, module.projection_head, module.prediction_head]
    if share < 2 and networks.has_batchnorm(*parts):
        raise ValueError(
            f"BatchNorm needs at least 2 images on every device; optim.batch={config.optim.batch} on {world} "
            f"device{'s' * (world > 1)} gives {share}. Use optim.batch={2 * world} or more."
        )


def _finish(
    folder: Path, config: TrainConfig, module: SelfSupervised, source: Source, seconds: float, chosen: threads.Threads
) -> None:
    """Evaluate the trained and the untrained network, write result, picture and summary."""
    result: dict[str, Any] = {"steps": module.steps, "seconds": seconds, "images": module.steps * config.optim.batch}
    result |= {"threads": chosen.number, "threads_from": chosen.source}
    if source.classes and config.run.evaluation != "none":
        result["chance"] = 1 / source.classes
        result |= evaluation.evaluate(module, source, config)
        fresh = build(config, source).to(module.device)
        result["untrained"] = evaluation.evaluate(fresh, source, config, untrained=True)
        if config.run.evaluation == "images":
            result |= evaluation.on_images(module, source, config)
    run = Run(folder, config)
    run_folder.write_results(folder, config, run.trace, run.metrics, result)


@contextmanager
def quiet() -> Any:
    """Silence Lightning's advice on loaders, loggers and hardware; warnings of our own and of torch stay."""
    import logging

    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)")
        warnings.filterwarnings("ignore", message=".*(does not have many workers|litlogger|isinstance.treespec).*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
