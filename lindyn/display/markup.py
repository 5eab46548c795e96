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


STYLE = """
:root { --ink:#1a1a1a; --grey:#5d5d5d; --line:#dddddd; --pale:#f6f6f4; --holds:#2f5f9e; --fails:#a84c00; }
* { box-sizing: border-box; }
body { margin:0; background:#fff; color:var(--ink); font:16px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif; }
main { max-width:62rem; margin:0 auto; padding:1.5rem 1.25rem 4rem; }
h1 { font-size:1.5rem; line-height:1.3; margin:.2rem 0 .6rem; }
h2 { font-size:1.15rem; margin:2.2rem 0 .6rem; border-bottom:1px solid var(--line); padding-bottom:.2rem; }
h3 { font-size:1rem; margin:1.4rem 0 .4rem; }
p { margin:.4rem 0; } .small, figcaption, td.small { font-size:.86rem; color:var(--grey); }
code { font-family:ui-monospace,"DejaVu Sans Mono",monospace; font-size:.88em; overflow-wrap:anywhere; }
.plain { max-width:50rem; } math { margin:.3rem 0; }
.headline { font-size:1.12rem; background:var(--pale); border-left:4px solid var(--ink); padding:.7rem 1rem; }
.scroll { overflow-x:auto; } table { border-collapse:collapse; width:100%; font-size:.9rem; }
th { text-align:left; font-weight:600; border-bottom:2px solid var(--line); padding:.35rem .6rem .35rem 0; }
td { vertical-align:top; border-bottom:1px solid var(--line); padding:.4rem .6rem .4rem 0; overflow-wrap:anywhere; }
td .number { white-space:nowrap; font-variant-numeric:tabular-nums; }
.verdict { white-space:nowrap; font-weight:600; }
.holds { color:var(--holds); } .fails { color:var(--fails); } .untested { color:var(--grey); font-weight:400; }
dl { display:grid; grid-template-columns:max-content 1fr; gap:.25rem 1rem; margin:.4rem 0; }
dt { font-weight:600; } dd { margin:0; overflow-wrap:anywhere; }
dl.words { display:block; } dl.words dd { margin:0 0 .6rem; font-size:.92rem; }
ol.advice { padding-left:1.3rem; } ol.advice li { margin-bottom:.8rem; }
.sure { display:inline-block; border:1px solid var(--grey); border-radius:.7rem; padding:0 .55rem; font-size:.8rem; }
summary { cursor:pointer; margin:.8rem 0 .4rem; font-size:.9rem; color:var(--grey); }
figure { margin:1.2rem 0; } img { max-width:100%; height:auto; display:block; }
@media (max-width:40rem) { dl { grid-template-columns:1fr; gap:0; } dd { margin-bottom:.5rem; } }
@media print { main { max-width:none; } figure, tr { break-inside:avoid; } }
"""
