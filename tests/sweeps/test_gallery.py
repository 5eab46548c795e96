"""The gallery: every figure computes, keeps its claims and is drawn."""

import pytest

from lindyn.papers import figure_scripts


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_the_figure_keeps_its_claims(number, tmp_path):
    result = figure_scripts.run_figure(figure_scripts.find("gallery")[number], tmp_path)
    assert result.error == ""
    assert result.as_expected, [claim.text for claim in result.claims if not claim.as_expected]
    assert (tmp_path / f"gallery_fig{number:02}.png").stat().st_size > 20_000


def test_there_are_six():
    assert sorted(figure_scripts.find("gallery")) == [1, 2, 3, 4, 5, 6]
