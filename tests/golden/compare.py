"""Two golden answers side by side: texts line by line, numbers in them to a tolerance."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.golden.shorter import Section

REL = 1e-12
FLOOR = 1e-14
"""Two numbers that differ by less than this are the same: what is left of 1 - 1 is no answer."""
MOST = 10
_NUMBER = re.compile(r"(?<![\w.<])[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan\b|inf\b|NaN\b|Infinity\b)")
_SCALE = re.compile(r"\brms=(\S+)")
_PICTURE = re.compile(r"^(.*\d+x\d+) ink (\S+) at (\S+) (\S+)$")
INK, PLACE = 0.1, 0.02
"""How far a picture's ink (relative) and its centre (of the whole) may move: what is drawn of round-off, such as a
conserved quantity's drift, is another line on another machine. A missing curve, legend or panel moves more."""


@dataclass(frozen=True)
class Difference:
    """One place where two answers part.

    Args:
        where: section, and the line or key in it.
        old: what was kept; "" for nothing.
        new: what is there now; "" for nothing.
    """

    where: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.where}\n    old: {_short(self.old)}\n    new: {_short(self.new)}"


def differences(
    old: Sequence[Section], new: Sequence[Section], rel: float = REL, floor: float = FLOOR
) -> list[Difference]:
    """Return where two answers differ.

    Args:
        old: what was kept.
        new: what is there now.
        rel: relative tolerance of numbers that are not whole.
        floor: what two such numbers may differ by at any size.
    """
    before, after = ({section.name: section for section in sections if section.lines} for sections in (old, new))
    found: list[Difference] = []
    for name in dict.fromkeys([*before, *after]):
        if name not in after or name not in before:
            sides = ["the section" if name in side else "" for side in (before, after)]
            found.append(Difference(name, *sides))
        else:
            by = _by_key if before[name].kind == "values" else _by_line
            found += by(before[name], after[name], rel, floor)
    return found


def _by_key(old: Section, new: Section, rel: float, floor: float) -> Iterator[Difference]:
    before, after = old.values, new.values
    for key in dict.fromkeys([*before, *after]):
        sides = before.get(key, ""), after.get(key, "")
        if (key in before) != (key in after) or not same(*sides, rel, floor):
            yield Difference(f"{old.name}: {key}", *sides)


def _by_line(before: Section, after: Section, rel: float, floor: float) -> Iterator[Difference]:
    """Lines that match by their words are held against each other; what stands on one side only is told too."""
    old, new = before.lines, after.lines
    matcher = difflib.SequenceMatcher(None, *(list(map(skeleton, lines)) for lines in (old, new)), autojunk=False)
    for word, i1, i2, j1, j2 in matcher.get_opcodes():
        for k in range(max(i2 - i1, j2 - j1)):
            sides = old[i1 + k] if i1 + k < i2 else "", new[j1 + k] if j1 + k < j2 else ""
            if word != "equal" or not same(*sides, rel, floor):
                yield Difference(f"{before.name}, line {min(i1 + k, i2) + 1}", *sides)


def merged(old: Sequence[Section], new: Sequence[Section], rel: float = REL, floor: float = FLOOR) -> list[Section]:
    """Return a new answer with the old digits wherever they are the same to the tolerance: a file keeps its lines.

    Args:
        old: what was kept.
        new: what is there now.
        rel: relative tolerance.
        floor: absolute tolerance.
    """
    before = {(section.name, section.kind): section for section in old}
    none = Section("", "words", ())
    return [_merged(before.get((section.name, section.kind), none), section, rel, floor) for section in new]


def _merged(old: Section, new: Section, rel: float, floor: float) -> Section:
    if new.kind == "values":
        values = old.values
        held = ((key, values.get(key, value), value) for key, value in new.values.items())
        return replace(
            new, lines=tuple(f"{key} = {was if same(was, now, rel, floor) else now}" for key, was, now in held)
        )
    if len(old.lines) != len(new.lines):
        return new
    pairs = zip(old.lines, new.lines, strict=True)
    return replace(new, lines=tuple(was if same(was, now, rel, floor) else now for was, now in pairs))


def skeleton(line: str) -> str:
    """Return a line with its numbers taken out."""
    return _NUMBER.sub("#", line)


def same(old: str, new: str, rel: float = REL, floor: float = FLOOR) -> bool:
    """Return whether two lines have the same words and the same numbers.

    Whole numbers must be equal. Where a line holds an array (`rms=`), its means are measured by that size: an average
    of numbers that cancel is known to the precision of the numbers, not to its own. Pictures: `INK`, `PLACE`.

    Args:
        old: a line.
        new: a line.
        rel: relative tolerance.
        floor: absolute tolerance.
    """
    if old == new:
        return True
    if skeleton(old) != skeleton(new):
        return False
    pictures = [found.groups() for found in map(_PICTURE.match, (old, new)) if found]
    if len(pictures) == 2:
        return _same_picture(*pictures)
    scales = [float(found[1]) for found in map(_SCALE.search, (old, new)) if found]
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    return all(_near(a, b, rel, max(scales, default=0.0), floor) for a, b in pairs)


def _same_picture(old: Sequence[str], new: Sequence[str]) -> bool:
    (ink, *place), (other, *moved) = (map(float, words[1:]) for words in (old, new))
    near = all(abs(x - y) <= PLACE for x, y in zip(place, moved, strict=True))
    return old[0] == new[0] and abs(ink - other) <= INK * max(ink, other) and near


def _near(a: str, b: str, rel: float, scale: float, floor: float) -> bool:
    if a == b:
        return True
    if not ("." in a + b or "e" in (a + b).lower()):
        return False
    x, y = float(a), float(b)
    return abs(x - y) <= max(floor, rel * max(abs(x), abs(y), scale))


def told(case: str, found: Sequence[Difference]) -> str:
    """Return the differences in words, at most ten of them.

    Args:
        case: name of the case.
        found: of `differences`.
    """
    more = [f"... and {len(found) - MOST} more"] if len(found) > MOST else []
    return "\n".join([f"{case}: {len(found)} differences", *map(str, found[:MOST]), *more])


def _short(text: str, most: int = 400) -> str:
    return "(nothing)" if not text else text if len(text) <= most else text[:most] + " ..."
