"""A study as a table: what the paper prints and what was measured at which scale, in columns of their own."""

from collections.abc import Mapping
from typing import Any

from lindyn.papers import study_files

HEADS = ("row", "printed %", "measured %", "seeds", "k-NN %", "eff. rank", "spread", "align", "asym", "state", "theory")


COLUMNS = (
    "Columns: eff. rank is that of F = E[z z^T] at the end (1: collapsed), spread the standard deviation of the "
    "normalised projections times sqrt(d) (0: one point), align the mean cosine of the 16 leading eigenvectors of F "
    "with W_p applied to them, asym ||W_p - W_p^T|| / ||W_p||, state the collapse alarm's word. theory: the linear "
    "theory's verdict from X and X' of the untrained network's projections, with the share of input directions alive "
    "and the effective rank of F at the end; (linear): a linear predictor stands for the two-layer one."
)


def text(study: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> str:
    """Return the table for a terminal: rows, then what became of the printed pattern (`others`: `studies.others`)."""
    cells = [HEADS, *(_cells(row) for row in study["rows"] if row["runs"])]
    widths = [max(len(line[k]) for line in cells) for k in range(len(HEADS))]
    lines = [_title(study), ""]
    for number, line in enumerate(cells):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    missing = [row["id"] for row in study["rows"] if not row["runs"]]
    lines += [f"not run: {', '.join(missing)}"] * bool(missing)
    lines += [
        "",
        *(f"{seen.verdict}: {seen.text}. {seen.numbers}".rstrip() for seen in study_files.patterns(study, others)),
    ]
    lines += ["", legend(study)]
    return "\n".join(lines)


def markdown(study: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> str:
    """Return the table in Markdown."""
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in study["rows"] if row["runs"]]
    missing = [row["id"] for row in study["rows"] if not row["runs"]]
    lines += ["", f"Not run at this scale: {', '.join(missing)}."] * bool(missing)
    seen = study_files.patterns(study, others)
    lines += [""] * bool(seen) + [f"- {one.verdict}: {one.text}. {one.numbers}".rstrip() for one in seen]
    return "\n".join(lines)


def _title(study: Mapping[str, Any]) -> str:
    return f"{study['paper']}, {study['source']}: {study['title']}. Measured at scale {study['scale']}."


def legend(study: Mapping[str, Any]) -> str:
    """Return what the columns are."""
    return (
        f"printed: {study['printed_measure']}. measured: linear evaluation, mean +- standard deviation over "
        f"seeds, scale {study['scale']}; other data and another length, so only the order of rows compares. theory: "
        "the linear theory's verdict from measured X, X', share of directions alive and effective rank of F at the end."
    )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    found = {name: study_files.summary(row, name) for name in study_files.MEASURES}
    spread = f" +- {row['printed_spread']:g}" if row["printed_spread"] is not None else ""
    return (
        row["id"],
        "-" if row["printed"] is None else f"{row['printed']:g}{spread}",
        study_files.percent(found["linear"]),
        str(len(row["runs"])),
        study_files.percent(found["knn"]),
        study_files.plain(found["effective_rank"], 1),
        study_files.plain(found["spread"]),
        study_files.plain(found["alignment"]),
        study_files.plain(found["asymmetry"]),
        state(row),
        theory(row),
    )


def state(row: Mapping[str, Any]) -> str:
    """Return the collapse alarm's words at the end of the runs, with their number where they differ."""
    words = [run.get("alarm", "diverged" if "error" in run else "-") for run in row["runs"]]
    return ", ".join(word if len(set(words)) == 1 else f"{words.count(word)} {word}" for word in dict.fromkeys(words))


def theory(row: Mapping[str, Any]) -> str:
    """Return the theory's verdict with the mean share of directions alive."""
    found = [run["theory"] for run in row["runs"] if "alive" in run.get("theory", {})]
    if not found:
        return "-"
    words = [one["verdict"] for one in found]
    word = words[0] if len(set(words)) == 1 else "/".join(dict.fromkeys(words))
    mark = " (linear)" if "predictor" in found[0] else ""
    share, rank = (sum(one[name] for one in found) / len(found) for name in ("alive", "rank"))
    return f"{word} {share:.2f}, rank {rank:.1f}{mark}"
