"""What is advised follows from the theory: checked against closed forms and an independent integration."""

from dataclasses import replace

import numpy as np
import pytest

import lindyn as ld
from lindyn.bridge import diagnose
from lindyn.bridge.records import ModeReading, PredictorMap
from lindyn.bridge.report import advice as advising
from lindyn.bridge.report import wording
from lindyn.bridge.report.wording import headline
from lindyn.bridge.run import counterfactuals
from lindyn.bridge.settings import Rates, Settings
from tests.bridge.validation import answers

EXACT = (PredictorMap(np.eye(24), "exact", 1.0),)
GOOD = tuple(answers.finding(law) for law in ("alignment", "slope", "commutator"))
EDGE = ld.theory.fixed_points(eta=0.02, x=0.8, x_aug=0.2)


def on_parabola(*shares, alpha_p=1.0):
    """Return modes at these shares of p_-, on s = p^2/alpha_p, tau = 1."""
    p = EDGE.p_minus * np.array(shares)
    return ModeReading.of(p, p**2 / alpha_p, np.ones(len(p)), 0.8, 0.2)


def advise(start, rates=answers.RATES, findings=GOOD, maps=EXACT, settings=answers.SETTINGS, samples=5000):
    return advising.advise(findings, rates, answers.reading(), maps, settings, start, samples)


def by_name(outcomes):
    return {outcome.name: outcome for outcome in outcomes}


def test_modes_live_above_the_saddle_and_collapse_below_it():
    """On the parabola with tau constant p_- is the exact edge; the online target has tau = 1."""
    rates = replace(answers.RATES, target="online", beta=None)
    for share, alive in ((0.98, 0), (1.02, 1)):
        found = counterfactuals.outcome_under(on_parabola(share), rates)
        assert (found.alive, found.collapsed) == (alive, 1 - alive)


def test_half_the_decay_saves_what_is_above_its_own_saddle():
    start = on_parabola(0.3, 0.45, 0.55, 0.8, 1.5)
    half = ld.theory.fixed_points(eta=0.01, x=0.8, x_aug=0.2).p_minus
    rates = replace(answers.RATES, target="online", beta=None)
    found = by_name(counterfactuals.simulate_changes(start, rates))
    assert found["as it was"].alive == 1
    assert found["half the decay"].alive == int(np.sum(start.p > half)) == 3
    assert found["no decay"].alive == 5


def test_a_faster_predictor_moves_the_saddle_only_where_its_decay_is_kept():
    """s_- = (eta_p/eta_s) p_-^2/alpha_p: SGD's eta_p grows with alpha_p, so that the ratio stays."""
    base = ld.theory.fixed_points(eta_s=0.02, eta_p=0.02, x=0.8, x_aug=0.2, alpha_p=1.0)
    sgd = ld.theory.fixed_points(eta_s=0.02, eta_p=0.1, x=0.8, x_aug=0.2, alpha_p=5.0)
    kept = ld.theory.fixed_points(eta_s=0.02, eta_p=0.02, x=0.8, x_aug=0.2, alpha_p=5.0)
    assert sgd.s_minus == pytest.approx(base.s_minus) and kept.s_minus == pytest.approx(base.s_minus / 5)
    changes = counterfactuals.changes(answers.RATES)
    assert changes["alpha_p x 5"][1].eta_p == pytest.approx(0.1)
    assert changes["alpha_p x 5, eta_p kept"][1].eta_p == answers.RATES.eta_p
    rates = replace(answers.RATES, target="online", beta=None)
    found = by_name(counterfactuals.simulate_changes(on_parabola(0.7, 0.9), rates))
    assert found["alpha_p x 5"].alive == 0 and found["alpha_p x 5, eta_p kept"].alive == 2


@pytest.mark.parametrize("target", ["ema", "online", "frozen"])
def test_outcomes_are_those_of_an_independent_integration(target):
    rng = np.random.default_rng(3)
    n = 16
    p, s, x, x_aug = (
        rng.uniform(0.02, 0.9, n),
        rng.uniform(0.001, 0.5, n),
        rng.uniform(0.3, 1, n),
        rng.uniform(0, 0.4, n),
    )
    tau = np.ones(n) if target == "online" else rng.uniform(0.3, 1, n)
    start = ModeReading.of(p, s, tau, x, x_aug)
    rates = Rates(2.0, None if target == "online" else 0.3 * (target == "ema"), 0.03, 0.05, 0.1, target)
    found = counterfactuals.outcome_under(start, rates)
    flow = ld.ModeFlow(ld.Hyperparameters(2.0, rates.beta or 0.0, eta_p=0.05, eta_s=0.03), start.x, start.x_aug, target)
    traj = ld.simulate(flow, ld.ModeState(start.p, start.s, start.tau), ts=[0, 300], rtol=1e-8, engine="scipy")
    s_end = np.asarray(traj.states.s)[-1]
    assert found.alive == int(np.sum(s_end > 1e-4)) and found.collapsed == n - found.alive


def test_a_living_run_is_left_alone():
    text = advise(on_parabola(2.0, 3.0))[2].text
    assert text.startswith(
        "By the theory no rate needs to change: all 2 modes that stand out of noise in this checkpoint live under"
    )


def test_what_helps_comes_first_with_its_numbers():
    found = advise(on_parabola(0.7, 0.8, 3.0))
    decay = next(a for a in found if a.text.startswith("Less weight decay"))
    ema = next(a for a in found if a.text.startswith("Another EMA"))
    assert decay.text == (
        "Less weight decay would have helped: 1 of the 3 modes of this checkpoint live as it was; 3 with half the "
        "decay, 3 with no decay."
    )
    assert "would not have helped" in ema.text and found.index(decay) < found.index(ema)
    assert "eta_s = 0.01" in decay.because and decay.sure == "sure"


def test_decay_past_the_critical_one_is_said():
    rates = replace(answers.RATES, eta_s=0.5, eta_p=0.5)
    found = [a for a in advise(on_parabola(1.0, 2.0), rates) if "critical" in a.text]
    assert len(found) == 1 and "In 2 of the 2 modes of this checkpoint the decay is past" in found[0].text
    assert "(theirs: 0.16 or less, the run has eta_s = 0.5)" in found[0].text
    one = ModeReading.of([0.7, 0.7], [0.5, 0.5], [1.0, 1.0], [4.0, 0.4], [1.0, 0.1], "this checkpoint")
    text = next(a.text for a in advise(one, rates) if "critical" in a.text)
    assert "In 1 of the 2 modes" in text and "(theirs: 0.08 or less" in text  # not that of the mode that lives


def test_modes_behind_zero_that_live_are_explained():
    start = ModeReading.of([-0.1], [1.0], [1.0], [1.0], [0.0], "this checkpoint")
    text = next(a.text for a in advise(start, answers.RATES) if "By the theory no rate needs to change" in a.text)
    assert "1 of them start with p <= 0, but W_p grows there before s has faded." in text


def test_how_sure_it_is_follows_from_the_weak_points():
    start = on_parabola(0.7, 3.0)
    sure = [a.sure for a in advise(start)[2:]]
    assert set(sure) == {"sure"}
    cosine = answers.SETTINGS.of({"method.loss": "cosine"}, "here")
    likely = advise(start, settings=cosine)[2]
    assert likely.sure == "likely" and "the run's is the cosine loss" in likely.because
    assumed = replace(answers.RATES, assumed=("the optimiser is SGD",))
    assert advise(start, assumed, settings=cosine)[2].sure == "a guess"
    tilted = (answers.finding("alignment", "fails", 0.2), *GOOD[1:])
    guess = advise(start, findings=tilted)[2]
    assert guess.sure == "a guess" and "alignment fails" in guess.because
    mlp = (PredictorMap(np.eye(24), "least squares", 0.6),)
    assert "explains 60 % of the predictor's output" in advise(start, maps=mlp)[2].because
    assert "100 samples for 24 dimensions are few" in advise(start, samples=100)[2].because
    unknown = advise(start, samples=0)  # it weakens the word on collapse too, which says it first
    assert "how many samples F was gathered from is not known" in unknown[0].because
    assert unknown[2].because.endswith("weak points as above.") and unknown[2].sure == "likely"


def test_missing_rates_are_asked_for_and_nothing_is_made_up():
    rates = Rates(1.0, None, None, 0.02, None, "ema", missing=("method.ema", "optim.weight_decay"))
    last = advise(on_parabola(1.0), rates)[-1]
    assert (
        "eta_s, beta of the run not known" in last.text
        and "give method.ema=..., optim.weight_decay=..." in last.because
    )
    assert counterfactuals.simulate_changes(on_parabola(1.0), rates) == ()
    assert "a predictor and features of two views" in advise(None)[-1].text


def test_headline_says_collapse_and_theory():
    found = answers.findings(answers.reading())
    assert headline(found, answers.reading(), "exact") == (
        "Not collapsing (none: 22 of 24 directions live); the linear theory describes it in part: 2 of 3 testable laws "
        "hold (not: symmetry)."
    )
    line = np.outer(np.ones(24), np.ones(24)) / 24
    collapsed = diagnose(line, np.eye(24), std=0.01, samples=5000)
    assert headline(GOOD, collapsed).startswith("Collapsed (complete: ")
    assert advise(None)[0].text.startswith("It is not collapsing: ")
    assert advising.advise(GOOD, answers.RATES, collapsed, EXACT, samples=5000)[0].text.startswith("It has collapsed: ")
    assert headline((), None) == (
        "Whether it collapses cannot be told without features; no law of the theory could be tested."
    )


def test_the_boundary_predicts_and_says_nothing_on_the_theory():
    fate = answers.finding("boundary", "fails", reason="2 of 8 leading modes lie below p_-.")
    assert wording.theory_state((*GOOD, fate))[0] == "describes it"
    texts = [a.text for a in advise(None, findings=(*GOOD, fate))]
    assert texts[2] == "The theory expects modes to collapse: 2 of 8 leading modes lie below p_-."


def test_only_laws_of_the_main_map_count():
    laws = ("slope", "alignment", "commutator")
    found = tuple(answers.finding(law, verdict, map_kind=kind) for law in laws
                  for verdict, kind in (("holds", "least squares"), ("fails", "product")))  # fmt: skip
    assert wording.theory_state(found, "least squares")[0] == "describes it"
    assert wording.theory_state(found, "product")[0] == "does not describe it"


def test_two_laws_do_not_say_whether_the_theory_describes_a_run():
    """Nor are they sure."""
    found = (answers.finding("slope", "fails"), answers.finding("balance"))
    assert wording.theory_state(found)[0] == "can hardly be tested"
    assert "; the linear theory can hardly be tested: 1 of 2 testable laws hold" in headline(found, None)
    assert advise(None, findings=found)[1].sure == "likely" and advise(None)[1].sure == "sure"


def test_a_simulator_that_follows_the_run_is_said_in_the_headline():
    bad = tuple(answers.finding(law, "fails") for law in ("alignment", "slope", "commutator"))
    over = replace(answers.over_training(), error={"s": np.array([0.5, 0.02]), "p": np.array([np.nan, 0.03])})
    text = headline(bad, answers.reading(), "", over)
    assert text.startswith(
        "Not collapsing (none: 22 of 24 directions live); the simulator follows the run (relative error "
        "s 0.02, p 0.03), of the laws"
    )
    told = advising.advise(bad, answers.RATES, answers.reading(), EXACT, answers.SETTINGS, None, 5000, over)[1].text
    assert told.startswith("The simulator follows the run (relative error s 0.02, p 0.03)") and "0 of 3 hold" in told
    far = replace(answers.over_training(), error={"s": np.array([0.02, 0.5]), "p": np.array([0.02, 0.03])})
    assert "does not describe it" in headline(bad, answers.reading(), "", far)


@pytest.mark.parametrize(
    ("spread", "concentration", "verdict", "text"),
    [
        (0.02, 0.2, "fails", "Collapsed"),
        (0.2, 0.5, "fails", "At risk of collapse"),
        (0.9, 0.995, "fails", "Collapsed"),
        (0.33, 0.5, "not testable", "Near the limit of the collapse alarm"),
        (0.9, 0.2, "holds", "Not collapsing"),
    ],
)
def test_without_a_predictor_the_features_alone_raise_the_alarm(spread, concentration, verdict, text):
    found = answers.finding("collapse", verdict, spread, group="collapse", details={"concentration": concentration})
    assert headline((found,), None).startswith(text)


def test_a_limit_inside_the_interval_weakens_a_healthy_diagnosis():
    near = answers.finding("collapse", "not testable", 0.33, group="collapse", details={"concentration": 0.2})
    found = advise(None, findings=(*GOOD, near))[0]
    assert found.text.startswith("It is near the limit of the collapse alarm: ") and found.sure == "likely"


@pytest.mark.parametrize("rule", ["direct_pred", "richemond", "newton_schulz"])
def test_no_rates_are_advised_for_a_predictor_that_is_set_by_a_rule(rule):
    settings = Settings.of({"method.loss": "l2", "model.predictor": rule}, "here")
    texts = [found.text for found in advise(on_parabola(0.7), settings=settings)]
    assert any(f"W_p is set by the rule {rule}" in text for text in texts)
    assert not any("predictor would" in text or "By the theory no rate needs to change" in text for text in texts)
    trained = Settings.of({"method.loss": "l2", "model.predictor": "linear"}, "here")
    assert any("predictor would" in found.text for found in advise(on_parabola(0.7), settings=trained))


def test_modes_that_are_not_known_are_left_out():
    start = ModeReading.of([1.0, np.nan, 0.5, 0.2], [0.1, 0.2, 0.0, 0.3], 1.0, [1, 1, 1, 0.0], [0.1, 0.1, 0.1, 0.0])
    assert len(start) == 1 and start.p[0] == 1.0
    with pytest.raises(ValueError, match="s must have shape"):
        ModeReading(np.ones(2), np.ones(3), np.ones(2), np.ones(2), np.ones(2))
