"""Both theories beside a run: from its own start, by known errors, and one sentence where one is not possible."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lindyn import statistics
from lindyn.bridge.along_run import Curves
from lindyn.bridge.records import Pieces
from lindyn.bridge.report import schema
from lindyn.bridge.run import describe, known_training, normalised_theory, theory_beside
from lindyn.bridge.run.known_training import of_pieces, of_steps
from lindyn.bridge.run.next_steps import outlook
from lindyn.bridge.run.normalised_theory import collapsed
from lindyn.bridge.run.theory_beside import MeasuredSpectra, squared
from lindyn.bridge.run.theory_error import absolute_error, shape_error
from lindyn.bridge.settings import Settings
from lindyn.bridge.training.run_folder import RESULT
from lindyn.bridge.validation import validate
from lindyn.bridge.watch.trace import read_trace
from tests.bridge.validation.runs import DIGITS, GAUSSIAN, pieces_of, settings_of, trained

SIMSIAM = DIGITS | {
    "model.projector": "simsiam",
    "model.hidden": 12,
    "method.ema": 0.9,
    "optim.weight_decay": 0.01,
    "run.epochs": 12,
    "run.checkpoint_every": 3,
    "run.diagnostics_every": 2,
}  # 60 steps


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("both") / "run", SIMSIAM)


@pytest.fixture(scope="module")
def answer(run):
    return validate(run.folder, samples=240)


def by_theory(answer):
    return {beside.theory: beside for beside in answer.predictions}


def alone(run, folder, *steps):
    """Copy checkpoints of a run, without its run.toml and trace."""
    folder.mkdir()
    for path in run.checkpoints:
        if int(path.stem.partition("=")[2]) in steps:
            shutil.copy(path, folder / path.name)
    return folder


def test_both_theories_stand_beside_the_trace_that_has_more_readings_than_checkpoints(run, answer):
    assert [beside.theory for beside in answer.predictions] == ["squared", "normalised"] and not answer.not_predicted
    trace = read_trace(run.trace)
    for beside in answer.predictions:
        np.testing.assert_array_equal(beside.steps, trace.step.values)
        np.testing.assert_allclose(beside.measured, trace.s.values[:, :16])
        np.testing.assert_allclose(beside.rank_measured, trace.effective_rank.values)
        assert beside.readings == 30 and "trace.jsonl" in beside.source
        np.testing.assert_allclose(beside.error, beside.shape_error.mean())
        again = shape_error(beside.measured, beside.predicted, trace.trace_F.values)  # d = 8: all modes are kept
        np.testing.assert_allclose(beside.shape_error, again)
        np.testing.assert_allclose(beside.rank_predicted, statistics.entropy_rank(beside.predicted), rtol=1e-9)


def test_the_normalised_theory_starts_from_the_untrained_weights_and_follows_their_norm(answer):
    """Decay and the gradient's own growth set the norm of scale-free layers, whatever the features."""
    beside = by_theory(answer)["normalised"]
    np.testing.assert_array_equal(beside.norm_steps, [0, 15, 30, 45, 60])
    np.testing.assert_allclose(beside.norm_predicted[0], beside.norm_measured[0], rtol=1e-6)
    np.testing.assert_allclose(beside.norm_predicted, beside.norm_measured, rtol=0.05)
    assert abs(beside.norm_measured[-1] / beside.norm_measured[0] - 1) > 0.1
    assert any("ReLU between the layers" in note for note in beside.notes) and normalised_theory.BEFORE in beside.notes
    assert len(beside.path["steps"]) > len(beside.steps) and beside.path["steps"][0] == 0


def test_the_squared_theory_of_the_curves_is_the_one_beside(answer):
    over, beside = answer.over_training, by_theory(answer)["squared"]
    both = np.intersect1d(over.steps, beside.steps)
    here, there = (np.isin(each, both) for each in (over.steps, beside.steps))
    assert len(both) == 2
    np.testing.assert_allclose(over.theory["s"][here], beside.predicted[there], rtol=1e-9)


def test_the_report_holds_them_and_one_without_is_read(answer, tmp_path):
    told = json.loads(schema.text(schema.as_json(answer)))
    entry = told["predictions"][1]
    assert entry["theory"] == "normalised" and entry["readings"] == 30
    assert entry["spectrum_shape_error"] == pytest.approx(answer.predictions[1].error, rel=1e-6)
    assert {name: len(values) for name, values in entry["effective_rank"].items()} == {
        "step": 30, "measured": 30, "predicted": 30}  # fmt: skip
    assert entry["collapsed"] == {"measured": collapsed(entry["effective_rank"]["measured"][-1]),
                                  "predicted": collapsed(entry["effective_rank"]["predicted"][-1])}  # fmt: skip
    path = tmp_path / "report.json"
    path.write_text(json.dumps(told))
    back = schema.read_report(path)
    for here, there in zip(back.predictions, answer.predictions, strict=True):
        for name in ("steps", "measured", "predicted", "rank_predicted", "shape_error", "norm_measured"):
            np.testing.assert_allclose(getattr(here, name), getattr(there, name), rtol=1e-6)
        assert here.error == pytest.approx(there.error) and here.notes == there.notes
        assert here.path.keys() == there.path.keys()
    assert schema.as_json(back)["predictions"] == told["predictions"]
    del told["predictions"], told["not_predicted"]
    path.write_text(json.dumps(told))
    old = schema.read_report(path)
    assert old.predictions == () and old.not_predicted == {}
    told["predictions"] = [{**entry, "effective_rank": {"step": [0], "measured": ["x"], "predicted": [1.0]}}]
    path.write_text(json.dumps(told))
    with pytest.raises(ValueError, match="is damaged"):
        schema.read_report(path)


def test_both_theories_follow_the_model_that_both_describe(tmp_path):
    """One linear layer, squared distance, no BatchNorm: the two differ by steps and batches alone."""
    answer = validate(trained(tmp_path / "run", GAUSSIAN).folder, samples=2000)
    errors = {name: beside.error for name, beside in by_theory(answer).items()}
    assert errors["squared"] < 0.08 and errors["normalised"] < 0.08
    assert not by_theory(answer)["normalised"].collapsed_predicted


def test_checkpoints_without_their_folder_start_from_their_own_pieces(run, answer, tmp_path):
    found = validate(alone(run, tmp_path / "both", 0, 30, 60), samples=240)
    beside, whole = by_theory(found)["normalised"], by_theory(answer)["normalised"]
    assert beside.source == "3 checkpoints" and not found.not_predicted
    np.testing.assert_array_equal(beside.steps, [0, 30, 60])
    np.testing.assert_allclose(beside.norm_predicted, whole.norm_predicted[::2], rtol=0.1)  # X, X' of other images
    later = validate(alone(run, tmp_path / "later", 30, 60), samples=240)
    notes = by_theory(later)["normalised"].notes
    assert "the start is the network at step 30, not the untrained one" in notes
    assert by_theory(later)["normalised"].norm_predicted[0] == pytest.approx(whole.norm_measured[2], rel=1e-6)


def refusal(run, pieces=None, views=None, **settings):
    """Return why a checkpoint with these settings has no normalised theory; None stands for a key that is not known."""
    given = {name.replace("__", "."): value for name, value in settings.items()}
    known = {**settings_of(run).values, **given}
    pieces = replace(pieces_of(run, 0) if pieces is None else pieces, settings=Settings.of(known, "test"))
    images = torch.rand(2, 64, 1, 8, 8)
    with pytest.raises(ValueError) as told:
        of_pieces(pieces, describe(pieces.settings), views or (lambda: [tuple(images)]), 60)
    return str(told.value)


def test_what_keeps_a_checkpoint_from_the_theory_is_one_sentence(run):
    pieces = pieces_of(run, 0)
    assert refusal(run, optim__batch=None) == "optim.batch of the run not known; give optim.batch=... as you ran it"
    assert "method.ema of the run not known" in refusal(run, method__ema=None)
    assert refusal(run, optim__name="lars").startswith("LARS is no gradient descent")
    assert "closed-form rule that the file does not name" in refusal(run, model__predictor="unnamed-rule")
    assert "holds no predictor" in refusal(run, replace(pieces, predictor=None))
    assert "do not say at which optimiser step" in refusal(run, replace(pieces, step=None))
    assert "asked for those from 60 to 60" in refusal(run, replace(pieces, step=60))
    normed = nn.Sequential(*pieces.projector, nn.LayerNorm(8))
    assert "got LayerNorm, a norm that the theory does not treat" in refusal(run, replace(pieces, projector=normed))
    nan = torch.full((64, 1, 8, 8), torch.nan)
    assert "NaN or infinite" in refusal(run, views=lambda: [(nan, nan)])
    assert "a batch at least; got none" in refusal(run, views=lambda: [])


def test_the_steps_of_pieces_are_those_of_the_folder(run):
    whole, pieces = known_training.of_folder(run.folder), pieces_of(run, 1)
    found = of_pieces(pieces, describe(pieces.settings), lambda: [tuple(torch.rand(2, 64, 1, 8, 8))], 30, per_epoch=5)
    assert found.begin == 15
    for name in ("learning_rates", "gammas"):
        np.testing.assert_allclose(getattr(found.plan, name), getattr(whole.plan, name)[15:], rtol=1e-12)
    for name in ("momentum", "batch", "target", "predictor", "loss", "stop_gradient"):
        assert getattr(found.plan, name) == getattr(whole.plan, name)
    assert (found.plan.hp.eta_s, found.plan.hp.alpha_p) == (whole.plan.hp.eta_s, whole.plan.hp.alpha_p)


def test_settings_that_are_not_known_are_taken_at_their_usual_value_and_told(run):
    known = {key: value for key, value in settings_of(run).values.items() if key != "optim.schedule"}
    pieces = pieces_of(run, 0)
    pieces = replace(pieces, settings=Settings.of({**known, "model.predictor": None}, "test"))
    found = of_pieces(pieces, describe(pieces.settings), lambda: [tuple(torch.rand(2, 64, 1, 8, 8))], 60)
    assert len(set(found.plan.learning_rates)) == 1 and found.plan.steps == 60 and found.begin == 0
    assert "the learning rate is taken as constant (optim.schedule is not known)" in found.notes
    assert "the predictor is taken as trained (linear, by its layers)" in found.notes
    whole = known_training.of_folder(run.folder)
    assert whole.plan.steps == 60 and whole.notes == () and len(set(whole.plan.learning_rates)) == 60
    for here, there in zip(found.start.y0.Ws, whole.start.y0.Ws, strict=True):
        np.testing.assert_array_equal(here, there)
    assert pieces.backbone.training is False  # the pieces stay as they are


def test_steps_that_would_take_too_long_are_refused_before_they_are_taken(run):
    known = known_training.of_folder(run.folder)
    rates, gammas = (np.broadcast_to(value, 10**9) for value in (0.1, 0.9))
    plan = replace(known.plan, learning_rates=rates, gammas=gammas)
    with pytest.raises(
        ValueError, match=r"1,000,000,000 steps of layers up to 16 wide would take about [\d,]+ minutes"
    ):
        replace(known, plan=plan).until(10**9)
    part = of_steps(known.plan, 10, 30)
    np.testing.assert_array_equal(part.learning_rates, known.plan.learning_rates[10:30])
    assert len(part.gammas) == 20 and known.until(30).plan.steps == 30


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"optim__name": "lars"}, "The linear theory is that of gradient descent; got optim.name='lars'. Use sgd."),
        ({"model__projector": "none"}, "The theory needs a network that ends in linear layers, BatchNorm last or not"),
    ],
)
def test_a_run_that_the_normalised_theory_does_not_know_is_validated_all_the_same(tmp_path, more, told):
    short = {"run__epochs": 2, "run__checkpoint_every": 1, "run__diagnostics_every": 0}
    answer = validate(trained(tmp_path / "run", SIMSIAM, **short, **more).folder, samples=240)
    assert answer.not_predicted["normalised"].startswith(told) and "\n" not in answer.not_predicted["normalised"]
    assert answer.findings and "normalised" not in by_theory(answer)


def test_a_run_without_batchnorm_has_the_theory_without_it(tmp_path):
    short = {"run__epochs": 2, "run__checkpoint_every": 1, "run__diagnostics_every": 0, "model__projector": "linear"}
    answer = validate(trained(tmp_path / "run", SIMSIAM, **short).folder, samples=240)
    assert not answer.not_predicted and by_theory(answer)["normalised"].readings == 2


def test_a_trace_has_both_in_its_folder_and_neither_alone(run, tmp_path):
    found = validate(run.trace)
    beside = by_theory(found)["normalised"]
    assert beside.readings == 30 and found.not_predicted["squared"].startswith("A trace holds neither the moments")
    shutil.copy(run.trace, tmp_path / "trace.jsonl")
    alone = validate(tmp_path / "trace.jsonl")
    assert alone.predictions == () and alone.not_predicted["normalised"].startswith("A trace alone holds neither")


def test_features_that_were_given_leave_the_start_unknown(run, tmp_path):
    folder = alone(run, tmp_path / "bare", 0, 60)
    views = np.random.default_rng(0).standard_normal((2, 300, 8))
    given = [tuple(views), tuple(views)]
    answer = validate([folder / "step=00000000.ckpt", folder / "step=00000060.ckpt"], features=given)
    assert answer.not_predicted["normalised"].startswith("Features were given and no images")


def test_an_unfinished_run_is_predicted_as_far_as_it_went(run, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(run.folder, folder)
    (folder / RESULT).unlink()
    (folder / "checkpoints" / "step=00000060.ckpt").unlink()
    lines = (folder / "trace.jsonl").read_text().splitlines()
    (folder / "trace.jsonl").write_text("\n".join(lines[:16]) + "\n")
    beside = by_theory(validate(folder, samples=240))["normalised"]
    assert beside.readings == 15 and beside.steps[-1] == 30 and beside.path["steps"][-1] == 30


# What comes next from a single checkpoint


def test_a_single_checkpoint_is_told_what_comes_next_where_its_settings_are_known(run, tmp_path):
    answer = validate(run.checkpoints[-1], samples=240)
    (text,) = [one.text for one in answer.advice if one.text.startswith("By the normalised theory ")]
    assert "in the next 20 steps at the peak learning rate the effective rank would " in text
    assert answer.predictions == () and not answer.not_predicted
    basis = next(one.because for one in answer.advice if one.text == text)
    assert f"the network's outputs {answer.diagnosis.effective_rank:.1f}" in basis and "left out: ReLU" in basis
    lars = validate(
        alone(run, tmp_path / "lars", 60) / "step=00000060.ckpt", settings={"optim.name": "lars"}, samples=240
    )
    assert not [one for one in lars.advice if one.text.startswith("By the normalised")]
    assert lars.not_predicted["normalised"].startswith("LARS is no gradient descent")
    features = tuple(np.random.default_rng(0).standard_normal((2, 300, 8)))
    given = validate(run.checkpoints[-1], features=features)
    assert given.not_predicted == {} and not [one for one in given.advice if one.text.startswith("By the normalised")]


def isotropic(W_p, r=0.8, depth=1):
    """Return the outlook of orthogonal layers on isotropic data of which the views share r."""
    values = {"optim.lr": 0.1, "optim.momentum": 0.9, "optim.weight_decay": 0.0, "optim.batch": 64,
              "optim.predictor_weight_decay": 0.0, "optim.alpha_p": 1.0, "method.loss": "cosine",
              "method.sides": "one-sided", "method.target": "online", "model.predictor": "linear"}  # fmt: skip
    settings = Settings.of(values, "test")
    layers = [nn.Linear(6, 6, bias=False).double() for _ in range(depth)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight)
    predictor = nn.Sequential(nn.Linear(6, 6, bias=False).double())
    predictor[0].weight.data = torch.as_tensor(W_p)
    white = (
        np.linalg.qr(np.random.default_rng(0).standard_normal((2000, 18)))[0] * 2000**0.5
    )  # no moment is left to luck
    numbers = torch.as_tensor(white.T.reshape(3, 6, 2000).swapaxes(1, 2).reshape(3, 2000, 1, 2, 3))
    views = [r**0.5 * numbers[0] + (1 - r) ** 0.5 * each for each in numbers[1:]]
    pieces = Pieces(Path("one.pt"), "test", "test", None, nn.Sequential(*layers), predictor, step=1000,
                    settings=settings)  # fmt: skip
    return outlook(pieces, describe(settings), lambda: [tuple(views)])


@pytest.mark.parametrize("depth", [1, 3])
def test_orthogonal_layers_on_isotropic_data_are_at_rest_with_a_predictor_that_copies_r(depth):
    """Rest: kappa p_j = r_j, whatever the size of p; equal r make an isotropic spectrum."""
    ahead = isotropic(1.7 * np.eye(6), depth=depth)
    assert ahead.steps == 100 and ahead.at_rest and ahead.change < 1e-6
    assert ahead.rank_now == pytest.approx(6) and ahead.rank_then == pytest.approx(6)
    lame = isotropic(np.diag([2.0, 1.0, 0.1, 0.1, 0.1, 0.1]), depth=depth)
    assert not lame.at_rest and lame.rank_then < lame.rank_now - 0.2


# Errors and words with known answers


def curves(steps, s, path_steps, path_s):
    measured = {"s": s, "trace_F": s.sum(1), "effective_rank": statistics.entropy_rank(s)}
    return Curves(steps, "optimiser steps", measured, {"s": s}, {}, "", "test", {"steps": path_steps, "s": path_s})


def test_the_error_of_the_shape_is_blind_to_size_and_has_known_values():
    s = np.array([[3.0, 1.0, 0.0], [2.0, 2.0, 0.0]])
    np.testing.assert_allclose(shape_error(s, 7 * s), 0, atol=1e-15)
    np.testing.assert_allclose(absolute_error(s, 2 * s), 0.5)
    flat = np.ones((2, 3))
    expected = np.linalg.norm(s / 4 - flat / 3, axis=1) / np.maximum(np.linalg.norm(s / 4, axis=1), 3**-0.5)
    np.testing.assert_allclose(shape_error(s, flat), expected)
    leading = shape_error(s[:, :1], flat, size=np.array([4.0, 4.0]))  # of a trace that holds one mode and tr F
    np.testing.assert_allclose(leading, [(3 / 4 - 1 / 3) / (3 / 4), (1 / 2 - 1 / 3) / (1 / 2)])


def test_the_squared_theory_is_read_between_its_own_times_and_not_outside():
    steps, times = np.array([0, 5, 10, 20]), np.array([0, 10])
    s = np.array([[4.0, 1.0], [3.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    over = curves(steps, s, times, s[[0, 2]])
    beside = squared(over, theory_beside.measured_spectra(over, None))
    np.testing.assert_allclose(beside.predicted[:3], s[:3])
    np.testing.assert_allclose(beside.shape_error[1:3], 0, atol=1e-15)
    assert np.isnan(beside.predicted[3]).all() and np.isnan(beside.shape_error[3]) and beside.readings == 2
    assert np.isnan(beside.shape_error[0])  # the start is taken from the network: no test
    with pytest.raises(ValueError, match=r"^needed: optim\.lr$"):
        squared(
            replace(over, path={}, reason="not possible: needed: optim.lr"), theory_beside.measured_spectra(over, None)
        )


@pytest.mark.parametrize(("rank", "word"), [(1.0, True), (1.99, True), (2.0, False), (30.0, False), (0.0, True)])
def test_collapsed_is_an_effective_rank_below_two_measured_or_predicted(rank, word):
    assert collapsed(rank) is word and normalised_theory.COLLAPSED_RANK == 2


def test_spectra_that_are_gone_count_as_collapsed():
    gone = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    over = curves(np.array([0, 10]), np.ones((2, 3)), np.array([0, 10]), gone)
    beside = squared(over, theory_beside.measured_spectra(over, None))
    assert beside.collapsed_predicted and not beside.collapsed_measured and beside.rank_predicted[-1] == 0
    back = squared(curves(np.array([0, 10]), gone, np.array([0, 10]), np.ones((2, 3))), MeasuredSpectra(
        np.array([0, 10]), gone, gone.sum(1), np.array([3.0, 0.0]), ""))  # fmt: skip
    assert back.collapsed_measured and not back.collapsed_predicted


def test_an_even_choice_of_readings_keeps_the_first_and_the_last():
    many = MeasuredSpectra(np.arange(500), np.ones((500, 2)), np.full(500, 2.0), np.full(500, 2.0), "the trace")
    few = many.at_most(160)
    assert len(few.steps) == 160 and few.steps[0] == 0 and few.steps[-1] == 499 and few.source.endswith("of which 160")
    assert many.at_most(500) is many
