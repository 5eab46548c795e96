"""Wrong paths are answered in one sentence before anything heavy is loaded, and reports follow the rule of outputs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lindyn.bridge.report import page, terminal
from lindyn.commands import validate

WRONG = {
    "validate nothere.ckpt": "There is no checkpoint or folder nothere.ckpt.",
    "validate empty": "empty holds no checkpoint",
    "validate pictures": "pictures holds no checkpoint",
    "validate one.ckpt optim.lrr=1": "Did you mean 'optim.lr'?",
    "validate --features nothere.npz": "features: there is no file nothere.npz.",
    "validate --features one.ckpt": "features must be an .npy or .npz file; got one.ckpt.",
    "validate one.ckpt --images nowhere": "there is no folder nowhere.",
    "validate one.ckpt --images mnits": "mnist, digits or auto; there is no folder mnits.",
    "validate --compare one.ckpt nothere": "There is no checkpoint or folder nothere.",
    "validate --compare one.ckpt nothere/report.json": "There is no checkpoint or folder nothere/report.json.",
    "validate one.ckpt --out report.html": "--out is a folder",
    "validate ~/nothere.ckpt": "There is no checkpoint or folder /",
    "train nothere.toml": "Cannot read the configuration nothere.toml",
    "train run.folder=a.ckpt": "run.folder is a folder, for several files",
    "train run.folder=run": "run holds a run already. Add --resume to go on with it, --overwrite",
    "train run.folder=other": "other holds files of `lindyn simulate --eta 0.3`. Choose another run.folder.",
    "verify nothere.nc": "No trajectory at nothere.nc: there is no such file.",
    "verify empty": "No trajectory at empty: is a folder.",
    "simulate --config nothere.toml": "Cannot read the configuration nothere.toml",
    "simulate --X a.npy --X-aug-file b.npy": "Cannot read a.npy: it must be an .npy file",
    "simulate --images no/where": "'no/where' does not exist",
    "simulate --images a.npy,b.npy": "there is no file a.npy",
    "simulate --out a.pdf": "--out is a folder",
    "sweep --out a.csv": "--out must be a .nc file or a zarr store",
    "phase --out a.zip": "--out is a folder",
    "prove --latex no/where.tex": "the folder no does not exist",
    "reproduce tian2021 --out a.zip": "--out is a folder",
    "reproduce tian2021 --out other": "other/REPORT.md is another report ('# grill2020: claims",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "pictures", "run/checkpoints", "other"):
        Path(name).mkdir(parents=True)
    for name in ("one.ckpt", "pictures/a.png", "run/checkpoints/step=00000001.ckpt"):
        Path(name).write_bytes(b"")
    Path("other/run.toml").write_text("# lindyn simulate --eta 0.3\n")
    Path("other/REPORT.md").write_text("# grill2020: claims and what came of them\n")
    return tmp_path


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_path_is_one_sentence_and_nothing_is_written(words, place, command):
    before = sorted(place.rglob("*"))
    code, out, err = command(*words.split())
    assert (code, out) == (2, "") and WRONG[words] in err and err.count("\n") == 1, err
    assert sorted(place.rglob("*")) == before


def test_nothing_heavy_is_loaded_for_a_wrong_path(place):
    script = f"""
import contextlib, io, sys
from lindyn.cli import main
for words in {list(WRONG)!r}:
    with contextlib.redirect_stderr(io.StringIO()):
        assert main(words.split()) == 2, words
    heavy = {{"torch", "jax", "scipy", "sympy", "matplotlib", "xarray", "zarr"}} & set(sys.modules)
    assert not heavy, (words, heavy)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=place)


def test_a_folder_that_could_hold_checkpoints_is_left_to_their_reader(place):
    from lindyn.bridge.given_paths import checkpoint_path

    for name in ("sub/global_step100", "a/__0_0.distcp", "b/pytorch_model.bin.index.json", "c/trace.jsonl", "d/x"):
        path = Path(name)
        path.parent.mkdir()
        path.mkdir() if "." not in name and "sub" in name else path.write_bytes(b"")
        assert checkpoint_path(path.parent) == path.parent


@pytest.fixture
def quick(monkeypatch, place):
    """Let validate write a report of nothing."""
    monkeypatch.setattr(validate, "_validate", lambda *args: None)
    monkeypatch.setattr(terminal, "summary", lambda answer, written: f"{written}\n")
    files = lambda answer, command: {"report.html": "", "report.json": json.dumps({"command": command})}  # noqa: E731
    monkeypatch.setattr(page, "files", files)
    np.save("z.npy", np.eye(2))
    Path("lindyn-out/train").mkdir(parents=True)
    for name in ("lindyn-out/train/a.ckpt", "run/a.ckpt"):
        Path(name).write_bytes(b"")


def test_reports_stand_side_by_side_or_are_refused(quick, command):
    calls = ("lindyn-out/train", "one.ckpt optim.lr=0.05", "run/a.ckpt", "lindyn-out/train/a.ckpt")
    calls += ("one.ckpt --features z.npy", "--features z.npy")
    made = [command("validate", *words.split())[1].strip() for words in calls]
    assert made[0] == "lindyn-out/validate-train/report.html"
    assert made[1] == "lindyn-out/validate-one.ckpt-optim.lr_0.05/report.html"
    assert made[4] == "lindyn-out/validate-one.ckpt-features-z.npy/report.html" and len(set(made)) == len(made)
    for _ in range(2):
        assert command("validate", "one.ckpt", "--out", "o")[::2] == (0, "")
    code, _, err = command("validate", "run/a.ckpt", "--out", "o")
    assert code == 2 and "o/report.json was written by `lindyn validate one.ckpt`. Add --overwrite" in err
    assert command("validate", "run/a.ckpt", "--out", "o", "--overwrite")[0] == 0
    assert json.loads(Path("o/report.json").read_text())["command"] == "lindyn validate run/a.ckpt"


def test_reproduce_alone_says_what_it_would_cost(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("reproduce")
    assert (code, err) == (0, "") and not list(tmp_path.iterdir())
    assert "lindyn reproduce tian2021           7 figures, about 39 s" in out


def test_latex_of_other_statements_is_not_written_over(command, tmp_path):
    file = tmp_path / "proofs.tex"
    for _ in range(2):
        assert command("prove", "tian.theorem_1", "--latex", file)[0] == 0
    code, _, err = command("prove", "tian.theorem_3", "--latex", file)
    assert code == 2 and "was written by `lindyn prove tian.theorem_1`. Add --overwrite" in err
    assert command("prove", "tian.theorem_3", "--latex", file, "--overwrite")[0] == 0
