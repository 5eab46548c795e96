"""One case run: its commands in a folder of its own, in this process, and everything they said and wrote."""

import contextlib
import io
import os
import re
import shlex
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.golden.compare import FLOOR, REL
from tests.golden.files import sections, written
from tests.golden.reduced import flat
from tests.golden.shorter import Section
from tests.golden.words import TREE, normalised

FIXTURES = TREE / "tests" / "bridge" / "validation" / "fixtures"
LINK = "fixtures"


@dataclass(frozen=True)
class Case:
    """Command lines that are run one after the other, in one folder.

    Args:
        name: of the case and of its file.
        commands: what follows `lindyn`, as one would type it; `fixtures/` is the folder of checkpoints.
        call: instead of commands, a function whose answer is a tree of values.
        given: writes the files that the commands need into the folder.
        pages: keep the words of HTML pages, not only a fingerprint.
        like: name of a case whose answer is much like this one; only what differs from it is kept.
        leave: patterns of files that are not looked into, since another case holds them.
        rel: relative tolerance of its numbers.
        floor: absolute tolerance of them.
        unsure: pattern of words that another machine writes otherwise; they are kept as "<machine>".
        why: the reason of another tolerance, or of unsure words.
    """

    name: str
    commands: tuple[str, ...] = ()
    call: Callable[[], Any] | None = None
    given: Callable[[Path], None] | None = None
    pages: bool = False
    like: str = ""
    leave: tuple[str, ...] = ()
    rel: float = REL
    floor: float = FLOOR
    unsure: str = ""
    why: str = ""

    def sure(self, sections: list[Section]) -> list[Section]:
        """Return an answer without the words that another machine writes otherwise."""
        if not self.unsure:
            return sections
        return [
            replace(each, lines=tuple(re.sub(self.unsure, "<machine>", line) for line in each.lines))
            for each in sections
        ]


def run(case: Case) -> list[Section]:
    """Return the answer of a case.

    Args:
        case: which.
    """
    with tempfile.TemporaryDirectory() as name, _standing_in(Path(name)) as here:
        (here / LINK).symlink_to(FIXTURES)
        if case.given is not None:
            case.given(here)
        before = frozenset([LINK, *written(here, frozenset([LINK]))])
        if case.call is not None:
            return [Section("returned", "values", tuple(f"{key} = {value}" for key, value in flat(case.call())))]
        found = [section for k, line in enumerate(case.commands, 1) for section in _command(k, line, here)]
        found += sections(here, before, case.pages, case.leave)
        return case.sure(found)


def _command(number: int, line: str, here: Path) -> list[Section]:
    from lindyn.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            code = main(shlex.split(line))
        except SystemExit as stop:
            code = stop.code
        except Exception as error:  # the command line lets none through; where it does, that is its answer
            code = f"raised {type(error).__name__}: {error}"
    said = [(f"{number} {name}", tuple(normalised(text.getvalue(), here)))
            for name, text in (("stdout", out), ("stderr", err))]  # fmt: skip
    head = Section(f"{number}", "words", (f"lindyn {line}", f"exit {code}"))
    return [head, *(Section(name, "words", lines) for name, lines in said)]


@contextlib.contextmanager
def _standing_in(folder: Path):
    """Work in a folder, in a terminal of 80 columns, and come back."""
    before, columns = Path.cwd(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"  # argparse breaks its help by it
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        os.environ.pop("COLUMNS")
        os.environ.update({} if columns is None else {"COLUMNS": columns})
