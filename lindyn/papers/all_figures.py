"""All figures of a paper, over a few processes."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from lindyn import _files
from lindyn.papers.figure_claims import expected
from lindyn.papers.figure_scripts import FigureResult, find, run_figure

TICK = 0.2  # seconds between two calls of `watch`
Watch = Callable[[list[int], list[FigureResult]], None]


def reproduce(
    paper: str = "tian2021",
    figure: int | None = None,
    out: Path | str = "lindyn-out",
    workers: int = 1,
    watch: Watch | None = None,
) -> list[FigureResult]:
    """Draw and check the figures of a paper.

    Args:
        paper: e.g. "tian2021".
        figure: its number; default every figure there is a script for.
        out: folder for pictures, numbers and claims; made if it is not there.
        workers: processes, >= 1. With more than one, call this under `if __name__ == "__main__":`.
        watch: called now and then with the figures that are running and the results so far.

    Returns:
        One result per figure, in the figures' order; a figure that broke has its `error` set.

    Raises:
        ValueError: an unknown paper or figure.
        OSError: `out` cannot be written to.
    """
    scripts = find(paper, figure)
    folder = _files.writable_folder(out)
    cost = {number: expected(paper)["figure"][str(number)].get("cost", 0) for number in scripts}
    order = sorted(scripts, key=lambda number: -cost[number])  # the long ones first, so that the end is even
    results: list[FigureResult] = []
    steps = _serial if workers == 1 or len(order) == 1 else _parallel
    for running, done in steps({number: scripts[number] for number in order}, folder, workers):
        results += done
        if watch is not None:
            watch(running, results)
    return sorted(results, key=lambda result: result.number)


Step = tuple[list[int], list[FigureResult]]


def _serial(scripts: dict[int, Path], out: Path, workers: int) -> Iterator[Step]:
    numbers = list(scripts)
    for k, number in enumerate(numbers):
        yield [number], []
        yield numbers[k + 1 : k + 2], [run_figure(scripts[number], out)]


def _parallel(scripts: dict[int, Path], out: Path, workers: int) -> Iterator[Step]:
    context = multiprocessing.get_context("spawn")  # JAX does not survive a fork
    pool = ProcessPoolExecutor(min(workers, len(scripts)), mp_context=context, initializer=_quiet)
    try:
        pending: dict[Future, int] = {pool.submit(run_figure, path, out): number for number, path in scripts.items()}
        while pending:
            finished, _ = wait(pending, timeout=TICK, return_when=FIRST_COMPLETED)
            done = [_result(future, scripts[pending.pop(future)]) for future in finished]
            yield list(pending.values())[:workers], done
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future, path: Path) -> FigureResult:
    """Return a finished figure; where the worker process itself died, a result that says so."""
    try:
        return future.result()
    except BrokenProcessPool:
        paper, number = path.stem.split("_fig")
        return FigureResult(paper, int(number), error="its worker process was ended from outside (out of memory?)")


def _quiet() -> None:
    """Let Ctrl-C end a worker at once and without a traceback; the parent says what happened.

    Where the parent ignores the signal (a job in the background of a script), so do the workers.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
