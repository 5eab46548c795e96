"""Running a plan: block by block, in memory or into a store, here or on a cluster."""

import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lindyn import _checks, _files
from lindyn._linalg import available_cores
from lindyn._progress import Progress
from lindyn.sweeps import dataset_accessor
from lindyn.sweeps.axes import Block
from lindyn.sweeps.plan import Plan, Results, row_bytes
from lindyn.sweeps.store import FULL, Store, sized
from lindyn.sweeps.store_record import identity

MANY, SAMPLE = 2000, 16  # points from which on a sweep's time is told ahead; points of a sample
SHARE = 0.5  # of the free memory, which a result may take
Sink = Callable[[Block, tuple[slice, ...], dict[str, np.ndarray]], None]


class SweepInterrupted(KeyboardInterrupt):
    """A sweep was stopped by the user; the message says what is kept."""


def execute(
    plan: Plan,
    store: Path | str | None = None,
    *,
    client: Any = None,
    threads: int | None = None,
    points: int | None = None,
    progress: bool = True,
) -> Any:
    """Compute a plan and return its Dataset.

    Args:
        plan: what is swept.
        store: folder of a zarr store: the result goes there, and what is there already is not computed again.
        client: a dask.distributed Client to compute on.
        threads: threads per block, default all cores.
        points: points in a block, default the plan's.
        progress: show progress on a terminal.

    Returns:
        An xarray.Dataset, in memory or reading from the store.

    Raises:
        ValueError: a result that does not fit in memory, a store of another sweep, a grid without points.
        OSError: the store cannot be written to; what was written is kept.
        SweepInterrupted: Ctrl-C; what was written is kept.
    """
    dataset_accessor.register()
    points = None if points is None else _checks.as_whole("points", points)
    threads = None if threads is None else _checks.as_whole("threads", threads)
    if store is None:
        check_memory(plan)
        results = Results.empty(plan)
        target: Store | None = None
        chunks, done = plan.grid.chunks(points or plan.points), set()
    else:
        target = Store.at(store, plan, points)
        chunks, done = target.chunks, target.sound(progress)
    todo = [block for block in plan.grid.blocks(chunks) if block not in done]
    bar = SweepBar(plan, chunks, done, shown=progress)
    try:
        if client is not None:
            for block, values in compute_blocks(client, plan, target, chunks, todo):
                if target is None:
                    results.put(plan.grid.region(block, chunks), values)
                bar.tick(block)
        else:
            bar.look_ahead(plan, threads)
            for block in todo:
                if target is None or not target.has(block):  # else another run on this store was faster
                    region = plan.grid.region(block, chunks)
                    values = plan.compute(region, threads=threads)
                    results.put(region, values) if target is None else _keep(target, block, region, values)
                bar.tick(block)
    except KeyboardInterrupt as error:
        raise SweepInterrupted(_kept("Interrupted", target, bar)) from error
    except StoreWriteError as error:
        raise OSError(_kept(error.args[0], target, bar, f", once {error.args[1]},")) from error.__cause__
    finally:
        bar.close()
    return results.dataset(plan) if target is None else target.dataset()


class StoreWriteError(Exception):
    """A block could not be written: what is wrong, and what must be done first."""


def _keep(store: Store, block: Block, region: tuple[slice, ...], values: dict[str, np.ndarray]) -> None:
    """Write a block; an error of its disk is told from those of others (the cache's, the terminal's)."""
    try:
        store.put(block, region, values)
    except OSError as error:
        if error.errno in FULL:
            raise StoreWriteError(f"The disk of {store.path} is full", "there is room") from error
        what = f"Cannot write to the store {store.path} ({_files.why(error)})"
        raise StoreWriteError(what, "that is mended") from error


def _kept(what: str, target: Store | None, bar: "SweepBar", when: str = "") -> str:
    if target is not None:
        bar.count(target.marked())
    else:
        return (
            f"{what}: {bar.share()} were computed, in memory, and are lost; a store would have kept it "
            "(--out DIR, or store= from Python)."
        )
    return f"{what}: {bar.share()} are complete in {target.path}; the same call{when} goes on from there."


class SweepBar:
    """Counts blocks and points, and shows them.

    Args:
        plan: what is swept.
        chunks: shape of a block.
        done: blocks that were there before.
        shown: whether to show anything (only ever on a terminal).
    """

    def __init__(self, plan: Plan, chunks: tuple[int, ...], done: Collection[Block], shown: bool) -> None:
        self.grid, self.chunks = plan.grid, chunks
        self.total = math.prod(-(-n // c) for n, c in zip(plan.grid.shape, chunks, strict=True))
        self.count(done)
        self.fresh = True
        self.line = Progress("sweep", max(plan.grid.size, 1), unit="trajectories", before=self.points)
        self.line.shown, self.line.told = self.line.shown and shown, not shown

    def _size(self, block: Block) -> int:
        return math.prod(part.stop - part.start for part in self.grid.region(block, self.chunks))

    def count(self, done: Collection[Block]) -> None:
        """Set what is done."""
        self.blocks, self.points = len(done), sum(self._size(block) for block in done)

    def tick(self, block: Block) -> None:
        """Count one block."""
        self.blocks += 1
        self.points += self._size(block)
        if self.fresh:  # the first block compiles, which tells nothing of the others
            self.fresh, self.line.start, self.line.before = False, time.monotonic(), self.points
        self.line(self.points)

    def look_ahead(self, plan: Plan, threads: int | None) -> None:
        """Time some points at both ends and in the middle of the grid; say how long all will take, if minutes."""
        left, shape = self.grid.size - self.points, self.grid.shape
        if self.line.told or left < MANY:
            return
        longest = int(np.argmax(shape))
        took, count = 0.0, 0
        for number, part in enumerate((0.5, 0.0, 0.5, 1.0)):
            at = [int(part * (n - 1)) for n in shape]
            at[longest] = min(at[longest], max(shape[longest] - SAMPLE, 0))
            wide = [min(SAMPLE, n) if axis == longest else 1 for axis, n in enumerate(shape)]
            start = time.monotonic()
            plan.compute(tuple(slice(a, a + w) for a, w in zip(at, wide, strict=True)), threads=1)
            if number:  # the first only loads what is compiled
                took, count = took + time.monotonic() - start, count + max(wide)
        self.line.foretell(left * took / count / (threads or available_cores()))

    def share(self) -> str:
        """Return how far it is, in words."""
        return f"{self.blocks} of {self.total} blocks ({self.points:,} of {self.grid.size:,} points)"

    def close(self) -> None:
        """Wipe the line."""
        self.line.close()


def check_memory(plan: Plan) -> None:
    """Raise ValueError if the result does not fit in memory, saying how large it is and offering the store."""
    wanted, free = plan.grid.size * row_bytes(plan), free_memory()
    if wanted > SHARE * free:
        shape = " x ".join(map(str, plan.grid.shape))
        raise ValueError(
            f"The result of {shape} = {plan.grid.size:.3g} points takes {sized(wanted)} and {sized(free)} of memory "
            "are free; stream it to a store on disk (--out DIR, or store= from Python), or take a coarser grid."
        )


def free_memory() -> float:
    """Return the bytes of memory that a result could take."""
    if sys.platform == "linux":
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * float(line.split()[1])
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return 8e9


AHEAD = 3  # blocks handed out per thread of the cluster, so that no worker waits
TRIES = 10  # times a block is handed out again after dask gave it up because its workers died
PATIENCE = 60.0  # seconds until a block that a worker wrote must be visible here (network file systems cache)


def compute_blocks(
    client: Any, plan: Plan, store: Store | None, chunks: tuple[int, ...], todo: list[Block]
) -> Iterator[tuple[Block, dict[str, np.ndarray]]]:
    """Return each block as it is finished, in any order.

    A worker that dies loses only the blocks it was computing; the cluster gives them to another.

    Args:
        client: a dask.distributed Client.
        plan: what is swept.
        store: where the workers write; its folder must be the same place for all of them. None: blocks come back.
        chunks: shape of a block.
        todo: blocks to compute.

    Returns:
        An iterator of (block, its arrays; empty with a store).

    Raises:
        ImportError: dask.distributed is not installed.
        ValueError: `client` is no Client.
        OSError: a worker's store is not this one, or cannot be written to.
    """
    distributed = _distributed()
    if not isinstance(client, distributed.Client):
        raise ValueError(f"client must be a dask.distributed.Client; got {type(client).__name__}.")
    path = None if store is None else str(store.path)
    sweep = identity(plan, chunks)
    waiting, blocks, tries = iter(todo), {}, dict.fromkeys(todo, 0)

    def submit(block: Block) -> Any:
        future = client.submit(_work, plan, path, chunks, block, sweep, pure=False)
        blocks[future.key] = block
        return future

    ahead = AHEAD * max(1, sum(client.nthreads().values()))
    running = distributed.as_completed([submit(block) for block in itertools.islice(waiting, ahead)])
    try:
        for future in running:
            block = blocks.pop(future.key)
            try:
                values = future.result()
            except (distributed.KilledWorker, distributed.CancelledError):  # its worker died once too often
                tries[block] += 1
                if tries[block] > TRIES:
                    raise
                running.add(submit(block))
                continue
            _check_seen(store, block)
            yield block, values
            for following in itertools.islice(waiting, 1):
                running.add(submit(following))
    finally:
        client.cancel(list(running.futures))


def connect(address: str) -> Any:
    """Return a Client of the cluster at an address.

    Raises:
        ImportError: dask.distributed is not installed.
        OSError: nobody answers there.
    """
    try:
        return _distributed().Client(address, timeout="20s")
    except (OSError, ValueError) as error:
        raise OSError(f"No dask scheduler answers at {address}: {error}.") from error


def _work(plan: Plan, path: str | None, chunks: tuple[int, ...], block: Block, sweep: str) -> dict[str, np.ndarray]:
    """Compute one block on a worker, and write it where there is a store.

    One thread a block: a worker runs as many blocks at once as it has threads.
    """
    if identity(plan, chunks) != sweep:
        raise ValueError(
            "A worker runs other code of lindyn than the calling session: install the same wherever a worker runs."
        )
    region = plan.grid.region(block, chunks)
    if path is None:
        return plan.compute(region, threads=1)
    store = Store.join(path, plan, chunks, sweep)
    if not store.has(block):
        _keep(store, block, region, plan.compute(region, threads=1))
    return {}


def _check_seen(store: Store | None, block: Block) -> None:
    """Raise OSError if a block that a worker has written does not show up here."""
    if store is None:
        return
    end = time.monotonic() + PATIENCE
    while not store.has(block):
        if time.monotonic() > end:
            raise OSError(
                f"A worker wrote a block that is not in {store.path}: the store must lie on a file system that "
                "the workers and this machine share under the same path."
            )
        time.sleep(0.2)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ImportError(
            "A sweep on a cluster needs dask.distributed; install it with: pip install 'lindyn[cluster]'."
        ) from error
    return distributed
