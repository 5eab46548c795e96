"""Checksums of whole files, kept beside them in one file that `sha256sum -c` reads too."""

from pathlib import Path
from typing import Any

SUMS = "SHA256SUMS"
MOST = 1 << 22  # bytes of such a file
Lines = list[tuple[str, str]]


def sha256(path: str | Path) -> str:
    """Return the checksum of a file, in hexadecimal digits."""
    import hashlib

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_sources(*places: Path) -> str:
    """Return one checksum of Python sources: files, and the files of folders; of what is compiled where none are."""
    import hashlib

    digest = hashlib.sha256()
    for place in places:
        folder, name = (place, "*") if place.is_dir() else (place.parent, place.stem)
        for path in sorted(folder.glob(f"{name}.py")) or sorted(folder.glob(f"{name}.pyc")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def sha256_of_arrays(*arrays: Any) -> str:
    """Return one checksum of arrays of numbers, shapes included."""
    import hashlib

    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype.str}\0".encode() + array.tobytes())
    return digest.hexdigest()


def kept(folder: Path) -> Lines:
    """Return (name, checksum) of every line of a folder's checksums; lines that are none are passed over."""
    try:
        with open(folder / SUMS, "rb") as file:
            lines = file.read(MOST).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [(name, digest) for digest, _, name in (line.partition("  ") for line in lines) if name]


def text(lines: Lines) -> str:
    """Return the content of such a file."""
    return "".join(f"{digest}  {name}\n" for name, digest in lines)


def is_sound(path: str | Path) -> bool | None:
    """Return whether a file is as it was written; None where no checksum of it was kept."""
    path = Path(path)
    mine = [digest for name, digest in kept(path.parent) if name == path.name]
    return sha256(path) in mine if mine else None
