"""Frozen records that JAX can map over and differentiate through, without loading JAX; the base of what is integrated.

A `Record` is a frozen dataclass checked when it is made. If JAX is in the process, every record class is
registered as a pytree: fields marked `static()` are structure, all others are leaves or subtrees.
"""

import dataclasses
import functools
import sys
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from lindyn import _checks, statistics
from lindyn.display.brief import Brief

_CLASSES: list[Any] = []
_REGISTERED: set[Any] = set()


def static(default: Any = dataclasses.MISSING) -> Any:
    """Declare a dataclass field that is structure, not data (a name, a switch)."""
    return dataclasses.field(default=default, metadata={"static": True})


def register_records() -> None:
    """Register every record class with JAX; imports JAX. Idempotent."""
    import jax

    for cls in _CLASSES:
        if cls not in _REGISTERED:
            _REGISTERED.add(cls)
            jax.tree_util.register_pytree_with_keys(cls, _flatten_with_keys, _unflattener(cls))


def _flatten_with_keys(record: "Record") -> tuple[list, tuple]:
    from jax.tree_util import GetAttrKey

    children = [(GetAttrKey(name), getattr(record, name)) for name in record._fields(static=False)]
    return children, tuple(getattr(record, name) for name in record._fields(static=True))


def _unflattener(cls: Any) -> Any:
    def unflatten(aux: tuple, children: Any) -> "Record":
        values = dict(zip(cls._fields(static=False), children, strict=True))
        return cls._unchecked(**values, **dict(zip(cls._fields(static=True), aux, strict=True)))

    return unflatten


@functools.cache  # a flow's every call asks for them
def _names(cls: Any, static: bool | None) -> tuple[str, ...]:
    every = dataclasses.fields(cls)
    return tuple(f.name for f in every if static is None or f.metadata.get("static", False) == static)


class Record(Brief):
    """Base of the frozen records. Subclasses are decorated with `@dataclass(frozen=True, eq=False)`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _CLASSES.append(cls)

    def __post_init__(self) -> None:
        if "jax" in sys.modules and type(self) not in _REGISTERED:
            register_records()
        self._check()

    def _check(self) -> None:
        """Raise ValueError on a bad field; may normalise fields through `_set`."""

    def _set(self, **values: Any) -> None:
        """Normalise fields of a record that is being made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def _fields(cls, static: bool | None = None) -> list[str]:
        """Return field names: all of them, or only the static or the data fields."""
        return list(_names(cls, static))  # type: ignore[arg-type]  # the class is the key, not a record

    @classmethod
    def _unchecked(cls, **values: Any) -> Self:
        """Make a record without its checks (derivatives, JAX placeholders, stacked trajectories)."""
        record = object.__new__(cls)
        record.__dict__.update(values)
        return record

    def _replace(self, **values: Any) -> Self:
        """Return an unchecked copy with some fields replaced."""
        return self._unchecked(**{name: getattr(self, name) for name in self._fields()} | values)


class Panel(NamedTuple):
    """One panel of a run's picture, a line per mode over time: label, values (times first), log axis, line at 0.

    `ratio` marks what is divided by a mode's size: it is not drawn where the mode is gone.
    """

    label: str
    values: Any
    log: bool = False
    zero: bool = False
    ratio: bool = False


class State(Record):
    """What a flow integrates: arrays by name, a field each; those of a trajectory have the times as first axis.

    axes        names of a field's axes in a file, time apart ("mode" where none are given)
    symmetric   fields that are symmetric matrices
    elementwise errors of integration are measured per entry, not against the root mean square of a field
    slave       the field that a closed-form predictor sets
    roles       what a descent trains, and which of it are the online weights and the target's; None: no weights
    balanced    whether F (or s) and W_p (or p) are held apart, so that Theorem 1 can be measured
    round_off   share of the largest s below which an eigenvalue is round-off; 0 where modes do not mix
    """

    axes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    symmetric: ClassVar[tuple[str, ...]] = ()
    elementwise: ClassVar[bool] = False
    slave: ClassVar[str] = "p"
    roles: ClassVar[tuple[tuple[str, ...], str, str] | None] = None
    balanced: ClassVar[bool] = False
    round_off: ClassVar[float] = 0.0

    def blocks(self) -> dict[str, Any]:
        """Return every array by its name in a file: the fields, those that hold several arrays one by one."""
        return {name: getattr(self, name) for name in self._fields()}

    @classmethod
    def of_blocks(cls, blocks: Mapping[str, Any]) -> Self:
        """Return the unchecked state of these arrays, named as in `blocks`."""
        return cls._unchecked(**{name: blocks[name] for name in cls._fields()})

    def at(self, index: Any) -> Self:
        """Return the state (or stacked states) at an index of the first axis."""
        return self.of_blocks({name: block[index] for name, block in self.blocks().items()})

    @classmethod
    def rates(cls, **fields: Any) -> Self:
        """Return a record of derivatives, as a flow answers: any numbers, nothing is checked."""
        return cls._unchecked(**fields)

    def sizes(self, alpha_p: float) -> np.ndarray | None:
        """Return the sizes s_j of the modes, one per state and mode; None where the state does not tell."""
        return None

    def curves(self, flow: Any) -> list[Panel]:
        """Return up to four panels of a run's picture; by default one of each field."""
        return [Panel(name, getattr(self, name)) for name in self._fields()]


class MatrixState(State):
    """A state with the predictor W_p and the correlation F = W W^T of the outputs, each n2 x n2."""

    W_p: Any
    F: Any
    axes = {"W": ("n2", "n1"), "W_a": ("n2", "n1")} | dict.fromkeys(("W_p", "F", "H", "J"), ("n2", "n2_in"))
    slave = "W_p"
    balanced = True
    round_off = 1e-13

    def correlation(self) -> np.ndarray:
        """Return F."""
        return _checks.to_numpy(self.F)

    def beside_predictor(self) -> np.ndarray:
        """Return what Theorem 1 holds against W_p^T W_p / alpha_p: F, or W_L W_L^T of the last layer."""
        return self.correlation()

    def cross(self) -> np.ndarray:
        """Return H = W_a W^T."""
        return _checks.to_numpy(self.H)  # type: ignore[attr-defined]

    def eigen(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (s, U): eigenvalues of F, largest first, and its eigenvectors as columns."""
        return statistics.eigen(self.correlation())

    def sizes(self, alpha_p: float) -> np.ndarray | None:
        """Return the eigenvalues of F, largest first."""
        return self.eigen()[0]

    def ratio(self) -> np.ndarray:
        """Return tau = <W_a, W> / ||W||^2, the best scalar; NaN at W = 0."""
        return statistics.tau(self.cross(), self.correlation())


class ModalState(State):
    """A state of modes that do not know of each other: an entry per mode."""

    p: Any
    tau: Any
    elementwise = True

    def ratio(self) -> np.ndarray:
        """Return tau per mode."""
        return _checks.to_numpy(self.tau)
