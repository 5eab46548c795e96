"""A sketch, by compiled Runge-Kutta steps, beside the portrait that replaces it: two routes to the same curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lindyn import phase

RATES = {
    "eta_p": st.floats(-3, -0.7), "eta_s": st.floats(-3, -0.7), "alpha_p": st.floats(-0.9, 0.9),
    "x_aug": st.floats(-1.9, 0.6), "tau": st.floats(-0.3, 0.17),
}  # fmt: skip
"""Powers of ten."""


def distance(points, curve):
    """Return how far the farthest of some points is from a curve of many points."""
    along = np.diff(curve, axis=0)
    size = np.maximum((along**2).sum(1), 1e-300)
    share = np.clip(((points[:, None] - curve[:-1]) * along).sum(-1) / size, 0, 1)
    return np.linalg.norm(curve[:-1] + share[..., None] * along - points[:, None], axis=-1).min(1).max()


@settings(max_examples=25, deadline=None)
@given(st.fixed_dictionaries(RATES))
def test_a_sketched_separatrix_is_that_of_the_portrait(powers):
    system = phase.plane(**{name: 10.0**power for name, power in powers.items()})
    quick, box = phase.sketch(system), phase.portraits.default_window(system)
    if quick.separatrix is None:
        return
    exact = phase.separatrix(system, box, n=600).curve
    unit = [high - low for low, high in box]
    assert distance(quick.edge / unit, exact / unit) < 1e-3
    assert np.max(np.abs(quick.edge[[0, -1]] - exact[[0, -1]]) / unit) < 1e-3


def test_a_separatrix_goes_on_where_s_is_too_small_for_a_number():
    """On its way to p < 0 it passes states with log s < -745, where ds/s was 0/0 and the curve ended."""
    system = phase.plane(eta=0.0016, tau=1.316, alpha_p=3.75, x_aug=0.044)
    (left, _), (_, top) = box = phase.portraits.default_window(system)
    for curve in (phase.separatrix(system, box).curve, phase.sketch(system).edge):
        assert curve[:, 1].min() == 0.0
        p, s = curve[0]
        assert p == pytest.approx(left, abs=1e-6) or s == pytest.approx(top, rel=1e-6)


def test_flow_lines_are_trajectories():
    """Each point of a line is followed by the flow: the line's direction is that of the velocity, halfway."""
    system = phase.plane(eta=0.05)
    lines = phase.sketch(system).lines
    unit = np.array([high - low for low, high in phase.portraits.default_window(system)])
    steps, halfway = np.diff(lines, axis=0) / unit, (lines[1:] + lines[:-1]) / 2
    velocity = np.moveaxis(system(np.moveaxis(halfway, -1, 0)), 0, -1) / unit
    long = np.linalg.norm(steps, axis=-1) > 5e-3
    cross = steps[..., 0] * velocity[..., 1] - steps[..., 1] * velocity[..., 0]
    sine = np.abs(cross) / np.linalg.norm(steps, axis=-1).clip(1e-300) / np.linalg.norm(velocity, axis=-1)
    assert long.sum() > 1000 and np.quantile(sine[long], 0.95) < 0.02
    assert np.all(np.sum(steps * velocity, axis=-1)[long] > 0)
