"""BLAS threads: one is enough for small matrices, and on a busy machine much faster."""

import contextlib

SMALL = 300  # up to this size a second BLAS thread costs more in waiting than it computes


def one_thread(size: int) -> contextlib.AbstractContextManager:
    """Return a context in which BLAS uses one thread where the largest matrix side is small.

    On a busy machine the threads of a small product wait for each other: an eigenproblem of 64 x 64 took 2 s with two
    threads and 0.04 s with one.
    """
    if size > SMALL:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas")
