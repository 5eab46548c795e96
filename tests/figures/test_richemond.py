"""The figures of Richemond 2023: each claim holds on a reduced problem, would notice if it did not, and is drawn."""

import pytest

from tests.figures import claims_of_figures
from tests.figures.conftest import RICHEMOND

LONG = (2, 6)  # their data take seconds
NUMBERS = [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in sorted(RICHEMOND)]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_claim_comes_out_as_expected(richemond, number):
    claims_of_figures.hold(richemond, number)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.filterwarnings("ignore")
def test_every_claim_can_fail(richemond, number):
    claims_of_figures.can_fail(richemond, number)


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
    claims_of_figures.notice(richemond, number, key, index, value, claim)


@pytest.mark.parametrize("number", NUMBERS)
def test_files_hold_the_picture_and_all_that_is_behind_it(richemond, number, tmp_path, monkeypatch):
    claims_of_figures.are_written(richemond, number, tmp_path, monkeypatch)


def test_scripts_and_expected_values_agree(richemond):
    for entry in claims_of_figures.agree_with_their_defaults(richemond).values():
        assert ("not in the paper" in entry["title"]) == ("not in the paper" in entry["shows"])


@pytest.mark.long  # `.ci/run` draws them with `lindyn reproduce`
@pytest.mark.parametrize("number", sorted(RICHEMOND))
def test_the_whole_figure_keeps_its_claims(number, tmp_path):
    claims_of_figures.keep_at_full_size("richemond2023", number, tmp_path)
