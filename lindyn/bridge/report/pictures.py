"""The figures of an answer, as PNG bytes with name and caption; a picture without data is left out."""

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lindyn.bridge.along_run import NORMALISED
from lindyn.bridge.laws import known_laws
from lindyn.bridge.readings import SlopeFit
from lindyn.bridge.records import NOT_TESTABLE, Finding, Validation
from lindyn.bridge.report import theories_told, wording
from lindyn.display.brief import Brief
from lindyn.plotting import law_rows, style
from lindyn.plotting import network_pictures as plots
from lindyn.plotting.theories_picture import draw_theories


@dataclass(frozen=True, repr=False)
class Picture(Brief):
    """One figure.

    Args:
        name: of the file, without ending.
        caption: one or two sentences.
        content: its bytes by format, "png" among them.
    """

    name: str
    caption: str
    content: Mapping[str, bytes]

    @property
    def png(self) -> bytes:
        """Its bytes as PNG."""
        return self.content["png"]


def draw(answer: Validation) -> tuple[Picture, ...]:
    """Return every picture that the answer has data for.

    Args:
        answer: of `validate`.

    Returns:
        The pictures, in the order in which they are shown.
    """
    return tuple(_pictures(answer))


def _pictures(answer: Validation) -> Iterator[Picture]:
    known = min(answer.samples - 1, len(answer.diagnosis.s)) if answer.diagnosis and answer.samples else None
    if answer.diagnosis is not None:
        yield _picture("spectra", _SPECTRA, _spectra, answer.diagnosis, known)
        slope = _slope(answer.findings) or answer.diagnosis.slope
        yield _picture("alignment", _ALIGNMENT, _alignment, answer.diagnosis, slope, known)
    boundary = next((f for f in answer.findings if _has_boundary(f)), None)
    if boundary is not None:
        yield _picture("boundary", _BOUNDARY, _boundary, boundary)
    if answer.over_training is not None:
        yield _picture("over_training", _OVER_TRAINING, _over_training, answer.over_training)
    if any(beside.path for beside in answer.predictions):
        yield _picture("theories", _THEORIES, _theories, answer)
    if answer.findings:
        yield _picture("findings", _FINDINGS, _laws, answer)


_SPECTRA = (
    "Left: eigenvalues of F over the largest. Right: p_j sorted beside the eigenvalues of the predictor's symmetric "
    "part; where they lie on each other, F and W_p share their eigenspaces."
)
_ALIGNMENT = (
    "Left: cosine between each eigenvector u_j of F and W_p u_j. Right: p_j against s_j in log-log, the fitted power "
    "law with its window, and the slope 1/2 of the theory through the same middle."
)
_BOUNDARY = (
    "Each mode's p_j beside the edge p_- of its basin of collapse and the fixed point p_+ that it would grow to, "
    "under the run's own rates."
)
_OVER_TRAINING = (
    "Marks: the network along the run. Lines: the theory started from the first reading with the run's own rates, at "
    "the simulator's own times, nothing fitted; largest modes, darkest first. Last: its relative error at each reading."
)
_THEORIES = (
    "Marks: the network along the run. Lines: each theory from the run's start by the run's own rates, at its own "
    "times, nothing fitted. Effective rank counts the directions that share the features' variance; below 2 counts as "
    "collapsed. The norm is that of the projector's linear layers, which the squared theory does not have."
)
_FINDINGS = (
    "Every law that was tested: its value and interval over what it is held against, its verdict, and both numbers. "
    "Laws with the same value may differ in verdict, as their limits differ; the blue side is where a law holds."
)


def _picture(name: str, caption: str, make: Callable[..., Figure], *data: Any) -> Picture:
    with style.settings():
        figure = make(*data)
    return Picture(name, caption, style.rendered(figure))


def _spectra(reading: Any, known: int | None) -> Figure:
    figure, axes = style.new_figure(1, 2, height=3.6)
    plots.spectra(axes[0, 0], reading.s, known)
    plots.spectrum_of_predictor(axes[0, 1], reading.p, reading.spectrum_W_p)
    return figure


def _slope(findings: Sequence[Finding]) -> SlopeFit | None:
    """Return the fit that the finding on the slope was made from, so that picture and table say the same."""
    for found in findings:
        if math.isfinite(found.value) and {"modes", "s_low", "s_high"} <= set(found.details):
            modes, low, high = (found.details[name] for name in ("modes", "s_low", "s_high"))
            return SlopeFit(found.value, found.low, found.high, int(modes), low, high, "fitted")
    return None


def _alignment(reading: Any, slope: SlopeFit, known: int | None) -> Figure:
    figure, axes = style.new_figure(1, 2, height=3.8)
    plots.alignment_per_mode(axes[0, 0], reading.alignment, known)
    plots.p_against_s(axes[0, 1], reading.s, reading.p, slope, known)
    return figure


def _has_boundary(found: Finding) -> bool:
    edge = found.details.get("p_minus")
    return edge is not None and "p" in found.details and np.ndim(edge) == 1 and bool(np.isfinite(edge).any())


def _boundary(found: Finding) -> Figure:
    figure, axes = style.new_figure(1, 1, height=3.8)
    plots.p_against_boundary(axes[0, 0], found.details["p"], found.details["p_minus"], found.details.get("p_plus"))
    return figure


def _over_training(over: Any) -> Figure:
    figure, axes = style.new_figure(2, 2, height=6.8)
    theory = over.path or (
        {"steps": over.steps, **over.theory} if over.theory else {}
    )  # of a report before it had paths
    modes = 0
    for panel, name in zip(axes.ravel(), ("s", "p", "tau"), strict=False):
        modes = max(modes, plots.over_training(panel, over.steps, name, over.measured, theory, over.unit))
    plots.error_over_training(axes[1, 1], over.steps, over.error, over.unit)
    note = "\n".join(textwrap.wrap(over.reason, 170))
    style.frame(
        figure, "The run and the theory from its first reading", note, plots.key_over_training(modes, bool(theory))
    )
    return figure


def _theories(answer: Validation) -> Figure:
    from lindyn.bridge.run.normalised_theory import COLLAPSED_RANK  # loads JAX, which other answers have no use for

    shown = [beside for beside in answer.predictions if beside.path]
    *first, last = [theories_told.name_of(beside.theory) for beside in shown]
    names = f"{', '.join(first)} and {last}" if first else last
    parts = [theories_told.which(shown), f"measured: {shown[0].source}"]
    left_out = "; ".join(note for each in shown if each.theory == NORMALISED for note in each.notes)
    parts += [f"the normalised theory leaves out {left_out}"] * bool(left_out)
    note = "\n".join(textwrap.wrap("; ".join(filter(None, parts)), 170))
    return draw_theories(shown, COLLAPSED_RANK, f"The run beside {names}", note)


def _laws(answer: Validation) -> Figure:
    main = answer.maps[0].kind if answer.maps else ""
    shown = [found for found in answer.findings if found.map_kind in ("", main)]
    numbered = [found for found in shown if math.isfinite(found.value) or found.verdict != NOT_TESTABLE]
    silent = [found.short or found.law for found in shown if found not in numbered]
    note = f"not testable, and without a number: {', '.join(silent)}" if silent else ""
    rows = law_rows_of(answer)
    return law_rows.draw_laws(rows, "Every law that was tested, over its limit", note)


def law_rows_of(answer: Validation) -> list[law_rows.LawRow]:
    """Return the laws of an answer that have a number or a verdict, group by group, as rows of a picture."""
    main = answer.maps[0].kind if answer.maps else ""
    shown = [found for found in answer.findings if found.map_kind in ("", main)]
    numbered = [found for found in shown if math.isfinite(found.value) or found.verdict != NOT_TESTABLE]
    return [_law_row(found) for group in wording.grouped(numbered).values() for found in group]


def _law_row(found: Finding) -> law_rows.LawRow:
    limit, good, must = standard(found)
    value = "no number" if math.isnan(found.value) else wording.interval(found)
    kind = f" ({found.map_kind})" if found.map_kind not in ("", "exact") else ""
    group = wording.GROUPS.get(found.group, found.group)
    return law_rows.LawRow(found.title + kind, group, (reading(found),), limit, good, f"{value}{must}")


def reading(found: Finding) -> law_rows.LawReading:
    """Return the numbers of a finding and its verdict."""
    return law_rows.LawReading(found.value, found.low, found.high, found.verdict)


def standard(found: Finding) -> tuple[float, tuple[float, float], str]:
    """Return what a finding is held against, where it holds in units of that, and the same in words.

    NaN where nothing positive divides it (a limit of 0, no limit).
    """
    limit, within = found.details.get("limit"), found.details.get("within")
    limit = None if limit is None or math.isnan(limit) else float(limit)
    law = known_laws()[0].get(found.law)
    if "first" in found.details:
        limit, side = float(found.details["first"]), "above"
        must = f"; must be above {wording.number(limit)}, its start"
    elif within is not None:
        low, high = (float(end) for end in within)
        middle = math.sqrt(low * high)
        return middle, (low / middle, high / middle), f"; must be {low:.2g} to {high:.2g}"
    elif limit is None or law is None or law.good not in ("above", "below"):
        return math.nan, (0.0, 0.0), "; no limit" if limit is None else ""
    else:
        side = law.good
        must = f"; must be {side} {wording.number(limit)}"
    usable = limit if limit > 0 else math.nan
    return usable, ((1.0, math.inf) if side == "above" else (0.0, 1.0)), must
