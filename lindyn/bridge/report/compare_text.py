"""A comparison of two runs as a terminal text, a page and JSON."""

import math
import textwrap
from dataclasses import replace
from typing import Any

from lindyn.bridge.records import Finding, Validation
from lindyn.bridge.report import page, schema, wording
from lindyn.bridge.report import pictures as pictures_of_one
from lindyn.bridge.report.compare import HIGHER, LOWER, ONE_SIDED, SAME, Compared, ComparedRow
from lindyn.bridge.report.pictures import Picture
from lindyn.bridge.report.terminal import COLUMNS, LINES
from lindyn.display.markup import STYLE, Markup, document, table, tag
from lindyn.plotting import law_rows, style

KEY = "lindyn_comparison"
LAW, CELL = 36, 23  # columns of a law and of a run's value in the terminal


def summary(found: Compared, written: str = "") -> str:
    """Return the comparison on one screen of a terminal.

    Args:
        found: of `compare`.
        written: where the report was written; "" if nowhere.

    Returns:
        At most 40 lines of at most 100 columns.
    """
    top = [*_wrapped(_where(found.first), "A  "), *_wrapped(_where(found.second), "B  ")]
    top += _wrapped(found.headline, "")[:4]
    changed = {**found.settings, **found.rates}
    keys = [f"  {wording.clean(key):<34} A {_value(a)}   B {_value(b)}" for key, (a, b) in changed.items()][:8]
    keys += [f"  ... {len(changed) - 8} more in the report"] if len(changed) > 8 else []
    bottom = [line for advice in found.theory[:5] for line in _wrapped(wording.rated(advice), "- ")]
    bottom += [f"Report: {written}"] if written else []
    room = LINES - len(top) - len(keys) - len(bottom) - 1
    laws = [_line(row) for row in found.rows if row.difference != "-"]
    if len(laws) > room:
        shown = max(0, room - 1)
        laws = [*laws[:shown], f"  ... {len(laws) - shown} more laws are in the report"]
    head = f"  {'law':<{LAW}} {'A':<{CELL}} {'B':<{CELL}}"
    return "\n".join(line.rstrip()[:COLUMNS] for line in [*top, *keys, head, *laws, *bottom][:LINES]) + "\n"


def _where(answer: Validation) -> str:
    return wording.clean(f"{answer.pieces.path}: {answer.headline}")


def _wrapped(text: str, mark: str) -> list[str]:
    return textwrap.wrap(wording.clean(text), COLUMNS, initial_indent=mark, subsequent_indent=" " * len(mark))


def _value(value: Any) -> str:
    return "not known" if value is None else wording.number(value)


def _line(row: ComparedRow) -> str:
    title = wording.clean(row.either.title)
    title = title if len(title) <= LAW else wording.clean(wording.law(row.either))[:LAW]
    short = {SAME: "the same", ONE_SIDED: "one only"}.get(row.difference, row.difference)
    return f"  {title:<{LAW}} {_cell(row.first):<{CELL}} {_cell(row.second):<{CELL}} {short}"


def _cell(found: Finding | None) -> str:
    return "-" if found is None else wording.interval(found)


def as_json(found: Compared) -> dict[str, Any]:
    """Return the comparison as JSON values: both reports, and what differs.

    Args:
        found: of `compare`.

    Returns:
        The report, as docs/validation.md has it.
    """
    return {
        KEY: schema.SCHEMA,
        "headline": found.headline,
        "a": schema.as_json(found.first),
        "b": schema.as_json(found.second),
        "laws": [
            {
                "law": row.either.law, "group": row.either.group, "difference": row.difference,
                "a": _short(row.first), "b": _short(row.second),
            }
            for row in found.rows
        ],
        "settings": {key: schema.plain(list(pair)) for key, pair in found.settings.items()},
        "rates": {key: schema.plain(list(pair)) for key, pair in found.rates.items()},
        "theory": [{"text": t.text, "sure": t.sure, "because": t.because} for t in found.theory],
    }  # fmt: skip


def _short(found: Finding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return schema.plain({name: getattr(found, name) for name in ("value", "low", "high", "verdict", "map_kind")})


def pictures(found: Compared) -> tuple[Picture, ...]:
    """Return the picture of both runs' laws; none where nothing was measured in both."""
    rows = [row for row in found.rows if row.first is not None and row.second is not None and row.difference != "-"]
    if not rows:
        return ()
    with style.settings():
        figure = law_rows.draw_laws([_law_row(row) for row in rows], "Every law measured in both runs, over its limit")
        content = style.rendered(figure)
    caption = (
        "Every law measured in both runs: value and interval in A (above) and B (below), over what the law is held "
        "against; laws without a limit in numbers alone."
    )
    return (Picture("comparison", caption, content),)


def _law_row(row: ComparedRow) -> law_rows.LawRow:
    assert row.first is not None and row.second is not None
    limit, good, must = pictures_of_one.standard(row.first)
    if "first" in row.first.details:  # the starts of two runs are two limits
        limit, must = math.nan, ""
    other, _, must_b = pictures_of_one.standard(row.second)
    must += f" in A{must_b} in B" if must and must_b and must != must_b else ""
    words = f"A {wording.interval(row.first)}, B {wording.interval(row.second)}{must}"
    first, second = pictures_of_one.reading(row.first), pictures_of_one.reading(row.second)
    if math.isfinite(limit) and math.isfinite(other):  # each over its own limit
        second = replace(second, **{name: getattr(second, name) * limit / other for name in ("value", "low", "high")})
    both = first, second
    group = wording.GROUPS.get(row.first.group, row.first.group)
    return law_rows.LawRow(row.first.title, group, both, limit, good, words)


def whole_page(found: Compared, shown: tuple[Picture, ...] = ()) -> str:
    """Return the comparison as one page that needs nothing but itself.

    Args:
        found: of `compare`.
        shown: pictures.

    Returns:
        The page's text.
    """
    title = f"{found.first.pieces.path.name} and {found.second.pieces.path.name}, held against the theory"
    return document(
        title, STYLE,
        tag("h1", title),
        tag("p", found.headline, class_="headline"),
        tag("dl", [[tag("dt", name), tag("dd", tag("code", answer.pieces.path), ": ", answer.headline)]
                   for name, answer in (("A", found.first), ("B", found.second))]),
        page.section("What differs in training", _differences(found)),
        page.section("What the theory says of the difference", _theory(found)),
        page.section("Laws, one by one", _laws(found)),
        page.section("Picture", [page.figure(picture) for picture in shown]) if shown else None,
        page.section("A: what was read", page.read(found.first)),
        page.section("B: what was read", page.read(found.second)),
        page.section("What the words mean", page.glossary([row.either for row in found.rows])),
        page.footer(schema.versions()),
    )  # fmt: skip


def _differences(found: Compared) -> Markup:
    changed = {**found.settings, **found.rates}
    if not changed:
        return tag("p", "No known setting differs.")
    rows = [[tag("code", key), _value(a), _value(b)] for key, (a, b) in changed.items()]
    return page.scrolled("settings", table(["setting or rate", "A", "B"], rows))


def _theory(found: Compared) -> Markup:
    items = [tag("li", page.sure(t), t.text, tag("div", t.because, class_="small")) for t in found.theory]
    return tag("ol", items, class_="advice")


def _laws(found: Compared) -> Markup:
    rows = [
        [
            [row.either.title, tag("div", row.either.statistic, class_="small")],
            [_cell(row.first), " ", page.verdict(row.first.verdict) if row.first else None],
            [_cell(row.second), " ", page.verdict(row.second.verdict) if row.second else None],
            tag("strong", row.difference) if row.difference in (HIGHER, LOWER) else row.difference,
        ]
        for row in found.rows
    ]
    return page.scrolled("laws", table(["law", "A", "B", "difference"], rows))


def files(found: Compared, command: str = "") -> dict[str, str | bytes]:
    """Return content by file name of a comparison.

    Args:
        found: of `compare`.
        command: line that asked for it, which report.json keeps.
    """
    shown = pictures(found)
    return page.written(whole_page(found, shown), as_json(found), shown, command)
