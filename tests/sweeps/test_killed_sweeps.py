"""Sweeps that are killed: by SIGKILL at fifty points, by a power cut at every write, by Ctrl-C in the worst moment."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lindyn as ld
from lindyn.sweeps import store as stores
from lindyn.sweeps.execution import SweepInterrupted
from tests.sweeps.test_store import identical

KILLS, STORES = 50, 5
SCRIPT = """
import os, random, signal, sys, time, warnings
from pathlib import Path
import numpy as np, lindyn as ld
from lindyn.sweeps.store import StoreWarning
from tests.sweeps.test_store import identical

warnings.simplefilter("error", StoreWarning)  # a kill damages nothing
folder, kills, stores = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
grid = {"eta": np.linspace(0.0, 0.3, 12), "beta": np.geomspace(0.1, 1.0, 5), "t1": 20.0}

def sweep(path=None):
    return ld.sweep(**grid, store=path, points=None if path is None else 5, threads=1, progress=False)

def marks(path):
    return {mark: mark.stat().st_mtime_ns for mark in path.glob(".blocks/*") if not mark.name.startswith(".")}

whole = sweep()
sweep(folder / "warm.zarr")
start = time.monotonic()
sweep(folder / "first.zarr")
lasts = time.monotonic() - start
chance, cut, done = random.Random(20260101), 0, []
for number in range(stores):
    path, left = folder / f"{number}.zarr", kills // stores
    while left:
        if len(marks(path)) >= 11:  # hardly anything is left to kill: another store for the next
            assert identical(whole, sweep(path))
            path = folder / f"{number}-{left}.zarr"
        before = marks(path)
        child = os.fork()
        if child == 0:
            sweep(path)
            os._exit(0)
        goal = min(len(before) + chance.randrange(4), 11)
        while len(marks(path)) < goal:  # by the blocks that are there: on a busy machine no time says where it is
            time.sleep(0.001)
        time.sleep(chance.random() * lasts / 12)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        after = marks(path)
        assert before.items() <= after.items(), "a block that was marked was lost or computed again"
        cut, left = cut + (len(after) < 12), left - 1
        done.append(len(after))
    before = marks(path)
    assert identical(whole, sweep(path))
    assert before.items() <= marks(path).items() and len(marks(path)) == 12
assert not [*folder.rglob("*.draft"), *folder.rglob(".*.draft")]
print("killed in the middle:", cut, "blocks then:", *done)
"""


@pytest.mark.slow
def test_fifty_kills_lose_nothing_that_was_marked(tmp_path):
    """One process forks the sweeps, so that what it imports and compiles is there at once."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(KILLS), str(STORES)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[4]) >= KILLS // 2  # most of them fell into the middle of a sweep


class PowerCut(BaseException):
    """The machine is off."""


class Disk:
    """Counts what is done to the disk and goes off at the n-th; what was not waited for may then be lost."""

    def __init__(self, patch, last):
        self.count, self.last, self.off = 0, last, False
        self.unsafe, self.moved, self.names = set(), {}, {}
        for owner, name in ((Path, "write_bytes"), (Path, "mkdir"), (Path, "replace"), (Path, "rename"),
                            (Path, "unlink"), (os, "fsync"), (shutil, "rmtree")):  # fmt: skip
            patch.setattr(owner, name, self._watched(name, getattr(owner, name)))

    def _watched(self, name, do):
        def watched(*args, **kwargs):
            self.count += not self.off
            if self.off or self.count == self.last:
                self.off = True
                raise PowerCut
            done = do(*args, **kwargs)
            if name == "write_bytes":
                self.unsafe.add(args[0])
            elif name == "fsync":
                path = Path(os.readlink(f"/proc/self/fd/{args[0]}"))
                self.unsafe.discard(path)
                self.moved = {file: old for file, old in self.moved.items() if file.parent != path}
            elif name in ("replace", "rename") and args[0].name.endswith(".draft"):
                self.unsafe = {args[1] if file == args[0] else file for file in self.unsafe}
                self.moved[args[1]] = args[0]
            return done

        return watched

    def lose(self, chance):
        """Lose what had not reached the disk: half of a file, a move."""
        for file in self.unsafe:
            if file.is_file() and chance.random() < 0.7:
                os.truncate(file, int(chance.random() * file.stat().st_size))
        for file, old in self.moved.items():
            if file.exists() and chance.random() < 0.5:
                os.rename(file, old)


@pytest.mark.slow
def test_a_power_cut_at_every_write(tmp_path):
    """Each write, move and wait of a small sweep is the last one once, and what was not waited for is lost."""
    grid = {"eta": [0.0, 0.2], "beta": 0.4, "t1": 5.0, "progress": False, "threads": 1}
    whole, chance = ld.sweep(**grid), random.Random(7)
    put, complete = stores.Store.put, []

    def noted(self, block, *rest):
        put(self, block, *rest)
        complete.append(block)

    last, ended = 0, False
    while not ended:
        last += 1
        folder = tmp_path / str(last)
        complete.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stores.Store, "put", noted)
            disk = Disk(patch, last)
            try:
                ld.sweep(**grid, store=folder / "s.zarr", points=1)
                ended = True
            except PowerCut:
                pass
        disk.lose(chance)
        marks = folder / "s.zarr" / ".blocks"
        there = {mark: mark.stat().st_mtime_ns for mark in marks.glob("[0-9]*")} if marks.is_dir() else {}
        assert {mark.name for mark in there} >= {".".join(map(str, block)) for block in complete}
        assert identical(whole, ld.sweep(**grid, store=folder / "s.zarr", points=1))  # nothing to warn of either
        assert all(mark.stat().st_mtime_ns == when for mark, when in there.items())
        assert [path.name for path in folder.iterdir()] == ["s.zarr"]
        assert not list(folder.rglob(".*.draft"))
        shutil.rmtree(folder)
    assert last > 100


SMALL = {"eta": np.linspace(0, 0.3, 10), "beta": np.geomspace(0.1, 10, 8), "t1": 10.0, "points": 16}


@pytest.mark.parametrize("moment", ["before its mark", "after its mark"])
def test_ctrl_c_around_a_mark_counts_what_is_there(tmp_path, monkeypatch, moment):
    """A block is complete once its mark is there, whether the sweep got to count it or not."""
    write, marks = stores.Store._write, []

    def interrupted(self, name, content):
        if name.startswith(".blocks"):
            marks.append(name)
            if len(marks) == 3 and moment == "before its mark":
                raise KeyboardInterrupt
        write(self, name, content)
        if len(marks) == 3:
            raise KeyboardInterrupt

    done = 2 if moment == "before its mark" else 3
    words = rf"Interrupted: {done} of 5 blocks \({16 * done} of 80 points\) are complete in"
    with monkeypatch.context() as patch:
        patch.setattr(stores.Store, "_write", interrupted)
        with pytest.raises(SweepInterrupted, match=words):
            ld.sweep(**SMALL, store=tmp_path / "s.zarr")
    assert len(list((tmp_path / "s.zarr" / ".blocks").iterdir())) == done
    assert identical(ld.sweep(**SMALL), ld.sweep(**SMALL, store=tmp_path / "s.zarr"))
