"""Loggers of a training run, each by its key."""

import importlib.util
from pathlib import Path

import pytest

from lindyn.bridge.training import run_loggers
from lindyn.bridge.training.config import TrainConfig


def config(*keys):
    return TrainConfig.read(None, list(keys))


def test_none_unless_it_is_asked_for(tmp_path):
    assert run_loggers.of_run(config(), tmp_path) == []


def test_csv_and_tensorboard_in_folders_of_their_own(tmp_path):
    found = run_loggers.of_run(config("run.csv=true", "run.tensorboard=true"), tmp_path)
    assert [type(one).__name__ for one in found] == ["TensorBoardLogger", "CSVLogger"]
    assert [Path(one.log_dir) for one in found] == [tmp_path / "tensorboard", tmp_path / "csv"]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_one_sentence(name, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None if package == name else real(package))
    with pytest.raises(ImportError, match=f"run.{name}=true needs {name}; install it with pip install {name}"):
        run_loggers.of_run(config(f"run.{name}=true"), tmp_path)


@pytest.mark.slow
def test_a_run_is_logged_as_csv(tmp_path, command):
    folder = tmp_path / "run"
    words = ("data.name=digits", "model.width=4", "model.hidden=16", "model.dim=8", "optim.batch=240", "run.epochs=1")
    code = command("train", *words, "run.evaluation=none", "run.accelerator=cpu", "run.progress=false", "run.csv=true",
                   "run.diagnostics_every=2", f"run.folder={folder}")[0]  # fmt: skip
    assert code == 0
    head = (folder / "csv" / "metrics.csv").read_text().splitlines()[0]
    assert "step" in head and "lindyn/effective_rank" in head
