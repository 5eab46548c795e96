"""Reads pickles without running anything in them: what is no array, number or container becomes an inert stand-in.

A pickle names functions and calls them. Here a name gives the real thing only where it builds a tensor, an array or a
plain container; any other name, `os.system` as well as `haiku.FlatMapping`, gives a class whose objects keep what they
are given and do nothing. So the weights of a network arrive, whatever wrote them, and neither haiku nor dill nor jax
has to be there.
"""

import collections
import pickle
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np
import torch

_HOLDERS = ("_storage", "_mapping", "_content", "_val")  # haiku's mappings, omegaconf's nodes
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


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: str, axis_order: Any = None) -> np.ndarray:
    """Return an array as numpy's newest pickles write it."""
    flat = np.frombuffer(buffer, dtype=dtype)
    if order == "K" and axis_order is not None:
        return flat.reshape(shape, order="C").transpose(axis_order)
    return flat.reshape(shape, order=order)  # type: ignore[call-overload]


def _jax_array(make: Any, args: Any, state: Any, *rest: Any) -> np.ndarray:
    """Return a jax array as the numpy array that is inside its pickle."""
    made = np.empty(0)
    made.__setstate__(state)
    return made


def _known() -> dict[tuple[str, str], Any]:
    """Return what a name may really give, by module and name; functions fresh, as a pickle may set attributes."""
    known: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("_codecs", "encode"): lambda *args: _encode(*args),
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("torch", "Size"): torch.Size,
        ("torch", "device"): torch.device,
        ("torch._utils", "_rebuild_tensor_v2"): lambda *args: torch._utils._rebuild_tensor_v2(*args),
        ("torch._utils", "_rebuild_tensor"): lambda *args: torch._utils._rebuild_tensor(*args),
        ("torch._utils", "_rebuild_parameter"): lambda data, *rest: data,
    }
    multiarray = np.ndarray.__reduce__(np.empty(0))[0].__module__
    functions: Any = __import__(multiarray, fromlist=["scalar"])
    for module in _NUMPY:
        known |= {(module, "_reconstruct"): functions._reconstruct, (module, "scalar"): functions.scalar}
        known[module.replace("multiarray", "numeric"), "_frombuffer"] = lambda *args: _frombuffer(*args)
    for name in ("dict", "list", "tuple", "set", "frozenset", "bytearray", "complex", "int", "float", "bool", "str"):
        known["builtins", name] = known["__builtin__", name] = getattr(__import__("builtins"), name)
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
    """Return what a stand-in holds: fields, a mapping, a module's tensors, its attributes."""
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
