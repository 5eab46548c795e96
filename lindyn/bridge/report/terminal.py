"""The answer on one screen of a terminal: at most 40 lines of 100 columns."""

import math
import textwrap

from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, Finding, Validation
from lindyn.bridge.report import theories_told, wording

LINES, COLUMNS = 40, 100
LABEL = 10  # columns of the words on the left
NAME, VALUE = 62, 27  # columns of a law and its number
ADVICE_LINES = 14


def summary(answer: Validation, written: str = "") -> str:
    """Return the answer in plain words, one screen.

    Args:
        answer: of `validate`.
        written: where the report was written; "" if nowhere.

    Returns:
        At most `LINES` lines of at most `COLUMNS` columns, the last one ended.
    """
    pieces = answer.pieces
    where = wording.place(answer)
    top = [
        *_row("Checkpoint", f"{pieces.path}: {pieces.title}" + (f", {where}" if where else ""), 2),
        *_row("Answer", answer.headline, 3),
        *_row("Features", _features(answer), 2),
        *_row("Rates", wording.rates(answer.rates), 2),
    ]
    if pieces.assumptions:
        top += _row("Assumed", wording.assumed(pieces.assumptions), 2)
    over = answer.over_training
    if over is not None:
        top += _row("Training", f"{over.source}; {wording.theory_error(answer)}", 2)
    if beside := theories_told.at_the_end(answer):
        top += _row("Theories", beside, 2)
    bottom = _advice(answer)
    bottom += _row("Report", written, 2) if written else []
    laws = _laws(answer, LINES - len(top) - len(bottom))
    return "\n".join(line.rstrip() for line in [*top, *laws, *bottom]) + "\n"


def _row(label: str, text: str, most: int) -> list[str]:
    """Return a labelled paragraph of at most `most` lines."""
    return textwrap.wrap(
        wording.clean(text), COLUMNS, initial_indent=f"{label:<{LABEL}} ", subsequent_indent=" " * (LABEL + 1),
        max_lines=most, placeholder=" ...", break_on_hyphens=False,
    )  # fmt: skip


def _features(answer: Validation) -> str:
    if not answer.features:
        return "none: tested is what weights alone permit"
    main = answer.maps[0] if answer.maps else None
    share = "" if main is None or main.kind == "exact" else f", explains {wording.number(main.explained)} of its output"
    told = f"{answer.samples:,}" in answer.features or str(answer.samples) in answer.features
    count = "" if told or not answer.samples else f"{answer.samples:,} samples: "
    if main is None and answer.diagnosis is not None:  # of a trace
        return f"{count}{answer.features}"
    predictor = "no predictor" if main is None else f"predictor's map: {main.kind}{share}"
    return f"{count}{answer.features}; {predictor}"


def _advice(answer: Validation) -> list[str]:
    """Return the advice, most weighty first, as far as there is room."""
    lines: list[str] = []
    for place, advice in enumerate(answer.advice, start=1):
        paragraph = _row("Advice" if place == 1 else "", f"{place}. {wording.rated(advice)}", 3)
        if len(lines) + len(paragraph) > ADVICE_LINES:
            left = len(answer.advice) - place + 1
            return [*lines, *_row("", f"{left} more in the report.", 1)]
        lines += paragraph
    return lines


def _laws(answer: Validation, room: int) -> list[str]:
    """Return the table of findings, by the main map, with what does not fit counted."""
    main = answer.maps[0].kind if answer.maps else ""
    shown = [found for found in answer.findings if found.map_kind in ("", main)]
    lines: list[str] = []
    for group, rows in wording.grouped(shown).items():
        lines.append(f"{wording.GROUPS.get(group, wording.clean(group))}")
        lines += [_law(found) for found in rows if found.verdict != NOT_TESTABLE]
        quiet = [found for found in rows if found.verdict == NOT_TESTABLE and not _of_another_loss(found)]
        if quiet:
            lines += _row("", f"not testable: {', '.join(dict.fromkeys(_quiet(found) for found in quiet))}", 2)
    if len(lines) > room:
        counts = {verdict: sum(f.verdict == verdict for f in shown) for verdict in (HOLDS, FAILS, NOT_TESTABLE)}
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        lines = [*lines[: max(0, room - 1)], f"  ... all {len(shown)} findings ({told}) are in the report"]
    return lines


def _of_another_loss(found: Finding) -> bool:
    """Return whether a law speaks of another loss than the run's and has no number: the report alone lists it."""
    return found.role == wording.BESIDE and math.isnan(found.value)


def _quiet(found: Finding) -> str:
    """Return the name of a law without a verdict, with its number where it was measured."""
    name = wording.clean(wording.law(found))
    return name if math.isnan(found.value) else f"{name} {wording.interval(found)}"


def _law(found: Finding) -> str:
    title = wording.clean(found.title)
    title = title if len(title) <= NAME else title[: NAME - 1] + "…"
    return f"  {title:<{NAME}} {wording.interval(found):<{VALUE}} {found.verdict}"[:COLUMNS]
