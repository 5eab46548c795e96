"""The figures of Draganov 2025: each claim holds on a reduced problem, would notice if it did not, and is drawn."""

import pytest

import lindyn as ld
from tests.figures import claims_of_figures
from tests.figures.conftest import DRAGANOV

LONG = (2,)  # its data take many compilations
NUMBERS = [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in sorted(DRAGANOV)]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_claim_comes_out_as_expected(draganov, number):
    claims_of_figures.hold(draganov, number)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.filterwarnings("ignore")
def test_every_claim_can_fail(draganov, number):
    claims_of_figures.can_fail(draganov, number)


@pytest.mark.parametrize(
    ("number", "key", "index", "value", "claim"),
    [
        (1, "recursion", 3, 1e-6, "recursion"),
        (1, "flow", -1, 9.0, "flow"),
        (1, "scaled", (0, 1), 1.0, "gradient"),
        (1, "sample_gradient", 5, 3.0, "sample"),
        pytest.param(2, "equal", 5, 1e-3, "equal", marks=pytest.mark.slow),
        pytest.param(2, "other", 1, 1e-3, "other", marks=pytest.mark.slow),
        pytest.param(2, "depth", (1, 2), 500.0, "depth", marks=pytest.mark.slow),
        pytest.param(2, "to_goal", -1, 1.0, "too_large", marks=pytest.mark.slow),
        pytest.param(2, "rank", 1, 6.0, "rank", marks=pytest.mark.slow),
    ],
)
def test_the_claim_about_a_damaged_number_turns_false(draganov, number, key, index, value, claim):
    claims_of_figures.notice(draganov, number, key, index, value, claim)


@pytest.mark.parametrize("loss", ["cosine", "squared"])
def test_recursion_and_scaling_are_those_of_a_loss_without_scale(draganov, loss):
    first, second = draganov.script[1], draganov.script[2]
    y = ld.WeightState.random(3, 6, 0)
    flow = ld.WeightFlow(ld.Hyperparameters(1.0, 0.4, 0.0), ld.Moments.isotropic(6, 0.2), loss=loss)
    plan = {"learning_rate": 0.01, "steps": 20, "save_every": 1, "gamma_a": 0.9}
    recursion = first._off(ld.descend(flow, y, **plan).states.W, 0.01, 0.0)
    small, whole = (flow, second.cut_by(y, 3.0), plan), (flow, y, plan | {"learning_rate": 0.09})
    difference = second._difference(small, whole, 3.0, 3.0)
    assert max(recursion, difference) < 1e-13 if loss == "cosine" else min(recursion / 1e-5, difference / 0.05) > 1


@pytest.mark.parametrize("number", NUMBERS)
def test_files_hold_the_picture_and_all_that_is_behind_it(draganov, number, tmp_path, monkeypatch):
    claims_of_figures.are_written(draganov, number, tmp_path, monkeypatch)


def test_scripts_and_expected_values_agree(draganov):
    claims_of_figures.agree_with_their_defaults(draganov)


@pytest.mark.long
@pytest.mark.parametrize("number", sorted(DRAGANOV))
def test_the_whole_figure_keeps_its_claims(number, tmp_path):
    claims_of_figures.keep_at_full_size("draganov2025", number, tmp_path)
