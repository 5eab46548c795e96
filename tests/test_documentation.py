"""The pages: every command in them is one that the parser takes, every Python block is Python, every page is listed."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from lindyn import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "tutorials").glob("*.md"))]
PAGES = [page for page in PAGES if page.exists()]
pytestmark = pytest.mark.skipif(not (DOCS / "conf.py").exists(), reason="the pages are not in this installation")
_BLOCK = re.compile(r"^```(?:python|\{code-cell\})[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?: {4}|\t)(?:.*&& )?(lindyn(?: .*)?)$", re.MULTILINE)
PLACEHOLDER = re.compile(r"\.\.\.|…|\bPAPER\b|\bNAME\b|\bCOMMAND\b")


def commands(page):
    for line in _COMMAND.findall(page.read_text(encoding="utf-8")):
        plain = re.split(r"\s{2,}|\s#\s|\s&& ", line)[0].strip()
        if not PLACEHOLDER.search(plain) and "|" not in plain:
            yield plain


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_understood(page, capsys):
    for line in commands(page):
        words = shlex.split(line.rstrip("\\"))[1:]
        if words in ([], ["--help"], ["--version"]) or "--help" in words or words[:1] == ["--completion"]:
            continue
        try:
            cli.parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{page.name}: {line}: {capsys.readouterr().err}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_is_python(page):
    for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        code = "\n".join(line for line in block.splitlines() if not line.startswith(":"))
        ast.parse(code)


def test_commands_are_found_at_all():
    assert len(list(commands(ROOT / "README.md"))) > 15


def test_every_page_is_in_the_contents():
    listed = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        if page.name != "index.md":
            assert re.search(rf"^(tutorials/)?{page.stem}$", listed, re.MULTILINE), f"{page.name} is in no contents"


def test_the_readme_is_short_and_shows_four_pictures():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert len(text.splitlines()) <= 125
    assert len(pictures) == 4 and all((ROOT / name).is_file() for name in pictures)
