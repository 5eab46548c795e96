"""Studies: resumed, refused, shared; the prediction's known answers; a few steps of every family of presets."""

import json

import numpy as np
import pytest
import torch

from lindyn.bridge.run import start, training_theory
from lindyn.bridge.studies import table_presets, training_study
from lindyn.bridge.training import LossError, TrainingStopped, build, open_source
from lindyn.moments import Moments
from lindyn.papers import study_files

TINY = {"run__evaluation": "none", "data__test_share": 0.8, "optim__batch": 64, "run__diagnostics_every": 1}


def plan(out, table="3", rows=("table-3-linear/EMA sym", "table-3-linear/EMA regular"), seeds=1, **changes):
    found = table_presets.table("tian2021", table)
    chosen = tuple(row for row in found.rows if row.id in rows)
    return training_study.Study(found, "smoke", chosen, seeds, out, {**TINY, **changes})


@pytest.fixture
def trained(monkeypatch):
    """Count the trainings that really start."""
    from lindyn.bridge.training import trainer as run

    keys, real = [], run.train

    def counted(config, **more):
        keys.append((config.model.predictor, config.run.seed))
        return real(config, **more)

    monkeypatch.setattr(run, "train", counted)
    return keys


def test_what_is_finished_is_not_run_again_and_more_seeds_add_to_it(tmp_path, trained):
    training_study.run_all([plan(tmp_path)])
    assert len(trained) == 2
    first = study_files.read(plan(tmp_path).path)
    training_study.run_all([plan(tmp_path)])
    assert len(trained) == 2 and study_files.read(plan(tmp_path).path) == first
    training_study.run_all([plan(tmp_path, seeds=2)])
    assert trained[2:] == [("linear_symmetric", 1), ("linear", 1)]
    rows = study_files.rows(study_files.read(plan(tmp_path).path))
    assert [[run["seed"] for run in row["runs"]] for row in rows] == [[0, 1], [0, 1]]
    assert rows[0]["printed"] == 75.09 and rows[0]["printed_spread"] == 0.48
    assert "printed" not in rows[0]["runs"][0] and len(rows[0]["runs"][0]["curves"]["step"]) == 5


def test_a_killed_study_goes_on_to_the_same_numbers(tmp_path, monkeypatch):
    from lindyn.bridge.training import callbacks

    training_study.run_all([plan(tmp_path / "whole")])
    real = callbacks.Interrupts.on_train_batch_end
    monkeypatch.setattr(
        callbacks.Interrupts,
        "on_train_batch_end",
        lambda self, t, m, o, b, i: (setattr(self, "asked", i == 2), real(self, t, m, o, b, i)),
    )
    with pytest.raises(TrainingStopped):
        training_study.run_all([plan(tmp_path / "killed")])
    assert study_files.rows(study_files.read(plan(tmp_path / "killed").path)) == []
    monkeypatch.undo()
    training_study.run_all([plan(tmp_path / "killed")])
    whole, killed = (study_files.read(plan(tmp_path / name).path) for name in ("whole", "killed"))
    for content in (whole, killed):
        for row in content["rows"]:
            for run in row["runs"]:
                run.pop("seconds")
    assert killed == whole


def test_a_study_file_of_another_configuration_is_refused(tmp_path):
    training_study.run_all([plan(tmp_path)])
    with pytest.raises(ValueError, match=r"optim.lr: 0.1 in the file, 0.2 now\). Choose another --out"):
        training_study.run_all([plan(tmp_path, optim__lr=0.2)])


def test_equal_rows_of_two_tables_are_trained_once(tmp_path, trained):
    both = [plan(tmp_path, "2", ("table-2/EMA no bias",)), plan(tmp_path, "5", ("table-5-none/EMA regular",))]
    training_study.run_all(both)
    assert len(trained) == 1
    runs = [study_files.rows(study_files.read(one.path))[0]["runs"][0] for one in both]
    assert runs[0] == runs[1]


def test_a_loss_that_is_no_number_is_a_result(tmp_path, monkeypatch):
    from lindyn.bridge.training import trainer as run

    real = run.train

    def diverges(config, **more):
        real(config, **more)
        raise LossError("The loss became NaN or infinite at step 3; stopped.")

    monkeypatch.setattr(run, "train", diverges)
    training_study.run_all([plan(tmp_path, rows=("table-3-linear/EMA sym",))])
    row = study_files.rows(study_files.read(plan(tmp_path).path))[0]
    assert study_files.percent(study_files.summary(row)) == "diverged" and row["runs"][0]["error"].endswith("step 3")


def test_a_prediction_is_made_again_when_its_method_changes(tmp_path, trained, monkeypatch):
    training_study.run_all([plan(tmp_path)])
    monkeypatch.setattr(training_theory, "METHOD", training_theory.METHOD + 1)
    monkeypatch.setattr(training_theory, "ALIVE", 1e9)
    training_study.run_all([plan(tmp_path)])
    assert len(trained) == 2
    for row in study_files.rows(study_files.read(plan(tmp_path).path)):
        assert row["runs"][0]["theory"]["alive"] == 0.0


def config(**changes):
    given = {"run__epochs": 4, "optim__weight_decay": 0.0, **TINY, **changes}
    return table_presets.row("tian2021", "table3", "table-3-linear/EMA regular").config("smoke", **given)


def predicted(changed):
    source = open_source(changed)
    return training_theory.prediction(changed, build(changed, source), source)


def test_rates_of_a_cosine_loss():
    hp, duration = training_theory.mean_rates(config(optim__weight_decay=0.04, optim__alpha_p=3.0), steps=100)
    # 2 - 2 cos is 2 J, two directions: a step of 0.1/(1 - 0.9) is 4 of flow time at the peak, 2 on the mean of a cosine
    assert duration == pytest.approx(200.0)
    assert (hp.alpha_p, hp.eta_s, hp.eta_p) == pytest.approx((3.0, 0.01, 0.03))
    assert hp.beta == pytest.approx((1 - 0.99) / 2.0)
    assert training_theory.mean_rates(config(method__target="online"), steps=100)[0].beta == 0.0
    with pytest.raises(ValueError, match="Use sgd"):
        training_theory.mean_rates(config(optim__name="lars"), steps=1)


def test_without_predictor_and_target_the_theory_is_a_matrix_exponential():
    changed = config(model__predictor="identity", method__target="online", optim__weight_decay=0.02)
    source = open_source(changed)
    module = build(changed, source)
    z1, z2, _ = start.unit_projections(changed, module, source)
    data = Moments.from_views(z1, z2)
    values, V = np.linalg.eigh(data.X_aug)
    hp, duration = training_theory.mean_rates(changed, module.steps)
    W = (V * np.exp(-(values + hp.eta_s) * duration)) @ V.T  # dW/dt = -W X' - eta W from the identity
    found = predicted(changed)
    assert found["scale"] == pytest.approx(np.trace(W @ data.Sigma_s @ W.T) / np.trace(data.Sigma_s), rel=2e-3)
    assert found["verdict"] == "collapses" or found["alive"] > 0.1


def test_the_theory_collapses_under_a_heavy_decay_and_lives_without():
    assert predicted(config())["verdict"] == "lives"
    heavy = predicted(config(optim__weight_decay=5.0))
    assert heavy["verdict"] == "collapses" and heavy["scale"] < 1e-3
    assert predicted(config(model__predictor="direct_pred"))["verdict"] == "lives"
    assert "linear" in predicted(config(model__predictor="mlp"))["predictor"]


def test_projections_have_length_one_and_an_independent_target_its_own_map():
    changed = config(method__target="frozen", method__target_start="independent")
    source = open_source(changed)
    z1, z2, W_a = start.unit_projections(changed, build(changed, source), source)
    assert np.allclose(np.linalg.norm(z1, axis=1), 1) and np.allclose(np.linalg.norm(z2, axis=1), 1)
    assert np.linalg.norm(W_a - np.eye(len(W_a))) > 0.5


def test_leading_directions_make_up_the_share_asked_for():
    assert training_theory._leading(np.array([0.005, 0.6, 0.395])).tolist() == [False, True, True]
    assert training_theory._leading(np.array([1.0, 1.0])).tolist() == [True, True]


def test_the_symmetric_two_layer_predictor_stays_tied_and_moves_as_the_mean_of_two_layers():
    from lindyn.bridge import MLPPredictor, SymmetricMLPPredictor

    torch.manual_seed(1)
    tied, free = SymmetricMLPPredictor(5, 7, bias=False), MLPPredictor(5, 7, bias=False)
    free.load_state_dict(tied.state_dict())
    z = torch.randn(32, 5)
    for layer in (tied, free):
        rate = torch.optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.01)
        (layer(z) - z.roll(1, 0)).square().mean().backward()
        rate.step()
    first, last = (free.layers[k].weight.detach() for k in (0, 3))
    assert torch.allclose(tied.V, (first + last.T) / 2, atol=1e-7)
    assert torch.equal(tied.layers[0].weight, tied.layers[3].weight.T)
    assert not torch.allclose(first, last.T, atol=1e-4)
    with pytest.raises(ValueError, match="output_dim"):
        SymmetricMLPPredictor(5, 7, 6)


def families():
    """Return one row of every combination of predictor, target, loss sides and way of updating."""
    found = {}
    for row in table_presets.every_row():
        if not row.only:
            c = row.config("smoke")
            names = tuple(name for name, _ in c.model.predictor_options)
            kind = (c.model.predictor, c.method.target, c.method.sides, names)
            found.setdefault(kind, row)
    return list(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("row", families(), ids=lambda row: f"{row.table} {row.id}")
def test_a_few_steps_of_every_family_of_presets(tmp_path, row):
    table = table_presets.table(row.paper, row.table)
    one = training_study.Study(table, "smoke", (row,), 1, tmp_path)
    training_study.run_all([one])
    run = next(r for r in study_files.read(one.path)["rows"] if r["id"] == row.id)["runs"][0]
    assert run["steps"] == 5 and 0.1 <= run["linear"] <= 1.0
    assert all(np.isfinite(loss) for loss in run["loss"])
    json.dumps(run, allow_nan=False)


def test_scale_paper_without_data_says_how_they_are_laid_out(tmp_path):
    found = table_presets.table("tian2021", "9")
    with pytest.raises(ValueError, match="ROOT/train/CLASS"):
        training_study.run_all(
            [training_study.Study(found, "paper", found.rows, 1, tmp_path, {"data__root": str(tmp_path / "none")})]
        )
    assert not list(tmp_path.iterdir())
