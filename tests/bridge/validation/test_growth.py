"""Stable rank and trace along a run: the first checkpoint against the last."""

from dataclasses import replace

import numpy as np
import pytest

from lindyn import observables
from lindyn.bridge import validate
from lindyn.bridge.checkpoints import read_checkpoint
from lindyn.bridge.laws import predictor_shape
from lindyn.bridge.laws.growth import with_growth
from lindyn.bridge.measure.measuring import measure
from tests.bridge.validation.originals import FIXTURES
from tests.bridge.validation.synthetic import of

RUN = FIXTURES / "lindyn" / "linear"
FILES = sorted(RUN.glob("*.ckpt"))


@pytest.fixture(scope="module")
def readings():
    pieces = [read_checkpoint(path) for path in FILES]
    return [(one, measure(None, one.predictor)) for one in pieces]


def test_growth_is_told_from_the_first_checkpoint_to_the_last(readings):
    matrices = [pieces.predictor[0].weight.detach().double().numpy() for pieces, _ in readings]
    found = of(validate(RUN, samples=300).findings, "stable_rank")
    first, last = (float(observables.stable_rank(M)) for M in (matrices[0], matrices[-1]))
    assert found.value == pytest.approx(last, rel=1e-6) and found.details["first"] == pytest.approx(first, rel=1e-6)
    assert found.verdict == ("holds" if last > first else "fails")
    assert f"at {found.details['first_at']} to" in found.reason and found.details["first_at"] == "step 0"


def test_the_order_of_the_checkpoints_decides(readings):
    trace = [np.trace(pieces.predictor[0].weight.detach().numpy()) for pieces, _ in (readings[0], readings[-1])]
    grows = trace[1] > trace[0]
    there = with_growth(predictor_shape.findings(readings[-1][1]), readings)
    back = with_growth(predictor_shape.findings(readings[0][1]), readings[::-1])
    assert (of(there, "trace").verdict, of(back, "trace").verdict) == (
        ("holds", "fails") if grows else ("fails", "holds")
    )


def test_one_checkpoint_other_maps_and_overlapping_intervals_decide_nothing(readings):
    last = predictor_shape.findings(readings[-1][1])
    assert with_growth(last, readings[-1:]) == last
    other = tuple(replace(one, map_kind="least squares") for one in last)
    assert of(with_growth(other, readings), "trace") is of(other, "trace")
    wide = tuple(replace(one, low=-1e9, high=1e9) for one in last)
    found = of(with_growth(wide, readings), "trace")
    assert found.verdict == "not testable" and found.reason.startswith("The intervals overlap")
