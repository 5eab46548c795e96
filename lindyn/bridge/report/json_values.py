"""Values as JSON knows them, and back: NaN and infinity are null, lists of numbers are arrays."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a value as JSON knows it; NaN and infinity become None.

    Args:
        value: numbers, texts, arrays, tensors, records, in any nesting.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain({each.name: getattr(value, each.name) for each in dataclasses.fields(value)})
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def number(value: Any) -> float:
    """Return a number, NaN for null.

    Args:
        value: as JSON has it.
    """
    return math.nan if value is None else float(value)


def back(value: Any) -> Any:
    """Return lists of numbers (null: NaN) as arrays, null as NaN, everything else as it is.

    Args:
        value: as JSON has it.
    """
    if value is None:
        return math.nan
    if isinstance(value, dict):
        return {key: back(entry) for key, entry in value.items()}
    if isinstance(value, list):
        try:
            return np.array(_with_nan(value), dtype=float)
        except (TypeError, ValueError):
            return value
    return value


def array(values: Any) -> np.ndarray:
    """Return a list of numbers, null for NaN, as an array.

    Args:
        values: as JSON has them.

    Raises:
        TypeError: words among them.
    """
    return np.asarray(_with_nan(values), dtype=float)


def _with_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_nan(entry) for entry in value]
    if isinstance(value, str | bool):
        raise TypeError("words")
    return math.nan if value is None else value
