"""Which theory describes a run, and by how much better: in the headline, the terminal, the page and a picture."""

from dataclasses import replace

import numpy as np
import pytest

from lindyn.bridge.along_run import NORMALISED, SQUARED, NextSteps, TheoryBeside
from lindyn.bridge.laws import LAWS, KnownRun, finding, law
from lindyn.bridge.laws.law_definition import BESIDE
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.report import page, pictures, schema, terminal, theories_told, wording
from lindyn.bridge.report.advice import advise, theory_of
from lindyn.bridge.report.wording import headline, theory_state
from lindyn.bridge.run import describe
from lindyn.bridge.settings import Settings
from tests.bridge.validation import answers
from tests.bridge.validation.synthetic import RATES, Aligned, linear
from tests.pictures import collected

MODEL = Aligned.of(8, 0, 0.6)
OF_SQUARED = ("slope", "eq17", "eq17_pairs", "boundary")
COSINE = Settings.of({"method.loss": "cosine"}, "here")


def beside(theory=NORMALISED, error=0.2, modes=4, readings=7, times=60, **more):
    """Return a theory beside a run whose error of the shape is given."""
    steps, at = 10 * np.arange(readings), np.linspace(0, 10 * (readings - 1), times)
    s = np.geomspace(1, 0.01, modes) * np.exp(0.01 * steps)[:, None]
    line = np.geomspace(1, 0.02, modes) * np.exp(0.01 * at)[:, None]
    path = {"steps": at, "s": line, "effective_rank": np.full(times, 2.5)}
    norm = {} if theory == SQUARED else {"norm_steps": steps[::3], "norm_measured": 1.0 + steps[::3] / 50,
                                         "norm_predicted": 1.1 + steps[::3] / 50}  # fmt: skip
    path |= {} if theory == SQUARED else {"norm": 1.1 + at / 50}
    rank, errors = np.full(readings, 2.4), np.full(readings, error)
    given = {"source": "7 checkpoints", "notes": ("ReLU <between> layers",), "path": path, **norm, **more}
    return TheoryBeside(theory, steps, s, 1.1 * s, rank, rank + 0.1, errors, errors, False, True, **given)


def both(squared, normalised):
    return beside(SQUARED, squared), beside(NORMALISED, normalised)


@pytest.mark.parametrize(
    ("squared", "normalised", "told"),
    [
        (0.41, 0.19, "the normalised theory describes the run, 2.2 times nearer than the squared one (error of the "
                     "spectrum's shape 0.19 against 0.41)"),
        (0.02, 0.6, "the squared theory follows the run, 30 times nearer than the normalised one (error of the "
                    "spectrum's shape 0.02 against 0.6)"),
        (0.03, 0.031, "both theories follow the run, one about as near as the other (error of the spectrum's shape "
                      "0.03 against 0.031)"),
        (0.55, 0.56, "neither theory describes the run, one about as near as the other (error of the spectrum's shape "
                     "0.55 against 0.56)"),
        (0.9, 0.6, "neither theory describes the run, the normalised one is 1.5 times nearer than the squared one "
                   "(error of the spectrum's shape 0.6 against 0.9)"),
        (0.5, 0.001, "the normalised theory follows the run, over 100 times nearer than the squared one (error of the "
                     "spectrum's shape 0.001 against 0.5)"),
        (0.5, 0.0, "the normalised theory follows the run, over 100 times nearer than the squared one (error of the "
                   "spectrum's shape 0 against 0.5)"),
        (0.0, 0.0, "both theories follow the run, one about as near as the other (error of the spectrum's shape 0 "
                   "against 0)"),
        (np.nan, 0.45, "the normalised theory describes the run in part (error of the spectrum's shape 0.45)"),
        (np.nan, np.nan, ""),
    ],
)  # fmt: skip
def test_which_theory_describes_the_run_and_by_how_much_better(squared, normalised, told):
    assert theories_told.which(both(squared, normalised)) == told
    assert theories_told.which(both(squared, normalised)[::-1]) == told


def laws_of(theory):
    """Return the findings of the synthetic network, whose slope is 1/2, in a run whose loss this theory speaks of."""
    measured = measure(MODEL.draw(4000, 0), linear(MODEL.W_p), linear(MODEL.V))
    return {
        each.law: each for each in (finding(one, measured, KnownRun(RATES, theory=theory)) for one in LAWS.values())
    }


def test_laws_of_the_other_loss_are_shown_with_their_scope_and_not_counted():
    cosine, squared, unknown = (laws_of(theory) for theory in (NORMALISED, SQUARED, ""))
    assert [name for name, one in LAWS.items() if one.theory == SQUARED] == list(OF_SQUARED)
    for name in OF_SQUARED:
        assert cosine[name].scope == "squared loss, not counted" and cosine[name].title.endswith(
            ": " + cosine[name].scope
        )
        assert cosine[name].statement == LAWS[name].title and (cosine[name].verdict, cosine[name].value) == (
            squared[name].verdict, squared[name].value)  # fmt: skip
        assert squared[name].scope == unknown[name].scope == ""
    assert [cosine[name].role for name in OF_SQUARED] == ["beside"] * 3 + ["prediction"]
    counted = {theory: {f.law for part in theory_state(tuple(found.values()), "exact")[1:] for f in part}
               for theory, found in ((NORMALISED, cosine), (SQUARED, squared), ("", unknown))}  # fmt: skip
    assert counted[SQUARED] == counted[""]
    assert counted[SQUARED] - counted[NORMALISED] == set(OF_SQUARED) - {"boundary"}


def test_a_law_of_neither_theory_is_refused():
    with pytest.raises(ValueError, match="theory of the law mine must be squared, normalised or ''; got 'cubed'"):

        @law(title="a", statistic="b", source="c", theory="cubed")
        def mine(measured, run):
            return None


def test_the_theory_of_a_run_is_that_of_its_loss():
    for loss, theory in (("cosine", NORMALISED), ("negative-cosine", NORMALISED), ("l2", SQUARED), (None, "")):
        settings = Settings.of({"method.loss": loss}, "here")
        assert describe(settings).loss.theory == theory_of(settings) == theory
        assert KnownRun.of(describe(settings), measure(None, linear(np.eye(4)))).theory == theory
    assert theory_of(None) == ""


def test_the_headline_names_the_theory_the_ratio_and_the_laws_that_apply():
    found = tuple(answers.finding(name) for name in ("alignment", "psd", "commutator"))
    found += (answers.finding("slope", "fails", role="beside", scope="squared loss, not counted"),)
    told = headline(found, answers.reading(), "exact", predictions=both(0.41, 0.19), theory=NORMALISED)
    assert told == (
        "Not collapsing (none: 22 of 24 directions live); the normalised theory describes the run, 2.2 times nearer "
        "than the squared one (error of the spectrum's shape 0.19 against 0.41); 3 of 3 laws that apply to its loss "
        "hold."
    )
    alone = headline(found, answers.reading(), "exact", theory=NORMALISED)
    assert alone.endswith("the normalised theory describes it: 3 of 3 laws that apply to its loss hold.")
    squared = headline(found, answers.reading(), "exact", predictions=both(0.05, 0.4), theory=SQUARED)
    assert "the squared theory follows the run, 8 times nearer" in squared and "3 of 3 testable laws hold." in squared
    untested = headline((), None, predictions=both(0.41, 0.19))
    assert untested.endswith("0.19 against 0.41); no law of the theory could be tested.")
    text = advise(found, RATES, answers.reading(), predictions=both(0.41, 0.19), settings=COSINE)[1].text
    assert text.startswith("The normalised theory describes the run, 2.2 times nearer") and "3 of 3 laws" in text


def test_advice_by_the_squared_theory_says_so_where_another_theory_speaks_of_the_loss():
    fate = answers.finding("boundary", "fails", reason="2 of 8 leading modes lie below p_-.")
    start = answers.modes()
    own = [a.text for a in advise((fate,), answers.RATES, answers.reading(), (), answers.SETTINGS, start, 5000)]
    other = [a.text for a in advise((fate,), answers.RATES, answers.reading(), (), COSINE, start, 5000)]
    assert own[2].startswith("The theory expects") and other[2].startswith("The squared theory expects")
    assert any(text.startswith("Less weight decay would") for text in own)
    assert any(text.startswith("By the squared theory less weight decay would") for text in other)


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (NextSteps(60, 5.0, 4.1, 0.12), "it is not at rest: in the next 60 steps at the peak learning rate the "
         "effective rank would fall from 5.0 to 4.1, and the spectrum's shape move by 12 %."),
        (NextSteps(20, 5.0, 6.0, 0.049), "its state is one of rest: in the next 20 steps at the peak learning rate the "
         "effective rank would rise from 5.0 to 6.0, and the spectrum's shape move by 4.9 %."),
        (NextSteps(20, 5.0, 5.01, 0.001), "its state is one of rest: in the next 20 steps at the peak learning rate "
         "the effective rank would stay at 5.0, and the spectrum's shape move by 0.1 %."),
    ],
)  # fmt: skip
def test_what_comes_next_is_one_sentence(ahead, told):
    (one,) = [each for each in advise((), RATES, answers.reading(), ahead=ahead) if "By the norm" in each.text]
    assert one.text == f"By the normalised theory {told}" and one.sure == "sure"
    assert "The projector's linear layers have effective rank 5.0 now, the network's outputs " in one.because
    weak = replace(ahead, notes=("ReLU", "the backbone"))
    assert next(e for e in advise((), RATES, None, ahead=weak) if "By the norm" in e.text).sure == "a guess"


@pytest.fixture(scope="module")
def whole():
    return answers.answer(predictions=both(0.41, 0.19))


def test_terminal_and_page_show_both_and_say_why_one_is_missing(whole):
    text = terminal.summary(whole)
    assert "Theories   effective rank at the end 2.4 measured, 2.5 by the squared theory, 2.5 by the" in text
    html = page.page(whole)
    assert "Two theories beside the run" in html and "ReLU &lt;between&gt; layers" in html
    assert "<td>normalised</td><td>0.19</td><td>7</td><td>2.5 (2.4)</td><td>yes (no)</td>" in html
    assert "error of the spectrum" in html.split("What the words mean")[1]
    missing = replace(whole, predictions=whole.predictions[:1], not_predicted={"normalised": "LARS is <none>."})
    assert "no normalised theory: LARS is <none>" in " ".join(terminal.summary(missing).split())
    assert "The normalised theory: LARS is &lt;none&gt;." in page.page(missing)
    for answer in (whole, missing):
        lines = terminal.summary(answer, "o/report.html").splitlines()
        assert len(lines) <= 40 and max(map(len, lines)) <= 100
    none = replace(whole, predictions=(), not_predicted={})
    assert "Theories" not in terminal.summary(none)


def test_the_picture_draws_theories_at_their_own_times_and_the_network_as_marks(whole, monkeypatch):
    missing = replace(whole, predictions=whole.predictions[:1])
    only = replace(whole, predictions=whole.predictions[1:])
    with collected(monkeypatch) as found:
        for answer in (whole, missing, only):
            pictures.draw(answer)
    assert [fault for _, faults in found for fault in faults] == []
    drawn = [figure for figure, _ in found if any("norm of the" in each.get_title() for each in figure.axes)]
    figure = drawn[0]
    rank, norm, normalised, squared = figure.axes
    lines = [line for line in rank.lines if len(line.get_xdata()) == 60]
    marks = [line for line in rank.lines if line.get_marker() == "o"]
    assert len(lines) == 2 and len(marks) == 1 and len(marks[0].get_xdata()) == 7
    assert len(norm.lines) == 2 and len(norm.lines[0].get_xdata()) == 60 and len(norm.lines[1].get_xdata()) == 3
    for panel in (normalised, squared):
        assert panel.get_yscale() == "log" and [len(line.get_xdata()) for line in panel.lines] == [60] * 4 + [7] * 4
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert words[:3] == ["network", "normalised theory", "squared theory"]
    assert any("could not be run" in text.get_text() for text in drawn[1].axes[1].texts)


def test_the_report_draws_the_picture_only_where_there_is_a_theory(whole):
    assert "theories" in [picture.name for picture in pictures.draw(whole)]
    assert "theories" not in [picture.name for picture in pictures.draw(answers.answer())]
    bare = finding(LAWS["slope"], measure(None, linear(np.eye(4))), KnownRun(RATES, theory=NORMALISED))
    assert bare.role == wording.BESIDE == BESIDE
    assert schema.as_json(whole)["predictions"][0]["theory"] == SQUARED
