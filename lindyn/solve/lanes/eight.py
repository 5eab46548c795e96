"""Eight numbers abreast as one value of compiled code: a row of memory, in vector registers.

numba's loops over lanes become vector instructions only where LLVM can tell that a store does not touch what is read
next; of matrices in one memory it cannot. These values are vectors by type.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

ABREAST = 8
_VECTOR = ir.VectorType(ir.DoubleType(), ABREAST)
_FUSED = ("contract",)


def aligned(rows: int) -> np.ndarray:
    """Return zeros, eight a row, each row in one line of the cache: a vector across two lines takes twice as long."""
    numbers = np.zeros(ABREAST * (rows + 1))
    start = -(numbers.ctypes.data // numbers.itemsize) % ABREAST
    return numbers[start : start + ABREAST * rows].reshape(rows, ABREAST)


def aligned_numbers(size: int) -> np.ndarray:
    """Return so many zeros, one after the other, that begin with a line of the cache."""
    return aligned(-(-size // ABREAST)).reshape(-1)[:size]


class EightType(types.Type):
    """The type of such a value."""

    def __init__(self) -> None:
        super().__init__(name="Eight")


EIGHT = EightType()


@register_model(EightType)
class _EightModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context: Any, builder: Any, signature: Any, m: Any, k: Any) -> Any:
    """Return where row k of memory (rows, 8) begins; of memory with one axis, where number k is."""
    memory = context.make_array(signature.args[0])(context, builder, value=m)
    start = builder.gep(memory.data, [k if signature.args[0].ndim == 1 else builder.mul(k, k.type(ABREAST))])
    return builder.bitcast(start, _VECTOR.as_pointer())


def _take(typing, m, k):  # type: ignore[no-untyped-def]
    """Return row k of memory, or the eight numbers from k on."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.load(_address(context, builder, signature, *args), align=8)

    return EIGHT(m, types.int64), codegen


def _put(typing, m, k, value):  # type: ignore[no-untyped-def]
    """Write row k of memory, or the eight numbers from k on."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        builder.store(args[2], _address(context, builder, signature, *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(m, types.int64, EIGHT), codegen


def _of_two(instruction: str) -> Any:
    def operation(typing, a, b):  # type: ignore[no-untyped-def]
        def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
            return getattr(builder, instruction)(*args, flags=_FUSED)

        return EIGHT(EIGHT, EIGHT), codegen

    return intrinsic(operation)


def _times_plus(typing, a, b, c):  # type: ignore[no-untyped-def]
    """Return a b + c, rounded once."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        fused = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{ABREAST}f64"
        )
        return builder.call(fused, args)

    return EIGHT(EIGHT, EIGHT, EIGHT), codegen


def _root(typing, a):  # type: ignore[no-untyped-def]
    """Return the square roots."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        root = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), f"llvm.sqrt.v{ABREAST}f64"
        )
        return builder.call(root, args)

    return EIGHT(EIGHT), codegen


def _size(typing, a):  # type: ignore[no-untyped-def]
    """Return the absolute values."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        size = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR]), f"llvm.fabs.v{ABREAST}f64"
        )
        return builder.call(size, args)

    return EIGHT(EIGHT), codegen


def _larger(typing, a, b):  # type: ignore[no-untyped-def]
    """Return the larger of two numbers each; b where a is NaN."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return EIGHT(EIGHT, EIGHT), codegen


def _pick(typing, wanted, a, b):  # type: ignore[no-untyped-def]
    """Return a where `wanted` is positive, else b."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        zero = ir.Constant(_VECTOR, [0.0] * ABREAST)
        return builder.select(builder.fcmp_ordered(">", args[0], zero), *args[1:])

    return EIGHT(EIGHT, EIGHT, EIGHT), codegen


def _all(typing, value):  # type: ignore[no-untyped-def]
    """Return eight times one number."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], ir.Constant(ir.IntType(32), 0))
        first = ir.Constant(ir.VectorType(ir.IntType(32), ABREAST), [0] * ABREAST)
        return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), first)

    return EIGHT(types.float64), codegen


take: Any = intrinsic(_take)
put: Any = intrinsic(_put)
plus, minus, times, over = (_of_two(name) for name in ("fadd", "fsub", "fmul", "fdiv"))
times_plus: Any = intrinsic(_times_plus)
root: Any = intrinsic(_root)
size: Any = intrinsic(_size)
larger: Any = intrinsic(_larger)
pick: Any = intrinsic(_pick)
all_equal: Any = intrinsic(_all)
