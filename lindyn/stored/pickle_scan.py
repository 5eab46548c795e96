"""What a pickle would make, counted before any of it is made: containers, depth, shared parts, hashes, tensors.

A pickle is a program. A few hundred bytes of it can name one list a thousand times inside itself, so that whoever walks
the result never ends; can ask for an integer of gigabytes; or can describe a tensor larger than its storage. Here the
program is followed with stand-ins that hold nothing, and refused where it would make more than its size accounts for.
"""

import pickletools
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from lindyn.display.brief import Brief
from lindyn.stored import limits

DEEPEST = 300  # containers within containers: a whole torch module takes some six a level
LONGEST_INTEGER = 256  # bytes
LONG_KEY = 1 << 60  # integers from here on can be chosen to have one hash
_MARK = object()
_CONTAINERS = ("dict", "list", "tuple", "set", "frozenset", "OrderedDict", "Counter", "defaultdict")
_REBUILD = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor")
_FLAT = {"EMPTY_LIST": "list", "EMPTY_TUPLE": "tuple", "EMPTY_DICT": "dict", "EMPTY_SET": "set",
         "LIST": "list", "TUPLE": "tuple", "DICT": "dict", "FROZENSET": "frozenset"}  # fmt: skip
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class Part:
    """What stands for a container, a name or an object; `entries` are its parts, `hashing` the cost of its hash."""

    __slots__ = ("entries", "hashing", "kind", "name")

    def __init__(self, kind: str, entries: Any = (), name: Any = None) -> None:
        self.kind, self.entries, self.name = kind, list(entries), name
        fixed = kind in ("tuple", "frozenset")
        self.hashing = 1 + sum(_hashing(entry) for entry in self.entries) if fixed else 1


def _hashing(value: Any) -> int:
    if isinstance(value, Part):
        return value.hashing
    return 1000 if isinstance(value, float) or (isinstance(value, int) and abs(value) >= LONG_KEY) else 1


@dataclass
class Storage:
    """A storage of torch that a pickle names: its type, its key, how many entries it is said to have."""

    type: str
    key: str
    count: int


@dataclass(repr=False)
class PickleScan(Brief):
    """What one pickle came to.

    Args:
        top: the value it makes: a number or text as it is, a `Part` of anything else.
        operations: how many it has.
        storages: of torch, by key.
        tensors: (storage, offset, sizes, strides) of every tensor.
    """

    top: Any = None
    operations: int = 0
    storages: dict[str, Storage] = field(default_factory=dict)
    tensors: list[tuple[Storage, int, list[int], list[int]]] = field(default_factory=list)


def scan(file: BinaryIO | limits.BoundedFile) -> PickleScan:
    """Follow the next pickle of a file to its end.

    Args:
        file: open at the start of a pickle.

    Returns:
        What it would make.

    Raises:
        ValueError: it ends too early, or would make more than its size accounts for.
    """
    return _Follower(file if isinstance(file, limits.BoundedFile) else limits.BoundedFile(file)).follow()


class _Follower:
    def __init__(self, file: limits.BoundedFile) -> None:
        self.file, self.found = file, PickleScan()
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.parts = self.hashed = 0

    def follow(self) -> PickleScan:
        try:
            for operation, argument, _ in pickletools.genops(self.file):  # type: ignore[arg-type]
                self.found.operations += 1
                self._step(operation.name, argument)
        except (IndexError, KeyError, AttributeError, TypeError) as error:
            raise ValueError("its operations do not fit together") from error
        self._measure(self.found.top)
        return self.found

    def _step(self, name: str, argument: Any) -> None:
        if name in _FIXED:
            self.stack.append(_FIXED[name])
        elif name in _FLAT:
            self._push(Part(_FLAT[name], () if name.startswith("EMPTY") else self._to_mark()))
            if _FLAT[name] in ("dict", "frozenset"):
                self._hash(self.stack[-1].entries)
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            self._push(Part("tuple", self._pop(int(name[-1]))))
        elif hasattr(self, f"_do_{name.lower()}"):
            getattr(self, f"_do_{name.lower()}")(argument)
        elif name.startswith("EXT") or name.endswith("_BUFFER"):
            raise ValueError(f"it has {name}, which needs something from outside of it")
        elif name not in ("PROTO",):
            self._scalar(argument)

    def _scalar(self, value: Any) -> None:
        if isinstance(value, int) and value.bit_length() > 8 * LONGEST_INTEGER:
            raise ValueError("it holds an integer of thousands of digits")
        self.stack.append(value if isinstance(value, bool | int | float) else value[:1000])

    def _push(self, part: Part) -> None:
        self.parts += 1
        if self.parts > limits.COUNT:
            raise ValueError(f"it makes more than {limits.COUNT} containers and objects")
        self.stack.append(part)

    def _pop(self, count: int) -> list[Any]:
        taken = self.stack[len(self.stack) - count :]
        if len(taken) < count or any(entry is _MARK for entry in taken):
            raise IndexError
        del self.stack[len(self.stack) - count :]
        return taken

    def _to_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError
        taken = self.stack[at + 1 :]
        del self.stack[at:]
        return taken

    def _hash(self, entries: list[Any]) -> None:
        self.hashed += sum(_hashing(entry) for entry in entries)
        if self.hashed > limits.COUNT + limits.PACKED * self.found.operations:
            raise ValueError("it would hash the same parts again and again")

    def _do_mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _do_pop(self, _: Any) -> None:
        self.stack.pop()

    def _do_pop_mark(self, _: Any) -> None:
        self._to_mark()

    def _do_dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _do_append(self, _: Any) -> None:
        (entry,) = self._pop(1)
        self.stack[-1].entries.append(entry)

    def _do_appends(self, _: Any) -> None:
        entries = self._to_mark()
        self.stack[-1].entries += entries

    def _do_setitem(self, _: Any) -> None:
        pair = self._pop(2)
        self._hash(pair[:1])
        self.stack[-1].entries += pair

    def _do_setitems(self, _: Any) -> None:
        pairs = self._to_mark()
        self._hash(pairs[::2])
        self.stack[-1].entries += pairs

    def _do_additems(self, _: Any) -> None:
        entries = self._to_mark()
        self._hash(entries)
        self.stack[-1].entries += entries

    def _put(self, index: int) -> None:
        if not 0 <= index <= self.found.operations + 256:  # Python makes room for all that are left out
            raise ValueError(f"it numbers a part {index}, more than it has")
        self.memo[index] = self.stack[-1]

    def _do_put(self, argument: Any) -> None:
        self._put(int(argument))

    _do_binput = _do_long_binput = _do_put

    def _do_memoize(self, _: Any) -> None:
        self._put(len(self.memo))

    def _do_get(self, argument: Any) -> None:
        self.stack.append(self.memo[int(argument)])

    _do_binget = _do_long_binget = _do_get

    def _do_frame(self, argument: int) -> None:
        if argument > self.file.size - self.file.tell():
            raise ValueError("it says that more follows than there is")

    def _do_global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._push(Part("global", name=(module, name)))

    def _do_stack_global(self, _: Any) -> None:
        self._push(Part("global", name=tuple(map(str, self._pop(2)))))

    def _do_inst(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._call(Part("global", name=(module, name)), Part("tuple", self._to_mark()))

    def _do_obj(self, _: Any) -> None:
        kind, *arguments = self._to_mark()
        self._call(kind, Part("tuple", arguments))

    def _do_reduce(self, _: Any) -> None:
        self._call(*self._pop(2))

    _do_newobj = _do_reduce

    def _do_newobj_ex(self, _: Any) -> None:
        kind, arguments, named = self._pop(3)
        self._call(kind, Part("tuple", [*arguments.entries, named]))

    def _do_build(self, _: Any) -> None:
        (state,) = self._pop(1)
        made = self.stack[-1]
        if made.kind == "storage":
            raise ValueError("it changes a storage")
        if isinstance(state, Part) and state.entries and getattr(state.entries[0], "kind", "") == "storage":
            self._tensor(state.entries)  # as torch before 0.4 has it
        made.entries.append(state)

    def _do_persid(self, argument: str) -> None:
        self._push(Part("object"))

    def _do_binpersid(self, _: Any) -> None:
        (given,) = self._pop(1)
        entries = given.entries if isinstance(given, Part) else []
        if len(entries) < 5 or entries[0] not in ("storage", b"storage"):
            self._push(Part("object"))
            return
        kind, key, count = entries[1], str(entries[2]), entries[4]
        if not isinstance(count, int) or count < 0:
            raise ValueError(f"a storage of it has {count} entries")
        new = Storage(kind.name[1], key, count)
        if self.found.storages.setdefault(key, new) != new:
            raise ValueError(f"it gives storage {key} two sizes")
        self._push(Part("storage", name=self.found.storages[key]))

    def _do_stop(self, _: Any) -> None:
        (self.found.top,) = self._pop(1)

    def _call(self, function: Any, arguments: Any) -> None:
        """Follow a call: of what makes tensors, containers or memory, its arguments are looked at."""
        module, name = function.name if isinstance(function, Part) and function.kind == "global" else ("", "")
        given = arguments.entries if isinstance(arguments, Part) else []
        self._look(module, name, given)
        if name in _CONTAINERS:
            self.hashed += self._expanded(arguments)
            self._hash([])
        self._push(Part("object", [function, arguments]))

    def _look(self, module: str, name: str, given: list[Any]) -> None:
        if name == "_rebuild_from_type_v2" and len(given) > 2 and isinstance(given[0], Part) and given[0].name:
            self._look(given[0].name[0], given[0].name[1], given[2].entries)
        elif name in _REBUILD and module == "torch._utils":
            self._tensor(given)
        makes_room = name in ("bytearray", "bytes") or name.endswith(("Tensor", "Storage"))
        if makes_room and any(isinstance(entry, int) for entry in given):
            raise ValueError(f"it asks for {given[0]} entries of {module}.{name} and does not hold them")

    def _tensor(self, given: list[Any]) -> None:
        storage, offset, sizes, strides = given[0].name, given[1], given[2].entries, given[3].entries
        numbers = [offset, *sizes, *strides]
        if not isinstance(storage, Storage) or len(sizes) != len(strides):
            raise ValueError("a tensor of it has no storage")
        if not all(isinstance(number, int) and 0 <= number < 1 << 62 for number in numbers):
            raise ValueError(f"a tensor of it has sizes {sizes}, strides {strides} and offset {offset}")
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if 0 not in sizes and last >= storage.count:
            raise ValueError(f"a tensor of it has sizes {sizes} and a storage of {storage.count} entries")
        self.found.tensors.append((storage, offset, sizes, strides))

    def _expanded(self, top: Any) -> int:
        """Return how many parts a walk through a value meets that does not know which it has seen; checks its depth."""
        known: dict[int, tuple[int, int]] = {}
        todo: list[tuple[Any, bool]] = [(top, False)]
        while todo:
            part, ready = todo.pop()
            if not isinstance(part, Part) or (id(part) in known and not ready):
                continue
            if not ready:
                known[id(part)] = (1, 1)  # until it is counted: what contains itself ends here
                todo.append((part, True))
                todo += [(entry, False) for entry in part.entries if isinstance(entry, Part)]
                continue
            inner = [known.get(id(entry), (1, 1)) for entry in part.entries if isinstance(entry, Part)]
            count = 1 + len(part.entries) - len(inner) + sum(size for size, _ in inner)
            depth = 1 + max((deep for _, deep in inner), default=0)
            known[id(part)] = min(count, 1 << 62), depth
        count, depth = known.get(id(top), (1, 1))
        if depth > DEEPEST:
            raise ValueError(f"it is nested {depth} times")
        return count

    def _measure(self, top: Any) -> None:
        count, most = self._expanded(top), limits.COUNT + limits.PACKED * self.found.operations
        if count > most:
            raise ValueError(f"it names its parts in each other: {count:.3g} of them made of {self.found.operations}")
