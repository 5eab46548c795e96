"""Known-answer systems: both engines at their default tolerance against stored references of about 20 digits.

Agreement to 1e-8 relative means: of every entry for modes; of every block (W, W_p, F, ...) in Frobenius norm for
matrices; at every saved time.
"""

import json

import numpy as np
import pytest
from mpmath import mp

import lindyn as ld
from tests.catalogue import CATALOGUE, FRACTIONS
from tests.references import make

STORED = json.loads(make.FILE.read_text())["systems"]
TOLERANCE = 1e-8


def reference(name):
    """The stored blocks as float64 arrays, times first."""
    states = STORED[name]["states"]
    return {block: np.array([np.array(state[block], dtype=float) for state in states]) for block in states[0]}


def relative_error(kind, got, want):
    """The largest relative difference over times (and entries, for modes)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind in ("modes", "mode_weights", "parabola"):
            ratios = np.where(want == 0, np.where(got == 0, 0.0, np.inf), np.abs(got - want) / np.abs(want))
        else:
            axes = tuple(range(1, want.ndim))
            off, size = (np.sqrt(np.sum(M**2, axis=axes)) for M in (got - want, want))
            ratios = np.where(size == 0, np.where(off == 0, 0.0, np.inf), off / size)
    return float(np.max(ratios))


def runs():
    """Yield every system with every engine; diffrax compiles each anew, so that one of a kind is in the fast suite."""
    seen = set()
    for name, make_system in CATALOGUE.items():
        system = make_system()
        for engine in system.engines:
            marks = [pytest.mark.slow] if engine == "diffrax" and system.kind in seen else []
            seen |= {system.kind} if engine == "diffrax" else set()
            yield pytest.param(name, engine, marks=marks)


@pytest.mark.parametrize(("name", "engine"), list(runs()))
def test_default_tolerance_reaches_1e_8(name, engine):
    system, want = CATALOGUE[name](), reference(name)
    run = ld.simulate(system.flow, system.start, system.ts, engine=engine)
    assert run.outcome_name == "reached"
    np.testing.assert_array_equal(run.ts, system.ts)
    for block in run.states._fields():
        error = relative_error(system.kind, getattr(run.states, block), want[block])
        assert error < TOLERANCE, f"{block} of {name} is off by {error:.1e}"
    assert fate(run, system.fate)


def fate(run, expected):
    """Whether the weights grew or held (lives), or fell to less than 1 % (collapses), as the theory says they do."""
    state = run.states
    sizes = state.s if hasattr(state, "s") else state.w**2 if hasattr(state, "w") else None
    if sizes is None and isinstance(state, ld.ParabolaState):
        sizes = state.p**2
    ratio = ld.observables.collapse(run)[-1] if sizes is None else sizes[-1] / sizes[0]
    return {None: True, "lives": bool(np.all(ratio > 0.1)), "collapses": bool(np.all(ratio < 1e-2))}[expected]


@pytest.mark.parametrize("name", CATALOGUE)
def test_stored_references_belong_to_the_catalogue(name):
    """The file holds the inputs it was made from; after a change: python -m tests.references.make NAME."""
    entry = STORED[name]
    assert entry["inputs"] == json.loads(json.dumps(CATALOGUE[name]().inputs()))
    assert entry["error_estimate"] < 1e-15
    assert len(entry["states"]) == len(FRACTIONS)


@pytest.mark.parametrize(
    ("name", "precision", "times"),
    [
        ("modes_frozen_target", (24, 26), None),
        ("parabola_tiny_start", (24, 26), None),
        ("full_no_predictor", (22, 24), None),
        ("gram_ema", (22, 24), 5),
        ("mode_weights_fast_target_long", (20, 6), 3),
    ],
)
def test_stored_references_come_out_again(name, precision, times):
    """Recomputed now, at other precision and order, over the first times."""
    system = CATALOGUE[name]()
    with mp.workdps(30):
        stored = [{b: make.as_mpf(v) for b, v in state.items()} for state in STORED[name]["states"][:times]]
        again = make.solve(system, *precision, times)
        assert make.difference(system, stored, again) < 1e-16


def test_catalogue_covers_what_it_should():
    """At least 20 systems; every kind; the ranges of the rates."""
    systems = [make_system() for make_system in CATALOGUE.values()]
    assert len(systems) >= 20
    assert {s.kind for s in systems} == {"weights", "gram", "correlation", "modes", "mode_weights", "parabola"}
    rates = {name: [s.given[name] for s in systems if name in s.given] for name in ("alpha_p", "beta", "eta")}
    assert min(rates["alpha_p"]) <= 0.01 and max(rates["alpha_p"]) >= 100
    assert min(rates["beta"]) <= 1e-3 and max(rates["beta"]) >= 1e3
    assert min(rates["eta"]) == 0 and max(rates["eta"]) > 0.2
    assert max(s.t1 for s in systems) >= 1000
