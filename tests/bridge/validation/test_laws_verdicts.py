"""Verdicts: exactly aligned features uphold every law that they must, a random predictor breaks every one it can."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge import laws
from lindyn.bridge.laws import LAWS, KnownRun, by_limit
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.measure.sampled import Interval, Sampled
from lindyn.bridge.records import FAILS, HOLDS, NOT_TESTABLE, VERDICTS
from lindyn.bridge.settings import Rates
from tests.bridge.validation.synthetic import RATES, Aligned, Arrays, linear, of

MODEL = Aligned.of(8, 0, 0.5)
UNKNOWN = Rates(None, None, None, None, None, "", missing=("optim.lr",))
OF_THE_PREDICTOR = ("alignment", "commutator", "symmetry", "psd", "slope", "constant", "balance", "projection", "polar")
NEVER = ("stable_rank", "trace", "effective_rank", "rankme")


def found(source, predictor=None, projector=None, target=None, rates=RATES, **more):
    return laws.findings(measure(source, predictor, projector, target, **more), KnownRun(rates))


@pytest.fixture(scope="module")
def source():
    return MODEL.draw(3000, 0)


def test_the_table_is_the_answer(source):
    answer = found(source, linear(MODEL.W_p), linear(MODEL.V), linear(MODEL.V))
    assert [finding.law for finding in answer] == list(LAWS)
    for finding in answer:
        assert finding.verdict in VERDICTS and finding.reason.endswith(".") and finding.source and finding.statistic
        assert finding.group in ("theory", "assumption", "richemond", "collapse")
        if finding.verdict != NOT_TESTABLE:
            assert finding.low <= finding.value <= finding.high, finding.law


def test_an_exactly_aligned_model_upholds_the_laws(source):
    answer = found(source, linear(MODEL.W_p), linear(MODEL.V), linear(0.9 * MODEL.V))
    upheld = ("alignment", "commutator", "symmetry", "psd", "slope", "constant", "balance", "target", "target_weights",
              "isotropy", "isotropy_views", "collapse")  # fmt: skip
    assert {law: of(answer, law).verdict for law in upheld} == dict.fromkeys(upheld, HOLDS)
    assert of(answer, "target").details["tau"] == pytest.approx(MODEL.tau)
    assert of(answer, "target_weights").details["tau"] == pytest.approx(0.9)
    assert all(of(answer, law).verdict == NOT_TESTABLE for law in NEVER)
    assert of(answer, "polar").verdict == FAILS  # p = sqrt(alpha_p s) is far from orthogonal


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["linear", "MLP"])
def test_a_random_predictor_is_rejected_by_every_law(seed, kind):
    torch.manual_seed(seed)
    d, model = 16, Aligned.of(16, 0, 0.75)
    if kind == "linear":
        net = nn.Linear(d, d, bias=False).double()
    else:
        net = nn.Sequential(nn.Linear(d, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, d)).double().eval()
    answer = found(model.draw(3000, seed), net, linear(model.V))
    rejected = [law for law in OF_THE_PREDICTOR if law != "constant" or kind == "linear"]
    assert {law: of(answer, law).verdict for law in rejected} == dict.fromkeys(rejected, FAILS)


def test_an_unrelated_target_and_unlike_data_are_rejected(source):
    rng = np.random.default_rng(0)
    stretched = rng.standard_normal((8, 8)) @ np.diag(4.0 ** -np.arange(8))
    answer = found(Arrays(source.z1, source.z2, rng.standard_normal(source.z1.shape)), None, linear(stretched),
                   linear(rng.standard_normal((8, 8))))  # fmt: skip
    assert {of(answer, law).verdict for law in ("target", "target_weights", "isotropy")} == {FAILS}
    per_mode = source.z1 @ MODEL.U
    noise = np.where(np.arange(8) % 2, 3.0, 0.1) * np.std(per_mode, axis=0) * rng.standard_normal(per_mode.shape)
    answer = found(Arrays(source.z1, (per_mode + noise) @ MODEL.U.T, source.target1))
    assert of(answer, "isotropy_views").verdict == HOLDS  # a second view of other size alters X, not its shape
    flipped = (per_mode * np.where(np.arange(8) % 2, 1.0, 0.1)) @ MODEL.U.T
    assert of(found(Arrays(source.z1, flipped)), "isotropy_views").verdict == FAILS


def test_an_identity_predictor_is_aligned_with_everything(source):
    answer = found(source, linear(1.7 * np.eye(8)))
    for law in ("alignment", "commutator"):
        assert of(answer, law).verdict == NOT_TESTABLE and "multiple of the identity" in of(answer, law).reason
    assert of(answer, "projection").verdict == HOLDS and of(answer, "polar").verdict == HOLDS
    assert of(answer, "slope").verdict == FAILS  # p does not grow with s at all


def test_a_predictor_with_negative_modes_fails_the_slope_without_a_number(source):
    """A slope of the modes with p > 0 alone would read as if the law were near; the eighth mode is below the window."""
    signs = np.where(np.arange(8) % 2, -1.0, 1.0)
    slope = of(found(source, linear(MODEL.U @ np.diag(signs) @ MODEL.U.T @ MODEL.W_p)), "slope")
    assert slope.verdict == FAILS and np.isnan(slope.value) and slope.reason.startswith("3 of 7 modes have p <= 0")
    assert slope.details["slope_of_positive"] == pytest.approx(0.5, abs=0.05)


def test_collapsed_features_are_said_to_be(source):
    one = source.z1[:, :1] @ np.ones((1, 8))
    answer = found(Arrays(one + 1e-3 * source.z2))
    assert of(answer, "collapse").verdict == FAILS and of(answer, "collapse").details["concentration"] > 0.99
    constant = found(Arrays(1.0 + 1e-2 * source.z1))
    assert of(constant, "collapse").verdict == FAILS and "spread" in of(constant, "collapse").reason
    zero = found(Arrays(np.zeros((100, 8))), linear(MODEL.W_p))
    assert of(zero, "collapse").reason == "All features are zero."


WITHOUT = {
    "predictor": (("alignment", "symmetry", "slope", "eq17"), "no predictor that could be read"),
    "second view": (("isotropy_views", "eq17", "boundary"), "no second view"),
    "target": (("target", "eq17"), "target's features were not given"),
    "projector": (("balance", "constant", "isotropy"), "projector does not end in a Linear layer"),
    "rates": (("eq17", "boundary"), r"alpha_p, eta_s, eta_p are not known; give optim.lr"),
    "samples": (("alignment", "slope", "eq17"), "modes are ten times above the noise of 80 samples"),
}


@pytest.mark.parametrize("gone", WITHOUT)
def test_what_is_missing_is_said(source, gone):
    names, message = WITHOUT[gone]
    flat = np.random.default_rng(0).standard_normal((80, 8))
    given = Arrays(
        flat if gone == "samples" else source.z1,
        None if gone in ("second view", "samples") else source.z2,
        None if gone in ("target", "samples") else source.target1,
    )
    answer = found(
        given, None if gone == "predictor" else linear(MODEL.W_p), None if gone == "projector" else linear(MODEL.V),
        rates=UNKNOWN if gone == "rates" else RATES,
    )  # fmt: skip
    if gone == "samples":
        few = Arrays(np.random.default_rng(0).standard_normal((80, 16)))
        answer = found(few, linear(np.eye(16)))
    import re

    for law in names:
        finding = of(answer, law)
        assert finding.verdict == NOT_TESTABLE and re.search(message, finding.reason), (law, finding.reason)
        assert np.isnan(finding.value) or law == "balance"


def test_an_online_target_has_tau_one(source):
    online = Rates(2.0, None, 0.01, 0.01, 0.1, "online")
    answer = found(Arrays(source.z1, source.z2), linear(MODEL.W_p), linear(MODEL.V), rates=online)
    assert "tau = 1" in of(answer, "target").reason and of(answer, "eq17").verdict != NOT_TESTABLE


def test_F_of_a_checkpoint_gives_verdicts_without_intervals():
    F = torch.as_tensor((MODEL.U * MODEL.s) @ MODEL.U.T)
    answer = found(None, linear(MODEL.W_p), linear(MODEL.V), F=F)
    alignment = of(answer, "alignment")
    assert alignment.verdict == HOLDS and np.isnan(alignment.low) and "no interval" in alignment.reason
    assert of(answer, "slope").verdict == HOLDS and of(answer, "constant").verdict == HOLDS
    assert of(answer, "collapse").verdict == NOT_TESTABLE
    weights = found(None, linear(MODEL.W_p), linear(MODEL.V))
    assert of(weights, "balance").verdict == HOLDS and of(weights, "alignment").verdict == NOT_TESTABLE


def judged(law, interval, limit=None):
    """Return the finding of a law of the table whose statistic came out as this interval."""
    measured = measure(None, linear(MODEL.W_p))
    one = replace(LAWS[law], needs=(), judge=lambda *_: by_limit(interval, limit=limit))
    return laws.finding(one, measured, KnownRun(RATES))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.4, HOLDS), (0.6, 0.7, FAILS), (0.4, 0.6, NOT_TESTABLE), (np.nan, np.nan, HOLDS)],
)
def test_the_whole_interval_decides(low, high, verdict):
    value = 0.3 if np.isnan(low) else (low + high) / 2
    assert judged("commutator", Interval(value, low, high, value)).verdict == verdict
    mirrored = {HOLDS: FAILS, FAILS: HOLDS}.get(verdict, verdict)
    assert judged("alignment", Interval(value, low, high, value), limit=0.5).verdict == mirrored


def test_a_number_that_has_no_value_is_not_tested():
    nothing = Sampled(np.array(np.nan), np.empty((0,)), 0).interval()
    assert judged("commutator", nothing).verdict == NOT_TESTABLE
