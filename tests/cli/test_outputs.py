"""Where runs write: named after them, the same one in place, never over or beside another's files."""

import itertools
import tomllib
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

import lindyn as ld
from lindyn import _files
from lindyn.commands import phase_pictures
from lindyn.outputs import places
from lindyn.plotting import trajectory_picture

MODES = ("simulate", "--system", "modes", "--p", "0.1,0.5", "--s", "0.05,0.2", "--t1", "2", "--points", "9")
SWEEP = ("sweep", "--eta", "0:0.3:4", "--t1", "5")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_out_every_run_has_its_own_folder(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trajectory_picture, "draw", lambda trajectory: Figure())
    for flags in ((), ("--eta", "0.3"), ("--target", "online", "--no-stop-gradient", "--eta", "0.3"), ("--eta", "0.3")):
        assert command("simulate", *flags)[::2] == (0, "")
    made = {path.name for path in Path("lindyn-out").iterdir()}
    assert made == {"simulate", "simulate-eta-0.3", "simulate-eta-0.3-target-online-no-stop-gradient"}
    kept = tomllib.loads(Path("lindyn-out/simulate-eta-0.3/run.toml").read_text())
    assert kept["hyperparameters"]["eta"] == 0.3
    again = command("simulate", "--config", "lindyn-out/simulate-eta-0.3/run.toml")[1]
    assert "Wrote lindyn-out/simulate-eta-0.3/trajectory.nc" in again


def test_another_run_is_refused_and_dropped_whole_with_overwrite(tmp_path, command):
    out = tmp_path / "D"
    assert command(*MODES, "--verify", "--out", out)[0] == 0
    before = files(out)
    assert set(before) == {"run.toml", "trajectory.nc", "trajectory.png", "trajectory-verified.png"}
    code, said, err = command(*MODES, "--eta", "0.3", "--out", out)
    assert (code, said) == (2, "") and err.count("\n") == 1 and "--overwrite" in err and "--eta" not in err
    assert "was written by `lindyn simulate --system modes --p 0.1,0.5" in err and files(out) == before
    (out / "mine.txt").write_text("not lindyn's")
    assert command(*MODES, "--eta", "0.3", "--out", out, "--overwrite")[::2] == (0, "")
    assert set(files(out)) == {"run.toml", "trajectory.nc", "trajectory.png", "mine.txt"}
    assert ld.load(out / "trajectory.nc").flow.hp.eta == 0.3


def test_the_same_run_writes_in_place_by_its_flags_and_by_its_file(tmp_path, command):
    out = tmp_path / "D"
    for words in (MODES, (*MODES, "--verify"), ("simulate", "--config", out / "run.toml"), MODES):
        assert command(*words, "--out", out)[::2] == (0, "")
    assert command("verify", out / "trajectory.nc")[::2] == (0, "")  # its picture is that of --verify
    assert command("verify", out / "trajectory.nc")[::2] == (0, "")


def test_a_folder_of_somebody_else_s_files_is_refused(tmp_path, command):
    (tmp_path / "trajectory.nc").write_text("mine")
    code, _, err = command(*MODES, "--out", tmp_path)
    assert code == 2 and "trajectory.nc is there already, and is not known to be of this run. Add --overwrite" in err
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    code, _, err = command(*MODES, "--out", tmp_path / "run", "--overwrite")
    assert code == 2 and "holds a run of lindyn train" in err and list((tmp_path / "run").iterdir())


def test_a_phase_picture_of_other_parameters(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = phase_pictures.PhasePicture(Figure(), "read", {})
    monkeypatch.setattr(phase_pictures, "portrait", lambda given, args: drawn)
    for eta in ("0.1", "0.15"):
        assert command("phase", "--eta", eta)[::2] == (0, "")
    assert {path.name for path in Path("lindyn-out/phase").iterdir()} == {
        "portrait-eta-0.1.png",
        "portrait-eta-0.15.png",
    }
    assert command("phase", "--eta", "0.1", "--out", "o")[0] == command("phase", "--eta", "0.1", "--out", "o")[0] == 0
    code, _, err = command("phase", "--eta", "0.15", "--out", "o")
    assert code == 2 and "o/portrait.png was written by `lindyn phase --kind portrait --eta 0.1`" in err
    assert places.made_by(Path("o/portrait.png")) == "lindyn phase --kind portrait --eta 0.1"
    assert command("phase", "--eta", "0.15", "--out", "o", "--overwrite")[0] == 0
    assert places.made_by(Path("o/portrait.png")).endswith("--eta 0.15")


@pytest.mark.parametrize("name", ["s.nc", "s.zarr"])
def test_the_result_of_another_sweep(name, tmp_path, command):
    out = tmp_path / name
    assert command(*SWEEP, "--out", out)[0] == command(*SWEEP, "--out", out)[0] == 0
    before = files(tmp_path)
    code, _, err = command(*SWEEP, "--beta", "0.1", "--out", out)
    assert code == 2 and "--overwrite" in err and err.count("\n") == 1 and files(tmp_path) == before
    assert command(*SWEEP, "--beta", "0.1", "--out", out, "--overwrite")[::2] == (0, "")
    assert places.made_by(tmp_path / "s.png") == "lindyn sweep --eta 0:0.3:4 --beta 0.1 --t1 5"
    code, _, err = command(*SWEEP, "--out", tmp_path / "t.nc", "--picture", tmp_path / "s.png")
    assert code == 2 and "another place with --picture" in err and not (tmp_path / "t.nc").exists()


def test_overwrite_removes_no_folder_that_is_no_store(tmp_path, command):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    code, _, err = command(*SWEEP, "--out", tmp_path / "photos", "--overwrite")
    assert code == 2 and "is no store of a sweep" in err and (tmp_path / "photos" / "a.txt").exists()


def test_sweeps_without_out_stand_side_by_side(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for flags in (("--beta", "log:0.1:1:3"), ("--beta", "0.1")):
        assert command(*SWEEP, *flags)[0] == 0
    names = {path.name for path in Path("lindyn-out").iterdir()}
    assert names == {
        f"sweep-eta-0_0.3_4-beta-{beta}-t1-5.{kind}"
        for beta, kind in itertools.product(("log_0.1_1_3", "0.1"), ("nc", "png"))
    }


@pytest.mark.parametrize("name", ["traj.nc", "a.pdf", "o.zip", "Run.PNG", "x.zarr", "m.ckpt", "a.tar.gz"])
@pytest.mark.parametrize("words", [MODES, ("phase",)], ids=["simulate", "phase"])
def test_a_file_s_name_is_no_folder(name, words, tmp_path, command):
    code, out, err = command(*words, "--out", tmp_path / name)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "--out is a folder, for several files; got" in err
    assert not (tmp_path / name).exists()


def test_names_that_only_look_like_a_file_s_are_folders(tmp_path):
    (tmp_path / "old.nc").mkdir()
    for name in ("run.v2", "eta0.3", "2024.11.29", "old.nc"):
        assert places.as_folder(tmp_path / name) == tmp_path / name
    assert places.as_folder(f"{tmp_path}/new.nc/").name == "new.nc"
    with pytest.raises(ValueError, match="got an empty path"):
        places.as_folder("")


@pytest.mark.parametrize("name", ["m.csv", "m.xlsx", "m.pgf"])
def test_a_picture_of_an_unknown_kind_is_refused_before_the_work(name, tmp_path, command):
    code, out, err = command(*SWEEP, "--out", tmp_path / "s.nc", "--picture", tmp_path / name)
    assert (code, out) == (2, "") and "--picture must end in .png, .pdf" in err and not list(tmp_path.iterdir())
    code, _, err = command(*SWEEP, "--out", tmp_path / "s.png")
    assert code == 2 and "--out must be a .nc file or a zarr store" in err


def test_names_tell_runs_apart():
    words = ["simulate", "simulate --eta 0.3", "simulate --X a/b.npy", "simulate --X a_b.npy", "simulate --X 'a b.npy'",
             "simulate --p 0.1 --s 0.2", "simulate --p 0.1,0.2", "simulate --x " + "1," * 40 + "1",
             "simulate --x " + "1," * 40 + "2"]  # fmt: skip
    names = [places.run_name(one) for one in words]
    assert len(set(names)) == len(words) and names[:2] == ["simulate", "simulate-eta-0.3"]
    assert all(len(name) < 90 and set(name).isdisjoint("/ '\"\\:*?<>|") for name in names)


def test_home_is_expanded_in_every_spelling_of_a_path(tmp_path, command, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert command(*MODES, "--out=~/o")[0] == 0 and (tmp_path / "o" / "run.toml").is_file()
    assert command("simulate", "--config=~/o/run.toml", "--out=~/p")[0] == 0
    assert command("verify", "~/o/trajectory.nc", "--picture=~/v.png")[0] == 0 and (tmp_path / "v.png").is_file()
    code, _, err = command(*MODES, "--out=~nobody-of-this-name/o")
    assert code == 2 and "There is no home folder ~nobody-of-this-name" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o", "p", "v.png"]


@pytest.mark.parametrize("ending", ["png", "pdf", "svg", "jpg"])
def test_a_picture_has_lindyn_s_style_and_leaves_the_user_s_alone(ending, tmp_path, command):
    def picture(name):
        assert command(*SWEEP, "--out", tmp_path / name / "s.nc", "--picture", tmp_path / name / f"s.{ending}")[0] == 0
        return (tmp_path / name / f"s.{ending}").read_bytes()

    plain = picture("a")
    wild = {"text.usetex": True, "savefig.dpi": 2000, "font.family": "no such font", "savefig.format": "svg",
            "figure.facecolor": "red", "savefig.bbox": "tight", "axes.prop_cycle": matplotlib.cycler(color=["pink"]),
            "backend": "svg", "svg.hashsalt": "x"}  # fmt: skip
    with matplotlib.rc_context(wild):
        before = dict(matplotlib.rcParams)
        found = picture("b")
        assert dict(matplotlib.rcParams) == before
        matplotlib.rcParams["backend"] = "agg"
    if ending == "png":
        assert found == plain


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("phase --start 1", "start"),
        ("simulate --images nowhere.npy", "nowhere.npy"),
        ("phase --start 1,-1", "start"),
        ("simulate --t1 -1", "t1 must be finite and > 0; got -1"),
        ("simulate --p 0.3", "system='weights' has no p"),
    ],
)
def test_a_refused_start_leaves_no_folder(words, said, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*words.split(), "--out", "a/b")
    assert (code, out) == (2, "") and said in err
    assert not (tmp_path / "a").exists()


def test_a_folder_that_was_there_or_holds_something_stays(tmp_path):
    (tmp_path / "old").mkdir()
    with pytest.raises(KeyError), _files.output_folder(tmp_path / "old" / "new"):
        raise KeyError
    assert (tmp_path / "old").is_dir() and not (tmp_path / "old" / "new").exists()
    with pytest.raises(KeyError), _files.output_folder(tmp_path / "fresh") as folder:
        (folder / "kept.txt").write_text("1")
        raise KeyError
    assert (tmp_path / "fresh" / "kept.txt").read_text() == "1"


def test_cycles_are_looked_for_rarely_while_a_command_runs_and_as_before_afterwards(command, monkeypatch):
    import gc

    from lindyn.commands import prove

    before, seen = gc.get_threshold(), []
    monkeypatch.setattr(prove, "run", lambda args: seen.append(gc.get_threshold()) or 0)
    assert command("prove", "tian.theorem_1")[0] == 0
    assert seen[0][0] >= 50_000 and gc.get_threshold() == before
    try:
        gc.set_threshold(0)
        assert command("prove", "tian.theorem_1")[0] == 0
        assert seen[1][0] == 0
    finally:
        gc.set_threshold(*before)


def test_too_little_memory_is_one_sentence(command, monkeypatch):
    from lindyn.commands import prove

    def full(args):
        raise MemoryError("Unable to allocate 75 GiB for an array.")

    monkeypatch.setattr(prove, "run", full)
    code, _, err = command("prove", "tian.theorem_1")
    assert code == 2 and err == (
        "lindyn: error: There is not enough memory (Unable to allocate 75 GiB for an array). Take something smaller.\n"
    )
