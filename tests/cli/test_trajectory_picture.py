"""The picture of a run: names what was run, shows the rates that enter, and nothing that is round-off."""

import warnings

import numpy as np
import pytest

import lindyn as ld
from lindyn.plotting import trajectory_picture as picture
from tests.pictures import faults

DATA = ld.Moments.isotropic(n1=6, sigma2=0.25)
HP = ld.Hyperparameters(alpha_p=1.7, beta=0.3, eta=0.04)
THEOREM = "Theorem 1 residual"


def start(target="ema", predictor="trained", scale_p=1.0):
    y = ld.WeightState.random(4, 6, seed=1, scale_p=scale_p, symmetric_predictor=predictor == "symmetrised")
    W_p = np.eye(4) if predictor == "identity" else y.W_p
    return ld.WeightState(y.W, W_p, None if target == "online" else 0.5 * y.W)


def drawn(hp=HP, t1=5.0, y=None, **choices):
    begin = start(choices.get("target"), choices.get("predictor")) if y is None else y
    run = ld.simulate(ld.WeightFlow(hp, DATA, **choices), begin, t1=t1, engine="scipy")
    figure = picture.draw(run)
    assert faults(figure) == []
    title, *_, note = (text.get_text() for text in figure.texts)
    keys = [line.get_label() for line in figure.axes[3].lines]
    return figure, title, note, keys


@pytest.mark.parametrize(
    ("choices", "named", "enter", "balanced"),
    [
        ({}, "EMA target", {r"\alpha_p", r"\beta", r"\eta"}, True),
        ({"target": "online"}, "target = online network", {r"\alpha_p", r"\eta"}, True),
        ({"target": "online", "stop_gradient": False}, "no stop-gradient", {r"\alpha_p", r"\eta"}, False),
        ({"target": "frozen"}, "frozen target", {r"\alpha_p", r"\eta"}, True),
        ({"predictor": "identity"}, "no predictor", {r"\beta", r"\eta"}, False),
        ({"predictor": "symmetrised"}, "symmetrised predictor", {r"\alpha_p", r"\beta", r"\eta"}, False),
        ({"predictor": "direct_pred"}, "predictor by the rule direct_pred", {r"\beta", r"\eta"}, False),
    ],
)
def test_the_title_names_the_ablation_and_only_rates_that_enter_are_shown(choices, named, enter, balanced):
    _, title, note, keys = drawn(**choices)
    assert named in title
    assert {symbol for symbol in (r"\alpha_p", r"\beta", r"\eta") if f"${symbol} =" in note} == enter
    assert (THEOREM in keys) == balanced


def test_separate_decays_are_named_and_theorem_1_is_left_out():
    _, title, note, keys = drawn(ld.Hyperparameters(eta_p=0.1, eta_s=0.02))
    assert "separate decays" in title and r"$\eta_p = 0.1$, $\eta_s = 0.02$" in note and THEOREM not in keys
    _, title, note, _ = drawn(ld.Hyperparameters(eta_p=0.1, eta_s=0.02), predictor="identity")
    assert r"\eta_s" in note and r"\eta_p" not in note and "separate" not in title


@pytest.mark.parametrize(
    ("flow", "y", "named", "absent"),
    [
        (ld.ModeFlow(HP, tau="constant"), ld.ModeState(0.3, 0.1), "tau held", r"\beta"),
        (ld.ParabolaFlow(HP, target="online"), ld.ParabolaState([0.3, 0.1]), "target = online network", r"\beta"),
        (ld.ModeWeightFlow(HP, predictor="identity"), ld.ModeWeightState(1.0, 0.3), "no predictor", r"\alpha_p"),
        (ld.CorrelationFlow(HP, symmetrised=True), ld.CorrelationState.random(3), "symmetrised predictor", "none"),
        (ld.GramFlow(HP, target="frozen"), ld.conversions.weights_to_gram(start()).state, "frozen target", r"\beta"),
    ],
)
def test_every_flow_names_its_ablations(flow, y, named, absent):
    figure = picture.draw(ld.simulate(flow, y, t1=3.0, engine="scipy"))
    title, *_, note = (text.get_text() for text in figure.texts)
    assert named in title and absent not in note and r"\eta" in note and faults(figure) == []


def test_ratios_of_modes_that_are_gone_or_at_round_off_are_not_drawn():
    figure, _, note, _ = drawn(t1=120.0, target="online", stop_gradient=False)
    run = ld.simulate(
        ld.WeightFlow(HP, DATA, target="online", stop_gradient=False), start("online"), t1=120.0, engine="scipy"
    )
    s, cosines = ld.observables.spectrum_F(run), ld.observables.alignment(run)
    shown = np.isfinite(np.stack([line.get_ydata() for line in figure.axes[2].lines], axis=1))
    assert np.isfinite(cosines).all() and not shown.all() and "not drawn" in note
    assert s[shown].min() >= 1e-40 and (s / s[:, :1])[shown].min() >= 1e-26
    assert shown[(s > 1e-35) & (s > 1e-20 * s[:, :1])].all()


def test_tau_of_a_mode_that_is_gone_is_not_drawn():
    run = ld.simulate(
        ld.ModeFlow(ld.Hyperparameters(eta=0.5)), ld.ModeState([0.3, 0.1], 0.05), t1=150.0, engine="scipy"
    )
    tau = picture.draw(run).axes[2].lines[0].get_ydata()
    gone = np.asarray(run.states.s)[:, 0] < 1e-40
    assert gone.any() and np.array_equal(np.isnan(tau), gone)


@pytest.mark.parametrize("scale", [0.0, 1e-200, 1.0])
def test_a_picture_of_nothing_is_drawn_without_a_warning(scale):
    y = start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for W_p in (0.0 * y.W_p, scale * y.W_p):
            drawn(y=ld.WeightState(scale * y.W, W_p, y.W_a if scale == 1.0 else scale * y.W_a))
