"""The page's values: flags, address and sliders are one table, and what is wrong is one sentence."""

import pytest
import xarray

import lindyn as ld
from lindyn.explore import explorer_options as options
from lindyn.explore import opened_files


def test_the_address_gives_the_values_back():
    values = options.checked(
        {"eta": 0.123456789, "target": "moving", "start": ["0.1,0.2", "-0.3,0.4"], "modes_p": [0.1, 0.25], "n1": 12,
         "stop_gradient": False, "across_range": "log:0.01:0.3:20", "file": "a b/c.nc"}
    )  # fmt: skip
    assert options.of_address(options.address(values)) == (values, [])
    assert options.address(options.checked({})) == ""


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("eta=7", "eta must be at most 0.5; got 7"),
        ("eta=-0.1", "eta must be finite and at least 0; got -0.1"),
        ("eta=abc", "eta must be a number; got 'abc'"),
        ("etta=0.1", "Unknown key 'etta'. Did you mean 'eta'?"),
        ("view=portrat", "view must be one of"),
        ("across=eta&up=eta", "across and up are both eta"),
        ("across_range=0:1", "across_range must be a number, a list"),
        ("across_range=0:0.3:1000&up_range=0:1:1000", "1000000 points"),
        ("window_s=-1:1:2", "window_s must be LOW:HIGH:2"),
        ("seed=1.5", "seed must be a whole number"),
    ],
)
def test_a_wrong_address_is_told_and_the_rest_kept(query, words):
    values, wrong = options.of_address(f"alpha_p=2.0&{query}")
    assert len(wrong) == 1 and words in wrong[0]
    assert values["alpha_p"] == 2.0 and values["eta"] == 0.05


@pytest.mark.parametrize("text", ["../secret.nc", "/etc/passwd", "link/secret.nc", "sub/../../secret.nc"])
def test_no_path_leads_out_of_the_folder(text, tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    (tmp_path / "secret.nc").write_bytes(b"CDF")
    (folder / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="is not below the folder that was opened"):
        opened_files.below(folder, text)


def test_a_file_of_the_wrong_kind_is_told(tmp_path):
    for name, content in (("a.txt", "x"), ("a.json", "{}"), ("a.nc", "x"), ("b.json", "{"), ("a.jsonl", "x")):
        (tmp_path / name).write_text(content)
        with pytest.raises((ValueError, OSError)) as told:
            opened_files.opened(tmp_path / name)
        assert name in str(told.value) and "\n" not in str(told.value)
    with pytest.raises(ValueError, match=r"There is no file b\.nc below"):
        opened_files.below(tmp_path, "b.nc")
    with pytest.raises(ValueError, match="No folder was opened"):
        opened_files.below(None, "b.nc")


def test_a_sweep_of_something_else_is_told_as_one(tmp_path):
    xarray.Dataset({"outcome": ("eta", [0.0, 1.0])}).to_netcdf(tmp_path / "a.nc", engine="scipy")
    with pytest.raises(ValueError, match=r"a\.nc holds no sweep of modes; give a trajectory"):
        opened_files.opened(tmp_path / "a.nc")


def test_what_does_not_come_from_the_file_is_not_passed_over(tmp_path, monkeypatch):
    """A fault of the program, or a library that is not there, must not read as a trajectory that is damaged."""
    (tmp_path / "a.nc").write_bytes(b"CDF")

    def fault(*args, **how):
        raise RuntimeError("a fault")

    monkeypatch.setattr(xarray, "open_dataset", fault)
    with pytest.raises(RuntimeError, match="a fault"):
        opened_files.opened(tmp_path / "a.nc")


@pytest.mark.parametrize("damage", ["cut in the header", "cut at the end", "empty", "HDF5", "lying of its size"])
def test_a_damaged_netcdf_file_is_one_sentence(damage, tmp_path):
    path = ld.simulate(ld.ModeFlow(ld.Hyperparameters()), ld.ModeState(0.2, 0.1), t1=1.0).save(tmp_path / "a.nc")
    whole = path.read_bytes()
    path.write_bytes(
        {"cut in the header": whole[:100], "cut at the end": whole[:-9], "empty": b"", "HDF5": b"\x89HDF" + whole,
         "lying of its size": b"CDF\2" + b"\x7f" * 300}[damage]
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"^Cannot read .*a\.nc: it is damaged or no lindyn trajectory"):
        opened_files.opened(path)


def test_the_reader_is_found_by_the_name_alone(tmp_path):
    for name in ("a.nc", "a.json", "a.jsonl"):
        (tmp_path / name).write_text("x")
        assert callable(opened_files.reader(tmp_path / name))
    (tmp_path / "s.zarr").mkdir()
    assert callable(opened_files.reader(tmp_path / "s.zarr"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.zarr").write_text("x")
    for name in ("folder", "file.zarr"):
        with pytest.raises(ValueError, match=f"{name} is no file that is shown here; give a trajectory"):
            opened_files.reader(tmp_path / name)


@pytest.mark.parametrize("name", ["store", "store.zarr"])
def test_a_store_is_a_sweep_under_any_name(name, tmp_path):
    swept = ld.sweep(eta=[0.01, 0.1], beta=0.4, t1=5.0, store=tmp_path / name)
    kind, found = opened_files.opened(tmp_path / name)
    assert kind == "sweep" and found["p"].equals(swept["p"])
