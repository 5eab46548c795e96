"""Trajectories from starts: the flow's own, forward and backward, and their fate."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import phase


def test_a_path_is_that_of_simulate():
    system = phase.ema(eta=0.05, beta=0.3, x_aug=0.4)
    (path,) = phase.started_paths(system, [(0.1, 0.2, 0.6)], way="forward", t1=20.0)
    flow = ld.ModeFlow(ld.Hyperparameters(1.0, 0.3, 0.05), x=1.0, x_aug=0.4)
    y0 = ld.ModeState(p=np.array([0.1]), s=np.array([0.2]), tau=np.array([0.6]))
    run = ld.simulate(flow, y0, ts=path.t, rtol=1e-12)
    want = np.stack([run.states.p[:, 0], run.states.s[:, 0], run.states.tau[:, 0]], axis=1)
    assert np.max(np.abs(path.points - want) / np.abs(want)) < 1e-7


def test_backward_and_forward_again_come_back_to_the_start():
    system = phase.plane(eta=0.1, tau=0.9)
    (back,) = phase.started_paths(system, [(0.3, 0.1)], way="backward", t1=2.0)
    assert back.t[-1] == 0.0 and back.t[0] == pytest.approx(-2.0)
    (again,) = phase.started_paths(system, [back.points[0]], way="forward", t1=-back.t[0])
    assert again.points[-1] == pytest.approx([0.3, 0.1], rel=1e-8)


def test_both_ways_meet_at_the_start_and_end_where_variables_are_far():
    system = phase.plane(eta=0.05)
    (path,) = phase.started_paths(system, [(0.1, 0.3)])
    here = int(np.argmax(path.t >= 0))
    assert path.t[here] == 0.0 and np.all(np.diff(path.t) > 0) and np.all(path.points[here] == [0.1, 0.3])
    bound = 4.0 * np.maximum(system.scale, [0.1, 0.3])
    assert np.max(np.abs(path.points[0]) / bound) == pytest.approx(1.0, abs=1e-6)


def test_fates_are_told():
    system = phase.plane(eta=0.15)
    labels = [path.fate for path in phase.started_paths(system, [(0.01, 0.001), (0.5, 0.5)], way="forward")]
    assert labels == ["collapsed", "alive"]
    assert phase.started_paths(system, []) == ()


@pytest.mark.parametrize(
    ("start", "words"),
    [((0.1,), "start 1 must be p and s; got 1"), ((0.1, 0.0), "start 1 must have s > 0; got 0"),
     ((0.1, 0.2, 0.3), "start 1 must be p and s; got 3"), (("a", 0.2), "start 1 must be a numeric array")],
)  # fmt: skip
def test_a_wrong_start_is_told(start, words):
    with pytest.raises(ValueError, match=words):
        phase.started_paths(phase.plane(), [start])


def test_another_way_is_told():
    with pytest.raises(ValueError, match="way must be one of 'both', 'forward', 'backward'; got 'up'"):
        phase.started_paths(phase.plane(), [(0.1, 0.1)], way="up")
