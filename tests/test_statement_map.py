"""Where statements stand: every side names statements that are there, and each proof is seen to read the equations."""

import dataclasses
import inspect
import sys

import numpy as np
import pytest

from lindyn.bridge.laws import LAWS
from lindyn.cli import main
from lindyn.equations import weights
from lindyn.papers import ledger, statement_map
from lindyn.proofs import STATEMENTS, entries, equations_of, statement_named
from lindyn.verification.applicable import CHECKS

LONG = {
    "beyond.jacobians", "beyond.symmetrised_balance", "beyond.time_on_the_parabola", "tian.eq_15", "tian.theorem_2",
    "closed_form.regression_other_attractor",
}  # fmt: skip
NAMES = [pytest.param(s.name, marks=pytest.mark.slow) if s.name in LONG else s.name for s in STATEMENTS]


def test_every_name_leads_to_a_statement():
    found = statement_map.joins(LAWS.values())
    assert statement_map.unresolved(found) == ()
    assert {join.kind for join in found if join.statements} == set(statement_map.KINDS)


def test_every_statement_is_a_claim_and_every_audit_entry_is_in_the_ledger():
    found = statement_map.joins()
    claimed = {name for join in found if join.kind == "claim" for name in join.statements}
    assert claimed == {statement.name for statement in STATEMENTS}
    rows = [row for paper in ledger.PAPERS for row in ledger.load(paper) if row.audit]
    assert {row.audit for row in rows} == {entry.name for entry in entries()}
    printed = {entry.name: {one.name for one in entry.statements} for entry in entries()}
    assert all(row.proof in printed[row.audit] for row in rows if row.proof)  # two ways to one statement


@pytest.mark.parametrize("name", NAMES)
def test_a_proof_is_seen_to_read_equations_or_says_why_it_reads_none(name):
    statement = statement_named(name)
    assert bool(equations_of(statement)) != bool(statement.no_equation)


def test_the_equations_are_those_that_the_steps_call():
    class Reading:
        @staticmethod
        def steps():
            weights.antisymmetric_part(np.eye(2) * weights.dW_a(2.0, 1.0, 0.5))
            return iter(())

    before = sys.gettrace()
    assert {code.co_name for code in equations_of(Reading)} == {"antisymmetric_part", "dW_a"}
    assert sys.gettrace() is before


def test_the_place_of_theorem_1():
    found = statement_map.place(statement_named("tian.theorem_1"), statement_map.joins(LAWS.values()))
    line = inspect.getsourcelines(weights.dW)[1]
    assert ("weights.dW", f"lindyn/equations/weights.py:{line}") in found.equations
    assert found.proof[1].startswith("lindyn/proofs/sheets/tian_weights.py:")
    assert {kind: [join.name for join in found.of(kind)] for kind in statement_map.KINDS} == {
        "print": ["Theorem 1", "Theorem 1, appendix"],
        "check": ["tian.theorem_1"],
        "law": ["constant", "balance"],
        "claim": ["tian2021/theorem-1", "tian2021/slip-theorem-1"],
    }


def damaged_check(monkeypatch):
    checks = [dataclasses.replace(one, name="tian.theorm_1") if one.name == "tian.theorem_1" else one for one in CHECKS]
    monkeypatch.setattr(statement_map, "CHECKS", tuple(checks))


def damaged_print(monkeypatch):
    wrong = dataclasses.replace(statement_named("tian.theorem_1"), name="tian.theorm_1")
    given = [dataclasses.replace(one, statements=(wrong,)) if one.name == "Theorem 1" else one for one in entries()]
    monkeypatch.setattr(statement_map, "entries", lambda: tuple(given))


def damaged_claim(monkeypatch):
    load = statement_map.load
    monkeypatch.setattr(
        statement_map,
        "load",
        lambda paper: [
            dataclasses.replace(row, proof="tian.theorm_1") if row.id == "theorem-1" else row for row in load(paper)
        ],
    )


def damaged_law(monkeypatch):
    wrong = dataclasses.replace(LAWS["balance"], statements=("tian.theorm_1",))
    monkeypatch.setitem(LAWS, "balance", wrong)


@pytest.mark.parametrize("damage", [damaged_check, damaged_print, damaged_claim, damaged_law])
def test_one_damaged_name_is_found(damage, monkeypatch, capsys):
    damage(monkeypatch)
    found = statement_map.unresolved(statement_map.joins(LAWS.values()))
    kind = damage.__name__.removeprefix("damaged_")
    assert found and all("names the statement 'tian.theorm_1'" in one for one in found)
    assert found[0].startswith(kind) and "Did you mean 'tian.theorem_1'?" in found[0]
    assert main(["prove", "tian.eq_16", "--where"]) == 1 and found[0] in capsys.readouterr().out


def test_a_damaged_audit_entry_is_found(monkeypatch):
    load = statement_map.load
    monkeypatch.setattr(
        statement_map, "load", lambda paper: [dataclasses.replace(row, audit="Theorm 1") for row in load(paper)]
    )
    with pytest.raises(ValueError, match="Did you mean 'Theorem 1'"):
        statement_map.joins()


def test_where_from_the_command_line(capsys):
    assert main(["prove", "tian.theorem_3_sharp", "--where"]) == 0
    out = capsys.readouterr().out
    heads = [line.split()[0] for line in out.splitlines()[2:]]
    assert heads == ["equation", "proof", "print", "check", "law", "claim"]
    assert "none: an inequality for antisymmetric L" in out and "tian2021/theorem-3-bound" in out


def test_where_without_torch_says_what_the_laws_need(monkeypatch, capsys):
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest))
    assert main(["prove", "tian.eq_16", "--where"]) == 0
    assert "law       needs torch" in capsys.readouterr().out


@pytest.mark.slow
def test_where_all_of_them_as_a_table(capsys):
    assert main(["prove", "--where"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : len(STATEMENTS) + 1]] == [one.name for one in STATEMENTS]
    assert lines[len(STATEMENTS) + 1].startswith("print of no statement: Training decay")
