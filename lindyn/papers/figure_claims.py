"""One statement of a paper beside what was measured, and the file that says what is expected.

`papers_repro/<paper>/figures.toml` holds, per figure, what the paper prints and does not print, the values chosen
here, and each claim's text and threshold. A figure script measures; the file judges.
"""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

import lindyn
from lindyn import _checks

RULES = ("at_most", "at_least", "equals")


@dataclass(frozen=True)
class Claim:
    """A statement, what was measured, and whether it holds.

    Args:
        text: the statement.
        measured: what came out, in words and numbers.
        expected: what the statement asks for.
        holds: whether it holds as stated.
        fails_as_printed: the paper prints it, a derivation says that it is wrong, and the run is expected to show that.
        instead: the corrected statement, for one that fails as printed.
    """

    text: str
    measured: str
    expected: str
    holds: bool
    fails_as_printed: bool = False
    instead: str = ""

    @property
    def as_expected(self) -> bool:
        """Whether it holds, or fails where it is known to fail."""
        return self.holds != self.fails_as_printed

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        if self.fails_as_printed:
            return "HOLDS AFTER ALL" if self.holds else "fails as printed"
        return "holds" if self.holds else "FAILS"


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
