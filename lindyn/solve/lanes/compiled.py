"""How the lanes are compiled: flags, the equations as numba functions, and a disk cache that cannot go stale."""

import contextlib
import functools
import hashlib
import pickle
import types
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
from numba.core import caching
from numba.core import types as numba_types
from numba.core.serialize import dumps
from numba.extending import intrinsic

from lindyn import equations
from lindyn.equations import modes, target
from lindyn.stored import sums

FASTMATH = {"contract"}  # fused multiply-adds; nothing that would drop NaN or reorder sums

_FEATURES: str | None = getattr(numba.config, "CPU_FEATURES", None)  # NUMBA_CPU_FEATURES
WIDE_REGISTERS = "+avx512f" in (llvmlite.binding.get_host_cpu_features().flatten() if _FEATURES is None else _FEATURES)
"""Whether there are 32 vector registers of eight numbers each, on this machine or the one that numba is told of."""

inlined = numba.njit(fastmath=FASTMATH, forceinline=True, error_model="numpy")

EQUATIONS = types.SimpleNamespace(
    drive=inlined(modes.drive),
    dp=inlined(modes.dp),
    growth=inlined(modes.growth),
    ds=inlined(modes.ds),
    alignment_rate=inlined(modes.alignment_rate),
    dtau=inlined(target.dtau),
)
"""The very functions of `lindyn.equations`, callable inside compiled loops."""


def _wide_vectors(context):  # type: ignore[no-untyped-def]
    """Allow the function in which it stands 512-bit vectors, which LLVM avoids by default (no effect without them)."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        attributes = builder.function.attributes
        if isinstance(attributes, set):  # llvmlite's own add refuses names it does not know
            set.add(attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return numba_types.void(), codegen


wide_vectors: Any = intrinsic(_wide_vectors)


def _apart(context):  # type: ignore[no-untyped-def]
    """Keep the function in which it stands a function of its own: copies in every caller would be compiled each."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return numba_types.void(), codegen


apart: Any = intrinsic(_apart)


def _where(context, condition, a, b):  # type: ignore[no-untyped-def]
    """Return a where the condition holds, else b (one type), as a `select`.

    Not `a if condition else b`, which is a branch: LLVM may then store a from one side and b from the other, two
    vector stores under opposite masks, and the next step's load has to wait until both have reached the cache.
    """

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.select(*args)

    return a(condition, a, a), codegen


where: Any = intrinsic(_where)


@functools.cache
def source_stamp() -> str:
    """Return a hash of the sources that a compiled kernel is made of: the equations and this folder."""
    return sums.sha256_of_sources(Path(equations.__file__).parent, Path(__file__).parent)


class _StampedCache(caching.FunctionCache):
    """numba's disk cache, keyed by the variant and the sources instead of by pickled closures, with checksums.

    numba looks only at the file of the outermost function, so an edited equation would go unnoticed, and it pickles
    closures, which for compiled functions differ from process to process. It also takes what it finds: an empty index
    is an EOFError for ever, a flipped bit runs as machine code, and two processes that save at once may leave the code
    of one variant under the key of another. Here all of that is a miss, and what cannot be saved stays in memory.
    """

    def __init__(self, function: Any, variant: tuple) -> None:
        super().__init__(function)
        self._variant = variant

    def _index_key(self, sig: Any, codegen: Any) -> tuple:
        return (sig, codegen.magic_tuple(), self._variant, source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code on disk; None where there is none, or none that can be read and trusted."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged pickle may raise anything
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep compiled code on disk where that can be written; it is in memory anyhow."""
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        key = self._index_key(sig, target_context.codegen())
        kept = self._cache_file.load(key) if self._enabled else None
        if kept is None:
            return None
        digest, code = kept
        if digest != _digest(key, code):
            self._cache_file.flush()  # the index may lead to the wrong file
            return None
        return self._impl.rebuild(target_context, pickle.loads(code))

    def _save_overload(self, sig: Any, data: Any) -> None:
        if not self._enabled or not self._impl.check_cachable(data):
            return
        self._impl.locator.ensure_cache_path()
        key, code = self._index_key(sig, data.codegen), dumps(self._impl.reduce(data))
        entry = _digest(key, code), code
        try:
            self._cache_file.save(key, entry)
        except OSError:
            raise
        except Exception:  # the index is damaged: begin a new one
            self._cache_file.flush()
            self._cache_file.save(key, entry)


def _digest(key: tuple, code: bytes) -> str:
    return hashlib.sha256(repr(key).encode() + code).hexdigest()


def compile_kernel(function: Any, variant: tuple, cache: bool = True) -> Any:
    """Return `function` compiled without the interpreter lock, kept on disk under the name of its variant.

    Args:
        function: the Python function, a closure over compiled functions.
        variant: what distinguishes it from other closures of the same code.
        cache: whether to use the disk.

    Returns:
        The dispatcher.
    """
    dispatcher = numba.njit(function, fastmath=FASTMATH, nogil=True, error_model="numpy")
    if cache:
        with contextlib.suppress(RuntimeError, OSError):  # no folder can be written: compile anew in every process
            dispatcher._cache = _StampedCache(function, variant)
    return dispatcher
