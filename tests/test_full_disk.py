"""A disk that is full at any point of a write: it is named, and a folder holds all of the old files or all of the new.

And what killed processes left: it goes when the next one starts, unless its writer lives.
"""

import errno
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lindyn import _files
from lindyn.stored import litter

OLD = {"run.toml": b"old", "numbers.nc": b"old", "figures/a.png": b"old", "mine.txt": b"mine", "gone.png": b"old"}
NEW = {"run.toml": b"new", "numbers.nc": b"new", "figures/b.png": b"new", "more.txt": b"new"}
AFTER = {**NEW, "mine.txt": b"mine"}
POINTS = [(Path, name) for name in ("write_bytes", "write_text", "mkdir", "rename", "touch")] + [(os, "fsync")]


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def filled(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def fails_at(patch, number, error):
    """Let the number-th call of anything that takes room on a disk fail; return the list of calls."""
    calls = []

    def counted(old, name):
        def call(*args, **kwargs):
            calls.append(name)
            if len(calls) == number:
                raise error
            return old(*args, **kwargs)

        return call

    for owner, name in POINTS:
        patch.setattr(owner, name, counted(getattr(owner, name), name))
    return calls


def replace_all(folder):
    with _files.together(folder, gone=("gone.png",), what="the run") as fresh:
        filled(fresh, NEW)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_results_appear_together_wherever_the_disk_gets_full(tmp_path, monkeypatch, number):
    folder = filled(tmp_path / "count", OLD)
    with monkeypatch.context() as patch:
        calls = fails_at(patch, 0, None)
        replace_all(folder)
    count = len(calls)
    assert everything(tmp_path / "count") == AFTER
    assert count > 15
    for at in range(1, count + 1):
        folder = filled(tmp_path / str(at), OLD)
        with monkeypatch.context() as patch:
            fails_at(patch, at, OSError(number, os.strerror(number)))
            try:
                replace_all(folder)
            except OSError as error:
                assert str(error) == f"Cannot write the run into {folder}: the disk of {folder} is full. " + (
                    "Nothing was changed."
                )
                assert everything(folder) == OLD, at
            else:
                assert everything(folder) == AFTER, at
        assert not list(tmp_path.rglob("*.draft")), at


class LikeTorch:
    """Raises as torch's writer does: in the clean-up of a failed write something of its own is raised."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")


def short_write():
    with LikeTorch():
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "how",
    [
        short_write,
        lambda: (_ for _ in ()).throw(OSError("Can't write data (errno = 28, 'No space left on device')")),  # HDF5
        lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_a_full_disk_is_named_whatever_library_met_it(tmp_path, how):
    with pytest.raises(_files.DiskFull) as caught, _files.draft(tmp_path / "a"):
        how()
    assert str(caught.value) == f"The disk of {tmp_path} is full. Make room there, or choose another folder."
    assert caught.value.errno == errno.ENOSPC
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # from a worker process


def test_what_is_no_full_disk_keeps_its_words(tmp_path):
    for error in (RuntimeError("unexpected pos"), OSError(errno.EACCES, "Permission denied"), ValueError("no")):
        with pytest.raises(type(error), match=str(error.args[-1])), _files.draft(tmp_path / "a"):
            raise error


def test_a_line_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "trace.jsonl"
    _files.append(path, "first\n")
    assert path.read_text() == "first\n"
    real = open

    def nearly_full(*args, **kwargs):
        file = real(*args, **kwargs)

        class Short:
            def __getattr__(self, name):
                return getattr(file, name)

            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def write(self, content):
                if file.tell() > 8:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return file.write(bytes(content[:3]))

        return Short()

    monkeypatch.setattr("builtins.open", nearly_full)
    with pytest.raises(_files.DiskFull):
        _files.append(path, "second\n")
    monkeypatch.undo()
    assert path.read_text() == "first\n"


def dead():
    """Return the number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def drafts_of(folder, number):
    mine = f"{litter.machine()}-{number}-0000000"
    (folder / f".a.nc.{mine}0.draft").write_text("half")
    (folder / f".store.{mine}3.draft" / "p").mkdir(parents=True)
    return {f".a.nc.{mine}0.draft", f".store.{mine}3.draft"}


def test_drafts_of_dead_writers_go_at_the_next_start_and_those_of_living_ones_stay(tmp_path):
    drafts_of(tmp_path, dead())
    drafts_of(tmp_path, os.getpid())  # a killed one had our number: nothing of it is being written here
    living = drafts_of(tmp_path, os.getppid())
    (tmp_path / "mine.draft").write_text("a user's")
    with _files.draft(tmp_path / "now") as file:
        file.write_text("x")
        _files.writable_folder(tmp_path)
        assert file.exists()
    assert {path.name for path in tmp_path.iterdir()} == {*living, "mine.draft", "now"}
    past = litter._started(os.getppid()) - 100.0
    if past > 0:
        for name in living:  # the process of this number started after its draft was last written
            os.utime(tmp_path / name, (past, past))
        _files.writable_folder(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"mine.draft", "now"}


@pytest.mark.parametrize("moved", [0, 1, 2, 4])
def test_results_whose_writer_was_killed_between_two_moves_are_moved_in_whole(tmp_path, monkeypatch, moved):
    folder, real = filled(tmp_path / "run", OLD), Path.rename
    left = [moved]

    class Killed(BaseException):
        pass

    def rename(self, target):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        patch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)
        with pytest.raises(Killed):
            replace_all(folder)
    _files.writable_folder(folder)
    assert everything(folder) == AFTER


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes a small disk")
def test_a_small_disk(tmp_path, command):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no small disk can be made here")
    try:
        words = ("simulate", "--system", "modes", "--out", disk, "--points", "20", "--t1")
        assert command(*words, "5")[0] == 0  # the folder is the disk itself: drafts must lie on it too
        before = everything(disk)
        (disk / "fills it").write_bytes(bytes(shutil.disk_usage(disk).free - 40_000))
        code, _, said = command(*words, "6", "--overwrite")
        assert code == 2 and said.strip().endswith(
            f"Cannot write the run into {disk}: the disk of {disk} is full. Nothing was changed."
        )
        assert everything(disk).keys() - before.keys() == {"fills it"}
        assert before.items() <= everything(disk).items()
    finally:
        subprocess.run(["umount", disk], check=True)
