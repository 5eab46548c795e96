"""Whole runs: what they leave behind, going on to the last bit, and every way they may have to stop."""

import json
import os
import signal

import numpy as np
import pytest
import torch

from lindyn.bridge.training import (
    LossError,
    Run,
    SelfSupervised,
    TrainConfig,
    TrainingStopped,
    callbacks,
    run_folder,
    train,
)
from tests.bridge.training.helpers import TINY, differing, in_words, run, weights
from tests.processes import Typed


def interrupt_at(monkeypatch, step, after_epoch=False, times=1):
    """Ask the run to stop as Ctrl-C does, during this optimiser step."""
    name = "on_train_epoch_end" if after_epoch else "on_train_batch_start"
    old, left = getattr(callbacks.Guard, name), [times]

    def asks(self, trainer, pl_module, *rest):
        while trainer.global_step == step and left[0]:
            left[0] -= 1
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 0)  # let the handler run
        return old(self, trainer, pl_module, *rest)

    monkeypatch.setattr(callbacks.Guard, name, asks)


@pytest.mark.rendered
def test_a_run_leaves_everything_behind(tmp_path):
    done = run(tmp_path, run__epochs=3, run__evaluate_every=1, run__evaluation="features", run__diagnostics_every=2)
    assert [path.name for path in done.checkpoints] == ["step=00000000.ckpt", "step=00000015.ckpt"]
    assert [row["step"] for row in done.metrics] == [5, 10, 15]
    assert {"loss", "probe", "knn", "lr", "ema"} <= set(done.metrics[-1])
    assert 0.1 < done.result["linear"] <= 1 and 0.1 < done.result["untrained"]["linear"] <= 1
    assert (tmp_path / "training.png").stat().st_size > 20_000
    summary = (tmp_path / "summary.txt").read_text()
    assert "15 steps of 240 images" in summary and "chance 10.0 %" in summary and "effective rank" in summary
    from lindyn.bridge import read_trace

    trace = read_trace(done.trace)
    assert list(trace["step"].values) == [2, 4, 6, 8, 10, 12, 14]
    again = Run.load(tmp_path)
    assert again.config == done.config and again.result == done.result
    assert run_folder.config_of(done.checkpoints[0]) == done.config
    assert done.module(-1).backbone.layers[0].weight.shape == (4, 1, 3, 3)


def test_mixed_precision_accumulation_clipping_and_tensorboard_together(tmp_path):
    done = run(tmp_path, run__precision="bf16-mixed", optim__clip=1.0, optim__accumulate=5, run__tensorboard=True,
               run__evaluate_every=1, model__predictor="newton_schulz", run__diagnostics_every=1)  # fmt: skip
    assert [row["step"] for row in done.metrics] == [1, 2]
    assert weights(done)["backbone.layers.0.weight"].dtype == torch.float32
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_the_same_run_twice_is_the_same_to_the_last_bit_and_watching_changes_nothing(tmp_path):
    a = run(tmp_path / "a", run__epochs=1)
    b = run(tmp_path / "b", run__epochs=1, run__diagnostics_every=1, run__evaluate_every=1)
    assert differing(weights(a), weights(b)) == []
    other = run(tmp_path / "c", run__epochs=1, run__seed=1)
    assert "backbone.layers.0.weight" in differing(weights(a), weights(other))


@pytest.fixture(autouse=True)
def interruptible():
    """A test run that was started in the background inherits an ignored SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("step", "after_epoch", "more"),
    [
        (3, False, {"model__predictor": "direct_pred", "run__diagnostics_every": 2}),
        (7, False, {"optim__accumulate": 2, "optim__batch": 120, "method__ema_schedule": "cosine", "run__epochs": 3}),
        (10, True, {"optim__name": "lars", "optim__warmup_epochs": 1.0, "run__epochs": 3}),
    ],
)
def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path, monkeypatch, step, after_epoch, more):
    """In the middle of an epoch, with gradient accumulation, and at the end of an epoch."""
    whole = run(tmp_path / "whole", **more)
    with monkeypatch.context() as patch:
        interrupt_at(patch, step, after_epoch)
        stopped_at = step if after_epoch else step + 1
        with pytest.raises(TrainingStopped, match=rf"Interrupted at step {stopped_at} of \d+; .*Add --resume"):
            run(tmp_path / "cut", **more)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert run_folder.latest(tmp_path / "cut" / "checkpoints").name == f"step={stopped_at:08d}.ckpt"
    resumed = run(tmp_path / "cut", resume=True, **more)
    assert differing(weights(whole), weights(resumed)) == []
    assert [row["step"] for row in resumed.metrics] == [row["step"] for row in whole.metrics]
    np.testing.assert_allclose([r["loss"] for r in resumed.metrics], [r["loss"] for r in whole.metrics], rtol=1e-6)


def test_a_second_signal_stops_at_once_and_says_from_where_to_go_on(tmp_path, monkeypatch):
    interrupt_at(monkeypatch, 7, times=2)
    with pytest.raises(TrainingStopped, match=r"at once, within a step; the last checkpoint is .*step=00000005"):
        run(tmp_path, run__checkpoint_every=1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


KILLED = {**TINY, "run.epochs": 40, "run.checkpoint_every": 1}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The run that is killed below, left alone."""
    return run(tmp_path_factory.mktemp("undisturbed"), KILLED)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_goes_on_to_the_same_weights(tmp_path, undisturbed, number):
    """SIGKILL leaves no time for anything: the run goes on from its last checkpoint."""
    words = ["train", *in_words(KILLED), f"run.folder={tmp_path / 'cut'}"]
    cut = Typed(tmp_path, *words)
    cut.wait_until(lambda: len(run_folder.every(tmp_path / "cut" / "checkpoints")) >= 4)
    cut.signal(number)
    assert cut.wait() == (-number if number == signal.SIGKILL else 130), cut.said
    stopped = run_folder.step_of(run_folder.latest(tmp_path / "cut" / "checkpoints"))
    assert 15 <= stopped < 200
    again = Typed(tmp_path, *words, "--resume")
    assert again.wait() == 0 and again.said == ""
    done = Run.load(tmp_path / "cut")
    assert differing(weights(done), weights(undisturbed)) == []
    assert done.metrics == undisturbed.metrics


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    compare = SelfSupervised.compare

    def breaks(self, v1, v2):
        loss, parts = compare(self, v1, v2)
        return (loss * float("nan"), parts) if self.global_step == 7 else (loss, parts)

    monkeypatch.setattr(SelfSupervised, "compare", breaks)
    text = r"NaN or infinite at step 8 \(epoch 2\); stopped. The last good checkpoint is .*step=00000005.ckpt. Lower"
    with pytest.raises(LossError, match=text):
        run(tmp_path, run__epochs=3, run__checkpoint_every=1)
    for path in run_folder.every(tmp_path / "checkpoints"):
        assert all(torch.isfinite(v).all() for v in run_folder.read(path)["state_dict"].values())


def test_a_loss_that_is_no_number_never_gets_into_a_checkpoint_even_if_nobody_looked(tmp_path, monkeypatch):
    compare = SelfSupervised.compare

    def breaks(self, v1, v2):
        loss, parts = compare(self, v1, v2)
        return (loss * float("inf"), parts) if self.global_step == 2 else (loss, parts)

    monkeypatch.setattr(SelfSupervised, "compare", breaks)
    with pytest.raises(LossError, match=r"at step 3 \(epoch 1\); .*good checkpoint is .*step=00000000"):
        run(tmp_path, run__checkpoint_every=1, run__check_nan_every=1000)


def test_a_full_disk_keeps_the_earlier_checkpoints_whole(tmp_path, monkeypatch):
    save = torch.save

    def full(contents, file, *rest):
        if contents["global_step"] == 10:
            file.write(b"half a checkpoint")
            raise OSError(28, "No space left on device")
        save(contents, file, *rest)

    monkeypatch.setattr(torch, "save", full)
    text = r"Cannot write the checkpoint .*: the disk of .* is full. Make room, .*--resume; the last whole .*05.ckpt"
    with pytest.raises(OSError, match=text):
        run(tmp_path, run__checkpoint_every=1)
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "checkpoints").iterdir() if p.name.startswith(".")] == []
    whole = run(tmp_path / "whole")
    assert differing(weights(run(tmp_path, run__checkpoint_every=1, resume=True)), weights(whole)) == []


def test_a_checkpoint_of_another_configuration_is_refused_with_the_difference(tmp_path):
    run(tmp_path, run__epochs=1)
    text = r"another configuration \(optim.lr: 0.1 in the checkpoint, 0.2 now; run.epochs: 1 in the checkpoint, 2 now\)"
    with pytest.raises(ValueError, match=text):
        run(tmp_path, optim__lr=0.2, run__epochs=2, resume=True)
    assert TrainConfig.read(tmp_path / "run.toml").optim.lr == 0.1  # nothing was written


def test_a_run_in_the_folder_is_not_overwritten_by_accident(tmp_path):
    first = run(tmp_path, run__epochs=1)
    with pytest.raises(ValueError, match=r"holds a run already. Add --resume .*--overwrite"):
        run(tmp_path, run__epochs=1)
    config = TrainConfig.of({**TINY, "run.folder": str(tmp_path), "run.epochs": 1, "run.seed": 3})
    with pytest.raises(ValueError, match="must be at most the"):
        train(config.changed({"optim.batch": 5000}), overwrite=True)
    assert Run.load(tmp_path).config == first.config  # what cannot run drops nothing
    second = train(config, overwrite=True)
    assert len(second.checkpoints) == 2 and len(second.metrics) == 1
    assert second.config != first.config
    with pytest.raises(ValueError, match=r"nothing to resume: .* holds no checkpoint"):
        run(tmp_path / "empty", resume=True)
    with pytest.raises(ValueError, match=r"holds no training run"):
        Run.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"data.name": "imagefolder"}, r"data.root must be the folder of imagefolder, laid out as ROOT/train/CLASS"),
        (
            {"data.name": "cifar10", "data.root": "/nowhere"},
            r"no folder /nowhere. .*or set data.download=true",
        ),
        ({"optim.batch": 5000}, r"must be at most the 1438 training images; got 5000 x 1. Use a smaller batch"),
        ({"optim.batch": 1}, r"BatchNorm needs at least 2 images on every device; optim.batch=1 .*Use optim.batch=2"),
        ({"model.predictor": "direct_pre"}, r"Did you mean 'direct_pred'\?"),
    ],
)
def test_what_cannot_run_is_refused_before_it_starts(tmp_path, given, text):
    with pytest.raises(ValueError, match=text):
        run(tmp_path, {**TINY, "data.name": "digits", "data.size": 8, **given} if "data.name" not in given else given)
    assert not (tmp_path / "checkpoints").exists()


def test_a_folder_laid_out_otherwise_is_told_the_layout(tmp_path):
    (tmp_path / "data" / "train").mkdir(parents=True)
    given = {"data.name": "imagefolder", "data.root": str(tmp_path / "data"), "run.folder": str(tmp_path / "out")}
    with pytest.raises(ValueError, match=r"does not hold imagefolder: expected ROOT/train/CLASS/\*.JPEG and ROOT/val"):
        train(TrainConfig.of(given))


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"Cannot write to run.folder .*choose another|Cannot write to run.folder"):
        run(tmp_path / "file" / "run")


def test_history_drops_a_line_that_was_cut_off(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 5}) + "\n" + '{"step": 1')
    assert run_folder.read_history(path) == [{"step": 5}]


def test_damaged_and_foreign_checkpoints_are_named(tmp_path):
    path = tmp_path / "step=00000001.ckpt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"step=00000001.ckpt cannot be read"):
        run_folder.config_of(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ValueError, match=r"is no checkpoint of lindyn train"):
        run_folder.config_of(path)
    with pytest.raises(ValueError, match=r"There is no checkpoint"):
        run_folder.read(tmp_path / "none.ckpt")
