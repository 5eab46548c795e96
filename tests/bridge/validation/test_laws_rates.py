"""Laws that need the run's rates: balance derived for any loss, Eq. 17 and the boundary by the equations' own code."""

import numpy as np
import pytest
import torch
from torch import nn

from lindyn import statistics
from lindyn.bridge import diagnose, laws
from lindyn.bridge.laws import KnownRun
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE
from lindyn.bridge.settings import Rates
from lindyn.theory import fixed_points
from tests.bridge.validation.synthetic import RATES, Aligned, linear, of, rotation

MODEL = Aligned.of(8, 0, 0.6)


def rates(**change):
    return Rates(
        **({"alpha_p": 2.0, "beta": 0.3, "eta_s": 0.01, "eta_p": 0.01, "step_time": 0.1, "target": "ema"} | change)
    )


def findings(given=RATES, projector="V", source=None, W_p=None):
    heads = linear(MODEL.W_p if W_p is None else W_p), linear(MODEL.V) if projector == "V" else projector
    return laws.findings(measure(MODEL.draw(4000, 0) if source is None else source, *heads), KnownRun(given))


LOSSES = {
    "squared": lambda q, t: 0.5 * (q - t).square().sum(1).mean(),
    "cosine": lambda q, t: -nn.functional.cosine_similarity(q, t).mean(),
    "odd": lambda q, t: (q - t).abs().pow(1.5).sum(1).mean() + q[:, 0].exp().mean(),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("bias", "norm"), [(True, False), (False, False), (True, True)])
def test_balance_is_conserved_for_any_loss_and_any_predictor(loss, bias, norm):
    """W_1^T dL/dW_1 = dL/d[V b] [V b]^T, whatever follows W_1."""
    torch.manual_seed(0)
    last = nn.Linear(7, 5, bias=bias).double()
    predictor = nn.Sequential(
        nn.Linear(5, 9), *([nn.BatchNorm1d(9)] if norm else []), nn.ReLU(), nn.Linear(9, 5)
    ).double()
    h, target = torch.randn(2, 32, 7).double(), torch.randn(32, 5).double()
    views = [LOSSES[loss](predictor(last(view)), target) for view in h]
    sum(views).backward()
    W_1 = predictor[0].weight
    parts = [(last.weight, last.weight.grad)] + ([(last.bias[:, None], last.bias.grad[:, None])] if bias else [])
    right = sum(gradient @ value.T for value, gradient in parts)
    left = W_1.T @ W_1.grad
    assert torch.allclose(left, right, atol=1e-13) and left.norm() > 1e-3
    if bias and not norm:  # BatchNorm by the batch takes a constant away, so that no gradient reaches b through it
        assert not torch.allclose(left, last.weight.grad @ last.weight.T, atol=1e-6)  # the bias column counts


def test_the_balance_of_known_weights_is_the_statistic_of_their_name():
    """One number under one name, alpha_p given or fitted: the law's, the diagnosis's, that of `lindyn.statistics`."""
    W_p = MODEL.W_p + 0.1 * np.random.default_rng(0).standard_normal((8, 8))
    found = measure(MODEL.draw(500, 0), linear(W_p), linear(MODEL.V))
    free, known = (of(laws.findings(found, KnownRun(rates(alpha_p=a))), "balance") for a in (None, 2.0))
    F, G = found.last @ found.last.T, W_p.T @ W_p
    fitted, c = statistics.balance_residual_fitted(F, G)
    assert free.value == pytest.approx(fitted, rel=1e-13) and free.details["fitted"]
    assert free.details["alpha_p"] == pytest.approx(1 / c, rel=1e-13)
    assert diagnose(found.F, W_p, found.last).balance_residual_fitted == pytest.approx(fitted, rel=1e-13)
    assert known.value == pytest.approx(statistics.balance_residual(F, G, 2.0), rel=1e-13)
    assert known.value >= free.value and not known.details["fitted"]


def test_balance_knows_when_it_cannot_be_reached():
    off = np.diag(np.linspace(0.2, 3.0, 8))
    assert of(findings(W_p=off), "balance").verdict == FAILS
    for change, message in (
        ({"eta_s": 0.0, "eta_p": 0.0}, "Without weight decay"),
        ({"eta_p": 0.5}, "needs one decay"),
    ):
        finding = of(findings(rates(**change), W_p=off), "balance")
        assert finding.verdict == NOT_TESTABLE and message in finding.reason and finding.value > 0.2
    assert of(findings(rates(eta_s=0.0, eta_p=0.0)), "balance").verdict == HOLDS
    fitted = of(findings(rates(alpha_p=None)), "balance")
    assert fitted.verdict == HOLDS and fitted.details["alpha_p"] == pytest.approx(2.0) and "is a fit" in fitted.reason


def test_balance_is_not_sought_across_a_norm():
    normed = nn.Sequential(linear(MODEL.V), nn.BatchNorm1d(8)).double().eval()
    assert "without BatchNorm" in of(findings(projector=normed), "balance").reason
    first = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 8)).double().eval()
    found = laws.findings(measure(MODEL.draw(500, 0), first, linear(MODEL.V)), KnownRun(RATES))
    assert "does not start with a Linear layer" in of(found, "balance").reason


def test_the_constant_is_alpha_p():
    assert of(findings(), "constant").value == pytest.approx(1.0, abs=0.01)
    base = MODEL.draw(4000, 0)
    larger = type(base)(3 * base.z1, 3 * base.z2, 3 * base.target1)  # inputs three times as large, V as it was
    assert of(findings(source=larger), "constant").value == pytest.approx(1.0, abs=0.01)
    wrong = of(findings(rates(alpha_p=0.5)), "constant")
    assert wrong.verdict == FAILS and wrong.value == pytest.approx(4.0, rel=0.01)
    unknown = of(findings(rates(alpha_p=None)), "constant")
    assert unknown.verdict == NOT_TESTABLE and unknown.value == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("scale", [1.0, 9.0])
def test_K_of_the_modes_does_not_depend_on_the_scale_of_the_inputs_twice(scale):
    """Inputs sqrt(scale) times as large and V as it was: F, x and x' are scale times as large, W W^T is not."""
    base = MODEL.draw(20_000, 0)
    source = type(base)(*(np.sqrt(scale) * each for each in (base.z1, base.z2, base.target1)))
    finding = of(findings(source=source), "eq17")
    p, s, x, x_aug = MODEL.p, MODEL.s, scale * MODEL.rho, scale * (1 - MODEL.rho)
    K = RATES.alpha_p / 2 * (x + x_aug) * s - p * (x * MODEL.tau - (x + x_aug) * p) + 1.5 * RATES.eta_s
    np.testing.assert_allclose(finding.details["K"], K, atol=0.03 * scale)
    assert np.all((finding.details["K_low"] <= K) & (finding.details["K_high"] >= K))
    assert finding.details["assumed"] == ""


def test_eq_17_and_its_sharp_form_can_differ():
    """One mode against Eq. 17, but no pair: the tilt decays all the same."""
    s = np.array([4.0, 2.0, 0.8, 0.011])
    model = Aligned(rotation(4, 0), s, alpha_p=2.0, rho=0.9, tau=1.0)
    found = laws.findings(measure(model.draw(60_000, 0), linear(model.W_p), linear(model.V)), KnownRun(RATES))
    assert of(found, "eq17").verdict == FAILS and of(found, "eq17_pairs").verdict == HOLDS
    assert of(found, "eq17_pairs").details["pairs_below"] == 0


def test_without_the_last_layer_balance_gives_the_scale():
    finding = of(findings(projector=None), "eq17")
    with_layer = of(findings(), "eq17")
    np.testing.assert_allclose(finding.details["K"], with_layer.details["K"], atol=0.02)
    assert "taken from balance" in finding.reason
    far = of(findings(projector=None, W_p=MODEL.U @ np.diag(np.linspace(0.1, 2, 8)) @ MODEL.U.T), "eq17")
    assert far.verdict == NOT_TESTABLE and "F is not balanced" in far.reason


@pytest.mark.parametrize("eta", [0.0, 0.02, 0.06])
def test_the_boundary_is_that_of_the_fixed_points(eta):
    given = rates(eta_s=eta, eta_p=eta)
    finding = of(findings(given), "boundary")
    points = fixed_points(eta=eta, tau=MODEL.tau, x=MODEL.rho, x_aug=1 - MODEL.rho, alpha_p=2.0)
    below = MODEL.p < points.p_minus
    assert finding.low <= below.sum() <= finding.high
    np.testing.assert_allclose(finding.details["p_minus"], points.p_minus, rtol=0.1)
    np.testing.assert_allclose(finding.details["eta_critical"], points.eta_critical, rtol=0.1)
    assert finding.verdict == (FAILS if below.any() else HOLDS)


def test_above_the_critical_decay_every_mode_is_below():
    finding = of(findings(rates(eta_s=0.5, eta_p=0.5)), "boundary")
    assert finding.verdict == FAILS and finding.value == 8 and "above the critical decay" in finding.reason


def test_the_modes_below_the_boundary_are_counted_by_their_own_numbers():
    """The count is that of p_j < p_- as measured; the bootstrap gives its ends alone."""
    finding = of(findings(rates(eta_s=0.06, eta_p=0.06)), "boundary")
    below = finding.details["p"] < finding.details["p_minus"]
    assert np.array_equal(finding.details["below"], below) and finding.value == below.sum()
