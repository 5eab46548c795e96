"""Packages of the extra `images`, asked for when they are needed."""

import contextlib
import importlib

SMALL_N1 = 300  # up to here a second BLAS thread costs more in waiting than it computes


def require(package: str, what: str) -> None:
    """Import an optional package.

    Raises:
        ImportError: it is not installed; the sentence says how to install it.
    """
    try:
        importlib.import_module(package)
    except ImportError as error:
        known = {"sklearn": "scikit-learn", "PIL": "pillow"}[package]
        raise ImportError(f'{known} is needed for {what}; install it with pip install "lindyn[images]".') from error


def one_thread(n1: int) -> contextlib.AbstractContextManager:
    """Return a context in which BLAS uses one thread, where matrices are small and threadpoolctl is at hand.

    scikit-learn brings threadpoolctl. On a busy machine the threads of a small product wait for each other: the
    eigenproblem of the digits took 2 s with two threads and 0.04 s with one.
    """
    if n1 > SMALL_N1:
        return contextlib.nullcontext()
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return contextlib.nullcontext()
    return threadpool_limits(1, user_api="blas")
