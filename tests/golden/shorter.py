"""Sections written short, and read back: what another section holds too, or the line above, is not written again.

Of words, `^3-7` stands for lines 3 to 7 of the other section. Of values, only those stand that are not the other's,
and `- key` for one that it has and this one lacks, `- key.*` for all that begin so. A key that begins like the one
above it, up to its last dot, is written from that dot on: ".high = 3.0" under "findings[13].value = 2.0".
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

_ABSENT, _ALL, _BETWEEN, _SAME = "- ", "*", " = ", "^"
_RANGE = re.compile(r"\^(\d+)(?:-(\d+))?")


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


def short(section: Section, other: Section) -> Section:
    """Return a section written short.

    Args:
        section: the whole one.
        other: the one it is much like; without lines: none.
    """
    if section.kind == "words":
        return replace(section, lines=tuple(_short_words(section.lines, other.lines)))
    lines = _values_beside(section.values, other.values) if other.lines else section.lines
    return replace(section, lines=tuple(_shortened(lines)))


def long(section: Section, other: Section) -> Section:
    """Undo `short`.

    Args:
        section: the one written short.
        other: as it was given there.
    """
    if section.kind == "words":
        return replace(section, lines=tuple(_long_words(section.lines, other.lines)))
    lines = tuple(_lengthened(section.lines))
    return replace(section, lines=tuple(_whole_values(lines, other.values)) if other.lines else lines)


def _short_words(lines: tuple[str, ...], others: tuple[str, ...]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, others, lines, autojunk=False)
    for word, i1, i2, j1, j2 in matcher.get_opcodes():
        same = f"{_SAME}{i1 + 1}" + (f"-{i2}" if i2 - i1 > 1 else "")
        if word == "equal" and len(same) < len("\n".join(lines[j1:j2])):
            yield same
        else:
            yield from (f"{_SAME}{line}" if line.startswith(_SAME) else line for line in lines[j1:j2])


def _long_words(lines: Iterable[str], others: tuple[str, ...]) -> Iterator[str]:
    for line in lines:
        found = _RANGE.fullmatch(line)
        if found:
            yield from others[int(found[1]) - 1 : int(found[2] or found[1])]
        else:
            yield line.removeprefix(_SAME)


def _values_beside(own: Mapping[str, str], others: Mapping[str, str]) -> Iterator[str]:
    absent = dict.fromkeys(_beginning(key, own) for key in others if key not in own)
    yield from (f"{_ABSENT}{key}" for key in absent)
    yield from (_line(key, value) for key, value in own.items() if others.get(key) != value)


def _beginning(key: str, own: Mapping[str, str]) -> str:
    """Return the shortest beginning of an absent key with which no key begins, up to a dot or bracket; else the key."""
    ends = (found.end() for found in re.finditer(r"[.\[]", key))
    return next((key[:end] + _ALL for end in ends if not any(k.startswith(key[:end]) for k in own)), key)


def _whole_values(lines: tuple[str, ...], others: Mapping[str, str]) -> Iterator[str]:
    absent = tuple(line.removeprefix(_ABSENT) for line in lines if line.startswith(_ABSENT))
    beginnings = tuple(key.removesuffix(_ALL) for key in absent if key.endswith(_ALL))
    own = dict(line.partition(_BETWEEN)[::2] for line in lines if not line.startswith(_ABSENT))
    both = {key: value for key, value in others.items() if key not in absent and not key.startswith(beginnings)}
    yield from (_line(key, value) for key, value in (both | own).items())


def _shortened(lines: Iterable[str]) -> Iterator[str]:
    above = None
    for line in lines:
        sign, key, value = _parts(line)
        start, dot, end = key.rpartition(".")
        yield f"{sign}{dot}{end}{value}" if dot and start == above else line
        above = start if dot else None


def _lengthened(lines: Iterable[str]) -> Iterator[str]:
    above = ""
    for line in lines:
        sign, key, value = _parts(line)
        key = above + key if key.startswith(".") else key
        yield f"{sign}{key}{value}"
        above = key.rpartition(".")[0]


def _parts(line: str) -> tuple[str, str, str]:
    """Return (the sign of an absent key, key, the rest) of a line."""
    sign = _ABSENT if line.startswith(_ABSENT) else ""
    key, between, value = line[len(sign) :].partition(_BETWEEN)
    return sign, key, between + value


def _line(key: str, value: str) -> str:
    return f"{key}{_BETWEEN}{value}"
