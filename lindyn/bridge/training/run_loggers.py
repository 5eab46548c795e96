"""Where a run is logged besides its own folder: TensorBoard, CSV, Weights & Biases, MLflow, each by a key."""

import importlib.util
import os
from pathlib import Path
from typing import Any

from lindyn.bridge.training.config import TrainConfig

TENSORBOARD, CSV, WANDB, MLFLOW = "tensorboard", "csv", "wandb", "mlruns"
PROJECT = "lindyn"
PACKAGES = {"wandb": "wandb", "mlflow": "mlflow"}
"""Key of the section run -> package that it needs."""


def of_run(config: TrainConfig, folder: Path) -> list[Any]:
    """Return Lightning's loggers of a run.

    Args:
        config: its keys run.tensorboard, run.csv, run.wandb and run.mlflow say which.
        folder: of the run, in which each has a folder of its own.

    Raises:
        ImportError: a package that a key needs is missing.
    """
    run = config.run
    for key, package in PACKAGES.items():
        if getattr(run, key) and importlib.util.find_spec(package) is None:
            raise ImportError(f"run.{key}=true needs {package}; install it with pip install {package}.")
    found: list[Any] = []
    if run.tensorboard:
        from pytorch_lightning.loggers import TensorBoardLogger

        found.append(TensorBoardLogger(folder, name=TENSORBOARD, version=""))
    if run.csv:
        from pytorch_lightning.loggers import CSVLogger

        found.append(CSVLogger(folder, name=CSV, version=""))
    if run.wandb:
        from pytorch_lightning.loggers import WandbLogger

        project = os.environ.get("WANDB_PROJECT", PROJECT)
        found.append(WandbLogger(name=folder.name, save_dir=folder, project=project))
    if run.mlflow:
        from pytorch_lightning.loggers import MLFlowLogger

        where = os.environ.get("MLFLOW_TRACKING_URI", f"file:{folder.resolve() / MLFLOW}")
        found.append(MLFlowLogger(experiment_name=PROJECT, run_name=folder.name, tracking_uri=where))
    return found
