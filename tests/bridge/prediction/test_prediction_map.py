"""Maps of predictions: one cell is one prediction; an interrupted map goes on; ranges that are wrong are told."""

import numpy as np
import pytest

from lindyn.bridge import TrainConfig, predict, predict_map
from lindyn.bridge.prediction import prediction_map
from lindyn.cli import main

SMALL = {"data.name": "digits", "data.size": 8, "model.width": 4, "model.hidden": 16, "model.dim": 8, "run.epochs": 2,
         "optim.batch": 256}  # fmt: skip
SPANS = {"optim.weight_decay": [0.0, 1e-2], "method.ema": [0.5, 0.99]}


def test_a_cell_is_a_prediction():
    ds = predict_map(TrainConfig.of(SMALL), SPANS)
    assert ds.sizes == {"optim.weight_decay": 2, "method.ema": 2}
    told = predict(TrainConfig.of({**SMALL, "optim.weight_decay": 1e-2, "method.ema": 0.5}))
    cell = ds.sel({"optim.weight_decay": 1e-2, "method.ema": 0.5})
    assert float(cell["effective_rank"]) == pytest.approx(told.path.effective_rank[-1], rel=1e-9)
    assert float(cell["norm"]) == pytest.approx(told.path.norm[-1], rel=1e-9)
    assert prediction_map.COLLAPSES[int(cell["collapse"])] == told.collapse
    assert len(np.unique(ds["effective_rank"])) == 4
    assert "4 predictions over optim.weight_decay, method.ema" in prediction_map.words(ds)


def test_an_interrupted_map_goes_on_where_it_was(tmp_path, monkeypatch):
    store, config = tmp_path / "map.jsonl", TrainConfig.of(SMALL)
    made, real = [], prediction_map._predicted

    def counted(*given):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(1)
        return real(*given)

    monkeypatch.setattr(prediction_map, "_predicted", counted)
    with pytest.raises(KeyboardInterrupt):
        predict_map(config, SPANS, store)
    with store.open("ab") as file:
        file.write(b'{"cell": "cut o')  # as a kill leaves it
    made.clear()
    seen = []
    ds = predict_map(config, SPANS, store, progress=lambda done, of: seen.append((done, of)))
    assert len(made) == 2 and seen[-1] == (4, 4)
    monkeypatch.setattr(prediction_map, "_predicted", None)  # nothing is left to predict
    again = predict_map(config, SPANS, store)
    assert again.equals(ds)
    with pytest.raises(ValueError, match="holds a map of another configuration"):
        predict_map(config.changed({"optim.lr": 0.01}), SPANS, store)


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("weight_decay=log:1e-4:1e-2:3", "optim.weight_decay", [1e-4, 1e-3, 1e-2]),
        ("method.ema=0,0.9,0.99", "method.ema", [0.0, 0.9, 0.99]),
        ("method.target=ema,online", "method.target", ["ema", "online"]),
        ("run.epochs=10,20", "run.epochs", [10, 20]),
        ("optim.lr=0.5", "optim.lr", [0.5]),
    ],
)
def test_ranges_of_keys(text, key, values):
    found, given = prediction_map.span_of(text)
    assert found == key and given == (pytest.approx(values) if isinstance(values[0], float) else values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("optim.weight_decay", "--sweep is key=values"),
        ("optim.weight_dekay=1:2:3", "Did you mean"),
        ("optim.weight_decay=1:2", "a range LOW:HIGH:COUNT"),
        ("method.target=ema,offline", "method.target"),
        ("method.ema=0.9,1.5", "method.ema"),
    ],
)
def test_wrong_ranges_are_told(text, words):
    with pytest.raises(ValueError, match=words):
        prediction_map.span_of(text)


def test_the_command_predicts_and_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keys = [f"{key}={value}" for key, value in SMALL.items()]
    assert main(["predict", *keys, "--out", "o"]) == 0
    told = capsys.readouterr().out
    assert (
        told.startswith("The theory says: this run ")
        and "Left out: the training of what stands before the last convolution" in told
    )
    assert "the training itself would take about" in told
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"prediction.png", "prediction.json"}
    assert main(["predict", *keys, "optim.lr=0.05", "--out", "o"]) == 2
    assert "lindyn predict" in capsys.readouterr().err
    assert main(["predict", *keys, "optim.lr=0.05", "--out", "o", "--overwrite"]) == 0


def test_the_command_draws_a_map(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keys = [f"{key}={value}" for key, value in SMALL.items()]
    sweep = ["--sweep", "optim.weight_decay=log:1e-3:1e-1:2", "--sweep", "method.target=ema,online"]
    assert main(["predict", *keys, *sweep, "--out", "m"]) == 0
    assert "4 predictions over optim.weight_decay, method.target" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "m").iterdir()} >= {"map.png", "map.json", "map.jsonl"}
    assert main(["predict", "--sweep", "optim.lr=1,2", "--sweep", "lr=3", "--out", "n"]) == 2
    assert "--sweep names optim.lr twice" in capsys.readouterr().err
