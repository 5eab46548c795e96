"""The pictures of a validation and of a training can be read; a law's row says why it holds or fails."""

from dataclasses import replace

import numpy as np
import pytest
import xarray

from lindyn._linalg import parts_of
from lindyn.bridge.laws import LAWS
from lindyn.bridge.report import compare_text, pictures, schema
from lindyn.bridge.report.compare import compared
from lindyn.plotting import law_rows
from lindyn.plotting.training_run import draw_beside, draw_training
from tests.bridge.validation import answers
from tests.pictures import collected, faults


def with_path(answer):
    """Return an answer whose theory is known between the readings."""
    over = answer.over_training
    steps = np.linspace(over.steps[0], over.steps[-1], 50)
    part = {name: np.stack([np.interp(steps, over.steps, column) for column in over.theory[name].T], axis=1)
            for name in ("s", "p", "tau")}  # fmt: skip
    return replace(answer, over_training=replace(over, path={"steps": steps, **part}))


@pytest.fixture(scope="module")
def whole():
    return with_path(answers.answer())


def test_every_picture_can_be_read(whole, monkeypatch):
    bare = replace(whole, over_training=replace(whole.over_training, theory={}, error={}, path={}))
    other = replace(whole, findings=tuple(replace(f, value=0.9 * f.value) for f in whole.findings))
    with collected(monkeypatch) as found:
        pictures.draw(whole)
        pictures.draw(bare)
        compare_text.pictures(compared(whole, other))
    assert len(found) == 11 and [fault for _, faults in found for fault in faults] == []


def test_the_theory_is_drawn_at_its_own_times_and_the_network_as_marks(whole, monkeypatch):
    with collected(monkeypatch) as found:
        pictures.draw(whole)
    panel = found[3][0].axes[0]
    lines = [line for line in panel.lines if line.get_linestyle() == "-"]
    marks = [line for line in panel.lines if line.get_linestyle() == "None"]
    assert len(lines) == len(marks) == 6
    assert all(len(line.get_xdata()) == 50 for line in lines) and all(len(m.get_xdata()) == 7 for m in marks)
    words = [text.get_text() for legend in found[3][0].legends for text in legend.get_texts()]
    assert {"network", "theory", "$j = 1$"} <= set(words)


def test_the_path_is_in_the_report_and_reports_without_one_are_read(whole, tmp_path):
    file = tmp_path / "report.json"
    file.write_text(schema.text(schema.as_json(whole)))
    read = schema.read_report(file).over_training
    np.testing.assert_allclose(read.path["s"], whole.over_training.path["s"], rtol=1e-6)
    told = schema.as_json(whole)
    del told["over_training"]["path"]
    file.write_text(schema.text(told))
    assert schema.read_report(file).over_training.path == {}


def test_equal_values_with_two_verdicts_say_their_limits():
    rows = [
        pictures._law_row(answers.finding(name, verdict, 0.417, 0.01, group="richemond", details={"limit": limit}))
        for name, verdict, limit in (("projection", "holds", 0.5), ("polar", "fails", 0.25))
    ]
    assert "must be below 0.5" in rows[0].words and "must be below 0.25" in rows[1].words
    for row in rows:
        share, (low, high) = row.readings[0].value / row.limit, row.good
        assert (low <= share <= high) == (row.readings[0].verdict == "holds")


@pytest.mark.parametrize("name", sorted(LAWS))
def test_every_law_with_a_limit_is_drawn_over_it(name):
    law = LAWS[name]
    details = {"limit": law.limit} | ({"within": (0.4, 0.6)} if law.good == "near" else {})
    limit, good, words = pictures.standard(answers.finding(name, details=details))
    assert ("must be" in words) == (law.limit is not None)
    assert np.isfinite(limit) == bool(law.limit) and (np.isnan(limit) or good[0] < good[1])


def test_growth_is_held_against_its_start_and_a_limit_of_nothing_is_told_in_words():
    limit, good, words = pictures.standard(answers.finding("trace", details={"limit": None, "first": 2.0}))
    assert limit == 2.0 and good == (1.0, np.inf) and "must be above 2, its start" in words
    assert np.isnan(pictures.standard(answers.finding("trace", details={"first": -1.0}))[0])
    far = law_rows.LawRow(
        "a law", "a group", (law_rows.LawReading(1e9, 1.0, np.inf, "holds"),), 1.0, (1.0, 9.0), "words"
    )
    assert faults(law_rows.draw_laws([far], "title")) == []


def test_x_and_x_aug_of_a_start_sum_to_the_F_it_is_held_against():
    rng = np.random.default_rng(0)
    A, B, noise = (rng.normal(size=(5, 5)) for _ in range(3))
    X, X_aug = A @ A.T, B @ B.T
    for here, there in zip(parts_of(X + X_aug, X, X_aug), (X, X_aug), strict=True):
        np.testing.assert_allclose(here, there, atol=1e-10)  # nothing is changed where they fit
    F = X + X_aug + 0.1 * noise @ noise.T
    seen, apart = parts_of(F, X, X_aug)
    np.testing.assert_allclose(seen + apart, F)
    assert np.linalg.eigvalsh(seen)[0] > -1e-10 and np.linalg.eigvalsh(apart)[0] > -1e-10
    assert np.linalg.norm(seen - X) < np.linalg.norm(F - X - X_aug)  # what F has more is shared out


def test_the_pictures_of_a_training_can_be_read():
    steps, modes = np.arange(0, 200, 10), 16
    s = np.exp(-0.3 * np.arange(modes)) * (1 + 0.002 * steps[:, None])
    s[:, -1] = 1e-14
    per_mode = {"s": s, "p": np.sqrt(s), "alignment": 1 - s / 5}
    table = {name: (("step", "mode"), values) for name, values in per_mode.items()}
    line = {name: ("step", np.linspace(1.0, 0.4, len(steps))) for name in ("asymmetry", "effective_rank")}
    trace = xarray.Dataset(table | line, coords={"step": steps})
    metrics = [{"step": k, "loss": 1 / (1 + k), "probe": 0.5, "knn": 0.6 + k / 1000} for k in (50, 100, 150)]
    result = {"linear": 0.9, "untrained": {"linear": 0.6}, "chance": 0.1}
    figure = draw_training(trace, metrics, result, "a run")
    assert faults(figure) == [] and faults(draw_training(None, [], {}, "nothing")) == []
    s = s[:, [*range(7), -1]]  # the last at round-off, where a cosine means nothing
    told = {"s": s, "p": np.sqrt(s), "alignment": np.where(s > 1e-9, 0.9, -0.4)}
    some = {name: values[::5] for name, values in told.items()}
    beside = draw_beside(steps[::5], some, steps, told, np.full(4, 0.1), "title", "note")
    cosines = np.concatenate([line.get_ydata() for line in beside.axes[2].lines])
    assert faults(beside) == [] and np.nanmin(cosines) > 0 and np.isnan(cosines).any()
