"""Texts as they stand in golden answers: what differs from run to run or from machine to machine is a placeholder."""

import functools
import importlib.metadata
import platform
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

TREE = Path(__file__).parents[2]
PACKAGES = ("lindyn", "torch", "numpy", "scipy", "jax", "lightly", "pytorch-lightning", "torchvision", "timm")
_HOSTS = r"[a-z0-9.-]+\.(?:org|com|io|net|dev|ai)"
_PATTERNS = (
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "<date>"),
    (re.compile(r"(?<![\w.:])\d+:\d\d:\d\d\b(?!:)"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|min|seconds|minutes|hours)\b(?! ?[=*^])"), r"<time> \2"),
    (re.compile(r" +<time>"), " <time>"),  # numbers are aligned to the right
    (re.compile(r"\b\d+(\.\d+)?(e[+-]?\d+)? (images|samples|steps|runs|it)/s\b"), r"<speed> \3/s"),
    (re.compile(r"\bcuda:\d\b|\bhost \S+|\bpid \d+"), "<machine>"),
    (re.compile(r"\blindyn(\.[a-z_]\w*)+\.([A-Z]\w+)"), r"lindyn.<module>.\2"),  # of a class that a trace names
    (re.compile(rf"https?://{_HOSTS}[^\s)>\"']*"), "<url>"),
)


def normalised(text: str, here: Path) -> list[str]:
    """Return the lines of a text with folders, times, dates and versions replaced.

    Args:
        text: what a command printed or wrote.
        here: the folder it ran in.

    Returns:
        The lines without trailing blanks, and no empty lines at the end.
    """
    for path, word in ((here, "<here>"), (here.resolve(), "<here>"), (TREE, "<tree>"), (Path.home(), "<home>")):
        if len(path.parts) > 2 or word != "<home>":
            text = text.replace(str(path), word)
    text = text.replace(sys.prefix, "<python>")
    for number in _versions():
        text = re.sub(rf"(?<![\d.]){re.escape(number)}(\+\w+)?(?![\d.]*\d)", "<version>", text)
    for pattern, word in _PATTERNS:
        text = pattern.sub(word, text)
    return [line.rstrip() for line in text.rstrip().splitlines()]


@functools.cache
def _versions() -> list[str]:
    """Return the versions that reports name, the long ones first ("2.5.1+cpu" before "2.5.1")."""
    found = {platform.python_version()}
    for name in PACKAGES:
        try:
            found.add(importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            continue
    return sorted((number for number in found if number.count(".") >= 2), key=len, reverse=True)


class _Page(HTMLParser):
    """Collects the words of a page, a line for every block; pictures are counted, styles left out."""

    BLOCKS = frozenset(
        ("p", "div", "h1", "h2", "h3", "h4", "li", "tr", "table", "section", "figure", "figcaption", "br", "dt", "dd",
         "summary", "details", "pre")
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.silent += tag in ("style", "script")
        if tag in self.BLOCKS:
            self.parts.append("\n")
        if tag in ("td", "th"):
            self.parts.append(" | ")
        if tag == "img":
            self.parts.append(f"[picture: {given.get('alt', '')}]")
        if tag == "a" and given.get("href"):
            self.parts.append(f"[{given['href']}] ")

    def handle_endtag(self, tag):
        self.silent -= tag in ("style", "script")
        if tag in self.BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.silent:
            self.parts.append(data)


def words_of_page(html: str) -> str:
    """Return the text of a page, a line for every block, cells of tables between bars.

    Args:
        html: the page.
    """
    page = _Page()
    page.feed(html)
    page.close()
    lines = (" ".join(line.split()) for line in "".join(page.parts).split("\n"))
    return "\n".join(line for line in lines if line)
