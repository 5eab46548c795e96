"""Two processes with half the batch each are one process with the whole batch."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lindyn.bridge.training import Run
from lindyn.bridge.training.callbacks import Ends
from lindyn.bridge.training.run_folder import NAME
from tests.bridge.training.helpers import LINEAR, TINY, in_words, run, weights

ROOT = Path(__file__).parents[3]
BARE = TINY | {"model.norm": "none", "model.projector": "linear", "run.precision": "64-true"}  # no BatchNorm


RUNS = {
    "linear network": (LINEAR | {"optim.batch": 240, "data.augmentation": "batched", "run.epochs": 3}, 1e-12),
    "closed form, accumulation": (
        BARE | {"model.predictor": "visser", "optim.accumulate": 2, "optim.batch": 120},
        1e-9,
    ),
    "rule that reads the target": (BARE | {"model.predictor": "neumann", "method.target_start": "independent"}, 1e-9),
    "float32 with everything on": (
        BARE | {"run.precision": "32-true", "run.evaluate_every": 1, "run.diagnostics_every": 2},
        1e-4,
    ),
}
"""By name, the keys of a run and how near two processes come to one."""
ODD = "a batch that cannot be shared"


def words_of(folder, given):
    """Return the command line of a run."""
    return ["train", *in_words(given), f"run.folder={folder}", "run.accelerator=cpu"]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Every run with two gloo processes as torchrun starts them; return their folder."""
    folder = tmp_path_factory.mktemp("two")
    calls = {name: words_of(folder / name, given) for name, (given, _) in RUNS.items()}
    calls[ODD] = words_of(folder / ODD, TINY | {"optim.batch": 121})
    (folder / "calls.json").write_text(json.dumps(calls), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
               "-m", "tests.bridge.training.two_processes", str(folder / "calls.json")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def answers(folder, name):
    """Return what both processes said to a call, and their exit codes."""
    return [json.loads((folder / f"{name}.{rank}.json").read_text(encoding="utf-8")) for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_are_one(tmp_path, two, name):
    given, tolerance = RUNS[name]
    assert [(answer["code"], answer["said"]) for answer in answers(two, name)] == [(0, "")] * 2
    one, both = run(tmp_path / "one", given), Run.load(two / name)
    a, b = weights(one), weights(both)
    assert a.keys() == b.keys()
    for name in a:
        if a[name].is_floating_point() and not name.startswith("probe"):
            text = f"{name}: {(a[name] - b[name]).abs().max():.2g}"
            torch.testing.assert_close(a[name], b[name], rtol=tolerance, atol=tolerance, msg=text)
    assert [row["step"] for row in one.metrics] == [row["step"] for row in both.metrics]
    if "knn" in one.metrics[-1]:
        assert one.metrics[-1]["knn"] == pytest.approx(both.metrics[-1]["knn"], abs=0.02)


@pytest.mark.slow
def test_a_batch_that_two_processes_cannot_share_is_one_sentence(two):
    for answer in answers(two, ODD):
        assert answer["code"] == 2
        assert "must be a multiple of their number; got 121 for 2 devices. Use optim.batch=" in answer["said"]


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
