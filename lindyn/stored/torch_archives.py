"""Files of torch, held against themselves before torch reads them: storages, tensors, checksums of their records.

torch takes a storage's size from the pickle and not from the record, and makes room for it first.
"""

import math
import tarfile
import zipfile
from pathlib import Path

from lindyn.stored import archives, limits, pickle_scan
from lindyn.stored.pickle_scan import PickleScan

LEGACY = 0x1950A86A20F9469CFC6C  # the number that starts a file of torch before 1.6
_PIECE = 1 << 20
_SIZES = {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "ComplexDouble": 16,
          "ComplexFloat": 8, "QInt32": 4}  # fmt: skip


def check_zip(path: str | Path) -> None:
    """Look through a checkpoint of torch (a zip file).

    Raises:
        ValueError: it says that it holds more than it does, or a record is not what was written.
        zipfile.BadZipFile: no whole zip file.
    """
    with archives.archive(path) as opened:
        names = opened.namelist()
        top = names[0].partition("/")[0] if names else ""
        if f"{top}/data.pkl" not in names:
            raise ValueError("its pickle is not where torch looks for it")
        with opened.open(f"{top}/data.pkl") as file:
            found = pickle_scan.scan(limits.BoundedFile(file))
        for key, storage in found.storages.items():
            record = f"{top}/data/{key}"
            room = opened.getinfo(record).file_size if record in names else 0
            if storage.count * _size(storage.type) > room:
                raise ValueError(f"storage {key} has {storage.count} entries and its record {limits.sized(room)}")
        _check_tensors(path, found)
        for name in names:
            with opened.open(name) as file:  # raises where the record's checksum differs
                while file.read(_PIECE):
                    pass


def check_pickle(path: str | Path) -> bool:
    """Look through a file that starts as a pickle; return whether it is one of torch before 1.6.

    Raises:
        ValueError: it says that it holds more than it does, ends too early, or is a tar file too.
    """
    with open(path, "rb") as opened:
        file = limits.BoundedFile(opened)
        found = pickle_scan.scan(file)
        if found.top != LEGACY or isinstance(found.top, pickle_scan.Part):
            _check_tensors(path, found)
            return False
        if tarfile.is_tarfile(path):
            raise ValueError("it is a tar file of torch before 0.2")
        pickle_scan.scan(file), pickle_scan.scan(file)
        found = pickle_scan.scan(file)
        pickle_scan.scan(file)
        wanted = sum(storage.count * _size(storage.type) for storage in found.storages.values())
        if wanted > file.size - file.tell():
            raise ValueError(f"its storages have {limits.sized(wanted)}, and less follows")
        _check_tensors(path, found)
    return True


def _size(kind: str) -> int:
    return _SIZES.get(kind.removesuffix("Storage"), 1)


def _check_tensors(path: str | Path, found: PickleScan) -> None:
    """Raise ValueError where tensors, each for itself, take much more than the file has."""
    wanted = sum(math.prod(sizes) * _size(storage.type) for storage, _, sizes, _ in found.tensors)
    limits.check_unpacked(path, wanted, "its tensors, each for itself,")


DAMAGED = (zipfile.BadZipFile, OSError, EOFError, LookupError, NotImplementedError, RuntimeError, MemoryError,
           RecursionError, ArithmeticError)  # fmt: skip
"""What else these checks bring up on a damaged file."""
