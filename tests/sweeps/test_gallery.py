"""The gallery: every figure computes, keeps its claims and is drawn."""

import pytest

from lindyn.papers import figure_scripts
from tests.figures import claims_of_figures


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_the_figure_keeps_its_claims(number, tmp_path):
    claims_of_figures.keep_at_full_size("gallery", number, tmp_path)


def test_there_are_six():
    assert sorted(figure_scripts.find("gallery")) == [1, 2, 3, 4, 5, 6]
