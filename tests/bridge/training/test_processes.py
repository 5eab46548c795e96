"""Two processes with half the batch each are one process with the whole batch."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from lindyn.bridge.training import Run
from lindyn.bridge.training.callbacks import Ends
from lindyn.bridge.training.run_folder import NAME
from tests.bridge.training.helpers import LINEAR, TINY, run, weights

BARE = TINY | {"model.norm": "none", "model.projector": "linear", "run.precision": "64-true"}  # no BatchNorm


def torchrun(folder, given, *more):
    """Train with two gloo processes as torchrun starts them."""
    words = [f"{name}={str(value).lower()}" for name, value in given.items()]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "lindyn.cli",
               "train", *words, f"run.folder={folder}", "run.accelerator=cpu", *more]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "tolerance"),
    [
        (LINEAR | {"optim.batch": 240, "data.augmentation": "batched", "run.epochs": 3}, 1e-12),
        (BARE | {"model.predictor": "visser", "optim.accumulate": 2, "optim.batch": 120}, 1e-9),
        (BARE | {"model.predictor": "neumann", "method.target_start": "independent"}, 1e-9),
        (BARE | {"run.precision": "32-true", "run.evaluate_every": 1, "run.diagnostics_every": 2}, 1e-4),
    ],
    ids=["linear network", "closed form, accumulation", "rule that reads the target", "float32 with everything on"],
)
def test_two_processes_are_one(tmp_path, given, tolerance):
    done = torchrun(tmp_path / "two", given)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = run(tmp_path / "one", given), Run.load(tmp_path / "two")
    a, b = weights(one), weights(two)
    assert a.keys() == b.keys()
    for name in a:
        if a[name].is_floating_point() and not name.startswith("probe"):
            text = f"{name}: {(a[name] - b[name]).abs().max():.2g}"
            torch.testing.assert_close(a[name], b[name], rtol=tolerance, atol=tolerance, msg=text)
    assert [row["step"] for row in one.metrics] == [row["step"] for row in two.metrics]
    if "knn" in one.metrics[-1]:
        assert one.metrics[-1]["knn"] == pytest.approx(two.metrics[-1]["knn"], abs=0.02)


@pytest.mark.slow
def test_a_batch_that_two_processes_cannot_share_is_one_sentence(tmp_path):
    done = torchrun(tmp_path, TINY | {"optim.batch": 121})
    assert done.returncode != 0
    assert "must be a multiple of their number; got 121 for 2 devices. Use optim.batch=" in done.stderr


@pytest.mark.parametrize("first_needs", [True, False])
def test_the_first_process_decides_for_all_whether_the_last_checkpoint_is_written(tmp_path, first_needs):
    """A process that looks later sees the file just written, and must wait for the first one all the same."""
    (tmp_path / f"{NAME.format(step=5)}.ckpt").touch()
    saved = []
    trainer = SimpleNamespace(
        global_step=5, save_checkpoint=saved.append, strategy=SimpleNamespace(broadcast=lambda mine: first_needs)
    )
    Ends(None, tmp_path).on_train_end(trainer, None)
    assert saved == ([tmp_path / f"{NAME.format(step=5)}.ckpt"] if first_needs else [])
