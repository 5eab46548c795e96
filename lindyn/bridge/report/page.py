"""`report.html`: the answer as one page that needs nothing but itself: pictures inside, no scripts, no network."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from lindyn.bridge.along_run import PREDICTED
from lindyn.bridge.records import FAILS, HOLDS, Advice, Finding, TheoryBeside, Validation
from lindyn.bridge.report import schema, theories_told, wording
from lindyn.bridge.report.pictures import Picture, draw
from lindyn.bridge.settings import USED, Settings
from lindyn.display.glossary import terms
from lindyn.display.markup import STYLE, Markup, document, table, tag
from lindyn.display.mathml import formula

CLASSES = {HOLDS: "holds", FAILS: "fails"}


SHOWN = ("alignment_top", "asymmetry", "effective_rank", "trace_F", "balance_residual_fitted")
MOST_ROWS = 24
PLAIN = {
    "healthy": "This network has not.",
    "near": "This network has not, but it is not far from it.",
    "partial": "This network has, in part.",
    "at risk": "This network is at risk of it.",
    "collapsed": "This network has.",
    "unknown": "Whether this network has cannot be told from what was given.",
}


def page(answer: Validation, pictures: Sequence[Picture] = ()) -> str:
    """Return the report as one HTML page; every text that a file brought is escaped.

    Args:
        answer: of `validate`.
        pictures: of `pictures.draw`.

    Returns:
        The page's text.
    """
    title = f"{answer.pieces.path.name or answer.pieces.path}: held against the theory"
    return document(
        title, STYLE,
        tag("h1", title),
        plainly(answer),
        tag("p", answer.headline, class_="headline"),
        section("What to make of it", advice(answer)),
        section("What was read", read(answer)),
        section("Laws, one by one", findings(answer.findings)),
        section("Two theories beside the run", _theories(answer)) if answer.over_training else None,
        section("Over training", _over_training(answer)) if answer.over_training else None,
        section("Pictures", [figure(picture) for picture in pictures]) if pictures else None,
        section("What the words mean", glossary(answer.findings)),
        footer(schema.versions()),
    )  # fmt: skip


def plainly(answer: Validation) -> Markup:
    """Return what the page is about for a reader who is not of the field, and its first answer."""
    alarm = wording.alarm_of(answer.findings, answer.diagnosis, answer.collapse)[0]
    held = sum(found.verdict == HOLDS for found in answer.findings)
    tested = sum(found.verdict in (HOLDS, FAILS) for found in answer.findings)
    about = (
        "The network learned by guessing what it would say of another view of the same image. It could get away with "
        "saying the same of every image, or with using few of its outputs: it would have collapsed, and be of no use. "
    )
    theory = (
        f" A theory of such networks makes statements that can be tested on it; {held} of {tested} that could be "
        "tested came out as it says. Below: what to make of it, what was read, each statement with its number."
    )
    return tag("p", about, tag("strong", PLAIN.get(alarm, PLAIN["unknown"])), theory, class_="plain")


def scrolled(name: str, content: Any) -> Markup:
    """Return something wide that is scrolled by itself, with the keyboard too."""
    return tag("div", content, class_="scroll", tabindex="0", role="region", aria_label=name)


def section(title: str, *content: Any) -> Markup:
    """Return a part of a page with its title."""
    return tag("section", tag("h2", title), *content)


def read(answer: Validation) -> Markup:
    """Return what was read: file, layout, place in training, features, settings with their sources, notes."""
    pieces = answer.pieces
    parts = [name.replace("_", " ") for name in schema.PARTS if getattr(pieces, name) is not None]
    entries = {
        "File": tag("code", pieces.path),
        "Layout": f"{pieces.title} ({pieces.layout})",
        "Place in training": wording.place(answer) or "not known",
        "Parts": ", ".join(parts) or "none",
        "Features": (answer.features + (f" ({answer.samples:,} samples)" if answer.samples else "")) or "none",
        "Predictor's linear map": _maps(answer),
        "Rates of the theory": wording.rates(answer.rates),
    }
    if answer.rates.assumed:
        entries["Taken for granted"] = "; ".join(answer.rates.assumed)
    if answer.rates.missing:
        entries["Would be known with"] = ", ".join(answer.rates.missing)
    listed = tag("dl", [[tag("dt", name), tag("dd", text)] for name, text in entries.items()])
    assumed = [each.sentence for each in pieces.assumptions]
    return Markup(
        listed + _settings(answer) + _sentences("Assumed, not read", assumed) + _sentences("Notes", pieces.notes)
    )


def _maps(answer: Validation) -> str:
    if not answer.maps:
        return "no predictor"
    return "; ".join(
        m.kind if m.kind == "exact" else f"{m.kind}, explains {wording.number(m.explained)} of the output's variance"
        for m in answer.maps
    )


def _settings(answer: Validation) -> Markup:
    known = answer.pieces.settings
    if not known.values:
        return tag("p", "No hyper-parameter is known: the file holds none and none was given.", class_="small")
    used = {key: value for key, value in known.values.items() if key in USED}
    rest = {key: value for key, value in known.values.items() if key not in USED}
    shown = [tag("h3", "Hyper-parameters that the rates are made from"), _keys(used, known)] if used else []
    if rest:
        title = f"{len(rest)} other settings that were read"
        shown.append(tag("details", tag("summary", title), _keys(rest, known)))
    return Markup("".join(shown))


def _keys(values: Mapping[str, Any], known: Settings) -> Markup:
    rows = [[tag("code", key), tag("code", value), known.sources.get(key, "")] for key, value in values.items()]
    return scrolled("settings", table(["key of lindyn train", "value", "read from"], rows))


def _sentences(title: str, sentences: Sequence[str]) -> Markup:
    return Markup(tag("h3", title) + tag("ul", [tag("li", each) for each in sentences])) if sentences else Markup("")


def advice(answer: Validation) -> Markup:
    """Return the advice as a list; how sure each one is and what it rests on stand beside it."""
    items = [tag("li", sure(entry), entry.text, tag("div", entry.because, class_="small")) for entry in answer.advice]
    return tag("ol", items, class_="advice") if items else tag("p", "Nothing.")


def sure(entry: Advice) -> Markup:
    """Return how sure advice is; nothing where it claims nothing."""
    return Markup(tag("span", entry.sure, class_="sure") + " ") if entry.sure else Markup("")


def verdict(word: str) -> Markup:
    """Return a verdict as a word in its colour."""
    return tag("span", word, class_=f"verdict {CLASSES.get(word, 'untested')}")


def findings(found: Sequence[Finding]) -> Markup:
    """Return the tables of laws, one a group."""
    parts = []
    for group, rows in wording.grouped(found).items():
        cells = [
            [
                [f.title, tag("div", _with_map(f), class_="small")],
                [tag("span", wording.interval(f), class_="number"), *_other_maps(f)],
                verdict(f.verdict),
                [f.reason, tag("div", f.source, class_="small")],
            ]
            for f in rows
        ]
        head = ["law", "value [interval]", "verdict", "against what, or why not"]
        title = wording.GROUPS.get(group, group)
        parts += [tag("h3", title), scrolled(title, table(head, cells))]
    return Markup("".join(parts)) if parts else tag("p", "No law could be tested.")


def _with_map(found: Finding) -> str:
    return f"{found.statistic}; map: {found.map_kind}" if found.map_kind else found.statistic


def _other_maps(found: Finding) -> list[Markup]:
    """Return the same statistic by the predictor's other maps, where there are any."""
    others = found.details.get("by_map")
    if not isinstance(others, Mapping):
        return []
    return [tag("div", f"{kind}: {wording.number(float(value))}", class_="small") for kind, value in others.items()]


def _theories(answer: Validation) -> Markup:
    """Return both theories in a table, what each leaves out, and why one is missing."""
    rows = []
    for beside in answer.predictions:
        measured, told = (_end(values) for values in (beside.rank_measured, beside.rank_predicted))
        words = [_collapsed(word) for word in (beside.collapsed_measured, beside.collapsed_predicted)]
        rows.append([_told_by(beside), wording.number(beside.error), f"{beside.readings:,}", f"{told} ({measured})",
                     f"{words[1]} ({words[0]})"])  # fmt: skip
    head = ["theory", theories_told.ERROR, "readings", "effective rank at the end (measured)", "collapsed (measured)"]
    which = theories_told.which(answer.predictions)
    notes = [f"{_named(beside)} against {beside.source}; approximate or left out: {'; '.join(beside.notes)}."
             for beside in answer.predictions if beside.notes]  # fmt: skip
    return Markup(
        (tag("p", f"{which[0].upper()}{which[1:]}.") if which else Markup(""))
        + (scrolled("two theories", table(head, rows)) if rows else Markup(""))
        + _sentences("What they leave out", notes)
        + _sentences("Not beside it", [f"The {name} theory: {why}" for name, why in answer.not_predicted.items()])
    )


def _told_by(beside: TheoryBeside) -> str:
    return "predicted, before the training" if beside.theory == PREDICTED else beside.theory


def _named(beside: TheoryBeside) -> str:
    name = theories_told.name_of(beside.theory)
    return f"{name[0].upper()}{name[1:]}"


def _end(values: Any) -> str:
    return wording.number(float(values[-1])) if len(values) else "-"


def _collapsed(word: bool) -> str:
    return "yes" if word else "no"


def _over_training(answer: Validation) -> Markup:
    over = answer.over_training
    assert over is not None
    rows = []
    for place, step in enumerate(over.steps):
        errors = [wording.number(float(over.error[name][place])) if name in over.error else "-" for name in ("s", "p")]
        rows.append([f"{step:,}", *errors, *(_at(over.measured, name, place) for name in SHOWN)])
    if len(rows) > MOST_ROWS:
        keep = sorted({round(k * (len(rows) - 1) / (MOST_ROWS - 1)) for k in range(MOST_ROWS)})
        rows = [rows[k] for k in keep]
    head = [over.unit, "error in s", "error in p", *(name.replace("_", " ") for name in SHOWN)]
    about = f"{over.source}; {wording.theory_error(answer)}."
    return Markup(tag("p", about[0].upper() + about[1:]) + scrolled("over training", table(head, rows)))


def _at(measured: Mapping[str, Any], name: str, place: int) -> str:
    return wording.number(float(measured[name][place])) if name in measured else "-"


def figure(picture: Picture) -> Markup:
    """Return a picture with its bytes inside the page."""
    data = base64.b64encode(picture.png).decode("ascii")
    return tag(
        "figure",
        tag("img", src=f"data:image/png;base64,{data}", alt=picture.caption),
        tag("figcaption", picture.caption),
    )


def glossary(found: Sequence[Finding]) -> Markup:
    """Return what every statistic of the findings is, and the terms they use."""
    entries = [(f.title, f"{f.statistic}. Source: {f.source}.", "") for f in found]
    entries += [(term.name, term.meaning, term.formula) for term in terms("word")]
    told = [
        [tag("dt", name), tag("dd", text, formula(maths) if maths else Markup(""))] for name, text, maths in entries
    ]
    return tag("dl", told, class_="words")


def footer(versions: Mapping[str, str]) -> Markup:
    """Return the versions of what made the page."""
    listed = ", ".join(f"{name} {value}" for name, value in versions.items())
    return tag("p", f"Made by lindyn validate ({listed}).", class_="small")


def files(answer: Validation, command: str = "") -> dict[str, str | bytes]:
    """Return content by file name of a report: report.html, report.json and the figures.

    Args:
        answer: of `validate`.
        command: line that asked for it, which report.json keeps.
    """
    shown = draw(answer)
    return written(page(answer, shown), schema.as_json(answer), shown, command)


def written(
    html: str, report: Mapping[str, Any], shown: Sequence[Picture], command: str = ""
) -> dict[str, str | bytes]:
    """Return content by file name of a page with its JSON and pictures."""
    report = {**report, "command": command} if command else report
    drawn: dict[str, str | bytes] = {
        f"figures/{picture.name}.{ending}": content for picture in shown for ending, content in picture.content.items()
    }
    return {"report.html": html, "report.json": schema.text(dict(report)), **drawn}
