"""Curves of real small runs with the theory beside: near where it must be, of the right order, silent where unknown."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lindyn.bridge.features import from_images
from lindyn.bridge.run import describe, from_checkpoints, from_trace
from lindyn.bridge.run.curves import PER_MODE, SCALARS
from lindyn.bridge.run.start import of_projections
from lindyn.bridge.run.theory_error import off_at_the_start, relative_errors
from lindyn.bridge.settings import Rates, Settings
from lindyn.bridge.training import train
from lindyn.bridge.watch.diagnosis import diagnose
from lindyn.bridge.watch.trace import read_trace
from tests.bridge.validation.runs import DIGITS, measured, pieces_of, settings_of, trained

STEADY = {"run__diagnostics_every": 0, "optim__batch": 2000, "data__count": 20_000}
UNKNOWN = Rates(None, None, None, None, None, "", ("optim.lr", "method.target"))


def readings_of(run, limit=60_000):
    """Return (pieces, measured) of every checkpoint."""
    found = []
    for k in range(len(run.checkpoints)):
        pieces = pieces_of(run, k)
        found.append((pieces, measured(from_images(pieces, limit=limit, device="cpu"), pieces.predictor)))
    return found


def curves_of(readings, **values):
    """Return the curves, some keys of the settings changed."""
    settings = Settings.of({name.replace("__", "."): value for name, value in values.items()}, "test")
    readings = [(replace(pieces, settings=settings.over(pieces.settings)), m) for pieces, m in readings]
    return from_checkpoints(readings, describe(readings[0][0].settings))


def at_rate(folder, lr):
    """Return the readings of one run of flow time 6, the same target and decay in flow time."""
    epochs = round(0.6 / lr)
    more = {"optim__lr": lr, "method__ema": 1 - 0.25 * lr, "run__checkpoint_every": epochs // 3}
    return readings_of(trained(folder, run__epochs=epochs, **STEADY | more))


@pytest.fixture(scope="session")
def coarse(tmp_path_factory):
    return at_rate(tmp_path_factory.mktemp("coarse"), 0.2)


@pytest.fixture(scope="session")
def fine(tmp_path_factory):
    return at_rate(tmp_path_factory.mktemp("fine"), 0.05)


@pytest.fixture(scope="session")
def small_steps(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("small_steps"))


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("digits"), DIGITS)


def test_the_linear_network_follows_lemma_1_to_the_order_of_the_step(coarse, fine):
    far, near = curves_of(coarse), curves_of(fine)
    assert near.reason == "Lemma 1 on matrices from the first checkpoint"
    assert near.unit == "optimiser steps"
    for name in ("s", "p"):
        assert near.error[name][0] < 1e-12  # the start is the reading itself
        assert far.error[name].max() < 0.05
        assert near.error[name].max() < 0.02
    assert far.error["s"][-1] / near.error["s"][-1] == pytest.approx(4, rel=0.3)  # a fourth of the step
    moved = np.abs(near.measured["s"][-1] / near.measured["s"][0] - 1)[:6]
    assert moved.max() > 0.3
    np.testing.assert_allclose(near.theory["tau"][-1][:5], near.measured["tau"][-1][:5], rtol=0.03)


@pytest.mark.parametrize(
    "wrong",
    [
        {"optim__alpha_p": 3.0},
        {"optim__weight_decay": 0.2},
        {"optim__lr": 0.15},
        {"method__ema": 0.5},
        {"method__target": "frozen"},
        {"method__sides": "symmetrised"},
        {"optim__schedule": "cosine"},
    ],
)
def test_settings_that_are_not_those_of_the_run_show(fine, wrong):
    right = max(curves_of(fine).error[name][1:].max() for name in ("s", "p"))
    assert max(curves_of(fine, **wrong).error[name][1:].max() for name in ("s", "p")) > 3 * right


def test_the_theory_starts_where_the_network_does_and_is_known_between_its_readings(fine):
    curves = curves_of(fine)
    assert max(curves.error["s"][0], curves.error["p"][0]) < 1e-6
    path, theory = curves.path, curves.theory
    at = np.searchsorted(path["steps"], curves.steps)
    assert len(path["steps"]) > 3 * len(curves.steps) and np.array_equal(path["steps"][at], curves.steps)
    for name in PER_MODE:
        np.testing.assert_allclose(path[name][at], theory[name][:, : path[name].shape[1]])


def test_the_theory_starts_from_the_F_it_is_held_against_where_its_moments_are_of_other_views(fine):
    pieces, reading = fine[0]
    noise = 0.1 * np.random.default_rng(0).normal(size=np.shape(reading.F))
    F = np.asarray(reading.F) + noise @ noise.T
    begin, _ = of_projections(pieces, replace(reading, F=F), describe(pieces.settings))
    np.testing.assert_allclose(begin.X + begin.X_aug, F)
    assert np.linalg.norm(begin.X + begin.X_aug - reading.X - reading.X_aug) > 1e-3


def test_a_start_that_does_not_fit_is_said():
    assert off_at_the_start({"p": np.array([np.nan, 0.93, 0.1])}).startswith("; the start itself is off by 0.93 in p")
    assert off_at_the_start({"p": np.array([0.01, 0.9])}) == off_at_the_start({}) == ""


def test_from_a_random_start_the_decoupled_modes_are_only_near(fine):
    """W_p does not share its eigenvectors with F yet (Theorem 3), which only the matrices know."""
    found = curves_of(fine)
    assert 3 * found.error["p"][-1] < found.error["p_modes"][-1] < 0.3
    assert {"s", "p", "tau", "s_modes", "p_modes", "tau_modes"} == set(found.theory)


def decouple(run):
    """Put W = U diag(w), W_p = U diag(p) U^T and W_a = W into a run's first checkpoint, and train again."""
    first, *rest = run.checkpoints
    for path in rest:
        path.unlink()
    inside = torch.load(first, weights_only=True)
    U = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    W = U[:, :6] * [1.5, 0.4, 1.2, 0.8, 0.6, 1.0]
    state = inside["state_dict"]
    for name in state:
        state[name] = torch.tensor((U * [0.9, 0.7, 0.5, 0.4, 0.3, 0.6, 0.2, 0.2]) @ U.T if "prediction" in name else W)
    torch.save(inside, first)
    (first.parent / "SHA256SUMS").unlink()  # it is another file now, on purpose
    return train(run.config, resume=True)


def test_a_decoupled_start_follows_eqs_11_to_13(tmp_path):
    run = trained(tmp_path, optim__lr=0.1, method__ema=0.975, run__epochs=4, run__checkpoint_every=2, **STEADY)
    found = curves_of(readings_of(decouple(run)))
    for name in ("s_modes", "p_modes"):
        assert found.error[name].max() < 0.01
    np.testing.assert_allclose(found.theory["tau_modes"][-1][:6], found.measured["tau"][-1][:6], rtol=0.02)
    assert found.theory["tau_modes"][-1][:6].min() > 1.0
    assert np.isnan(found.theory["s_modes"][:, 6:]).all()


def test_schedules_of_rate_and_ema(tmp_path):
    more = {
        "optim__schedule": "cosine", "method__ema_schedule": "cosine", "optim__warmup_epochs": 1.0,
        "optim__momentum": 0.5, "optim__lr": 0.05, "method__ema": 0.9, "method__target_start": "zero",
    }  # fmt: skip
    readings = readings_of(trained(tmp_path, run__epochs=6, run__checkpoint_every=2, **STEADY | more))
    found = curves_of(readings)
    assert max(found.error["s"].max(), found.error["p"].max()) < 0.05
    np.testing.assert_allclose(found.theory["tau"][1:, :5], found.measured["tau"][1:, :5], rtol=0.1, atol=0.02)
    assert found.error["p"][-1] < 0.02
    for wrong in ({"optim__schedule": "constant"}, {"method__ema_schedule": "constant"}, {"optim__warmup_epochs": 0.0}):
        assert curves_of(readings, **wrong).error["p"][-1] > 2 * found.error["p"][-1]


def test_a_loss_of_directions_is_the_squared_distance_over_the_squared_length(fine):
    """2 - 2 cos of vectors of squared length tr F is (2 / tr F) J: that of J at another rate and decay, EMA alike."""
    c = 2 / np.trace(fine[0][1].F)
    found = curves_of(fine, method__loss="cosine")
    assert "the run's loss (cosine) compares directions" in found.reason
    alike = curves_of(fine, optim__lr=0.05 * c, optim__weight_decay=0.02 / c)
    for name in ("s", "p", "tau", "s_modes", "p_modes"):
        np.testing.assert_allclose(found.theory[name], alike.theory[name], rtol=1e-5, atol=1e-9)
    assert found.error["p"].max() > 0.05  # the run itself was one of J


def test_the_error_is_of_the_leading_modes_over_the_larger_of_both():
    here = {"s": np.array([[4.0, 1.0, 0.03], [1.0, 0.5, 0.1]]), "p": np.array([[0.6, 0.8, 9.0], [3.0, 4.0, 0.0]])}
    there = {"s": np.array([[4.0, 1.0, 7.0], [1.0, 0.5, 0.1]])}
    there["p_modes"] = np.array([[0.6, 0.2, 1.0], [6.0, 8.0, np.nan]])
    error = relative_errors(here, there | {"tau": here["s"]})
    assert error.keys() == {"s", "p_modes"}
    np.testing.assert_array_equal(error["s"], [0, 0])
    np.testing.assert_allclose(error["p_modes"], [0.6, 0.5])
    unread = {"s": np.full((2, 3), np.nan)}
    assert np.isnan(relative_errors(here, unread)["s"]).all()
    assert np.isnan(relative_errors(unread, {"s": here["s"]})["s"]).all()


def test_a_target_that_was_not_measured_is_said_to_be_taken_as_one(fine):
    readings = [(p, replace(m, tau=None)) for p, m in fine]
    found = curves_of(readings)
    assert "tau was not measured on the first checkpoint and is taken as 1" in found.reason
    assert found.error["s"].max() < 0.02  # it does start as a copy
    assert np.isnan(found.measured["tau"]).all()
    assert "tau" not in curves_of(readings, method__target="online").reason


def test_the_curves_are_each_checkpoint_s_own_reading(fine):
    found = curves_of(fine)
    assert found.source == f"{len(fine)} checkpoints"
    for k, (pieces, m) in enumerate(fine):
        assert found.steps[k] == pieces.step
        reading = diagnose(m.F, m.maps[0].W_p)
        for name in ("s", "p", *SCALARS):
            np.testing.assert_allclose(found.measured[name][k], getattr(reading, name), err_msg=name)
        np.testing.assert_array_equal(found.measured["tau"][k], m.tau)


def test_the_order_is_that_of_the_steps_whatever_was_given(fine):
    shuffled = from_checkpoints([fine[2], fine[0], fine[1]], describe(fine[0][0].settings))
    np.testing.assert_array_equal(shuffled.steps, [pieces.step for pieces, _ in fine[:3]])


def test_without_steps_there_are_curves_over_epochs_or_files_and_no_theory(fine):
    rates = describe(fine[0][0].settings)
    epochs = from_checkpoints([(replace(p, step=None, epoch=9 - k), m) for k, (p, m) in enumerate(fine)], rates)
    assert epochs.unit == "epochs"
    assert epochs.steps[0] == 9 - len(fine) + 1
    np.testing.assert_allclose(epochs.measured["trace_F"][0], np.trace(fine[-1][1].F))
    files = from_checkpoints([(replace(p, step=None, epoch=None), m) for p, m in fine], rates)
    assert files.unit == "checkpoints"
    for found in (epochs, files):
        assert found.reason == "not possible: the checkpoints do not say at which optimiser step they were written"
        assert (found.theory, found.error) == ({}, {})


@pytest.mark.parametrize(
    ("pieces", "reading", "rates", "why"),
    [
        ({}, {}, UNKNOWN, r"alpha_p, eta_s, eta_p, step_time, the target .*\(needed: optim.lr, method.target\)"),
        ({}, {"maps": ()}, None, "the first checkpoint has no predictor"),
        ({}, {"X": None}, None, "X and X' need two views of every sample, the features have one"),
        ({"backbone": nn.Sequential(nn.Linear(6, 8), nn.ReLU())}, {}, None, "does not end in a linear layer"),
        ({"backbone": nn.Linear(6, 5)}, {}, None, "the features have 8 dimensions, the network's last linear layer 5"),
    ],
)
def test_what_the_theory_needs_is_never_invented(fine, pieces, reading, rates, why):
    readings = [(replace(p, **pieces), replace(m, **reading)) for p, m in fine]
    known = describe(fine[0][0].settings)
    found = from_checkpoints(readings, replace(known, rates=rates or known.rates))
    assert (found.theory, found.error) == ({}, {})
    with pytest.raises(AssertionError, match="^not possible: .*" + why):
        raise AssertionError(found.reason)
    assert np.isfinite(found.measured["trace_F"]).all()


def test_lars_is_no_flow(fine):
    assert "LARS is no gradient flow" in curves_of(fine, optim__name="lars").reason
    assert curves_of(fine, optim__name="lars").theory == {}


def test_without_a_predictor_the_spectrum_is_still_read(fine):
    found = from_checkpoints([(p, replace(m, maps=())) for p, m in fine], describe(fine[0][0].settings))
    whole = curves_of(fine)
    np.testing.assert_allclose(found.measured["s"], whole.measured["s"], atol=1e-12)
    np.testing.assert_allclose(found.measured["effective_rank"], whole.measured["effective_rank"])
    assert np.isnan(found.measured["p"]).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda r: r[:1], "2 checkpoints or more; got 1"),
        (lambda r: [r[0], (r[1][0], replace(r[1][1], F=None))], "need features of every checkpoint; got one without"),
        (
            lambda r: [r[0], r[0]],
            r"counts once; got step=0+\.ckpt and step=0+\.ckpt, both of step 0\. Give one of them",
        ),
        (lambda r: [r[0], (r[1][0], replace(r[1][1], F=np.eye(5)))], r"same width d; got \[5, 8\]"),
    ],
)
def test_readings_that_make_no_curve_are_refused(fine, change, text):
    with pytest.raises(ValueError, match=text):
        from_checkpoints(change(fine), describe(fine[0][0].settings))


def test_a_convolutional_network_is_drawn_beside_with_all_that_is_approximate(digits):
    """It is what it is: the error is told, nothing is claimed of its size."""
    found = from_checkpoints(readings_of(digits, None), describe(settings_of(digits)))
    for words in ("compares directions", "frozen in the theory, trained in the run", "Lemma 1"):
        assert words in found.reason
    for name in ("s", "p", "s_modes", "p_modes"):
        assert found.error[name].shape == (3,)
        assert found.error[name][0] < 1e-6
        assert (found.error[name] <= 2).all()


def test_a_trace_has_its_curves_and_says_what_it_lacks(digits):
    found = from_trace(digits.trace, describe(settings_of(digits)))
    trace = read_trace(digits.trace)
    np.testing.assert_array_equal(found.steps, trace["step"])
    for name in ("s", "p", *SCALARS):
        np.testing.assert_array_equal(found.measured[name], trace[name], err_msg=name)
    assert set(found.measured) == {*PER_MODE, *SCALARS}
    assert np.isnan(found.measured["tau"]).all()
    assert "not possible: a trace holds neither the moments of the views nor weights" in found.reason
    assert found.theory == {}


def test_a_trace_with_its_first_checkpoint_has_the_theory_beside(small_steps):
    first = readings_of(small_steps)[0]
    known = describe(settings_of(small_steps))
    found = from_trace(small_steps.trace, known, first)
    assert found.theory["s"].shape == found.measured["s"].shape
    assert "single batches" in found.reason
    # batches of 200 leave F to some 10 %: the sum over all modes is nearer
    np.testing.assert_allclose(found.theory["s"].sum(1), found.measured["trace_F"], rtol=0.15)
    beside = from_checkpoints(readings_of(small_steps), known)
    here, there = (np.isin(a.steps, b.steps) for a, b in ((found, beside), (beside, found)))
    assert here.sum() == 4
    for name in ("s", "p", "tau"):  # the same start: the same theory at the same steps
        np.testing.assert_allclose(found.theory[name][here], beside.theory[name][there], rtol=1e-5, atol=1e-9)
    later = from_trace(small_steps.trace, known, (replace(first[0], step=15), first[1]))
    np.testing.assert_array_equal(np.isnan(later.theory["s"]).all(1), later.steps < 15)
    assert np.isnan(later.error["s"][0])
    late = from_trace(small_steps.trace, known, (replace(first[0], step=1000), first[1]))
    assert "later than the second reading" in late.reason


def test_a_trace_of_isotropic_vectors_needs_nothing_else(tmp_path):
    """W_p = 1 shares every eigenvector and tau = 1 is known: then only batch and step are left."""
    more = {"data__decay": 0.0, "model__predictor": "identity", "method__target": "online", "optim__lr": 0.05}
    run = trained(tmp_path, run__epochs=4, **STEADY | more | {"run__diagnostics_every": 5})
    settings = settings_of(run)
    found = from_trace(run.trace, describe(settings))
    assert found.reason == "decoupled modes (Eqs. 11-13) from the first reading of the trace"
    assert found.measured["s"][-1, 0] < 0.8 * found.measured["s"][0, 0]
    assert found.error["s"].max() < 0.07
    wrong = Settings.of({"data.noise": 1.0}, "test").over(settings)
    assert from_trace(run.trace, describe(wrong)).error["s"].max() > 3 * found.error["s"].max()
    follows = Settings.of({"method.target": "ema", "method.ema": 0.995}, "test").over(settings)
    assert "tau of the first reading is not recorded and taken as 1" in from_trace(run.trace, describe(follows)).reason
    apart = Settings.of({"method.target_start": "independent"}, "test").over(follows)
    assert "not possible: tau" in from_trace(run.trace, describe(apart)).reason


def test_a_trace_too_short_or_none_at_all(tmp_path, digits):
    lines = digits.trace.read_text(encoding="utf-8").splitlines()
    (tmp_path / "short.jsonl").write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    settings = settings_of(digits)
    with pytest.raises(ValueError, match=r"must hold 2 readings of s or more; got 1"):
        from_trace(tmp_path / "short.jsonl", describe(settings))
    with pytest.raises(ValueError, match="path must be a trace that Diagnostics wrote"):
        from_trace(tmp_path / "none.jsonl", describe(settings))
