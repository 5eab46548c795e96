"""Two runs side by side: differences by the intervals, and what the theory says of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lindyn.bridge.records import Validation
from lindyn.bridge.report import compare_text, schema
from lindyn.bridge.report.compare import HIGHER, LOWER, ONE_SIDED, SAME, compared
from lindyn.bridge.settings import Settings
from tests.bridge.validation import answers
from tests.bridge.validation.test_page import EVIL, read


@pytest.fixture(scope="module")
def first():
    return answers.answer()


def other(first: Validation, **changes) -> Validation:
    """Return the first answer, trained with twice the decay, its alignment lower."""
    found = (answers.finding("alignment", value=0.5, map_kind="least squares"), *first.findings[1:])
    rates = replace(first.rates, eta_s=0.2, eta_p=0.2)
    settings = Settings.of({**first.pieces.settings.values, "optim.weight_decay": 0.2}, "args.json")
    maps = (replace(first.maps[0], kind="least squares", explained=0.95),)
    pieces = replace(first.pieces, settings=settings)
    return replace(first, **{"findings": found, "rates": rates, "pieces": pieces, "maps": maps, **changes})


def test_laws_differ_where_their_intervals_do_not_overlap(first):
    found = compared(first, other(first))
    rows = {row.either.law: row for row in found.rows}
    assert rows["alignment"].difference == LOWER and rows["alignment"].second.value == 0.5
    assert compared(other(first), first).rows[0].difference == HIGHER
    assert rows["isotropy"].difference == SAME and rows["balance"].difference == "-"
    bare = compared(first, replace(first, findings=first.findings[1:]))
    assert {row.either.law: row.difference for row in bare.rows}["alignment"] == ONE_SIDED


def test_settings_and_rates_that_differ_are_named(first):
    found = compared(first, other(first))
    assert found.settings == {"optim.weight_decay": (0.02, 0.2)}
    assert found.rates == {"eta_s": (0.02, 0.2), "eta_p": (0.02, 0.2)}
    assert found.headline.endswith("differing settings: optim.weight_decay; differing rates: eta_s, eta_p.")
    elsewhere = Settings.of({**first.pieces.settings.values, "run.folder": "elsewhere"}, "the checkpoint")
    moved = replace(first, pieces=replace(first.pieces, settings=elsewhere))
    assert compared(first, moved).settings == {}


def test_the_theory_moves_each_runs_modes_under_the_others_rates(first):
    """eta = 0.2 is past the critical decay 0.16 of x = 0.8, x' = 0.2: nothing can live there."""
    texts = [advice.text for advice in compared(first, other(first)).theory]
    assert any(text.startswith("eta_s is 0.02 in A and 0.2 in B (larger): more decay raises p_-") for text in texts)
    own = "By the theory 18 of 24 modes of run A live under its own rates and 0 under those of run B."
    assert own in texts
    assert "By the theory 0 of 24 modes of run B live under its own rates and 18 under those of run A." in texts


def test_equal_and_unknown_rates_are_said(first):
    assert "the same" in compared(first, first).theory[0].text
    unknown = other(first, rates=replace(first.rates, alpha_p=None, missing=("optim.alpha_p",)))
    assert "Nothing can be said on alpha_p" in compared(first, unknown).theory[0].text


def test_a_comparison_is_one_screen_one_page_and_json(first):
    found = compared(first, other(first))
    text = compare_text.summary(found, "out/report.html")
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 100
    assert "lower in B" in text and "optim.weight_decay" in text
    drawn = compare_text.pictures(found)
    page = compare_text.whole_page(found, drawn)
    words = "".join(read(page).text)
    assert found.headline in words and "lower in B" in words and page.count("data:image/png") == 1
    report = json.loads(schema.text(compare_text.as_json(found)))
    assert report["settings"] == {"optim.weight_decay": [0.02, 0.2]} and report["laws"][0]["difference"] == LOWER
    assert report["a"]["headline"] == first.headline


def test_nothing_that_a_file_brings_is_markup(first):
    bad = answers.finding("law", title=EVIL, statistic=EVIL)
    settings = Settings({"data.root": EVIL}, {"data.root": EVIL})
    evil = replace(first, headline=EVIL, findings=(bad,), pieces=replace(first.pieces, settings=settings))
    assert "<script>" not in compare_text.whole_page(compared(evil, first))
    assert "\x1b" not in compare_text.summary(compared(evil, first))


def test_answers_without_anything_measured_are_compared(first):
    bare = replace(first, findings=(), maps=(), diagnosis=None, modes=None, over_training=None, samples=0)
    found = compared(bare, replace(bare, rates=replace(first.rates, beta=np.pi)))
    assert found.rows == () and compare_text.pictures(found) == ()
    assert "beta is 0.01 in A and 3.14 in B" in found.theory[0].text
