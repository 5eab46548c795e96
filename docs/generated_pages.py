"""Pages that are made from the package while the site is built: reference, laws, layouts, rules, symbols, gallery."""

import importlib
import inspect
import shutil
from pathlib import Path

import lindyn
from lindyn import _options

ROOMS = (
    ("lindyn", "lindyn"), ("lindyn.phase", "lindyn.phase"), ("lindyn.plotting", "lindyn.plotting"),
    ("lindyn.explore", "lindyn.explore"), ("lindyn.theory", "lindyn.theory"),
    ("lindyn.observables", "lindyn.observables"), ("lindyn.statistics", "lindyn.statistics"),
    ("lindyn.predictors", "lindyn.predictors"), ("lindyn.equations", "lindyn.equations"),
    ("lindyn.images", "lindyn.images"), ("lindyn.proofs", "lindyn.proofs"), ("lindyn.papers", "lindyn.papers"),
    ("lindyn.conversions", "lindyn.conversions"), ("lindyn.bridge", "lindyn.bridge"),
)  # fmt: skip
CHEAP = 4.0
"""Seconds up to which a figure is drawn for the gallery."""


def write(docs: Path) -> None:
    """Write every page into docs/generated; what did not change keeps its file, so that little is built again."""
    folder = docs / "generated"
    folder.mkdir(exist_ok=True)
    extra = docs / "_extra"
    extra.mkdir(exist_ok=True)
    from lindyn.explore import write_page

    write_page(extra / "live_portrait.html")
    pages = {"symbols.md": symbols(), "laws.md": laws(), "layouts.md": layouts(), "rules.md": rules(),
             "commands.md": commands(), "gallery.md": gallery(folder)}  # fmt: skip
    for room, title in ROOMS:
        pages[f"api_{room.replace('.', '_')}.md"] = reference(room, title)
    pages["api.md"] = contents(
        "API reference", "Every public name, room by room; what is not here is not public.",
        [f"api_{room.replace('.', '_')}" for room, _ in ROOMS],
    )  # fmt: skip
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.md"):
        if path.name not in pages:
            path.unlink()


def contents(title: str, words: str, names: list[str]) -> str:
    """Return a page that lists others."""
    listed = "\n".join(names)
    return f"# {title}\n\n{words}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"


def fenced(text: str, language: str = "text") -> str:
    """Return text in a fence that nothing in it can end."""
    fence = "`" * max(3, 1 + max((len(run) for run in text.split() if set(run) == {"`"}), default=0))
    return f"{fence}{language}\n{text}\n{fence}\n"


def escaped(text: str) -> str:
    """Return plain text that Markdown shows as it is."""
    for sign in "\\`*_{}[]<>#|$~":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table; cells are escaped but for those that start with a backquote."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [cell if cell.startswith("`") else escaped(cell) for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def reference(room: str, title: str) -> str:
    """Return the page of a room: each public name with its signature and its documentation as it stands."""
    module = importlib.import_module(room)
    names = list(getattr(module, "__all__", ())) or public_of(module)
    parts = [f"# {title}\n", fenced(inspect.cleandoc(module.__doc__ or ""))]
    for name in names:
        value = getattr(module, name)
        if inspect.ismodule(value) or name.startswith("_"):
            continue
        parts.append(f"## `{name}`\n")
        parts.append(fenced(f"{name}{signature(value)}", "python"))
        told = inspect.getdoc(value) if callable(value) else ""
        if told:
            parts.append(fenced(told))
        if inspect.isclass(value):
            parts += members(value)
    return "\n".join(parts)


def public_of(module) -> list[str]:
    """Return the public names of a module without __all__: what is defined in it, or in its own rooms."""
    return [
        name for name, value in vars(module).items()
        if not name.startswith("_") and str(getattr(value, "__module__", "")).startswith(module.__name__)
    ]  # fmt: skip


def signature(value) -> str:
    """Return how it is called, "" where that cannot be told."""
    try:
        return str(inspect.signature(value)) if callable(value) else ""
    except (TypeError, ValueError):
        return "(...)"


def members(cls) -> list[str]:
    """Return the public methods and properties that a class defines itself."""
    rows = []
    for name, value in vars(cls).items():
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if name.startswith("_") or not (callable(plain) or isinstance(value, property)) or inspect.isclass(plain):
            continue
        told = inspect.getdoc(value) or ""
        rows.append((f"`{name}`", told.split("\n\n")[0]))
    return [table(("member", ""), rows)] if rows else []


def symbols() -> str:
    """Return symbols and words, from the package's one table."""
    from lindyn.display import glossary

    rows = [(f"`{one.name}`", one.meaning, one.unit, "" if one.default is None else f"{one.default:g}")
            for one in glossary.terms("quantity")]  # fmt: skip
    arrays = table(("array", "what it is"), [(f"`{one.name}`", one.meaning) for one in glossary.terms("array")])
    words = "\n\n".join(f"**{escaped(one.name)}**\n: {escaped(one.meaning)}" for one in glossary.terms("word"))
    return (
        "# Symbols and words\n\nOne table in the package says what each quantity is; flags, sweeps, files, the report "
        f"of `lindyn validate` and this page are made from it. Flow time is {_options.FLOW_TIME}.\n\n"
        + table(("name", "what it is", "unit", "default"), rows)
        + "\n## Arrays in files\n\n" + arrays + "\n## Words\n\n" + words + "\n"
    )  # fmt: skip


def laws() -> str:
    """Return every law that `lindyn validate` tests."""
    from lindyn.bridge.laws import LAWS

    rows = []
    for law in LAWS.values():
        limit = "" if law.limit is None else f"{law.good} {law.limit:g}"
        rows.append((f"`{law.name}`", law.title, law.statistic, limit, law.source))
    head = "# Laws\n\nWhat `lindyn validate` holds a network against, from the registry of laws.\n\n"
    return head + table(("law", "in words", "statistic", "limit", "source"), rows)


def layouts() -> str:
    """Return every checkpoint layout that is read."""
    from lindyn.bridge.checkpoints.layouts import known_layouts

    rows = [(f"`{one.name}`", one.title) for one in known_layouts()[0] if one.package == "lindyn"]
    return "# Checkpoint layouts\n\nWhat `lindyn validate` reads; `--layouts` lists them.\n\n" + table(
        ("layout", "of"), rows
    )


def rules() -> str:
    """Return every closed-form rule and preset."""
    from lindyn.predictors import PRESETS, RULES

    parts = ["# Closed-form rules\n"]
    for name in RULES:
        rule = RULES[name]
        told = inspect.getdoc(getattr(rule, "function", rule)) or ""
        parts += [f"## `{name}`\n", fenced(told)]
    parts += ["## Presets\n", table(("preset", "rule and settings"), [(f"`{n}`", str(p)) for n, p in PRESETS.items()])]
    return "\n".join(parts)


def commands() -> str:
    """Return the help of every command."""
    import argparse
    import os

    from lindyn import cli

    os.environ["COLUMNS"] = "100"
    top = cli.parser()
    parts = ["# Command line\n", fenced(top.format_help())]
    found = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    for name, parser in found.choices.items():
        parts += [f"## `lindyn {name}`\n", fenced(parser.format_help())]
    return "\n".join(parts)


def gallery(folder: Path) -> str:
    """Return every figure script with its claims and code; cheap ones are drawn."""
    from lindyn.papers import figure_scripts

    parts = [
        "# Gallery\n",
        "Every figure is a script: `compute`, `check`, `draw`; its claims are checked before it is drawn "
        "(`lindyn reproduce PAPER --figure N`). Pictures that take seconds are drawn while this page is built.\n",
    ]
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    for paper, scripts in figure_scripts.papers().items():
        parts.append(f"## {paper}\n")
        for number, path in scripts.items():
            told = figure_scripts.expected(paper)["figure"].get(str(number), {})
            parts.append(f"### {escaped(told.get('title', path.stem))}\n")
            shown = drawn(paper, number, path, pictures)
            if shown:
                parts.append(f"![{path.stem}](pictures/{shown})\n")
            code = path.read_text(encoding="utf-8")
            inside = fenced(code, "python").replace("```", "~~~")
            parts.append(f"```{{admonition}} {path.name}\n:class: dropdown\n\n{inside}```\n")
    return "\n".join(parts)


def drawn(paper: str, number: int, path: Path, pictures: Path) -> str:
    """Return the picture of a cheap figure, drawn anew where its script is newer; "" for the others."""
    from lindyn.papers import figure_scripts

    kept = pictures / f"{path.stem}.png"
    if kept.exists() and kept.stat().st_mtime > path.stat().st_mtime:
        return kept.name
    if figure_scripts.cost(paper, [number]) > CHEAP:
        return ""
    found = figure_scripts.reproduce(paper, number, pictures / "drawn", workers=1)
    made = [file for one in found for file in one.files if file.suffix == ".png"]
    if not made:
        return ""
    shutil.copy(made[0], kept)
    shutil.rmtree(pictures / "drawn", ignore_errors=True)
    return kept.name


if __name__ == "__main__":
    write(Path(__file__).parent)
    print(lindyn.__version__)
