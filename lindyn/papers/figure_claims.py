"""What figures claim: one statement beside what was measured, the file that says what is expected, the table of them.

`papers_repro/<paper>/figures.toml` holds, per figure, what the paper prints and does not print, the values chosen
here, and each claim's text and threshold. A figure script measures; the file judges.
"""

import functools
import textwrap
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

import lindyn
from lindyn import _checks
from lindyn.display.brief import Brief

RULES = ("at_most", "at_least", "equals")
WIDTHS = (4, 56, 36, 16)  # with three gaps of two: 118 columns
HEADS = ("Fig.", "claim", "measured (expected)", "verdict")


@dataclass(frozen=True, repr=False)
class Claim(Brief):
    """A statement, what was measured, and whether it holds.

    Args:
        text: the statement.
        measured: what came out, in words and numbers.
        expected: what the statement asks for.
        holds: whether it holds as stated.
        fails_as_printed: the paper prints it, a derivation says that it is wrong, and the run is expected to show that.
        instead: the corrected statement, for one that fails as printed.
        missed: a prediction of the linear theory that is known to miss; it is booked as missed, never as holding.
        mark: a mark of regression: no closed form and no other run stands behind its threshold.
    """

    text: str
    measured: str
    expected: str
    holds: bool
    fails_as_printed: bool = False
    instead: str = ""
    missed: bool = False
    mark: bool = False

    @property
    def as_expected(self) -> bool:
        """Whether it holds, or fails where it is known to fail or to miss."""
        return self.holds != (self.fails_as_printed or self.missed)

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        if self.fails_as_printed:
            return "HOLDS AFTER ALL" if self.holds else "fails as printed"
        if self.missed:
            return "HITS AFTER ALL" if self.holds else "missed"
        return ("holds (mark)" if self.mark else "holds") if self.holds else "FAILS"


@dataclass(frozen=True, repr=False)
class FigureResult(Brief):
    """What one figure script gave.

    Args:
        paper: e.g. "tian2021".
        number: of the figure in the paper.
        claims: in the order of figures.toml.
        files: what was written; the picture only where every claim came out as expected.
        seconds: wall time.
        error: why it did not run to its end, "" otherwise.
        trace: the traceback of that.
    """

    paper: str
    number: int
    claims: list[Claim] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    trace: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it ran and every claim came out as expected."""
        return not self.error and all(claim.as_expected for claim in self.claims)


def resource_folder(installed: str, clone: str) -> Path:
    """Return the folder `installed` inside the package, or `clone` beside it.

    Raises:
        FileNotFoundError: neither exists.
    """
    package = Path(lindyn.__file__).resolve().parent
    for folder in (package / installed, package.parent / clone):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"Found neither {package / installed} nor {package.parent / clone}: the figure scripts were not installed. "
        "Install lindyn from its wheel, or run inside a clone."
    )


@functools.cache
def expected(paper: str) -> dict[str, Any]:
    """Return what is expected of a paper: the content of its figures.toml.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = resource_folder("_papers_repro", "papers_repro") / paper / "figures.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


class Checklist:
    """The claims of one figure, ticked off as they are measured.

    Args:
        paper: e.g. "tian2021".
        figure: its number.

    Raises:
        ValueError: the paper's figures.toml has no such figure.
    """

    def __init__(self, paper: str, figure: int) -> None:
        figures = expected(paper)["figure"]
        _checks.one_of("figure", str(figure), figures)
        self._where = f"{paper}, figure {figure}"
        self._entries = {entry["key"]: entry for entry in figures[str(figure)]["claim"]}
        self._claims: dict[str, Claim] = {}

    def measure(self, key: str, value: Any, shown: str = "") -> Self:
        """Tick off one claim: compare `value` with what is expected of it.

        Args:
            key: of the claim in figures.toml.
            value: a number (for at_most, at_least) or anything that equals can compare; NaN never holds.
            shown: what was measured in words; default the value.

        Returns:
            The checklist.

        Raises:
            ValueError: an unknown key, or one measured twice.
        """
        _checks.one_of(f"claim of {self._where}", key, self._entries)
        if key in self._claims:
            raise ValueError(f"Claim {key!r} of {self._where} was measured twice.")
        entry = self._entries[key]
        rule = next(name for name in RULES if name in entry)
        wanted = entry[rule]
        self._claims[key] = Claim(
            text=entry["text"],
            measured=_words(rule, _shown(_worst(rule, value)), shown),
            expected={"at_most": "at most ", "at_least": "at least ", "equals": ""}[rule] + _shown(wanted, 7),
            holds=_holds(rule, value, wanted),
            fails_as_printed=entry.get("fails_as_printed", False),
            instead=entry.get("instead", ""),
            missed=entry.get("missed", False),
            mark=entry.get("mark", False),
        )
        return self

    def done(self) -> list[Claim]:
        """Return the claims in the file's order.

        Raises:
            ValueError: a claim was not measured.
        """
        missing = [key for key in self._entries if key not in self._claims]
        if missing:
            raise ValueError(f"Claims of {self._where} that were not measured: {', '.join(missing)}.")
        return [self._claims[key] for key in self._entries]


def _words(rule: str, decides: str, shown: str) -> str:
    """Return what was measured in words, with the number that decides before it where the words do not hold it."""
    if not shown:
        return decides
    return shown if rule == "equals" or decides in shown else f"{decides}: {shown}"


def _holds(rule: str, value: Any, wanted: Any) -> bool:
    if rule == "equals":
        return _plain(value) == wanted
    number = np.asarray(value, dtype=float)
    if number.size == 0:
        return False
    return bool(np.all(number <= wanted)) if rule == "at_most" else bool(np.all(number >= wanted))


def _worst(rule: str, value: Any) -> Any:
    """Return the number that decides where several were measured."""
    if rule == "equals" or np.size(value) < 2:
        return value
    return float(np.max(value) if rule == "at_most" else np.min(value))


def listed(values: Any, spec: str = "g") -> str:
    """Return numbers as a comma-separated list."""
    return ", ".join(format(float(value), spec) for value in np.ravel(values))


def _plain(value: Any) -> Any:
    """Return numpy numbers and arrays as Python ones."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _shown(value: Any, digits: int = 3) -> str:
    value = _plain(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return "; ".join(_shown(part, digits) for part in value) if isinstance(value, list) else str(value)


def report(results: Iterable[FigureResult]) -> str:
    """Return claim / measured / verdict of figures as plain text that fits 120 columns.

    Args:
        results: of the figures that were run.

    Returns:
        The table, the values chosen where the paper prints none, and a summary line.
    """
    results = sorted(results, key=lambda result: result.number)
    return "\n".join([*_table(results), "", *_chosen(results), "", summary(results)])


def _table(results: list[FigureResult]) -> list[str]:
    rule = "  ".join("-" * width for width in WIDTHS)
    lines = [_cells([[text] for text in HEADS])[0], rule]
    for result in results:
        rows = [_row(str(result.number), claim) for claim in result.claims]
        if result.error:
            rows.append(_cells([[str(result.number)], _wrap(result.error, 1), [""], ["DID NOT RUN"]]))
        for row in rows:
            lines += row
        lines.append(rule)
    return lines


def _row(figure: str, claim: Claim) -> list[str]:
    text = _wrap(claim.text, 1)
    if claim.instead:
        text += _wrap(f"Instead: {claim.instead}", 1)
    same = claim.holds and not claim.expected.startswith("at ")  # it equals what is expected
    wanted = claim.measured if same else f"{claim.measured} ({claim.expected})"
    return _cells([[figure], text, _wrap(wanted, 2), [claim.verdict]])


def _wrap(text: str, column: int) -> list[str]:
    return textwrap.wrap(text, WIDTHS[column], break_on_hyphens=False) or [""]


def _cells(cells: list[list[str]]) -> list[str]:
    """Return the lines of one row whose cells hold several lines."""
    height = max(map(len, cells))
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    lines = zip(*padded, strict=True)
    return ["  ".join(part.ljust(width) for part, width in zip(line, WIDTHS, strict=True)).rstrip() for line in lines]


def _chosen(results: list[FigureResult]) -> list[str]:
    lines = ["Not printed in the paper, chosen here (arguments of each script's compute):"]
    for result in results:
        values = expected(result.paper)["figure"][str(result.number)].get("chosen", {})
        text = ", ".join(f"{name} = {_value(value)}" for name, value in values.items())
        lines += textwrap.wrap(
            text, 118, initial_indent=f"  Fig. {result.number:<3}", subsequent_indent=" " * 10, break_on_hyphens=False
        )
    return lines


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(map(_value, value)) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)


def summary(results: list[FigureResult]) -> str:
    """Return one line: how many claims hold, fail as printed, or came out otherwise than expected."""
    claims = [claim for result in results for claim in result.claims]
    hold = sum(claim.holds and claim.as_expected for claim in claims)
    printed = sum(not claim.holds and claim.fails_as_printed for claim in claims)
    missed = sum(not claim.holds and claim.missed for claim in claims)
    marks = sum(claim.holds and claim.mark for claim in claims)
    wrong = len(claims) - hold - printed - missed
    broken = [str(result.number) for result in results if result.error]
    parts = [f"{hold} of {len(claims)} claims hold" + (f" ({marks} a mark of regression)" if marks else "")]
    if printed:
        verb = "fails" if printed == 1 else "fail"
        parts.append(f"{printed} {verb} as printed in the paper, as derived here")
    if missed:
        parts.append(f"{missed} of the theory's predictions missed, as is known")
    if wrong:
        parts.append(f"{wrong} CAME OUT OTHERWISE THAN EXPECTED")
    if broken:
        parts.append(f"figure {', '.join(broken)} DID NOT RUN")
    return "; ".join(parts) + "."
