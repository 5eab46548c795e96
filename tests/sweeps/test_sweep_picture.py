"""The picture of a sweep: the edge of collapse that belongs to the start given, and which slice is shown."""

import numpy as np
import pytest

import lindyn as ld
from lindyn import theory
from lindyn.plotting import outcome_map
from lindyn.sweeps.outcome import BOX, CRITICAL, EDGE, edge_of_start


def flips(ds, name="eta"):
    """Return where the outcome changes along an axis, and half a step around it."""
    collapsed = ds["outcome"].values == 0
    k = np.flatnonzero(collapsed[1:] != collapsed[:-1])
    values = ds[name].values
    return (values[k] + values[k + 1]) / 2, np.diff(values).max()


@pytest.mark.parametrize(
    "given",
    [
        {"beta": 0.4, "s": 0.1},
        {"beta": 0.05, "s": 0.02, "tau": 0.0},
        {"target": "online", "s": 0.1},
        {"tau": 0.8, "tau_mode": "constant", "s": 0.05},
    ],
)
def test_the_edge_is_where_the_runs_of_that_start_flip(given):
    ds = ld.sweep(eta=np.linspace(0.01, 0.25, 49), p=0.15, t1=2000.0, **given)
    edge = edge_of_start(ds)
    eta, level = edge["eta"].values, edge.values
    at = eta[np.flatnonzero(level[1:] * level[:-1] < 0)]
    (flip,), step = flips(ds)
    assert len(at) == 1 and abs(at[0] - flip) <= step


def test_on_the_parabola_at_held_tau_the_edge_is_p_minus():
    ds = ld.sweep(eta=np.linspace(0.01, 0.2, 100), p=0.15, s="parabola", target="online", t1=50.0)
    p_minus = theory.fixed_points(eta=ds["eta"].values, x_aug=ds.attrs["x_aug"]).p_minus
    doomed = np.isnan(p_minus) | (p_minus > 0.15)
    assert np.sum((edge_of_start(ds).values < 0) != doomed) <= 1


def drawn(**given):
    figure = outcome_map.draw(ld.sweep(t1=30.0, **given))
    keys = [text.get_text() for legend in (*figure.legends, *(a.get_legend() for a in figure.axes)) if legend
            for text in legend.get_texts()]  # fmt: skip
    title, *_, note = (text.get_text() for text in figure.texts)
    return title, note, keys


def test_a_slice_of_three_axes_says_which():
    title, _, keys = drawn(eta=np.linspace(0, 0.3, 12), beta=[0.1, 1.0, 5.0], s=[0.01, 0.1])
    assert "slice at $s(0)$ = 0.1 (one of 2)" in title and EDGE in keys and CRITICAL in keys and BOX not in keys


def test_rates_that_do_not_enter_are_not_told_and_a_missing_edge_is():
    title, note, keys = drawn(eta=np.linspace(0, 0.3, 12), target="online")
    assert "target = online network" in title and r"\beta" not in note and EDGE in keys
    _, note, keys = drawn(p=np.linspace(-0.2, 0.5, 8), eta=0.1)
    assert "is not drawn" in note and EDGE not in keys
    _, note, _ = drawn(eta=np.linspace(0, 0.3, 12), tau=0.9, tau_mode="constant")
    assert r"\beta" not in note
