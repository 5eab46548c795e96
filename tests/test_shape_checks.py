"""The run-time shape checks of the tests themselves: they are on, and they catch a flow that answers wrongly."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

import lindyn as ld
from tests.shapes import check_call

FLOW = ld.WeightFlow(ld.Hyperparameters(), ld.Moments.isotropic(4, 0.2))
Y = ld.WeightState.random(3, 4)


def test_every_flow_call_is_checked():
    assert hasattr(ld.WeightFlow.__call__, "__wrapped__")
    FLOW(0.0, Y)


@pytest.mark.parametrize(
    "wrong",
    [
        {"W": np.zeros((4, 3))},
        {"W_p": np.zeros(3)},
        {"W_a": np.zeros((3, 4), np.float32)},
        {"W": np.zeros((3, 4), int)},
    ],
)
def test_wrong_shapes_and_dtypes_are_caught(wrong):
    good = ld.WeightState._unchecked(W=np.zeros((3, 4)), W_p=np.zeros((3, 3)), W_a=np.zeros((3, 4)))
    check_call(FLOW, Y, good)
    with pytest.raises(TypeCheckError):
        check_call(FLOW, Y, good._replace(**wrong))


def test_another_kind_of_answer_is_caught():
    with pytest.raises(AssertionError, match="answered with ModeState"):
        check_call(FLOW, Y, ld.ModeState(1.0, 1.0))
