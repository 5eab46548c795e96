"""Rates from settings: known numbers, the run's own theory, None with its reason where something is missing."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lindyn.bridge.run import hyperparameters, rates_of, step_time, training_theory
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training import TrainConfig

BYOL = {
    "optim.name": "sgd",
    "optim.lr": 0.03,
    "optim.momentum": 0.9,
    "optim.weight_decay": 4e-4,
    "optim.alpha_p": 2.0,
    "optim.predictor_weight_decay": -1.0,
    "optim.schedule": "constant",
    "method.loss": "cosine",
    "method.sides": "symmetrised",
    "method.target": "ema",
    "method.ema": 0.996,
}
NUMBERS = ("alpha_p", "beta", "eta_s", "eta_p", "step_time")


def rates(values, **more):
    changed = {**values, **{name.replace("__", "."): value for name, value in more.items()}}
    return rates_of(Settings.of(changed, "test"))


def without(*keys):
    return {key: value for key, value in BYOL.items() if key not in keys}


def test_known_numbers():
    """2 - 2 cos is 2 J, both directions 4 J: a step is 4 x 0.03 / (1 - 0.9) = 1.2, decay is shared by 4."""
    found = rates(BYOL)
    assert found.step_time == pytest.approx(1.2)
    assert found.beta == pytest.approx(0.004 / 1.2)
    assert found.eta_s == pytest.approx(1e-4)
    assert found.eta_p == pytest.approx(2e-4)
    assert found.alpha_p == 2.0
    assert (found.target, found.missing, found.assumed) == ("ema", (), ())
    assert found.eta is None
    assert rates(BYOL, optim__alpha_p=1.0).eta == pytest.approx(1e-4)
    assert Rates(1.0, 0.1, 0.03, 0.030000000000000006, 1.0, "ema").eta == 0.03


@pytest.mark.parametrize(
    ("loss", "sides", "c"),
    [("l2", "one-sided", 1), ("l2", "symmetrised", 2), ("negative-cosine", "averaged", 1), ("cosine", "averaged", 2)],
)
def test_every_loss_over_J(loss, sides, c):
    found = rates(BYOL, method__loss=loss, method__sides=sides)
    assert found.step_time == pytest.approx(0.3 * c)
    assert found.beta == pytest.approx(0.004 / (0.3 * c))
    assert found.eta_s == pytest.approx(4e-4 / c)


def test_they_are_those_of_the_run_s_own_theory():
    config = TrainConfig.of(BYOL | {"method.loss": "l2", "optim.predictor_weight_decay": 1e-3})
    hp, found = hyperparameters(config), rates_of(Settings.of(config.flat(), "run.toml"))
    assert (found.alpha_p, found.beta, found.eta_s, found.eta_p) == (hp.alpha_p, hp.beta, hp.eta_s, hp.eta_p)
    assert found.step_time == step_time(config)
    config = TrainConfig.of(BYOL)
    hp, duration = training_theory.mean_rates(config, 100)
    found = rates_of(Settings.of(config.flat(), "run.toml"))
    assert (found.alpha_p, found.beta, found.eta_s, found.eta_p) == (hp.alpha_p, hp.beta, hp.eta_s, hp.eta_p)
    assert 100 * found.step_time == pytest.approx(duration)


def test_the_learning_rate_is_the_one_that_acted():
    assert rates(BYOL, optim__scale_lr=True, optim__batch=4096).step_time == pytest.approx(1.2)


@given(st.floats(1e-4, 1.0), st.floats(0.0, 0.99), st.floats(0.0, 0.1), st.floats(0.5, 0.9999))
def test_twice_the_loss_is_twice_the_rate_and_half_the_decay(lr, momentum, decay, ema):
    """2 - 2 cos at lr and decay trains as - cos at 2 lr and decay / 2 does."""
    common = {"optim.momentum": momentum, "method.ema": ema}
    a = rates(BYOL | common | {"optim.lr": lr, "optim.weight_decay": decay})
    b = rates(BYOL | common | {"method.loss": "negative-cosine", "optim.lr": 2 * lr, "optim.weight_decay": decay / 2})
    for name in NUMBERS:
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-12)


@pytest.mark.parametrize(
    ("gone", "unknown", "told"),
    [
        ("optim.lr", {"beta", "step_time"}, {"optim.lr"}),
        ("optim.momentum", {"beta", "step_time"}, {"optim.momentum"}),
        ("optim.weight_decay", {"eta_s", "eta_p"}, {"optim.weight_decay"}),
        ("method.loss", {"beta", "step_time", "eta_s", "eta_p"}, {"method.loss"}),
        ("method.sides", {"beta", "step_time", "eta_s", "eta_p"}, {"method.sides"}),
        ("method.ema", {"beta"}, {"method.ema"}),
    ],
)
def test_what_is_missing_makes_none_and_is_named(gone, unknown, told):
    found, whole = rates(without(gone)), rates(BYOL)
    assert {name for name in NUMBERS if getattr(found, name) is None} == unknown
    assert set(found.missing) == told
    for name in set(NUMBERS) - unknown:
        assert getattr(found, name) == getattr(whole, name)


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("optim.name", "the optimiser is SGD"),
        ("optim.predictor_weight_decay", "the predictor has the weight decay of the others"),
        ("method.target", "the target follows by EMA"),
    ],
)
def test_what_nearly_every_run_leaves_is_taken_for_granted_and_said(gone, words):
    assert rates(without(gone)) == dataclasses.replace(rates(BYOL), assumed=rates(without(gone)).assumed)
    assert any(words in sentence for sentence in rates(without(gone)).assumed)


def test_alpha_p_is_one_where_a_run_says_its_rate_but_none_for_the_predictor():
    found = rates(without("optim.alpha_p"))
    assert found.alpha_p == 1.0
    assert any("alpha_p = 1" in sentence for sentence in found.assumed)


def test_nothing_known_gives_nothing():
    found = rates({})
    assert found == Rates(None, None, None, None, None, "", found.missing)
    assert {"optim.alpha_p", "optim.lr", "optim.weight_decay", "method.target"} <= set(found.missing)
    assert "method.ema" not in found.missing


@pytest.mark.parametrize(("target", "beta"), [("online", None), ("frozen", 0.0)])
def test_a_target_that_does_not_follow(target, beta):
    found = rates(without("method.ema"), method__target=target)
    assert (found.target, found.beta, found.missing) == (target, beta, ())
    assert found.eta_s == pytest.approx(1e-4)


@pytest.mark.parametrize("name", ["lars", "adam"])
def test_an_optimiser_that_is_no_flow_leaves_alpha_p(name):
    found = rates(BYOL, optim__name=name)
    assert found.alpha_p == 2.0
    assert [getattr(found, key) for key in NUMBERS[1:]] == [None] * 4
    assert f"{name.upper()} is no gradient flow" in found.assumed[0]
    assert found.missing == ()


def test_schedules_are_said_to_leave_beta_and_alpha_p_at_their_start():
    found = rates(BYOL, optim__schedule="cosine", method__ema_schedule="cosine", optim__predictor_schedule="constant")
    assert found.assumed == (
        "beta is that at the peak learning rate",
        "beta is that of the first EMA parameter",
        "alpha_p is that at the peak learning rate",
    )


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("optim.lr", 0.0, "optim.lr must be positive; got 0"),
        ("optim.momentum", 1.5, "optim.momentum must be below 1; got 1.5"),
        ("method.loss", "mse", "method.loss must be one of cosine"),
        ("optim.lr", "fast", "optim.lr must be a number; got 'fast'"),
    ],
)
def test_a_value_out_of_its_range_is_said(key, value, text):
    with pytest.raises(ValueError, match=text):
        rates(BYOL | {key: value})


def test_an_optimiser_that_is_no_flow_asks_for_nothing_that_would_not_help():
    """With LARS no EMA rate makes beta known; the reason is told instead."""
    rates = rates_of(Settings.of({"optim.name": "lars", "optim.alpha_p": 1.0, "method.target": "ema"}, "here"))
    assert rates.missing == () and "LARS is no gradient flow" in rates.assumed[0]
