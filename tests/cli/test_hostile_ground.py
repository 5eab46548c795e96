"""The command line where it was not at home: another's backend and matplotlibrc, encodings, closed and full streams."""

import io
import os
import subprocess
import sys

import pytest

from lindyn._progress import Progress
from lindyn.cli import main
from lindyn.commands import simulate

LIST = ("simulate", "--system", "list")  # prints, and loads nothing heavy


def lindyn(*words, shell="", cwd=None, **env):
    """Return (exit code, stdout, stderr) of a process of its own; `shell` is what a shell puts after the words."""
    whole = {**os.environ, **env}
    line = " ".join(["exec", sys.executable, "-m", "lindyn", *words, shell])
    done = subprocess.run(["bash", "-c", line], capture_output=True, env=whole, cwd=cwd)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "tkagg"])
def test_the_backend_of_a_notebook_or_desktop_is_not_ours(backend, tmp_path):
    """In a folder whose matplotlibrc wants LaTeX, another backend, a missing font and ten thousand dots an inch."""
    rc = "text.usetex: True\nbackend: pgf\nfont.family: no such font\nsavefig.dpi: 10000\nnonsense: 1\n"
    (tmp_path / "matplotlibrc").write_text(rc, encoding="utf-8")
    words = ("simulate", "--system", "modes", "--t1", "1", "--points", "5", "--out", "ö")
    code, out, err = lindyn(*words, cwd=tmp_path, MPLBACKEND=backend, LC_ALL="C", PYTHONIOENCODING="ascii",
                            PYTHONUTF8="0", DISPLAY="", TERM="dumb", NO_COLOR="1")  # fmt: skip
    assert code == 0 and b"Traceback" not in err, err
    assert b"Wrote " in out and (tmp_path / "ö" / "trajectory.png").stat().st_size < 300_000


def test_the_caller_s_environment_is_given_back(command, monkeypatch):
    for value in ("tkagg", None):
        monkeypatch.delenv("MPLBACKEND") if value is None else monkeypatch.setenv("MPLBACKEND", value)
        assert command(*LIST)[0] == 0
        assert os.environ.get("MPLBACKEND") == value


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "ascii:strict", "utf-16", "latin-1", "koi8-r"])
def test_letters_that_an_encoding_lacks_are_spelled_out(encoding):
    code, out, err = lindyn("verify", "η→名.nc", PYTHONIOENCODING=encoding)
    name = encoding.partition(":")[0]
    told = err.decode(name)
    assert code == 2 and out == b"" and told.startswith("lindyn: error: No trajectory at ") and told.count("\n") == 1
    assert "\\u540d.nc" in told or name == "utf-16"


@pytest.mark.parametrize(
    ("words", "shell", "code", "said"),
    [
        (LIST, ">&-", 0, b""),
        (LIST, "2>&-", 0, b""),
        (LIST, "<&- >&- 2>&-", 0, b""),
        (LIST, "> /dev/full", 2, b"lindyn: error: Cannot write to standard output: No space left on device."),
        (("--help",), "> /dev/full", 2, b"Cannot write to standard output"),
        (("--help",), ">&-", 0, b""),
        (LIST, "2> /dev/full", 0, b""),
        (("verify", "nothere.nc"), "2>&-", 2, b""),
        (("verify", "nothere.nc"), "2> /dev/full", 2, b""),
        (("simulate", "--help"), "> >(head -1)", 0, b""),
    ],
)
def test_streams_that_are_closed_full_or_left_early(words, shell, code, said):
    found, _, err = lindyn(*words, shell=shell)
    assert found == code and said in err and b"Traceback" not in err and b"Exception ignored" not in err
    assert err.count(b"\n") == (1 if said else 0)


def test_a_closed_stream_s_place_is_not_taken_by_a_file(tmp_path):
    """What is printed must not go into the file that is opened first."""
    words = ("simulate", "--system", "modes", "--t1", "1", "--points", "5", "--out", str(tmp_path / "o"))
    assert lindyn(*words, shell="<&- >&- 2>&-")[0] == 0
    for path in (tmp_path / "o").iterdir():
        assert b"Wrote" not in path.read_bytes()


def test_a_folder_that_was_removed_under_one_s_feet(tmp_path):
    script = f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; "
    words = f"{sys.executable} -m lindyn"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])}
    for command, code in ((f"{words} phase --eta 0.1", 2), (f"{words} {' '.join(LIST)}", 0)):
        done = subprocess.run(["bash", "-c", script + command], capture_output=True, text=True, env=env)
        assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
        assert not code or "The folder you are in was removed" in done.stderr


def test_a_home_that_cannot_be_written(tmp_path):
    words = ("phase", "--kind", "two-parameter", "--sigma2", "0:1:2", "--out", str(tmp_path / "o"))
    names = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR")
    code, out, err = lindyn(*words, **dict.fromkeys(names, "/dev/null/nowhere"))
    assert code == 0 and b"Wrote" in out and b"Traceback" not in err, err


def test_main_leaves_a_stream_of_the_caller_as_it_is(capsys):
    assert main(list(LIST)) == 0 and "modes" in capsys.readouterr().out


COMMANDS = ("", "simulate", "sweep", "phase", "prove", "verify", "predict", "train", "validate", "reproduce")


@pytest.mark.parametrize("columns", [40, 60, 79])
def test_help_fits_a_narrow_terminal(columns, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in COMMANDS:
        code, out, _ = command(*name.split(), "--help")
        assert code == 0
        for line in out.splitlines():  # argparse itself breaks no word, and none of a choice in brackets
            assert len(line) <= columns or len(line.split()) <= 3 or "[" in line or "(" in line, line


def test_help_of_a_usual_terminal_is_as_it_was_written(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert simulate.DESCRIPTION.rstrip() in command("simulate", "--help")[1]


def test_a_time_left_is_told_once_something_is_known(monkeypatch):
    line = Progress("simulate", 100.0)
    assert "left" not in line.text(0.01, 0.6)  # it was "102 min left" of a run of two seconds
    assert line.text(50.0, 1.0).endswith(" 1 s left ") and "left" in line.text(0.01, 60.0)
    monkeypatch.setenv("TERM", "dumb")
    assert not Progress("simulate", 1.0, stream=Terminal()).shown
    monkeypatch.setenv("TERM", "xterm")
    assert Progress("simulate", 1.0, stream=Terminal()).shown


class Terminal(io.StringIO):
    def isatty(self):
        return True
