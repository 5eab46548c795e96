"""torch as it starts up, for calls that build networks of their own, whatever the user's default dtype and device."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
T = TypeVar("T")
WIDE = (torch.float32, torch.float64)
"""The dtypes in which torch has the linear algebra that statistics need."""


def wide_default() -> torch.dtype:
    """Return the default dtype where statistics can be held in it, else float32."""
    return torch.get_default_dtype() if torch.get_default_dtype() in WIDE else torch.float32


@contextlib.contextmanager
def plain_defaults() -> Iterator[None]:
    """Have float32 on the CPU as torch's defaults, and the user's again afterwards."""
    before = torch.get_default_dtype()
    elsewhere = torch.empty(0).device.type != "cpu"
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu") if elsewhere else contextlib.nullcontext():  # the first slows every call of torch down
            yield
    finally:
        torch.set_default_dtype(before)


def under_plain_defaults(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function run under `plain_defaults`."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with plain_defaults():
            return function(*args, **kwargs)

    return run
