"""Checkpoints in the order of training, whatever their names."""

import random
from pathlib import Path

import pytest

from lindyn.bridge.training.config import TrainConfig
from lindyn.bridge.validation.runs import is_run, open_run, ordered

NAMES = {
    "lindyn train": ["step=00000000.ckpt", "step=00000090.ckpt", "step=00000100.ckpt"],
    "Lightning": ["epoch=0-step=9.ckpt", "epoch=9-step=90.ckpt", "epoch=10-step=99.ckpt"],
    "simsiam": ["checkpoint_0009.pth.tar", "checkpoint_0010.pth.tar", "checkpoint_0099.pth.tar"],
    "luckmatters": ["model_009.pth", "model_010.pth", "model_100.pth"],
    "solo-learn": ["byol-cifar10-b6v2yifd-ep=9.ckpt", "byol-cifar10-b6v2yifd-ep=10.ckpt"],
    "mmpretrain": ["epoch_9.pth", "epoch_100.pth", "latest.pth"],
    "no number": ["a.pth", "b.pth"],
}


@pytest.mark.parametrize("layout", NAMES)
def test_files_come_in_the_order_of_training(layout):
    names = [f"runs2/{name}" for name in NAMES[layout]]
    for seed in range(5):
        shuffled = random.Random(seed).sample(names, len(names))
        assert ordered(shuffled) == [Path(name) for name in names]


def test_a_file_counts_once():
    with pytest.raises(ValueError, match=r"Every checkpoint counts once; got b.pth twice"):
        ordered(["a.pth", "b.pth", "b.pth"])


def test_a_folder_of_lindyn_train(tmp_path):
    with pytest.raises(ValueError, match="holds no training run"):
        open_run(tmp_path)
    assert not is_run(tmp_path)
    (tmp_path / "run.toml").write_text(TrainConfig().to_toml(), encoding="utf-8")
    assert is_run(tmp_path)
    with pytest.raises(ValueError, match=r"holds no checkpoint: there is none in .*checkpoints. Train first"):
        open_run(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for step in (100, 20, 0):
        (tmp_path / "checkpoints" / f"step={step:08d}.ckpt").write_bytes(b"")
    checkpoints, trace = open_run(tmp_path)
    assert [path.name for path in checkpoints] == [f"step={step:08d}.ckpt" for step in (0, 20, 100)]
    assert trace is None
    (tmp_path / "trace.jsonl").write_text("", encoding="utf-8")
    assert open_run(tmp_path)[1] == tmp_path / "trace.jsonl"
