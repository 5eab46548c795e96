"""`--completion` and `--format`: what every command line has."""

import shutil
import subprocess

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


def test_another_format_is_refused(command):
    code, _, err = command("phase", "--format", "gif")
    assert code == 2 and "--format must be one of png, pdf, svg; got 'gif'" in err
