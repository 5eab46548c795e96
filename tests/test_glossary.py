"""One table of names: each stands once, and what shows it reads it there."""

import numpy as np
import pytest
import xarray

import lindyn as ld
from lindyn._options import DESCENT, QUANTITIES
from lindyn.bridge.report import page
from lindyn.display import glossary
from lindyn.display.markup import tag


@pytest.mark.parametrize("kind", glossary.KINDS)
def test_a_name_has_one_meaning(kind):
    found = glossary.terms(kind)
    assert len({term.name for term in found}) == len(found) > 5
    assert all(term.meaning and term.meaning == term.meaning.strip() for term in found)


def test_quantities_are_the_flags_own():
    options = {**QUANTITIES, **DESCENT}
    assert {term.name: (term.meaning, term.unit, term.default) for term in glossary.terms("quantity")} == {
        name: (option.help, option.unit, option.default) for name, option in options.items()
    }


def test_files_and_report_say_what_the_table_says(tmp_path):
    flow = ld.WeightFlow(ld.Hyperparameters(), ld.Moments.isotropic(3, 0.25))
    start = ld.WeightState(W=np.eye(2, 3), W_p=np.eye(2), W_a=np.eye(2, 3))
    ld.simulate(flow, start, t1=1.0).save(tmp_path / "run.nc")
    with xarray.open_dataset(tmp_path / "run.nc") as run:
        assert run["W_a"].attrs["long_name"] == glossary.array_meaning("W_a") == "target weights W_a"
    assert glossary.array_meaning("own") == "own" and glossary.array_meaning("own", "my array") == "my array"
    told = page.glossary(())
    for term in glossary.terms("word"):
        assert str(tag("dt", term.name)) in told
        assert bool(term.formula) == ("<math" in str(told).split(str(tag("dt", term.name)))[1].split("<dt>")[0])
