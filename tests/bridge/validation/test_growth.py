"""Stable rank and trace along a run: the first checkpoint against the last."""

from dataclasses import replace

import numpy as np
import pytest

from lindyn import observables
from lindyn.bridge import validate
from lindyn.bridge.checkpoints import read_checkpoint
from lindyn.bridge.laws import LAWS, KnownRun, finding
from lindyn.bridge.measure.measuring import measure
from lindyn.bridge.measure.sampled import Sampled
from tests.bridge.validation.originals import FIXTURES
from tests.bridge.validation.synthetic import RATES, of

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


def trace_of(last, first, where="step 0"):
    """Return the finding on the trace at a checkpoint of a run that began with another."""
    return finding(LAWS["trace"], last, KnownRun(RATES, first=first, first_at=where))


def test_the_order_of_the_checkpoints_decides(readings):
    trace = [np.trace(pieces.predictor[0].weight.detach().numpy()) for pieces, _ in (readings[0], readings[-1])]
    (_, first), (_, last) = readings[0], readings[-1]
    verdicts = trace_of(last, first).verdict, trace_of(first, last).verdict
    assert verdicts == (("holds", "fails") if trace[1] > trace[0] else ("fails", "holds"))


def test_one_checkpoint_other_maps_and_overlapping_intervals_decide_nothing(readings):
    first, last = readings[0][1], readings[-1][1]
    alone = trace_of(last, None, "")
    assert alone.verdict == "not testable" and alone.reason.startswith("One checkpoint shows no growth")
    other = replace(first, maps=(replace(first.main, kind="mean Jacobian"),))
    assert trace_of(last, other).reason == alone.reason
    assert trace_of(last, replace(first, maps=())).reason == alone.reason
    wide = replace(first, shape={}, leading=3, readings={"trace": Sampled(np.array(1.0), np.linspace(-99, 99, 50), 5)})
    found = trace_of(last, wide)
    assert found.verdict == "not testable" and found.reason.startswith("The intervals overlap: it went from")
