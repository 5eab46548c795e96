"""One file per run: bit-identical round trips, xarray reads it, damage gets one sentence, writing is all or nothing."""

import json
import os

import numpy as np
import pytest
import xarray

import lindyn as ld
from lindyn.solve import netcdf
from tests.helpers import moments, psd, weights

HP = ld.Hyperparameters(1.7, 0.3, eta_p=0.02, eta_s=0.01)
VIEWS = np.random.default_rng(0).normal(size=(2, 30, 4))
PROBLEMS = {
    "weights": (ld.WeightFlow(HP, moments(1)), weights(1)),
    "estimated": (ld.WeightFlow(HP, ld.Moments.from_views(*VIEWS)), weights(2)),
    "no stop-gradient": (
        ld.WeightFlow(HP, moments(3), target="online", stop_gradient=False, predictor="trained"),
        weights(3, target="copy"),
    ),
    "gram": (ld.GramFlow(HP, 0.3, 1.2, target="frozen"), ld.conversions.weights_to_gram(weights(4)).state),
    "correlation": (ld.CorrelationFlow(HP, 0.3, symmetrised=True), ld.CorrelationState(np.eye(3), psd(5, 3), 0.7)),
    "modes": (ld.ModeFlow(HP, x=np.array([1.0, 0.5]), x_aug=0.2, tau="constant"), ld.ModeState([0.1, 0.4], 0.2, 0.9)),
    "one mode": (ld.ModeFlow(HP), ld.ModeState(0.4, 0.2)),
    "grid of modes": (ld.ModeFlow(HP), ld.ModeState(np.full((2, 3), 0.4), 0.2)),
    "mode weights": (ld.ModeWeightFlow(HP), ld.ModeWeightState([0.4, 0.1], 0.2, 0.3)),
    "parabola": (ld.ParabolaFlow(ld.Hyperparameters(1.0, 0.4, 0.04)), ld.ParabolaState([0.4, 0.1], 0.8)),
}


def solved(name, **how):
    return ld.simulate(*PROBLEMS[name], np.array([0.0, 1.0 / 3.0, 7.0]), engine="scipy", **how)


@pytest.mark.parametrize("name", PROBLEMS)
def test_round_trip_is_bit_identical(name, tmp_path):
    run = solved(name)
    again = ld.load(run.save(tmp_path / "run.nc"))
    for block in run.states._fields():
        np.testing.assert_array_equal(getattr(again.states, block), getattr(run.states, block))
    np.testing.assert_array_equal(again.ts, run.ts)
    assert type(again.flow) is type(run.flow) and type(again.states) is type(run.states)
    for field in run.flow._fields(static=True):
        assert getattr(again.flow, field) == getattr(run.flow, field)
    for rate in HP._fields():
        assert getattr(again.flow.hp, rate) == getattr(run.flow.hp, rate)
    assert (again.status, again.stats, again.notes, again.t1) == (run.status, run.stats, run.notes, run.t1)
    dy, want = again.flow(0.0, again[-1]), run.flow(0.0, run[-1])
    for block in dy._fields():
        np.testing.assert_array_equal(getattr(dy, block), getattr(want, block))


def test_sampling_errors_survive(tmp_path):
    run = solved("estimated")
    assert ld.load(run.save(tmp_path / "run.nc")).flow.data.sampling == run.flow.data.sampling


def test_runs_that_ended_early_and_descents_are_saved_too(tmp_path):
    early = solved("modes", max_steps=3, throw=False)
    again = ld.load(early.save(tmp_path / "early.nc"))
    assert again.status == early.status and not again.succeeded and len(again) == len(early)
    descent = ld.descend(*PROBLEMS["weights"], steps=20, batch=4)
    again = ld.load(descent.save(tmp_path / "descent.nc"))
    assert again.notes == descent.notes and again.stats == {"steps": 20}
    np.testing.assert_array_equal(again.states.W, descent.states.W)


@pytest.mark.parametrize("name", PROBLEMS)
def test_xarray_opens_the_file_and_agrees_with_to_dataset(name, tmp_path):
    run = solved(name)
    path = run.save(tmp_path / "run.nc")
    with xarray.open_dataset(path, engine="scipy") as stored:
        made = run.to_dataset()
        xarray.testing.assert_identical(stored.load().drop_attrs(), made.drop_attrs())
        assert dict(stored.attrs) == made.attrs
        assert (
            stored.attrs["status"] == run.status
            and "learning rate x steps / (1 - momentum)" in stored.attrs["time_unit"]
        )
        for one in stored.variables:
            assert stored[one].attrs == made[one].attrs and {"long_name", "units"} <= set(made[one].attrs)
        assert made["t"].attrs["units"] == "learning rate x steps / (1 - momentum)"
    if name == "weights":
        assert made["W"].attrs["long_name"] == "online weights W" and made["W"].dims == ("t", "n2", "n1")
        assert made["W"].dims == ("t", "n2", "n1") and made["X"].dims == ("n1", "n1_in")
        assert json.loads(made.attrs["flow"])["hyperparameters"]["alpha_p"] == 1.7


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(netcdf.FileError, match=r"No trajectory at .*none\.nc: there is no such file\."):
        ld.load(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("W = 1\n")
    with pytest.raises(netcdf.FileError, match="it is damaged or no lindyn trajectory"):
        ld.load(tmp_path / "text.nc")
    (tmp_path / "empty.nc").write_bytes(b"")
    with pytest.raises(netcdf.FileError, match="it is damaged or no lindyn trajectory"):
        ld.load(tmp_path / "empty.nc")
    xarray.Dataset({"a": ("t", [1.0, 2.0])}).to_netcdf(tmp_path / "foreign.nc", engine="scipy")
    with pytest.raises(netcdf.FileError, match="it is damaged or no lindyn trajectory"):
        ld.load(tmp_path / "foreign.nc")


def test_every_truncation_is_noticed(tmp_path):
    whole = solved("modes").save(tmp_path / "run.nc").read_bytes()
    cut = tmp_path / "cut.nc"
    for length in sorted({*range(0, len(whole), 97), len(whole) - 1, len(whole) - 8}):
        cut.write_bytes(whole[:length])
        with pytest.raises(netcdf.FileError, match=r"Cannot read .*cut\.nc"):
            ld.load(cut)


def test_random_damage_is_noticed(tmp_path):
    """Bytes changed anywhere, data included: refused with the one sentence, unless nothing that is read changed."""
    run = solved("weights")
    whole, rng, refused = run.save(tmp_path / "run.nc").read_bytes(), np.random.default_rng(1), 0
    hurt = tmp_path / "hurt.nc"
    for _ in range(300):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), size=3):
            damaged[position] ^= 1 << rng.integers(0, 8)
        hurt.write_bytes(bytes(damaged))
        try:
            again = ld.load(hurt)
        except netcdf.FileError as error:
            refused += 1
            assert "damaged" in str(error)
        else:
            np.testing.assert_array_equal(again.states.W, run.states.W)
            assert again.flow.hp.alpha_p == run.flow.hp.alpha_p and again.status == run.status
    assert refused > 250


def test_unwritable_places(tmp_path):
    run = solved("one mode")
    with pytest.raises(
        netcdf.FileError, match=r"Cannot write .*: the folder .*nowhere does not exist\. Make it first\."
    ):
        run.save(tmp_path / "nowhere" / "run.nc")
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(netcdf.FileError, match="Cannot write"):
        run.save(tmp_path / "folder.nc")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if not os.access(locked, os.W_OK):  # root may write anywhere
        with pytest.raises(netcdf.FileError, match="Choose a folder you may write to"):
            run.save(locked / "run.nc")
    assert not list(tmp_path.rglob("*.draft"))


def test_a_folder_that_refuses(tmp_path, monkeypatch):
    """What a read-only folder does, also when the tests run as root."""

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(netcdf, "_write", refuse)
    with pytest.raises(netcdf.FileError, match=r"Permission denied\. Choose a folder you may write to"):
        solved("one mode").save(tmp_path / "run.nc")


@pytest.mark.parametrize("step", ["_write", "replace"])
def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = solved("modes").save(tmp_path / "run.nc")
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((netcdf, "_write") if step == "_write" else (os, "replace")), full)
    with pytest.raises(netcdf.FileError, match=r"Cannot write .*run\.nc: the disk of .* is full"):
        solved("one mode").save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.nc"]
