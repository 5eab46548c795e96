"""The figures of Richemond 2023: each claim holds on a reduced problem, would notice if it did not, and is drawn."""

import inspect
import json

import numpy as np
import pytest

from lindyn.outputs import picture_style
from lindyn.papers import expected, figure_claims, figure_scripts
from tests.figures.conftest import RICHEMOND
from tests.figures.test_claims import by_key, change, damaged

LONG = (2, 6)  # their data take seconds
NUMBERS = [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in sorted(RICHEMOND)]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_claim_comes_out_as_expected(richemond, number):
    wrong = [claim for claim in richemond.script[number].check(richemond.data(number)) if not claim.as_expected]
    assert not wrong


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.filterwarnings("ignore")
def test_every_claim_can_fail(richemond, number):
    data = richemond.data(number)
    good = {key: claim.holds for key, claim in by_key(richemond, number, data).items()}
    noticed = set()
    for bad in damaged(number, data):
        try:
            found = by_key(richemond, number, bad)
        except (ValueError, IndexError, KeyError, TypeError):
            continue
        noticed |= {key for key, claim in found.items() if claim.holds != good[key]}
    assert set(good) - noticed == set()


@pytest.mark.parametrize(
    ("number", "key", "index", "value", "claim"),
    [
        (1, "rank", (0, 1, -1), 1.0, "rank_grows"),
        (1, "trace", (2, 1, -1), -2.0, "trace_grows"),
        (1, "off_regression", (0, 2), 0.1, "regression"),
        pytest.param(2, "distance", (1, 0, -1), 0.9, "closed_form", marks=pytest.mark.slow),
        pytest.param(2, "lost", (2, slice(None)), 6, "lost", marks=pytest.mark.slow),
        (3, "q", (2, 0, -1, slice(None)), 1.0, "room"),  # DirectCopy that keeps every mode
        (3, "q", (0, 0, -1, 4), 0.0, "keeps"),
        (3, "p", (0, 0, -1, 3), 0.5, "rest"),
        (4, "p", (7, -1, 0), 1.0, "rest"),
        (4, "s", (10, 20, 1), 0.05, "regression"),
        (4, "s", (11, -1, 1), 0.05, "copy"),
        (5, "q", (6, 2), 0.1, "neumann"),
        (5, "closed", (7, 0), 0.1, "copy"),
        pytest.param(6, "residual", (0, 1), 1e-6, "projects", marks=pytest.mark.slow),
        pytest.param(6, "angle", (2, 1, -1), 0.5, "flow", marks=pytest.mark.slow),
        pytest.param(6, "found_angle", 3, 0.5, "pca_found", marks=pytest.mark.slow),
    ],
)
def test_the_claim_about_a_damaged_number_turns_false(richemond, number, key, index, value, claim):
    data = richemond.data(number)
    assert by_key(richemond, number, data)[claim].holds
    assert not by_key(richemond, number, change(data, key, index, value))[claim].holds


@pytest.mark.parametrize("number", NUMBERS)
def test_files_hold_the_picture_and_all_that_is_behind_it(richemond, number, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_style, "DPI", 60)
    script, path, data = richemond.script[number], richemond.paths[number], richemond.data(number)
    found = script.check(data)
    figure_scripts._write(data, found, script.draw(data), tmp_path, path.stem)
    again = figure_scripts.load_numbers(tmp_path / f"{path.stem}.npz")
    assert script.check(again) == found
    assert figure_scripts._rendered(script.draw(again), ".png") == (tmp_path / f"{path.stem}.png").read_bytes()
    report = json.loads((tmp_path / f"{path.stem}.json").read_text())
    assert [row["text"] for row in report["claims"]] == [claim.text for claim in found]


def test_scripts_and_expected_values_agree(richemond):
    listed = expected("richemond2023")["figure"]
    assert sorted(map(int, listed)) == sorted(richemond.paths)
    for number, entry in listed.items():
        parameters = inspect.signature(richemond.script[int(number)].compute).parameters
        for name, value in entry["chosen"].items():
            assert np.array_equal(parameters[name].default, value), (number, name)
        assert entry["printed"] == {}  # the paper's figures are ImageNet runs
        assert ("not in the paper" in entry["title"]) == ("not in the paper" in entry["shows"])
        for claim in entry["claim"]:
            assert sum(rule in claim for rule in figure_claims.RULES) == 1
            assert claim.get("fails_as_printed", False) == ("instead" in claim)


@pytest.mark.slow
@pytest.mark.parametrize("number", NUMBERS)
def test_the_whole_figure_keeps_its_claims(number, tmp_path):
    result = figure_scripts.run_figure(figure_scripts.find("richemond2023")[number], tmp_path)
    assert result.error == ""
    assert result.as_expected, [claim.text for claim in result.claims if not claim.as_expected]
    assert (tmp_path / f"richemond2023_fig{number:02}.png").stat().st_size > 20_000
