"""The reproduce command: files, report, exit codes, and what it answers to mistakes."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lindyn
import lindyn.papers
from lindyn.outputs import picture_style
from lindyn.papers import (
    Checklist,
    Claim,
    FigureResult,
    expected,
    figure_claims,
    figure_scripts,
)
from tests.figures import claims_of_figures
from tests.figures.conftest import SMALL

REDUCED = """
from pathlib import Path
from lindyn.papers import figure_scripts as scripts
real = scripts.load(Path({real!r}))
def compute():
    return real.compute(**{given!r})
check, draw = real.check, real.draw
"""
DAMAGED = (
    REDUCED
    + """
def check(data):
    return real.check({{**data, "p_end": data["p_end"] + 0.5}})
"""
)
BROKEN = "def compute():\n    raise ValueError('no such thing')\n"
DEAD = "import os\ndef compute():\n    os._exit(3)\n"


def only(monkeypatch, paths):
    """Let the figure scripts be these."""
    monkeypatch.setattr(figure_scripts, "papers", lambda: {"tian2021": paths})


def reduced(figures, number, folder, source=REDUCED):
    """Write a script that stands for the real one on its reduced problem."""
    path = folder / figures.paths[number].name
    path.write_text(source.format(real=str(figures.paths[number]), given=SMALL[number]))
    return path


@pytest.mark.parametrize("number", sorted(SMALL))
def test_files_hold_the_picture_and_all_that_is_behind_it(figures, number, tmp_path, monkeypatch):
    monkeypatch.setattr(picture_style, "DPI", 60)
    script, path, data = figures.script[number], figures.paths[number], figures.data(number)
    found, figure = script.check(data), script.draw(data)
    files = figure_scripts._write(data, found, figure, tmp_path, path.stem)
    claims_of_figures.can_be_read(figure)
    assert sorted(file.suffix for file in files) == [".json", ".npz", ".pdf", ".png"]
    assert (tmp_path / f"{path.stem}.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / f"{path.stem}.pdf").read_bytes()[:5] == b"%PDF-"
    again = figure_scripts.load_numbers(tmp_path / f"{path.stem}.npz")
    assert set(again) == set(data)
    assert script.check(again) == found
    assert figure_scripts._rendered(script.draw(again), ".png") == (tmp_path / f"{path.stem}.png").read_bytes()
    report = json.loads((tmp_path / f"{path.stem}.json").read_text())
    assert [row["text"] for row in report["claims"]] == [claim.text for claim in found]
    for name, value in SMALL[number].items():
        if name in report["parameters"]:
            assert np.array_equal(report["parameters"][name], value)


def test_one_figure_from_the_command_line(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("reproduce", "tian2021", "--figure", "4")
    assert code == 0 and err == ""
    assert "fails as printed" in out and "Instead: the inequality is strict" in out
    assert "Not printed in the paper, chosen here" in out and "sigma2 = 0.25" in out
    assert max(map(len, out.splitlines())) <= 120
    names = {file.name for file in (tmp_path / "lindyn-out" / "tian2021").iterdir()}
    assert names == {f"tian2021_fig04.{ending}" for ending in ("png", "pdf", "npz", "json")}


def test_the_gallery_is_drawn_by_the_same_command(tmp_path, command):
    code, out, err = command("reproduce", "gallery", "--figure", "1", "--out", str(tmp_path))
    assert code == 0 and err == "" and "6 of 6 claims hold" in out
    assert (tmp_path / "gallery_fig01.png").exists()


def test_a_script_runs_alone(tmp_path):
    script = figure_scripts.find("tian2021", 4)[4]
    done = subprocess.run([sys.executable, script, "--out", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tian2021_fig04.png").exists() and "claims hold" in done.stdout
    file = tmp_path / "file"
    file.write_text("")
    assert figure_scripts.main(str(script), ["--out", str(file)]) == 2


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["tian2022"], ["paper must be one of 'tian2021'", "'tian2022'", "Did you mean 'tian2021'?"]),
        (["tian2021", "--figure", "6"], ["3, 4, 5, 7, 8, 9, 10", "got 6", "Did you mean 5?"]),
        (["tian2021", "--workers", "0"], ["--workers must be at least 1", "got 0"]),
    ],
)
def test_unknown_names_get_one_sentence(argv, words, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = command("reproduce", *argv)
    assert code == 2 and len(err.splitlines()) == 1
    assert all(word in err for word in words)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_gets_one_sentence(tmp_path, command):
    file = tmp_path / "occupied"
    file.write_text("precious")
    for out in (file, file / "below"):
        code, _, err = command("reproduce", "tian2021", "--figure", "4", "--out", str(out))
        assert code == 2 and len(err.splitlines()) == 1
        assert "the output folder" in err and "--out" in err
    assert file.read_text() == "precious"


def test_a_failed_claim_is_told_and_nothing_is_drawn(figures, tmp_path, command, monkeypatch):
    only(monkeypatch, {4: reduced(figures, 4, tmp_path, DAMAGED)})
    out = tmp_path / "out"
    out.mkdir()
    (out / "tian2021_fig04.png").write_text("picture of an earlier run")
    code, told, _ = command("reproduce", "tian2021", "--figure", "4", "--out", str(out))
    assert code == 1
    assert "FAILS" in told and "1 CAME OUT OTHERWISE THAN EXPECTED" in told and "no picture was drawn" in told
    assert {file.suffix for file in out.iterdir()} == {".npz", ".json"}


def test_a_broken_figure_does_not_lose_the_others(figures, tmp_path, command, monkeypatch):
    broken = tmp_path / "tian2021_fig03.py"
    broken.write_text(BROKEN)
    only(monkeypatch, {3: broken, 4: reduced(figures, 4, tmp_path)})
    monkeypatch.setattr(lindyn.papers, "write_report", lambda paper, path, figures: path)  # it runs every proof
    code, told, _ = command("reproduce", "tian2021", "--workers", "1", "--out", str(tmp_path / "out"))
    assert code == 1
    assert "DID NOT RUN" in told and "no such thing" in told and "9 claims as expected" in told
    assert (tmp_path / "out" / "tian2021_fig04.png").exists()


def test_worker_processes_and_one_that_dies(figures, tmp_path, monkeypatch):
    only(monkeypatch, {number: reduced(figures, number, tmp_path) for number in (4, 8)})
    seen, out = [], tmp_path / "out"
    results = lindyn.papers.reproduce(
        "tian2021", out=out, workers=2, watch=lambda running, done: seen.append(len(done))
    )
    assert [result.number for result in results] == [4, 8] and all(result.as_expected for result in results)
    assert seen[-1] == 2 and len(list(out.iterdir())) == 8
    dead = tmp_path / "tian2021_fig03.py"
    dead.write_text(DEAD)
    other = tmp_path / "tian2021_fig05.py"
    other.write_text(DEAD)
    only(monkeypatch, {3: dead, 5: other})
    results = lindyn.papers.reproduce("tian2021", out=out, workers=2)
    assert all("ended from outside" in result.error for result in results)


def test_scripts_and_expected_values_agree(figures):
    listed = expected("tian2021")["figure"]
    assert sorted(map(int, listed)) == sorted(figures.paths)
    for number, entry in listed.items():
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(figures.script[int(number)].compute).parameters.items()
        }
        for name, value in entry["chosen"].items():
            assert np.array_equal(defaults[name], value), (number, name)
        for name, value in entry["printed"].items():
            if not isinstance(value, str):
                assert np.array_equal(defaults[name], value), (number, name)
        keys = [claim["key"] for claim in entry["claim"]]
        assert len(set(keys)) == len(keys)
        for claim in entry["claim"]:
            assert sum(rule in claim for rule in figure_claims.RULES) == 1
            assert claim.get("fails_as_printed", False) == ("instead" in claim)


def test_checklist_wants_every_claim_once():
    with pytest.raises(ValueError, match=r"not measured: counts"):
        Checklist("tian2021", 4).done()
    with pytest.raises(ValueError, match=r"Did you mean 'counts'"):
        Checklist("tian2021", 4).measure("count", 1)
    with pytest.raises(ValueError, match="measured twice"):
        Checklist("tian2021", 4).measure("counts", 1).measure("counts", 1)
    with pytest.raises(ValueError, match="figure must be one of"):
        Checklist("tian2021", 6)


def test_nothing_measured_never_holds():
    for value in (np.nan, [], [0.0, np.nan]):
        assert not Checklist("tian2021", 4).measure("closed_forms", value)._claims["closed_forms"].holds


def test_verdicts_count_only_the_unexpected():
    printed = {"fails_as_printed": True, "instead": "something else"}
    assert Claim("a", "1", "1", True).verdict == "holds"
    assert Claim("a", "1", "2", False).verdict == "FAILS"
    assert Claim("a", "1", "1", True, mark=True).verdict == "holds (mark)"
    miss = Claim("a", "1", "2", False, missed=True)
    assert miss.verdict == "missed" and miss.as_expected
    assert Claim("a", "1", "1", True, missed=True).verdict == "HITS AFTER ALL"
    assert Claim("a", "1", "2", False, **printed).as_expected
    assert Claim("a", "1", "1", True, **printed).verdict == "HOLDS AFTER ALL"
    results = [FigureResult("tian2021", 4, [Claim("a", "1", "1", True, **printed)])]
    assert not results[0].as_expected and "CAME OUT OTHERWISE" in figure_claims.report(results)


def test_scripts_are_found_in_an_installed_package(tmp_path, monkeypatch):
    package = tmp_path / "site" / "lindyn"
    (package / "_figures").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(lindyn, "__file__", str(package / "__init__.py"))
    assert figure_claims.resource_folder("_figures", "figures") == package / "_figures"
    with pytest.raises(FileNotFoundError, match="were not installed"):
        figure_claims.resource_folder("_papers_repro", "papers_repro")
    clone = tmp_path / "site" / "papers_repro"
    clone.mkdir()
    assert figure_claims.resource_folder("_papers_repro", "papers_repro") == clone


def test_the_parser_loads_nothing_heavy():
    heavy = ("numpy", "scipy", "matplotlib", "jax")
    code = f"import sys, lindyn.commands.reproduce; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_display_lives_only_on_a_terminal(monkeypatch, capsys):
    from lindyn.commands.reproduce import Display

    result = FigureResult("tian2021", 4, [Claim("a", "1", "1", True)], [Path("a.png")], 1.5)
    quiet = Display(2)
    quiet([5], [result])
    assert capsys.readouterr().out == "  Fig. 4     1.5 s  1 claims as expected  a.png\n"
    loud = Display(2)
    loud.live = True
    loud([5], [result])
    loud.wipe()
    told = capsys.readouterr().out
    assert "1 of 2 done; running Fig. 5" in told and told.endswith("\r")


def test_help_is_worth_reading(command):
    code, out, _ = command("reproduce", "--help")
    assert code == 0 and "--figure" in out and "fails as printed" in out and "Exit codes" in out
