"""The figures of Halvagal 2023 and Bao 2023: each claim holds on a reduced problem, would notice if it did not."""

import numpy as np
import pytest
import torch

from lindyn.bridge import IsoLoss
from tests.figures import claims_of_figures
from tests.figures.conftest import BAO, HALVAGAL

FIGURES = [("halvagal2023", n) for n in HALVAGAL] + [("bao2023", n) for n in BAO]
LONG = {("halvagal2023", 2), ("halvagal2023", 5), ("halvagal2023", 6), ("bao2023", 2)}  # their data take seconds
EACH = [pytest.param(*one, marks=pytest.mark.slow) if one in LONG else one for one in FIGURES]


@pytest.mark.parametrize(("paper", "number"), EACH)
def test_every_claim_comes_out_as_expected(normalised_papers, paper, number):
    claims_of_figures.hold(normalised_papers[paper], number)


@pytest.mark.parametrize(("paper", "number"), EACH)
@pytest.mark.filterwarnings("ignore")
def test_every_claim_can_fail(normalised_papers, paper, number):
    claims_of_figures.can_fail(normalised_papers[paper], number)


@pytest.mark.parametrize(("paper", "number"), EACH)
def test_files_hold_the_picture_and_all_that_is_behind_it(normalised_papers, paper, number, tmp_path, monkeypatch):
    claims_of_figures.are_written(normalised_papers[paper], number, tmp_path, monkeypatch)


@pytest.mark.parametrize("paper", ["halvagal2023", "bao2023"])
def test_scripts_and_expected_values_agree(normalised_papers, paper):
    claims_of_figures.agree_with_their_defaults(normalised_papers[paper])


@pytest.mark.long
@pytest.mark.parametrize(("paper", "number"), FIGURES)
def test_the_whole_figure_keeps_its_claims(paper, number, tmp_path):
    claims_of_figures.keep_at_full_size(paper, number, tmp_path)


def views(n, sigma, count, rng):
    """Two views whose second moments are exactly I + sigma^2 I and I."""
    x, one, other = np.linalg.qr(rng.normal(size=(count, 3 * n)))[0].T.reshape(3, n, count) * count**0.5
    return x + sigma * one, x + sigma * other


@pytest.mark.parametrize(("kind", "loss", "error"), [("euclidean", "squared", 1e-12), ("cosine", "cosine-exact", 0.02)])
def test_the_layer_of_torch_gives_the_flow_of_the_figure(normalised_papers, kind, loss, error):
    """A second route to IsoLoss: autodiff of the training loss on samples against the rates of the modes."""
    script, rng, sigma = normalised_papers["halvagal2023"].script[2], np.random.default_rng(1), 0.3
    W = torch.tensor(rng.normal(size=(3, 5)) / 2, requires_grad=True)
    x_1, x_2 = (torch.tensor(x.T.copy()) for x in views(5, sigma, 60_000, rng))
    z, target = x_1 @ W.T, x_2 @ W.T
    IsoLoss(kind)(z @ (W @ W.T).detach(), target.detach(), z).backward()
    U, w, V = np.linalg.svd(W.detach().numpy(), full_matrices=False)
    flow = script.flow_of(script.ISO, loss, sigma**2)
    rates = flow(0.0, script.ld.ModeWeightState(w**2, w)).w
    found = -np.diag(U.T @ W.grad.numpy() @ V.T) / (2 if kind == "euclidean" else 1)
    np.testing.assert_allclose(found, rates, rtol=0, atol=error * np.abs(rates).max())


def test_a_setting_gets_the_part_of_the_gradient_that_it_names(normalised_papers):
    script = normalised_papers["halvagal2023"].script[2]
    w = np.array([0.4, 0.9, 1.3])
    for loss in script.LOSSES:
        y = script.ld.ModeWeightState(w**2, w)
        rate = {s: script.flow_of(s, loss, 0.04)(0.0, y).w for s in script.SETTINGS if s != script.NONE}
        np.testing.assert_allclose(rate[script.SIAM], w**2 * rate[script.ISO], rtol=1e-12)
        np.testing.assert_allclose(rate[script.OPEN], rate[script.SIAM] + rate[script.WRONG], rtol=1e-12, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("paper", "number", "key", "index", "value", "claim"),
    [
        ("halvagal2023", 2, "equation", (3, 9, 1), 0.7, "equations"),
        ("halvagal2023", 2, "spectra", (0, 4, -1, 1), 0.98, "rest"),
        ("halvagal2023", 2, "spectra", (1, 1, -1, 0), 0.5, "norm"),
        ("halvagal2023", 2, "sampled", (2, -1, 0), 0.1, "sampled"),
        ("halvagal2023", 5, "l", (1, 0, -1, 0), 0.1, "cosine"),
        ("halvagal2023", 6, "added", (1, 3, -1), 0.0, "norm"),
        ("halvagal2023", 6, "alone", (-1, 0, 0), 0.1, "alone"),
    ],
)
def test_the_claim_about_a_damaged_number_turns_false(normalised_papers, paper, number, key, index, value, claim):
    claims_of_figures.notice(normalised_papers[paper], number, key, index, value, claim)


@pytest.mark.parametrize(
    ("number", "key", "index", "value", "claim"),
    [
        (1, "read_off", (1, 0), 0.2, "roots"),
        (1, "ends", (2, 0), 0.0, "ends"),
        (1, "borders", 0, 1.0, "borders"),
        pytest.param(2, "p", (1, -1, 2), 0.5, "without", marks=pytest.mark.slow),
        pytest.param(2, "p", (0, 40, 5), 0.5, "norm", marks=pytest.mark.slow),
        pytest.param(2, "alike", 40, 0.3, "dies", marks=pytest.mark.slow),
    ],
)
def test_the_claim_of_bao_about_a_damaged_number_turns_false(normalised_papers, number, key, index, value, claim):
    claims_of_figures.notice(normalised_papers["bao2023"], number, key, index, value, claim)
