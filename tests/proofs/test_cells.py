"""Every applicable cell of theorem x assumptions runs a flow, and sabotaging that flow moves the cell."""

import collections
import functools
from dataclasses import replace

import pytest
import sympy

from lindyn.flows import CorrelationFlow, ModeFlow, ModeWeightFlow, WeightFlow
from lindyn.proofs import rows_matrices, theorem_table
from lindyn.proofs.algebra import WordRates
from lindyn.proofs.letters import n2
from lindyn.proofs.network_rates import Network

FLOWS = {flow.__name__: (flow, "__call__") for flow in (WeightFlow, CorrelationFlow, ModeFlow, ModeWeightFlow)} | {
    "Network.push": (Network, "push"), "Network._one_mode": (Network, "_one_mode"),
    "Network.mode_rates": (Network, "mode_rates"),
}  # fmt: skip
CELLS = [(theorem, column, changes) for theorem in theorem_table.THEOREMS for column, changes in theorem_table.COLUMNS]


@functools.cache
def table():
    return {(cell.row, cell.column): cell for cell in theorem_table.table()}


def noting(plain, name, seen):
    def counted(self, *args, **more):
        seen.add(name)
        return plain(self, *args, **more)

    return counted


def calls(theorem, changes, monkeypatch):
    """Return the flows that are called while the steps of a cell are made."""
    seen = set()
    with monkeypatch.context() as patch:
        for name, (home, method) in FLOWS.items():
            patch.setattr(home, method, noting(getattr(home, method), name, seen))
        theorem.steps(theorem.home.having(**changes))
    return seen


Z, z = sympy.MatrixSymbol("Z", n2, n2), sympy.Symbol("z", positive=True)
ADDED = {  # what a sabotaged flow adds to its rates: matrices that share no eigenvectors with those that are there
    "WeightFlow": lambda y: {"W": Z * y.W, "W_p": Z, "W_a": Z * y.W_a},
    "CorrelationFlow": lambda y: {"W_p": Z + Z.T, "F": Z * y.F + y.F * Z.T},
    "ModeFlow": lambda y: {"p": z, "s": y.s + z, "tau": y.tau},
    "ModeWeightFlow": lambda y: {"p": z, "w": z * y.w, "a": z},
}


def sabotaged(name):
    """Return a method whose rates have a part that they do not have."""
    home, method = FLOWS[name]
    plain = getattr(home, method)

    def flow(self, t, y, args=None):
        rate, added = plain(self, t, y, args), ADDED[name](y)
        whole = {key: getattr(rate, key) + added.get(key, 0) if key in added else getattr(rate, key) for key in vars(y)}
        return type(rate)._unchecked(**whole)

    def push(self, *args, **more):
        G, rate, W_n = plain(self, *args, **more)
        return G + Z * W_n, rate + Z * W_n, W_n

    def one_mode(self, w, a, *args, **more):
        dw, residual, w_n = plain(self, w, a, *args, **more)
        return dw + 5 * w, residual + w / 3, w_n

    def mode_rates(self, *args):
        rates = plain(self, *args).scalars
        return WordRates(scalars={letter: rate + z for letter, rate in rates.items()})

    own = {"Network.push": push, "Network._one_mode": one_mode, "Network.mode_rates": mode_rates}
    return own.get(name, flow)


def decided(theorem, column, changes):
    try:
        cell = theorem_table.decide(theorem, column, changes)
    except RuntimeError:  # neither proved nor refuted: it has moved
        return "moved", ""
    return cell.verdict, cell.evidence


@pytest.mark.slow
def test_every_applicable_cell_runs_a_flow_and_moves_with_it(monkeypatch, capsys):
    """Each flow in turn; a cell that no sabotage moves is a defect. Prints how many cells each flow moved."""
    rows_matrices.ungoverned.cache_clear()
    applicable = [one for one in CELLS if table()[one[0].name, one[1]].verdict != "n/a"]
    called = {(theorem.name, column): calls(theorem, changes, monkeypatch) for theorem, column, changes in applicable}
    assert [cell for cell, flows in called.items() if not flows] == []
    moved = collections.defaultdict(set)
    for name, (home, method) in FLOWS.items():
        with monkeypatch.context() as patch:
            patch.setattr(home, method, sabotaged(name))
            for theorem, column, changes in applicable:
                cell = table()[theorem.name, column]
                if name in called[theorem.name, column]:
                    plain = replace(theorem, premise=lambda setting: "")
                    if decided(plain, column, changes) != (cell.verdict, cell.evidence):
                        moved[name].add((cell.row, cell.column))
    with capsys.disabled():
        print({name: len(cells) for name, cells in moved.items()}, "of", len(applicable))
    still = set(called) - set().union(*moved.values())
    assert still == set(), still


def test_no_counter_example_serves_two_rows():
    """A cell that fails does so by numbers of its own row, but for rows that are one statement with two readings."""
    by = collections.defaultdict(set)
    for cell in table().values():
        if cell.verdict == "fails":
            by[cell.column, cell.evidence].add(cell.row)
    shared = {rows for rows in map(frozenset, by.values()) if len(rows) > 1}
    for rows in shared:
        assert len({row.split(" (")[0].split(", s =")[0] for row in rows}) == 1, rows
