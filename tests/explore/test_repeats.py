"""What a panel shows, its command and its Python give the same numbers."""

import shlex

import numpy as np
import pytest
import xarray

import lindyn as ld

pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'lindyn[explore]'")
from bokeh.document import Document

from lindyn.explore import repeats
from lindyn.explore.notebook_view import LiveView
from lindyn.outputs.number_tables import csv_text, read_csv


def panel(view, name=None, **values):
    session = LiveView(view, values).fill(Document())
    assert session.message.text == ""
    return session, session.panels[name or view]


def run(command, line, tmp_path, *more):
    words = shlex.split(line)
    assert words[0] == "lindyn"
    code, out, err = command(*words[1:], *more)
    assert code == 0, err
    return out


def ran(text):
    found = {}
    exec(text, found)
    return found


def same(one, two):
    assert one.keys() == two.keys()
    for series in one:
        assert one[series].keys() == two[series].keys(), series
        for name, column in one[series].items():
            if isinstance(column[0], str):
                assert column == two[series][name]
            else:
                assert np.array_equal(column, two[series][name], equal_nan=True), (series, name)


PORTRAITS = [
    {"eta": 0.07, "alpha_p": 1.3},
    {"eta": 0.05, "target": "moving", "beta": 0.2, "tau": 0.7, "start": ["-0.1,0.4", "0.5,0.1"], "way": "forward"},
    {"eta": 0.0, "x_aug": 0.4, "window_p": "-0.4:1.1:2", "window_s": "0.0:0.8:2"},
]


@pytest.mark.parametrize("values", PORTRAITS)
def test_a_portrait_is_repeated_by_its_command_and_its_python(values, command, tmp_path):
    session, shown = panel("portrait", **values)
    seen = tmp_path / "seen.csv"
    seen.write_text(csv_text(shown.numbers(session.values), shown.command(session.values)))
    file = tmp_path / "command.csv"
    run(command, shown.texts.data["command"][0], tmp_path, "--out", tmp_path / "out", "--numbers", file)
    same(read_csv(seen), read_csv(file))
    found = ran(shown.texts.data["python"][0])
    assert np.array_equal(found["data"].lines, shown.data.portrait.lines)
    for one, two in zip(found["paths"], shown.data.paths, strict=True):
        assert np.array_equal(one.points, two.points) and one.fate == two.fate
    assert len(found["paths"]) == 1 + len(values.get("start", []))


MAPS = [
    {"across_range": "0:0.3:12", "up_range": "0:1:9"},
    {"target": "moving", "up": "beta", "up_range": "log:0.01:10:9", "across_range": "0.01:0.3:7", "tau": 0.5},
    {"across": "x_aug", "up": "s", "across_range": "0:2:8", "up_range": "log:0.001:1:7", "p": 0.4},
]


@pytest.mark.parametrize("values", MAPS)
def test_a_map_is_repeated_by_its_command_and_its_python(values, command, tmp_path):
    session, shown = panel("portrait", "map", **values)
    run(command, shown.texts.data["command"][0], tmp_path, "--out", tmp_path / "map.nc")
    with xarray.open_dataset(tmp_path / "map.nc", engine="scipy") as kept:
        for name in shown.data:
            assert np.array_equal(kept[name].values, shown.data[name].values, equal_nan=True), name
    found = ran(shown.texts.data["python"][0])["ds"]
    assert found.identical(shown.data)
    picked = shown.numbers(session.values)["runs"]
    assert len(picked["outcome"]) == shown.data["outcome"].size


RUNS = [
    ("modes", {"t1": 30.0, "target": "moving", "tau": 0.4, "modes_p": [0.2, 0.4], "modes_s": [0.1]}),
    ("modes", {"t1": 20.0, "eta": 0.02}),
    ("matrices", {"t1": 10.0, "n1": 6, "n2": 4, "seed": 3, "network": "online", "stop_gradient": False}),
    ("normalised", {"t1": 5.0, "n1": 6, "n2": 4, "depth": 2, "eta": 0.01}),
]


@pytest.mark.parametrize(("view", "values"), RUNS)
def test_a_run_is_repeated_by_its_command_and_its_python(view, values, command, tmp_path):
    _, shown = panel(view, **values)
    code = 0 if shown.data.succeeded else 1
    words = shlex.split(shown.texts.data["command"][0])[1:]
    assert command(*words, "--out", tmp_path / "run")[0] == code
    kept = ld.load(tmp_path / "run" / "trajectory.nc")
    traj = ran(shown.texts.data["python"][0])["traj"]
    for other in (kept, traj):
        assert np.array_equal(other.ts, shown.data.ts)
        for name, block in shown.data.states.blocks().items():
            assert np.array_equal(other.states.blocks()[name], block), name
    for ending, head in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("csv", b"# lindyn simulate")):
        assert shown.export(ending).startswith(head)


def test_a_bifurcation_diagram_is_repeated(command, tmp_path):
    session, shown = panel("bifurcation", target="moving", beta=0.3, x_aug=0.4)
    file = tmp_path / "command.csv"
    run(command, shown.texts.data["command"][0], tmp_path, "--out", tmp_path / "out", "--numbers", file)
    seen = tmp_path / "seen.csv"
    seen.write_text(csv_text(shown.numbers(session.values)))
    same(read_csv(seen), read_csv(file))
    found = ran(shown.texts.data["python"][0])["data"]
    assert np.array_equal(found.points, shown.data.points)


def test_the_start_of_the_sliders_stands_first_and_once():
    values = {"p": 0.1, "s": 0.2, "start": ["0.1,0.2", "0.3,0.4"]}
    assert repeats.starts_of(values) == ["0.1,0.2", "0.3,0.4"]


@pytest.mark.parametrize("view", ["trajectory", "sweep"])
def test_a_saved_file_is_repeated(view, tmp_path):
    if view == "trajectory":
        flow = ld.ModeFlow(ld.Hyperparameters(eta=0.02))
        y0 = ld.ModeState(p=np.array([0.2]), s=np.array([0.1]), tau=np.array([1.0]))
        path = ld.simulate(flow, y0, t1=5.0).save(tmp_path / "run.nc")
    else:
        path = tmp_path / "map.nc"
        ld.sweep(eta=[0.01, 0.1], beta=[0.1, 1.0], t1=20.0).to_netcdf(path, engine="scipy")
    session = ld.explore.saved(path).fill(Document())
    shown = session.panels["saved"]
    assert shown.kind == view and f"--file {path.name}" in shown.texts.data["command"][0]
    found = ran(shown.texts.data["python"][0])
    if view == "trajectory":
        assert np.array_equal(found["traj"].states.p, shown.data.states.p)
    else:
        assert np.array_equal(found["ds"]["p"], shown.data["p"])
        found["ds"].close()
    assert shown.export("csv") and shown.export("png")


def test_a_saved_file_is_read_once(tmp_path, monkeypatch):
    flow = ld.ModeFlow(ld.Hyperparameters(eta=0.02))
    path = ld.simulate(flow, ld.ModeState(0.2, 0.1), t1=5.0).save(tmp_path / "run.nc")
    load, read = ld.load, []
    monkeypatch.setattr(ld, "load", lambda path: read.append(path) or load(path))
    view = ld.explore.saved(path)
    assert read == []
    view.fill(Document())
    assert read == [path]


def test_a_view_of_a_file_that_is_not_there_is_refused_where_it_is_asked_for(tmp_path):
    with pytest.raises(ValueError, match=r"There is no file gone\.nc below"):
        ld.explore.saved(tmp_path / "gone.nc")
    (tmp_path / "note.txt").write_text("no run")
    with pytest.raises(ValueError, match=r"note\.txt is no file that is shown here; give a trajectory"):
        ld.explore.saved(tmp_path / "note.txt")
