"""Runs that take longer than a slider waits, in a process of their own: the page goes on, whatever becomes of it."""

import concurrent.futures
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from typing import Any


class EngineProcess:
    """One worker process; the newest request counts, and a worker that was killed is replaced at the next."""

    def __init__(self) -> None:
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], *given: Any) -> "concurrent.futures.Future[Any]":
        """Return the future of a call in the worker."""
        with self._lock:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = concurrent.futures.ProcessPoolExecutor(
                    1, mp_context=context, initializer=_ends_with, initargs=(os.getpid(),)
                )
            try:
                return self._pool.submit(function, *given)
            except BrokenProcessPool:
                self._pool = None
        return self.submit(function, *given)

    def workers(self) -> list[int]:
        """Return the process ids of the workers, for a test to kill."""
        with self._lock:
            return [] if self._pool is None else list(self._pool._processes or ())

    def forget(self) -> None:
        """Let go of a worker that has died."""
        with self._lock:
            self._pool = None

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            if self._pool is not None:
                for process in list((self._pool._processes or {}).values()):
                    process.terminate()
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None


def _ends_with(parent: int) -> None:
    """Let the worker end when the server is gone, however it went."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def solved(settings: dict[str, Any]) -> tuple[Any, str]:
    """Return (trajectory, what it came to in words) of the settings of `lindyn simulate`."""
    import numpy as np

    from lindyn.commands import flow_settings

    flow, y0 = flow_settings.build(settings)
    with np.errstate(all="ignore"):  # a run that blows up is shown as far as it goes
        trajectory = flow_settings.solve(flow, y0, settings)
        return trajectory, flow_settings.describe(trajectory)
