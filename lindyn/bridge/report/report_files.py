"""The files of an answer: report.html, report.json and the figures."""

from collections.abc import Sequence
from typing import Any

from lindyn.bridge.records import Validation
from lindyn.bridge.report import compare_text, page, pictures, schema
from lindyn.bridge.report.compare import Compared
from lindyn.bridge.report.pictures import Picture


def files(answer: Validation) -> dict[str, str | bytes]:
    """Return content by file name of a report.

    Args:
        answer: of `validate`.
    """
    shown = pictures.draw(answer)
    return _files(page.page(answer, shown), schema.as_json(answer), shown)


def files_of_comparison(found: Compared) -> dict[str, str | bytes]:
    """Return content by file name of a comparison.

    Args:
        found: of `compare`.
    """
    shown = compare_text.pictures(found)
    return _files(compare_text.whole_page(found, shown), compare_text.as_json(found), shown)


def _files(html: str, report: dict[str, Any], shown: Sequence[Picture]) -> dict[str, str | bytes]:
    drawn: dict[str, str | bytes] = {f"figures/{picture.name}.png": picture.png for picture in shown}
    return {"report.html": html, "report.json": schema.text(report), **drawn}
