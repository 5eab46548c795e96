"""Study files: means and spreads, the printed order seen or not, the table, the ledger that reads them."""

import json
import math

import pytest

from lindyn import papers
from lindyn.papers import ledger, ledger_pages, study_files


def row(row_id, values, printed=None, **more):
    claim, name = row_id.split("/", 1)
    runs = [{"seed": k, "linear": v, "knn": v - 0.1, "effective_rank": 3.0 + k, **more} if v is not None
            else {"seed": k, "linear": None, "error": "The loss became NaN"} for k, v in enumerate(values)]  # fmt: skip
    return {"id": row_id, "claim": claim, "name": name, "text": name, "printed": printed, "printed_spread": None,
            "config": {}, "runs": runs}  # fmt: skip


def study(*rows, patterns=(), **more):
    return {study_files.KEY: study_files.SCHEMA, "paper": "tian2021", "table": "table3", "scale": "small", "title": "T",
            "source": "Table 3", "printed_measure": "Top-1 %", "patterns": list(patterns), "rows": list(rows),
            "protocol": {}, **more}  # fmt: skip


def pattern(higher, *lower, **more):
    return {"text": "words", "higher": higher, "lower": list(lower), **more}


A, B = row("c/a", [0.90, 0.92, 0.94], printed=75.1), row("c/b", [0.60, 0.62, 0.61], printed=36.6)


def test_mean_and_spread_are_over_seeds():
    found = study_files.summary(A)
    assert (found.mean, found.spread, found.seeds) == pytest.approx((0.92, 0.02, 3))
    assert found.error == pytest.approx(0.02 / math.sqrt(3))
    assert study_files.percent(found) == "92.0 +- 2.0"
    assert study_files.percent(study_files.summary(row("c/a", [0.5]))) == "50.0"
    assert study_files.percent(study_files.summary(row("c/a", []))) == "-"
    assert study_files.percent(study_files.summary(row("c/a", [0.5, None, 0.7]))) == "60.0 +- 14.1 (1 diverged)"
    with pytest.raises(ValueError, match="Did you mean 'linear'"):
        study_files.summary(A, "liner")


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (pattern("c/a", "c/b"), "seen"),
        (pattern("c/b", "c/a"), "not seen"),
        (pattern("c/a", "c/b", "c/near"), "undecided"),
        (pattern("c/b", "c/near", "c/a"), "not seen"),
        (pattern("c/a", "c/none"), "not run"),
        (pattern("c/a", "c/none", "c/b"), "not run"),
        (pattern("best of c/b, c/a", "c/b"), "seen"),
        (pattern("best of c/b, c/none", "c/b"), "not run"),
        (pattern("tian2021:table1:d/x", "c/b"), "seen"),
        (pattern("c/a", than=6.0, quantity="effective_rank"), "not seen"),
        (pattern("c/a", than=2.0, quantity="effective_rank"), "seen"),
        (pattern("c/a", than=4.0, quantity="effective_rank"), "undecided"),
    ],
)
def test_a_printed_order_is_seen_beyond_two_standard_errors(given, verdict):
    near = row("c/near", [0.88, 0.93, 0.93])
    others = {"tian2021:table1:d/x": row("d/x", [0.99, 0.99])}
    seen = study_files.patterns(study(A, B, near, row("c/none", []), patterns=[given]), others)[0]
    assert seen.verdict == verdict
    assert bool(seen.numbers) == (verdict != "not run")


@pytest.mark.parametrize(
    ("values", "more", "verdict", "words"),
    [
        ([0.90, 0.92], {"within": 0.01}, "seen", "off by 0.0 +- 0.0 % (2 seeds; within 1 %)"),
        ([0.30, 0.30], {"within": 0.01}, "not seen", "off by 203.3"),
        ([0.30, 0.92 / 3], {"within": 0.01, "times": 1 / 3}, "seen", "0.0 +- 0.0 %"),
        ([0.90, 0.95], {"within": 0.02}, "undecided", "off by -1.6 +- 2.2 %"),
        ([0.90], {"within": 0.01}, "undecided", "off by 0.0 % (1 seeds"),
        ([], {"within": 0.01}, "not run", ""),
    ],
)
def test_two_rows_are_one_number_seed_by_seed(values, more, verdict, words):
    given = {"text": "words", "equal": ["c/a", "c/b"], **more}
    found = study_files.patterns(study(row("c/a", [0.90, 0.92]), row("c/b", values), patterns=[given]))[0]
    assert found.verdict == verdict and words in found.numbers


def test_the_ledger_s_copy_keeps_the_curves_its_table_names():
    one = row("c/a", [0.9], curves={"knn": [0.1], "s": [1.0]}, loss=[3.0])
    kept = study_files.slim(study(one, curves=["knn"]))["rows"][0]["runs"][0]
    assert kept["curves"] == {"knn": [0.1]} and "loss" not in kept
    assert "curves" not in study_files.slim(study(one))["rows"][0]["runs"][0]


def test_the_table_keeps_printed_and_measured_apart():
    lives = {"verdict": "lives", "alive": 0.75, "rank": 4.0}
    shown = study_files.text(study(
        row("c/a", [0.90, 0.92], printed=75.1, alarm="healthy", theory=lives), row("c/b", [None]), row("c/none", []),
        patterns=[pattern("c/a", "c/b")],
    ))  # fmt: skip
    lines = shown.splitlines()
    heads, first = lines[2], lines[4]
    assert heads.index("printed %") < heads.index("measured %") and "scale small" in shown
    assert first[heads.index("printed %") :].startswith("75.1 ")
    assert first[heads.index("measured %") :].startswith("91.0 +- 1.4")
    assert first.endswith("lives 0.75, rank 4.0")
    assert "diverged" in lines[5] and "not run: c/none" in shown
    assert study_files.markdown(study(A, B)).count("\n|") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no study file"),
        ("[]", "has no key 'lindyn_study'"),
        ('{"a": 1}', "has no key 'lindyn_study'"),
        ('{"lindyn_study": 99}', "study schema 99, this lindyn reads 1; update lindyn"),
    ],
)
def test_a_damaged_study_file_is_refused(tmp_path, text, message):
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        study_files.read(path)
    with pytest.raises(ValueError, match="Cannot read the study"):
        study_files.read(tmp_path / "none.json")


def test_the_configuration_is_split_into_what_is_shared_and_what_is_not():
    shared, own = study_files.split_configuration([{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1}])
    assert shared == {"a": 1} and own == [{"b": 2}, {"b": 3}, {}]


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """Return a function that puts a study beside tian2021's claims and judges one of them."""
    (tmp_path / "tian2021" / "studies").mkdir(parents=True)
    monkeypatch.setattr(ledger, "folder", lambda name: tmp_path / name)
    printed = {"a": "75.1", "b": "36.6"}
    claim = papers.LedgerRow("table-3-linear", "t", "Table 3", "training", printed=printed, needs="a GPU")

    def judged(*given, scale="small"):
        content = study(*given, patterns=[pattern("table-3-linear/a", "table-3-linear/b", claim="table-3-linear")])
        content["scale"] = scale
        (tmp_path / "tian2021" / "studies" / "table3-small.json").write_text(json.dumps(content), encoding="utf-8")
        return ledger.judge(claim, paper="tian2021")

    return judged


def test_the_ledger_reads_what_was_measured_and_never_mixes_it_with_the_print(paper):
    high, low = row("table-3-linear/a", [0.9, 0.92]), row("table-3-linear/b", [0.3, 0.31])
    seen = paper(high, low)
    assert seen.status == "seen (small scale)" and seen.measured.startswith("at scale small: seen: words")
    assert [(one.name, one.scale, one.value.seeds) for one in seen.trained] == [("a", "small", 2), ("b", "small", 2)]
    assert seen.trained[0].value.mean == pytest.approx(0.91) and seen.claim.printed["a"] == "75.1"
    line = ledger_pages._training(seen)
    assert "| a: 75.1; b: 36.6 | scale small, 2 seeds: a: 91.0 +- 1.4, b: 30.5 +- 0.7 |" in line


def test_runs_without_an_evaluation_show_their_effective_rank(paper):
    ranks = [{"seed": seed, "effective_rank": rank} for seed, rank in enumerate((4.0, 4.4))]
    seen = paper({**row("table-3-linear/a", []), "runs": ranks}, row("table-3-linear/b", [0.3]))
    assert seen.trained[0].text == "effective rank 4.2 +- 0.3" and seen.trained[1].text == "30.0"


def test_the_ledger_says_where_the_printed_order_was_not_seen(paper):
    high, low = row("table-3-linear/a", [0.9, 0.92]), row("table-3-linear/b", [0.3, 0.31])
    high["runs"], low["runs"] = low["runs"], high["runs"]
    assert paper(high, low).status == "not seen (small scale)"
    assert paper(high, row("table-3-linear/b", [0.2, 0.4])).status == "undecided (within the spread)"
    nothing = paper(row("other/a", [0.9]))
    assert nothing.status == "not run" and nothing.measured == "needs a GPU" and not nothing.trained


def test_only_the_papers_own_scale_decides_a_printed_order(paper):
    high, low = row("table-3-linear/a", [0.9, 0.92]), row("table-3-linear/b", [0.3, 0.31])
    assert paper(high, low, scale="paper").status == "holds (numbers)"
    high["runs"], low["runs"] = low["runs"], high["runs"]
    assert paper(high, low, scale="paper").status == "fails (counter-example)"


def test_one_seed_decides_nothing():
    content = study(row("x/a", [0.9]), row("x/b", [0.1, 0.1]), patterns=[pattern("x/a", "x/b")])
    assert study_files.patterns(content)[0].verdict == "undecided"


def test_committed_studies_print_what_the_ledger_prints():
    for name in papers.PAPERS:
        printed = {claim.id: claim.printed for claim in papers.load(name)}
        for content in study_files.committed(papers.folder(name)):
            assert content["paper"] == name and content["scale"] in ("small", "paper")
            for one in study_files.rows(content):
                if one["printed"] is not None:
                    assert float(printed[one["claim"]][one["name"]].split(" ")[0].split("/")[0]) == one["printed"]
                assert len({run["seed"] for run in one["runs"]}) == len(one["runs"])
