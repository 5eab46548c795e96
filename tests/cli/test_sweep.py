"""`lindyn sweep`: what it writes, what it says, what it answers to mistakes."""

import numpy as np
import pytest
import xarray


@pytest.mark.rendered
def test_without_arguments_maps_something_useful(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("sweep")
    assert code == 0 and err == ""
    assert "Of 3,721 runs to t = 200" in out and "Along the weight decay eta the collapsed share grows" in out
    assert (tmp_path / "lindyn-out" / "sweep.png").stat().st_size > 20_000
    with xarray.open_dataset(tmp_path / "lindyn-out" / "sweep.nc", engine="scipy") as data:
        assert data["p"].dims == ("eta", "beta") and data.attrs["t1"] == 200.0


def test_a_negative_range_is_a_value(tmp_path, command):
    code, _, err = command("sweep", "--p", "-0.5:0.5:5", "--target", "online", "--out", str(tmp_path / "s.nc"))
    assert code == 0 and err == ""
    code, _, err = command("sweep", "--eta", "-1:0:3", "--out", str(tmp_path / "t.nc"))
    assert code == 2 and "eta must be >= 0 (weight decay of both networks); got -1" in err


def test_ranges_words_and_a_store(tmp_path, command):
    flags = ["--eta", "0:0.3:20", "--beta", "log:0.1:10:5", "--tau", "copy,zero", "--p", "0.4", "--s", "parabola"]
    code, out, _ = command("sweep", *flags, "--out", str(tmp_path / "s.zarr"), "--points", "30")
    assert code == 0 and "'copy'" in out and "'zero'" in out and "makes collapse certain" in out
    with xarray.open_zarr(tmp_path / "s.zarr", chunks=None) as data:
        assert data["p"].shape == (20, 5, 2) and data.attrs["start"] == "parabola"
        np.testing.assert_allclose(data["beta"], np.geomspace(0.1, 10, 5))
    assert (tmp_path / "s.png").exists()
    code, _, _ = command("sweep", *flags, "--out", str(tmp_path / "s.zarr"))
    assert code == 0
    code, out, err = command("sweep", *flags, "--t1", "100", "--out", str(tmp_path / "s.zarr"))
    assert code == 2 and "holds another sweep: t1 is 200 there and 100 here" in err and out == ""


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--eta", "0.3:0:5"], "reversed; write 0:0.3:5."),
        (["--beta", "log:0:1:5"], "--beta: a log range needs bounds > 0; got 0"),
        (["--etta", "0.3"], "Did you mean --eta"),
        (["--eta=-0.3:0.1:3"], "eta must be >= 0"),
        (["--target", "onlin"], "Did you mean 'online'?"),
        (["--tau", "copyy"], "Did you mean 'copy'?"),
        (
            ["--eta", "0:1:100000", "--beta", "0:1:100000", "--alpha-p", "1:2:1000"],
            "stream it to a store on disk (--out DIR",
        ),
    ],
)
def test_mistakes_are_one_sentence(flags, words, command, tmp_path):
    code, out, err = command("sweep", *flags, "--out", str(tmp_path / "x.nc"))
    assert code == 2 and words in err and out == "" and err.count("\n") == 1


def test_one_run_and_one_axis(tmp_path, command):
    code, out, _ = command("sweep", "--eta", "0.1", "--beta", "0.4", "--out", str(tmp_path / "x.nc"))
    assert code == 0 and "One run: p = 0.68" in out and "alive" in out
    code, out, _ = command("sweep", "--eta", "0:0.3:30", "--out", str(tmp_path / "y.nc"))
    assert code == 0 and (tmp_path / "y.png").exists()
