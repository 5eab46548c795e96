"""The store of a sweep: a zarr group that xarray opens at any time, written block by block, each block whole or not.

    STORE/zarr.json            axes, configuration, all metadata (consolidated)
    STORE/p/c/0/3, ...         one zarr chunk per block and variable
    STORE/.sweep.json          what is swept and by which code; what zarr.json is restored from
    STORE/.blocks/0.3          the mark of block (0, 3): checksums of its chunks, written once they are on the disk

A block counts where its mark and all that the mark names are there, unharmed, and of this very sweep; any other is
computed again. A killed run loses at most the blocks it was writing.
"""

import contextlib
import errno
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _files
from lindyn._progress import Progress
from lindyn.sweeps.axes import Block
from lindyn.sweeps.plan import Plan, row_bytes
from lindyn.sweeps.store_record import ABOUT, MARKS, digest, identity, read, record, recorded, told_by
from lindyn.sweeps.zarr_files import ZarrFiles, says

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StoreWarning(UserWarning):
    """Something of a store was lost or damaged, and is computed or written again."""


class Store:
    """An open store. Make or open one with `Store.at`.

    Args:
        path: of its folder.
        plan: the sweep.
        chunks: the shape of a block.
    """

    def __init__(self, path: Path, plan: Plan, chunks: tuple[int, ...]) -> None:
        self.path, self.plan, self.chunks = path, plan, chunks
        self.files = ZarrFiles(plan, chunks)
        self.identity = identity(plan, chunks)
        self._made: set[Path] = set()

    @classmethod
    def at(cls, path: Path | str, plan: Plan, points: int | None = None) -> "Store":
        """Open the store of this very sweep, or make it.

        Args:
            path: its folder; made, with its parents, if it is not there.
            plan: the sweep.
            points: points in a block of a new store.

        Returns:
            The store.

        Raises:
            ValueError: the folder holds something else, or another sweep; the message names the difference.
            OSError: it cannot be written to, or the disk has not the room.
        """
        path = Path(path).absolute()
        if _is_taken(path):
            return cls._open(path, plan)
        _check_room(path, plan)
        try:
            return cls._make(path, plan, plan.grid.chunks(points or plan.points))
        except OSError as error:
            if _is_taken(path):  # another run, started at the same time, was first
                return cls._open(path, plan)
            raise OSError(f"Cannot make the store {path}: {_files.why(error)}.") from error

    @classmethod
    def join(cls, path: str, plan: Plan, chunks: tuple[int, ...], sweep: str) -> "Store":
        """Open a store that another process of this sweep has opened, to write blocks.

        Args:
            path: its folder.
            plan: the sweep.
            chunks: the shape of a block.
            sweep: identity of the store, as that process knows it.

        Raises:
            OSError: it is not there.
        """
        store = _JOINED.get(path)
        if store is None or store.identity != sweep:
            if not recorded(Path(path)):
                raise FileNotFoundError(
                    f"A worker does not see the store {path}: it must lie on a file system that the workers and the "
                    "calling machine share under the same path."
                )
            _JOINED.clear()
            store = _JOINED[path] = cls(Path(path), plan, chunks)
        return store

    @classmethod
    def _open(cls, path: Path, plan: Plan) -> "Store":
        told = told_by(path)
        told.check(plan)
        store = cls(path, plan, told.chunks)
        store._mend_head()
        changed = told.other_libraries(plan)
        if changed:
            _warn(f"The store {path} was begun with {changed}: last digits of old and new blocks may differ.")
        return store

    @classmethod
    def _make(cls, path: Path, plan: Plan, chunks: tuple[int, ...]) -> "Store":
        """Make the store beside its place and move it there, so that it appears whole."""
        store = cls(path, plan, chunks)
        with _files.draft_folder(path, sync=True) as draft:
            (draft / MARKS).mkdir()
            for name, content in (store.files.head | {ABOUT: record(plan, chunks)}).items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                (draft / name).write_bytes(content)
        return store

    def _mend_head(self) -> None:
        """Restore what was lost of metadata and axes: all of it follows from the sweep."""
        lost = [name for name, content in self.files.head.items() if not says(read(self.path / name), content)]
        with self._writing():
            for name in lost:
                self._write(name, self.files.head[name])
            if not recorded(self.path):
                self._write(ABOUT, record(self.plan, self.chunks))
                lost.append(ABOUT)
        if lost:
            _warn(f"The store {self.path} had lost {', '.join(lost)}, or it was damaged; it is restored.")

    def sound(self, progress: bool = False) -> set[Block]:
        """Return the blocks that are complete and unharmed; marks of others, and what dead writers left, are removed.

        Args:
            progress: show how far it is, on a terminal.

        Warns:
            StoreWarning: a block was marked complete, and its files are lost, damaged or of another sweep.
        """
        for folder, _, _ in os.walk(self.path):
            _files.remove_dead_drafts(Path(folder))
        good, faults = set(), {}
        marked = self.marked()
        line = Progress("reading the store", max(len(marked), 1), unit="blocks")
        line.shown, line.told = line.shown and progress, not progress
        for k, block in enumerate(marked):
            line(k)
            fault = self._fault(block)
            if fault:
                faults[block] = fault
                with self._writing():
                    (self.path / MARKS / _name(block)).unlink(missing_ok=True)
            else:
                good.add(block)
        line.close()
        if faults:
            _warn(
                f"{len(faults)} of {len(marked)} blocks that are marked complete in {self.path} are computed again: "
                f"{next(iter(faults.values()))}{', for one' if len(faults) > 1 else ''}."
            )
        return good

    def _fault(self, block: Block) -> str:
        """Return what is wrong with a marked block, "" where nothing is."""
        sums = self._sums(block)
        if sums is None:
            return f"the mark {_name(block)} is damaged or of another sweep"
        for name, file in self.files.names(block).items():
            try:
                content = (self.path / file).read_bytes()
            except OSError:
                return f"{file} is lost"
            if sums.get(name) != self._sum(file, content):
                return f"{file} is damaged or of another sweep"
        return ""

    def _sums(self, block: Block) -> dict[str, str] | None:
        """Return the checksums in a mark, None where there is no mark of this sweep."""
        try:
            told = json.loads(read(self.path / MARKS / _name(block)))
            return dict(told["checksums"]) if told["sweep"] == self.identity else None
        except (ValueError, KeyError, TypeError):
            return None

    def _sum(self, file: str, content: bytes) -> str:
        return digest(f"{self.identity} {file} ".encode() + content)

    def marked(self) -> list[Block]:
        """Return the blocks of this grid that have a mark, whatever is in it."""
        counts = [-(-n // c) for n, c in zip(self.plan.grid.shape, self.chunks, strict=True)]
        try:
            blocks = [_block(name) for name in sorted(os.listdir(self.path / MARKS))]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [
            block for block in blocks
            if block is not None and len(block) == len(counts) and all(map(int.__lt__, block, counts))
        ]  # fmt: skip

    def has(self, block: Block) -> bool:
        """Return whether a block is marked complete, by a run of this very sweep."""
        return self._sums(block) is not None

    def put(self, block: Block, region: tuple[slice, ...], values: Mapping[str, np.ndarray]) -> None:
        """Write one block: its data to the disk, then its mark.

        Raises:
            OSError: it cannot be written.
        """
        sums = {}
        for file, content in self.files.encode(block, region, values).items():
            self._write(file, content)
            sums[file.partition("/")[0]] = self._sum(file, content)
        self._write(f"{MARKS}/{_name(block)}", json.dumps({"sweep": self.identity, "checksums": sums}).encode())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(f"The store {self.path} needs mending and cannot be written: {_files.why(error)}.") from error

    def _write(self, name: str, content: bytes) -> None:
        """Write one file whole, to the disk, and the folders above it."""
        file = self.path / name
        if file.parent not in self._made:
            if not self.path.is_dir():
                raise FileNotFoundError(errno.ENOENT, "the folder is gone", str(self.path))
            file.parent.mkdir(parents=True, exist_ok=True)
            for folder in file.parents[: len(Path(name).parents)]:
                _files.to_disk(folder)
            self._made.add(file.parent)
        _files.write(file, content, sync=True, tidy=False)

    def dataset(self) -> Any:
        """Return the store as a Dataset that reads what is looked at."""
        import xarray

        return xarray.open_dataset(self.path, engine="zarr", chunks=None)


_JOINED: dict[str, Store] = {}  # the last store that this worker has joined


def _is_taken(path: Path) -> bool:
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


def _warn(text: str) -> None:
    warnings.warn(text, StoreWarning, stacklevel=6)


def _name(block: Block) -> str:
    return ".".join(map(str, block)) or "all"


def _block(name: str) -> Block | None:
    """Return the block of a mark's name, None where it is no such name."""
    try:
        block = () if name == "all" else tuple(map(int, name.split(".")))
    except ValueError:
        return None
    return block if _name(block) == name and all(k >= 0 for k in block) else None


def _check_room(path: Path, plan: Plan) -> None:
    place = next(folder for folder in path.parents if folder.exists())
    wanted, free = plan.grid.size * row_bytes(plan), shutil.disk_usage(place).free
    if wanted > free:
        raise OSError(
            f"The result of {plan.grid.size:.3g} points takes up to {sized(wanted)} and {place} has "
            f"{sized(free)} free; give another place, or a coarser grid."
        )


def sized(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.3g} {unit}"
        count /= 1000
    return ""
