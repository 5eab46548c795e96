"""The net's own knots: a changed number, word or key is found; what differs from run to run is not; files read back."""

from pathlib import Path

import numpy as np
import pytest

from tests.golden import record
from tests.golden.cases import CASES
from tests.golden.compare import differences, merged, same, told
from tests.golden.reduced import flat, line_of
from tests.golden.shorter import Section, long, short
from tests.golden.words import TREE, normalised, words_of_page


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        ("s = 0.5", "s = 0.5000000000001", True),
        ("s = 0.5", "s = 0.500000000001", False),
        ("residual 3.1e-16", "residual 2.0e-17", True),
        ("p = 1e-300", "p = 0.0", True),
        ("12 steps", "13 steps", False),
        ("n = 3.0", "n = 3", True),
        ("fails 0.5", "holds 0.5", False),
        ("low = nan", "low = 0.1", False),
        ("w [2] rms=1000.0 w=1e-12", "w [2] rms=1000.0 w=2e-12", True),
        ("w [2] rms=1.0 w=1e-3", "w [2] rms=1.0 w=1.0000001e-3", False),
        ("p.png = 1600x657 ink 0.0207 at 0.484 0.505", "p.png = 1600x657 ink 0.0213 at 0.493 0.510", True),
        ("p.png = 1600x657 ink 0.0207 at 0.484 0.505", "p.png = 1600x657 ink 0.0180 at 0.484 0.505", False),
        ("p.png = 1600x657 ink 0.0207 at 0.484 0.505", "p.png = 1600x657 ink 0.0207 at 0.484 0.530", False),
        ("p.png = 1600x657 ink 0.0207 at 0.484 0.505", "p.png = 1600x656 ink 0.0207 at 0.484 0.505", False),
    ],
)
def test_lines_are_the_same_to_the_tolerance(old, new, equal):
    assert same(old, new) is equal


def test_an_array_s_line_shows_any_change():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(30, 4))
    before = line_of(array)
    exchanged = array.copy()
    exchanged[[3, 4]] = exchanged[[4, 3]]
    missing = array.copy()
    missing[7, 1] = np.nan
    nudged = array.copy()
    nudged[7, 1] += 1e-9
    for changed in (exchanged, missing, nudged, array.T, array.astype(np.float32)):
        assert not same(before, line_of(changed))
    assert same(before, line_of(array * (1 + 1e-15))) and "finite=119" in line_of(missing)


def test_a_tree_is_flat_and_lists_of_numbers_are_one_line():
    tree = {"a": {"b": [1, None, 2.5], "c": [{"d": "x"}, True]}, "e": [[1.0, 2.0]] * 20, "f": {}}
    assert dict(flat(tree)) == {
        "a.b": "[1, null, 2.5]", "a.c[0].d": '"x"', "a.c[1]": "true", "e": line_of(np.array([[1.0, 2.0]] * 20)),
        "f": "{}",
    }  # fmt: skip


WORDS = (
    Section("1 stdout", "words", ("one", "^two", "", "three", "a longer line that stands in both", "four")),
    Section("1 stdout", "words", ("zero", "", "three", "a longer line that stands in both", "4")),
)
VALUES = (
    Section("r.json", "values", ("a.b = 1", "a.c = 2", "a.d.e = 3", "f[0] = 4", "f[1] = 5", "g = null")),
    Section("r.json", "values", ("a.b = 1", "a.c = 7", "g.h = 2", "g.i = - x = y")),
)


@pytest.mark.parametrize("pair", [WORDS, WORDS[::-1], VALUES, VALUES[::-1]])
def test_what_is_written_short_reads_back(pair):
    first, second = pair
    for other in (second, first, Section(first.name, first.kind, ())):
        back = long(short(first, other), other)
        assert back.values == first.values if first.kind == "values" else back == first
    assert record.from_text(record.as_text([first], [second]), [second])[0].values == first.values


def test_differences_say_where():
    old = [*WORDS[:1], VALUES[0], Section("only.png", "values", ("a = 1",))]
    new = [*WORDS[1:], VALUES[1]]
    found = {difference.where: (difference.old, difference.new) for difference in differences(old, new)}
    assert found["r.json: a.c"] == ("2", "7") and found["r.json: f[0]"] == ("4", "")
    assert found["1 stdout, line 1"] == ("one", "zero") and found["only.png"] == ("the section", "")
    assert differences(old, old) == []
    text = told("a case", differences(old, new) * 3)
    assert text.startswith("a case: ") and "old: 2\n    new: 7" in text and " more" in text


def test_a_new_answer_keeps_the_old_digits_where_they_are_the_same():
    old = [Section("a", "values", ("x = 0.1234567890123", "y = 2.0")), Section("b", "words", ("s = 0.5", "fails"))]
    new = [Section("a", "values", ("x = 0.1234567890124", "y = 3.0")), Section("b", "words", ("s = 0.5", "holds"))]
    kept = merged(old, new, 1e-11)
    assert kept[0].lines == ("x = 0.1234567890123", "y = 3.0") and kept[1] == new[1]
    assert merged(old, new, 1e-13)[0] == new[0] and merged([], new) == new


def test_what_differs_from_run_to_run_is_a_placeholder(tmp_path):
    text = f"3 runs in 12.3 s into {tmp_path}/o\nof {TREE / 'tests'}, t = 5\n2026-01-02 03:04:05  \n\n"
    assert normalised(text, tmp_path) == ["3 runs in <time> s into <here>/o", "of <tree>/tests, t = 5", "<date>"]
    for line in ("--beta log:0.01:10:80 --p 0.3", "P = I/(2h)", "p = 0.3 s = 0.2"):
        assert normalised(line, Path(tmp_path)) == [line]
    assert normalised("Fig. 1    10.0 s", tmp_path) == normalised("Fig. 1     9.9 s", tmp_path)
    import torch

    assert normalised(f"torch {torch.__version__}, lindyn", tmp_path) == ["torch <version>, lindyn"]
    line = '"class": "lindyn.some.where.Thing", s = 3 and p = 4'
    assert normalised(line, Path(tmp_path)) == ['"class": "lindyn.<module>.Thing", s = 3 and p = 4']


def test_a_page_is_its_words():
    page = "<style>p {}</style><h1>A &lt;b&gt;</h1><table><tr><td>1</td><td>two</td></tr></table><img alt='x' src='y'>"
    assert words_of_page(page).splitlines() == ["A <b>", "| 1 | two", "[picture: x]"]


def test_single_precision_is_held_to_its_own_round_off_and_not_to_checksums():
    case = CASES["train-linear"]
    kept, other = (
        Section("o/trace.jsonl", "values", (f'crc[0] = "{crc}"', f"asymmetry = [{small}, {large}]"))
        for crc, small, large in (("57287504", "3.8e-08", "0.41"), ("3abd5172", "2.1e-08", "0.411"))
    )
    assert differences(case.sure([kept]), case.sure([other]), case.rel, case.floor) == []
    far = Section("o/trace.jsonl", "values", ('crc[0] = "57287504"', "asymmetry = [3.8e-08, 0.45]"))
    assert len(differences(case.sure([kept]), case.sure([far]), case.rel, case.floor)) == 1
    assert len(differences([kept], [other])) == 2
