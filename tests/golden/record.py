"""A golden answer as a text file: sections of lines, each under a heading."""

import importlib.metadata
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.golden.shorter import Section, long, short

ANSWERS = Path(__file__).parent / "answers"
MADE_WITH = Path(__file__).parent / "made_with.txt"
PACKAGES = ("numpy", "scipy", "sympy", "numba", "jax", "diffrax", "xarray", "matplotlib", "torch", "lightly")
_HEADING = re.compile(r"^==> (.*) \((words|values)\) <==$")


def as_text(sections: Iterable[Section], base: Sequence[Section] = ()) -> str:
    """Return sections as the text of a golden file; an empty one is left out.

    Args:
        sections: in their order.
        base: the answer that this one is much like; what is the same is not written again.
    """
    shown = [short(section, _of(section, base)) for section in sections if section.lines]
    return "\n".join(line for s in shown for line in (f"==> {s.name} ({s.kind}) <==", *s.lines)) + "\n"


def from_text(text: str, base: Sequence[Section] = ()) -> list[Section]:
    """Return the sections of a golden file.

    Args:
        text: of `as_text`.
        base: the one it was written beside.
    """
    found: list[tuple[str, str, list[str]]] = []
    for line in text.split("\n")[:-1]:
        heading = _HEADING.match(line)
        if heading:
            found.append((heading[1], heading[2], []))
        else:
            found[-1][2].append(line)
    read = (Section(name, kind, tuple(lines)) for name, kind, lines in found)
    return [long(section, _of(section, base)) for section in read]


def made_with() -> str:
    """Return the versions that decide the last digits and the pixels, a line each."""
    versions = [f"{name} {importlib.metadata.version(name).split('+')[0]}" for name in PACKAGES]
    return "\n".join([f"python {platform.python_version()} on {platform.machine()}", *versions]) + "\n"


def other_versions() -> str:
    """Return in words where this machine has other versions than the one that made the answers; "" if nowhere."""
    kept_lines = MADE_WITH.read_text(encoding="utf-8").splitlines()
    pairs = zip(kept_lines, made_with().splitlines(), strict=True)
    other = [f"{old} there, {new} here" for old, new in pairs if old != new]
    return f"The golden answers were made with other versions: {'; '.join(other)}." if other else ""


def _of(section: Section, base: Sequence[Section]) -> Section:
    """Return the section of the same name of another answer; an empty one where it has none."""
    same = (other for other in base if (other.name, other.kind) == (section.name, section.kind))
    return next(same, Section(section.name, section.kind, ()))


def path_of(name: str) -> Path:
    """Return the golden file of a case.

    Args:
        name: of the case.
    """
    return ANSWERS / f"{name}.txt"


def kept(name: str, likes: Mapping[str, str]) -> list[Section]:
    """Return the golden answer of a case; nothing where there is none yet.

    Args:
        name: of the case; "": none.
        likes: by case, the name of the one that it was written beside.
    """
    path = path_of(name)
    if not name or not path.exists():
        return []
    return from_text(path.read_text(encoding="utf-8"), kept(likes.get(name, ""), likes))
