"""Each figure's claims hold, and each of them would notice if they did not."""

import numpy as np
import pytest

from tests.figures import claims_of_figures
from tests.figures.conftest import SMALL

NUMBERS = sorted(SMALL)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_claim_comes_out_as_expected(figures, number):
    claims_of_figures.hold(figures, number)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.filterwarnings("ignore")
def test_every_claim_can_fail(figures, number):
    claims_of_figures.can_fail(figures, number)


@pytest.mark.parametrize(
    ("number", "key", "index", "value", "claim"),
    [
        (3, "points", (1, 1, 0), 0.0102, "weak_points"),  # p_- a percent off
        (3, "stability", (1, 1), "stable", "weak_stability"),
        (3, "floor_across", 5, 0.1, "lines_stability"),  # a stable stretch of s = 0 called unstable
        (3, "p", (0, -1, 0), 0.3, "ends_no_decay"),
        (3, "p", (1, -1, 0), 0.3, "ends_decay"),
        (3, "s", (2, 50, 3), 0.5, "invariant"),
        (4, "signs", (0, 1), (-1, 1), "no_decay"),
        (4, "zeros", (1, 1), 0.13, "closed_forms"),
        (4, "p_end", (3, 2), 0.68, "ends"),  # a start survives above the critical decay
        (5, "top_p", (-1, -1, 0), 0.1, "collapse"),
        (5, "bottom_tau", (0, 10, 0), 0.9, "curriculum"),
        (5, "bottom_K", (1, 7), 0.2, "K_beta"),
        (7, "correlation", (0, 1, slice(None), 20), 0.85, "byol"),
        (7, "correlation", (0, 1, 3, 20), np.nan, "byol"),
        (8, "antisymmetric", (1, 0, 40), 1.0, "bound"),
        (8, "antisymmetric", (0, 1, 40), 1.0, "monotone"),
        (9, "norm", (2, 3, 30), 0.2, "never_rises"),
        (9, "norm", (0, 3, 30), 0.2, "theorem_3"),
        (10, "left_arrows", (0, 2, 2), 1.3, "arrows"),
        (10, "middle_nudged", 1, 0.5, "origin_half"),
        (10, "right_w", (-1, 4), 0.2, "right_collapse"),
    ],
)
def test_the_claim_about_a_damaged_number_turns_false(figures, number, key, index, value, claim):
    claims_of_figures.notice(figures, number, key, index, value, claim)
