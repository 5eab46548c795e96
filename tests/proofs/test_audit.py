"""The audit of the print and the theorem x assumption table."""

import functools

import pytest

from lindyn import proofs
from lindyn.proofs import Printed, printed, theorem_table
from lindyn.proofs.letters import p, s
from lindyn.proofs.printed import compare
from lindyn.proofs.steps import ScalarIdentity


@functools.cache
def audit():
    return {found.entry.name: found for found in proofs.audit()}


@functools.cache
def table():
    return {(cell.row, cell.column): cell for cell in proofs.table()}


def test_every_difference_has_a_correction_that_is_proved_and_numbers():
    for found in audit().values():
        assert found.kind in printed.KINDS and found.kind != "undecided", found
        if found.kind != "agrees":
            assert found.entry.corrected and found.counter_example, found.entry.name


KNOWN = {
    "Lemma 1": "agrees",
    "Theorem 1": "other assumptions",
    "No predictor": "missing condition",
    "Eqs. 8-9": "agrees",
    "Eq. 9, unequal decays": "missing condition",
    "Theorem 3, bound": "not sharp",
    "Eq. 15": "missing condition",
    "Fixed points": "other assumptions",
    "Stability at the edge": "missing condition",
    "Eq. 17, 'iff'": "not necessary",
    "Obs. #6": "other assumptions",
    "Obs. #7": "other assumptions",
    "Obs. #8": "missing condition",
    "Multiplicative scrambling": "missing condition",
    "Visser's iteration": "missing condition",
    "Stiefel predictor, side": "other assumptions",
    "DirectPred, Eq. 18": "missing condition",
    "BYOL's optimal predictor": "missing condition",
    "BYOL's optimal predictor, side": "other assumptions",
    "Expected conditional variance": "agrees",
    "Conditioning lowers variance": "agrees",
    "tau_base as beta": "other assumptions",
    "Fast predictor": "other assumptions",
}


@pytest.mark.parametrize("name", KNOWN)
def test_kind_of_difference(name):
    assert audit()[name].kind == KNOWN[name]


def test_the_kind_follows_from_what_runs():
    true, false = (lambda: [ScalarIdentity("", p, p)]), (lambda: [ScalarIdentity("p = s", p, s)])
    entry = functools.partial(Printed, "n", "s", "p")
    assert compare(entry(true)).kind == "agrees"
    assert compare(entry(false)).kind == "misprint"
    assert "against" in compare(entry(false)).counter_example
    assert compare(entry(false, with_condition=true)).kind == "missing condition"
    assert compare(entry(true, elsewhere=false)).kind == "other assumptions"
    assert compare(entry(true, weaker=true)).kind == "not sharp"
    assert compare(entry(true, correct=false)).kind == "undecided"


def test_table_is_complete_and_every_failing_cell_has_numbers():
    assert len(table()) == len(proofs.THEOREMS) * len(theorem_table.COLUMNS)
    for cell in table().values():
        assert cell.verdict in ("holds", "fails", "n/a") and cell.evidence
        assert cell.verdict != "fails" or any(letter.isdigit() for letter in cell.evidence)


@pytest.mark.parametrize(
    ("row", "column", "verdict"),
    [
        ("Theorem 1 (balancing)", "full flow", "holds"),
        ("Theorem 1 (balancing)", "1+2+3", "fails"),
        ("trace of the balance", "1+2+3", "holds"),
        ("Theorem 2 (dW = -HW)", "target ema", "n/a"),
        ("Theorem 2 (certain decay)", "eta = 0", "fails"),
        ("Theorem 3 (printed 3 eta/2)", "eta_p != eta_s", "fails"),
        ("Theorem 3 (eta_s + eta_p/2)", "eta_p != eta_s", "holds"),
        ("Theorem 3 (eta_s + eta_p/2)", "1+2", "fails"),
        ("Eq. 14 (integral)", "eta_p != eta_s", "fails"),
        ("collapse above critical", "target frozen", "fails"),
        ("collapse above critical", "eta = 0", "n/a"),
        ("Appendix D fixed points", "eta = 0", "holds"),
        ("Eq. 17 (formula)", "1+2+3", "holds"),
        ("Eq. 17 (formula)", "eta_p != eta_s", "fails"),
        ("Eq. 17 (if: it aligns)", "1+2+3", "holds"),
        ("Eq. 17 (only if)", "1+2+3", "fails"),
        ("Eq. 17 by pairs (iff k_i + k_j > 0)", "eta_p != eta_s", "holds"),
        ("p_- rises with eta (Obs. #4)", "eta = 0", "holds"),
        ("p_- falls with tau (Obs. #10)", "eta = 0", "fails"),
        ("Obs. #6 (at a given state)", "1+2+3", "holds"),
        ("Obs. #6 (at the living point)", "1+2+3", "fails"),
        ("Obs. #7 (at the living point)", "eta_p != eta_s", "fails"),
        ("scrambling: W_p W = W P rests", "1+2", "n/a"),
    ],
)
def test_cells(row, column, verdict):
    assert table()[row, column].verdict == verdict, table()[row, column].evidence


def test_a_gap_in_the_machinery_is_not_passed_over():
    class Stuck:
        text = "stuck"

        def run(self):
            return type("Outcome", (), {"passed": False})()

    with pytest.raises(RuntimeError, match="neither proved nor refuted"):
        theorem_table.decide(theorem_table.Theorem("t", lambda setting: [Stuck()]), "full flow", {})


def test_prints():
    text = proofs.audit_text(tuple(audit().values()))
    assert "printed:" in text and "Agree with the derivation" in text
    cells = tuple(table().values())
    assert (
        "Where it fails:" in proofs.table_text(cells)
        and proofs.table_markdown(cells).count("\n") == len(proofs.THEOREMS) + 1
    )
