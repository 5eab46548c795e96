"""`solve_lanes`: millions of independent modes on the CPU."""

import math
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._linalg import available_cores
from lindyn.solve.lanes import layout, problem, sign_change
from lindyn.solve.lanes.block import log2_bits
from lindyn.solve.lanes.eight import aligned_numbers
from lindyn.solve.lanes.kernel import build
from lindyn.solve.lanes.problem import STIFF_REACH, LaneProblem, LaneResult

CHUNK = 4096  # lanes a thread takes at a time, at most: 1 MB of work space
LEAST = 64  # lanes, at least: the places of a block empty out at the end of a chunk
SHARE = 0.5  # of its part of what is left, that a thread takes


def solve_lanes(
    alpha_p: Any,
    beta: Any,
    eta_p: Any,
    eta_s: Any,
    x: Any,
    x_aug: Any,
    p: Any,
    s: Any,
    tau: Any,
    *,
    t1: float,
    target: str = "ema",
    tau_mode: str = "dynamic",
    predictor: str = "trained",
    rtol: float = problem.RTOL,
    max_steps: int = problem.MAX_STEPS,
    threads: int | None = None,
) -> LaneResult:
    """Integrate (p, s, tau) of Eqs. 11-13 from 0 to t1 in every lane, D = x tau - (x + x_aug) p.

        dp/dt   = alpha_p s D - eta_p p
        ds/dt   = 2 p s D - 2 eta_s s
        dtau/dt = beta (1 - tau) - tau (p D - eta_s)

    Errors are relative in each of p, s, tau (no absolute tolerance), so collapsed lanes keep their digits. Lanes
    limited by stability (large beta, or found so on the way) are run by an L-stable method; lanes in which the online
    weight changes sign, where tau has a pole, in (p, w, a) (`sign_change`). A lane's result depends on
    its own arguments only, bit for bit: not on its neighbours, order, chunking or the number of threads.

    Args:
        alpha_p: learning-rate ratio predictor / online, >= 0; a number or one per lane, like all that follow.
        beta: EMA rate, >= 0.
        eta_p: weight decay of the predictor, >= 0.
        eta_s: weight decay of the online network, >= 0.
        x: eigenvalue of X, >= 0.
        x_aug: eigenvalue of X', >= 0.
        p: start of p.
        s: start of s, >= 0.
        tau: start of tau (1: the target starts as a copy, 0: at zero).
        t1: the end, > 0 (flow time = learning rate x steps / (1 - momentum)).
        target: "ema", "online" (tau = 1) or "frozen" (the target's weight tau sqrt(s) stays).
        tau_mode: "dynamic", or "constant" to hold tau at its start.
        predictor: "trained", or "identity" (p = 1).
        rtol: relative tolerance of a step, 1e-13 .. 1e-2; the final state is good to about 20 times it.
        max_steps: limit on steps per lane, >= 1.
        threads: how many threads, default one per available core.

    Returns:
        A `LaneResult` in the order of the input.

    Raises:
        ValueError: an argument out of its range, NaN, or arrays of different lengths.
    """
    given = (alpha_p, beta, eta_p, eta_s, x, x_aug, p, s, tau)
    values = dict(zip((*problem.CONSTANTS, *problem.STATE), given, strict=True))
    task = problem.check(values, t1, target, tau_mode, predictor, rtol, max_steps)
    threads = available_cores() if threads is None else _checks.as_whole("threads", threads)
    result = LaneResult.empty(task.n)
    kernel = build(task.fixed_p, task.fixed_tau)
    chunks: queue.SimpleQueue[slice] = queue.SimpleQueue()
    for lanes in split(task.n, threads):
        chunks.put(lanes)
    _run_threads(lambda stop: _work(kernel, task, result, chunks, stop), min(threads, chunks.qsize()))
    return result


def split(n: int, threads: int) -> list[slice]:
    """Return the chunks of n lanes in the order in which they are taken: ever smaller, so that no thread waits long."""
    chunks, start = [], 0
    while start < n:
        size = min(CHUNK, max(LEAST, math.ceil(SHARE * (n - start) / threads)))
        chunks.append(slice(start, min(start + size, n)))
        start += size
    return chunks


def _run_threads(work: Any, threads: int) -> None:
    """Run `work(stop)` in some threads; an error or an interrupt stops all of them after their chunk."""
    stop = threading.Event()
    if threads <= 1:
        work(stop)
        return
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, stop) for _ in range(threads)]
        try:
            for future in futures:
                future.result()
        finally:
            stop.set()


def _work(kernel: Any, task: LaneProblem, result: LaneResult, chunks: Any, stop: threading.Event) -> None:
    """Take chunks until none is left; one thread's share."""
    size = min(CHUNK, task.n)
    kept_space, int_space = np.empty((size, layout.COLUMNS)), np.empty((size, layout.KEPT_INTS), np.int64)
    work = aligned_numbers(layout.ROWS * layout.LANES)
    work_ints = aligned_numbers(layout.INT_ROWS * layout.LANES).view(np.int64)
    queues = np.empty((2, size), np.int64)
    while not stop.is_set():
        try:
            lanes = chunks.get_nowait()
        except queue.Empty:
            return
        n = lanes.stop - lanes.start
        kept, ints = kept_space[:n], int_space[:n]
        for row, name in zip((layout.P, layout.S, layout.TAU), problem.STATE, strict=True):
            kept[:, row] = task.part(name, lanes)
        for row, name in enumerate(problem.CONSTANTS, start=layout.ALPHA_P):
            kept[:, row] = task.part(name, lanes)
        kept[:, layout.ESCAPE_P] = task.escape_levels(lanes)
        kernel(kept, ints, work, work_ints, queues, task.t1, log2_bits(task.rtol), task.max_steps, STIFF_REACH)
        result.set_rows(lanes, kept, ints, task.part("s", lanes))
        sign_change.run_through(task, result, lanes)
