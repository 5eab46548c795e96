"""Stores that lost something, were damaged or mixed: computed again and said so, or refused, in one sentence."""

import json
import re
import shutil
import threading
import warnings

import numpy as np
import pytest
import xarray

import lindyn as ld
from lindyn.sweeps import plan, store_record, sweep_text
from lindyn.sweeps.store import Store, StoreWarning
from tests.sweeps.test_store import identical

GRID = {"eta": np.linspace(0, 0.3, 6), "beta": np.geomspace(0.1, 1, 5), "t1": 20.0, "tau": ["copy", "zero"]}
MATRICES = {"eta": [0.0, 0.1], "beta": [0.5, 2.0], "seeds": 3, "n1": 3, "n2": 2, "t1": 2.0}
SWEEPS = {
    "modes": lambda **more: ld.sweep(**GRID, **more),
    "matrices": lambda **more: ld.sweep_matrices(**MATRICES, threads=1, **more),
}
POINTS = {"modes": 20, "matrices": 3}


@pytest.fixture(scope="module", params=["modes", pytest.param("matrices", marks=pytest.mark.slow)])
def made(request, tmp_path_factory):
    """A sweep, its result in memory, and a finished store of it."""
    folder = tmp_path_factory.mktemp("made") / "s.zarr"
    run = SWEEPS[request.param]
    run(store=folder, points=POINTS[request.param])
    return run, run(), folder


@pytest.fixture
def copy(made, tmp_path):
    run, whole, folder = made
    shutil.copytree(folder, tmp_path / "s.zarr")
    return run, whole, tmp_path / "s.zarr"


def first_mark(store):
    return sorted((store / ".blocks").iterdir())[0]


def some_chunk(store, name="tau"):
    return next(path for path in sorted((store / name / "c").rglob("*")) if path.is_file())


def garble(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(bytes(content))


def swap(one, other):
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def chunks(store, name="tau"):
    return [path for path in sorted((store / name / "c").rglob("*")) if path.is_file()]


BLOCKS = {  # damage -> how many blocks are computed again
    "a chunk lost": (lambda s: some_chunk(s).unlink(), 1),
    "an integer chunk lost": (lambda s: some_chunk(s, "outcome").unlink(), 1),
    "a chunk that holds nothing but its fill value lost": (lambda s: some_chunk(s, "K_min").unlink(), 1),
    "a chunk empty": (lambda s: some_chunk(s).write_bytes(b""), 1),
    "a chunk cut": (lambda s: some_chunk(s).write_bytes(some_chunk(s).read_bytes()[:9]), 1),
    "a bit flipped in the last chunk": (lambda s: garble(chunks(s)[-1]), 1),
    "two chunks exchanged": (lambda s: swap(chunks(s)[0], chunks(s)[1]), 2),
    "a chunk of another variable": (lambda s: shutil.copy(some_chunk(s, "steps"), some_chunk(s)), 1),
    "the chunks of a variable lost": (lambda s: shutil.rmtree(s / "tau" / "c"), "all"),
    "two marks exchanged": (lambda s: swap(*sorted((s / ".blocks").iterdir())[:2]), 2),
    "a mark empty": (lambda s: first_mark(s).write_bytes(b""), 1),
    "a mark garbled": (lambda s: garble(first_mark(s)), 1),
    "a mark that is other JSON": (lambda s: first_mark(s).write_text("[1]"), 1),
    "marks without chunks": (lambda s: [file.unlink() for file in s.glob("*/c/*/*") if file.is_file()] +
                             [file.unlink() for file in s.glob("*/c/*/*/*")], "all"),
}  # fmt: skip


@pytest.mark.parametrize("damage", list(BLOCKS))
def test_a_damaged_block_is_computed_again(copy, damage):
    run, whole, store = copy
    do, count = BLOCKS[damage]
    do(store)
    total = len(list((store / ".blocks").iterdir()))
    words = rf"^{total if count == 'all' else count} of {total} blocks that are marked complete in .* computed again: "
    with pytest.warns(StoreWarning, match=words):
        assert identical(whole, run(store=store))
    assert identical(whole, run(store=store))  # and is whole now, in silence


HEADS = {
    "zarr.json lost": lambda s: (s / "zarr.json").unlink(),
    "zarr.json garbled": lambda s: (s / "zarr.json").write_bytes((s / "zarr.json").read_bytes()[:300]),
    "metadata of a variable lost": lambda s: (s / "steps" / "zarr.json").unlink(),
    "metadata of a variable of another shape": lambda s: edit(s / "tau" / "zarr.json", lambda j: j["shape"].reverse()),
    "an axis lost": lambda s: shutil.rmtree(s / "beta"),
    "an axis damaged": lambda s: garble(s / "eta" / "c" / "0"),
    "consolidated metadata stale": lambda s: edit(s / "zarr.json", stale),
    "no consolidated metadata": lambda s: edit(s / "zarr.json", lambda j: j.pop("consolidated_metadata")),
    ".sweep.json lost": lambda s: (s / ".sweep.json").unlink(),
    ".sweep.json garbled": lambda s: garble(s / ".sweep.json"),
}


def edit(file, change):
    told = json.loads(file.read_text())
    change(told)
    file.write_text(json.dumps(told))


def stale(told):
    told["consolidated_metadata"]["metadata"]["tau"]["shape"] = [1, 1, 1]


@pytest.mark.parametrize("damage", list(HEADS))
def test_a_damaged_head_is_restored_and_no_block_is_lost(copy, damage):
    run, whole, store = copy
    HEADS[damage](store)
    before = {path: path.stat().st_mtime_ns for path in (store / ".blocks").iterdir()}
    with pytest.warns(StoreWarning, match="had lost .*json|had lost .*c/0"):
        assert identical(whole, run(store=store))
    assert {path: path.stat().st_mtime_ns for path in (store / ".blocks").iterdir()} == before
    with xarray.open_zarr(store, chunks=None) as opened:
        assert identical(whole, opened)


def test_a_whole_variable_lost(copy):
    run, whole, store = copy
    shutil.rmtree(store / "tau")
    with pytest.warns(StoreWarning) as said:
        assert identical(whole, run(store=store))
    assert [str(one.message).split(" ")[-3:] for one in said] == [["it", "is", "restored."], ["lost,", "for", "one."]]


def test_what_a_user_adds_to_a_store_stays(copy):
    import zarr

    run, whole, store = copy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's, of words as an axis
        zarr.open_group(store, mode="r+").attrs["note"] = "of thesis, chapter 3"
    found = run(store=store)
    assert found.attrs.pop("note") == "of thesis, chapter 3"
    assert identical(whole, found)


def test_too_much_lost_is_refused(copy):
    run, _, store = copy
    (store / "zarr.json").unlink()
    (store / ".sweep.json").write_bytes(b"{}")
    before = sorted(store.rglob("*"))
    with pytest.raises(ValueError, match=r"is damaged \(neither zarr.json nor .sweep.json tells what was swept\)"):
        run(store=store)
    assert sorted(store.rglob("*")) == before


def old_format(store):
    """Make a store what lindyn 0.1.0 wrote: empty marks, no checksums."""
    (store / ".sweep.json").unlink()
    for mark in (store / ".blocks").iterdir():
        mark.write_bytes(b"")


def test_a_store_of_the_older_format_is_refused_and_left_alone(copy):
    run, _, store = copy
    old_format(store)
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match=r"written by lindyn 0\.\S+ in an older format, .* xarray\.open_zarr, or give"):
        run(store=store)
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def record(store, **change):
    told = json.loads((store / ".sweep.json").read_text()) | change
    del told["checksum"]
    (store / ".sweep.json").write_text(json.dumps(told | {"checksum": store_record.digest(store_record._plain(told))}))


def test_other_versions(copy):
    run, whole, store = copy
    record(store, libraries={"numpy": "1.0", "numba": "0.1"})
    with pytest.warns(StoreWarning, match=r"was begun with numpy 1.0 \(now .*\), numba 0.1 \(now .*last digits"):
        assert identical(whole, run(store=store))
    record(store, format=3)
    with pytest.raises(ValueError, match="written by a newer lindyn: update lindyn"):
        run(store=store)
    configuration = json.loads((store / ".sweep.json").read_text())["configuration"]
    record(store, format=2, configuration=configuration | {"lindyn": "0.0.9"})
    with pytest.raises(
        ValueError, match=r"computed by lindyn 0.0.9, and this is .*: give another place, or go on with"
    ):
        run(store=store)


def test_a_store_of_other_code_is_refused(copy, monkeypatch):
    run, _, store = copy
    first_mark(store).unlink()
    monkeypatch.setattr(store_record, "code_stamp", lambda: "edited")
    with pytest.raises(
        ValueError, match=r"other code of lindyn .* \(equations or kernels were edited since\): give an"
    ):
        run(store=store)
    (store / ".sweep.json").unlink()  # then the marks tell
    with pytest.warns(StoreWarning) as said:
        run(store=store)
    assert "the mark" in str(said[1].message) and "of another sweep" in str(said[1].message)
    marks = [json.loads(mark.read_text())["sweep"] for mark in (store / ".blocks").iterdir()]
    assert len(set(marks)) == 1


def test_every_source_that_decides_the_numbers_is_in_the_stamp():
    from tests.test_architecture import ROOT, graph

    places = [ROOT / name for name in plan.DECIDES]
    stamped = {path for place in places for path in (place.glob("*.py") if place.is_dir() else [place])}
    assert all(path.is_file() for path in stamped)
    files, imports = graph()
    todo, seen = ["sweeps.modes_sweep", "sweeps.matrices_sweep", "solve.lanes.api", "sweeps.matrix_kernel"], set()
    todo += ["sweeps.descent_sweep", "sweeps.descent_kernel"]
    while todo:
        for name in imports[todo.pop()] - seen:
            seen.add(name)
            todo.append(name)
    computing = ("equations", "solve.lanes", "solve.one_step", "statistics", "theory", "states", "observables",
                 "sweeps", "operators", "flows.deep", "flows.full", "flows.losses")  # fmt: skip
    keeping = {
        "sweeps.dataset_accessor",
        "sweeps.execution",
        "sweeps.plan",
        "sweeps.store",
        "sweeps.store_record",
        "sweeps.zarr_files",
    }
    reached = {name for name in seen - keeping if name.startswith(computing)}
    assert {name for name in reached if ROOT / files[name] not in stamped} == set()


def test_chunks_and_marks_of_another_sweep(made, tmp_path):
    """Copied in from the store of other settings, with their marks: checksums alone would fit."""
    run, whole, folder = made
    shutil.copytree(folder, tmp_path / "s.zarr")
    other = ld.sweep if "p0" in whole.attrs else ld.sweep_matrices
    settings = {**(GRID if other is ld.sweep else MATRICES), "t1": 3.0}
    other(**settings, store=tmp_path / "o.zarr", points=POINTS["modes" if other is ld.sweep else "matrices"])
    for name in (".blocks", "tau", "p_max", "p"):
        if (tmp_path / "o.zarr" / name).exists():
            shutil.copytree(tmp_path / "o.zarr" / name, tmp_path / "s.zarr" / name, dirs_exist_ok=True)
    with pytest.warns(StoreWarning, match="of another sweep"):
        assert identical(whole, run(store=tmp_path / "s.zarr"))


def test_a_worker_of_other_code_or_without_the_store_is_refused(tmp_path):
    from lindyn.sweeps import execution
    from lindyn.sweeps.axes import Axis, Grid
    from lindyn.sweeps.matrices_sweep import MatrixPlan

    mine = MatrixPlan(Grid.of({"eta": Axis("eta", np.array([0.1]))}), {"t1": 1.0})
    with pytest.raises(
        ValueError, match="A worker runs other code of lindyn than the calling session: install the same"
    ):
        execution._work(mine, None, (1,), (0,), "another")
    sweep = store_record.identity(mine, (1,))
    with pytest.raises(
        OSError, match=r"A worker does not see the store .*: it must lie on a file system that the workers"
    ):
        execution._work(mine, str(tmp_path / "nowhere.zarr"), (1,), (0,), sweep)


def test_marks_outside_the_grid_count_nothing(copy):
    run, whole, store = copy
    for name in ("99.0.0", "0", "-1.0.0", "a.b", "0.0.0.0", "00.0.0", "notes.txt"):
        (store / ".blocks" / name).write_text("{}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert identical(whole, run(store=store))


def test_a_chunk_without_its_mark_is_computed_in_silence(copy):
    run, whole, store = copy
    for mark in (store / ".blocks").iterdir():
        mark.unlink()
    for name in ("tau", "status"):
        garble(chunks(store, name)[-1])  # the last: at the edge zarr would read it before it writes
    assert identical(whole, run(store=store))


@pytest.mark.filterwarnings("ignore")  # zarr's are hidden one thread at a time
def test_runs_started_together_share_one_new_store(tmp_path):
    whole, found, gate = SWEEPS["modes"](), [], threading.Barrier(4)

    def work():
        gate.wait()
        found.append(SWEEPS["modes"](store=tmp_path / "new" / "s.zarr", points=7))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(identical(whole, one) for one in found)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.zarr"]
    assert not list(tmp_path.rglob("*.draft"))


def test_who_comes_second_opens_what_the_first_made(tmp_path, monkeypatch):
    """The moment between looking and making."""
    make = Store._make.__func__

    def slow(cls, path, *rest):
        if not path.exists():
            make(cls, path, *rest)  # another run is faster
        return make(cls, path, *rest)

    monkeypatch.setattr(Store, "_make", classmethod(slow))
    assert identical(SWEEPS["modes"](), SWEEPS["modes"](store=tmp_path / "s.zarr"))


def test_a_finished_store_that_cannot_be_written_is_read(copy, monkeypatch):
    run, whole, store = copy

    def read_only(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("lindyn._files.write", read_only)
    assert identical(whole, run(store=store))
    first_mark(store).unlink()
    with pytest.raises(
        OSError, match=r"Cannot write to the store .* \(Read-only file system\): \d of \d blocks .* mended"
    ):
        run(store=store)
    (store / "zarr.json").unlink()
    with pytest.raises(OSError, match="needs mending and cannot be written: Read-only file system"):
        run(store=store)


def test_shares_are_of_points_that_exist(tmp_path):
    """Half a store, opened by hand: no share above 100 %, none of what is not there, and no colour for it."""
    from lindyn.plotting import outcome_map

    SWEEPS["modes"](store=tmp_path / "s.zarr", points=20)
    whole = xarray.open_zarr(tmp_path / "s.zarr", chunks=None).load()
    half = whole.copy(deep=True)
    half["outcome"].values[:2] = -1
    half["outcome"].values[2, 0] = -1
    told, part = sweep_text.tally(half), sweep_text.tally(whole.isel(eta=slice(3, None)))
    assert told["total"] == 38 and part["total"] == 30
    assert np.isnan(told["share"]["eta"][:2]).all()
    np.testing.assert_allclose(told["share"]["eta"][3:], part["share"]["eta"])
    assert all(np.nanmax(share) <= 1 for share in told["share"].values())
    assert told["certain"] == part["certain"]  # what theory condemns, of what was computed
    text = sweep_text.words(half, told)
    assert "Not computed yet: 22 of 60 runs." in text
    assert max(float(share) for share in re.findall(r"([\d.]+) %", text)) <= 100
    half["outcome"].values[:] = -1
    assert "Not computed yet: 60 of 60 runs." in sweep_text.paragraph(half)
    _, axes = outcome_map.style.new_figure(1, 1)
    outcome_map.fill_outcomes(axes[0, 0], np.arange(3.0), np.arange(2.0), np.array([[-1, 0, 1], [77, 1, -1]]))
    assert axes[0, 0].collections[0].get_array().mask.sum() == 3


def test_the_command_line_says_it_in_a_sentence(tmp_path, command):
    words = ["sweep", "--eta", "0:0.3:6", "--beta", "0.1:1:5", "--t1", "20", "--out", tmp_path / "s"]
    assert command(*words, "--points", "10")[0] == 0
    some_chunk(tmp_path / "s").unlink()
    code, out, err = command(*words)
    assert code == 0 and out.startswith("Of 30 runs")
    told = f"lindyn: 1 of 3 blocks that are marked complete in {tmp_path / 's'} are computed again: tau/c/0/0 is lost."
    assert told in err.splitlines()
