"""Three wrong theories: every figure whose numbers change with one of them has a claim that it fails."""

import numpy as np
import pytest

from lindyn.papers import figure_scripts
from tests.figures import claims_of_figures, wrong_theories
from tests.figures.conftest import BAO, DRAGANOV, GALLERY, HALVAGAL, NORMALISED, RICHEMOND, SMALL

SIZES = {
    "tian2021": SMALL, "richemond2023": RICHEMOND, "normalised": NORMALISED, "draganov2025": DRAGANOV,
    "halvagal2023": HALVAGAL, "bao2023": BAO, "gallery": GALLERY,
}  # fmt: skip


def test_every_figure_is_looked_at():
    assert {paper: sorted(found) for paper, found in figure_scripts.papers().items()} == {
        paper: sorted(sizes) for paper, sizes in SIZES.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted(GALLERY))
def test_the_small_gallery_asks_for_what_is_listed_and_keeps_its_claims(gallery, number):
    claims_of_figures.hold(gallery, number)


@pytest.fixture(scope="module")
def right(figures, richemond, normalised, normalised_papers, gallery):
    """The numbers of the right theory, computed while no wrong one is believed."""
    papers = {"tian2021": figures, "richemond2023": richemond, "normalised": normalised, "gallery": gallery}
    papers |= normalised_papers
    return {(paper, number): papers[paper].data(number) for paper, number in wrong_theories.ASKED}


def differ(one, other):
    """Return the names of the arrays that are not the same to the last bit."""
    names = sorted((one.keys() | other.keys()) - {"parameters"})
    arrays = ((name, np.asarray(one[name]), np.asarray(other[name])) for name in names)
    return [name for name, a, b in arrays if not np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("theory", wrong_theories.WRONG)
def test_a_wrong_theory_fails_a_claim_of_every_figure_that_it_moves(right, theory):
    moved, failed = {}, {}
    with wrong_theories.believed(theory):  # in one test: its kernels are compiled once
        for paper, number in wrong_theories.asking(theory):
            script = figure_scripts.load(figure_scripts.find(paper)[number])
            data = script.compute(**SIZES[paper][number])
            moved[paper, number] = differ(right[paper, number], data)
            failed[paper, number] = [claim.text for claim in script.check(data) if not claim.as_expected]
    assert {figure for figure, names in moved.items() if not names} == wrong_theories.UNMOVED.get(theory, set())
    for figure, names in moved.items():
        assert bool(failed[figure]) == bool(names), (figure, names, failed[figure])
