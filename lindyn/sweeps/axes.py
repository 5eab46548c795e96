"""What a sweep can vary: the table of parameters, and how a number, a range or a practice becomes an axis.

All combinations of the axes are the grid, cut into blocks that are computed and stored one by one.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lindyn import _checks
from lindyn._options import DESCENT, QUANTITIES, nearest
from lindyn.display.brief import Brief


@dataclass(frozen=True, repr=False)
class Parameter(Brief):
    """One parameter of a sweep.

    Args:
        name: as an argument of `sweep`.
        label: as a coordinate of the result: initial values are p0, s0, tau0, since p, s, tau are the final ones.
        text: what it is.
        units: in flow time (learning rate x steps / (1 - momentum)); "1" for a pure number.
        default: value where it is not given; None where another parameter gives it.
        positive: whether 0 is out of range (negative always is, unless `signed`).
        signed: whether it may be negative.
    """

    name: str
    label: str
    text: str
    units: str = "1"
    default: float | None = None
    positive: bool = False
    signed: bool = False


def of_option(name: str, label: str | None = None, **more: bool) -> Parameter:
    """Return the parameter of an option of this name, with its meaning, unit and default."""
    option = (QUANTITIES | DESCENT)[name]
    return Parameter(name, label or name, option.help, option.unit, option.default, **more)


PARAMETERS = (
    *map(of_option, ("eta", "eta_p", "eta_s", "beta", "alpha_p", "x", "x_aug")),
    of_option("p", "p0", signed=True),
    of_option("s", "s0", positive=True),
    of_option("tau", "tau0", signed=True),
)
KNOWN = {parameter.name: parameter for parameter in PARAMETERS}
ALIASES = {
    "sigma2": "x_aug", "sigma": "x_aug", "alpha": "alpha_p", "weight_decay": "eta", "ema": "beta", "p0": "p",
    "s0": "s", "tau0": "tau", "lambda": "alpha_p",
}  # fmt: skip
PRACTICES = {"copy": 1.0, "zero": 0.0}  # how the target starts, as a value of tau
DEFAULT_AXES = {"eta": np.linspace(0.0, 0.3, 61), "beta": np.geomspace(0.01, 10.0, 61)}


@dataclass(frozen=True, eq=False, repr=False)
class Axis(Brief):
    """One axis of a sweep.

    Args:
        label: coordinate name in the result.
        values: increasing numbers.
        words: the practices they stand for ("copy", "zero"), or None.
        text: what it is.
        units: of the values.
    """

    label: str
    values: np.ndarray
    words: tuple[str, ...] | None = None
    text: str = ""
    units: str = "1"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def coordinate(self) -> np.ndarray:
        """What the coordinate holds: the words where there are words."""
        return self.values if self.words is None else np.array(self.words)


def check_names(unknown: Mapping[str, Any], known: Any = KNOWN) -> None:
    """Raise ValueError for an argument that is no parameter, suggesting the near one."""
    for name in unknown:
        meant = ALIASES.get(name, name)
        near = meant if meant in known else nearest(name, known)
        hint = f" Did you mean {near}?" if near else ""
        raise ValueError(f"{name} is no parameter of a sweep; there are {', '.join(known)}.{hint}")


def parse(name: str, value: Any, parameter: Parameter | None = None) -> float | Axis:
    """Return a fixed number, or an axis for a list or array.

    Args:
        name: of the argument, for messages.
        value: a number, a one-dimensional list or array of increasing numbers, or for tau "copy", "zero" or a list of
            those.
        parameter: what it is; default the one of that name.

    Returns:
        A float, or an `Axis`.

    Raises:
        ValueError: not numbers, empty, not increasing, or out of range.
    """
    parameter = KNOWN[name] if parameter is None else parameter
    if name == "tau" and _is_words(value):
        return _practices(value)
    if np.size(value) == 0:
        raise ValueError(f"{name} has no values: give a number, or an array of at least one.")
    array = np.asarray(_checks.as_array(name, value))
    if array.ndim > 1:
        raise ValueError(f"{name} must be a number or a one-dimensional array; got shape {array.shape}.")
    _check_range(parameter, array)
    if array.ndim == 0:
        return float(array)
    steps = np.diff(array)
    if np.any(steps <= 0):
        k = int(np.argmax(steps <= 0))
        fix = "Reverse it." if np.all(steps < 0) else "Sort it and drop repeats."
        raise ValueError(f"{name} must increase; got {array[k]:g} followed by {array[k + 1]:g}. {fix}")
    return Axis(parameter.label, np.array(array, dtype=np.float64), None, parameter.text, parameter.units)


def _check_range(parameter: Parameter, array: np.ndarray) -> None:
    lowest = float(array.min())
    if parameter.signed or (lowest >= 0 and not (parameter.positive and lowest == 0)):
        return
    sign = ">" if parameter.positive else ">="
    raise ValueError(f"{parameter.name} must be {sign} 0 ({parameter.text}); got {lowest:g}.")


def _is_words(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(part, str) for part in value)


def _practices(value: Any) -> float | Axis:
    """Return tau for the practices "copy" (the target starts as a copy, tau = 1) and "zero" (tau = 0)."""
    words = [value] if isinstance(value, str) else list(value)
    numbers = np.array([PRACTICES[_checks.one_of("tau", word, PRACTICES)] for word in words])
    if isinstance(value, str):
        return float(numbers[0])
    if len(set(words)) < len(words):
        raise ValueError(f"tau names a practice twice: {', '.join(words)}.")
    return Axis("tau0", numbers, tuple(words), KNOWN["tau"].text, "1")


def seed_axis(seeds: Any) -> Axis:
    """Return the axis of random starts.

    Args:
        seeds: how many (0, 1, ...), or a list of increasing seeds.

    Raises:
        ValueError: neither.
    """
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        values = np.arange(_checks.as_whole("seeds", seeds))
    else:
        values = np.asarray(seeds)
        if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "iu" or np.any(values < 0):
            raise ValueError(f"seeds must be a whole number >= 1, or a list of whole numbers >= 0; got {seeds!r}.")
        if np.any(np.diff(values) <= 0):
            raise ValueError("seeds must increase; sort them and drop repeats.")
    return Axis("seed", values.astype(np.int64), None, "random start", "1")


def span(text: str, name: str = "range") -> float | np.ndarray:
    """Return the values that a command-line range stands for.

    `0.3` is a number, `0:0.3:500` 500 values from 0 to 0.3, `log:1e-2:1e1:400` the same on a log scale,
    `0.1,0.2,0.5` a list.

    Args:
        text: the range.
        name: for messages.

    Returns:
        A number or an array.

    Raises:
        ValueError: not understood, reversed, empty, or a log range with a bound <= 0.
    """
    log = text.startswith("log:")
    parts = text.removeprefix("log:").split(":")
    try:
        if len(parts) == 1 and not log:
            numbers = [float(part) for part in text.split(",")]
            return np.array(numbers) if len(numbers) > 1 else numbers[0]
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        if len(parts) != 3:
            raise IndexError
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"{name} must be a number, a list 0.1,0.2,0.5 or a range LOW:HIGH:COUNT or "
            f"log:LOW:HIGH:COUNT; got {text!r}."
        ) from error
    return _spread(name, text, low, high, count, log)


def _spread(name: str, text: str, low: float, high: float, count: int, log: bool) -> np.ndarray:
    if count < 1:
        raise ValueError(f"{name}: the range {text} is empty; its COUNT must be at least 1.")
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{name}: the bounds of {text} must be finite.")
    if log and low <= 0:
        raise ValueError(f"{name}: a log range needs bounds > 0; got {low:g} in {text}.")
    if high < low or (high == low and count > 1):
        swapped = f"{'log:' if log else ''}{high:g}:{low:g}:{count}"
        raise ValueError(
            f"{name}: the range {text} is {'reversed' if high < low else 'of no width'}; "
            + (f"write {swapped}." if high < low else "give one number.")
        )
    return np.geomspace(low, high, count) if log else np.linspace(low, high, count)


Block = tuple[int, ...]  # the position of a block among the blocks, one number per axis
POINTS = 1 << 17  # points in a block: 6 MB of result, a fraction of a second of work


@dataclass(frozen=True, eq=False, repr=False)
class Grid(Brief):
    """Every combination of the axes' values, with the rest fixed.

    Args:
        axes: in the order of the result's dimensions.
        names: the parameter that each axis varies.
        fixed: the parameters that do not vary.
    """

    axes: tuple[Axis, ...]
    names: tuple[str, ...]
    fixed: dict[str, float]

    @classmethod
    def of(cls, given: dict[str, float | Axis]) -> "Grid":
        """Return the grid of these parameters, in their order."""
        varied = {name: value for name, value in given.items() if isinstance(value, Axis)}
        fixed = {name: value for name, value in given.items() if not isinstance(value, Axis)}
        return cls(tuple(varied.values()), tuple(varied), fixed)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(axis.label for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def chunks(self, points: int = POINTS) -> tuple[int, ...]:
        """Return the shape of a block of at most `points` points: last axes whole, first axes cut."""
        shape = []
        for length in reversed(self.shape):
            shape.append(min(length, max(1, points)))
            points //= shape[-1]
        return tuple(reversed(shape))

    def blocks(self, chunks: Sequence[int]) -> Iterator[Block]:
        """Return the position of every block."""
        counts = (-(-length // chunk) for length, chunk in zip(self.shape, chunks, strict=True))
        return itertools.product(*(range(count) for count in counts))

    def region(self, block: Block, chunks: Sequence[int]) -> tuple[slice, ...]:
        """Return where a block lies in the result."""
        return tuple(
            slice(k * chunk, min((k + 1) * chunk, length))
            for k, chunk, length in zip(block, chunks, self.shape, strict=True)
        )

    def values(self, region: tuple[slice, ...]) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
        """Return every parameter over the points of a region, flat, and the region's shape."""
        parts = [axis.values[part] for axis, part in zip(self.axes, region, strict=True)]
        shape = tuple(len(part) for part in parts)
        mesh = np.meshgrid(*parts, indexing="ij") if parts else []
        varied = {name: np.ascontiguousarray(values.ravel()) for name, values in zip(self.names, mesh, strict=True)}
        count = math.prod(shape)
        return varied | {name: np.full(count, value) for name, value in self.fixed.items()}, shape

    def describe(self) -> dict[str, Any]:
        """Return the grid as plain data: what makes two sweeps the same."""
        return {
            "axes": {axis.label: axis.coordinate.tolist() for axis in self.axes},
            "fixed": dict(self.fixed),
        }
