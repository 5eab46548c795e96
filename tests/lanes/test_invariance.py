"""A lane's result is its own: the same bits whatever the order, the chunks, the neighbours and the threads."""

import numpy as np
import pytest

from lindyn.solve.lanes import solve_lanes

from .grids import FIELDS, random_lanes

LANES = random_lanes(301)


@pytest.fixture(scope="module")
def whole():
    return solve_lanes(**LANES, t1=30.0)


def _same(a, b, index=slice(None)):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name)[index], err_msg=name)


def test_permutation(whole):
    order = np.random.default_rng(1).permutation(301)
    _same(solve_lanes(**{name: value[order] for name, value in LANES.items()}, t1=30.0), whole, order)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads(whole, threads):
    _same(solve_lanes(**LANES, t1=30.0, threads=threads), whole)


@pytest.mark.parametrize("chunk", [1, 16, 37])
def test_chunks(whole, chunk, monkeypatch):
    monkeypatch.setattr("lindyn.solve.lanes.api.CHUNK", chunk)
    _same(solve_lanes(**LANES, t1=30.0), whole)


@pytest.mark.parametrize("part", [slice(0, 1), slice(5, 22), slice(100, 301)])
def test_neighbours(whole, part):
    _same(solve_lanes(**{name: value[part] for name, value in LANES.items()}, t1=30.0), whole, part)


def test_numbers_are_lanes_too():
    one = {name: float(value[0]) for name, value in LANES.items()}
    several = {name: np.full(20, value) for name, value in one.items()}
    a, b = solve_lanes(**one, t1=30.0), solve_lanes(**several, t1=30.0)
    assert len(a) == 1
    for i in range(20):
        _same(a, b, slice(i, i + 1))
