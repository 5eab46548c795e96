"""The record of predictions: made before the training, by digest; counted, never typed."""

import json

import numpy as np
import pytest

from lindyn.bridge.prediction import past_record as counted
from lindyn.bridge.run import theory_error
from lindyn.bridge.studies import run_prediction, table_presets, training_study
from lindyn.bridge.training.run_folder import Run
from lindyn.papers import prediction_record, study_files

TINY = {"data__test_share": 0.8, "optim__batch": 64, "run__diagnostics_every": 1}
ROWS = ("predicted-linear/digits, EMA, regular, decay 1e-2",)


def plan(out, **changes):
    table = table_presets.table("normalised", "predict")
    rows = tuple(row for row in table.rows if row.id in ROWS)
    return training_study.Study(table, "smoke", rows, 1, out, {**TINY, **changes})


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One predicted and trained run: its folder, and the study file."""
    out = tmp_path_factory.mktemp("study")
    before, real = [], training_study._trained

    def trained(config, folder):
        before.append(json.loads((folder / run_prediction.PREDICTED).read_text()))
        assert not list(folder.glob("checkpoints/*.ckpt"))
        return real(config, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_study, "_trained", trained)
        training_study.run_all([plan(out)])
    return out, before, study_files.read(plan(out).path)


def test_the_prediction_is_on_disk_before_the_training_and_stays_as_it_was(done):
    out, before, study = done
    (run,) = study["rows"][next(k for k, row in enumerate(study["rows"]) if row["runs"])]["runs"]
    told = json.loads((out / "runs" / run["run"] / run_prediction.PREDICTED).read_text())
    assert before == [told] and run["prediction"]["sha256"] == told["sha256"]
    assert run["prediction"]["normalised"]["readings"] == len(run["curves"]["step"])
    assert run["prediction"]["measured_rank"] == pytest.approx(run["effective_rank"], rel=1e-4)
    assert 0 < run["prediction"]["shape_error"] < 1 and run["prediction"]["kind"] == "linear predictor, EMA, decay"


def test_a_prediction_that_was_changed_afterwards_is_refused(done, tmp_path):
    out, _, study = done
    (run,) = next(row["runs"] for row in study["rows"] if row["runs"])
    folder = out / "runs" / run["run"]
    told = json.loads((folder / run_prediction.PREDICTED).read_text())
    told["normalised"]["effective_rank"][-1] += 0.5
    (tmp_path / run_prediction.PREDICTED).write_text(json.dumps(told))
    with pytest.raises(ValueError, match="is not what was predicted before the training began"):
        run_prediction.outcome(Run(tmp_path, Run.load(folder).config), run["prediction"]["sha256"])


def row(name, kind, measured, told, squared, error=0.1):
    theory = {"collapsed": told < 2, "rank": told, "shape_error": error, "early_error": None}
    other = {"collapsed": squared < 2, "rank": squared, "shape_error": 2 * error, "early_error": 0.5}
    found = {
        "kind": kind, "measured": measured < 2, "measured_rank": measured, "predicted": told < 2, "shape_error": error,
        "surrogate": theory, "normalised": theory, "with batch noise": theory, "squared": other, "sha256": "0",
    }  # fmt: skip
    return {"id": name, "name": name, "claim": "c", "runs": [{"seed": 0, "prediction": found}]}


EMA, NONE = "linear predictor, EMA, decay", "linear predictor, no EMA, decay"
STUDY = {"rows": [
    row("a", EMA, 4.0, 4.5, 9.0), row("b", EMA, 3.0, 3.5, 8.0), row("c", EMA, 5.0, 6.0, 1.5),
    row("d", NONE, 1.2, 1.1, 7.0), row("e", NONE, 1.5, 2.5, 6.0), row("f", NONE, 3.0, 2.6, 5.0),
    {"id": "g", "name": "g", "claim": "c", "runs": []},
]}  # fmt: skip


def test_hits_baselines_and_correlations_are_counted():
    runs = prediction_record.predicted(STUDY)
    assert len(runs) == 6
    assert prediction_record.hits(runs, "normalised") == 5  # e is missed
    assert prediction_record.hits(runs, "squared") == 3  # c, d, e are missed
    assert prediction_record.hits(runs, prediction_record.BASELINE) == 5  # f lives without EMA
    assert [run["row"] for run in prediction_record.missed(runs)] == ["e"]
    ema = [run for run in runs if prediction_record.has_ema(run)]
    assert prediction_record.rank_correlation(ema, "normalised") == pytest.approx(1.0)
    assert prediction_record.rank_correlation(ema, "squared") == pytest.approx(-0.5)
    assert np.isnan(prediction_record.rank_correlation(ema, prediction_record.BASELINE))  # nothing to order
    assert prediction_record.mean_error(runs, "squared") == pytest.approx(0.2)
    assert np.isnan(prediction_record.mean_error(runs, "normalised", "early_error"))
    text = prediction_record.markdown(STUDY)
    assert "| Gaussian surrogate of the last layers | 5 of 6 | 0.10 | - |" in text and "Missed: e." in text
    assert text.count("MISSED") == 1 and prediction_record.markdown({"rows": []}) == ""


def test_a_theory_is_held_against_its_baselines_run_by_run():
    calls, shape = prediction_record.seen(STUDY)
    assert (calls.verdict, calls.numbers) == ("undecided", "5 against 5 of 6")
    assert (shape.verdict, shape.numbers) == ("seen", "0.10 against 0.20")
    ema = [row(str(k), EMA, 1.1 + 0.1 * k, 1.5, 1.5, -0.1 * k) for k in range(1, 6)]  # all collapse, as said
    calls, shape = prediction_record.seen({"rows": ema})
    assert (calls.verdict, calls.numbers) == ("seen", "5 against 0 of 5")
    assert shape.verdict == "not seen"  # errors below 0 stand for a squared theory that is nearer
    assert prediction_record.seen({"rows": []}) == []
    assert "- undecided: collapsed or living is called right more often" in prediction_record.markdown(STUDY)


def test_how_sure_is_what_came_of_such_predictions(monkeypatch):
    said = lambda right, error: {"collapsed": right, "shape_error": error}  # noqa: E731
    rows = [{"kind": EMA, "measured": True, "surrogate": said(k < 9, 0.1 * k), "normalised": said(k < 3, 0.5)}
            for k in range(10)]  # fmt: skip
    rows += [{"kind": NONE, "measured": True, "surrogate": said(True, None), "normalised": said(True, None)}] * 3
    monkeypatch.setattr(counted, "recorded", lambda: tuple(rows))
    told = counted.record_of(EMA)
    assert (told.runs, told.right, told.sure) == (10, 9, counted.LIKELY) and told.shape_error == pytest.approx(0.45)
    assert "Of 10 recorded runs of this kind (linear predictor, EMA, decay) 9 lived or collapsed as" in told.text
    few = counted.record_of(NONE)
    assert few.sure == counted.GUESS and "too few to go by" in few.text
    assert counted.record_of("another kind").text.startswith("No run of this kind (another kind)")
    linear = counted.record_of(EMA, by=counted.LINEAR)
    assert (linear.right, linear.sure) == (3, counted.GUESS) and linear.shape_error == pytest.approx(0.5)
    rows[:4] = [{**each, "surrogate": said(False, 0.1)} for each in rows[:4]]
    assert counted.record_of(EMA).sure == counted.GUESS


def test_a_run_outside_of_the_record_is_less_sure(monkeypatch):
    rows = [{"kind": EMA, "measured": True, "surrogate": {"collapsed": True, "shape_error": 0.1},
             "config": {"data.name": "mnist", "optim.weight_decay": decay, "data.size": 14}}
            for decay in (1e-3, 1e-3, 1e-2, 1e-2)]  # fmt: skip
    monkeypatch.setattr(counted, "recorded", lambda: tuple(rows))
    inside = {"data.name": "mnist", "optim.weight_decay": 6e-4, "data.size": 28}
    assert counted.record_of(EMA, inside).sure == counted.LIKELY and not counted.record_of(EMA, inside).outside
    for key, value, words in (("data.name", "stl10", "data.name = stl10 (mnist)"),
                              ("optim.weight_decay", 4e-4, "optim.weight_decay = 0.0004 (0.001 to 0.01)"),
                              ("data.size", 96, "data.size = 96 (14 to 14)")):  # fmt: skip
        told = counted.record_of(EMA, {**inside, key: value})
        assert told.outside == (words,) and told.sure == counted.POSSIBLE
        assert f"This one lies outside of them in {words}: less sure." in told.text


def test_errors_of_a_spectrum_s_shape():
    s = np.array([[4.0, 3.0, 0.0], [1.0, 1.0, 1.0]])
    assert theory_error.shape_error(s, 7 * s) == pytest.approx([0.0, 0.0])
    assert theory_error.absolute_error(s, 2 * s) == pytest.approx([0.5, 0.5])
    one = np.array([[1.0, 0.0, 0.0]])
    even = np.array([[1.0, 1.0, 1.0]]) / 3
    want = np.linalg.norm(one - even) / 1.0
    assert theory_error.shape_error(one, even) == pytest.approx([want])
    cut = theory_error.shape_error(np.array([[0.6, 0.3]]), np.array([[6.0, 3.0, 1.0]]), np.array([1.0]))
    assert cut == pytest.approx([0.0])  # the leading modes of a whole trace
    faint = theory_error.shape_error(np.array([[1.0, 1e-3]]), np.array([[1.0, 1e-4]]))
    assert faint[0] < 2e-3  # modes below 1 % of the largest count only by the trace
