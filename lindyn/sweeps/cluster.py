"""The same plan on a dask.distributed cluster: workers compute blocks and write them to the store themselves."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from lindyn.sweeps.grid import Block
from lindyn.sweeps.plan import Plan
from lindyn.sweeps.store import Store

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
    waiting, blocks, tries = iter(todo), {}, dict.fromkeys(todo, 0)

    def submit(block: Block) -> Any:
        future = client.submit(_work, plan, path, chunks, block, pure=False)
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


def _work(plan: Plan, path: str | None, chunks: tuple[int, ...], block: Block) -> dict[str, np.ndarray]:
    """Compute one block on a worker, and write it where there is a store.

    One thread a block: a worker runs as many blocks at once as it has threads.
    """
    region = plan.grid.region(block, chunks)
    if path is None:
        return plan.compute(region, threads=1)
    store = Store.at(path, plan)
    if not store.has(block):
        store.put(block, region, plan.compute(region, threads=1))
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
