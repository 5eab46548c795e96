"""`lindyn reproduce --training`: what it lists, refuses, prints and writes."""

import json

import pytest


def test_list_shows_tables_and_rows_with_what_is_printed(command):
    code, out, _ = command("reproduce", "tian2021", "--training", "--list")
    assert code == 0
    assert "table3" in out and "fig6" in out and "(Table 9; 6 rows)" in out
    code, out, _ = command("reproduce", "richemond2023", "--training", "--list", "--table", "100")
    assert code == 0
    assert out.count("printed") == 43
    code, shown, _ = command(
        "reproduce", "richemond2023", "--training", "--list", "--table", "100", "--rows", "*/ridge .3"
    )
    assert code == 0 and shown.count("printed") == 6
    assert "imagenet-100-DirectCopy/ridge 0" in out and "printed 20.9" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--training"], "Say which table: --table T or --figure N"),
        (["--table", "3"], "--table and --list belong to training studies; add --training"),
        (["--training", "--table", "33"], "table of tian2021 must be one of"),
        (["--training", "--figure", "3"], "There are fig2, fig6, table1"),
        (["--training", "--table", "3", "--scale", "smal"], "Did you mean 'small'"),
        (["--training", "--table", "3", "--rows", "nothing"], "No row of table3 matches nothing; there are 'table-3-"),
        (["--training", "--table", "3", "--seeds", "0"], "--seeds must be at least 1; got 0"),
        (["--training", "--table", "9", "--scale", "paper", "--data", "no/folder"], "ROOT/train/CLASS"),
    ],
)
def test_wrong_calls_are_one_sentence(command, tmp_path, words, message):
    code, _, error = command("reproduce", "tian2021", *words, "--out", str(tmp_path))
    assert code == 2
    assert message in error and error.count("\n") == 1


@pytest.mark.rendered
def test_a_study_prints_its_table_and_writes_file_and_picture(command, tmp_path):
    words = ["reproduce", "tian2021", "--training", "--figure", 6, "--rows", "alpha_p=[12]"]
    code, out, _ = command(*words, "--scale", "smoke", "--seeds", 1, "--workers", 1, "--out", tmp_path)
    assert code == 0
    assert "2 runs at scale smoke" in out and "fig-6/alpha_p=2" in out and "Measured at scale smoke" in out
    assert "not run: fig-6/alpha_p=5, fig-6/alpha_p=10, fig-6/alpha_p=20" in out
    content = json.loads((tmp_path / "tian2021-fig6-smoke.json").read_text(encoding="utf-8"))
    assert [len(row["runs"]) for row in content["rows"]] == [1, 1, 0, 0, 0]
    assert (tmp_path / "tian2021-fig6-smoke.png").stat().st_size > 10_000


def test_the_ledger_s_copy_is_thin(tmp_path, monkeypatch):
    from lindyn import papers
    from lindyn.bridge.studies import Study, run_all, table_presets
    from lindyn.commands import reproduce
    from lindyn.papers import study_files

    table = table_presets.table("tian2021", "3")
    plan = Study(table, "smoke", table.rows[:1], 1, tmp_path / "out", {"run__evaluation": "none"})
    run_all([plan])
    monkeypatch.setattr(papers, "folder", lambda paper: tmp_path / paper)
    reproduce.finish(plan, ledger=True)
    written = study_files.read(tmp_path / "tian2021" / "studies" / "table3-smoke.json")
    assert "curves" not in written["rows"][0]["runs"][0] and written["rows"][0]["runs"][0]["asymmetry"] == 0.0
    assert "curves" in study_files.read(plan.path)["rows"][0]["runs"][0]
