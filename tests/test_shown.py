"""Records show themselves in one short line, and in a notebook as a table in which nothing is taken for HTML."""

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest
import torch

import lindyn as ld
from lindyn import proofs
from lindyn._records import Record
from lindyn.display.brief import Brief, brief, notebook
from lindyn.verification import verify


@pytest.fixture(scope="module")
def run():
    return ld.simulate(ld.WeightFlow(ld.Hyperparameters(), ld.Moments.isotropic(6, 0.2)), ld.WeightState.random(3, 6))


@dataclasses.dataclass(frozen=True, repr=False)
class Thing(Brief):
    a: object
    b: object = None


CASES = [
    (np.str_("stable"), "'stable'"),
    (np.float64(1 / 3), "0.333333"),
    (np.array(2.5), "2.5"),
    (np.complex128(1.5), "1.5"),
    (np.array([1.0, 2.0]), "[1, 2]"),
    (np.zeros((8, 32)), "<8 x 32>"),
    (torch.zeros(2, 3), "<2 x 3>"),
    ([1, "a", None], "[1, 'a', None]"),
    (list(range(50)), "[50 int]"),
    ((Thing(1), Thing(2)), "[2 Thing]"),
    ({"a": np.zeros(9), "b": True}, "{'a': <9>, 'b': True}"),
    (len, "len"),
    (object(), "object"),
    ("x" * 99, repr("x" * 57 + "...")),
    (np.int64(3), "3"),
    (float("nan"), "nan"),
]


@pytest.mark.parametrize(("value", "shown"), CASES, ids=[shown for _, shown in CASES])
def test_values_are_shown_in_a_few_words(value, shown):
    assert brief(value) == shown


def test_records_within_records_are_named_only():
    assert repr(Thing(np.ones(99), Thing(1))) == "Thing(a=<99>, b=Thing(a=1, b=None))"
    assert repr(Thing(1, Thing("x" * 50, "y" * 50))) == "Thing(a=1, b=Thing(...))"


def test_no_dataclass_of_lindyn_dumps_its_arrays():
    """Every public record takes its repr from `Brief`, or has one of its own: none is the dataclass's."""
    import lindyn

    generated = []
    for module in pkgutil.walk_packages(lindyn.__path__, "lindyn."):
        if module.name.startswith("lindyn._") or module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.name:
                own = "__create_fn__" in value.__repr__.__qualname__ or hasattr(value.__repr__, "__wrapped__")
                types = " ".join(str(field.type) for field in dataclasses.fields(value))
                if own and ("Any" in types or "ndarray" in types) and not value.__name__.startswith("_"):
                    generated.append(f"{module.name}.{value.__name__}")
    assert generated == [], "declare it with repr=False and Brief as its base"


def test_the_main_results_are_one_line(run):
    proof = proofs.prove("tian.integral_of_motion")[0]
    points = ld.theory.fixed_points(eta=0.05)
    lines = [repr(one) for one in (run, verify(run), proof, points, run.final, run.flow)]
    assert all("\n" not in line and len(line) < 400 and "array(" not in line and " at 0x" not in line for line in lines)
    assert "np." not in lines[3] and "stability={'zero': 'stable', 'minus': 'saddle', 'plus': 'stable'}" in lines[3]
    assert "by scipy" in lines[0] and lines[1].startswith("Verification(") and "1 fails" not in lines[1]
    assert lines[2].startswith("Proof('tian.integral_of_motion', proved, ")
    assert isinstance(points, Record)


def test_a_notebook_shows_tables(run):
    for result in (
        run,
        verify(run),
        proofs.prove("tian.integral_of_motion")[0],
        ld.theory.fixed_points(eta=[0.01, 0.3]),
    ):
        shown = result._repr_html_()
        assert shown.startswith("<div>") and "<table" in shown and "array(" not in shown and "np." not in shown


def test_html_is_escaped(run):
    text = notebook("<script>", ("<b>",), [["<img src=x>", 1.0]], "a & b")
    assert "<script>" not in text and "<img" not in text and "a &amp; b" in text and "<td>1</td>" in text
    bad = dataclasses.replace(verify(run), flow="<script>alert(1)</script>")
    assert "<script" not in bad._repr_html_()
