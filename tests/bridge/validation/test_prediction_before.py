"""What was predicted before a run stands beside it in the answer; that of another configuration does not."""

import json

import numpy as np
import pytest

from lindyn.bridge import validate
from lindyn.bridge.report import schema, theories_told
from lindyn.bridge.training import train
from lindyn.cli import main

KEYS = ["data.name=digits", "data.size=8", "data.test_share=0.5", "model.width=4", "model.hidden=16", "model.dim=8",
        "run.epochs=3", "optim.batch=128"]  # fmt: skip
MORE = {"run__evaluation": "none", "run__progress": False, "run__evaluate_every": 0, "run__diagnostics_every": 2}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A folder with a prediction and the run that it was made for."""
    out = tmp_path_factory.mktemp("story")
    more = [f"{key.replace('__', '.')}={str(value).lower()}" for key, value in MORE.items()]
    assert main(["predict", *KEYS, *more, "--out", str(out / "predict")]) == 0
    given = {key.replace(".", "__"): value for key, value in (word.split("=") for word in KEYS)}
    numbers = {key: value if key == "data__name" else float(value) if "." in value else int(value)
               for key, value in given.items()}  # fmt: skip
    train(**numbers, **MORE, run__folder=str(out / "train"))
    return out


def test_a_prediction_beside_the_run_is_found_and_held_against_it(story):
    answer = validate(story / "train")
    told = json.loads((story / "predict" / "prediction.json").read_text())
    (mine,) = [each for each in answer.predictions if each.theory == "predicted"]
    assert mine.rank_predicted[-1] == pytest.approx(told["effective_rank"][-1], rel=1e-4)
    assert mine.collapsed_predicted is told["collapsed"] and np.isfinite(mine.error) and mine.readings > 3
    assert "predicted before the training" in theories_told.at_the_end(answer)
    assert "predict" not in theories_told.which(answer.predictions)  # of the two theories
    kept = schema.as_json(answer)["predictions"][-1]
    assert kept["theory"] == "predicted" and kept["collapsed"]["predicted"] is told["collapsed"]


def test_the_page_shows_it(story, tmp_path):
    assert main(["validate", str(story / "train"), "--out", str(tmp_path / "o")]) == 0
    page = (tmp_path / "o" / "report.html").read_text()
    assert "predicted, before the training" in page and "The prediction against" in page


def test_another_configuration_is_not_taken_and_named_where_it_is_asked_for(story, tmp_path, capsys):
    assert main(["predict", *KEYS, "optim.lr=0.05", "--linear", "--out", str(tmp_path / "p")]) == 0
    with pytest.raises(ValueError, match=r"another configuration \(.*optim\.lr = 0\.05 there, 0\.1 in the run"):
        validate(story / "train", prediction=tmp_path / "p")
    other = story / "predict" / "prediction.json"
    kept = other.read_text()
    try:
        other.write_text((tmp_path / "p" / "prediction.json").read_text())
        assert not [each for each in validate(story / "train").predictions if each.theory == "predicted"]
        changed = json.loads(kept)
        changed["effective_rank"][-1] += 1
        other.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match="is not as it was written: its digest differs"):
            validate(story / "train", prediction=other)
        assert main(["validate", str(story / "train"), "--prediction", str(other), "--out", str(tmp_path / "v")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    finally:
        other.write_text(kept)


def test_what_is_no_prediction_is_one_sentence(story, tmp_path):
    with pytest.raises(ValueError, match="is no prediction of a run"):
        (tmp_path / "x.json").write_text("{}")
        validate(story / "train", prediction=tmp_path / "x.json")
    with pytest.raises(ValueError, match="Cannot read the prediction"):
        validate(story / "train", prediction=tmp_path / "none.json")
    with pytest.raises(ValueError, match="is held against the run that it was made for; give the folder of lindyn"):
        validate(features=(np.ones((40, 3)), np.ones((40, 3))), prediction=tmp_path / "x.json")
