"""The reports of the ledger in Markdown, made by running what decides every claim; staleness is tested."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn.papers import prediction_record, study_files
from lindyn.papers.ledger import PAPERS, STATUSES, Judged, folder, judge, load

SLIPS = ("<!-- slips: made by machine -->", "<!-- end of slips -->")


def report(paper: str, figures: Mapping[int, Any] | None = None) -> str:
    """Return the report of a paper in Markdown, made by running everything that decides its claims.

    Args:
        paper: one of `PAPERS`.
        figures: number -> `FigureResult` of the figures that were run for it; the committed report has none.

    Returns:
        The text; the same on every run.

    Raises:
        ValueError: an unknown paper, or a claims file that does not fit.
    """
    from lindyn.proofs import HOW_TO_READ, table, table_markdown

    judged = [judge(claim, figures, paper) for claim in load(paper)]
    lines = [
        f"# {paper}: claims and what came of them",
        "",
        f'Made by machine (`lindyn.papers.write_report("{paper}")`); do not edit.',
        "",
    ]
    lines += ["| status | claims |", "|---|---|"]
    lines += [f"| {status} | {sum(one.status == status for one in judged)} |" for status in STATUSES]
    lines += ["", "## Theory", "", "| claim | source | kind | status | evidence |", "|---|---|---|---|---|"]
    lines += [_row(one) for one in judged if one.claim.kind in ("identity", "bound")]
    lines += ["", "## Simulation", "", "| claim | source | status | evidence |", "|---|---|---|---|"]
    lines += [_row(one, kind=False) for one in judged if one.claim.kind == "simulation"]
    lines += [
        "",
        "## Training",
        "",
        "Printed: the paper's numbers (Top-1 % unless said). Measured: linear evaluation in %, mean +- standard",
        "deviation over seeds, by `lindyn reproduce PAPER --training` at the scale named. Small is the embedded",
        "MNIST images, a small network and 620 steps: only the order of rows compares, and an order that is not seen",
        "there says nothing against the printed numbers. Seen and not seen: by more than two standard errors;",
        "undecided: by less.",
        "",
    ]
    lines += ["| claim | source | printed | measured | status | order of rows |", "|---|---|---|---|---|---|"]
    lines += [_training(one) for one in judged if one.claim.kind == "training"]
    lines += _studies(paper)
    if paper == "tian2021":
        lines += [
            "", "## Theorem x set of assumptions", "", f"{HOW_TO_READ} Every cell ran.", "", table_markdown(table()),
        ]  # fmt: skip
    links = _figures(paper, figures or {})
    lines += ["", "## Figures", "", *links] if links else []
    return "\n".join(lines) + "\n"


def _figures(paper: str, drawn: Mapping[int, Any]) -> list[str]:
    """Return a line for every figure of figures.toml: the picture beside the report where drawn, else the script."""
    path = folder(paper) / "figures.toml"
    if not path.is_file():
        return []
    figures = tomllib.loads(path.read_text(encoding="utf-8"))["figure"]
    lines = [f"`lindyn reproduce {paper}` draws and checks them; what is expected of each is in figures.toml.", ""]
    for number in sorted(map(int, figures)):
        name, title = f"{paper}_fig{number:02d}", figures[str(number)]["title"]
        pictures = [file.name for file in drawn[number].files if file.suffix == ".png"] if number in drawn else []
        link = pictures[0] if pictures else f"../../figures/{name}.py"
        lines.append(f"- Fig. {number}: [{title}]({link})")
    return lines


def _row(one: Judged, kind: bool = True) -> str:
    cells = [one.claim.text, one.claim.source, *([one.claim.kind] if kind else []), one.status, one.measured]
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _training(one: Judged) -> str:
    printed = "; ".join(f"{name}: {value}" for name, value in one.claim.printed.items())
    scales = dict.fromkeys(each.scale for each in one.trained)
    measured = "; ".join(
        f"scale {scale}, {_seeds(one, scale)}: "
        + ", ".join(f"{each.name}: {each.text}" for each in one.trained if each.scale == scale)
        for scale in scales
    )
    cells = [one.claim.text, one.claim.source, printed, measured, one.status, one.measured]
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _seeds(one: Judged, scale: str) -> str:
    counts = sorted({each.value.seeds + each.value.failed for each in one.trained if each.scale == scale})
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def _studies(paper: str) -> list[str]:
    """Return every committed study of a paper as a table with collapse measures and the theory's prediction."""
    found = study_files.committed(folder(paper))
    others = {key: row for other in PAPERS for key, row in study_files.others(folder(other) / "studies").items()}
    lines = [] if not found else ["", "## Training studies", "", study_files.COLUMNS]
    for study in found:
        title = f"### {study['source']}: {study['title']} (scale {study['scale']})"
        record = prediction_record.markdown(study)
        lines += ["", title, "", *([record, ""] if record else []), study_files.markdown(study, others)]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_report(paper: str, path: Any = None, figures: Mapping[int, Any] | None = None) -> Path:
    """Write the report of a paper.

    Args:
        paper: one of `PAPERS`.
        path: where to; default papers_repro/PAPER/REPORT.md.
        figures: number -> `FigureResult` of the figures that were run for it.

    Returns:
        The path.
    """
    path = folder(paper) / "REPORT.md" if path is None else Path(path)
    return _files.write(path, report(paper, figures))


def is_stale(paper: str) -> bool:
    """Return whether the committed report differs from the one that would be made now."""
    path = folder(paper) / "REPORT.md"
    return not path.is_file() or path.read_text(encoding="utf-8") != report(paper)


def slips() -> str:
    """Return the differences from the print as a Markdown list: kind, printed form, corrected form, numbers."""
    from lindyn.proofs import audit

    found = sorted((one for one in audit() if one.kind != "agrees"), key=lambda one: one.kind == "reading of ours")
    ours = sum(one.kind == "reading of ours" for one in found)
    lines = [
        f"{len(found) - ours} of {len(audit())} printed statements differ from what is derived, and {ours} more only "
        "where they are read as the text does not state them (at the end). Read: in the paper's text; as transcribed: "
        "the text was not at hand.",
        "",
    ]
    for one in found:
        entry = one.entry
        head = f"- **{entry.name}** ({entry.source}; {entry.text}), {one.kind}."
        lines.append(f"{head} {entry.corrected}. Numbers: {one.counter_example}")
    return "\n".join(lines)


def with_slips(page: str) -> str:
    """Return a page with the list of slips between its two marks made anew.

    Args:
        page: text that holds both marks of `SLIPS`.

    Returns:
        The page.

    Raises:
        ValueError: a mark is missing.
    """
    start, end = (page.find(mark) for mark in SLIPS)
    if not 0 <= start < end:
        raise ValueError(f"The page must hold the marks {SLIPS[0]} and {SLIPS[1]}.")
    return page[: start + len(SLIPS[0])] + "\n" + slips() + "\n" + page[end:]


def write_slips(path: Any) -> Path:
    """Rewrite the list of slips of a page in place, and return its path."""
    return _files.write(path, with_slips(Path(path).read_text(encoding="utf-8")))
