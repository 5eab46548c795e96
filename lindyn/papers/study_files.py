"""Study files: what training runs of a table's rows measured, beside what the paper prints; read by the ledger.

A study is shown as a table in which printed and measured numbers have columns of their own (`text`, `markdown`).

`lindyn reproduce PAPER --training --table T --ledger` writes `papers_repro/PAPER/studies/T-SCALE.json`: nobody types a
measured number. Printed numbers (`printed`, `printed_spread`) and measured ones (`runs`) stand in different fields, a
measured one always with its scale.
"""

import functools
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lindyn import _checks
from lindyn.display.brief import Brief
from lindyn.stored import limits

SCHEMA = 1
KEY = "lindyn_study"
MEASURES = {
    "linear": "linear evaluation on frozen features, share of one",
    "knn": "k-NN on frozen features, share of one",
    "effective_rank": "exp of the entropy of the eigenvalues of F, last reading",
    "spread": "standard deviation of the normalised projections times sqrt(d): 0 one point, 1 isotropic",
    "alignment": "mean cosine of the leading eigenvectors of F with W_p applied to them, last reading",
    "asymmetry": "||W_p - W_p^T|| / ||W_p||, last reading",
    "alignment_growth": "alignment, last reading minus first",
    "symmetry_growth": "asymmetry, first reading minus last",
    "knn_mean": "k-NN, mean over the epochs: how early it is learned",
    "network_norm": "norm of all weights of backbone and projector at the end",
    "predictor_norm": "norm of all weights of the predictor at the end",
}
"""What a run measures."""
HEADS = ("row", "printed %", "measured %", "seeds", "k-NN %", "eff. rank", "spread", "align", "asym", "state", "theory")
COLUMNS = (
    "Columns: eff. rank is that of F = E[z z^T] at the end (1: collapsed), spread the standard deviation of the "
    "normalised projections times sqrt(d) (0: one point), align the mean cosine of the 16 leading eigenvectors of F "
    "with W_p applied to them, asym ||W_p - W_p^T|| / ||W_p||, state the collapse alarm's word. theory: the linear "
    "theory's verdict from X and X' of the untrained network's projections, with the share of input directions alive "
    "and the effective rank of F at the end; (linear): a linear predictor stands for the two-layer one."
)


@dataclass(frozen=True, repr=False)
class Summary(Brief):
    """Mean and spread of one measure of one row.

    Args:
        mean: over seeds; NaN without runs.
        spread: standard deviation over seeds (n - 1); NaN with fewer than two.
        seeds: how many runs reached their end.
        failed: how many ended in a loss that is no number.
    """

    mean: float
    spread: float
    seeds: int
    failed: int = 0

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.spread / math.sqrt(self.seeds) if self.seeds > 1 else math.nan


def read(path: str | Path) -> dict[str, Any]:
    """Return a study file.

    Raises:
        ValueError: no such file, not a study, or one of a newer schema.
    """
    path = Path(path)
    try:
        study = _parsed(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise ValueError(f"Cannot read the study {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{path} is no study file: {error}.") from error
    if not isinstance(study, dict) or KEY not in study:
        raise ValueError(f"{path} is no study file: it has no key {KEY!r}.")
    if study[KEY] != SCHEMA:
        raise ValueError(f"{path} has study schema {study[KEY]}, this lindyn reads {SCHEMA}; update lindyn.")
    return study


@functools.lru_cache(maxsize=64)
def _parsed(path: Path, changed: int) -> Any:
    return limits.read_json(path)


def committed(folder: Path) -> list[dict[str, Any]]:
    """Return the studies of a paper's folder, `folder`/studies/*.json, in the order of their names."""
    return [read(path) for path in sorted((folder / "studies").glob("*.json"))]


def others(folder: Path, pattern: str = "*.json") -> dict[str, Any]:
    """Return the rows of all studies in a folder by "paper:table:claim/name": patterns may look at other tables."""
    found = [read(path) for path in sorted(folder.glob(pattern))]
    return {f"{study['paper']}:{study['table']}:{row['id']}": row for study in found for row in rows(study)}


def summary(row: Mapping[str, Any], measure: str = "linear") -> Summary:
    """Return mean and spread of a measure over a row's runs.

    Args:
        row: one of a study's rows.
        measure: one of `MEASURES`.

    Raises:
        ValueError: an unknown measure.
    """
    _checks.one_of("measure", measure, MEASURES)
    failed = sum("error" in run for run in row["runs"])
    values = [run[measure] for run in row["runs"] if run.get(measure) is not None]
    if not values:
        return Summary(math.nan, math.nan, 0, failed)
    spread = statistics.stdev(values) if len(values) > 1 else math.nan
    return Summary(statistics.fmean(values), spread, len(values), failed)


def rows(study: Mapping[str, Any], claim: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of a study, or those of one claim, that were run."""
    return [row for row in study["rows"] if row["runs"] and claim in (None, row["claim"])]


@dataclass(frozen=True, repr=False)
class Seen(Brief):
    """What became of one pattern of the printed table.

    Args:
        text: the pattern in words.
        verdict: "seen", "not seen", "undecided" (within the spread) or "not run".
        numbers: the evidence in words.
        claim: the claim it belongs to; "" all of the table.
    """

    text: str
    verdict: str
    numbers: str
    claim: str = ""


def patterns(study: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> list[Seen]:
    """Return what became of the patterns of a study's table.

    A pattern says which row is higher than which (linear evaluation unless it names another quantity), or that one is
    higher than a number. It is seen if every difference is above 0 by two standard errors, not seen if one is below 0
    by as much, undecided in between and where a row has one seed only.

    Args:
        study: the study.
        others: further rows by "paper:table:claim/name", for patterns that compare with another table.

    Returns:
        One entry per pattern.
    """
    known = {row["id"]: row for row in rows(study)} | dict(others or {})
    return [_seen(pattern, known) for pattern in study["patterns"]]


def _seen(pattern: Mapping[str, Any], known: Mapping[str, Any]) -> Seen:
    measure, claim = pattern.get("quantity", "linear"), pattern.get("claim", "")
    if "equal" in pattern:
        return _equal(pattern, known, measure)
    high = _best(pattern["higher"], known, measure)
    lows = [_value(name, known, measure) for name in pattern.get("lower", ())]
    if "than" in pattern:
        lows.append(("", Summary(float(pattern["than"]), 0.0, 2)))
    if high is None or any(low is None for low in lows):
        return Seen(pattern["text"], "not run", "", claim)
    found, words = [], []
    for name, low in lows:  # type: ignore[misc]
        gap, error = _gap(high[1], low)
        found.append("seen" if gap > 2 * error and gap > 0 else "not seen" if gap < -2 * error else "undecided")
        against = f"{_short(name)} {_shown(low, measure)}" if name else f"{low.mean:g}"
        words.append(f"{_short(high[0])} {_shown(high[1], measure)} against {against}")
    verdict = next((word for word in ("not seen", "undecided") if word in found), "seen")
    return Seen(pattern["text"], verdict, "; ".join(words), claim)


def _equal(pattern: Mapping[str, Any], known: Mapping[str, Any], measure: str) -> Seen:
    """Return whether two rows give one number: `times` the first over the second is 1 but for `within`, by seeds.

    Runs of one seed start alike and see the same images, so that their ratio is taken seed by seed. Seen: the mean and
    two standard errors lie inside; not seen: outside.
    """
    one, other = (known.get(name) for name in pattern["equal"])
    values = [{run["seed"]: run[measure] for run in (row or {"runs": ()})["runs"] if run.get(measure)}
              for row in (one, other)]  # fmt: skip
    ratios = [
        pattern.get("times", 1) * values[0][seed] / values[1][seed] - 1 for seed in sorted({*values[0]} & {*values[1]})
    ]
    if not ratios:
        return Seen(pattern["text"], "not run", "", pattern.get("claim", ""))
    spread = statistics.stdev(ratios) if len(ratios) > 1 else math.nan
    off = Summary(statistics.fmean(ratios), spread, len(ratios))
    room, error = pattern["within"], math.inf if math.isnan(off.error) else 2 * off.error
    verdict = "seen" if abs(off.mean) + error <= room else "not seen" if abs(off.mean) - error > room else "undecided"
    words = f"off by {percent(off)} % ({len(ratios)} seeds; within {100 * room:g} %)"
    return Seen(pattern["text"], verdict, words, pattern.get("claim", ""))


def _best(name: str, known: Mapping[str, Any], measure: str) -> tuple[str, Summary] | None:
    """Return the row of a name, or of "best of A, B, ..." the one with the highest mean."""
    names = name.removeprefix("best of ").split(", ") if name.startswith("best of ") else [name]
    found = [value for value in (_value(one, known, measure) for one in names) if value is not None]
    return max(found, key=lambda one: one[1].mean) if len(found) == len(names) else None


def _value(name: str, known: Mapping[str, Any], measure: str) -> tuple[str, Summary] | None:
    if name not in known:
        return None
    found = summary(known[name], measure)
    return (name, found) if found.seeds else None


def _gap(high: Summary, low: Summary) -> tuple[float, float]:
    errors = [math.inf if math.isnan(one.error) else one.error for one in (high, low)]  # one seed has no spread
    return high.mean - low.mean, math.hypot(*errors)


def _short(name: str) -> str:
    return name.split(":")[-1]


def _shown(value: Summary, measure: str) -> str:
    return percent(value) if measure in ("linear", "knn") else plain(value)


def percent(value: Summary) -> str:
    """Return a share as "87.6 +- 0.4", in percent; "-" without runs."""
    return plain(Summary(100 * value.mean, 100 * value.spread, value.seeds, value.failed), 1)


def plain(value: Summary, digits: int = 2) -> str:
    """Return "mean +- spread", with the number of failed runs; "-" without runs."""
    failed = f" ({value.failed} diverged)" if value.failed else ""
    if not value.seeds:
        return "diverged" if value.failed else "-"
    spread = "" if math.isnan(value.spread) else f" +- {value.spread:.{digits}f}"
    return f"{value.mean:.{digits}f}{spread}{failed}"


def slim(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study without curves over training but those that its table keeps; for the committed file."""
    thin = [{**row, "runs": [_thin(run, study.get("curves", [])) for run in row["runs"]]} for row in study["rows"]]
    return {**study, "rows": thin}


def _thin(run: Mapping[str, Any], keep: list[str]) -> dict[str, Any]:
    rest = {name: value for name, value in run.items() if name not in ("curves", "loss")}
    curves = {name: values for name, values in run.get("curves", {}).items() if name in keep}
    return rest | ({"curves": curves} if curves else {})


def split_configuration(configs: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return (what all configurations share, what each has beside)."""
    first = configs[0] if configs else {}
    shared = {k: v for k, v in first.items() if all(k in c and c[k] == v for c in configs)}
    return shared, [{k: v for k, v in c.items() if k not in shared} for c in configs]


def text(study: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> str:
    """Return the table for a terminal: rows, then what became of the printed pattern (`others`: the function)."""
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
        *(f"{seen.verdict}: {seen.text}. {seen.numbers}".rstrip() for seen in patterns(study, others)),
    ]
    lines += ["", legend(study)]
    return "\n".join(lines)


def markdown(study: Mapping[str, Any], others: Mapping[str, Any] | None = None) -> str:
    """Return the table in Markdown."""
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in study["rows"] if row["runs"]]
    missing = [row["id"] for row in study["rows"] if not row["runs"]]
    lines += ["", f"Not run at this scale: {', '.join(missing)}."] * bool(missing)
    seen = patterns(study, others)
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
    found = {name: summary(row, name) for name in MEASURES}
    spread = f" +- {row['printed_spread']:g}" if row["printed_spread"] is not None else ""
    return (
        row["id"],
        "-" if row["printed"] is None else f"{row['printed']:g}{spread}",
        percent(found["linear"]),
        str(len(row["runs"])),
        percent(found["knn"]),
        plain(found["effective_rank"], 1),
        plain(found["spread"]),
        plain(found["alignment"]),
        plain(found["asymmetry"]),
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
