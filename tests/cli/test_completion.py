"""`--completion` and `--format`: what every command line has."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_flags(shell, command, tmp_path):
    pytest.importorskip("shtab", reason="shtab is not installed: pip install 'lindyn[completion]'")
    code, out, err = command("--completion", shell)
    assert code == 0 and err == ""
    assert "explore" in out and "sigma2" in out and "stop-gradient" in out
    if shutil.which(shell):
        script = tmp_path / "completion"
        script.write_text(out)
        assert subprocess.run([shell, "-n", str(script)], capture_output=True).returncode == 0


def test_without_shtab_it_is_one_sentence(command, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    code, _, err = command("--completion", "bash")
    assert code == 2 and 'pip install "lindyn[completion]"' in err and err.count("\n") == 1


@pytest.mark.parametrize(("ending", "head"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_in_another_format_stands_beside_the_png(ending, head, command, tmp_path):
    assert command("simulate", "--system", "modes", "--t1", "5", "--format", ending, "--out", tmp_path / "run")[0] == 0
    assert (tmp_path / "run" / f"trajectory.{ending}").read_bytes().startswith(head)
    assert (tmp_path / "run" / "trajectory.png").exists()
    assert command("phase", "--kind", "bifurcation", "--format", ending, "--out", tmp_path / "phase")[0] == 0
    assert (tmp_path / "phase" / f"bifurcation.{ending}").read_bytes().startswith(head)
    assert command("simulate", "--system", "modes", "--t1", "6", "--overwrite", "--out", tmp_path / "run")[0] == 0
    assert not (tmp_path / "run" / f"trajectory.{ending}").exists()  # of the earlier run: it would mislead


SOLO = Path(__file__).parents[1] / "bridge" / "validation" / "fixtures" / "solo_learn"


@pytest.mark.parametrize(
    "words",
    [
        "sweep --eta 0:0.3:9 --t1 20 --out OUT/s.nc",
        "simulate --images digits --eta 0.02 --t1 5 --out OUT/images",
        "simulate --verify --t1 5 --out OUT/verified",
        pytest.param("reproduce tian2021 --figure 4 --out OUT", marks=pytest.mark.slow),
        pytest.param("train data.name=digits run.epochs=1 run.folder=OUT/run", marks=pytest.mark.slow),
        pytest.param("predict data.name=digits run.epochs=1 --out OUT/predicted", marks=pytest.mark.slow),
        pytest.param("validate SOLO --images digits --out OUT/validated", marks=pytest.mark.slow),
    ],
)
def test_every_drawing_command_writes_the_format_beside_each_png(words, command, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: pip install 'lindyn[torch]'")
    words = words.replace("OUT", str(tmp_path)).replace("SOLO", str(next(SOLO.glob("*.ckpt")))).split()
    code, _, err = command(*words, "--format", "svg")
    assert code == 0, err
    pictures = [path.with_suffix("") for path in tmp_path.rglob("*.png")]
    assert pictures and all(path.with_suffix(".svg").read_bytes().startswith(b"<?xml") for path in pictures)


def test_another_format_is_refused(command):
    code, _, err = command("phase", "--format", "gif")
    assert code == 2 and "--format must be one of png, pdf, svg; got 'gif'" in err
