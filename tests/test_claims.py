"""The ledger: rows are well formed, statuses follow from what runs, committed reports are fresh."""

from pathlib import Path

import pytest

import lindyn
from lindyn import papers
from lindyn.proofs import STATEMENTS

ROWS = [(paper, claim) for paper in papers.PAPERS for claim in papers.load(paper)]


@pytest.mark.parametrize(
    "paper", [pytest.param(p, marks=pytest.mark.slow) if p == "tian2021" else p for p in papers.PAPERS]
)
def test_committed_report_is_fresh(paper):
    assert not papers.is_stale(paper), f"run: lindyn prove --reports  (papers_repro/{paper}/REPORT.md is stale)"


def test_the_page_on_proofs_lists_the_slips_as_they_are():
    page = (Path(__file__).parents[1] / "docs" / "proofs.md").read_text(encoding="utf-8")
    assert page == papers.with_slips(page), "run: lindyn prove --reports  (docs/proofs.md is stale)"
    with pytest.raises(ValueError, match="must hold the marks"):
        papers.with_slips("no marks")


def test_every_row_is_decided_or_says_what_it_needs():
    for paper, claim in ROWS:
        assert claim.proof or claim.audit or claim.measure or claim.needs, (paper, claim.id)
        assert claim.kind == "training" or not claim.printed
        if claim.kind == "training":
            assert not (claim.proof or claim.audit or claim.measure)
            assert papers.judge(claim).status == "not run"  # without its paper's studies


def test_every_statement_of_the_print_is_in_the_ledger():
    named = {claim.proof for _, claim in ROWS}
    assert {statement.name for statement in STATEMENTS} <= named


def row(**fields):
    return papers.LedgerRow(**{"id": "x", "text": "t", "source": "s", "kind": "identity"} | fields)


def test_status_follows_from_what_ran(monkeypatch):
    assert papers.judge(row()).status == "not run"
    assert papers.judge(row(proof="tian.eq_16")).status == "proved"
    assert papers.judge(row(measure="training_units", expected=1e-9)).status == "holds (numbers)"
    assert papers.judge(row(measure="training_units", expected=-1.0)).status == "fails (counter-example)"
    assert papers.judge(row(proof="tian.tau_bounds", audit="Obs. #8")).status == "holds with a correction"
    assert papers.judge(row(proof="tian.eq_15", audit="Eq. 15")).status == "proved"  # what differs is a reading of ours
    assert papers.judge(row(audit="Stiefel predictor, scale")).status == "fails (counter-example)"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"proof": "tian.eq_160"}, "Did you mean 'tian.eq_16'"),
        ({"measure": "training_unit", "expected": 1.0}, "Did you mean 'training_units'"),
        ({"measure": "training_units"}, "without saying what is expected"),
        ({"audit": "Eq. 155"}, "Did you mean"),
    ],
)
def test_a_row_that_names_nothing_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        papers.judge(row(**fields))


def test_unknown_paper():
    with pytest.raises(ValueError, match="Did you mean 'tian2021'"):
        papers.load("tian2020")


def test_a_figure_that_was_run_decides_its_row():
    from lindyn.papers import Claim, FigureResult

    asked = row(kind="simulation", figure=4, needs="lindyn reproduce")
    good, bad = Claim("a", "1", "1", True), Claim("b", "2", "1", False)
    wrong_print = Claim("c", "2", "1", False, fails_as_printed=True, instead="the corrected one")
    for results, status in (
        ([good], "holds (numbers)"),
        ([good, bad], "fails (counter-example)"),
        ([good, wrong_print], "holds with a correction"),
    ):
        judged = papers.judge(asked, {4: FigureResult("tian2021", 4, results)})
        assert judged.status == status
    assert papers.judge(asked, {4: FigureResult("tian2021", 4, error="no disk")}).status == "not run"
    assert papers.judge(asked).status == "checked by its figure, not here"


@pytest.mark.parametrize(
    ("old", "name", "new"),
    [
        ("claims", "Claim", "LedgerRow"),
        ("claims", "Measured", "MeasuredClaim"),
        ("claims", "judge", "judge"),
        ("reproduction", "Claim", "Claim"),
        ("reproduction", "reproduce", "reproduce"),
    ],
)
def test_former_names_go_on_working_and_warn(old, name, new):
    module = getattr(lindyn, old)
    with pytest.warns(DeprecationWarning, match=rf"lindyn.{old}.{name} is now lindyn.papers.{new}"):
        assert getattr(module, name) is getattr(papers, new)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing
