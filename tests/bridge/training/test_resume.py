"""Going on after any stop: same weights, same trace to the last byte; damaged files are named and not gone on from."""

import errno
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from lindyn.bridge import read_trace
from lindyn.bridge.training import Run, TrainingStopped, run_folder
from lindyn.stored import lines, sums
from tests.bridge.training.helpers import TINY, differing, in_words, run, weights
from tests.bridge.training.test_train import interrupt_at, interruptible  # noqa: F401
from tests.processes import Typed

WATCHED = {"run__diagnostics_every": 4, "run__checkpoint_every": 1, "model__dim": 48}
"""48 dimensions want 384 samples, of the 240 of a batch (two views of each): a reading gathers over several steps."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run of 10 steps."""
    return run(tmp_path_factory.mktemp("whole"), **WATCHED)


def copied(done, folder):
    """Return a copy of a run's folder that goes on there."""
    import shutil

    shutil.copytree(done.folder, folder, dirs_exist_ok=True)
    return folder


def as_the_undisturbed(done, whole):
    assert differing(weights(done), weights(whole)) == []
    for name in ("trace.jsonl", "metrics.jsonl"):
        assert (done.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


@pytest.mark.parametrize("step", [1, 3, 5, 6])
def test_the_trace_of_an_interrupted_run_is_that_of_the_undisturbed_one(tmp_path, monkeypatch, whole, step):
    """Before the first reading, amid what a reading gathers, after an epoch's end, after a reading."""
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        with pytest.raises(TrainingStopped, match=f"Interrupted at step {step + 1}|Interrupted"):
            run(tmp_path, **WATCHED)
    as_the_undisturbed(run(tmp_path, resume=True, **WATCHED), whole)
    assert read_trace(tmp_path / "trace.jsonl").attrs["starts"] == 1


def test_a_run_that_had_gone_further_than_its_checkpoint_has_the_same_trace(tmp_path, whole):
    folder = copied(whole, tmp_path)
    (folder / "checkpoints" / "step=00000010.ckpt").unlink()  # killed before it was written, the trace is further
    as_the_undisturbed(run(folder, resume=True, **WATCHED), whole)


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "swapped", "no weights", "foreign"])
def test_a_damaged_last_checkpoint_is_named_and_the_run_goes_on_from_the_one_before(tmp_path, whole, how, capsys):
    folder = copied(whole, tmp_path)
    last, before = (folder / "checkpoints" / f"step={step:08d}.ckpt" for step in (10, 5))
    content = bytearray(last.read_bytes())
    if how == "flipped":
        content[len(content) // 2] ^= 1
        last.write_bytes(content)
    elif how == "no weights":
        torch.save({"lindyn": 1}, last)
        (last.parent / sums.SUMS).unlink()  # of 0.1.0: no checksum was kept
    else:
        last.write_bytes({"empty": b"", "cut": content[:-100], "swapped": before.read_bytes(), "foreign": b"x"}[how])
    as_the_undisturbed(run(folder, resume=True, **WATCHED), whole)
    said = capsys.readouterr().err
    assert said.startswith("lindyn: step=00000010.ckpt is damaged (") and "Going on from step=00000005.ckpt." in said
    assert (last.parent / "step=00000010.ckpt.damaged").is_file()


def test_one_flipped_bit_is_found_without_the_checksum_beside_too(tmp_path, whole):
    path = copied(whole, tmp_path) / "checkpoints" / "step=00000010.ckpt"
    (path.parent / sums.SUMS).unlink()
    content = bytearray(path.read_bytes())
    at = content.find(weights(whole)["backbone.layers.0.weight"].numpy().tobytes())
    assert at > 0
    content[at] ^= 1
    path.write_bytes(content)
    assert run_folder.newest_sound(path.parent)[0].name == "step=00000005.ckpt"
    with pytest.raises(ValueError, match=r"step=00000010.ckpt cannot be read: Bad CRC-32"):
        run_folder.read(path)


def test_a_folder_without_a_whole_checkpoint_is_one_sentence(tmp_path, whole):
    folder = copied(whole, tmp_path)
    for path in run_folder.every(folder / "checkpoints"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"holds no whole checkpoint to go on from: step=00000010.ckpt is damaged"):
        run(folder, resume=True, **WATCHED)


@pytest.mark.parametrize("name", ["trace.jsonl", "metrics.jsonl"])
def test_a_flipped_digit_in_a_line_is_found_and_left_out(tmp_path, whole, name, capsys):
    folder = copied(whole, tmp_path)
    content = (folder / name).read_bytes()
    at = content.index(b'"step": ') + 8
    (folder / name).write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    (folder / "checkpoints" / "step=00000010.ckpt").unlink()
    done = run(folder, resume=True, **WATCHED)
    assert differing(weights(done), weights(whole)) == []
    if name == "trace.jsonl":
        assert "line 2 of" in capsys.readouterr().err and list(read_trace(done.trace).step.values) == [8]
    else:
        assert [row["step"] for row in done.metrics] == [10]


def test_a_result_or_configuration_that_was_changed_is_refused(tmp_path, whole):
    folder = copied(whole, tmp_path)
    result = folder / "result.json"
    result.write_text(result.read_text().replace('"steps": 10', '"steps": 11'))
    with pytest.raises(ValueError, match=r"result.json is not as lindyn train wrote it: its checksum in SHA256SUMS"):
        _ = Run.load(folder).result
    (folder / "run.toml").write_text((folder / "run.toml").read_text().replace("lr = 0.1", "lr = 0.2"))
    with pytest.raises(ValueError, match=r"run.toml is not as lindyn train wrote it"):
        Run.load(folder)


def test_the_checksums_are_those_that_sha256sum_makes(whole):
    for folder in (whole.folder, whole.folder / "checkpoints"):
        kept = dict(sums.kept(folder))
        assert kept == {name: sums.sha256(folder / name) for name in kept}
    assert set(kept) == {path.name for path in whole.checkpoints}


@pytest.mark.parametrize("at", ["checkpoint", "trace", "metrics", "results"])
def test_a_full_disk_ends_a_run_in_one_sentence_and_the_run_goes_on(tmp_path, monkeypatch, whole, at):
    full = OSError(errno.ENOSPC, "No space left on device")

    def fails(*args, **kwargs):
        raise full

    class Short:  # as torch's writer, which raises something of its own when it cannot end the file
        def __init__(self, *args):
            raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0") from full

    with monkeypatch.context() as patch:
        if at == "checkpoint":
            save = torch.save
            patch.setattr(torch, "save", lambda c, f: save(c, f) if c["global_step"] < 5 else Short())
        elif at == "results":
            patch.setattr(run_folder, "summary", fails)
        else:
            patch.setattr(lines, "append", _append_until_full(at))
        with pytest.raises(
            OSError, match=r"the disk of .* is full.* Make room, then add --resume; the last whole .*ckpt"
        ):
            run(tmp_path, **WATCHED)
    assert not (tmp_path / "result.json").exists() and not (tmp_path / "training.png").exists()
    assert not list(tmp_path.rglob(".*draft"))
    as_the_undisturbed(run(tmp_path, resume=True, **WATCHED), whole)


def _append_until_full(name):
    from lindyn import _files

    def append(path, record):
        if name in str(path) and record.get("step", 0) > 0:
            with _files.full_disk_named(path.parent):
                raise OSError(errno.ENOSPC, "No space left on device")
        _files.append(path, lines.sealed(record))

    return append


def test_what_a_killed_run_left_goes_when_it_goes_on(tmp_path, whole):
    from lindyn.stored import litter

    folder = copied(whole, tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for place in (folder, folder / "checkpoints"):
        (place / f".step=00000010.ckpt.{litter.machine()}-{dead.pid}-00000000.draft").write_bytes(b"half")
    run(folder, resume=True, **WATCHED)
    assert not list(folder.rglob(".*draft"))


@pytest.mark.slow
def test_processes_killed_at_any_time_go_on_to_the_same_bytes(tmp_path, whole):
    """SIGKILL after random times, again and again, until the run is through."""
    given = {**TINY, **{name.replace("__", "."): value for name, value in WATCHED.items()}, "run.epochs": 30}
    words = ["train", *in_words(given), f"run.folder={tmp_path / 'cut'}"]
    chance, kills, more = random.Random(0), 0, []

    def newest():
        return max(map(run_folder.step_of, run_folder.every(tmp_path / "cut" / "checkpoints")), default=-1)

    while True:
        seen = newest()
        process = Typed(tmp_path, *words, *more)
        if kills < 4:
            process.wait_until(lambda seen=seen: newest() > seen)
            time.sleep(chance.uniform(0.0, 0.3))
            process.signal(signal.SIGKILL)
            kills += 1
        if process.wait() == 0:
            break
        assert process.wait() == -signal.SIGKILL, process.said
        more = ["--resume"]
    as_the_undisturbed(Run.load(tmp_path / "cut"), run(tmp_path / "whole", given))
    assert kills == 4 and not [path for path in (tmp_path / "cut").rglob(".*") if path.name.endswith(".draft")]
