"""Files and folders that are whole or not there: a failure in the middle leaves what was, and no draft."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lindyn import _files
from lindyn.stored import litter


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_written_whole(tmp_path, sync):
    path = tmp_path / "a.txt"
    assert _files.write(path, "one é\n", sync=sync) == path
    assert path.read_bytes() == "one é\n".encode()
    _files.write(path, b"two", sync=sync)
    assert everything(tmp_path) == {"a.txt": b"two"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("no"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_the_old_file_and_no_draft(tmp_path, error):
    path = _files.write(tmp_path / "a.txt", "old")
    with pytest.raises(type(error)), _files.draft(path) as file:
        file.write_bytes(b"half of the n")
        raise error
    assert everything(tmp_path) == {"a.txt": b"old"}
    with pytest.raises(type(error)), _files.draft(tmp_path / "b.txt"):
        raise error
    assert everything(tmp_path) == {"a.txt": b"old"}


def test_a_move_that_fails_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = _files.write(tmp_path / "a.json", "old")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match=r"The disk of .* is full\. Make room"):
            _files.write_json(path, {"a": 1})
    assert everything(tmp_path) == {"a.json": b"old"}
    _files.write_json(tmp_path / "deep" / "er" / "b.json", {"a": 1})
    assert (tmp_path / "deep" / "er" / "b.json").read_text() == '{\n "a": 1\n}\n'


def test_a_folder_that_is_not_there_or_is_a_file_is_an_os_error(tmp_path):
    _files.write(tmp_path / "a", "old")
    for path in (tmp_path / "none" / "b", tmp_path / "a" / "b", tmp_path):
        with pytest.raises(OSError):
            _files.write(path, "new")
    assert everything(tmp_path) == {"a": b"old"}


def test_a_link_is_followed_and_what_is_no_file_is_written_to_itself(tmp_path):
    _files.write(tmp_path / "a", "old")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    _files.write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "a").read_text() == "new"
    _files.write(os.devnull, "gone")
    assert not os.path.isfile(os.devnull) and os.path.exists(os.devnull)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    place = tmp_path / "store"
    with pytest.raises(ZeroDivisionError), _files.draft_folder(place) as folder:
        (folder / "half").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    place.mkdir()  # an empty folder gives way
    with _files.draft_folder(place) as folder:
        (folder / "all").write_text("x")
        assert list(place.iterdir()) == []
    assert everything(tmp_path) == {"store/all": b"x"}
    with pytest.raises(OSError), _files.draft_folder(place) as folder:
        (folder / "other").write_text("y")
    assert everything(tmp_path) == {"store/all": b"x"} and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("mine")
    for place in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(OSError, match=r"Cannot make the output folder .*Choose another with --out\."):
            _files.writable_folder(place)
    assert _files.writable_folder(tmp_path / "a" / "b").is_dir()
    assert everything(tmp_path) == {"taken": b"mine"}


def test_a_report_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    out = tmp_path / "report"
    _files.write_folder(out, {"report.html": "old", "figures/a.png": b"old", "other.txt": "mine"})
    real = Path.rename

    def refuse(self, target):
        if Path(target) == out / "report.html" and self.parent.name == "new":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match=r"the disk of .*report is full\. Nothing was changed"):
        _files.write_folder(out, {"report.html": "new", "figures/b.png": b"new"})
    monkeypatch.undo()
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert found == {"report.html": b"old", "figures/a.png": b"old", "other.txt": b"mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_new_report_replaces_the_old_one_and_nothing_else(tmp_path):
    _files.write_folder(tmp_path / "r", {"report.html": "old", "figures/a.png": b"old", "mine.txt": "mine"})
    _files.write_folder(tmp_path / "r", {"report.html": "new", "figures/b.png": b"new"})
    found = {path.relative_to(tmp_path / "r").as_posix() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    assert found == {"report.html", "figures/b.png", "mine.txt"}
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ValueError, match=r"is a file\. Choose another"):
        _files.write_folder(tmp_path / "file", {"report.html": "new"})


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_the_drafts_of_dead_writers_are_removed(tmp_path, dead):
    here, there = litter.machine(), "01234567"
    day_old = [".a.77.draft", f".a.{there}-{dead}-00000000.draft", f".a.{there}-{os.getpid()}-00000000.draft"]
    gone = [f".a.{here}-{dead}-00000000.draft", *day_old]
    stays = [
        f".a.{here}-{os.getppid()}-00000000.draft", f".a.{there}-{dead}-00000001.draft", ".a.78.draft",
        f".b.{here}-{dead}-00000000.draft", f".a.b.{here}-{dead}-00000000.draft", ".a.notes.draft", "a.77.draft",
    ]  # fmt: skip
    for name in gone + stays:
        (tmp_path / name).write_text("half")
    for name in (*day_old, ".a.notes.draft", "a.77.draft"):
        os.utime(tmp_path / name, (1e9, 1e9))
    _files.write(tmp_path / "a", "whole")
    assert set(everything(tmp_path)) == {"a", *stays}
    _files.remove_dead_drafts(tmp_path)
    assert set(everything(tmp_path)) == {"a", *stays[:3], *stays[5:]}


@pytest.mark.parametrize(
    ("write", "name"),
    [(lambda p: _files.write_folder(p, {"x": "new"}), "r/.results"), (lambda p: make_folder(p), ".r")],
)
def test_a_folder_s_dead_drafts_are_removed(tmp_path, dead, write, name):
    half = tmp_path / f"{name}.{litter.machine()}-{dead}-00000000.draft"
    (half / "deep").mkdir(parents=True)
    (half / "deep" / "x").write_text("half")
    write(tmp_path / "r")
    assert everything(tmp_path) == {"r/x": b"new"}


def make_folder(place):
    with _files.draft_folder(place, sync=True) as folder:
        (folder / "x").write_text("new")


def test_two_threads_may_write_one_file(tmp_path):
    with _files.draft(tmp_path / "a") as one, _files.draft(tmp_path / "a") as other:
        one.write_text("one")
        other.write_text("other")
    assert everything(tmp_path) == {"a": b"one"}
