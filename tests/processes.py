"""Processes of their own that start at once: forked from a server in which torch and lightning are loaded already.

A process that is typed imports them for ten seconds before it trains for one. The server holds no thread but its own,
so that what is forked from it is as good as new.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOADED = [
    "lindyn.bridge.run.training_theory",
    "lightly.transforms",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "tests.processes",
]


def server() -> Any:
    """Return the context in which processes are forked from the server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


class Typed:
    """`lindyn WORDS` in a process of its own.

    Args:
        folder: where what it says on standard error is kept.
        words: of the command line.
    """

    _count = 0

    def __init__(self, folder: Path, *words: str) -> None:
        Typed._count += 1
        self._said = Path(folder) / f"said-{Typed._count}.txt"
        self._process = server().Process(target=_lindyn, args=(str(self._said), words))
        self._process.start()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    @property
    def said(self) -> str:
        """What it has said on standard error."""
        return self._said.read_text(encoding="utf-8")

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; it must come before the process ends."""
        while not holds():
            assert self.running, self.said
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self._process.pid, number)

    def wait(self) -> int:
        """Wait for its end and return the exit code, the negative number of the signal that ended it."""
        self._process.join()
        return self._process.exitcode


def _lindyn(said: str, words: tuple[str, ...]) -> None:
    from lindyn.cli import main

    place = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(place, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(list(words)))
