"""JAX and `os.fork`: a child forked after JAX had run waits for ever for threads that only its parent has."""

import os
import sys


class _Jax:
    """Whether forks are watched, lindyn has run JAX here, and this process was forked after JAX had run."""

    watched = False
    used = False
    lost = False


def _has_run() -> bool:
    """Return whether JAX has started its threads in this process; that it was imported is no harm."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    started = getattr(bridge, "backends_are_initialized", None)  # no public name tells it
    return _Jax.used or bool(started is not None and started())


def _after_fork() -> None:
    _Jax.lost = _Jax.lost or _has_run()


def watch() -> None:
    """Notice forks from now on; `import lindyn` calls it, so that JAX counts whoever ran it."""
    if hasattr(os, "register_at_fork") and not _Jax.watched:
        os.register_at_fork(after_in_child=_after_fork)
        _Jax.watched = True


def jax_is_lost() -> bool:
    """Return whether this process was forked after JAX had run."""
    return _Jax.lost


def check_jax(instead: str) -> None:
    """Raise RuntimeError where JAX would hang; to be called before anything is run in JAX.

    Args:
        instead: what needs no JAX, for the message.
    """
    if _Jax.lost:
        raise RuntimeError(
            "JAX would hang in this process, which was forked after JAX had run in its parent; start workers with "
            f"multiprocessing.get_context('spawn') (or 'forkserver'), or {instead}."
        )
    _Jax.used = True
