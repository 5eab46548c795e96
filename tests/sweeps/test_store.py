"""The store: readable at any time, resumed after SIGKILL, shared by the workers of a cluster; always the same bits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray

import lindyn as ld
from lindyn.sweeps.store import StoreWarning

ROOT = Path(__file__).resolve().parents[2]
BIG = {"eta": np.linspace(0.0, 0.3, 120), "beta": np.geomspace(0.01, 100.0, 90), "tau": ["copy", "zero"], "t1": 60.0}
CALL = """
import numpy as np, lindyn as ld
ld.sweep(eta=np.linspace(0.0, 0.3, 120), beta=np.geomspace(0.01, 100.0, 90), tau=["copy", "zero"], t1=60.0,
         store={store!r}, points=180, threads=1)
"""


@pytest.fixture(scope="module")
def whole():
    return ld.sweep(**BIG)


def identical(one, other):
    """Whether two Datasets hold the same bits, labels and attributes (the store says more about itself)."""
    for name in one.variables:
        assert one[name].dims == other[name].dims and one[name].attrs == other[name].attrs
        assert one[name].values.tobytes() == other[name].values.tobytes(), name
    told = {name: value for name, value in other.attrs.items() if name != "block_shape"}
    return told == one.attrs


def blocks(store):
    folder = store / ".blocks"
    return sum(not name.startswith(".") for name in os.listdir(folder)) if folder.is_dir() else 0


def test_a_store_holds_what_memory_holds(tmp_path, whole):
    stored = ld.sweep(**BIG, store=tmp_path / "s.zarr", points=5000)
    assert identical(whole, stored)
    with xarray.open_zarr(tmp_path / "s.zarr", chunks=None) as opened:
        assert identical(whole, opened)


def test_killed_and_resumed(tmp_path, whole):
    store = tmp_path / "s.zarr"
    command = [sys.executable, "-c", CALL.format(store=str(store))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for goal in (5, 30):  # killed twice
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        end = time.monotonic() + 120
        while blocks(store) < goal and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        _, told = process.communicate()
        assert process.returncode == -signal.SIGKILL, told.decode()
        done = blocks(store)
        assert goal <= done < 120
        with xarray.open_zarr(store, chunks=None) as half:
            known = half["outcome"].values >= 0
            assert known.sum() >= 180 * done
            np.testing.assert_array_equal(half["p"].values[known], whole["p"].values[known])
    before = {path: path.stat().st_mtime_ns for path in (store / ".blocks").iterdir()}
    assert identical(whole, ld.sweep(**BIG, store=store))
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())  # what was done was not done again
    assert blocks(store) == 120


def test_a_torn_block_is_computed_again(tmp_path, whole):
    store = tmp_path / "s.zarr"
    ld.sweep(**BIG, store=store, points=5000)
    mark = sorted((store / ".blocks").iterdir())[1]
    block = [int(k) for k in mark.name.split(".")]
    mark.unlink()
    file = store.joinpath("p", "c", *map(str, block))
    file.write_bytes(file.read_bytes()[:100])
    assert identical(whole, ld.sweep(**BIG, store=store))


def test_matrices_in_a_store(tmp_path):
    settings = {"eta": [0.0, 0.1], "beta": [0.5, 2.0], "seeds": 3, "n1": 4, "n2": 4, "t1": 5.0}
    whole = ld.sweep_matrices(**settings)
    assert identical(whole, ld.sweep_matrices(**settings, store=tmp_path / "m.zarr", points=2, threads=1))
    next((tmp_path / "m.zarr" / "K_min" / "c").glob("1/0/*")).unlink()  # it holds nothing but NaN
    with pytest.warns(StoreWarning, match=r"1 of 8 blocks .* K_min/c/1/0/\d is lost"):
        assert identical(whole, ld.sweep_matrices(**settings, store=tmp_path / "m.zarr", threads=1))
    with pytest.raises(ValueError, match="n2 is 4 there and 5 here"):
        ld.sweep_matrices(**{**settings, "n2": 5}, store=tmp_path / "m.zarr")


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0, silence_logs=50
    ) as local, distributed.Client(local) as client:  # fmt: skip
        yield client


@pytest.mark.filterwarnings("ignore")  # dask warns while a worker is dying
def test_two_workers_one_killed(tmp_path, whole, cluster):
    store = tmp_path / "s.zarr"
    pids = list(cluster.run(os.getpid).values())
    assert len(pids) == 2 and os.getpid() not in pids
    killed = []

    import threading

    def kill():
        while blocks(store) < 5:
            time.sleep(0.002)
        os.kill(pids[0], signal.SIGKILL)
        killed.append(blocks(store))

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    result = ld.sweep(**BIG, store=store, points=180, client=cluster)
    killer.join(10)
    assert killed and 5 <= killed[0] < 120  # it died in the middle
    assert identical(whole, result)
    assert blocks(store) == 120


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_without_a_store(whole, cluster):
    assert identical(whole, ld.sweep(**BIG, points=2000, client=cluster))
