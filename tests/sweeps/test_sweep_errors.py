"""What a sweep answers to a user's mistakes, word by word."""

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lindyn as ld
from lindyn._progress import Progress
from lindyn.sweeps import execution, store
from lindyn.sweeps.axes import span
from lindyn.sweeps.execution import SweepInterrupted

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"etta": 0.1}, "etta is no parameter of a sweep; .* Did you mean eta?"),
        ({"sigma2": [0.1, 0.2]}, "Did you mean x_aug?"),
        ({"p0": 0.3}, "Did you mean p?"),
        ({"eta": []}, "eta has no values"),
        ({"eta": [0.2, 0.1]}, r"eta must increase; got 0.2 followed by 0.1. Reverse it."),
        ({"eta": [0.1, 0.1, 0.2]}, "Sort it and drop repeats."),
        ({"eta": [-0.1, 0.1]}, r"eta must be >= 0 \(weight decay of both networks\); got -0.1"),
        ({"beta": -1.0}, "beta must be >= 0"),
        ({"s": [0.0, 1.0]}, "s must be > 0"),
        ({"eta": [0.1, np.nan]}, "eta must be finite"),
        ({"eta": np.zeros((2, 2))}, "eta must be a number or a one-dimensional array"),
        ({"eta": "many"}, "eta must be a numeric array"),
        ({"tau": "coppy"}, "Did you mean 'copy'?"),
        ({"tau": ["copy", "copy"]}, "tau names a practice twice"),
        ({"tau": 0.5, "target": "online"}, "target='online' means tau = 1"),
        ({"target": "onlin"}, "Did you mean 'online'?"),
        ({"engine": "lane"}, "Did you mean 'lanes'?"),
        ({"eta": 0.1, "eta_p": 0.1, "eta_s": 0.2}, "eta has no meaning"),
        ({"predictor": "identity", "p": 0.5}, "predictor='identity' means p = 1"),
        ({"s": "parabola", "alpha_p": 0.0}, "needs alpha_p != 0"),
        ({"t1": 0.0}, "t1 must be finite and > 0"),
        ({"points": 0}, "points must be a whole number >= 1"),
        ({"client": 3}, "client must be a dask.distributed.Client; got int"),
    ],
)
def test_modes(arguments, words):
    with pytest.raises(ValueError, match=words):
        ld.sweep(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": 3}, "Did you mean seeds?"),
        ({"sale": 3}, "Did you mean scale?"),
        ({"seeds": []}, "seeds must be a whole number >= 1, or a list"),
        ({"seeds": [3, 1]}, "seeds must increase"),
        ({"predictor": "identity"}, "nothing is learnt"),
        ({"n2": 0}, "n2 must be a whole number >= 1"),
        ({"scale": -1.0}, "scale must be > 0"),
    ],
)
def test_matrices(arguments, words):
    with pytest.raises(ValueError, match=words):
        ld.sweep_matrices(**arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.3:0:500", "the range 0.3:0:500 is reversed; write 0:0.3:500."),
        ("log:1:0.1:5", "write log:0.1:1:5."),
        ("0:1:0", "is empty; its COUNT must be at least 1"),
        ("log:0:1:5", "a log range needs bounds > 0; got 0"),
        ("log:-1:1:5", "a log range needs bounds > 0; got -1"),
        ("0:0:5", "of no width; give one number"),
        ("0:1", "LOW:HIGH:COUNT"),
        ("0:1:2:3", "LOW:HIGH:COUNT"),
        ("x", "LOW:HIGH:COUNT"),
        ("0:inf:3", "must be finite"),
    ],
)
def test_ranges(text, words):
    with pytest.raises(ValueError, match=words):
        span(text, "--eta")


def test_ranges_that_are_understood():
    assert span("0.3") == 0.3
    np.testing.assert_array_equal(span("0:0.3:4"), np.linspace(0, 0.3, 4))
    np.testing.assert_array_equal(span("log:0.01:10:4"), np.geomspace(0.01, 10, 4))
    np.testing.assert_array_equal(span("0.1,0.5"), [0.1, 0.5])


def test_a_result_that_does_not_fit_says_how_large_it_is(monkeypatch):
    monkeypatch.setattr(execution, "free_memory", lambda: 2e9)
    axes = {name: np.linspace(0.01, 1, 2000) for name in ("eta", "beta", "alpha_p")}
    with pytest.raises(ValueError, match=r"2000 x 2000 x 2000 = 8e\+09 points takes .* GB and 2 GB .* to a store"):
        ld.sweep(**axes)


def test_a_disk_without_the_room_is_refused(tmp_path):
    axes = {name: np.linspace(0.01, 1, 20000) for name in ("eta", "beta", "alpha_p")}
    with pytest.raises(
        OSError, match=r"8e\+12 points takes up to .* TB .* free; give another place, or a coarser grid"
    ):
        ld.sweep(**axes, store=tmp_path / "big.zarr")
    assert not (tmp_path / "big.zarr").exists()


def _fail_at(monkeypatch, count, error):
    """Let the `count`-th block fail while it is written."""
    put, calls = store.Store.put, []

    def failing(self, *args):
        calls.append(0)
        if len(calls) == count:
            raise error
        put(self, *args)

    monkeypatch.setattr(store.Store, "put", failing)


SMALL = {"eta": np.linspace(0, 0.3, 10), "beta": np.geomspace(0.1, 10, 8), "t1": 10.0, "points": 16}


def test_disk_full_keeps_what_was_written(tmp_path, monkeypatch):
    import xarray

    with monkeypatch.context() as broken:
        _fail_at(broken, 3, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(
            OSError, match=r"disk of .* is full: 2 of 5 blocks .* the same call, once there is room, goes on"
        ):
            ld.sweep(**SMALL, store=tmp_path / "s.zarr")
    with xarray.open_zarr(tmp_path / "s.zarr", chunks=None) as half:
        assert np.isfinite(half["p"].values).sum() == 32
    np.testing.assert_array_equal(ld.sweep(**SMALL, store=tmp_path / "s.zarr")["p"], ld.sweep(**SMALL)["p"])


def test_interrupt_keeps_what_was_written(tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        _fail_at(broken, 4, KeyboardInterrupt())
        with pytest.raises(
            SweepInterrupted, match=r"Interrupted: 3 of 5 blocks .* are complete in .* the same call goes on"
        ):
            ld.sweep(**SMALL, store=tmp_path / "s.zarr")
    np.testing.assert_array_equal(ld.sweep(**SMALL, store=tmp_path / "s.zarr")["p"], ld.sweep(**SMALL)["p"])


def test_a_store_of_another_sweep_is_refused(tmp_path):
    ld.sweep(**SMALL, store=tmp_path / "s.zarr")
    for change, words in (
        ({"t1": 11.0}, "holds another sweep: t1 is 10 there and 11 here. Give another place"),
        (
            {"eta": np.linspace(0, 0.2, 10)},
            "eta is an axis of 10 from 0 to 0.3 there and an axis of 10 from 0 to 0.2 here",
        ),
        ({"eta": SMALL["eta"] ** 2 / 0.3}, "the values between differ"),
        ({"x_aug": 0.5}, "x_aug is 0.25 there and 0.5 here"),
        ({"target": "online"}, "target is 'ema' there and 'online' here"),
    ):
        with pytest.raises(ValueError, match=words):
            ld.sweep(**{**SMALL, **change}, store=tmp_path / "s.zarr")
    ld.sweep(**{**SMALL, "points": 3}, store=tmp_path / "s.zarr")  # another block size is no other sweep
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="exists and is no store of a sweep"):
        ld.sweep(**SMALL, store=tmp_path / "else")
    assert (tmp_path / "else" / "thesis.txt").read_text() == "precious"


def test_nothing_heavy_is_imported_early():
    code = (
        "import sys, lindyn, lindyn.commands.sweep, lindyn.sweeps;"
        "print([name for name in ('xarray', 'numba', 'dask', 'distributed', 'zarr', 'jax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_progress_tells_rate_and_time_left():
    line = Progress("sweep", 1000, unit="trajectories", before=200)
    assert line.text(600, 2.0) == "sweep:  60.0 %, 200 trajectories/s,    2 s left "


def test_the_first_block_which_compiles_tells_nothing_of_the_time_left(monkeypatch, capsys):
    from lindyn.sweeps.modes_sweep import ModePlan

    compute, clock = ModePlan.compute, [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    for first, rest, said in ((40.0, 1.0, ""), (1.0, 40.0, "lindyn: sweep will take about 2 min. Ctrl-C ends it.\n")):
        seconds = [first, rest, rest, rest, rest]

        def slow(self, region, threads=None, seconds=seconds):
            clock[0] += seconds.pop(0)
            return compute(self, region, 1)

        monkeypatch.setattr(ModePlan, "compute", slow)
        ld.sweep(**SMALL)
        assert capsys.readouterr().err == said
