"""Recorded steps against the same lines on numpy arrays, eight abreast and alone."""

import numpy as np
import pytest

from lindyn.solve.lanes import tape, tape_products
from lindyn.solve.lanes.eight import ABREAST, aligned
from lindyn.solve.lanes.tape_blocks import Block


def step(A, B, c, r, q):
    """Return new (A, B) of an n x m and an m x n matrix, by every operation that can be recorded."""
    C = (A @ B).T @ A  # n x m
    size = ((A * A).sum(-1)[..., None] + 0.5) ** (-0.5)
    row = (C * C).sum(0) * r
    centred = C - C.mean(1, keepdims=True)
    square = (B @ A @ A.T).T
    scalar = ((A @ B) * (A @ B)).sum() / (q + 1) - 2 * q
    rate = size * centred * row + scalar * c * A - (1 - q) * (square / 3.0)
    new = A + 0.05 * rate
    other = 0.1 * B - 0.3 * rate.T + 0 * B - 0.2 * A.T  # the old A, after the new one is known
    return new, (B * 0.9 - other) ** 3 / (1 + 0.1 * (B * B))


@pytest.mark.parametrize("abreast", [True, False])
@pytest.mark.parametrize(("n", "m"), [(3, 5), (4, 8), (5, 2), (9, 17), (1, 1)])
def test_a_recorded_step_is_the_step(n, m, abreast):
    rng = np.random.default_rng(n)
    count = 5 if abreast else 1
    shapes = {"A": (n, m), "B": (m, n), "c": (n, 1), "r": (1, m), "q": (1, 1)}
    given = {name: rng.uniform(-0.5, 0.5, (count, *shape)) for name, shape in shapes.items()}
    made = tape.Tape()
    inputs = {name: made.input(name, shape, steady=name in "crq") for name, shape in shapes.items()}
    moved = dict(zip("AB", step(*inputs.values()), strict=True))
    block = Block(made.program(moved), abreast)
    for name, values in given.items():
        block.put(name, values)
    block.prepare()
    block.march(3)
    for k in range(count):
        A, B, c, r, q = (given[name][k] for name in shapes)
        for _ in range(3):
            A, B = step(A, B, c, r, q)
        np.testing.assert_allclose(block.get("A")[k], A, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(block.get("B")[k], B, rtol=1e-11, atol=1e-13)


def test_what_does_not_change_is_done_once_and_what_nobody_needs_is_not_done():
    made = tape.Tape()
    x, y, z = (made.input(name, (4, 4), steady=name != "z") for name in "xyz")
    _ = z @ x @ y
    program = made.program({"z": z - (x @ y) * z})
    assert [tape.OPERATIONS[row[0]] for row in program.once] == ["product"]
    assert [tape.OPERATIONS[row[0]] for row in program.step] == ["less_times"]
    assert program.step[0, 1] == program.places["z"]  # in its place


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda A: A @ A, "cannot be multiplied by a"),
        (lambda A: A + A.T, "does not fit a"),
        (lambda A: A[0], "has no entry"),
        (lambda A: A.sum(), "Only the sum of a product by entries"),
    ],
)
def test_what_cannot_be_recorded_is_refused(wrong, words):
    with pytest.raises((ValueError, TypeError), match=words):
        wrong(tape.Tape().input("A", (2, 3)))


@pytest.mark.parametrize("way", ["along_rows", "along_columns", "by_tiles", "by_wide_tiles"])
def test_every_way_of_a_product_whichever_this_machine_takes(way):
    """Sides that make whole tiles and sides that do not, either factor as it lies or transposed."""
    product, rng = getattr(tape_products, way), np.random.default_rng(5)
    for rows, inner, columns in ((1, 1, 1), (2, 3, 5), (5, 4, 3), (3, 7, 4), (9, 11, 17), (8, 16, 64)):
        for turned_a, turned_b in ((False, False), (True, False), (False, True), (True, True)):
            if way == "along_rows" and turned_b:
                continue  # for factors whose rows lie one after the other
            A, B = rng.standard_normal((ABREAST, rows, inner)), rng.standard_normal((ABREAST, inner, columns))
            m = aligned(rows * inner + inner * columns + rows * columns + 1)
            b, out = rows * inner, rows * inner + inner * columns
            m[:b] = (A.swapaxes(1, 2) if turned_a else A).reshape(ABREAST, -1).T
            m[b:out] = (B.swapaxes(1, 2) if turned_b else B).reshape(ABREAST, -1).T
            m[-1] = 3.0  # nothing is written past the result
            steps_a, steps_b = (1, rows) if turned_a else (inner, 1), (1, inner) if turned_b else (columns, 1)
            product(m, np.array([[tape.PRODUCT, out, rows, columns, 0, *steps_a, b, *steps_b, 0, 0, 0, inner]]), 0)
            found = m[out:-1].T.reshape(ABREAST, rows, columns)
            np.testing.assert_allclose(found, A @ B, rtol=1e-12, atol=1e-13)
            assert np.all(m[-1] == 3.0) and np.array_equal(m[:b, 3], (A.swapaxes(1, 2) if turned_a else A)[3].ravel())
