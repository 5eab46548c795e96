"""Run-time shape checks (jaxtyping + beartype): what goes into a flow and what comes out, on every call in tests."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from beartype import beartype
from jaxtyping import Float64, jaxtyped

from lindyn import flows

Array = np.ndarray | jax.Array
Matrix = Float64[Array, "n2 n1"]
Square = Float64[Array, "n2 n2"]
Number = Float64[Array, ""]
Modes = Float64[Array, "*modes"]

checked = jaxtyped(typechecker=beartype)


@checked
def weights(W: Matrix, W_p: Square, W_a: Matrix, dW: Matrix, dW_p: Square, dW_a: Matrix) -> None:
    """(W, W_p, W_a) and their rates."""


@checked
def correlation(W_p: Square, F: Square, tau: Number, dW_p: Square, dF: Square, dtau: Number) -> None:
    """(W_p, F, tau) and their rates."""


@checked
def gram(W_p: Square, F: Square, H: Square, J: Square, dW_p: Square, dF: Square, dH: Square, dJ: Square) -> None:
    """(W_p, F, H, J) and their rates."""


@checked
def modes(p: Modes, s: Modes, tau: Modes, dp: Modes, ds: Modes, dtau: Modes) -> None:
    """(p, s, tau) and their rates."""


@checked
def mode_weights(p: Modes, w: Modes, a: Modes, dp: Modes, dw: Modes, da: Modes) -> None:
    """(p, w, a) and their rates."""


@checked
def parabola(p: Modes, tau: Modes, dp: Modes, dtau: Modes) -> None:
    """(p, tau) and their rates."""


CHECKS = {
    flows.WeightFlow: weights,
    flows.CorrelationFlow: correlation,
    flows.GramFlow: gram,
    flows.ModeFlow: modes,
    flows.ModeWeightFlow: mode_weights,
    flows.ParabolaFlow: parabola,
}


PASSED: set[tuple] = set()


def check_call(flow: Any, y: Any, dy: Any) -> None:
    """Raise unless the state and its derivative have the annotated shapes, all in float64.

    The answer depends on types, shapes and dtypes alone, so a combination that passed is not checked twice.
    """
    given = (*vars(y).values(), *vars(dy).values())
    kinds = [(type(v), getattr(v, "shape", None), getattr(v, "dtype", None)) for v in given]
    seen = (type(flow), type(y), type(dy), *vars(y), *vars(dy), *kinds)
    if seen in PASSED:
        return
    assert type(dy) is type(y), f"{type(flow).__name__} answered with {type(dy).__name__} to {type(y).__name__}"
    values = {n: getattr(y, n) for n in y._fields()} | {f"d{n}": getattr(dy, n) for n in y._fields()}
    if all(hasattr(v, "dtype") for v in values.values()):  # symbols have none: the proofs call the flows on them
        CHECKS[type(flow)](**{n: np.asarray(v) if isinstance(v, np.generic) else v for n, v in values.items()})
        PASSED.add(seen)


@contextlib.contextmanager
def check_flow_calls() -> Iterator[None]:
    """Check every call of every flow while the context is open."""
    plain = {cls: cls.__call__ for cls in CHECKS}

    def watched(call: Any) -> Any:
        @functools.wraps(call)
        def checking(self: Any, t: Any, y: Any, args: Any = None) -> Any:
            dy = call(self, t, y, args)
            check_call(self, y, dy)
            return dy

        return checking

    for cls, call in plain.items():
        cls.__call__ = watched(call)
    try:
        yield
    finally:
        for cls, call in plain.items():
            cls.__call__ = call
