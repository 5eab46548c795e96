"""Reads pickles without running anything in them: what is no array, number or container becomes an inert stand-in.

A pickle names functions and calls them. Here a name gives the real thing only where it builds a tensor or a plain
container; an array is made here, of bytes that are all there; any other name, `os.system` as well as
`haiku.FlatMapping`, gives a class whose objects keep what they are given and do nothing. So the weights of a network
arrive, whatever wrote them, and neither haiku nor dill nor jax has to be there.
"""

import collections
import math
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np
import torch

_HOLDERS = ("_storage", "_mapping", "_content", "_val")  # haiku's mappings, omegaconf's nodes
_TYPE = re.compile(r"[<>=|]?(?:[biu][1248]|f(?:2|4|8|16)|c(?:8|16)|[SU]\d{1,6}|\?)")
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
_JAX_ARRAYS = ("_reconstruct_array", "reconstruct_device_array", "_reconstruct_device_array")
_DILL_TYPES = ("_load_type", "_create_type", "_create_namedtuple")
_FIELDS = {"_ByolExperimentState": ("online_params", "target_params", "online_state", "target_state", "opt_state")}


class Inert:
    """An object of a class that is not loaded: it keeps what the pickle gave and does nothing."""

    name = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Inert":
        """Keep the arguments."""
        made = object.__new__(cls)
        made.args, made.state, made.entries = args, None, {}  # type: ignore[attr-defined]
        return made

    def __init__(self, *args: Any, **kwargs: Any):
        self.args: tuple[Any, ...]
        self.state: Any
        self.entries: dict[Any, Any]

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries[key] = value

    def __call__(self, *args: Any, **kwargs: Any) -> "Inert":
        """Stand for whatever a call of it would have given."""
        return Inert(*args)

    def append(self, value: Any) -> None:
        """Keep an item of a list."""
        self.entries[len(self.entries)] = value

    def extend(self, values: Any) -> None:
        """Keep the items of a list."""
        for value in values:
            self.append(value)


def _inert(name: str) -> type[Inert]:
    return type(name.rsplit(".", 1)[-1] or "Inert", (Inert,), {"name": name})


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Return the bytes that Python 2's pickle protocol writes as text."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"unexpected encoding {encoding!r}")
    return text.encode("latin1")


class Dtype(Inert):
    """A type of numpy that a pickle names; only those of numbers and words become one (`made`)."""

    name = "numpy.dtype"

    def made(self) -> np.dtype | None:
        """Return the type, or None where it is none of numbers or words."""
        name = self.args[0] if self.args else None
        if not isinstance(name, str) or not _TYPE.fullmatch(name):
            return None
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        made = np.dtype(name)
        return made.newbyteorder("<" if order == "<" else ">") if order in ("<", ">") else made

    def is_bfloat16(self) -> bool:
        """Return whether it is the type of jax that numpy does not have."""
        return bool(self.args) and isinstance(self.args[0], type) and self.args[0].__name__ == "bfloat16"


class Array(Inert):
    """An array that a pickle describes; numpy's own way of making it would take pointers for numbers."""

    name = "numpy.ndarray"

    def made(self) -> Any:
        """Return the array; of objects the list of them; None of any other type.

        Raises:
            pickle.UnpicklingError: its bytes are not those of its shape.
        """
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            return None
        _, shape, dtype, fortran, content = self.state
        if isinstance(content, list):
            return plain(content)
        order = "F" if fortran is True or fortran == "F" else "C"
        return _from_bytes(content, dtype, shape, order)


def _from_bytes(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray | None:
    """Return the numbers that bytes stand for, or None where their type is not one of numbers or words."""
    kind = dtype.made() if isinstance(dtype, Dtype) else None
    wide = kind is None and isinstance(dtype, Dtype) and dtype.is_bfloat16()
    if wide:
        kind = np.dtype("<u2")
    if kind is None:
        return None
    if not isinstance(content, bytes | bytearray) or not isinstance(shape, tuple) or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array of it is not written as numpy writes it")
    if not all(type(length) is int and length >= 0 for length in shape) or (
        math.prod(shape) * kind.itemsize != len(content)
    ):
        raise pickle.UnpicklingError(f"an array of it has the shape {shape} and {len(content)} bytes")
    flat = np.frombuffer(content, dtype=kind) if content else np.empty(0, kind)
    if wide:
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(shape, order=order)


def _scalar(dtype: Any, content: Any) -> Any:
    """Return a number as numpy pickles it."""
    if isinstance(content, bytes):
        found = _from_bytes(content, dtype, (1,), "C")
        return None if found is None else found[0]
    return content


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: str, axis_order: Any = None) -> Any:
    """Return an array as numpy's newest pickles write it."""
    found = _from_bytes(buffer, dtype, shape, "C" if order == "K" else order)
    if found is None or order != "K" or axis_order is None:
        return found
    return found.transpose([int(axis) for axis in axis_order])


def _jax_array(make: Any, args: Any, state: Any, *rest: Any) -> Array:
    """Return a jax array as the numpy array that is inside its pickle."""
    made = Array()
    made.state = state
    return made


def _tensor(storage: Any, offset: Any, sizes: Any, strides: Any, *rest: Any) -> torch.Tensor:
    """Return a tensor that lies within its storage."""
    numbers = [offset, *sizes, *strides]
    if not isinstance(storage, torch.storage.TypedStorage) or len(sizes) != len(strides):
        raise pickle.UnpicklingError("a tensor of it has no storage")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise pickle.UnpicklingError(f"a tensor of it has sizes {tuple(sizes)} and strides {tuple(strides)}")
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if 0 not in sizes and last >= storage._size():
        raise pickle.UnpicklingError(f"a tensor of it has sizes {tuple(sizes)}, more than its storage")
    return torch._utils._rebuild_tensor(storage, offset, tuple(sizes), tuple(strides))


def _simple(kind: type) -> Callable[..., Any]:
    """Return a function that makes one of Python's simple values of another, and stands in for it elsewhere."""

    def make(*args: Any) -> Any:
        good = len(args) <= 2 and all(isinstance(arg, str | bytes | int | float) for arg in args)
        if kind in (bytearray, bytes) and args:
            good = good and isinstance(args[0], str | bytes)
        return kind(*args) if good else Inert(*args)

    return make


def _known() -> dict[tuple[str, str], Any]:
    """Return what a name may really give, by module and name; functions fresh, as a pickle may set attributes."""
    known: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("_codecs", "encode"): lambda *args: _encode(*args),
        ("numpy", "ndarray"): type("ndarray", (Array,), {}),
        ("numpy", "dtype"): type("dtype", (Dtype,), {}),
        ("torch", "Size"): torch.Size,
        ("torch", "device"): torch.device,
        ("torch._utils", "_rebuild_tensor_v2"): lambda *args: _tensor(*args),
        ("torch._utils", "_rebuild_tensor"): lambda *args: _tensor(*args),
        ("torch._utils", "_rebuild_parameter"): lambda data, *rest: data,
    }
    for module in _NUMPY:
        known[module, "_reconstruct"] = lambda *args: Array(*args)
        known[module, "scalar"] = lambda *args: _scalar(*args)
        known[module.replace("multiarray", "numeric"), "_frombuffer"] = lambda *args: _frombuffer(*args)
    for kind in (dict, list, tuple, set, frozenset):
        known["builtins", kind.__name__] = known["__builtin__", kind.__name__] = kind
    for simple in (bytearray, bytes, complex, int, float, bool, str):
        known["builtins", simple.__name__] = known["__builtin__", simple.__name__] = _simple(simple)
    for name, value in vars(torch).items():
        if isinstance(value, torch.dtype):
            known["torch", name] = value
    return known


class Unpickler(pickle.Unpickler):
    """Unpickles arrays, tensors and containers; all else becomes `Inert`."""

    def __init__(self, file: BinaryIO, **options: Any):
        super().__init__(file, **options)
        self._classes: dict[tuple[str, str], Any] = _known()

    def find_class(self, module: str, name: str) -> Any:
        """Return the real thing where it is harmless, a fresh stand-in otherwise; nothing is imported."""
        key = (module, name)
        if key not in self._classes:
            self._classes[key] = self._stand_in(module, name)
        return self._classes[key]

    def _stand_in(self, module: str, name: str) -> Callable[..., Any]:
        if module.split(".")[0] in ("jax", "jaxlib") and name in _JAX_ARRAYS:
            return lambda *args: _jax_array(*args)
        if module.split(".")[0] == "dill" and name in _DILL_TYPES:
            return lambda *args: _inert(".".join(map(str, args[:1])))
        return _inert(f"{module}.{name}")


class PickleModule:
    """What `torch.load` wants of a pickle module."""

    __name__ = "lindyn.bridge.checkpoints.stubs"
    Unpickler = Unpickler
    UnpicklingError = pickle.UnpicklingError

    @staticmethod
    def load(file: BinaryIO, **options: Any) -> Any:
        """Return the next object of a file."""
        return Unpickler(file, **options).load()


def plain(value: Any) -> Any:
    """Return a tree of dicts, lists, arrays, tensors and numbers: stand-ins give way to what they hold."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str | int) else str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return _held(value) if isinstance(value, Inert) else value


def _held(value: Inert) -> Any:
    """Return what a stand-in holds: numbers, fields, a mapping, a module's tensors, its attributes."""
    if isinstance(value, Array):
        return value.made()
    fields = _FIELDS.get(type(value).__name__)
    if fields and len(value.args) == len(fields):
        return dict(zip(fields, map(plain, value.args), strict=True))
    if value.entries:
        return plain(value.entries)
    state = value.state
    if isinstance(state, tuple):  # (attributes, slots)
        state = {name: entry for part in state if isinstance(part, Mapping) for name, entry in part.items()}
    if isinstance(state, Mapping):
        if "_parameters" in state and "_modules" in state:
            return _module(state)
        found = [state[name] for name in _HOLDERS if name in state]
        return plain(found[0]) if found else plain(state)
    mappings = [entry for entry in value.args if isinstance(entry, Mapping | Inert)]
    return plain(mappings[0]) if len(mappings) == 1 and len(value.args) == 1 else plain(list(value.args))


def _module(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of a pickled torch module by name, as its state dict has them."""
    found: dict[str, Any] = {}
    for part in ("_parameters", "_buffers"):
        found |= {name: entry for name, entry in (state.get(part) or {}).items() if entry is not None}
    for name, inner in (state["_modules"] or {}).items():
        tree = plain(inner)
        found |= {f"{name}.{key}": entry for key, entry in tree.items()} if isinstance(tree, Mapping) else {}
    return found
