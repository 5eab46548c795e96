"""Refinement: the very cells of the full grid from few points of it, and lines through exact crossings."""

import numpy as np
import pytest

from lindyn.phase import outlines, refinement


def _wave(x, y):
    return (y > 0.5 + 0.3 * np.sin(7 * x)).astype(int)


def _ring(x, y):
    r = np.hypot(x - 0.45, y - 0.55)
    return ((r > 0.2) & (r < 0.4)).astype(int)


def _three(x, y):
    return np.where(x + y < 0.7, 0, np.where(x - y > 0.2, 1, 2))


def _grid(*counts):
    return [np.linspace(0.0, 1.0, n) for n in counts]


def _refined(shape_of, counts, coarsest=8):
    grids = _grid(*counts)
    asked = []

    def told(at):
        asked.append(np.stack(at))
        return shape_of(*(grid[k] for grid, k in zip(grids, at, strict=True)))

    found = refinement.refine(told, counts, coarsest)
    return found, shape_of(*np.meshgrid(*grids, indexing="ij")), np.concatenate(asked, axis=1)


@pytest.mark.parametrize("counts", [(121, 101), (97, 40), (33, 200), (9, 8), (2, 2)])
@pytest.mark.parametrize("shape_of", [_wave, _ring, _three])
def test_the_cells_are_those_of_the_full_grid(shape_of, counts):
    found, full, asked = _refined(shape_of, counts)
    np.testing.assert_array_equal(found.codes, full)
    assert asked.shape[1] == found.followed.sum() == len(np.unique(asked.T, axis=0))  # nothing is asked twice
    for a, b, ask_a, ask_b in (
        (full[1:], full[:-1], found.followed[1:], found.followed[:-1]),
        (full[:, 1:], full[:, :-1], found.followed[:, 1:], found.followed[:, :-1]),
    ):
        assert np.all((ask_a & ask_b)[a != b])


def test_only_a_strip_along_the_boundary_is_asked():
    shares = [_refined(_wave, (n, n))[0].followed.mean() for n in (65, 129, 257)]
    assert shares[0] < 0.35 and shares[2] < 0.35 * shares[0] + 1 / 64  # as the length of a line


def test_three_axes():
    def ball(x, y, z):
        return (x**2 + y**2 + (z - 0.2) ** 2 < 0.6).astype(int)

    found, full, _ = _refined(ball, (40, 33, 61))
    np.testing.assert_array_equal(found.codes, full)
    assert found.followed.mean() < 0.3


def test_a_boundary_is_followed_out_of_a_cell_whose_corners_agree():
    def bay(x, y):  # a tongue that enters a cell of the first lattice between its corners
        return ((y < 0.02) | ((np.abs(x - 0.53) < 0.02) & (y < 0.6))).astype(int)

    found, full, _ = _refined(bay, (121, 121))
    np.testing.assert_array_equal(found.codes, full)


def test_an_island_inside_a_cell_is_found_where_every_point_is_asked():
    def island(x, y):
        return (np.hypot(x - 0.567, y - 0.567) < 0.02).astype(int)

    blind, full, _ = _refined(island, (121, 121))
    seen, _, _ = _refined(island, (121, 121), coarsest=1)
    assert full.any() and not blind.codes.any() and seen.followed.all()
    np.testing.assert_array_equal(seen.codes, full)


@pytest.mark.parametrize("count", [3, 2 * refinement.MANY])
def test_intervals_are_halved_to_the_first_change(count):
    root = np.random.default_rng(0).uniform(0.01, 0.99, count)
    start = np.arange(count) % 2
    low, high = refinement.polish(
        lambda which, u: np.where(u < root[which], start[which], 1 - start[which]),
        start,
        lambda a, b: b - a < 1e-12,
    )
    assert np.all((low <= root) & (root <= high) & (high - low < 1e-12))


def _outline(shape_of, first, second):
    codes = shape_of(*np.meshgrid(first, second, indexing="ij"))
    return codes, outlines.crossings(shape_of, first, second, codes)


def test_the_line_lies_on_the_circle():
    first, second = _grid(61, 45)
    codes, found = _outline(_ring, first, second)
    lines = outlines.lines(first, second, codes == 1, found)
    radius = np.concatenate([np.hypot(*(line - [0.45, 0.55]).T) for line in lines])
    assert len(lines) == 2 and found.precision <= outlines.PRECISION
    np.testing.assert_allclose(np.minimum(np.abs(radius - 0.2), np.abs(radius - 0.4)), 0.0, atol=1e-6)
    assert {len(line) > 20 for line in lines} == {True}
    for line in lines:
        np.testing.assert_array_equal(line[0], line[-1])


def _area(loops):
    return sum(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2 for x, y in (loop[:-1].T for loop in loops))


def test_the_areas_are_those_of_the_shapes_holes_taken_off():
    first, second = _grid(61, 45)
    codes, found = _outline(_ring, first, second)
    inside = _area(outlines.areas(first, second, codes == 1, found))
    outside = _area(outlines.areas(first, second, codes == 0, found))
    assert inside == pytest.approx(np.pi * (0.4**2 - 0.2**2), rel=2e-3)
    assert inside + outside == pytest.approx(1.0, abs=1e-12)  # they tile the window


def test_a_line_through_a_log_axis_and_small_values():
    first, second = np.geomspace(1e-3, 10, 31), np.linspace(0.0, 1.0, 21)

    def below(x, y):
        return (y < 1e-4 * x).astype(int)  # in the lowest row of cells alone

    codes, found = _outline(below, first, second)
    line = np.concatenate(outlines.lines(first, second, codes == 1, found))
    on = line[:, 1] > 0
    np.testing.assert_allclose(line[on, 1] / line[on, 0], 1e-4, rtol=1e-2, atol=1e-6)
    steep = line[line[:, 0] > 5]
    np.testing.assert_allclose(steep[:, 1] / steep[:, 0], 1e-4, rtol=2e-6)
