"""HTML by function calls: every text is escaped, only `Markup` is taken as it is."""

import html
from typing import Any


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def safe(value: Any) -> Markup:
    """Return a value as HTML: markup as it is, lists joined, everything else escaped."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, list | tuple):
        return Markup("".join(safe(part) for part in value))
    if value is None:
        return Markup("")
    text = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    return Markup(html.escape(text, quote=True))


def tag(name: str, /, *children: Any, **attributes: Any) -> Markup:
    """Return an element; `class_` is written class, underscores in other names become hyphens.

    Args:
        name: of the element; one of ours, never from a file.
        *children: texts (escaped), markup, or lists of these.
        **attributes: values are escaped; None leaves an attribute out.

    Returns:
        The element.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{safe(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in ("img", "meta", "br"):
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{safe(children)}</{name}>")


def table(head: list[Any], rows: list[list[Any]], **attributes: Any) -> Markup:
    """Return a table; a row's cells are texts or markup."""
    top = tag("thead", tag("tr", [tag("th", cell, scope="col") for cell in head]))
    body = tag("tbody", [tag("tr", [tag("td", cell) for cell in row]) for row in rows])
    return tag("table", top, body, **attributes)


def document(title: str, style: str, *body: Any) -> str:
    """Return a whole page that loads nothing: its policy forbids scripts and every address."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{tag("body", tag("main", *body))}</html>\n'
