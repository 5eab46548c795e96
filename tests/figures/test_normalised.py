"""The figures of the normalised theory: each claim holds on a reduced problem, would notice if not, and is drawn."""

import numpy as np
import pytest

from lindyn.papers import expected, folder, load
from tests.figures import claims_of_figures
from tests.figures.conftest import NORMALISED

LONG = (2, 4, 5)  # their data take seconds
NUMBERS = [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in sorted(NORMALISED)]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_claim_comes_out_as_expected(normalised, number):
    claims_of_figures.hold(normalised, number)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.filterwarnings("ignore")
def test_every_claim_can_fail(normalised, number):
    claims_of_figures.can_fail(normalised, number)


def slow(*case):
    return pytest.param(*case, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("number", "key", "index", "value", "claim"),
    [
        (1, "error", (-1, 0), 0.006, "error"),
        (1, "error", (0, 0), 0.9, "rate"),
        (1, "bias", 0, 0.1, "bias"),
        (1, "floor", (), 0.05, "floor"),
        slow(2, "y1", 3, 0.9, "obs1"),
        slow(2, "wrong1", 0, 0.1, "obs1_form"),
        slow(2, "y2", (3, 1), 1.5, "obs2"),
        slow(2, "y3", 2, 0.99, "obs3_share"),
        slow(2, "rest4", (3, 0), 0.9, "obs4"),  # a faint start that has not come out under the strongest decay
        slow(2, "off5", 3, 0.01, "obs5"),
        slow(2, "y7", 2, 0.02, "obs7"),
        slow(2, "y10", 0, -0.2, "obs10"),
        slow(2, "rest_s", (2, 0), 0.3, "rest_depth"),
        (3, "life", (1, 0), 1e9, "slopes"),
        (3, "life", (0, 0), 1e7, "size"),
        (3, "life", (0, 0), np.inf, "escapes"),
        (3, "layers", 1, 1.0, "layers"),
        (3, "measured", 2, 0.5, "transverse"),
        slow(4, "share", (0, slice(None)), 1e-3, "flow"),  # a start that stays
        slow(4, "angle", 1, 0.05, "angle"),
        slow(4, "free", (0, 1), -0.5, "free"),
        slow(4, "rate", (0, 0), 0.5, "rate"),
        slow(4, "alone", (0, -1), 1e-5, "alone"),
        slow(5, "small_rank", 0, 7.0, "flow"),
    ],
)
def test_the_claim_about_a_damaged_number_turns_false(normalised, number, key, index, value, claim):
    claims_of_figures.notice(normalised, number, key, index, value, claim)


@pytest.mark.parametrize("number", NUMBERS)
def test_files_hold_the_picture_and_all_that_is_behind_it(normalised, number, tmp_path, monkeypatch):
    claims_of_figures.are_written(normalised, number, tmp_path, monkeypatch)


def test_scripts_and_expected_values_agree(normalised):
    listed = claims_of_figures.agree_with_their_defaults(normalised)
    assert sum(entry["cost"] for entry in listed.values()) <= 240


def test_every_figure_decides_a_row_of_the_ledger():
    rows = [claim for claim in load("normalised") if claim.kind == "simulation" and claim.figure]
    assert {claim.figure for claim in rows} == {int(number) for number in expected("normalised")["figure"]}
    assert "## Figures" in (folder("normalised") / "REPORT.md").read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("number", sorted(NORMALISED))
def test_the_whole_figure_keeps_its_claims(number, tmp_path):
    claims_of_figures.keep_at_full_size("normalised", number, tmp_path)
