"""A golden answer as a text file: sections of lines, each under a heading.

An answer may be kept beside another one that is much like it: of its values then only those stand in the file that are
not the other's, and the names of those that it lacks. A key that begins like the one above it, up to its last dot, is
written from that dot on: ".high = 3.0" under "findings[13].value = 2.0".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ANSWERS = Path(__file__).parent / "answers"
_HEADING = re.compile(r"^==> (.*) \((words|values)\) <==$")
_ABSENT = "- "
_BETWEEN = " = "


@dataclass(frozen=True)
class Section:
    """Lines of one kind.

    Args:
        name: what they are: "1 stdout", "out/report.json".
        kind: "words", compared in their order, or "values", compared key by key ("key = value").
        lines: without line ends.
    """

    name: str
    kind: str
    lines: tuple[str, ...]

    @property
    def values(self) -> dict[str, str]:
        """Value by key."""
        return dict(line.partition(_BETWEEN)[::2] for line in self.lines)


def as_text(sections: Iterable[Section], base: Sequence[Section] = ()) -> str:
    """Return sections as the text of a golden file; an empty one is left out.

    Args:
        sections: in their order.
        base: the answer that this one is much like.
    """
    shown = [_shortened(_beside(section, base)) for section in sections if section.lines]
    blocks = ("\n".join([f"==> {s.name} ({s.kind}) <==", *s.lines]) for s in shown)
    return "\n".join(blocks) + "\n"


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
    return [_whole(_lengthened(Section(name, kind, tuple(lines))), base) for name, kind, lines in found]


def _of(section: Section, base: Sequence[Section]) -> dict[str, str]:
    return next((other.values for other in base if (other.name, other.kind) == (section.name, "values")), {})


def _beside(section: Section, base: Sequence[Section]) -> Section:
    """Return a section of values without those of the base."""
    others = _of(section, base)
    if section.kind != "values" or not others:
        return section
    own = section.values
    absent = [f"{_ABSENT}{key}" for key in others if key not in own]
    return replace(section, lines=(*absent, *(_line(key, own[key]) for key in own if others.get(key) != own[key])))


def _whole(section: Section, base: Sequence[Section]) -> Section:
    """Undo `_beside`."""
    others = _of(section, base)
    if section.kind != "values" or not others:
        return section
    absent = {line.removeprefix(_ABSENT) for line in section.lines if line.startswith(_ABSENT)}
    own = replace(section, lines=tuple(line for line in section.lines if not line.startswith(_ABSENT))).values
    values = {key: value for key, value in others.items() if key not in absent} | own
    return replace(section, lines=tuple(_line(key, value) for key, value in values.items()))


def _shortened(section: Section) -> Section:
    """Return a section of values with the beginnings of keys left out that stand above."""
    if section.kind != "values":
        return section
    lines, above = [], None
    for line in section.lines:
        sign, key, value = _parts(line)
        start, dot, end = key.rpartition(".")
        lines.append(f"{sign}{dot}{end}{value}" if dot and start == above else line)
        above = start if dot else None
    return replace(section, lines=tuple(lines))


def _lengthened(section: Section) -> Section:
    """Undo `_shortened`."""
    if section.kind != "values":
        return section
    lines, above = [], ""
    for line in section.lines:
        sign, key, value = _parts(line)
        key = above + key if key.startswith(".") else key
        lines.append(f"{sign}{key}{value}")
        above = key.rpartition(".")[0]
    return replace(section, lines=tuple(lines))


def _parts(line: str) -> tuple[str, str, str]:
    """Return (the sign of an absent key, key, the rest) of a line."""
    sign = _ABSENT if line.startswith(_ABSENT) else ""
    key, between, value = line[len(sign) :].partition(_BETWEEN)
    return sign, key, between + value


def _line(key: str, value: str) -> str:
    return f"{key}{_BETWEEN}{value}"


def path_of(name: str) -> Path:
    """Return the golden file of a case.

    Args:
        name: of the case.
    """
    return ANSWERS / f"{name}.txt"


def kept(name: str, like: str = "") -> list[Section]:
    """Return the golden answer of a case; nothing where there is none yet.

    Args:
        name: of the case.
        like: name of the case that it was written beside.
    """
    path = path_of(name)
    return from_text(path.read_text(encoding="utf-8"), kept(like) if like else ()) if path.exists() else []
