"""Claim, measured, verdict: the report of a reproduction as plain text that fits 120 columns."""

import textwrap
from collections.abc import Iterable
from typing import Any

from lindyn.papers.figure_claims import Claim, expected
from lindyn.papers.figure_scripts import FigureResult

WIDTHS = (4, 56, 36, 16)  # with three gaps of two: 118 columns
HEADS = ("Fig.", "claim", "measured (expected)", "verdict")


def report(results: Iterable[FigureResult]) -> str:
    """Return the whole report: the table, the values chosen where the paper prints none, and a summary line."""
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
    printed = sum(not claim.holds and claim.as_expected for claim in claims)
    wrong = len(claims) - hold - printed
    broken = [str(result.number) for result in results if result.error]
    parts = [f"{hold} of {len(claims)} claims hold"]
    if printed:
        verb = "fails" if printed == 1 else "fail"
        parts.append(f"{printed} {verb} as printed in the paper, as derived here")
    if wrong:
        parts.append(f"{wrong} CAME OUT OTHERWISE THAN EXPECTED")
    if broken:
        parts.append(f"figure {', '.join(broken)} DID NOT RUN")
    return "; ".join(parts) + "."
