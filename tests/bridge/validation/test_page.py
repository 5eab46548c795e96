"""report.html: nothing from a file is markup, nothing is loaded from elsewhere, every verdict is a word."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindyn.bridge.records import Advice, Pieces
from lindyn.bridge.report import page, pictures, terminal
from lindyn.bridge.settings import Settings
from lindyn.display import markup
from tests.bridge.validation import answers

pytestmark = pytest.mark.rendered
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\x1b[31m'
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Collects elements, attributes and text; every element but the void ones must be closed in order."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.names, self.attributes, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def whole():
    return answers.answer()


@pytest.fixture(scope="module")
def drawn(whole):
    return pictures.draw(whole)


def test_the_page_is_whole_and_loads_nothing(whole, drawn):
    html = page.page(whole, drawn)
    found = read(html)
    assert not {"script", "link", "iframe", "object"} & set(found.names)
    sources = [value for name, value in found.attributes if name in ("src", "href")]
    assert len(sources) == len(drawn) == 5 and all(value.startswith("data:image/png;base64,") for value in sources)
    policy = next(value for name, value in found.attributes if name == "content")
    assert policy.startswith("default-src 'none'; img-src data:") and "http:" not in html and "https:" not in html
    assert all(alt for name, alt in found.attributes if name == "alt")


def test_headline_settings_notes_verdicts_and_advice_are_on_the_page(whole):
    text = " ".join("".join(read(page.page(whole)).text).split())
    for words in (whole.headline, "optim.weight_decay", "the checkpoint", *whole.pieces.notes, "Eq. 7", "step 320"):
        assert words in text, words
    for advice in whole.advice:
        assert advice.text in text and advice.because in text
    html = page.page(whole)
    for verdict, mark in (("holds", "holds"), ("fails", "fails"), ("not testable", "untested")):
        count = sum(found.verdict == verdict for found in whole.findings)
        assert html.count(f'<span class="verdict {mark}">{verdict}</span>') == count > 0


def test_the_predictors_other_maps_stand_beside_the_main_one(whole):
    found = answers.finding("slope", map_kind="least squares", details={"by_map": {"product of weights": 0.123}})
    assert "product of weights: 0.123" in "".join(read(page.page(replace(whole, findings=(found,)))).text)


def test_nothing_that_a_file_brings_is_markup(whole):
    pieces = Pieces(Path(f"a{EVIL.replace('/', '')}.ckpt"), EVIL, EVIL, notes=(EVIL,),
                    settings=Settings({"data.root": EVIL}, {"data.root": EVIL}))  # fmt: skip
    found = answers.finding("law", title=EVIL, statistic=EVIL, reason=EVIL, source=EVIL, map_kind=EVIL, group=EVIL)
    rates = replace(answers.RATES, assumed=(EVIL,), missing=(EVIL,))
    over = replace(whole.over_training, source=EVIL, unit=EVIL)
    evil = replace(whole, pieces=pieces, findings=(found,), features=EVIL, headline=EVIL, rates=rates,
                   advice=(Advice(EVIL, EVIL, EVIL),), over_training=over)  # fmt: skip
    html = page.page(evil)
    reader = read(html)
    assert not {"script", "img"} & set(reader.names) and "onerror" not in [name for name, _ in reader.attributes]
    assert "<script>" not in html and "\x1b" not in html
    assert "".join(reader.text).count("<script>alert(1)</script>") >= 15


@given(st.text())
def test_any_text_is_the_same_text_on_the_page(text):
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    assert "".join(read(markup.tag("p", text)).text) == shown
    assert read(markup.tag("p", title=text)).attributes == [("title", shown)]


def test_a_page_without_features_predictor_and_curves_says_so(whole):
    bare = replace(whole, features="", samples=0, maps=(), diagnosis=None, findings=(), over_training=None)
    text = "".join(read(page.page(bare, pictures.draw(bare))).text)
    assert "no predictor" in text and "No law could be tested." in text and "Over training" not in text


def test_the_summary_is_one_screen(whole):
    text = terminal.summary(whole, "out/report.html")
    assert whole.headline.split(";")[0] in text and "out/report.html" in text and "alpha_p 1" in text
    assert "0.996 [" in text and "not testable: balance" in text and "(sure)" in text


@given(
    st.integers(0, 80),
    st.lists(st.text(min_size=1, max_size=900), max_size=30),
    st.floats(),
    st.sampled_from(["holds", "fails", "not testable"]),
)
def test_the_summary_is_one_screen_whatever_is_in_it(count, texts, value, verdict):
    found = tuple(
        answers.finding(f"law_{k}", verdict, value, group=("theory", "collapse")[k % 2]) for k in range(count)
    )
    advice = tuple(Advice(text, "a guess", text) for text in texts)
    headline = texts[0] if texts else "x"
    whole = replace(ANSWER, findings=found, advice=advice, headline=headline, features=headline)
    lines = terminal.summary(whole, "report.html").split("\n")
    assert len(lines) - 1 <= 40 and max(map(len, lines)) <= 100
    assert all(line.isprintable() for line in lines)


ANSWER = answers.answer()


def test_pictures_are_png_and_left_out_where_there_are_no_data(whole, drawn):
    assert [picture.name for picture in drawn] == ["spectra", "alignment", "boundary", "over_training", "findings"]
    assert all(picture.png.startswith(b"\x89PNG") and picture.caption for picture in drawn)
    bare = replace(whole, diagnosis=None, findings=(), over_training=None)
    assert pictures.draw(bare) == ()


def test_pictures_stand_readings_of_collapsed_and_negative_predictors(whole):
    zero = replace(whole.diagnosis, s=np.zeros(24), p=-np.ones(24), alignment=np.full(24, np.nan))
    over = replace(whole.over_training, theory={}, error={}, measured={"s": np.full((7, 24), np.nan)})
    edge = {"p": np.ones(3), "p_minus": np.array([np.nan, 0.1, 2.0])}
    found = (answers.finding("boundary", value=1e9, details=edge), answers.untested("balance"))
    drawn = pictures.draw(replace(whole, diagnosis=zero, over_training=over, findings=found))
    assert len(drawn) == 5


def test_equal_answers_give_equal_pages(whole, drawn):
    assert page.page(whole, drawn) == page.page(whole, pictures.draw(whole))
    assert not re.search(r"\d\d:\d\d:\d\d", page.page(whole))
